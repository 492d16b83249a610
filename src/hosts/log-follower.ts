/**
 * Reads the log behind intake, once, for everything that is made of all events: the drift report, the state of the contact centre.
 * Each of them keeps its own position together with what it made, so a crash repeats nothing and leaves nothing out. The follower
 * takes at most a part of the thread's time: under load it falls behind, says by how much, and catches up; what retention took
 * before it came is counted as unseen.
 */
import { TrunklineError } from '../errors.ts'
import type { Event } from '../event/event.ts'
import type { LogReader, LogRecord } from '../log/reader.ts'
import type { Clock } from '../pipeline/clock.ts'
import { bodyOf } from '../schema/assess.ts'

/** What is made of all events. */
export interface Fold {
  readonly name: string
  /** So much has come together that it should be stored now. */
  readonly isFull?: boolean
  /** The record to go on with; null begins with the oldest. */
  load(): number | null
  /** Takes one event, no repetitions and no changes of the state; its body is parsed. One that throws is counted as unseen. */
  fold(event: Event, body: unknown, seq: number): void
  /** Stores what was made of everything before `position`, in one transaction with it. */
  store(position: number): void
}

export type LogFollowerOptions = {
  readonly log: LogReader
  readonly folds: readonly Fold[]
  readonly clock: Clock
  /** Milliseconds of a clock that never goes back. */
  readonly tickMs: () => number
  readonly warn: (code: string, message: string) => void
  readonly signal: AbortSignal
}

const READ_BYTES = 256 * 1024
const STORE_EVERY_MS = 5_000
/** For each ms of work it rests so many: at most a quarter of the thread. */
const REST = 3
/** Shorter rests are saved up: a timer knows no less. */
const MIN_REST_MS = 2
const IDLE_MS = 60_000
const RETRY_MS = 1_000
/** Events between two looks at whether somebody else wants the thread. */
const SLICE = 64

/** Work that wants the follower to stand still. */
type Visit = { readonly begin: () => Promise<void>; readonly refuse: () => void }

type Following = { readonly fold: Fold; position: number; dirty: boolean }

export class LogFollower {
  readonly #o: LogFollowerOptions
  readonly #following: readonly Following[]
  readonly #visits: Visit[] = []
  #unseen = 0
  #storedAtMs: number
  #wake: (() => void) | null = null
  #ended = false

  constructor(options: LogFollowerOptions) {
    this.#o = options
    this.#storedAtMs = options.clock.nowMs()
    this.#following = options.folds.map((fold) => ({ fold, position: Math.max(fold.load() ?? options.log.firstSeq, 1), dirty: false }))
  }

  /** Events of the log that not everything is made of yet. */
  get lagEvents(): number {
    return Math.max(0, this.#o.log.nextSeq - this.#position)
  }

  /** Events that had left the log before they were looked at, or could not be taken, since the start. */
  get unseenEvents(): number {
    return this.#unseen
  }

  /** The record that a fold goes on with. */
  positionOf(fold: Fold): number {
    return this.#following.find((one) => one.fold === fold)?.position ?? 1
  }

  /** There are new records. */
  wake(): void {
    this.#wake?.()
  }

  /** Does something while nothing is read; it is given the record that a fold goes on with. Rejects when the follower has ended. */
  between<T>(fold: Fold, work: (position: number) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const refuse = (): void => reject(new TrunklineError('service.stopping', 'the service is stopping', 'Ask again when it runs.'))
      const begin = (): Promise<void> => work(this.positionOf(fold)).then(resolve, reject)
      if (this.#ended) return refuse()
      this.#visits.push({ begin, refuse })
      this.wake()
    })
  }

