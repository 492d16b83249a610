/**
 * Which events are late, found from the order of arrival and the sentence that promises it: an event goes on when something of its entity
 * happened more than the window after it, or when it has waited longer than the window, together with everything older; late is what is
 * older than the last that went on. Written without regard to speed, and without a line of what it is held against.
 */
import { Buffer } from 'node:buffer'
import type { Event } from '../event/event.ts'

type Waiting = { readonly event: Event; readonly sinceMs: number }

/** Of events that all have a business time, in order of arrival, the late ones. */
export function lateBy(events: readonly Event[], windowMs: number): ReadonlySet<Event> {
  const late = new Set<Event>()
  for (const mine of Map.groupBy(events, ({ conversationId }) => conversationId).values()) {
    let waiting: readonly Waiting[] = []
    let gone: Event | null = null
    const goOn = (through: Event | null): void => {
      if (through === null) return
      waiting = waiting.filter(({ event }) => byTimeAndKey(event, through) > 0)
      if (gone === null || byTimeAndKey(gone, through) < 0) gone = through
    }
    const newest = (of: readonly Waiting[]): Event | null =>
      of
        .map(({ event }) => event)
        .toSorted(byTimeAndKey)
        .at(-1) ?? null
    let newestMs = -Infinity
    for (const event of mine) {
      goOn(newest(waiting.filter(({ sinceMs }) => event.receivedAtMs - sinceMs > windowMs)))
      if (gone !== null && byTimeAndKey(event, gone) < 0) {
        late.add(event)
        continue
      }
      waiting = [...waiting, { event, sinceMs: event.receivedAtMs }]
      newestMs = Math.max(newestMs, event.occurredAtMs!)
      goOn(newest(waiting.filter((one) => newestMs - one.event.occurredAtMs! > windowMs)))
    }
  }
  return late
}

/** By business time, then by semantic key. */
export function byTimeAndKey(a: Event, b: Event): number {
  return a.occurredAtMs! - b.occurredAtMs! || Buffer.compare(keyOf(a), keyOf(b))
}

const keyOf = ({ key, keyKind }: Event): Buffer => (keyKind === 'semantic' && key !== null ? Buffer.from(key) : Buffer.alloc(32, 0xff))
