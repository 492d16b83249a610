/**
 * THE ORDER of a route, once:
 *
 *     match ▸ limit ▸ validate ▸ dedupe ▸ order ▸ deliver
 *
 * `limit` stands before `dedupe` on purpose: shed load pays for no claim. An event that a stage held comes back to that
 * stage and goes on from there; what was before is not asked again. Each stage sees only what the one before kept; the result of an event is the first outcome
 * that is not `keep`, or the last stage's `keep`: delivered.
 */
import type { Event } from '../event/event.ts'
import { KEEP, type Note, type Outcome, type Resumed, type Stage, retry } from './outcome.ts'

export const STAGES = ['match', 'limit', 'validate', 'dedupe', 'order', 'deliver'] as const

/** What became of one event, the name of the stage that decided it, and what the stages before had to say. */
export type Verdict = { readonly stage: string; readonly outcome: Outcome; readonly note?: Note; readonly slot?: string }

/**
 * Runs events through stages. A stage that throws fails only the events it was given: an unknown error is `retry`,
 * never `drop`. Answers are aligned with `events`.
 */
export async function runStages(stages: readonly Stage[], events: readonly Event[], signal: AbortSignal): Promise<Verdict[]> {
  return runFrom(stages, events, null, signal)
}

/** Goes on with events that the stage `name` held: that stage is told, then come those after it. */
export async function resumeStages(
  stages: readonly Stage[],
  name: string,
  held: readonly Resumed[],
  signal: AbortSignal,
): Promise<Verdict[]> {
  const rest = stagesFrom(stages, name)
  const resumed = rest[0]?.name === name && rest[0].resume !== undefined ? held : null
  return runFrom(
    rest,
    held.map(({ event }) => event),
    resumed,
    signal,
  )
}

/** The stage `name` and those after it; when the route does not have it any more, those that would come after it. */
function stagesFrom(stages: readonly Stage[], name: string): readonly Stage[] {
  const at = stages.findIndex((stage) => stage.name === name)
  if (at >= 0) return stages.slice(at)
  const place = placeOf(name)
  return stages.filter((stage) => placeOf(stage.name) > place)
}

function placeOf(name: string): number {
  const place = STAGES.findIndex((stage) => stage === name)
  return place < 0 ? STAGES.length : place
}

async function runFrom(
  stages: readonly Stage[],
  events: readonly Event[],
  resumed: readonly Resumed[] | null,
  signal: AbortSignal,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = events.map(() => ({ stage: 'none', outcome: KEEP }))
  let live = events.map((_, i) => i)
  for (const [s, stage] of stages.entries()) {
    if (live.length === 0) break
    const given = live.length === events.length ? events : live.map((i) => events[i]!)
    const outcomes = await runOne(stage, given, s === 0 ? resumed : null, signal)
    const kept: number[] = []
    for (const [k, i] of live.entries()) {
      const outcome = outcomes[k] ?? retry('pipeline.no_outcome', `stage ${stage.name} answered too few outcomes`)
      verdicts[i] = after(verdicts[i], stage.name, outcome)
      if (outcome.type === 'keep') kept.push(i)
    }
    live = kept
  }
  return verdicts
}

function after(before: Verdict | undefined, stage: string, outcome: Outcome): Verdict {
  if (outcome.type !== 'keep') return { stage, outcome }
  const note = outcome.note ?? before?.note
  const slot = outcome.slot ?? before?.slot
  if (note === undefined && slot === undefined) return { stage, outcome }
  return { stage, outcome, ...(note === undefined ? {} : { note }), ...(slot === undefined ? {} : { slot }) }
}

async function runOne(
  stage: Stage,
  events: readonly Event[],
  resumed: readonly Resumed[] | null,
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  try {
    if (resumed !== null && stage.resume !== undefined) return await stage.resume(resumed, signal)
    return await stage.run(events, signal)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return events.map(() => retry(`pipeline.${stage.name}_threw`, detail))
  }
}
