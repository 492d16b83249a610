/** `trunkline dev` on an empty desk: scripted calls in real time. */
import type { Log } from '../log/log.ts'
import { scriptedCall } from '../simulator/scripted-call.ts'
import { systemClock } from './clock.ts'

const CALL_EVERY_MS = 12_000

/** Plays a scripted call now and then into the log, until the signal aborts. */
export async function playCalls(log: Log, signal: AbortSignal): Promise<void> {
  const playing = new Set<Promise<void>>()
  while (!signal.aborted) {
    const call = playCall(log, signal).finally(() => playing.delete(call))
    playing.add(call)
    await systemClock.wait(CALL_EVERY_MS, signal)
  }
  await Promise.all(playing)
}

async function playCall(log: Log, signal: AbortSignal): Promise<void> {
  let elapsedMs = 0
  for (const { afterMs, envelope } of scriptedCall(systemClock.nowMs(), Math.random)) {
    await systemClock.wait(afterMs - elapsedMs, signal)
    elapsedMs = afterMs
    if (signal.aborted) return
    const body = Buffer.from(JSON.stringify(envelope))
    // A refused simulated event is nobody's loss.
    await log.append(body, { kind: 'json', gzip: false, via: 'simulator', receivedAtMs: systemClock.nowMs() }).catch(() => undefined)
  }
}
