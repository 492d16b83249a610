/**
 * THE ORDER of a route, once:
 *
 *     match ▸ limit ▸ validate ▸ dedupe ▸ order ▸ deliver
 *
 * `limit` stands before `dedupe` on purpose: shed load pays for no claim. (Stages that are not built yet are absent,
 * their places are kept.) Each stage sees only what the one before kept; the result of an event is the first outcome
 * that is not `keep`, or the last stage's `keep`: delivered.
 */
import type { Event } from '../event/event.ts'
import { KEEP, type Outcome, type Stage, retry } from './outcome.ts'

/** What became of one event, and the name of the stage that decided it. */
export type Verdict = { readonly stage: string; readonly outcome: Outcome }

/**
 * Runs events through stages. A stage that throws fails only the events it was given: an unknown error is `retry`,
 * never `drop`. Answers are aligned with `events`.
 */
export async function runStages(stages: readonly Stage[], events: readonly Event[], signal: AbortSignal): Promise<Verdict[]> {
  const verdicts: Verdict[] = events.map(() => ({ stage: 'none', outcome: KEEP }))
  let live = events.map((_, i) => i)
  for (const stage of stages) {
    if (live.length === 0) break
    const given = live.length === events.length ? events : live.map((i) => events[i]!)
    const outcomes = await runOne(stage, given, signal)
    const kept: number[] = []
    for (const [k, i] of live.entries()) {
      const outcome = outcomes[k] ?? retry('pipeline.no_outcome', `stage ${stage.name} answered too few outcomes`)
      verdicts[i] = { stage: stage.name, outcome }
      if (outcome.type === 'keep') kept.push(i)
    }
    live = kept
  }
  return verdicts
}

async function runOne(stage: Stage, events: readonly Event[], signal: AbortSignal): Promise<readonly Outcome[]> {
  try {
    return await stage.run(events, signal)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return events.map(() => retry(`pipeline.${stage.name}_threw`, detail))
  }
}
