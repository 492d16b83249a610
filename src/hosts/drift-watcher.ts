/**
 * Reads the log behind intake and folds each event, once, into the drift report. Its position and the report are stored
 * together, so a crash repeats nothing and leaves nothing out. It never takes more than a part of the thread's time: under
 * load it falls behind, says by how much, and catches up; events that retention took before it came are counted as unseen.
 */
import type { Event } from '../event/event.ts'
import type { LogReader, LogRecord } from '../log/reader.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Ledger } from '../routes/ledger.ts'

export type DriftWatcherOptions = {
  readonly log: LogReader
  readonly ledger: Ledger
  /** The report stored last, or null: what to go on from. Throws when it cannot be read. */
  readonly restore: (report: unknown) => void
  readonly fold: (event: Event) => void
  /** The report as plain JSON. */
  readonly report: () => unknown
  readonly clock: Clock
  /** Milliseconds of a clock that never goes back. */
  readonly tickMs: () => number
  readonly warn: (code: string, message: string) => void
  readonly signal: AbortSignal
}

const KEPT_AS = 'drift'
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

export class DriftWatcher {
  readonly #o: DriftWatcherOptions
  #position: number
  #unseen = 0
  #dirty = false
  #storedAtMs: number
  #wake: (() => void) | null = null

  constructor(options: DriftWatcherOptions) {
    this.#o = options
    this.#storedAtMs = options.clock.nowMs()
    const kept = this.#load()
    this.#position = Math.max(kept ?? options.log.firstSeq, 1)
  }

  /** Events of the log that are not in the report yet. */
  get lagEvents(): number {
    return Math.max(0, this.#o.log.nextSeq - this.#position)
  }

  /** Events that had left the log before they were looked at. */
  get unseenEvents(): number {
    return this.#unseen
  }

  /** There are new records. */
  wake(): void {
    this.#wake?.()
  }

  /** Until the signal aborts; the report is stored at the end. */
  async run(): Promise<void> {
    const { clock, signal } = this.#o
    let owedMs = 0
    while (!signal.aborted) {
      const beganAtMs = this.#o.tickMs()
      let moved: boolean
      try {
        moved = await this.#step()
      } catch (error) {
        this.#o.warn('drift.failed', `the drift report cannot read on: ${textOf(error)}; trying again in a second`)
        await clock.wait(RETRY_MS, signal)
        continue
      }
      if (this.#dirty && clock.nowMs() - this.#storedAtMs >= STORE_EVERY_MS) this.#store()
      owedMs += (this.#o.tickMs() - beganAtMs) * REST
      if (owedMs >= MIN_REST_MS) {
        await clock.wait(owedMs, signal)
        owedMs = 0
      }
      if (!moved) await this.#sleep(this.#dirty ? STORE_EVERY_MS : IDLE_MS)
    }
    if (this.#dirty) this.#store()
  }

  async #step(): Promise<boolean> {
    const { log, signal } = this.#o
    if (this.#position >= log.nextSeq) return false
    if (this.#position < log.firstSeq) {
      this.#unseen += log.firstSeq - this.#position
      this.#position = log.firstSeq
    }
    const from = this.#position
    const { records, nextSeq } = await log.read(from, READ_BYTES)
    // What is damaged, and what retention took between the look and the read.
    this.#unseen += nextSeq - from - records.length
    for (const [i, record] of records.entries()) {
      // A repetition was looked at when it came first.
      if (record.firstSeq < 0) this.#fold(record)
      this.#position = record.seq + 1
      this.#dirty = true
      if (i % SLICE === SLICE - 1) {
        await new Promise((resolve) => setImmediate(resolve))
        if (signal.aborted) return true
      }
    }
    this.#position = Math.max(this.#position, nextSeq)
    return true
  }

  /** One event that cannot be judged is one event that is not in the report. */
  #fold(record: LogRecord): void {
    try {
      this.#o.fold(this.#o.log.event(record))
    } catch (error) {
      this.#unseen++
      this.#o.warn('drift.failed', `record ${record.seq} could not be judged: ${textOf(error)}`)
    }
  }

  #load(): number | null {
    const row = this.#o.ledger.get('SELECT value FROM kept WHERE name = ?', KEPT_AS)
    if (row === undefined) return null
    try {
      const kept = JSON.parse(String(row['value'])) as { position: number; unseen: number; report: unknown }
      const within = Number.isSafeInteger(kept.position) && kept.position > 0 && kept.position <= this.#o.log.nextSeq
      if (!within || !Number.isSafeInteger(kept.unseen) || kept.unseen < 0) throw new Error('its position is none of this log')
      this.#o.restore(kept.report)
      this.#unseen = kept.unseen
      return kept.position
    } catch (error) {
      this.#o.warn('drift.unreadable', `the stored drift report cannot be read (${textOf(error)}); it is begun anew from the oldest event`)
      return null
    }
  }

  #store(): void {
    this.#storedAtMs = this.#o.clock.nowMs()
    try {
      const value = JSON.stringify({ position: this.#position, unseen: this.#unseen, report: this.#o.report() })
      this.#o.ledger.run('INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)', KEPT_AS, value)
      this.#dirty = false
    } catch (error) {
      this.#o.warn('drift.not_stored', `the drift report could not be stored: ${textOf(error)}`)
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#position < this.#o.log.nextSeq) return
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
