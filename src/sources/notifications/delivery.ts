/**
 * From the sockets to the log: records wait in a bounded buffer, in order, and are given again until the log has them on disk.
 * A full buffer says so (`onPressure`), and the sockets are read no more: nothing is dropped here.
 */
import type { Clock } from '../../pipeline/clock.ts'
import type { SourceOutput, SourceRecord } from '../source.ts'

export type DeliveryOptions = {
  readonly output: SourceOutput
  readonly clock: Clock
  readonly maxBytes: number
  readonly maxRecords: number
  readonly signal: AbortSignal
  readonly onPressure: (full: boolean) => void
}

export class Delivery {
  readonly #o: DeliveryOptions
  #waiting: SourceRecord[] = []
  #bytes = 0
  #pushed = 0
  #accepted = 0
  #running = false
  #full = false
  #failures = 0
  #ask: (() => void)[] = []

  constructor(o: DeliveryOptions) {
    this.#o = o
    o.signal.addEventListener('abort', () => this.#tell(), { once: true })
  }

  /** Takes a record. It is copied: what comes from a socket is a piece of a larger buffer. */
  push(bytes: Uint8Array, receivedAtMs: number): void {
    this.#waiting.push({ bytes: new Uint8Array(bytes), receivedAtMs })
    this.#bytes += bytes.length
    this.#pushed++
    this.#measure()
    if (!this.#running) void this.#run()
  }

  /** Records taken so far: a place in the order. */
  get pushed(): number {
    return this.#pushed
  }

  /** The first so many records are on disk. */
  get accepted(): number {
    return this.#accepted
  }

  get full(): boolean {
    return this.#full
  }

  /** Resolves when there is room. */
  async room(): Promise<void> {
    while (this.#full && !this.#o.signal.aborted) await this.#change()
  }

  /** Resolves when everything taken so far is on disk. */
  async settled(): Promise<void> {
    const place = this.#pushed
    while (this.#accepted < place && !this.#o.signal.aborted) await this.#change()
  }

  status(): object {
    return { records: this.#waiting.length, bytes: this.#bytes, full: this.#full, accepted: this.#accepted, failuresInARow: this.#failures }
  }

  async #run(): Promise<void> {
    const { clock, output, signal } = this.#o
    this.#running = true
    while (this.#waiting.length > 0 && !signal.aborted) {
      const batch = firstOf(this.#waiting)
      if (await this.#isAccepted(output, batch)) {
        this.#waiting = this.#waiting.slice(batch.length)
        for (const record of batch) this.#bytes -= record.bytes.length
        this.#accepted += batch.length
        this.#measure()
        this.#tell()
      } else {
        await clock.wait(Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** Math.min(this.#failures, 10)), signal)
      }
    }
    this.#running = false
    this.#tell()
  }

  async #isAccepted(output: SourceOutput, batch: readonly SourceRecord[]): Promise<boolean> {
    try {
      await output.accept(batch)
      this.#failures = 0
      return true
    } catch (error) {
      if (this.#failures++ === 0) {
        const why = error instanceof Error ? error.message : 'unknown reason'
        output.warn('notifications.not_accepted', `The log does not take notifications (${why}). They are kept in memory and given again.`)
      }
      return false
    }
  }

  #measure(): void {
    const { maxBytes, maxRecords, onPressure } = this.#o
    const share = Math.max(this.#bytes / maxBytes, this.#waiting.length / maxRecords)
    // Half empty before it is called empty, so that the sockets are not stopped and started for every record.
    const full = this.#full ? share > 0.5 : share >= 1
    if (full === this.#full) return
    this.#full = full
    onPressure(full)
  }

  #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ask.push(resolve)
    return promise
  }

  #tell(): void {
    for (const resolve of this.#ask.splice(0)) resolve()
  }
}

const BATCH_RECORDS = 500
const BATCH_BYTES = 1024 * 1024
const RETRY_BASE_MS = 250
const RETRY_MAX_MS = 10_000

function firstOf(records: readonly SourceRecord[]): readonly SourceRecord[] {
  let bytes = 0
  let count = 0
  while (count < records.length && count < BATCH_RECORDS && bytes < BATCH_BYTES) bytes += records[count++]!.bytes.length
  return records.slice(0, count)
}
