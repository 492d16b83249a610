/**
 * What a route may attempt next: parked events whose time has come, held ones, and new ones, read from the log and run through the
 * shaping stages. Here too ends what a backlog policy gives up and what can no longer be read: whoever hands events out
 * knows which have not been begun.
 */
import type { RouteConfig } from '../config/config.ts'
import type { Event, Mark } from '../event/event.ts'
import type { LogReader, LogRecord } from '../log/reader.ts'
import type { Clock } from '../pipeline/clock.ts'
import { type Note, type Outcome, type Stage, dead, drop } from '../pipeline/outcome.ts'
import { type Verdict, resumeStages, runStages } from '../pipeline/pipeline.ts'
import type { Held, HeldRow } from './held.ts'
import { goInSlot } from './holding.ts'
import type { Pending } from './ledger.ts'
import { LATE, type Ordering } from './ordering.ts'
import type { Parked } from './parked.ts'
import type { Progress } from './progress.ts'
import { compacted, recordsOf } from './records.ts'
import { rangesOf } from './seq-set.ts'
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
  readonly held: Held
  readonly ordering: Ordering
  readonly settlement: Settlement
  /** Told of a shaping stage that says neither keep nor drop. */
  readonly settle: (job: Job, outcome: Outcome, stage: string) => void
  /** When the route wrote something down last; null when never. */
  readonly lastAtMs: number | null
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
  /** What a stage had to say of it, until it is told: of one that has a row that is when the row goes. */
  readonly note: Note | null
  /** What it is delivered with beside its own marks, when it comes back for another attempt. */
  readonly mark: Mark | null
}

/** Events in retry above which the route reads no further. */
const MAX_PARKED = 10_000
const READ_BYTES = 2 * 1024 * 1024
/** Held events that are taken up at once. */
const HELD_BATCH = 512
/** A clock that is back by less was only read in another order. */
const STEP_BACK_MS = 10_000

export class Supply {
  readonly #o: SupplyOptions
  #fresh: Job[] = []
  #heldLast = false
  /** Records are being read: what is parked and where the frontier stands must not be changed by others. */
  #reading = false
  #expireBelow = 0
  #latestMs: number

  constructor(options: SupplyOptions) {
    this.#o = options
    this.#latestMs = options.lastAtMs ?? -Infinity
  }

