/**
 * One route, running: takes records from the log, runs the shaping stages, delivers, settles. Independent of every
 * other route: its own progress, retries, breaker and dead letters.
 *
 * A delivery slot is given back only when what came of it is committed, so a crash repeats at most what was in flight.
 */
import type { RouteConfig } from '../config/config.ts'
import { step } from '../diagnostics/step.ts'
import type { Event } from '../event/event.ts'
import type { LogReader, LogRecord } from '../log/reader.ts'
import { backoffMs } from '../pipeline/backoff.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Outcome, Stage } from '../pipeline/outcome.ts'
import { type Verdict, runStages } from '../pipeline/pipeline.ts'
import type { Sink } from '../sinks/sink.ts'
import { Breaker } from './breaker.ts'
import { DueQueue } from './due-queue.ts'
import { EntityLines } from './entity-lines.ts'
import type { Ledger, Pending } from './ledger.ts'
import { Progress } from './progress.ts'
import { Settlement } from './settlement.ts'

export type RouteOptions = {
  readonly config: RouteConfig
  readonly ledger: Ledger
  readonly log: LogReader
  readonly sink: Sink
  /** Stages before delivery, in order. */
  readonly shaping: readonly Stage[]
  readonly clock: Clock
  readonly random: () => number
  readonly warn: (code: string, message: string) => void
}

/** One event on its way through this route. */
export type Job = { readonly seq: number; readonly event: Event; readonly record: LogRecord; readonly attempt: number; readonly origin: 'live' | 'redrive' }

const MAX_PARKED = 10_000
const IDLE_MS = 60_000
const READ_BYTES = 2 * 1024 * 1024

export class Route {
  readonly name: string
  readonly #o: RouteOptions
  readonly #progress: Progress
  readonly #due = new DueQueue()
  readonly #parked = new Map<number, Pending>()
  /** Parked events that are being attempted right now. */
  readonly #reattempted = new Set<number>()
  /** Events that stood in line behind one that was in flight when the process ended; see #releaseOrphans. */
  readonly #orphans = new Set<number>()
  readonly #lines: EntityLines | null
  readonly #breaker = new Breaker()
  readonly #settlement: Settlement
  #fresh: Job[] = []
  #running = 0
  #paused: boolean
  #stopping = false
  #wake: (() => void) | null = null
  #woken = false
  readonly #abort = new AbortController()
  #loop: Promise<void> = Promise.resolve()
  #sinkError: string | null = null
  lastDeliveredAtMs: number | null = null

