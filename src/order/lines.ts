/**
 * One at a time per entity: the first of a line is under way, its successors wait until it is settled or given up. In memory a
 * line has its first few; the rest of a long one is found again by `load`, so that an entity with a million waiting events
 * costs no more than one with thirty.
 */
import { RankedQueue, compareRanked, type Ranked } from './rank.ts'

export type LinesOptions<T> = {
  /** The next of a line that were said to be stored, in order, behind `after`; at most `limit`. */
  load(entity: string, after: Ranked | null, limit: number): readonly T[]
  /** How many of a line are kept in memory. */
  readonly kept?: number
  /** How many entities may be remembered that nobody waits for. */
  readonly maxEmpty?: number
}

type Line<T extends Ranked> = {
  /** Who is under way. */
  head: number | null
  readonly waiting: RankedQueue<T>
  /** How many wait behind those in `waiting`. */
  stored: number
  /** What is stored comes behind it. */
  reached: Ranked | null
}

/** Something that has its place in a line. */
export type InLine = Ranked & { readonly entity: string }

const MAX_EMPTY = 4_096

export class Lines<T extends InLine> {
  readonly #o: Required<LinesOptions<T>>
  /** With empty ones: nearly every event makes a line and is the last of it, and the next of its entity comes soon. */
  readonly #lines = new Map<string, Line<T>>()
  /** How many lines are too many to keep empty ones. */
  #sweepAbove: number

  constructor(options: LinesOptions<T>) {
    this.#o = { kept: 32, maxEmpty: MAX_EMPTY, ...options }
    this.#sweepAbove = this.#o.maxEmpty
  }

  /** Joins the line of its entity. `stored`: it waits, and its row must say that it does, to be found by `load`. */
  enter(item: T): 'goes' | 'waits' | 'stored' {
    const line = this.#lineOf(item.entity)
    if (isEmpty(line)) {
      line.head = item.seq
      return 'goes'
    }
    return this.#wait(line, item)
  }

  /** The event that was under way is settled or given up; answers who may go now. */
  leave(entity: string, seq: number): T | null {
    const line = this.#vacated(entity, seq)
    return line === null ? null : this.#call(entity, line)
  }

  /** The same while a restart has not yet restored all: who may go is known then. */
  vacate(entity: string, seq: number): void {
    this.#vacated(entity, seq)
  }

  /** One that waits is given up. `stored`: its row said that it waits. */
  remove(entity: string, item: Ranked, stored: boolean): void {
    const line = this.#lines.get(entity)
    if (line !== undefined && line.waiting.remove(item) === null && stored) line.stored--
  }

  /** After a restart: it was under way and is attempted again in its own time. */
  restoreHead(entity: string, seq: number): void {
    this.#lineOf(entity).head ??= seq
  }

  /** After a restart: one that waited, or was under way. */
  restore(item: T): void {
    this.#lineOf(item.entity).waiting.insert(item)
  }

  /** After a restart: how many wait by their rows. */
  restoreStored(entity: string, count: number): void {
    this.#lineOf(entity).stored += count
  }

  /** After a restart, when all is restored: answers who may go now. */
  restored(): readonly T[] {
    const first: T[] = []
    for (const [entity, line] of this.#lines) {
      this.#merge(entity, line)
      const item = line.head === null ? this.#call(entity, line) : null
      if (item !== null) first.push(item)
    }
    return first
  }

  #vacated(entity: string, seq: number): Line<T> | null {
    const line = this.#lines.get(entity)
    if (line === undefined || line.head !== seq) return null
    line.head = null
    return line
  }

  #wait(line: Line<T>, item: T): 'waits' | 'stored' {
    const { last } = line.waiting
    // What is stored is behind all that is, or ever was, in memory since the first was stored.
    const behind = line.stored > 0 ? later(last, line.reached) : last
    if ((behind === null || compareRanked(item, behind) > 0) && (line.stored > 0 || line.waiting.length >= this.#o.kept)) {
      if (line.stored === 0) line.reached = last
      line.stored++
      return 'stored'
    }
    line.waiting.insert(item)
    return 'waits'
  }

  #call(entity: string, line: Line<T>): T | null {
    if (line.waiting.length === 0) this.#refill(entity, line)
    const item = line.waiting.shift()
    if (item === null) return null
    line.head = item.seq
    line.reached = later(line.reached, item)
    return item
  }

  #refill(entity: string, line: Line<T>): void {
    if (line.stored === 0) return
    const { kept, load } = this.#o
    const next = load(entity, line.reached, kept)
    for (const item of next) line.waiting.insert(item)
    // Fewer than counted: rows that can no longer be read. Nobody waits for them.
    line.stored = next.length < kept ? 0 : Math.max(0, line.stored - next.length)
  }

  /** What is stored comes behind what is in memory again. */
  #merge(entity: string, line: Line<T>): void {
    const { kept, load } = this.#o
    const { last } = line.waiting
    let after: Ranked | null = null
    while (last !== null && line.stored > 0 && (after === null || compareRanked(after, last) < 0)) {
      const next = load(entity, after, kept)
      for (const item of next) line.waiting.insert(item)
      line.stored = next.length < kept ? 0 : Math.max(0, line.stored - next.length)
      after = next.at(-1) ?? last
    }
  }

  #lineOf(entity: string): Line<T> {
    let line = this.#lines.get(entity)
    if (line === undefined) {
      if (this.#lines.size > this.#sweepAbove) this.#sweep()
      line = { head: null, waiting: new RankedQueue(), stored: 0, reached: null }
      this.#lines.set(entity, line)
    } else if (isEmpty(line)) line.reached = null
    return line
  }

  #sweep(): void {
    for (const [entity, line] of this.#lines) if (isEmpty(line)) this.#lines.delete(entity)
    this.#sweepAbove = 2 * this.#lines.size + this.#o.maxEmpty
  }
}

const isEmpty = <T extends Ranked>(line: Line<T>): boolean => line.head === null && line.waiting.length === 0 && line.stored === 0

function later(a: Ranked | null, b: Ranked | null): Ranked | null {
  return a === null || (b !== null && compareRanked(b, a) > 0) ? b : a
}
