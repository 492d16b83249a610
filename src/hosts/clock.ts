/**
 * The one real clock. Everything else is handed a `Clock`, so that tests can hand in another. A wait keeps the process
 * alive: whoever waits holds work that must not be forgotten by an early exit.
 */
import type { Clock } from '../pipeline/clock.ts'

/** The machine's clock and timers. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      // What is due in no time may have become overdue since it was reckoned.
      const timer = setTimeout(done, Math.max(0, Math.min(ms, MAX_TIMER_MS)))
      signal?.addEventListener('abort', done)
    }),
}

/** Longest delay a timer can have; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1
