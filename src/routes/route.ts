/**
 * One route, running: takes records from the log, runs the shaping stages, delivers, settles. Independent of every
 * other route: its own progress, retries, breaker and dead letters.
 *
 * A delivery slot is given back only when what came of it is committed, so a crash repeats at most what was in flight.
 */
import type { RouteConfig } from '../config/config.ts'
import { step } from '../diagnostics/step.ts'
import type { LogReader } from '../log/reader.ts'
import type { Clock } from '../pipeline/clock.ts'
import { deliverPiece } from '../pipeline/deliver.ts'
import type { Outcome, Stage } from '../pipeline/outcome.ts'
import type { Sink } from '../sinks/sink.ts'
import { Alarm } from './alarm.ts'
import { Between } from './between.ts'
import { Attempts } from './attempts.ts'
import type { HeldAt } from './explain.ts'
import { Held } from './held.ts'
import type { Ledger, Pending } from './ledger.ts'
import { Ordering } from './ordering.ts'
import { Parked } from './parked.ts'
import { Progress } from './progress.ts'
import { Settlement } from './settlement.ts'
import type { RouteStatus } from './status.ts'
import { type Job, Supply } from './supply.ts'
import { takeUp } from './take-up.ts'

export type RouteOptions = {
  readonly config: RouteConfig
  readonly ledger: Ledger
  readonly log: LogReader
  readonly sink: Sink
  /** Stages before delivery, in order. */
  readonly shaping: readonly Stage[]
  readonly clock: Clock
  readonly random: () => number
  /**
   * Rest after a small batch to a sink that takes large ones, ms, so that under load a sync and a commit serve many
   * events. Adds at most that much to an event's way. Default 0.
   */
  readonly batchGapMs?: number
  readonly warn: (code: string, message: string) => void
}

const IDLE_MS = 60_000

export class Route {
  readonly name: string
  readonly #o: RouteOptions
  readonly #progress: Progress
  readonly #held: Held
  readonly #ordering: Ordering
  readonly #parked: Parked
  readonly #supply: Supply
  readonly #settlement: Settlement
  readonly #attempts: Attempts
  readonly #between = new Between()
  #running = 0
  #paused: boolean
  #stopping = false
  readonly #alarm: Alarm
  /** Aborts when the route begins to stop: nothing rests any more. */
  readonly #stopped = new AbortController()
  /** Aborts when it gives up on what is in flight. */
  readonly #abort = new AbortController()
  /** Stopping, but still delivering what is at hand. */
  #draining = false
  #loop: Promise<void> = Promise.resolve()
  /** Why the route takes no event, since it cannot be said what it takes. */
  blocked: RouteStatus['blocked'] = null
  /** Why the sink holds what it is given; null when it does not. */
  holding: string | null = null

