/**
 * Real time, but never faster than the process keeps up: between two looks at the sockets only so much of it passes. A day
 * played in ten minutes has time-outs of some ten real milliseconds, which a busy machine would miss for no fault of the code.
 */
import type { Clock } from '../../src/pipeline/clock.ts'

export type SteadyClock = Clock & {
  /** Ends the clock; every wait ends. */
  stop(): void
  /** Real time lost to a process that could not keep up. */
  lostMs(): number
}

/** At most so much passes in one turn of the event loop. */
const MAX_STEP_MS = 4

export function steadyClock(startMs: number): SteadyClock {
  let nowMs = startMs
  let lostMs = 0
  let seenMs = performance.now()
  let stopped = false
  const waits = new Set<{ readonly untilMs: number; readonly end: () => void }>()
  const tick = (): void => {
    const realMs = performance.now()
    const passedMs = Math.min(MAX_STEP_MS, realMs - seenMs)
    lostMs += realMs - seenMs - passedMs
    seenMs = realMs
    nowMs += passedMs
    const due = [...waits].filter(({ untilMs }) => untilMs <= nowMs || stopped)
    for (const { end } of due.sort((a, b) => a.untilMs - b.untilMs)) end()
    if (!stopped) setTimeout(tick, 1)
  }
  setTimeout(tick, 1)
  return {
    nowMs: () => nowMs,
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true || stopped) return resolve()
        const entry = {
          untilMs: nowMs + Math.max(0, ms),
          end: (): void => {
            waits.delete(entry)
            signal?.removeEventListener('abort', entry.end)
            resolve()
          },
        }
        waits.add(entry)
        signal?.addEventListener('abort', entry.end, { once: true })
      }),
    stop: () => void (stopped = true),
    lostMs: () => lostMs,
  }
}
