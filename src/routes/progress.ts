/**
 * How far a route is: a low watermark below which every record is settled or has a row of its own, and what lies above it. One event
 * in backoff has a row, and holds neither the watermark nor its neighbours.
 *
 * What was read and is neither is open: in flight, or waiting in order. After a restart it is read again; that it was read before
 * (`isAgain`) is known, so that no stage charges for it twice.
 */
import { type Range, SeqSet, type Stretch } from './seq-set.ts'

export class Progress {
  /** Settled, or with a row; of before the watermark nothing is known any more. */
  readonly #done: SeqSet
  #position: number
  #frontier: number
  #readTo: number
  #open = 0

  constructor(position: number, above: readonly Stretch[] = [], readTo: number = position) {
    this.#done = new SeqSet(above)
    this.#position = position
    this.#frontier = position
    this.#readTo = Math.max(position, readTo)
  }

  /** Everything below is settled or has a row. */
  get position(): number {
    return this.#position
  }

  /** The next record to take. */
  get frontier(): number {
    return this.#frontier
  }

  /** Everything below has been read, in this life or in one before. */
  get readTo(): number {
    return Math.max(this.#readTo, this.#frontier)
  }

  /** How many are taken and not done. */
  get open(): number {
    return this.#open
  }

  /** True while the frontier is among records that were read before a restart. */
  get isCatchingUp(): boolean {
    return this.#frontier < this.#readTo
  }

  /** The record was read before a restart, and was open then. */
  isAgain(seq: number): boolean {
    return seq < this.#readTo
  }

  /** The next record that the frontier reaches and that is not done. */
  get nextOpen(): number {
    return this.#done.firstMissing(this.#frontier, this.readTo)
  }

  isSettled(seq: number): boolean {
    return seq < this.#position || this.#done.has(seq)
  }

  /** What of `from..to` is not done, as ranges. */
  unsettled(from: number, to: number): Range[] {
    return this.#done.gaps(Math.max(from, this.#position), to)
  }

  isTaken(seq: number): boolean {
    return seq < this.#frontier && !this.isSettled(seq)
  }

  /** Moves the frontier past `seq` and takes it. */
  take(seq: number): void {
    this.skipTo(seq)
    this.#frontier = seq + 1
    this.#open++
  }

  /** Moves the frontier over records that need nothing. */
  skipTo(frontier: number): void {
    if (frontier <= this.#frontier) return
    this.#done.addRange(this.#frontier, frontier - 1)
    this.#frontier = frontier
    this.#advance()
  }

  /** The record is settled, or has a row of its own. */
  done(seq: number): void {
    if (seq < this.#position || !this.#done.add(seq)) return
    this.#open--
    if (seq === this.#position) this.#advance()
  }

  /** What is done above the watermark: what a restart must not take again. */
  above(): Stretch[] {
    return this.#done.stretches(this.#position)
  }

  #advance(): void {
    const position = this.#done.firstMissing(this.#position, this.#frontier)
    if (position === this.#position) return
    this.#position = position
    this.#done.forgetBefore(position)
  }
}
