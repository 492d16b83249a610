import type { Clock } from '../pipeline/clock.ts'

/** A clock that moves only when told: waits end by `pass`, or by their signal. */
export type HandClock = Clock & {
  /** Moves on, and ends every wait that is over by then. */
  pass(ms: number): void
  /** Waits that have not ended. */
  waiting(): number
}

export function handClock(startMs = 1_774_000_000_000): HandClock {
  let nowMs = startMs
  const waits = new Set<{ readonly untilMs: number; readonly wake: () => void }>()
  return {
    nowMs: () => nowMs,
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve()
        const entry = {
          untilMs: nowMs + ms,
          wake: (): void => {
            waits.delete(entry)
            resolve()
          },
        }
        waits.add(entry)
        signal?.addEventListener('abort', entry.wake, { once: true })
      }),
    pass(ms) {
      nowMs += ms
      for (const entry of [...waits]) if (entry.untilMs <= nowMs) entry.wake()
    },
    waiting: () => waits.size,
  }
}