  /** Until the signal aborts; everything is stored at the end. */
  async run(): Promise<void> {
    const { clock, signal } = this.#o
    let owedMs = 0
    while (!signal.aborted) {
      await this.#visits.shift()?.begin()
      const beganAtMs = this.#o.tickMs()
      let moved: boolean
      try {
        moved = await this.#step()
      } catch (error) {
        this.#o.warn('follower.failed', `the log cannot be read on for ${this.#names()}: ${textOf(error)}; trying again in a second`)
        await clock.wait(RETRY_MS, signal)
        continue
      }
      const isTime = clock.nowMs() - this.#storedAtMs >= STORE_EVERY_MS
      this.#store(isTime ? () => true : ({ isFull }) => isFull === true)
      owedMs += (this.#o.tickMs() - beganAtMs) * REST
      if (owedMs >= MIN_REST_MS) {
        await clock.wait(owedMs, signal)
        owedMs = 0
      }
      if (!moved) await this.#sleep(this.#dirty ? STORE_EVERY_MS : IDLE_MS)
    }
    this.#ended = true
    for (const { refuse } of this.#visits) refuse()
    this.#store(() => true)
  }

  get #position(): number {
    return Math.min(...this.#following.map(({ position }) => position))
  }

  get #dirty(): boolean {
    return this.#following.some(({ dirty }) => dirty)
  }

  async #step(): Promise<boolean> {
    const { log, signal } = this.#o
    if (this.#position >= log.nextSeq) return false
    if (this.#position < log.firstSeq) {
      this.#unseen += log.firstSeq - this.#position
      for (const following of this.#following) following.position = Math.max(following.position, log.firstSeq)
    }
    const from = this.#position
    const { records, nextSeq } = await log.read(from, READ_BYTES)
    // What is damaged, and what retention took between the look and the read.
    this.#unseen += nextSeq - from - records.length
    for (const [i, record] of records.entries()) {
      this.#take(record)
      if (i % SLICE === SLICE - 1) {
        await new Promise((resolve) => setImmediate(resolve))
        if (signal.aborted) return true
      }
    }
    for (const following of this.#following) following.position = Math.max(following.position, nextSeq)
    return true
  }

  #take(record: LogRecord): void {
    const waiting = this.#following.filter(({ position }) => position <= record.seq)
    // A repetition was looked at when it came first.
    if (record.firstSeq < 0 && waiting.length > 0) {
      const event = this.#o.log.event(record)
      // Nothing is made of what was made of events itself.
      if (event.format !== 'change') {
        const body = bodyOf(event)
        for (const { fold } of waiting) this.#fold(fold, event, body, record.seq)
      }
    }
    for (const following of waiting) {
      following.position = record.seq + 1
      following.dirty = true
    }
  }

  /** One event that cannot be taken is one event that is missing, nothing more. */
  #fold(fold: Fold, event: Event, body: unknown, seq: number): void {
    try {
      fold.fold(event, body, seq)
    } catch (error) {
      this.#unseen++
      this.#o.warn('follower.failed', `${fold.name}: record ${seq} could not be taken: ${textOf(error)}`)
    }
  }

  #store(which: (fold: Fold) => boolean): void {
    if (this.#following.every(({ fold }) => which(fold))) this.#storedAtMs = this.#o.clock.nowMs()
    for (const following of this.#following) {
      if (!following.dirty || !which(following.fold)) continue
      try {
        following.fold.store(following.position)
        following.dirty = false
      } catch (error) {
        this.#o.warn('follower.not_stored', `${following.fold.name} could not be stored: ${textOf(error)}; trying again`)
      }
    }
  }

  #names(): string {
    return this.#following.map(({ fold }) => fold.name).join(' and ')
  }

  async #sleep(ms: number): Promise<void> {
    // It may have ended during the rest before: a signal tells nobody twice.
    if (this.#o.signal.aborted || this.#position < this.#o.log.nextSeq || this.#visits.length > 0) return
    const done = new AbortController()
    const over = (): void => done.abort()
    this.#wake = over
    this.#o.signal.addEventListener('abort', over, { once: true })
    await this.#o.clock.wait(ms, done.signal)
    this.#o.signal.removeEventListener('abort', over)
    this.#wake = null
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
