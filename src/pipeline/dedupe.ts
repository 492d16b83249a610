/**
 * Stage `dedupe`, for both homes. On one machine the log has resolved identity before any route sees the event, and
 * the stage reads that verdict. Where many processes share a store, it claims the key: a claim is a lease with an
 * owner token, completed after delivery or released after a failure, so that a failed delivery is never mistaken for
 * a duplicate.
 */
import type { Event } from '../event/event.ts'
import type { Store } from '../stores/store.ts'
import type { Clock } from './clock.ts'
import { KEEP, type Outcome, type Stage, drop, hold } from './outcome.ts'

/** Reads the log's verdict. */
export const verdictDedupe: Stage = {
  name: 'dedupe',
  run: (events) => events.map((event) => (event.duplicateOf === null ? KEEP : drop('duplicate', event.duplicateOf))),
}

export type ClaimOptions = {
  readonly store: Store
  readonly clock: Clock
  /** Token of this run: nobody else's claims can be completed or released with it. */
  readonly owner: string
  readonly leaseMs: number
  /** How long a delivered event is remembered. */
  readonly windowMs: number
}

/** Claims keys in a shared store. `complete` and `release` settle the claims of events this run kept. */
export function claimDedupe(options: ClaimOptions): Stage & {
  complete(events: readonly Event[]): Promise<void>
  release(events: readonly Event[]): Promise<void>
} {
  const { store, clock, owner } = options
  return {
    name: 'dedupe',
    async run(events) {
      const outcomes: Outcome[] = events.map(() => KEEP)
      const keyed = events.flatMap((event, index) => (event.key === null ? [] : [{ index, event, key: keyText(event.key) }]))
      if (keyed.length === 0) return outcomes
      const requests = keyed.map(({ key, event }) => ({ key, eventId: event.id }))
      const nowMs = clock.nowMs()
      const claims = await store.claim(requests, owner, nowMs, nowMs + options.leaseMs)
      for (const [i, { index }] of keyed.entries()) {
        const claim = claims[i]
        if (claim?.state === 'done') outcomes[index] = drop('duplicate', claim.eventId)
        else if (claim?.state !== 'claimed') outcomes[index] = hold('dedupe.leased', claim?.untilMs ?? nowMs + options.leaseMs)
      }
      return outcomes
    },
    async complete(events) {
      const keys = keysOf(events)
      if (keys.length > 0) await store.complete(keys, owner, clock.nowMs() + options.windowMs)
    },
    async release(events) {
      const keys = keysOf(events)
      if (keys.length > 0) await store.release(keys, owner)
    },
  }
}

const keyText = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('hex')
const keysOf = (events: readonly Event[]): string[] => events.flatMap((e) => (e.key === null ? [] : [keyText(e.key)]))
