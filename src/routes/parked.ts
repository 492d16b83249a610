/**
 * The events of one route that wait outside for their next attempt, or because a person asked for them again. Each has a row in the
 * ledger (by way of the settlement), so none of them holds the watermark. An event that is being attempted again is neither here nor
 * settled; its row stays until it is. What stages hold, and who waits for a predecessor, is in held.ts and ordering.ts.
 */
import { DueQueue } from './due-queue.ts'
import type { Held } from './held.ts'
import type { Pending } from './ledger.ts'
import type { Ordering } from './ordering.ts'
import type { Progress } from './progress.ts'
import type { Settlement } from './settlement.ts'

export type ParkedOptions = {
  readonly held: Held
  readonly ordering: Ordering
  readonly progress: Progress
  readonly settlement: Settlement
}

/** An event by its place in the log and in its line. */
type Place = { readonly seq: number; readonly entity: string | null }

export class Parked {
  readonly #o: ParkedOptions
  readonly #rows = new Map<number, Pending>()
  readonly #due = new DueQueue()
  readonly #reattempted = new Set<number>()
  #redrives = 0

  constructor(options: ParkedOptions) {
    this.#o = options
  }

  /** How many there are, those that are being attempted again included until they are settled. */
  get size(): number {
    return this.#rows.size + this.#reattempted.size
  }

  /** Those that bound how far the route reads ahead: not what a person asked for. */
  get live(): number {
    return this.#rows.size - this.#redrives
  }

  /** Lowest seq that is needed from the log, or Infinity. A redrive has its frame in the dead letter. */
  get neededSeq(): number {
    let needed = Infinity
    for (const [seq, pending] of this.#rows) if (seq < needed && pending.state !== 'redrive') needed = seq
    for (const seq of this.#reattempted) if (seq < needed) needed = seq
    return needed
  }

  has(seq: number): boolean {
    return this.#rows.has(seq)
  }

  isReattempted(seq: number): boolean {
    return this.#reattempted.has(seq)
  }

  all(): readonly Pending[] {
    return [...this.#rows.values()]
  }

  nextAtMs(): number {
    return this.#due.nextAtMs()
  }

  park(pending: Pending): void {
    this.#put(pending)
    this.#reattempted.delete(pending.seq)
    if (this.#o.held.isTaken(pending.seq)) this.#o.held.remove(pending.seq)
    this.#o.progress.done(pending.seq)
    this.#o.settlement.park(pending)
  }

  /** Takes up what the ledger has already: dead letters that somebody asked for again. */
  redrive(pending: readonly Pending[]): void {
    for (const p of pending) this.#put(p)
  }

  /** Takes up what was parked when the process ended. */
  restore(pending: Pending): void {
    this.#put(pending)
    if (pending.entity !== null) this.#o.ordering.restoreHead(pending.entity, pending.seq)
  }

  /** The earliest that is due, or null. It stays parked until `begin`. */
  due(nowMs: number): Pending | null {
    for (let seq = this.#due.take(nowMs); seq !== null; seq = this.#due.take(nowMs)) {
      const pending = this.#rows.get(seq)
      if (pending !== undefined) return pending
    }
    return null
  }

  /** It could not be begun: it is due as before. */
  putBack(pending: Pending): void {
    this.#due.set(pending.seq, pending.dueAtMs)
  }

  /** It is attempted again now. */
  begin(pending: Pending): void {
    this.#take(pending)
    this.#reattempted.add(pending.seq)
  }

  /** An event is settled: its row goes, if it has one, and the next of its entity may go. */
  finish({ seq, entity }: Place): void {
    this.#o.progress.done(seq)
    if (this.#reattempted.delete(seq)) this.#o.settlement.unpark(seq)
    if (this.#o.held.isTaken(seq)) this.#o.held.remove(seq)
    if (entity !== null) this.#o.ordering.leave(entity, seq)
  }

  /** It is given up without another attempt. */
  remove(pending: Pending): void {
    this.#take(pending)
    this.#o.settlement.unpark(pending.seq)
    if (pending.entity !== null) this.#o.ordering.leave(pending.entity, pending.seq)
  }

  #put(pending: Pending): void {
    this.#take(pending)
    this.#rows.set(pending.seq, pending)
    if (pending.state === 'redrive') this.#redrives++
    this.#due.set(pending.seq, pending.dueAtMs)
  }

  #take({ seq }: Place): void {
    if (this.#rows.get(seq)?.state === 'redrive') this.#redrives--
    this.#rows.delete(seq)
    this.#due.delete(seq)
  }
}