  /**
   * A batch to attempt; empty when something moved but nothing wants delivery, null when there is none. While a sink
   * fails every time a route asks for fresh ones first: then an outage costs each event few attempts.
   */
  async next(ask: { readonly limit: number; readonly first: 'due' | 'fresh' }): Promise<Job[] | null> {
    this.#reading = true
    try {
      if (!this.#o.progress.isCatchingUp) this.#o.ordering.restored()
      if (ask.first === 'due') return (await this.#dueJobs(ask.limit)) ?? (await this.#freshJobs(ask.limit))
      return (await this.#freshJobs(ask.limit)) ?? (await this.#dueJobs(ask.limit))
    } finally {
      this.#reading = false
      this.#expire()
    }
  }

  /** When something is due without a new record; 0 when there is more to do now. */
  nextAtMs(): number {
    const { parked, held, ordering } = this.#o
    return Math.min(parked.nextAtMs(), held.nextAtMs, ordering.hasReady ? 0 : ordering.nextAtMs)
  }

  /**
   * Gives up what came before `seq` and has not been begun, new, parked or held, at once or when what is being read is
   * read. Answers whether anything was given up now.
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
      const origin = pending.state === 'redrive' ? 'redrive' : 'live'
      jobs.push({ seq, event, record, attempt: pending.attempt, origin, entity: pending.entity, note: null, mark: pending.mark })
    }
    return seen ? jobs : null
  }

  /**
   * A batch of events that want their first attempt; empty when something moved but none does; null when there is none. Held ones and
   * those of the log take turns, so that neither a backlog of the one kind nor of the other stops its neighbour.
   */
  async #freshJobs(limit: number): Promise<Job[] | null> {
    if (this.#fresh.length === 0) {
      // What may go in its order is older than what has not been read.
      const readFirst = this.#heldLast && !this.#o.ordering.hasReady
      const moved = readFirst ? (await this.#readOn()) || (await this.#takeHeld()) : (await this.#takeHeld()) || (await this.#readOn())
      if (!moved) return null
    }
    return this.#fresh.splice(0, limit)
  }

  async #readOn(): Promise<boolean> {
    this.#heldLast = false
    if (this.#o.parked.live >= MAX_PARKED && !this.#o.progress.isCatchingUp) return false
    return this.#readFresh()
  }

  async #readFresh(): Promise<boolean> {
    const { log, shaping, progress, settlement, ordering, parked } = this.#o
    const began = progress.frontier
    progress.skipTo(progress.nextOpen)
    const from = progress.frontier
    const { records, nextSeq, damaged } = await log.read(from, READ_BYTES)
    if (nextSeq === began) return false
    const unsettled = records.filter((r) => !progress.isSettled(r.seq) && !parked.has(r.seq))
    const wanted = ordering.isOn ? compacted(unsettled) : unsettled
    const events = wanted.map((r) => log.event(r))
    // What a stage has admitted before a restart it is not asked to admit again.
    const asked = progress.isCatchingUp
      ? events.map((event, i) => (progress.isAgain(wanted[i]!.seq) ? { ...event, redelivered: true } : event))
      : events
    const verdicts = await runStages(shaping, asked, this.#o.signal)
    // Counted together with the step over them, or a crash between the two would count them again.
    const lost = damaged.filter((seq) => !progress.isSettled(seq)).length
    if (lost > 0) settlement.damaged(lost)
    const now = this.#o.clock.nowMs()
    for (const [i, record] of wanted.entries()) {
      const again = progress.isAgain(record.seq)
      const verdict = verdicts[i]!
      const job = firstOf(record, events[i]!, null)
      if (!again) {
        ordering.restored()
        ordering.advance(record.receivedAtMs)
        if (verdict.note !== undefined && verdict.outcome.type === 'keep') settlement.noted(job, verdict.note, now)
      }
      progress.take(record.seq)
      this.#proceed(job, verdict, now, again)
    }
    progress.skipTo(nextSeq)
    if (!progress.isCatchingUp) ordering.restored()
    ordering.age(progress.frontier)
    const forced = ordering.takeForced()
    if (forced > 0) settlement.windowFull(forced)
    settlement.commitSoon()
    return true
  }

  /** Takes up events whose hold is over; answers whether there were any. */
  async #takeHeld(): Promise<boolean> {
    const { log, held, ordering, progress, shaping, settlement } = this.#o
    this.#heldLast = true
    const now = this.#o.clock.nowMs()
    this.#watchClock(now)
    // Who is ahead of them may be among what has not been read again.
    if (progress.isCatchingUp) return false
    if (progress.frontier >= log.nextSeq) ordering.advance(now)
    const ready = ordering.takeReady(HELD_BATCH)
    const late = ordering.takeLate(HELD_BATCH)
    const rows = held.due(now, HELD_BATCH)
    if (ready.length === 0 && late.length === 0 && rows.length === 0) return false
    const kept = ready.map((item) => ordering.keptOf(item))
    const missing = [...ready.filter((_, i) => kept[i] === null), ...rows].map(({ seq }) => seq)
    let records: ReadonlyMap<number, LogRecord>
    try {
      records = await recordsOf(log, [...missing, ...late])
    } catch (error) {
      for (const row of rows) held.putBack(row)
      ordering.putBack(ready, late)
      throw error
    }
    for (const [i, { seq, entity }] of ready.entries()) {
      const record = kept[i]?.record ?? records.get(seq)
      if (record === undefined) this.#lostHeld(seq, entity)
      else this.#fresh.push(firstOf(record, kept[i]?.event ?? log.event(record), entity))
    }
    for (const seq of late) {
      const record = records.get(seq)
      if (record === undefined) this.#lostHeld(seq, null)
      else this.#fresh.push(lateOf(firstOf(record, log.event(record), null)))
    }
    for (const [stage, due] of Map.groupBy(rows, (row) => row.stage)) {
      const there: { row: HeldRow; record: LogRecord; event: Event }[] = []
      for (const row of due) {
        const record = records.get(row.seq)
        if (record === undefined) this.#lostHeld(row.seq, null)
        else there.push({ row, record, event: log.event(record) })
      }
      const resumed = there.map(({ row, event }) => ({ event, reason: row.reason, dueAtMs: row.dueAtMs, key: row.key, slot: row.slot }))
      const verdicts = await resumeStages(shaping, stage, resumed, this.#o.signal)
      for (const [i, { record, event }] of there.entries()) {
        const verdict = verdicts[i]!
        this.#proceed({ ...firstOf(record, event, null), note: verdict.note ?? null }, verdict, now, false)
      }
    }
    settlement.commitSoon()
    return true
  }

  /** Times that were promised by a clock which has been set back since may be far away: they are promised anew. */
  #watchClock(nowMs: number): void {
    if (nowMs < this.#latestMs - STEP_BACK_MS) this.#o.held.hurry('limit', null, nowMs)
    else if (nowMs < this.#latestMs) return
    this.#latestMs = nowMs
  }

  /** What the shaping stages said of an event that was read or taken up. */
  #proceed(job: Job, { stage, outcome, slot }: Verdict, now: number, again: boolean): void {
    if (outcome.type === 'keep' && slot !== undefined && !goInSlot(this.#o, job, slot, 'limit', now)) return
    if (outcome.type === 'keep') this.#enter(job, now, again)
    else if (outcome.type === 'drop') {
      this.#o.settlement.dropped(job, outcome, stage, now)
      this.#o.parked.finish(job)
    } else this.#o.settle(job, outcome, stage)
  }

  #enter(job: Job, now: number, again: boolean): void {
    const { ordering, settlement, config } = this.#o
    const { seq, event, record } = job
    const entered = ordering.enter(seq, { event, record, again })
    if (entered.type === 'goes') {
      this.#fresh.push({ ...job, entity: entered.entity })
      return
    }
    if (job.note !== null) settlement.noted(job, job.note, now)
    if (entered.type === 'waits') return
    if (config.order?.late === 'drop') {
      settlement.dropped(job, drop(LATE), 'order', now)
      this.#o.parked.finish(job)
    } else if (config.order?.late === 'deadletter') this.#o.settle({ ...job, note: null }, dead(LATE), 'order')
    else {
      settlement.noted(job, { reason: LATE, key: null }, now)
      ordering.holdLate(seq, entered.entity)
      this.#fresh.push(lateOf(job))
    }
  }

  /** A parked record that cannot be read any more: damaged on disk. Said, counted, and the way made free. */
  #lost(pending: Pending): void {
    this.#sayLost(pending.seq, pending.state)
    this.#o.parked.remove(pending)
    this.#o.settlement.lost(pending.seq, pending.attempt, pending.state === 'redrive' ? 'redrive' : 'live', this.#o.clock.nowMs())
    this.#o.settlement.commitSoon()
  }

  #lostHeld(seq: number, entity: string | null): void {
    this.#sayLost(seq, 'held')
    this.#o.parked.finish({ seq, entity })
    this.#o.settlement.lost(seq, 0, 'live', this.#o.clock.nowMs())
  }

  #sayLost(seq: number, state: string): void {
    this.#o.warn('log.record_lost', `route ${this.#o.config.name}: record ${seq} (${state}) can no longer be read from the log`)
  }

  /** Answers whether anything was given up. */
  #expire(): boolean {
    const { parked, held, ordering, progress, settlement } = this.#o
    const below = this.#expireBelow
    if (below === 0) return false
    this.#expireBelow = 0
    const gone: number[] = []
    const fresh = this.#fresh.filter((j) => j.seq < below)
    this.#fresh = this.#fresh.filter((j) => j.seq >= below)
    for (const row of held.before(below)) {
      if (held.isTaken(row.seq)) continue
      gone.push(row.seq)
      if (row.stage === 'order') ordering.remove(row)
      held.remove(row.seq)
    }
    for (const seq of ordering.expireBefore(below)) {
      gone.push(seq)
      progress.done(seq)
    }
    for (const pending of parked.all()) {
      if (pending.seq >= below || pending.state === 'redrive') continue
      gone.push(pending.seq)
      parked.remove(pending)
    }
    for (const job of fresh) {
      gone.push(job.seq)
      parked.finish(job)
    }
    const ranges = [...rangesOf(gone), ...progress.unsettled(progress.frontier, below - 1)]
    progress.skipTo(below)
    if (ranges.length === 0) return false
    settlement.expired(ranges, 'backlog.expired')
    settlement.commitSoon()
    return true
  }

  async #fetch(seq: number): Promise<LogRecord | null> {
    return (await this.#o.log.record(seq)) ?? this.#o.settlement.frameOf(seq)
  }

  #event(record: LogRecord, pending: Pending): Event {
    const event = this.#o.log.event(record)
    const marks = [...event.marks]
    if (pending.mark !== null) marks.push(pending.mark)
    if (pending.state === 'redrive') marks.push('redriven', ...(this.#o.ordering.isOn ? ['order.late' as const] : []))
    return { ...event, marks, redelivered: pending.attempt > 0 || pending.state === 'redrive' }
  }
}

const firstOf = (record: LogRecord, event: Event, entity: string | null): Job => ({
  seq: record.seq,
  event,
  record,
  attempt: 0,
  origin: 'live',
  entity,
  note: null,
  mark: null,
})

const lateOf = (job: Job): Job => ({ ...job, note: null, mark: LATE, event: { ...job.event, marks: [...job.event.marks, LATE] } })
