/** What a route says that takes changes of the state: its own pattern, and keys that have no meaning there. */
import type { EventPattern } from './config.ts'
import { inFile, report, type Reading } from './reading.ts'

/** Whether the route takes changes. */
export function takesChanges(route: Readonly<Record<string, unknown>>): boolean {
  return route['changes'] !== null && route['changes'] !== undefined
}

/** Checks a route that takes changes, and answers what it matches by: `match`, and what `queues` and `mediaTypes` come to. */
export function patternsOfChanges(route: Readonly<Record<string, unknown>>, path: string, reading: Reading): readonly EventPattern[] {
  const bad = (key: `.${string}`, message: string, hint: string): void =>
    report(reading, inFile(path + key, null), 'config.bad_value', message, hint)
  if (Array.isArray(route['topics'])) bad('.topics', 'names topics of events, but the route takes changes of the state.', ONE_OF_TWO)
  if (isRecord(route['limit']) && Array.isArray(route['limit']['topics']))
    bad('.limit.topics', 'names topics of events, but the route takes changes of the state.', 'Remove it: the limit is for all of them.')
  if (Array.isArray(route['divisions'])) bad('.divisions', 'is no part of a conversation as the state knows it.', 'Use queues, or match.')
  if (route['backfill'] === true)
    bad('.backfill', 'has no meaning with changes: a conversation is made of all its events, reconstructed ones too.', 'Remove it.')
  if (typeof route['otherTopics'] === 'string') bad('.otherTopics', 'has no meaning with changes.', 'Remove it.')
  for (const key of ['queues', 'mediaTypes'] as const)
    if (Array.isArray(route[key]) && route[key].length === 0)
      bad(`.${key}`, 'is empty, so nothing would match.', 'Remove the key to take all.')
  return changePatterns(route)
}

/** What a route that takes changes matches by. */
export function changePatterns({ match, queues, mediaTypes }: Readonly<Record<string, unknown>>): readonly EventPattern[] {
  const body = {
    ...(Array.isArray(queues) ? { queueVisits: { queueId: queues } } : {}),
    ...(Array.isArray(mediaTypes) ? { mediaType: mediaTypes.map((type: unknown) => ({ 'equals-ignore-case': type })) } : {}),
  }
  const own = isRecord(match) ? [match] : []
  return Object.keys(body).length === 0 ? own : [...own, { detail: { eventBody: body } }]
}

/** Changes are changes of a state, which must be kept. */
export function checkChangesTogether(reading: Reading): void {
  if (reading.values.get('state.enabled') !== false) return
  for (const [path, value] of reading.values)
    if (path.endsWith('.changes') && typeof value === 'string')
      report(
        reading,
        inFile(path, value),
        'config.bad_value',
        'asks for changes of the state, but state.enabled is false.',
        'Keep the state, or remove changes.',
      )
}

const ONE_OF_TWO = 'Remove one of the two: make another route for events.'

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
