/** A clock that runs faster or slower than the one it stands on, so that a day can be played in ten minutes. */
import type { Clock } from '../pipeline/clock.ts'

/** Begins at `startAtMs` and runs `speed` times as fast as `base`. Waits are as coarse as those of `base`, times `speed`. */
export function scaledClock(base: Clock, startAtMs: number, speed: number): Clock {
  if (!(speed > 0 && Number.isFinite(speed))) throw new RangeError(`a clock cannot run ${speed} times as fast`)
  const baseStartMs = base.nowMs()
  return {
    nowMs: () => startAtMs + Math.floor((base.nowMs() - baseStartMs) * speed),
    wait: (ms, signal) => base.wait(ms / speed, signal),
  }
}
