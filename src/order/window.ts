/**
 * Bounded re-ordering: an event stays until something of its entity happened more than `windowMs` after it, or until more than that after
 * it came, whichever is first; then everything older of the entity goes with it, in order. What is older than the last released is late.
 *
 * Time is what `advance` is told: the receipt of each record while the log is read, the clock at its end. So a route that catches up
 * orders as one that keeps up, and the same log gives the same order. A clock that goes back stops nothing: only its steps
 * forward count.
 *
 * An event without a business time, or with one later than its receipt by more than the skew, takes the place of its arrival: behind
 * what has come of its entity. It is never late, and moves nothing. So neither 1970 nor 2099 can move the watermark.
 *
 * Bounded: above `maxHeld` the one that came first goes early (and counts as `forced`); of entities with nothing in the window the
 * last release is remembered for `maxIdle`, the latest ones.
 *
 * Every event makes its way through here, so nothing is allocated for one but its item, and entities stay in one map: what was deleted
 * from maps that are written to all the time keeps what it held alive until the next large collection.
 */
import { RankedQueue, UNTIMED_TIE, compareRanked, isOlder, type Ranked } from './rank.ts'

export type WindowOptions<T extends Held> = {
  readonly windowMs: number
  /** How far the clocks of Genesys and of this machine may differ. */
  readonly skewMs?: number
  readonly maxHeld?: number
  readonly maxIdle?: number
  /** Takes what may go, in order per entity. */
  readonly release: (item: T) => void
}

/** An event in the window. Its place, and by when it goes, are the window's to say when it enters. */
export type Held = {
  readonly seq: number
  readonly entity: string
  atMs: number
  tie: number
  dueAtMs: number
  isHeld: boolean
}

export type Times = { readonly occurredAtMs: number | null; readonly receivedAtMs: number }

/** The window's own time, and which time of the clock that was. */
export type WindowTime = { readonly nowMs: number; readonly seenMs: number | null }

type Line<T extends Ranked> = {
  readonly entity: string
  newestMs: number
  last: Ranked | null
  /** `last` is not yet stored. */
  isChanged: boolean
  readonly held: RankedQueue<T>
  /** Neighbours among those with nothing in the window. */
  isIdle: boolean
  before: Line<T> | null
  after: Line<T> | null
}

const SKEW_MS = 5_000
const MAX_HELD = 250_000
const MAX_IDLE = 100_000
/** A clock that is behind by less may only have been asked in another order. */
const STEP_BACK_MS = 5_000

export class OrderWindow<T extends Held> {
  readonly #o: Required<WindowOptions<T>>
  readonly #lines = new Map<string, Line<T>>()
  /** Entities with nothing in the window: the one that was quiet longest, and the one that was last to become so. */
  #firstIdle: Line<T> | null = null
  #lastIdle: Line<T> | null = null
  #idle = 0
  #changed: Line<T>[] = []
  /** In order of arrival, which is the order they are due in. */
  #arrivals: T[] = []
  #next = 0
  #lastDueMs = -Infinity
  #held = 0
  #nowMs: number
  #seenMs: number | null
  forced = 0

  constructor(options: WindowOptions<T>, { nowMs, seenMs }: WindowTime = { nowMs: -Infinity, seenMs: null }) {
    this.#o = { skewMs: SKEW_MS, maxHeld: MAX_HELD, maxIdle: MAX_IDLE, ...options }
    this.#nowMs = nowMs
    this.#seenMs = seenMs
  }

  get held(): number {
    return this.#held
  }

  /** How many entities are remembered. */
  get entities(): number {
    return this.#lines.size
  }

