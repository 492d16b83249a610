/** `trunkline dev` on an empty desk: a small made-up contact centre in real time, another one at every start. */
import type { Log } from '../log/log.ts'
import { writerOf } from '../simulator/envelope.ts'
import { simulation } from '../simulator/model/simulation.ts'
import { systemClock } from './clock.ts'

/** A machine that slept: what the centre missed is not made up for. */
const TOO_LATE_MS = 60_000

/** Plays the centre into the log until the signal aborts. */
export async function playCalls(log: Log, signal: AbortSignal, random: () => number = Math.random): Promise<void> {
  while (!signal.aborted) await playCentre(log, signal, `dev ${random()}`)
}

/** Ends with the signal, or when the centre is far behind the clock. */
async function playCentre(log: Log, signal: AbortSignal, seed: string): Promise<void> {
  // Brisk people: with eight at normal pace nobody could watch calls come and go.
  const centre = simulation({
    seed,
    startAtMs: systemClock.nowMs(),
    agents: 8,
    queues: 3,
    conversationsPerHour: 360,
    flat: true,
    brisk: 6,
    transcribedShare: 0.1,
  })
  const write = writerOf('eventbridge', { seed, source: centre.centre.source })
  for (;;) {
    const atMs = centre.peekAtMs()
    if (atMs === null || systemClock.nowMs() - atMs > TOO_LATE_MS) return
    await systemClock.wait(Math.max(0, atMs - systemClock.nowMs()), signal)
    if (signal.aborted) return
    const emission = centre.next()
    if (emission === null) return
    const body = Buffer.from(write(emission, emission.bodyText, false))
    // A refused simulated event is nobody's loss.
    await log.append(body, { kind: 'json', gzip: false, via: 'simulator', receivedAtMs: systemClock.nowMs() }).catch(() => undefined)
  }
}
