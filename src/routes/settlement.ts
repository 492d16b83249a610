/**
 * Gathers what came of a route's events and commits it in one transaction: watermark, parked events, history, dead
 * letters, counters and the sink's position move together or not at all. A commit that fails (full disk) is kept and
 * tried again; nothing gathered is lost.
 */
import { step } from '../diagnostics/step.ts'
import type { LogRecord } from '../log/reader.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Note, Outcome } from '../pipeline/outcome.ts'
import type { Sink } from '../sinks/sink.ts'
import { frameHead } from '../log/frame.ts'
import type { Held, HeldRow } from './held.ts'
import type { Counts, DeadLetterRow, Happening, Ledger, Pending, RouteChanges } from './ledger.ts'
import type { Ordering } from './ordering.ts'
import type { Progress } from './progress.ts'
import type { Range } from './seq-set.ts'
import { Latency } from './latency.ts'
import type { Job } from './supply.ts'

export type SettlementOptions = {
  readonly route: string
  readonly ledger: Ledger
  readonly progress: Progress
  readonly held: Held
  readonly ordering: Ordering
  readonly sink: Sink
  readonly counts: Counts
  readonly clock: Clock
  readonly warn: (code: string, message: string) => void
  /** Ends the trying again of a commit that fails: the route stops. */
  readonly signal: AbortSignal
}

const COMMIT_RETRY_MS = 500
/** Counters with a key of a route; what comes above is counted under the key `*`. */
const MAX_COUNT_KEYS = 2_000

export class Settlement {
  readonly counts: Counts
  /** Receipt to delivery, first attempts and retries alike; redrives, which wait for a person, are not in it. */
  readonly latency: Latency = new Latency()
  committedPosition: number
  readonly #o: SettlementOptions
  readonly #changed = new Set<string>()
  #park = new Map<number, Pending>()
  #unpark = new Set<number>()
  #happenings: Happening[] = []
  #dead: DeadLetterRow[] = []
  #revived: number[] = []
  #expired: RouteChanges['expired'][number][] = []
  #scheduled: Promise<void> | null = null
  #failing = false
  #sinkPosition: string | null = null

  constructor(options: SettlementOptions) {
    this.#o = options
    this.counts = options.counts
    this.committedPosition = options.progress.position
  }

  /**
   * Takes the sink's position: what is settled by now is all that the sink has delivered. A position read at the time of
   * a commit may be one from the middle of a batch, ahead of the progress it is stored with.
   */
  sinkReached(): void {
    this.#sinkPosition = this.#o.sink.position()
  }

  delivered(job: Job, nowMs: number): void {
    // A redriven event has ended before, as dead: counted apart, so that the outcomes of a route add up to its records.
    this.#count(job.origin === 'live' ? 'delivered' : 'redelivered')
    if (job.origin === 'live') {
      this.latency.add(nowMs - job.event.receivedAtMs)
      return
    }
    this.#revived.push(job.seq)
    this.#happened(job, 'delivered', job.attempt + 1, 'deliver', 'redrive', null, nowMs)
  }

  dropped(job: Job, outcome: Outcome & { type: 'drop' }, stage: string, nowMs: number): void {
    // What matched no topic is counted by reason alone: keys there are as many as topics.
    if (outcome.reason === 'duplicate') this.#count('duplicate')
    else if (outcome.reason.startsWith('match.')) this.#count('not_matched')
    else {
      this.#count(`dropped|${outcome.reason}|${outcome.key ?? ''}`)
      this.#happened(job, 'dropped', job.attempt, stage, outcome.reason, outcome.by === undefined ? outcome.key : `by ${outcome.by}`, nowMs)
    }
  }

  /** An event in a hold is given up for another, whose id is `by`. */
  superseded(row: HeldRow, reason: string, by: string, nowMs: number): void {
    const { seq, stage, key } = row
    this.#count(`dropped|${reason}|${key ?? ''}`)
    const { route } = this.#o
    this.#happenings.push({ route, seq, atMs: nowMs, what: 'dropped', attempt: 0, stage, reason, detail: `by ${by}`, origin: 'live' })
  }

  /** A stage makes it wait: told once, whatever becomes of it later. */
  heldBack(job: Job, outcome: Outcome & { type: 'hold' }, stage: string, nowMs: number): void {
    const { reason, key = null } = outcome
    this.#count(`held|${reason}|${key ?? ''}`)
    this.#happened(job, 'held', job.attempt, stage, reason, key, nowMs)
  }

  /** A stage let it pass and has something to say about it. */
  noted(job: Job, { reason, key }: Note, nowMs: number): void {
    this.#count(`noted|${reason}|${key ?? ''}`)
    this.#happened(job, 'noted', job.attempt, reason.split('.')[0] ?? '', reason, key, nowMs)
  }

  /** Events that could not wait their time, because too many did. */
  windowFull(events: number): void {
    const reason = 'order.window_full'
    this.#count(`noted|${reason}|`, events)
  }

  damaged(records: number): void {
    this.#count('damaged', records)
  }

  /** Records given up unseen. */
  expired(ranges: readonly Range[], reason: string): void {
    const atMs = this.#o.clock.nowMs()
    for (const [fromSeq, toSeq] of ranges) {
      this.#count(`dropped|${reason}|`, toSeq - fromSeq + 1)
      this.#expired.push({ fromSeq, toSeq, atMs, reason })
    }
  }

