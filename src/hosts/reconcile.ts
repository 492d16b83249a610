/**
 * Reconciling in the service: at most one run at a time, on a schedule and on demand, in the background share of the rate budget.
 * Repairs go into the log as everything else does. What was found last is remembered for whoever asks; what was repaired is in the log.
 */
import type { Config } from '../config/config.ts'
import { TrunklineError } from '../errors.ts'
import type { Platform } from '../genesys/platform.ts'
import type { Log } from '../log/log.ts'
import { parseEventId } from '../log/event-id.ts'
import { Asked } from '../reconcile/asked.ts'
import { FINDING_KINDS, type FindingKind } from '../reconcile/finding.ts'
import { newRun, type Reported, type Run, type RunRequest } from '../reconcile/report.ts'
import { reconcile, type Given } from '../reconcile/run.ts'
import type { State } from '../state/state.ts'
import { systemClock } from './clock.ts'
import type { LogFollower } from './log-follower.ts'
import { liveEventsOf } from './notifications.ts'
import type { StateKeeper } from './state-keeper.ts'

export type ReconcilerOptions = {
  readonly config: Config
  /** With background priority; null where no OAuth client is configured. */
  readonly platform: Platform | null
  /** Null where no state is kept. */
  readonly keeper: StateKeeper | null
  readonly follower: LogFollower
  readonly log: Log
  readonly warn: (code: string, message: string) => void
  readonly info: (message: string) => void
  readonly signal: AbortSignal
}

export type Totals = {
  readonly runs: { readonly done: number; readonly failed: number }
  readonly asked: { readonly conversation: number; readonly agent: number }
  readonly found: Readonly<Record<FindingKind, number>>
  readonly repaired: number
  readonly events: number
}

const VIA = 'reconcile'
const DAY_MS = 24 * 3_600_000
const MAX_ASKED = 50_000
const MAX_RECENT = 200
/** So long the state may take to be made of all that the log has; then it is too far behind to be compared. */
const BEHIND_MS = 60_000
const LOOK_MS = 10

export type ReconcileStatus = {
  readonly configured: boolean
  /** Null where no runs are scheduled. */
  readonly schedule: object | null
  readonly running: Run | null
  readonly last: Run | null
  readonly recent: readonly Reported[]
  readonly totals: Totals
}

