/**
 * One at a time per entity: the first of a line is under way, its successors wait until it is settled or given up. In memory a
 * line has its first few; the rest of a long one is found again by `load`, so that an entity with a million waiting events
 * costs no more than one with thirty.
 */
import { RankedQueue, compareRanked, type Ranked } from './rank.ts'

export type LinesOptions = {
  /** The next of a line that were said to be stored, in order, behind `after`; at most `limit`. */
  load(entity: string, after: Ranked | null, limit: number): readonly Ranked[]
  /** How many of a line are kept in memory. */
  readonly kept?: number
}

type Line = {
  /** Who is under way. */
  head: number | null
  readonly waiting: RankedQueue<Ranked>
  /** How many wait behind those in `waiting`. */
  stored: number
  /** What is stored comes behind it. */
  reached: Ranked | null
}

const MAX_SPARE = 512

export class Lines {
  readonly #load: LinesOptions['load']
  readonly #kept: number
  readonly #lines = new Map<string, Line>()
  /** Lines of before a restart whose first waits for what only reading on can show. */
  readonly #resting = new Set<string>()
  /** Empty ones to be used again: nearly every event makes a line and is the last of it. */
  readonly #spare: Line[] = []

  constructor({ load, kept = 32 }: LinesOptions) {
    this.#load = load
    this.#kept = kept
  }

  get hasResting(): boolean {
    return this.#resting.size > 0
  }

  /** Joins the line of an entity. `stored`: it waits, and its row must say that it does, to be found by `load`. */
  enter(entity: string, item: Ranked): 'goes' | 'waits' | 'stored' {
    const line = this.#lineOf(entity)
    if (line.head === null) {
      const first = line.waiting.first
      if (first === null ? line.stored === 0 : compareRanked(item, first) < 0) {
        line.head = item.seq
        this.#resting.delete(entity)
        return 'goes'
      }
    }
    return this.#wait(line, item)
  }

  /** The event that was under way is settled or given up; answers who may go now. */
  leave(entity: string, seq: number): Ranked | null {
    const line = this.#lines.get(entity)
    if (line === undefined || line.head !== seq) return null
    line.head = null
    return this.#call(entity, line)
  }

  /** One that waits is given up. `stored`: its row said that it waits. */
  remove(entity: string, item: Ranked, stored: boolean): void {
    const line = this.#lines.get(entity)
    if (line === undefined) return
    if (line.waiting.remove(item) === null && stored) line.stored--
    if (line.head === null && line.waiting.length === 0 && line.stored === 0) this.#forget(entity)
  }

  /** After a restart: it was under way and is attempted again in its own time. */
  restoreHead(entity: string, seq: number): void {
    this.#lineOf(entity).head ??= seq
  }

  /** After a restart: one that waits. */
  restore(entity: string, item: Ranked): void {
    const line = this.#lineOf(entity)
    line.waiting.insert(item)
    if (line.head === null) this.#resting.add(entity)
  }

  /** After a restart: how many wait by their rows. */
  restoreStored(entity: string, count: number): void {
    const line = this.#lineOf(entity)
    line.stored += count
    if (line.head === null) this.#resting.add(entity)
  }

  /** After a restart, when all is restored: what is stored comes behind what is in memory again. */
  restored(): void {
    for (const [entity, line] of this.#lines) this.#merge(entity, line)
  }

  /**
   * After a restart the predecessor of a waiting event may have been in flight without a row of its own; it is read again from the
   * log and goes first. When the log has been read past the waiting one, nobody is ahead of it any more. Answers who may go now.
   */
  wakeResting(frontier: number): { readonly entity: string; readonly item: Ranked }[] {
    const awake: { entity: string; item: Ranked }[] = []
    for (const entity of this.#resting) {
      const line = this.#lines.get(entity)
      if (line === undefined || line.head !== null) {
        this.#resting.delete(entity)
        continue
      }
      if (line.waiting.length === 0) this.#refill(entity, line)
      const first = line.waiting.first
      if (first !== null && first.seq >= frontier) continue
      this.#resting.delete(entity)
      const item = this.#call(entity, line)
      if (item !== null) awake.push({ entity, item })
    }
    return awake
  }

  #wait(line: Line, item: Ranked): 'waits' | 'stored' {
    const { last } = line.waiting
    // What is stored is behind all that is, or ever was, in memory since the first was stored.
    const behind = line.stored > 0 ? later(last, line.reached) : last
    if ((behind === null || compareRanked(item, behind) > 0) && (line.stored > 0 || line.waiting.length >= this.#kept)) {
      if (line.stored === 0) line.reached = last
      line.stored++
      return 'stored'
    }
    line.waiting.insert(item)
    return 'waits'
  }

  #call(entity: string, line: Line): Ranked | null {
    if (line.waiting.length === 0) this.#refill(entity, line)
    const item = line.waiting.shift()
    if (item === null) this.#forget(entity)
    else {
      line.head = item.seq
      line.reached = later(line.reached, item)
    }
    return item
  }

  #refill(entity: string, line: Line): void {
    if (line.stored === 0) return
    const next = this.#load(entity, line.reached, this.#kept)
    for (const item of next) line.waiting.insert(item)
    // Fewer than counted: rows that can no longer be read. Nobody waits for them.
    line.stored = next.length < this.#kept ? 0 : Math.max(0, line.stored - next.length)
  }

  #merge(entity: string, line: Line): void {
    const { last } = line.waiting
    let after: Ranked | null = null
    while (last !== null && line.stored > 0 && (after === null || compareRanked(after, last) < 0)) {
      const next = this.#load(entity, after, this.#kept)
      for (const item of next) line.waiting.insert(item)
      line.stored = next.length < this.#kept ? 0 : Math.max(0, line.stored - next.length)
      after = next.at(-1) ?? last
    }
  }

  #lineOf(entity: string): Line {
    let line = this.#lines.get(entity)
    if (line === undefined) {
      line = this.#spare.pop() ?? { head: null, waiting: new RankedQueue(), stored: 0, reached: null }
      this.#lines.set(entity, line)
    }
    return line
  }

  #forget(entity: string): void {
    const line = this.#lines.get(entity)
    this.#lines.delete(entity)
    this.#resting.delete(entity)
    if (line === undefined || this.#spare.length >= MAX_SPARE) return
    line.reached = null
    this.#spare.push(line)
  }
}

function later(a: Ranked | null, b: Ranked | null): Ranked | null {
  return a === null || (b !== null && compareRanked(b, a) > 0) ? b : a
}
