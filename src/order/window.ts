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
 */
import { RankedQueue, UNTIMED_TIE, isOlder, type Rank, type Ranked } from './rank.ts'

export type WindowOptions = {
  readonly windowMs: number
  /** How far the clocks of Genesys and of this machine may differ. */
  readonly skewMs?: number
  readonly maxHeld?: number
  readonly maxIdle?: number
  /** Takes what may go, in order per entity. `lastBefore` is what the entity had released last until now. */
  readonly release: (entity: string, item: Ranked, lastBefore: Ranked | null) => void
  /** What an entity released last is not remembered any more. */
  readonly forget: (last: Ranked) => void
}

export type Arrival = {
  readonly seq: number
  readonly occurredAtMs: number | null
  readonly receivedAtMs: number
  readonly tie: number
}

type Held = Ranked & { readonly dueAtMs: number; readonly line: Line; gone: boolean }

type Line = { readonly entity: string; newestMs: number; last: Ranked | null; readonly held: RankedQueue<Held> }

const SKEW_MS = 5_000
const MAX_HELD = 250_000
const MAX_IDLE = 100_000
/** A clock that is behind by less may only have been asked in another order. */
const STEP_BACK_MS = 5_000

export class OrderWindow {
  readonly #o: Required<WindowOptions>
  readonly #busy = new Map<string, Line>()
  /** Entities with nothing in the window, the one that was quiet longest first. */
  readonly #idle = new Map<string, Line>()
  /** In order of arrival, which is the order they are due in. */
  #arrivals: Held[] = []
  #next = 0
  #held = 0
  #nowMs: number
  #seenMs: number | null = null
  forced = 0

  constructor(options: WindowOptions, nowMs: number = -Infinity) {
    this.#o = { skewMs: SKEW_MS, maxHeld: MAX_HELD, maxIdle: MAX_IDLE, ...options }
    this.#nowMs = nowMs
  }

  get held(): number {
    return this.#held
  }

  /** Its own time, to be handed to the constructor after a restart. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** When `advance` releases something again; Infinity when nothing waits. */
  get nextAtMs(): number {
    const head = this.#head()
    return head === null ? Infinity : (this.#seenMs ?? 0) + head.dueAtMs + 1 - this.#nowMs
  }

  advance(atMs: number): void {
    this.#tick(atMs)
    for (let head = this.#head(); head !== null && head.dueAtMs < this.#nowMs; head = this.#head()) this.#releaseThrough(head.line, head)
  }

  /** Tells `stored` what it waits with, and may release it before this returns; or says that it is late. */
  enter(entity: string, arrival: Arrival, stored: (rank: Ranked, dueAtMs: number) => void): 'entered' | 'late' {
    const { seq, occurredAtMs, receivedAtMs, tie } = arrival
    const line = this.#lineOf(entity)
    const timed = occurredAtMs !== null && occurredAtMs <= receivedAtMs + this.#o.skewMs
    if (timed && line.last !== null && isOlder({ atMs: occurredAtMs, tie }, line.last)) {
      this.#restIfEmpty(line)
      return 'late'
    }
    const rank: Rank = timed ? { atMs: occurredAtMs, tie } : { atMs: Math.max(0, line.newestMs), tie: UNTIMED_TIE }
    const wasEmpty = line.held.length === 0
    const item: Held = { seq, ...rank, dueAtMs: this.#nowMs + this.#o.windowMs, line, gone: false }
    stored(item, item.dueAtMs)
    this.#hold(item)
    if (timed) {
      line.newestMs = Math.max(line.newestMs, occurredAtMs)
      this.#releaseByWatermark(line)
    } else if (!timed && wasEmpty) this.#releaseThrough(line, item)
    if (this.#held > this.#o.maxHeld) {
      this.forced++
      const head = this.#head()
      if (head !== null) this.#releaseThrough(head.line, head)
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

  /** After a restart: one that waited. */
  restore(entity: string, rank: Ranked, dueAtMs: number): void {
    const line = this.#lineOf(entity)
    this.#hold({ seq: rank.seq, atMs: rank.atMs, tie: rank.tie, dueAtMs, line, gone: false })
    if (rank.tie !== UNTIMED_TIE) line.newestMs = Math.max(line.newestMs, rank.atMs)
  }

  /** All that waited has been restored: releases what had been released before. */
  restored(): void {
    this.#arrivals.sort((a, b) => a.dueAtMs - b.dueAtMs || a.seq - b.seq)
    for (const line of [...this.#busy.values()]) this.#releaseByWatermark(line)
    for (let head = this.#head(); head !== null && head.dueAtMs < this.#nowMs; head = this.#head()) this.#releaseThrough(head.line, head)
  }

  /** One that waits is given up; false when it does not wait here. */
  remove(entity: string, rank: Ranked): boolean {
    const line = this.#busy.get(entity)
    const item = line?.held.remove(rank) ?? null
    if (line === undefined || item === null) return false
    item.gone = true
    this.#held--
    this.#restIfEmpty(line)
    return true
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

  #hold(item: Held): void {
    item.line.held.insert(item)
    this.#arrivals.push(item)
    this.#held++
  }

  #head(): Held | null {
    for (let item = this.#arrivals[this.#next]; item !== undefined; item = this.#arrivals[++this.#next]) {
      if (!item.gone) break
    }
    if (this.#next > 1024 && this.#next * 2 > this.#arrivals.length) {
      this.#arrivals = this.#arrivals.slice(this.#next)
      this.#next = 0
    }
    return this.#arrivals[this.#next] ?? null
  }

  #releaseByWatermark(line: Line): void {
    const throughMs = line.newestMs - this.#o.windowMs
    for (let first = line.held.first; first !== null && first.atMs < throughMs; first = line.held.first) this.#release(line, first)
    this.#restIfEmpty(line)
  }

  #releaseThrough(line: Line, item: Held): void {
    while (!item.gone && line.held.first !== null) this.#release(line, line.held.first)
    this.#restIfEmpty(line)
  }

  #release(line: Line, item: Held): void {
    line.held.shift()
    item.gone = true
    this.#held--
    const released: Ranked = { seq: item.seq, atMs: item.atMs, tie: item.tie }
    const lastBefore = line.last
    // What has no time of its own makes nobody late.
    if (item.tie !== UNTIMED_TIE) line.last = released
    this.#o.release(line.entity, released, lastBefore)
  }

  #lineOf(entity: string): Line {
    const busy = this.#busy.get(entity)
    if (busy !== undefined) return busy
    const line = this.#idle.get(entity) ?? { entity, newestMs: -Infinity, last: null, held: new RankedQueue<Held>() }
    this.#idle.delete(entity)
    this.#busy.set(entity, line)
    return line
  }

  #restIfEmpty(line: Line): void {
    if (line.held.length > 0) return
    this.#busy.delete(line.entity)
    if (line.last === null) return
    this.#idle.delete(line.entity)
    this.#idle.set(line.entity, line)
    if (this.#idle.size <= this.#o.maxIdle) return
    for (const oldest of this.#idle.values()) {
      this.#idle.delete(oldest.entity)
      if (oldest.last !== null) this.#o.forget(oldest.last)
      break
    }
  }
}
