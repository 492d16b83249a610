/**
 * Stage `deliver`: hands events to the sink in pieces it can take, as many at once as it allows. The bound holds over
 * all runs of one stage, so callers that share a sink share the stage. A piece that the sink rejects, or answers too
 * shortly, is retried alone; what was delivered beside it stays delivered. After the signal no new piece begins.
 */
import type { Event } from '../event/event.ts'
import type { Sink } from '../sinks/sink.ts'
import { type Outcome, type Stage, retry } from './outcome.ts'
import { turns } from './turns.ts'

export function deliverStage(sink: Sink): Stage {
  const calls = turns(sink.concurrency)
  return {
    name: 'deliver',
    async run(events, signal) {
      const outcomes: Outcome[] = events.map(() => STOPPED)
      let next = 0
      const worker = async (): Promise<void> => {
        while (next < events.length && !signal.aborted) {
          const at = next
          next += sink.maxBatch
          const piece = events.length <= sink.maxBatch ? events : events.slice(at, at + sink.maxBatch)
          const answers = await calls.runUnless(signal, () => deliverPiece(sink, piece, signal))
          if (answers !== null) for (const [i, answer] of answers.entries()) outcomes[at + i] = answer
        }
      }
      const pieces = Math.ceil(events.length / sink.maxBatch)
      await Promise.all(Array.from({ length: Math.min(sink.concurrency, pieces) }, worker))
      return outcomes
    },
  }
}

/** No attempt was made, or it was cut short by our own stop. */
const STOPPED: Outcome = retry('sink.stopped')

/** Gives one piece to the sink. Never rejects; aligned with `piece`. */
export async function deliverPiece(sink: Sink, piece: readonly Event[], signal: AbortSignal): Promise<readonly Outcome[]> {
  try {
    const answers = await sink.deliver(piece, signal)
    return piece.map((_, i) => answers[i] ?? retry('sink.no_outcome', `the ${sink.kind} sink answered too few outcomes`))
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return piece.map(() => retry('sink.threw', detail))
  }
}