export class Reconciler {
  readonly #o: ReconcilerOptions
  readonly #asked: Asked
  readonly #totals = {
    runs: { done: 0, failed: 0 },
    asked: { conversation: 0, agent: 0 },
    found: Object.fromEntries(FINDING_KINDS.map((kind) => [kind, 0])) as Record<FindingKind, number>,
    repaired: 0,
    events: 0,
  }
  #number = 0
  #running: { readonly run: Run; readonly over: Promise<void> } | null = null
  #last: Run | null = null
  #recent: readonly Reported[] = []
  #nextAtMs: number | null = null

  constructor(options: ReconcilerOptions) {
    this.#o = options
    this.#asked = new Asked({ firstMs: options.config.genesys.reconcile.everyMs ?? DAY_MS, longestMs: DAY_MS, max: MAX_ASKED })
  }

  /** Whether there is somebody to ask, and something to compare. */
  get #isPossible(): boolean {
    return this.#o.platform !== null && this.#o.keeper !== null
  }

  get #settings(): Config['genesys']['reconcile'] {
    return this.#o.config.genesys.reconcile
  }

  /** Since the start. */
  get totals(): Totals {
    return this.#totals
  }

  get last(): Run | null {
    return this.#last
  }

  /** Runs on schedule until the service stops. */
  async keep(): Promise<void> {
    const { signal } = this.#o
    const { everyMs, silentMs } = this.#settings
    while (this.#isPossible && everyMs !== null && !signal.aborted) {
      this.#nextAtMs = systemClock.nowMs() + everyMs
      await systemClock.wait(everyMs, signal)
      // Somebody is at it: the next time is soon enough.
      if (signal.aborted || this.#running !== null) continue
      this.start({ by: 'schedule', conversations: [], agents: [], olderThanMs: silentMs, dryRun: false })
      await this.#over()
    }
    await this.#over()
  }

  /** Begins a run, and answers what it is to become. Throws a coded error when there can be none now. */
  start(request: Omit<RunRequest, 'olderThanMs'> & { readonly olderThanMs: number | null }): Run {
    const { platform, keeper, config, follower, log, signal } = this.#o
    if (keeper === null)
      throw new TrunklineError('state.disabled', 'this service keeps no state', 'Set state.enabled to true and start it again.')
    if (platform === null)
      throw new TrunklineError(
        'reconcile.not_configured',
        'there is nothing to compare with, because no OAuth client of Genesys Cloud is configured',
        'Set genesys.region, genesys.clientId and genesys.clientSecret; `trunkline genesys check` tries them.',
      )
    if (signal.aborted) throw new TrunklineError('service.stopping', 'the service is stopping', 'Ask again when it runs.')
    if (this.#running !== null)
      throw new TrunklineError('reconcile.running', 'a run is under way', 'Wait until it is over: `trunkline reconcile --last` shows it.')
    const whole: RunRequest = { ...request, olderThanMs: request.olderThanMs ?? this.#settings.silentMs }
    const run = newRun(++this.#number, whole, systemClock.nowMs())
    const ports = {
      platform,
      state: (): State => keeper.state,
      horizonMs: config.state.horizonMs,
      caughtUp: () => caughtUp(follower, keeper, log, signal),
      liveEventsOf: (id: string) => liveEventsOf(log, id),
      give: (records: readonly string[]) => give(log, records),
      clock: systemClock,
      signal,
    }
    const over = reconcile(whole, run, this.#settings, this.#asked, ports).then(() => this.#ended(run))
    this.#running = { run, over }
    return run
  }

  /** For `GET /v1/reconcile`. */
  status(): ReconcileStatus {
    const { everyMs, silentMs, maxPerRun, agents } = this.#settings
    const isScheduled = this.#isPossible && everyMs !== null
    return {
      configured: this.#o.platform !== null,
      schedule: isScheduled ? { everyMs, silentMs, maxPerRun, agents, nextAtMs: this.#nextAtMs } : null,
      running: this.#running?.run ?? null,
      last: this.#last,
      recent: this.#recent,
      totals: this.#totals,
    }
  }

  async #over(): Promise<void> {
    await this.#running?.over
  }

  #ended(run: Run): void {
    const totals = this.#totals
    this.#running = null
    this.#last = run
    this.#recent = [...run.findings.toReversed(), ...this.#recent].slice(0, MAX_RECENT)
    totals.runs[run.problems.length === 0 ? 'done' : 'failed']++
    totals.asked.conversation += run.conversations.asked
    totals.asked.agent += run.agents.asked
    for (const kind of FINDING_KINDS) totals.found[kind] += run.found[kind]
    totals.repaired += run.repaired
    totals.events += run.events
    for (const { code, message } of run.problems) this.#o.warn(code, `reconciling, run ${run.number}: ${message}`)
    const found = FINDING_KINDS.filter((kind) => run.found[kind] > 0).map((kind) => `${run.found[kind]} ${kind}`)
    if (found.length === 0) return
    const repaired = run.dryRun ? 'nothing repaired, as asked' : `${run.repaired} repaired with ${run.events} events`
    this.#o.info(`reconciled ${run.conversations.asked} conversations and ${run.agents.asked} agents: ${found.join(', ')}; ${repaired}`)
  }
}

/** Resolves when the state is made of everything that was in the log when this was called. */
async function caughtUp(follower: LogFollower, keeper: StateKeeper, log: Log, signal: AbortSignal): Promise<void> {
  const wantedSeq = log.events.nextSeq
  const giveUpAtMs = systemClock.nowMs() + BEHIND_MS
  while (follower.positionOf(keeper) < wantedSeq) {
    if (signal.aborted) throw new TrunklineError('service.stopping', 'the service is stopping', 'Ask again when it runs.')
    if (systemClock.nowMs() > giveUpAtMs)
      throw new TrunklineError(
        'reconcile.state_behind',
        `the state is ${follower.lagEvents} events behind the log, so what differs is not known`,
        'It is tried again in the next run; see `lagEvents` in GET /v1/stats.',
      )
    await systemClock.wait(LOOK_MS, signal)
  }
}

/** All of them in one group of the log: on disk together, in this order. */
async function give(log: Log, records: readonly string[]): Promise<Given> {
  const receivedAtMs = systemClock.nowMs()
  const bytes = new TextEncoder().encode(records.join('\n'))
  const { status, body } = await log.append(bytes, { kind: 'ndjson', gzip: false, via: VIA, receivedAtMs, wantIds: true })
  const { ids = [] } = JSON.parse(body) as { readonly ids?: readonly (string | null)[] }
  if (status !== 202 || ids.length !== records.length || ids.includes(null))
    throw new TrunklineError(
      'reconcile.failed',
      `the log did not take the repairs (${status})`,
      'It is tried again in the next run; please report it.',
    )
  const given = ids.map(String)
  return { ids: given, repeated: await areRepeated(log, given) }
}

async function areRepeated(log: Log, ids: readonly string[]): Promise<boolean> {
  for (const id of ids) {
    const seq = parseEventId(log.logId, id)
    const record = seq === null ? null : await log.events.record(seq)
    if (record === null || log.events.event(record).duplicateOf === null) return false
  }
  return true
}
