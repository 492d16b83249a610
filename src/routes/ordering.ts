/**
 * Order on one route: who of an entity may go, who waits for its predecessor, who for its time.
 *
 * What waits has no row at first: it holds the watermark, and a restart reads it again from the log. So the hold is no second write.
 * It gets a row when it stays while the route reads on far past it, and when the log could not tell what there is to know: it waits in
 * a line too long for memory, it had a row of another stage, or it has no time of its own. Its bytes are kept as long as there is room.
 */
import type { OrderConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import type { LogRecord } from '../log/reader.ts'
import { entityOf } from '../order/entity.ts'
import { Lines } from '../order/lines.ts'
import { UNTIMED_TIE, tieOf, type Ranked } from '../order/rank.ts'
import { OrderWindow } from '../order/window.ts'
import type { Held, HeldRow } from './held.ts'
import { Kept, type KeptEvent } from './kept.ts'
import type { Ledger } from './ledger.ts'
import type { Progress } from './progress.ts'
import { Lasts } from './lasts.ts'
import { SeqSet } from './seq-set.ts'

export type OrderingOptions = {
  readonly order: OrderConfig | null
  readonly route: string
  readonly ledger: Ledger
  readonly held: Held
  readonly progress: Progress
}

/** An event that waits. */
export type Waiting = {
  readonly seq: number
  readonly entity: string
  atMs: number
  tie: number
  dueAtMs: number
  /** In the window. */
  isHeld: boolean
  kept: KeptEvent | null
  hasRow: boolean
}

export type Entered =
  | { readonly type: 'goes'; readonly entity: string | null }
  | { readonly type: 'waits' }
  /** Older than what its entity has released. */
  | { readonly type: 'late'; readonly entity: string }

/** What comes by: `again` when it was read before a restart and waited or was under way. */
export type Coming = { readonly event: Event; readonly record: LogRecord; readonly again: boolean }

/** Reason of the row of a late event that is on its way. */
export const LATE = 'order.late'
/** How many records may be read past one that waits without a row: what a restart reads again, and bits in every commit. */
const MAX_SPAN = 65_536
const WAITS: Entered = { type: 'waits' }

export class Ordering {
  readonly #o: OrderingOptions
  readonly #maxSpan: number
  readonly #lines: Lines<Waiting>
  readonly #window: OrderWindow<Waiting> | null
  readonly #lasts: Lasts
  readonly #kept = new Kept()
  /** Those that wait without a row. */
  readonly #rowless = new SeqSet()
  /** The same, as they came; those that wait no longer are skipped. */
  #entered: Waiting[] = []
  #ready: Waiting[] = []
  #late: number[] = []
  #isRestored = false
  #forced = 0

  constructor(options: OrderingOptions, maxSpan: number = MAX_SPAN) {
    this.#o = options
    this.#maxSpan = maxSpan
    const { order, held, ledger, route } = options
    this.#lines = new Lines({
      load: (entity, after, limit) => held.storedIn(entity, after, limit).map((item) => waitingOf({ ...item, entity })),
    })
    this.#lasts = new Lasts(ledger, route)
    this.#window =
      order === null || order.windowMs === null
        ? null
        : new OrderWindow({ windowMs: order.windowMs, release: (item) => this.#release(item) }, this.#lasts.time())
  }

  get isOn(): boolean {
    return this.#o.order !== null
  }

  /** How many wait that have no row. */
  get rowless(): number {
    return this.#rowless.size
  }

  /** How many went early since the last look, because the window was full. */
  takeForced(): number {
    const forced = this.#window?.forced ?? 0
    const since = forced - this.#forced
    this.#forced = forced
    return since
  }

  get hasReady(): boolean {
    return this.#ready.length > 0 || this.#late.length > 0
  }

  /** When time lets something go; only at the end of the log, until then its records tell the time. */
  get nextAtMs(): number {
    return this.#window?.nextAtMs ?? Infinity
  }

  /** Why a record waits that has no row; null when it does not. */
  reasonOf(seq: number): string | null {
    return this.#rowless.has(seq) ? this.#reason : null
  }

  /** The receipt of a record that is being read, or the clock at the end of the log. */
  advance(atMs: number): void {
    this.#window?.advance(atMs)
  }

  /** An event comes by. */
  enter(seq: number, coming: Coming): Entered {
    const { order, held } = this.#o
    const { event, again } = coming
    const entity = order === null ? null : entityOf(event, order.by)
    if (entity === null) return { type: 'goes', entity }
    const hadRow = held.isTaken(seq)
    const item: Waiting = { seq, entity, atMs: seq, tie: 0, dueAtMs: Number.MAX_SAFE_INTEGER, isHeld: false, kept: null, hasRow: false }
    const window = this.#window
    if (window !== null) {
      item.tie = tieOf(event)
      if (again) window.enterAgain(item, event)
      else if (window.enter(item, event) === 'late') return { type: 'late', entity }
    } else if (again) this.#lines.restore(item)
    else {
      const place = this.#lines.enter(item)
      if (place === 'goes') return { type: 'goes', entity }
      if (place === 'stored') this.#write(item, true)
    }
    this.#wait(item, coming, hadRow)
    return WAITS
  }

  /** A late event goes at once. Read again it would look as if it were in time: that it is late is in its row as long as it is on its way. */
  holdLate(seq: number, entity: string): void {
    const { held, progress } = this.#o
    const dueAtMs = Number.MAX_SAFE_INTEGER
    held.put({ seq, stage: 'order', reason: LATE, key: entity, dueAtMs, atMs: seq, tie: 0, slot: null, stored: false })
    held.take(seq)
    progress.done(seq)
  }

  /** Takes what may go now, at most `limit`. */
  takeReady(limit: number): Waiting[] {
    const ready = this.#ready.splice(0, limit)
    for (const item of ready) {
      if (item.hasRow) this.#o.held.take(item.seq)
      else this.#rowless.delete(item.seq)
    }
    return ready
  }

  /** Takes late events that were on their way when the process ended. */
  takeLate(limit: number): number[] {
    const late = this.#late.splice(0, limit)
    for (const seq of late) this.#o.held.take(seq)
    return late
  }

  /** The event of one that was taken, if there was room to keep it. */
  keptOf(item: Waiting): KeptEvent | null {
    return this.#kept.take(item)
  }

  /** They could not be fetched. */
  putBack(ready: readonly Waiting[], late: readonly number[]): void {
    for (const item of ready) {
      if (item.hasRow) this.#o.held.release(item.seq)
      else this.#rowless.add(item.seq)
    }
    for (const seq of late) this.#o.held.release(seq)
    this.#ready = [...ready, ...this.#ready]
    this.#late = [...late, ...this.#late]
  }

  /** The event is settled or given up: the next of its line may go. */
  leave(entity: string, seq: number): void {
    const next = this.#isRestored ? this.#lines.leave(entity, seq) : null
    if (!this.#isRestored) this.#lines.vacate(entity, seq)
    if (next !== null) this.#ready.push(next)
  }

  /** One that waits by its row is given up; the row is the caller's. */
  remove(row: HeldRow): void {
    if (row.key !== null) this.#remove(row.key, row, row.stored)
    this.#late = this.#late.filter((seq) => seq !== row.seq)
  }

  /** Gives up what waits without a row and came before `seq`; answers what that was. */
  expireBefore(seq: number): number[] {
    const gone = this.#entered.filter((item) => item.seq < seq && this.#rowless.has(item.seq))
    for (const item of gone) {
      this.#rowless.delete(item.seq)
      this.#kept.take(item)
      this.#remove(item.entity, item, false)
    }
    return gone.map((item) => item.seq)
  }

  /** What has waited while the route read on far past it gets a row. */
  age(frontier: number): void {
    let at = 0
    for (; at < this.#entered.length; at++) {
      const item = this.#entered[at]!
      if (!this.#rowless.has(item.seq)) continue
      if (item.seq >= frontier - this.#maxSpan) break
      this.#write(item, false)
    }
    if (at > 256) this.#entered = this.#entered.slice(at)
  }

  /** Takes up what waited by its row when the process ended; what had none is read again, see `enter`. */
  restore(nowMs: number): void {
    const { order, ledger, route, held } = this.#o
    if (order === null) {
      // The route has no order any more: nobody is ahead of them.
      ledger.run(`UPDATE held SET stage = 'deliver', due_at_ms = 0, stored = 0 WHERE route = ? AND stage = 'order'`, route)
      this.#isRestored = true
      return
    }
    const window = this.#window
    if (window === null) {
      this.#lasts.clear()
      ledger.run(`UPDATE held SET at_ms = seq, tie = 0 WHERE route = ? AND stage = 'order' AND at_ms <> seq`, route)
    } else this.#lasts.restore(window)
    for (const { entity, count, last } of held.storedLines()) {
      this.#lines.restoreStored(entity, count)
      if (last.tie !== UNTIMED_TIE) window?.restoreLast(entity, last)
    }
    const latestMs = nowMs + (order.windowMs ?? 0)
    for (const row of held.inOrder()) {
      if (row.reason === LATE) this.#late.push(row.seq)
      else if (row.key !== null) {
        const item = waitingOf({ ...row, entity: row.key, dueAtMs: Math.min(row.dueAtMs, latestMs) })
        if (window === null) this.#lines.restore(item)
        else window.restore(item)
      }
    }
  }

  restoreHead(entity: string, seq: number): void {
    if (this.isOn) this.#lines.restoreHead(entity, seq)
  }

  /** All that was read before a restart has been read again. */
  restored(): void {
    if (this.#isRestored) return
    this.#isRestored = true
    this.#window?.restored()
    this.#ready.push(...this.#lines.restored())
  }

  /** Writes what changed; within the transaction of the route. */
  write(): void {
    if (this.#window !== null) this.#lasts.write(this.#window)
  }

  written(): void {
    this.#window?.stored()
    this.#lasts.written()
  }

  get #reason(): string {
    return this.#window === null ? 'order.predecessor' : 'order.window'
  }

  #wait(item: Waiting, coming: Coming, hadRow: boolean): void {
    // The rest of a line too long for memory is not kept.
    if (item.hasRow) return
    this.#kept.keep(item, coming)
    if (hadRow || item.tie === UNTIMED_TIE) this.#write(item, false)
    else {
      this.#rowless.add(item.seq)
      this.#entered.push(item)
    }
  }

  #release(item: Waiting): void {
    const place = this.#lines.enter(item)
    if (place === 'goes') this.#ready.push(item)
    else if (place === 'stored') this.#write(item, true)
  }

  /** It waits by a row from now on. `stored`: in a line too long for memory. */
  #write(item: Waiting, stored: boolean): void {
    const { seq, entity, atMs, tie, dueAtMs } = item
    this.#o.held.put({ seq, stage: 'order', reason: this.#reason, key: entity, dueAtMs, atMs, tie, slot: null, stored }, item.hasRow)
    item.hasRow = true
    this.#rowless.delete(seq)
    if (stored) this.#kept.take(item)
    this.#o.progress.done(seq)
  }

  #remove(entity: string, item: Ranked, stored: boolean): void {
    const ready = this.#ready.findIndex(({ seq }) => seq === item.seq)
    if (ready >= 0) {
      this.#ready.splice(ready, 1)
      this.leave(entity, item.seq)
    } else if (this.#window?.remove(entity, item) !== true) this.#lines.remove(entity, item, stored)
  }
}

const waitingOf = (item: Ranked & { readonly entity: string; readonly dueAtMs?: number }): Waiting => ({
  seq: item.seq,
  entity: item.entity,
  atMs: item.atMs,
  tie: item.tie,
  dueAtMs: item.dueAtMs ?? Number.MAX_SAFE_INTEGER,
  isHeld: false,
  kept: null,
  hasRow: true,
})
