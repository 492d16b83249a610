import type { Clock } from '../pipeline/clock.ts'

/** A clock that runs `factor` times as fast as another: for tests that need real connections and long times both. */
export function scaledClock(clock: Clock, factor: number): Clock {
  const startMs = clock.nowMs()
  return {
    nowMs: () => startMs + (clock.nowMs() - startMs) * factor,
    wait: (ms, signal) => clock.wait(Math.ceil(ms / factor), signal),
  }
}
