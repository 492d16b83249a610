import type { Clock } from './clock.ts'

/** Steps back that are no more than clocks asked in another order. */
const STEP_MS = 5_000

/**
 * Time that does not go back with its clock: after a step back it goes on from where it was. `ahead` is how far it is ahead of the
 * clock then.
 */
export function steadyClock(clock: Pick<Clock, 'nowMs'>): { nowMs(): number; ahead(): number } {
  let seenMs = -Infinity
  let aheadMs = 0
  return {
    nowMs() {
      const atMs = clock.nowMs()
      if (atMs < seenMs - STEP_MS) aheadMs += seenMs - atMs
      else if (atMs < seenMs) return seenMs + aheadMs
      seenMs = atMs
      return atMs + aheadMs
    },
    ahead: () => aheadMs,
  }
}
