/**
 * The events of one route that wait outside: for their next attempt, for their predecessor, or because a person asked
 * for them again. Each has a row in the ledger (by way of the settlement), so none of them holds the watermark. An
 * event that is being attempted again is neither here nor settled; its row stays until it is.
 */
import type { OrderBy } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import { DueQueue } from './due-queue.ts'
import { EntityLines } from './entity-lines.ts'
import type { Pending } from './ledger.ts'
import type { Progress } from './progress.ts'
import type { Settlement } from './settlement.ts'

export type ParkedOptions = {
  readonly order: OrderBy | null
  readonly progress: Progress
  readonly settlement: Settlement
  readonly nowMs: () => number
}

/** An event by its place in the log and in its line. */
type Place = { readonly seq: number; readonly entity: string | null }

export class Parked {
  readonly #o: ParkedOptions
  readonly #rows = new Map<number, Pending>()
  readonly #due = new DueQueue()
  readonly #reattempted = new Set<number>()
  /** Held when the process ended, behind one that may have been in flight then; see releaseOrphans. */
  readonly #orphans = new Set<number>()
  readonly #lines: EntityLines | null
  #redrives = 0

  constructor(options: ParkedOptions) {
    this.#o = options
    this.#lines = options.order === null ? null : new EntityLines(options.order)
  }

  get size(): number {
    return this.#rows.size
  }

  /** Those that bound how far the route reads ahead: not what a person asked for. */
  get live(): number {
    return this.#rows.size - this.#redrives
  }

  get held(): number {
    let held = 0
    for (const pending of this.#rows.values()) if (pending.state === 'held') held++
    return held
  }

  get ordered(): boolean {
    return this.#lines !== null
  }

  get hasOrphans(): boolean {
    return this.#orphans.size > 0
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

  /** The line an event stands in, when the route asks for order. */
  entityOf(event: Event): string | null {
    return this.#lines?.entityOf(event) ?? null
  }

  /** A new event joins its line; false when it is not first, and is held now. */
  enter({ seq, entity }: Place): boolean {
    if (this.#lines === null || entity === null || this.#lines.enter(entity, seq)) return true
    this.#o.progress.skipTo(seq + 1)
    this.park({ seq, state: 'held', attempt: 0, dueAtMs: Number.MAX_SAFE_INTEGER, reason: 'order.predecessor', entity })
    return false
  }

  park(pending: Pending): void {
    this.#put(pending)
    this.#reattempted.delete(pending.seq)
    this.#o.progress.done(pending.seq)
    this.#o.settlement.park(pending)
  }

  /** Takes up what the ledger has already: dead letters that somebody asked for again. */
  redrive(pending: readonly Pending[]): void {
    for (const p of pending) this.#put(p)
  }

  /** Takes up what was parked when the process ended. */
  restore(pending: Pending): void {
    // The route has no order any more: nobody is ahead of it.
    if (pending.state === 'held' && this.#lines === null) return this.#call(pending)
    this.#put(pending)
    if (pending.state === 'held') this.#orphans.add(pending.seq)
    if (pending.entity !== null) this.#lines?.enter(pending.entity, pending.seq)
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
  finish(place: Place): void {
    this.#o.progress.done(place.seq)
    if (this.#reattempted.delete(place.seq)) this.#o.settlement.unpark(place.seq)
    this.#leaveLine(place)
  }

  /** It is given up without another attempt. */
  remove(pending: Pending): void {
    this.#take(pending)
    this.#o.settlement.unpark(pending.seq)
    this.#leaveLine(pending)
  }

  /**
   * After a restart the predecessor of a held event may have been in flight without a row of its own; it is read again
   * from the log and goes first. When the log has been read past the held event and it still heads its line, nobody is
   * ahead of it any more (the predecessor's record is damaged, or no longer for this route).
   */
  releaseOrphans(): void {
    for (const seq of this.#orphans) {
      if (this.#o.progress.frontier <= seq) continue
      this.#orphans.delete(seq)
      const pending = this.#rows.get(seq)
      if (pending?.state !== 'held' || pending.entity === null || !this.#lines?.isHead(pending.entity, seq)) continue
      this.#call(pending)
    }
  }

  #leaveLine({ entity, seq }: Place): void {
    const next = entity === null ? null : (this.#lines?.leave(entity, seq) ?? null)
    const pending = next === null ? undefined : this.#rows.get(next)
    if (pending !== undefined) this.#call(pending)
  }

  /** It waits for nobody any more. */
  #call(pending: Pending): void {
    this.park({ ...pending, state: 'retry', dueAtMs: this.#o.nowMs() })
  }

  #put(pending: Pending): void {
    this.#take(pending)
    this.#rows.set(pending.seq, pending)
    if (pending.state === 'redrive') this.#redrives++
    if (pending.state !== 'held') this.#due.set(pending.seq, pending.dueAtMs)
  }

  #take({ seq }: Place): void {
    if (this.#rows.get(seq)?.state === 'redrive') this.#redrives--
    this.#rows.delete(seq)
    this.#due.delete(seq)
  }
}