  constructor(options: RouteOptions) {
    this.#o = options
    this.name = options.config.name
    this.#paused = options.config.paused
    const state = options.ledger.route(this.name)
    const position = Math.max(state?.position ?? options.log.nextSeq, options.log.firstSeq)
    this.#progress = new Progress(position, state?.above ?? [])
    this.#lines = options.config.order === null ? null : new EntityLines(options.config.order.by)
    for (const pending of state?.pending ?? []) {
      this.#parked.set(pending.seq, pending)
      if (pending.state !== 'held') this.#due.set(pending.seq, pending.dueAtMs)
      if (pending.entity !== null) this.#lines?.enter(pending.entity, pending.seq)
      if (pending.state === 'held') this.#orphans.add(pending.seq)
    }
    this.#settlement = new Settlement({
      route: this.name,
      ledger: options.ledger,
      progress: this.#progress,
      sink: options.sink,
      counts: { ...state?.counts },
      warn: options.warn,
      clock: options.clock,
    })
    if (state !== null && state.position < position) this.#settlement.expired(state.position, position - 1, 'backlog.retention')
  }

  /** Opens the sink where the last commit left it and begins. */
  async start(): Promise<void> {
    await this.#o.sink.open(this.#o.ledger.route(this.name)?.sinkPosition ?? null)
    // Where the sink stands is on record before its first delivery: a crash in the very first batch must find it.
    await this.#settlement.commit()
    this.#loop = this.#run()
  }

  /** New records, a due time passed, a redrive: look again. */
  wake(): void {
    this.#woken = true
    this.#wake?.()
  }

  get paused(): boolean {
    return this.#paused
  }

  set paused(paused: boolean) {
    this.#paused = paused
    this.wake()
  }

  /** Lowest seq this route may still need from the log. */
  get neededSeq(): number {
    let needed = this.#settlement.committedPosition
    for (const [seq, pending] of this.#parked) if (seq < needed && pending.state !== 'redrive') needed = seq
    for (const seq of this.#reattempted) if (seq < needed) needed = seq
    return needed
  }

  status(): {
    position: number
    lag: number
    inFlight: number
    retrying: number
    held: number
    breaker: string
    paused: boolean
    counts: Readonly<Record<string, number>>
    sinkError: string | null
    latency: { events: number; p50Ms: number | null; p99Ms: number | null; maxMs: number }
  } {
    let held = 0
    for (const p of this.#parked.values()) if (p.state === 'held') held++
    return {
      position: this.#progress.position,
      lag: Math.max(0, this.#o.log.nextSeq - this.#progress.position),
      inFlight: this.#running,
      retrying: this.#parked.size - held,
      held,
      breaker: this.#breaker.state(this.#o.clock.nowMs()),
      paused: this.#paused,
      counts: this.#settlement.counts,
      sinkError: this.#sinkError,
      latency: this.#settlement.latency.summary(),
    }
  }

  /** State of one record here, as far as memory knows it. */
  where(seq: number): 'parked' | 'in_flight' | 'ahead' | 'done' {
    if (this.#parked.has(seq)) return 'parked'
    if (this.#reattempted.has(seq)) return 'in_flight'
    if (seq >= this.#progress.frontier) return this.#progress.isSettled(seq) ? 'done' : 'ahead'
    return this.#progress.isTaken(seq) ? 'in_flight' : 'done'
  }

  parked(): readonly Pending[] {
    return [...this.#parked.values()]
  }

  /** Takes dead letters back into delivery; the ledger rows are written already. */
  redrive(pending: readonly Pending[]): void {
    for (const p of pending) {
      this.#parked.set(p.seq, p)
      this.#due.set(p.seq, p.dueAtMs)
    }
    this.wake()
  }

  /** Drops what waits longer (or is more) than the backlog policy allows; counted, never silent. */
  expireBefore(seq: number): void {
    const from = this.#progress.frontier
    if (seq <= from || this.#fresh.length > 0) return
    this.#progress.skipTo(seq)
    this.#settlement.expired(from, seq - 1, 'backlog.expired')
    this.#settlement.commitSoon()
  }

  /** Lets what is in flight finish for `drainMs`, then gives up on it (it is repeated after the next start). */
  async stop(drainMs: number): Promise<void> {
    this.#stopping = true
    this.wake()
    const timeout = this.#o.clock.wait(drainMs, this.#abort.signal)
    await Promise.race([this.#loop, timeout])
    this.#abort.abort()
    await this.#loop
    await this.#settlement.flush()
    await this.#o.sink.close()
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#woken = false
      let moved = false
      try {
        moved = await this.#pump()
      } catch (error) {
        this.#o.warn('route.failed', `route ${this.name}: ${error instanceof Error ? error.message : String(error)}; trying again in a second`)
        await this.#sleep(1_000)
        continue
      }
      if (!moved && !this.#woken) await this.#sleep(this.#idleMs())
    }
    while (this.#running > 0) {
      this.#woken = false
      await this.#sleep(IDLE_MS)
    }
  }

  /** Starts as many deliveries as may be started now; answers whether anything moved. */
  async #pump(): Promise<boolean> {
    let moved = false
    while (this.#mayStart()) {
      const jobs = (await this.#dueJobs()) ?? (await this.#freshJobs())
      if (jobs === null) return moved
      moved = true
      if (jobs.length === 0) continue
      this.#running++
      this.#breaker.attempt()
      void this.#deliver(jobs)
    }
    return moved
  }

  #mayStart(): boolean {
    if (this.#stopping || this.#paused || this.#running >= this.#o.sink.concurrency) return false
    return this.#breaker.readyAtMs(this.#o.clock.nowMs()) === 0
  }

  #idleMs(): number {
    if (this.#running >= this.#o.sink.concurrency || this.#paused) return IDLE_MS
    const now = this.#o.clock.nowMs()
    const ready = this.#breaker.readyAtMs(now)
    const next = Math.max(ready, ready > 0 ? 0 : this.#due.nextAtMs())
    return Math.min(IDLE_MS, Math.max(1, next - now))
  }

  /** A batch of parked events whose time has come, or null. */
  async #dueJobs(): Promise<Job[] | null> {
    const now = this.#o.clock.nowMs()
    const limit = this.#batchLimit()
    const jobs: Job[] = []
    let seen = false
    while (jobs.length < limit) {
      const seq = this.#due.take(now)
      if (seq === null) break
      const pending = this.#parked.get(seq)
      if (pending === undefined) continue
      seen = true
      const record = await this.#fetch(seq)
      if (record === null) {
        this.#lost(seq, pending)
        continue
      }
      this.#parked.delete(seq)
      this.#reattempted.add(seq)
      const event = this.#event(record, pending)
      jobs.push({ seq, event, record, attempt: pending.attempt, origin: pending.state === 'redrive' ? 'redrive' : 'live' })
    }
    return seen ? jobs : null
  }

  /** A batch of new events that want delivery; empty when records were read but none does; null when there is none. */
  async #freshJobs(): Promise<Job[] | null> {
    if (this.#parked.size >= MAX_PARKED) return null
    if (this.#fresh.length === 0 && !(await this.#readFresh())) return null
    const limit = this.#batchLimit()
    return this.#fresh.splice(0, limit)
  }

  #batchLimit(): number {
    return this.#breaker.state(this.#o.clock.nowMs()) === 'closed' ? this.#o.sink.maxBatch : 1
  }

  async #readFresh(): Promise<boolean> {
    const { log, shaping } = this.#o
    const from = this.#progress.frontier
    const { records, nextSeq, damaged } = await log.read(from, READ_BYTES)
    if (nextSeq === from) return false
    if (damaged.length > 0) this.#settlement.damaged(damaged.length)
    const wanted = records.filter((r) => !this.#progress.isSettled(r.seq) && !this.#parked.has(r.seq))
    const events = wanted.map((r) => log.event(r))
    const verdicts = await runStages(shaping, events, this.#abort.signal)
    for (const [i, record] of wanted.entries()) {
      const { stage, outcome } = verdicts[i] as Verdict
      const event = events[i] as Event
      if (outcome.type === 'keep') this.#enter({ seq: record.seq, event, record, attempt: 0, origin: 'live' })
      else if (outcome.type === 'drop') this.#settlement.dropped(outcome)
      else {
        this.#progress.take(record.seq)
        this.#settle({ seq: record.seq, event, record, attempt: 0, origin: 'live' }, outcome, stage)
      }
      this.#progress.skipTo(record.seq + 1)
    }
    this.#progress.skipTo(nextSeq)
    this.#releaseOrphans()
    this.#settlement.commitSoon()
    return true
  }

  /**
   * After a restart the predecessor of a held event may have been in flight without a row of its own; it is read again
   * from the log and goes first. When the log has been read past the held event and it still heads its line, nobody is
   * ahead of it any more (the predecessor's record is damaged).
   */
  #releaseOrphans(): void {
    for (const seq of this.#orphans) {
      if (this.#progress.frontier <= seq) continue
      this.#orphans.delete(seq)
      const pending = this.#parked.get(seq)
      if (pending?.state !== 'held' || pending.entity === null || !this.#lines?.isHead(pending.entity, seq)) continue
      this.#park({ ...pending, state: 'retry', dueAtMs: this.#o.clock.nowMs() })
    }
  }

  #enter(job: Job): void {
    const entity = this.#lines?.entityOf(job.event) ?? null
    if (this.#lines !== null && entity !== null && !this.#lines.enter(entity, job.seq)) {
      this.#progress.skipTo(job.seq + 1)
      this.#park({ seq: job.seq, state: 'held', attempt: 0, dueAtMs: Number.MAX_SAFE_INTEGER, reason: 'order.predecessor', entity })
      return
    }
    this.#progress.take(job.seq)
    this.#fresh.push(job)
  }

  async #deliver(jobs: readonly Job[]): Promise<void> {
    let waiting = jobs
    while (waiting.length > 0) {
      const outcomes = await this.#attempt(waiting)
      const now = this.#o.clock.nowMs()
      const held: Job[] = []
      let untilMs = now
      for (const [i, job] of waiting.entries()) {
        const outcome = outcomes[i] as Outcome
        // No attempt counts that our own stop cut short: the event is still where the last commit has it.
        if (this.#stopping && (outcome.type === 'hold' || (outcome.type === 'retry' && outcome.reason === 'sink.stopped'))) continue
        if (outcome.type === 'hold') {
          held.push(job)
          untilMs = Math.max(untilMs, outcome.untilMs)
          this.#sinkError = outcome.reason
        } else this.#settle(job, outcome, 'deliver')
      }
      step('route.before_commit')
      await this.#settlement.commit()
      waiting = held
      if (held.length > 0) await this.#o.clock.wait(untilMs - now, this.#abort.signal)
    }
    this.#running--
    this.wake()
  }

  async #attempt(jobs: readonly Job[]): Promise<readonly Outcome[]> {
    try {
      const outcomes = await this.#o.sink.deliver(
        jobs.map((j) => j.event),
        this.#abort.signal,
      )
      step('sink.delivered')
      return jobs.map((_, i) => outcomes[i] ?? { type: 'retry', reason: 'sink.no_outcome', detail: null, afterMs: null })
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      return jobs.map(() => ({ type: 'retry', reason: 'sink.threw', detail, afterMs: null }))
    }
  }

  /** The one place where an outcome becomes a commit, a wait or a dead letter. */
  #settle(job: Job, outcome: Outcome, stage: string): void {
    const now = this.#o.clock.nowMs()
    const { retry } = this.#o.config
    if (outcome.type === 'keep' || outcome.type === 'drop') {
      if (outcome.type === 'keep') {
        this.#breaker.succeeded()
        this.#sinkError = null
        this.lastDeliveredAtMs = now
        this.#settlement.delivered(job, now)
      } else this.#settlement.dropped(outcome)
      this.#finish(job)
      return
    }
    const entity = this.#lines?.entityOf(job.event) ?? null
    const state = job.origin === 'redrive' ? 'redrive' : 'retry'
    if (outcome.type === 'hold') {
      this.#breaker.abandoned()
      this.#park({ seq: job.seq, state, attempt: job.attempt, dueAtMs: outcome.untilMs, reason: outcome.reason, entity })
      return
    }
    const attempt = job.attempt + 1
    if (stage === 'deliver') {
      if (outcome.type === 'retry') this.#breaker.failed(now)
      else this.#breaker.succeeded()
      this.#sinkError = outcome.type === 'retry' ? outcome.reason : this.#sinkError
    }
    this.#settlement.failed(job, attempt, outcome, stage, now)
    if (outcome.type === 'retry' && attempt < retry.maxAttempts) {
      const dueAtMs = now + backoffMs(retry, attempt, this.#o.random(), outcome.afterMs)
      this.#park({ seq: job.seq, state, attempt, dueAtMs, reason: outcome.reason, entity })
      return
    }
    this.#settlement.died(job, attempt, outcome, stage, now)
    this.#finish(job)
  }

  #finish(job: Job): void {
    this.#progress.done(job.seq)
    this.#reattempted.delete(job.seq)
    this.#settlement.unpark(job.seq)
    const next = this.#lines?.leave(job.event, job.seq) ?? null
    if (next === null) return
    const pending = this.#parked.get(next)
    if (pending !== undefined) this.#park({ ...pending, state: 'retry', dueAtMs: this.#o.clock.nowMs() })
  }

  #park(pending: Pending): void {
    this.#parked.set(pending.seq, pending)
    this.#reattempted.delete(pending.seq)
    this.#progress.done(pending.seq)
    if (pending.state !== 'held') this.#due.set(pending.seq, pending.dueAtMs)
    this.#settlement.park(pending)
  }

  /** A parked record that cannot be read any more: damaged on disk. Said, counted, and the way made free. */
  #lost(seq: number, pending: Pending): void {
    this.#o.warn('log.record_lost', `route ${this.name}: record ${seq} (${pending.state}) can no longer be read from the log`)
    this.#parked.delete(seq)
    this.#settlement.unpark(seq)
    this.#settlement.damaged(1)
    if (pending.entity !== null) {
      const next = this.#lines?.drop(pending.entity, seq) ?? null
      const successor = next === null ? undefined : this.#parked.get(next)
      if (successor !== undefined) this.#park({ ...successor, state: 'retry', dueAtMs: this.#o.clock.nowMs() })
    }
    this.#settlement.commitSoon()
  }

  async #fetch(seq: number): Promise<LogRecord | null> {
    return (await this.#o.log.record(seq)) ?? this.#settlement.frameOf(seq)
  }

  #event(record: LogRecord, pending: Pending): Event {
    const event = this.#o.log.event(record)
    const marks = pending.state === 'redrive' ? [...event.marks, 'redriven' as const, ...(this.#lines === null ? [] : ['order.late' as const])] : event.marks
    return { ...event, marks, redelivered: pending.attempt > 0 || pending.state === 'redrive' }
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#woken) return
    const done = new AbortController()
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    await Promise.race([woken, this.#o.clock.wait(ms, done.signal)])
    done.abort()
    this.#wake = null
  }
}
