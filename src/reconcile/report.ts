/** What a run of reconciling found and did, as it is shown while it runs and afterwards. Bounded: counts are whole, lists are the first so many. */
import { templateOf } from '../event/topics.ts'
import { FINDING_KINDS, type Comparison, type Finding, type FindingKind } from './finding.ts'

export type RunRequest = {
  readonly by: 'schedule' | 'request'
  /** Ids to compare whatever their age; with neither list those that have been silent for long. */
  readonly conversations: readonly string[]
  readonly agents: readonly string[]
  readonly olderThanMs: number
  /** Finds, and repairs nothing. */
  readonly dryRun: boolean
}

/** `repaired_before`: the log has the events of the repair already, and the state did not take them. */
export type Outcome = 'repaired' | 'would_repair' | 'repaired_before' | 'not_repaired'

export type Reported = Finding & {
  readonly atMs: number
  readonly outcome: Outcome
  /** What repairs it: topic, and Trunkline's id of the event once it is in the log. */
  readonly repairs: readonly { readonly topic: string; readonly event: string | null }[]
}

export type Problem = { readonly code: string; readonly message: string; readonly hint: string }

type Asked = {
  /** Whom this run means to ask for. */
  toAsk: number
  asked: number
  /** As silent as they, but left for later runs. */
  left: number
}

export type Run = {
  readonly number: number
  readonly by: RunRequest['by']
  readonly dryRun: boolean
  readonly olderThanMs: number
  readonly startedAtMs: number
  /** Null while it runs. */
  endedAtMs: number | null
  readonly conversations: Asked
  readonly agents: Asked
  readonly found: Record<FindingKind, number>
  /** Findings that were repaired, and the events it took. */
  repaired: number
  events: number
  /** Why not everything could be asked. */
  readonly problems: Problem[]
  readonly findings: Reported[]
  /** Findings beyond those listed. */
  notListed: number
}

const MAX_FINDINGS = 1_000
const MAX_PROBLEMS = 10

export function newRun(number: number, { by, dryRun, olderThanMs }: RunRequest, startedAtMs: number): Run {
  return {
    number,
    by,
    dryRun,
    olderThanMs,
    startedAtMs,
    endedAtMs: null,
    conversations: { toAsk: 0, asked: 0, left: 0 },
    agents: { toAsk: 0, asked: 0, left: 0 },
    found: Object.fromEntries(FINDING_KINDS.map((kind) => [kind, 0])) as Record<FindingKind, number>,
    repaired: 0,
    events: 0,
    problems: [],
    findings: [],
    notListed: 0,
  }
}

/** Adds a finding with what became of it. */
export function report(
  run: Run,
  { finding, repairs }: Comparison,
  done: Pick<Reported, 'atMs' | 'outcome'>,
  ids: readonly string[] = [],
): Reported {
  const reported: Reported = {
    ...finding,
    ...done,
    repairs: repairs.map(({ topicName }, n) => ({ topic: templateOf(topicName).topic, event: ids[n] ?? null })),
  }
  run.found[finding.kind]++
  if (done.outcome === 'repaired') {
    run.repaired++
    run.events += repairs.length
  }
  if (run.findings.length < MAX_FINDINGS) run.findings.push(reported)
  else run.notListed++
  return reported
}

/** Adds a problem; of those alike the first says it. */
export function trouble(run: Run, { code, message, hint }: Problem): void {
  if (run.problems.length < MAX_PROBLEMS && !run.problems.some((one) => one.code === code)) run.problems.push({ code, message, hint })
}