  constructor(options: RouteOptions) {
    this.#o = options
    this.#alarm = new Alarm(options.clock)
    this.name = options.config.name
    this.#paused = options.config.paused
    const state = options.ledger.route(this.name)
    const position = Math.max(state?.position ?? options.log.nextSeq, options.log.firstSeq)
    this.#progress = new Progress(position, state?.above ?? [], Math.min(state?.readTo ?? 0, options.log.nextSeq))
    const { ledger } = options
    const { order } = options.config
    this.#held = new Held(ledger, this.name)
    this.#ordering = new Ordering({ order, route: this.name, ledger, held: this.#held, progress: this.#progress })
    this.#settlement = new Settlement({
      route: this.name,
      ledger,
      progress: this.#progress,
      held: this.#held,
      ordering: this.#ordering,
      sink: options.sink,
      counts: { ...state?.counts },
      warn: options.warn,
      clock: options.clock,
      signal: this.#abort.signal,
    })
    this.#parked = new Parked({
      held: this.#held,
      ordering: this.#ordering,
      progress: this.#progress,
      settlement: this.#settlement,
    })
    this.#attempts = new Attempts({
      config: options.config,
      held: this.#held,
      parked: this.#parked,
      progress: this.#progress,
      settlement: this.#settlement,
      clock: options.clock,
      random: options.random,
      warn: options.warn,
    })
    this.#supply = new Supply({
      config: options.config,
      log: options.log,
      shaping: options.shaping,
      clock: options.clock,
      warn: options.warn,
      progress: this.#progress,
      parked: this.#parked,
      held: this.#held,
      ordering: this.#ordering,
      settlement: this.#settlement,
      settle: (job, outcome, stage) => this.#attempts.settle(job, outcome, stage),
      lastAtMs: ledger.lastAtMs,
      signal: this.#abort.signal,
    })
    const { firstSeq } = options.log
    if (takeUp({ state, position, firstSeq, held: this.#held, parked: this.#parked, settlement: this.#settlement }))
      options.warn(
        'backlog.retention',
        `route ${this.name}: records it had not settled have left the log while it was not configured; they count as dropped`,
      )
    this.#ordering.restore(options.clock.nowMs())
  }

  /** Opens the sink where the last commit left it and begins. */
  async start(): Promise<void> {
    await this.#o.sink.open(this.#o.ledger.route(this.name)?.sinkPosition ?? null)
    this.#settlement.sinkReached()
    // Where the sink stands is on record before its first delivery: a crash in the very first batch must find it.
    await this.#settlement.commit()
    this.#loop = this.#run()
  }

  /** New records, a due time passed, a redrive: look again. */
  wake(): void {
    this.#alarm.ring()
  }

  get lastDeliveredAtMs(): number | null {
    return this.#attempts.lastDeliveredAtMs
  }

  get paused(): boolean {
    return this.#paused
  }

  set paused(paused: boolean) {
    this.#paused = paused
    this.wake()
  }

  /** The first record that it has not read. */
  get frontier(): number {
    return this.#progress.frontier
  }

  /** Lowest seq this route may still need from the log. */
  get neededSeq(): number {
    return Math.min(this.#settlement.committedPosition, this.#parked.neededSeq, this.#held.neededSeq)
  }

  status(): RouteStatus {
    return {
      position: this.#progress.position,
      lag: Math.max(0, this.#o.log.nextSeq - this.#progress.frontier) + this.#progress.open - this.#ordering.rowless,
      inFlight: this.#running,
      retrying: this.#parked.size,
      held: this.#held.size + this.#ordering.rowless,
      breaker: this.#attempts.breaker.state(this.#o.clock.nowMs()),
      paused: this.#paused,
      blocked: this.blocked,
      counts: this.#settlement.counts,
      sinkError: this.#attempts.sinkError,
      latency: this.#settlement.latency.summary(),
    }
  }

  /** State of one record here, as far as memory knows it. */
  where(seq: number): 'parked' | 'in_flight' | 'ahead' | 'done' {
    if (this.#parked.isReattempted(seq) || this.#held.isTaken(seq)) return 'in_flight'
    if (this.#parked.has(seq) || this.#ordering.reasonOf(seq) !== null || this.#held.has(seq)) return 'parked'
    if (seq >= this.#progress.frontier) return this.#progress.isSettled(seq) ? 'done' : 'ahead'
    return this.#progress.isTaken(seq) ? 'in_flight' : 'done'
  }

  /** Why a record waits in order that has no row in the ledger; null when it does not. */
  waitsInOrder(seq: number): HeldAt | null {
    const reason = this.#ordering.reasonOf(seq)
    return reason === null ? null : { stage: 'order', reason }
  }

  /** Takes dead letters back into delivery; the ledger rows are written already. */
  redrive(pending: readonly Pending[]): void {
    this.#parked.redrive(pending)
    // A person who asks for a redrive believes that the receiver is well again.
    this.#attempts.breaker.probeNow()
    this.wake()
  }

  /** Changes a limit at run time, of one key or (null) of all, so that what waits because of it books anew. Resolves when it may. */
  changeLimit(key: string | null, change: () => void): Promise<void> {
    return this.between(() => {
      change()
      this.#held.hurry('limit', key, this.#o.clock.nowMs())
    })
  }

  /** Does something while no batch is on its way through the stages; resolves when it is done (never, when the route stops before). */
  between(work: () => void): Promise<void> {
    const done = this.#between.add(work)
    this.wake()
    return done
  }

  /**
   * Gives up what came before `seq` and has not been begun, new or parked; counted, never silent. Left alone are what
   * the sink has in hand and what a person asked for (redrive).
   */
  expireBefore(seq: number): void {
    if (this.#supply.expireBefore(seq)) this.wake()
  }

  /**
   * Delivers what is at hand for at most `drainMs`, then gives up on what is in flight (it is repeated after the next
   * start). What waits for a time of its own (backoff, an open breaker, another event) is not waited for.
   */
  async stop(drainMs: number): Promise<void> {
    this.#draining = drainMs > 0
    this.#stopping = true
    this.#stopped.abort()
    this.wake()
    const timeout = this.#o.clock.wait(drainMs, this.#abort.signal)
    await Promise.race([this.#loop, timeout])
    this.#draining = false
    this.#abort.abort()
    await this.#loop
    await this.#settlement.flush()
    await this.#o.sink.close()
  }

  async #run(): Promise<void> {
    while (!this.#stopping || this.#draining) {
      this.#alarm.reset()
      let moved = false
      try {
        this.#between.run()
        moved = await this.#pump()
      } catch (error) {
        this.#o.warn(
          'route.failed',
          `route ${this.name}: ${error instanceof Error ? error.message : String(error)}; trying again in a second`,
        )
        await this.#alarm.sleep(1_000)
        continue
      }
      if (this.#draining && !moved && this.#running === 0) break
      if (!moved) await this.#alarm.sleep(this.#idleMs())
    }
    while (this.#running > 0) {
      this.#alarm.reset()
      await this.#alarm.sleep(IDLE_MS)
    }
  }

  /** Starts as many deliveries as may be started now; answers whether anything moved. */
  async #pump(): Promise<boolean> {
    let moved = false
    while (this.#mayStart()) {
      this.#between.run()
      const closed = this.#attempts.breaker.state(this.#o.clock.nowMs()) === 'closed'
      const jobs = await this.#supply.next(closed ? { limit: this.#o.sink.maxBatch, first: 'due' } : { limit: 1, first: 'fresh' })
      if (jobs === null) return moved
      moved = true
      if (jobs.length === 0) continue
      this.#running++
      this.#attempts.breaker.attempt()
      void this.#deliver(jobs)
    }
    return moved
  }

  get #isStill(): boolean {
    return this.#paused || this.blocked !== null
  }

  #mayStart(): boolean {
    if ((this.#stopping && !this.#draining) || this.#isStill || this.#running >= this.#o.sink.concurrency) return false
    return this.#attempts.breaker.readyAtMs(this.#o.clock.nowMs()) === 0
  }

  #idleMs(): number {
    if (this.#running >= this.#o.sink.concurrency || this.#isStill) return IDLE_MS
    const now = this.#o.clock.nowMs()
    const ready = this.#attempts.breaker.readyAtMs(now)
    const next = Math.max(ready, ready > 0 ? 0 : this.#supply.nextAtMs())
    return Math.min(IDLE_MS, Math.max(1, next - now))
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
        if (this.#stopping && (outcome.type === 'hold' || (outcome.type === 'retry' && outcome.reason === 'sink.stopped'))) {
          // A sink that cannot work now is given nothing more.
          this.#draining = false
          continue
        }
        // A stop lets calls finish; when they hang, it would wait for each of them in turn.
        if (outcome.type === 'retry' && outcome.reason === 'sink.function_timeout') this.#draining = false
        this.holding = outcome.type === 'hold' ? outcome.reason : null
        if (outcome.type === 'hold') {
          held.push(job)
          untilMs = Math.max(untilMs, outcome.untilMs)
          this.#attempts.sinkError = outcome.reason
        } else this.#attempts.settle(job, outcome, 'deliver')
      }
      this.#settlement.sinkReached()
      step('route.before_commit')
      await this.#settlement.commit()
      if (held.length > 0) {
        await this.#o.clock.wait(untilMs - now, this.#stopped.signal)
        if (this.#stopping) this.#draining = false
      }
      waiting = this.#stopping ? [] : held
    }
    const { batchGapMs = 0, sink } = this.#o
    if (batchGapMs > 0 && jobs.length * 8 < sink.maxBatch) await this.#o.clock.wait(batchGapMs, this.#stopped.signal)
    this.#running--
    this.wake()
  }

  async #attempt(jobs: readonly Job[]): Promise<readonly Outcome[]> {
    const events = jobs.map((j) => j.event)
    const outcomes = await deliverPiece(this.#o.sink, events, this.#abort.signal)
    step('sink.delivered')
    return outcomes
  }
}
