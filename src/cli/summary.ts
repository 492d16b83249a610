/** What lists say about one event. The texts come from outside: whoever prints them escapes them. */
import { entriesOf, textOf } from './read.ts'

/** What the event is about. */
export function entityOf(event: unknown): string {
  const kinds = [
    ['conversation', 'conversationId'],
    ['agent', 'userId'],
    ['queue', 'queueId'],
  ] as const
  for (const [kind, key] of kinds) {
    const id = textOf(event, key)
    if (id !== null) return `${kind} ${id}`
  }
  return '-'
}

/** `crm delivered, archive retrying`. */
export function outcomesOf(event: unknown): string {
  const outcomes = entriesOf(event, 'routes').map(([route, outcome]) => `${route} ${String(outcome)}`)
  return outcomes.length === 0 ? '-' : outcomes.join(', ')
}
