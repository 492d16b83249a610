/**
 * Order on one route: who of an entity may go, who waits for its predecessor, who for its time. Everything that waits has a row in
 * the ledger and none of its bytes in memory; what may go is fetched from the log again.
 */
import type { OrderConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import { entityOf } from '../order/entity.ts'
import { Lines } from '../order/lines.ts'
import { UNTIMED_TIE, tieOf, type Ranked } from '../order/rank.ts'
import { OrderWindow } from '../order/window.ts'
import type { Held, HeldRow } from './held.ts'
import type { Ledger } from './ledger.ts'
import { rangesOf } from './progress.ts'

export type OrderingOptions = {
  readonly order: OrderConfig | null
  readonly route: string
  readonly ledger: Ledger
  readonly held: Held
}

/** What may go now: an event that waited, by its record. */
export type Ready = { readonly seq: number; readonly entity: string }

export type Entered =
  | { readonly type: 'goes'; readonly entity: string | null }
  /** It has a row. */
  | { readonly type: 'waits' }
  /** Older than what its entity has released. */
  | { readonly type: 'late'; readonly entity: string }

export class Ordering {
  readonly #o: OrderingOptions
  readonly #lines: Lines
  readonly #window: OrderWindow | null
  #ready = new Map<number, string>()
  #forced = 0
  /** What entities released last, as it has to be written. */
  readonly #lasts = new Map<number, { readonly entity: string; readonly rank: Ranked }>()
  readonly #forgotten = new Set<number>()

  constructor(options: OrderingOptions) {
    this.#o = options
    const { order, held, ledger, route } = options
    this.#lines = new Lines({ load: (entity, after, limit) => held.storedIn(entity, after, limit) })
    const atMs = ledger.get('SELECT order_at_ms FROM routes WHERE name = ?', route)?.['order_at_ms']
    this.#window =
      order === null || order.windowMs === null
        ? null
        : new OrderWindow(
            {
              windowMs: order.windowMs,
              release: (entity, item, lastBefore) => this.#release(entity, item, lastBefore),
              forget: (last) => this.#forget(last.seq),
            },
            typeof atMs === 'number' ? atMs : -Infinity,
          )
  }

  get isOn(): boolean {
    return this.#o.order !== null
  }

  /** Its own time, for the ledger; null without a window. */
  get atMs(): number | null {
    const atMs = this.#window?.nowMs ?? null
    return atMs === null || atMs === -Infinity ? null : atMs
  }

  /** How many went early since the last look, because the window was full. */
  takeForced(): number {
    const forced = this.#window?.forced ?? 0
    const since = forced - this.#forced
    this.#forced = forced
    return since
  }

  get hasResting(): boolean {
    return this.#lines.hasResting
  }

  get hasReady(): boolean {
    return this.#ready.size > 0
  }

  /** When time lets something go; only at the end of the log, until then its records tell the time. */
  get nextAtMs(): number {
    return this.#window?.nextAtMs ?? Infinity
  }

  /** The receipt of a record that is being read, or the clock at the end of the log. */
  advance(atMs: number): void {
    this.#window?.advance(atMs)
  }

  /** An event comes by. What waits is put into `held`. */
  enter(event: Event, seq: number): Entered {
    const { order } = this.#o
    const entity = order === null ? null : entityOf(event, order.by)
    if (entity === null) return { type: 'goes', entity }
    if (this.#window !== null) {
      const { occurredAtMs, receivedAtMs } = event
      const entered = this.#window.enter(entity, { seq, occurredAtMs, receivedAtMs, tie: tieOf(event) }, (rank, dueAtMs) =>
        this.#put(entity, rank, dueAtMs, 'order.window', false),
      )
      return entered === 'late' ? { type: 'late', entity } : { type: 'waits' }
    }
    const rank = { seq, atMs: seq, tie: 0 }
    const place = this.#lines.enter(entity, rank)
    if (place === 'goes') return { type: 'goes', entity }
    this.#put(entity, rank, Number.MAX_SAFE_INTEGER, 'order.predecessor', place === 'stored')
    return { type: 'waits' }
  }

  /** Takes what may go now, at most `limit`. */
  takeReady(limit: number): Ready[] {
    const ready: Ready[] = []
    for (const [seq, entity] of this.#ready) {
      if (ready.length >= limit) break
      this.#ready.delete(seq)
      this.#o.held.take(seq)
      ready.push({ seq, entity })
    }
    return ready
  }

  /** They could not be fetched. */
  putBack(ready: readonly Ready[]): void {
    const rest = this.#ready
    this.#ready = new Map(ready.map(({ seq, entity }) => [seq, entity]))
    for (const [seq, entity] of rest) this.#ready.set(seq, entity)
  }

  /** The event is settled or given up: the next of its line may go. */
  leave(entity: string, seq: number): void {
    const next = this.#lines.leave(entity, seq)
    if (next !== null) this.#ready.set(next.seq, entity)
  }

  /** One that waits is given up; its row is the caller's. */
  remove(row: HeldRow): void {
    if (row.key === null) return
    if (this.#ready.delete(row.seq)) this.leave(row.key, row.seq)
    else if (this.#window?.remove(row.key, row) !== true) this.#lines.remove(row.key, row, row.stored)
  }

  /** Takes up what waited when the process ended. `nowMs` bounds how long it waits. */
  restore(nowMs: number): void {
    const { order, ledger, route, held } = this.#o
    if (order === null) {
      // The route has no order any more: nobody is ahead of them.
      ledger.run(`UPDATE held SET stage = 'deliver', due_at_ms = 0, stored = 0 WHERE route = ? AND stage = 'order'`, route)
      return
    }
    const window = this.#window
    if (window === null) {
      ledger.run('DELETE FROM released WHERE route = ?', route)
      ledger.run(`UPDATE held SET at_ms = seq, tie = 0 WHERE route = ? AND stage = 'order' AND at_ms <> seq`, route)
    } else this.#restoreLasts(window)
    for (const { entity, count, last } of held.storedLines()) {
      this.#lines.restoreStored(entity, count)
      if (last.tie !== UNTIMED_TIE) window?.restoreLast(entity, last)
    }
    const latestMs = nowMs + (order.windowMs ?? 0)
    for (const row of held.inOrder()) {
      if (row.key === null) continue
      if (window === null) this.#lines.restore(row.key, row)
      else window.restore(row.key, { seq: row.seq, atMs: row.atMs, tie: row.tie }, Math.min(row.dueAtMs, latestMs))
    }
    this.#lines.restored()
    window?.restored()
  }

  restoreHead(entity: string, seq: number): void {
    if (this.isOn) this.#lines.restoreHead(entity, seq)
  }

  /** The log has been read up to here: see `Lines.wakeResting`. */
  wakeResting(frontier: number): void {
    for (const { entity, item } of this.#lines.wakeResting(frontier)) this.#ready.set(item.seq, entity)
  }

  /** Writes what changed; within the transaction of the route. */
  write(): void {
    const { ledger, route } = this.#o
    for (const [from, to] of rangesOf([...this.#forgotten]))
      ledger.run('DELETE FROM released WHERE route = ? AND seq BETWEEN ? AND ?', route, from, to)
    for (const { entity, rank } of this.#lasts.values())
      ledger.run(
        'INSERT OR REPLACE INTO released (route, seq, entity, at_ms, tie) VALUES (?, ?, ?, ?, ?)',
        route,
        rank.seq,
        entity,
        rank.atMs,
        rank.tie,
      )
    if (this.atMs !== null) ledger.run('UPDATE routes SET order_at_ms = ? WHERE name = ?', this.atMs, route)
  }

  written(): void {
    this.#lasts.clear()
    this.#forgotten.clear()
  }

  #release(entity: string, item: Ranked, lastBefore: Ranked | null): void {
    if (item.tie !== UNTIMED_TIE) {
      if (lastBefore !== null) this.#forget(lastBefore.seq)
      this.#lasts.set(item.seq, { entity, rank: item })
      this.#forgotten.delete(item.seq)
    }
    const place = this.#lines.enter(entity, item)
    if (place === 'goes') this.#ready.set(item.seq, entity)
    else if (place === 'stored') this.#o.held.store(item.seq)
  }

  #forget(seq: number): void {
    if (!this.#lasts.delete(seq)) this.#forgotten.add(seq)
  }

  #put(entity: string, rank: Ranked, dueAtMs: number, reason: string, stored: boolean): void {
    const { seq, atMs, tie } = rank
    this.#o.held.put({ seq, stage: 'order', reason, key: entity, dueAtMs, atMs, tie, slot: null, stored })
  }

  #restoreLasts(window: OrderWindow): void {
    const { ledger, route } = this.#o
    const rows = ledger.db.prepare('SELECT entity, seq, at_ms, tie FROM released WHERE route = ? ORDER BY seq').iterate(route)
    for (const row of rows)
      window.restoreLast(String(row['entity']), { seq: Number(row['seq']), atMs: Number(row['at_ms']), tie: Number(row['tie']) })
  }
}