  /** To be handed to the constructor after a restart. */
  get time(): WindowTime {
    return { nowMs: this.#nowMs, seenMs: this.#seenMs }
  }

  /** When `advance` releases something again; Infinity when nothing waits. */
  get nextAtMs(): number {
    const head = this.#head()
    return head === null ? Infinity : (this.#seenMs ?? 0) + head.dueAtMs + 1 - this.#nowMs
  }

  advance(atMs: number): void {
    this.#tick(atMs)
    this.#releaseDue()
  }

  /** May release it before this returns; or says that it is late. */
  enter(item: T, { occurredAtMs, receivedAtMs }: Times): 'entered' | 'late' {
    const line = this.#lineOf(item.entity)
    const timed = this.#isTimed(occurredAtMs, receivedAtMs)
    if (timed) item.atMs = occurredAtMs
    else this.#placeUntimed(item, line)
    if (timed && line.last !== null && isOlder(item, line.last)) {
      this.#restIfEmpty(line)
      return 'late'
    }
    const wasEmpty = line.held.length === 0
    item.dueAtMs = this.#dueOf(receivedAtMs)
    this.#hold(item, line)
    if (timed) {
      line.newestMs = Math.max(line.newestMs, occurredAtMs)
      this.#releaseByWatermark(line)
    } else if (wasEmpty) this.#releaseThrough(line, item)
    if (this.#held > this.#o.maxHeld) {
      this.forced++
      const head = this.#head()
      if (head !== null) this.#releaseThrough(this.#lineOf(head.entity), head)
    }
    return 'entered'
  }

  /** After a restart: what an entity released last. Oldest first. */
  restoreLast(entity: string, last: Ranked): void {
    const line = this.#lineOf(entity)
    line.last = last
    line.newestMs = Math.max(line.newestMs, last.atMs)
    this.#restIfEmpty(line)
  }

  /** After a restart: one that waited, with the place that it had. */
  restore(item: T): void {
    const line = this.#lineOf(item.entity)
    this.#hold(item, line)
    if (item.tie !== UNTIMED_TIE) line.newestMs = Math.max(line.newestMs, item.atMs)
  }

  /** After a restart: one that waited, read again. It may have been released before, and is not late. */
  enterAgain(item: T, { occurredAtMs, receivedAtMs }: Times): void {
    if (this.#isTimed(occurredAtMs, receivedAtMs)) item.atMs = occurredAtMs
    else this.#placeUntimed(item, this.#lineOf(item.entity))
    item.dueAtMs = this.#dueOf(receivedAtMs)
    this.restore(item)
  }

  /** All that waited has been restored: releases what had been released before. */
  restored(): void {
    this.#arrivals.sort((a, b) => a.dueAtMs - b.dueAtMs || a.seq - b.seq)
    this.#lastDueMs = this.#arrivals.at(-1)?.dueAtMs ?? -Infinity
    for (const line of [...this.#lines.values()]) {
      if (line.held.length === 0) continue
      this.#releaseThroughLast(line)
      this.#releaseByWatermark(line)
    }
    this.#releaseDue()
  }

  /** One that waits is given up; false when it does not wait here. */
  remove(entity: string, rank: Ranked): boolean {
    const line = this.#lines.get(entity)
    const item = line?.held.remove(rank) ?? null
    if (line === undefined || item === null) return false
    item.isHeld = false
    this.#held--
    this.#restIfEmpty(line)
    return true
  }

  /** What the entity released last. */
  lastOf(entity: string): Ranked | null {
    return this.#lines.get(entity)?.last ?? null
  }

  /** What entities released last, of those that released something since `stored`. */
  *changed(): Generator<{ readonly entity: string; readonly last: Ranked }> {
    for (const { entity, last } of this.#changed) if (last !== null) yield { entity, last }
  }

  stored(): void {
    for (const line of this.#changed) line.isChanged = false
    this.#changed = []
  }

  #isTimed(occurredAtMs: number | null, receivedAtMs: number): occurredAtMs is number {
    return occurredAtMs !== null && occurredAtMs <= receivedAtMs + this.#o.skewMs
  }

  #placeUntimed(item: T, line: Line<T>): void {
    item.atMs = Math.max(0, line.newestMs)
    item.tie = UNTIMED_TIE
  }

  /** By its own time of when the event was received. */
  #dueOf(receivedAtMs: number): number {
    const sinceMs = this.#seenMs === null ? 0 : Math.max(0, this.#seenMs - receivedAtMs)
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#nowMs - sinceMs + this.#o.windowMs)
    return this.#lastDueMs
  }

  #tick(atMs: number): void {
    const seenMs = this.#seenMs
    if (seenMs === null) {
      this.#nowMs = Math.max(this.#nowMs, atMs)
      this.#seenMs = atMs
    } else if (atMs >= seenMs) {
      this.#nowMs += atMs - seenMs
      this.#seenMs = atMs
    } else if (atMs < seenMs - STEP_BACK_MS) this.#seenMs = atMs
  }

  #hold(item: T, line: Line<T>): void {
    line.held.insert(item)
    item.isHeld = true
    this.#arrivals.push(item)
    this.#held++
  }

  #head(): T | null {
    for (let item = this.#arrivals[this.#next]; item !== undefined; item = this.#arrivals[++this.#next]) {
      if (item.isHeld) break
    }
    if (this.#next > 1024 && this.#next * 2 > this.#arrivals.length) {
      this.#arrivals = this.#arrivals.slice(this.#next)
      this.#next = 0
    }
    return this.#arrivals[this.#next] ?? null
  }

