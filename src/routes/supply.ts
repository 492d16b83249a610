/**
 * What a route may attempt next: parked events whose time has come, and new ones, read from the log and run through the
 * shaping stages. Here too ends what a backlog policy gives up and what can no longer be read: whoever hands events out
 * knows which have not been begun.
 */
import type { RouteConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import type { LogReader, LogRecord } from '../log/reader.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Outcome, Stage } from '../pipeline/outcome.ts'
import { type Verdict, runStages } from '../pipeline/pipeline.ts'
import type { Pending } from './ledger.ts'
import type { Parked } from './parked.ts'
import { type Progress, rangesOf } from './progress.ts'
import type { Settlement } from './settlement.ts'

export type SupplyOptions = {
  readonly config: RouteConfig
  readonly log: LogReader
  /** Stages before delivery, in order. */
  readonly shaping: readonly Stage[]
  readonly clock: Clock
  readonly warn: (code: string, message: string) => void
  readonly progress: Progress
  readonly parked: Parked
  readonly settlement: Settlement
  /** Told of a shaping stage that says neither keep nor drop. */
  readonly settle: (job: Job, outcome: Outcome, stage: string) => void
  readonly signal: AbortSignal
}

/** One event on its way through this route. `entity` names the line it stands in, if any. */
export type Job = {
  readonly seq: number
  readonly event: Event
  readonly record: LogRecord
  readonly attempt: number
  readonly origin: 'live' | 'redrive'
  readonly entity: string | null
}

/** Parked events above which the route reads no further. */
const MAX_PARKED = 10_000
const READ_BYTES = 2 * 1024 * 1024

export class Supply {
  readonly #o: SupplyOptions
  #fresh: Job[] = []
  /** Records are being read: what is parked and where the frontier stands must not be changed by others. */
  #reading = false
  #expireBelow = 0

  constructor(options: SupplyOptions) {
    this.#o = options
  }

  /**
   * A batch to attempt; empty when something moved but nothing wants delivery, null when there is none. While a sink
   * fails every time a route asks for fresh ones first: then an outage costs each event few attempts.
   */
  async next(ask: { readonly limit: number; readonly first: 'due' | 'fresh' }): Promise<Job[] | null> {
    this.#reading = true
    try {
      if (ask.first === 'due') return (await this.#dueJobs(ask.limit)) ?? (await this.#freshJobs(ask.limit))
      return (await this.#freshJobs(ask.limit)) ?? (await this.#dueJobs(ask.limit))
    } finally {
      this.#reading = false
      this.#expire()
    }
  }

  /**
   * Gives up what came before `seq` and has not been begun, new or parked, at once or when what is being read is read.
   * Answers whether anything was given up now.
   */
  expireBefore(seq: number): boolean {
    this.#expireBelow = Math.max(this.#expireBelow, Math.min(seq, this.#o.log.nextSeq))
    return this.#reading ? false : this.#expire()
  }

  /** A batch of parked events whose time has come, or null. */
  async #dueJobs(limit: number): Promise<Job[] | null> {
    const now = this.#o.clock.nowMs()
    const jobs: Job[] = []
    let seen = false
    while (jobs.length < limit) {
      const pending = this.#o.parked.due(now)
      if (pending === null) break
      const { seq } = pending
      seen = true
      let record: LogRecord | null
      try {
        record = await this.#fetch(seq)
      } catch (error) {
        // It stays parked and due; so do those already fetched, unless they can go without it.
        this.#o.parked.putBack(pending)
        if (jobs.length > 0) return jobs
        throw error
      }
      if (record === null) {
        this.#lost(pending)
        continue
      }
      this.#o.parked.begin(pending)
      const event = this.#event(record, pending)
      jobs.push({
        seq,
        event,
        record,
        attempt: pending.attempt,
        origin: pending.state === 'redrive' ? 'redrive' : 'live',
        entity: pending.entity,
      })
    }
    return seen ? jobs : null
  }

  /** A batch of new events that want delivery; empty when records were read but none does; null when there is none. */
  async #freshJobs(limit: number): Promise<Job[] | null> {
    if (this.#fresh.length === 0) {
      // Orphans wait for what only reading on can show.
      if (this.#o.parked.live >= MAX_PARKED && !this.#o.parked.hasOrphans) return null
      if (!(await this.#readFresh())) return null
    }
    return this.#fresh.splice(0, limit)
  }

  async #readFresh(): Promise<boolean> {
    const { log, shaping } = this.#o
    const from = this.#o.progress.frontier
    const { records, nextSeq, damaged } = await log.read(from, READ_BYTES)
    if (nextSeq === from) return false
    const wanted = records.filter((r) => !this.#o.progress.isSettled(r.seq) && !this.#o.parked.has(r.seq))
    const events = wanted.map((r) => log.event(r))
    const verdicts = await runStages(shaping, events, this.#o.signal)
    // Counted together with the step over them, or a crash between the two would count them again.
    const lost = damaged.filter((seq) => !this.#o.progress.isSettled(seq)).length
    if (lost > 0) this.#o.settlement.damaged(lost)
    const now = this.#o.clock.nowMs()
    for (const [i, record] of wanted.entries()) {
      const { stage, outcome } = verdicts[i] as Verdict
      const event = events[i] as Event
      const job: Job = { seq: record.seq, event, record, attempt: 0, origin: 'live', entity: null }
      if (outcome.type === 'keep') this.#enter({ ...job, entity: this.#o.parked.entityOf(event) })
      else if (outcome.type === 'drop') this.#o.settlement.dropped(job, outcome, stage, now)
      else {
        this.#o.progress.take(record.seq)
        this.#o.settle(job, outcome, stage)
      }
      this.#o.progress.skipTo(record.seq + 1)
    }
    this.#o.progress.skipTo(nextSeq)
    this.#o.parked.releaseOrphans()
    this.#o.settlement.commitSoon()
    return true
  }

  #enter(job: Job): void {
    if (!this.#o.parked.enter(job)) return
    this.#o.progress.take(job.seq)
    this.#fresh.push(job)
  }

  /** A parked record that cannot be read any more: damaged on disk. Said, counted, and the way made free. */
  #lost(pending: Pending): void {
    this.#o.warn(
      'log.record_lost',
      `route ${this.#o.config.name}: record ${pending.seq} (${pending.state}) can no longer be read from the log`,
    )
    this.#o.parked.remove(pending)
    this.#o.settlement.lost(pending, this.#o.clock.nowMs())
    this.#o.settlement.commitSoon()
  }

  /** Answers whether anything was given up. */
  #expire(): boolean {
    const below = this.#expireBelow
    if (below === 0) return false
    this.#expireBelow = 0
    const gone: number[] = []
    for (const job of this.#fresh.filter((j) => j.seq < below)) {
      gone.push(job.seq)
      this.#o.parked.finish(job)
    }
    this.#fresh = this.#fresh.filter((j) => j.seq >= below)
    for (const pending of this.#o.parked.all()) {
      if (pending.seq >= below || pending.state === 'redrive') continue
      gone.push(pending.seq)
      this.#o.parked.remove(pending)
    }
    const ranges = [...rangesOf(gone), ...this.#o.progress.unsettled(this.#o.progress.frontier, below - 1)]
    this.#o.progress.skipTo(below)
    if (ranges.length === 0) return false
    this.#o.settlement.expired(ranges, 'backlog.expired')
    this.#o.settlement.commitSoon()
    return true
  }

  async #fetch(seq: number): Promise<LogRecord | null> {
    return (await this.#o.log.record(seq)) ?? this.#o.settlement.frameOf(seq)
  }

  #event(record: LogRecord, pending: Pending): Event {
    const event = this.#o.log.event(record)
    const marks =
      pending.state === 'redrive'
        ? [...event.marks, 'redriven' as const, ...(this.#o.parked.ordered ? ['order.late' as const] : [])]
        : event.marks
    return { ...event, marks, redelivered: pending.attempt > 0 || pending.state === 'redrive' }
  }
}