  /** A parked record that can no longer be read: no delivery must be concluded from its absence. */
  lost(seq: number, attempt: number, origin: Job['origin'], nowMs: number): void {
    this.#count('damaged')
    const { route } = this.#o
    const reason = 'log.record_lost'
    this.#happenings.push({ route, seq, atMs: nowMs, what: 'dropped', attempt, stage: 'deliver', reason, detail: null, origin })
  }

  failed(job: Job, attempt: number, outcome: Outcome & { type: 'retry' | 'dead' }, stage: string, nowMs: number): void {
    this.#count('attempt_failed')
    this.#happened(job, 'attempt_failed', attempt, stage, outcome.reason, outcome.detail, nowMs)
  }

  died(job: Job, attempt: number, outcome: Outcome & { type: 'retry' | 'dead' }, stage: string, nowMs: number): void {
    if (job.origin === 'live') this.#count('dead')
    const { event, record } = job
    this.#dead.push({
      seq: job.seq,
      eventId: event.id,
      topic: event.topic,
      conversationId: event.conversationId,
      queueId: event.queueId,
      userId: event.userId,
      reason: outcome.reason,
      stage,
      detail: outcome.detail,
      attempts: attempt,
      receivedAtMs: event.receivedAtMs,
      diedAtMs: nowMs,
      frame: Uint8Array.prototype.slice.call(record.buffer, record.at, record.at + frameHead(record.buffer, record.at).length),
    })
    this.#happened(job, 'dead', attempt, stage, outcome.reason, outcome.detail, nowMs)
  }

  park(pending: Pending): void {
    this.#unpark.delete(pending.seq)
    this.#park.set(pending.seq, pending)
  }

  unpark(seq: number): void {
    this.#park.delete(seq)
    this.#unpark.add(seq)
  }

  /** The frame kept with a dead letter, when the log has moved on. */
  frameOf(seq: number): LogRecord | null {
    const row = this.#o.ledger.get('SELECT frame FROM dead_letters WHERE route = ? AND seq = ?', this.#o.route, seq)
    if (row === undefined) return null
    const frame = row['frame'] as Uint8Array
    const buffer = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    const head = frameHead(buffer, 0)
    return { seq: head.seq, receivedAtMs: head.receivedAtMs, firstSeq: head.firstSeq, buffer, at: 0 }
  }

  /** Commits in a later turn of the event loop; for progress that nobody waits for. */
  commitSoon(): void {
    void this.commit()
  }

  /** Resolves when everything gathered so far is committed, or the route stops. Calls in one turn of the event loop share a transaction. */
  commit(): Promise<void> {
    this.#scheduled ??= this.#commitNext()
    return this.#scheduled
  }

  /** The last commit before the route stops; gives up when the disk refuses (the events are repeated). */
  async flush(): Promise<void> {
    await this.#scheduled
    try {
      this.#commitNow()
    } catch (error) {
      this.#o.warn('route.commit_failed', `route ${this.#o.route}: ${(error as Error).message}`)
    }
  }

  async #commitNext(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#scheduled = null
    for (;;) {
      try {
        this.#commitNow()
        this.#failing = false
        return
      } catch (error) {
        if (this.#o.signal.aborted) return
        // Said once an outage: it is tried twice a second.
        if (!this.#failing)
          this.#o.warn(
            'route.commit_failed',
            `route ${this.#o.route}: progress could not be stored: ${(error as Error).message}; trying again until it can`,
          )
        this.#failing = true
        await this.#o.clock.wait(COMMIT_RETRY_MS, this.#o.signal)
      }
    }
  }

  #commitNow(): void {
    const { progress, ledger, route, held, ordering } = this.#o
    const changes: RouteChanges = {
      route,
      position: progress.position,
      above: progress.above(),
      readTo: progress.readTo,
      sinkPosition: this.#sinkPosition,
      counts: Object.fromEntries([...this.#changed].map((name) => [name, this.counts[name] ?? 0])),
      park: [...this.#park.values()],
      unpark: [...this.#unpark],
      happenings: this.#happenings,
      dead: this.#dead,
      revived: this.#revived,
      expired: this.#expired,
    }
    ledger.commit(changes, () => {
      held.write()
      ordering.write()
    })
    held.written()
    ordering.written()
    this.#changed.clear()
    step('route.committed')
    if (this.#dead.length > 0) step('dead.recorded')
    this.committedPosition = changes.position
    this.#park = new Map()
    this.#unpark = new Set()
    this.#happenings = []
    this.#dead = []
    this.#revived = []
    this.#expired = []
  }

  #happened(job: Job, what: Happening['what'], attempt: number, stage: string, reason: string, detail: string | null, atMs: number): void {
    this.#happenings.push({ route: this.#o.route, seq: job.seq, atMs, what, attempt, stage, reason, detail, origin: job.origin })
  }

  #count(name: string, by = 1): void {
    const known = this.counts[name]
    const isOneTooMany = known === undefined && name.includes('|') && Object.keys(this.counts).length >= MAX_COUNT_KEYS
    const counter = isOneTooMany ? `${name.split('|').slice(0, 2).join('|')}|*` : name
    this.counts[counter] = (this.counts[counter] ?? 0) + by
    this.#changed.add(counter)
  }
}