  #releaseDue(): void {
    for (let head = this.#head(); head !== null && head.dueAtMs < this.#nowMs; head = this.#head())
      this.#releaseThrough(this.#lineOf(head.entity), head)
  }

  /** What was released before a restart, for whatever reason, is not held again: it was older than what was released last. */
  #releaseThroughLast(line: Line<T>): void {
    const { last } = line
    for (let first = line.held.first; last !== null && first !== null && compareRanked(first, last) <= 0; first = line.held.first)
      this.#release(line, first)
    line.last = last ?? line.last
  }

  #releaseByWatermark(line: Line<T>): void {
    const throughMs = line.newestMs - this.#o.windowMs
    for (let first = line.held.first; first !== null && first.atMs < throughMs; first = line.held.first) this.#release(line, first)
    this.#restIfEmpty(line)
  }

  #releaseThrough(line: Line<T>, item: T): void {
    while (item.isHeld && line.held.first !== null) this.#release(line, line.held.first)
    this.#restIfEmpty(line)
  }

  #release(line: Line<T>, item: T): void {
    line.held.shift()
    item.isHeld = false
    this.#held--
    // What has no time of its own makes nobody late.
    if (item.tie !== UNTIMED_TIE) {
      line.last = { seq: item.seq, atMs: item.atMs, tie: item.tie }
      if (!line.isChanged) this.#changed.push(line)
      line.isChanged = true
    }
    this.#o.release(item)
  }

  #lineOf(entity: string): Line<T> {
    let line = this.#lines.get(entity)
    if (line === undefined) {
      line = {
        entity,
        newestMs: -Infinity,
        last: null,
        isChanged: false,
        held: new RankedQueue<T>(),
        isIdle: false,
        before: null,
        after: null,
      }
      this.#lines.set(entity, line)
    } else if (line.isIdle) this.#wake(line)
    return line
  }

  #restIfEmpty(line: Line<T>): void {
    if (line.held.length > 0 || line.isIdle) return
    if (line.last === null) {
      this.#lines.delete(line.entity)
      return
    }
    line.isIdle = true
    line.before = this.#lastIdle
    if (this.#lastIdle === null) this.#firstIdle = line
    else this.#lastIdle.after = line
    this.#lastIdle = line
    this.#idle++
    const oldest = this.#firstIdle
    if (this.#idle <= this.#o.maxIdle || oldest === null) return
    this.#wake(oldest)
    this.#lines.delete(oldest.entity)
  }

  /** No longer idle. */
  #wake(line: Line<T>): void {
    if (line.before === null) this.#firstIdle = line.after
    else line.before.after = line.after
    if (line.after === null) this.#lastIdle = line.before
    else line.after.before = line.before
    line.before = null
    line.after = null
    line.isIdle = false
    this.#idle--
  }
}
