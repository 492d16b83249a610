import type { Clock } from '../pipeline/clock.ts'

/*
 * Time for tests that play hours in milliseconds: it stands still until told to move, and moves from one wait to the
 * next in order, letting the program run between two of them. So what happens is the same on every machine.
 */

export type VirtualClock = Clock & {
  /** Moves on by `ms`; every wait that ends on the way ends at its own time, earliest first. */
  advance(ms: number): Promise<void>
  /** Moves on, wait by wait, until `done` holds; throws, naming `what`, when it does not within `maxMs` (longer only while real files are slow). */
  until(what: string, done: () => boolean, maxMs?: number): Promise<void>
  /** Waits that have not ended. */
  waiting(): number
}

/** Turns of the event loop the program gets between two moments: enough for a delivery and its commit. */
const TURNS = 6
/** Some seconds, on a machine that has other work. */
const FILE_TURNS = 1_000_000
const HOUR_MS = 3_600_000

export function virtualClock(startMs = 1_774_000_000_000): VirtualClock {
  let nowMs = startMs
  const waits = new Set<{ readonly untilMs: number; readonly end: () => void }>()

  const earliest = (): { readonly untilMs: number; readonly end: () => void } | null => {
    let first = null
    for (const wait of waits) if (first === null || wait.untilMs < first.untilMs) first = wait
    return first
  }

  return {
    nowMs: () => nowMs,
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve()
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
    async advance(ms) {
      const targetMs = nowMs + ms
      await turns(TURNS)
      for (let next = earliest(); next !== null && next.untilMs <= targetMs; next = earliest()) {
        nowMs = Math.max(nowMs, next.untilMs)
        next.end()
        await turns(TURNS)
      }
      nowMs = targetMs
    },
    async until(what, done, maxMs = 24 * HOUR_MS) {
      const limitMs = nowMs + maxMs
      for (;;) {
        for (let turn = 0; turn < TURNS; turn++) {
          if (done()) return
          await turns(1)
        }
        const next = earliest()
        if (next === null || next.untilMs > limitMs) break
        nowMs = Math.max(nowMs, next.untilMs)
        next.end()
      }
      // What is left hangs on real files: they take turns of the event loop, while time runs away.
      for (let turn = 0; turn < FILE_TURNS; turn++) {
        if (done()) return
        if (turn % 1_000 === 999) {
          const wait = earliest()
          nowMs = Math.max(nowMs, wait?.untilMs ?? 0)
          wait?.end()
        }
        await turns(1)
      }
      throw new Error(`${what}: not within ${maxMs} ms of virtual time`)
    },
    waiting: () => waits.size,
  }
}

/** Lets the program run for some turns of the event loop; no time passes. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
