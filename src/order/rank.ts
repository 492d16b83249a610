/**
 * The place of an event within its entity: by business time, then semantic key, then arrival. A route that keeps arrival order
 * only has the number of the record for a time. Six bytes of the key decide between events of one millisecond; of two that
 * agree even there the one that came first goes first.
 */
import type { Event } from '../event/event.ts'

export type Rank = { readonly atMs: number; readonly tie: number }
export type Ranked = Rank & { readonly seq: number }

/** Tie of an event without a business time one can believe: behind everything of the time it was put at. */
export const UNTIMED_TIE: number = 2 ** 48
const KEYLESS_TIE = UNTIMED_TIE - 1

export function tieOf(event: Pick<Event, 'key' | 'keyKind'>): number {
  const { key, keyKind } = event
  if (key === null || keyKind !== 'semantic') return KEYLESS_TIE
  let tie = 0
  for (let i = 0; i < 6; i++) tie = tie * 256 + (key[i] ?? 0)
  return Math.min(tie, KEYLESS_TIE)
}

/** Below 0 when `a` goes before `b`. */
export function compareRanked(a: Ranked, b: Ranked): number {
  return a.atMs - b.atMs || a.tie - b.tie || a.seq - b.seq
}

/** Whether what happened at `a` is older than what happened at `b`. */
export function isOlder(a: Rank, b: Rank): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie)
}

/** Queues so short are moved up at once. */
const SHORT = 64

/** Sorted by rank; cheap at both ends, where nearly everything happens. */
export class RankedQueue<T extends Ranked> {
  #items: T[] = []
  #start = 0

  get length(): number {
    return this.#items.length - this.#start
  }

  get first(): T | null {
    return this.#items[this.#start] ?? null
  }

  get last(): T | null {
    return this.length === 0 ? null : this.#items.at(-1)!
  }

  insert(item: T): void {
    const items = this.#items
    if (items.length === this.#start || compareRanked(items.at(-1)!, item) <= 0) {
      items.push(item)
      return
    }
    items.splice(this.#placeOf(item), 0, item)
  }

  shift(): T | null {
    const items = this.#items
    const item = items[this.#start]
    if (item === undefined) return null
    // Nothing that has left is held on to.
    if (items.length <= SHORT) {
      if (this.#start > 0) this.#items = items.slice(this.#start)
      this.#start = 0
      return this.#items.shift()!
    }
    this.#start++
    if (this.#start * 2 > items.length) {
      this.#items = items.slice(this.#start)
      this.#start = 0
    }
    return item
  }

  /** Takes out the item of this rank and number; null when there is none. */
  remove(item: Ranked): T | null {
    const at = this.#placeOf(item)
    const found = this.#items[at]
    if (found === undefined || compareRanked(found, item) !== 0) return null
    if (at === this.#start) return this.shift()
    this.#items.splice(at, 1)
    return found
  }

  values(): readonly T[] {
    return this.#items.slice(this.#start)
  }

  /** Index of the first item that does not go before `item`. */
  #placeOf(item: Ranked): number {
    let low = this.#start
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareRanked(this.#items[middle]!, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
