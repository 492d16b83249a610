/**
 * Events that a stage holds: each is a row in the ledger, none is in memory with its bytes, and what holds it has no more in memory
 * than the few thousand rows that are due first. So hundreds of thousands may be held, and none of them stops a neighbour.
 *
 * What changes is gathered and written with the commit of the route (`write`, then `written`); until then it is seen here and not in
 * the file. The row of an event that is on its way again stays until it is settled, so a crash finds it where it was.
 *
 * Queries name their index: left to itself SQLite takes the primary key, which begins with the route, and reads all rows of it.
 */
import { compareRanked, type Ranked } from '../order/rank.ts'
import { DueQueue } from './due-queue.ts'
import type { Ledger } from './ledger.ts'
import { rangesOf } from './seq-set.ts'

export type HeldRow = {
  readonly seq: number
  readonly stage: string
  readonly reason: string
  /** What it is counted by: of `order` the entity, of `limit` the key. */
  readonly key: string | null
  readonly dueAtMs: number
  /** Its rank within the entity, or its business time. */
  readonly atMs: number
  readonly tie: number
  /** Only one event holds a slot. */
  readonly slot: string | null
  /** It waits in a line too long for memory. */
  readonly stored: boolean
}

/** What `order` holds is due when its window says so. */
const ORDER = 'order'
const COLUMNS = 'seq, stage, reason, key, due_at_ms, at_ms, tie, slot, stored'
/** Rows known by their time, at most twice as many. */
const SOONEST = 4_096

export class Held {
  readonly #ledger: Ledger
  readonly #route: string
  readonly #soonest: number
  readonly #put = new Map<number, HeldRow>()
  readonly #gone = new Set<number>()
  /** Of `#put`, those that no commit has written yet. */
  readonly #unwritten = new Set<number>()
  readonly #slots = new Map<string, number>()
  readonly #taken = new Set<number>()
  #due = new DueQueue()
  /** The last row in `#due`; null when all are. */
  #horizon: { readonly dueAtMs: number; readonly seq: number } | null = { dueAtMs: -Infinity, seq: -1 }
  #size: number

  constructor(ledger: Ledger, route: string, soonest: number = SOONEST) {
    this.#ledger = ledger
    this.#route = route
    this.#soonest = soonest
    this.#size = Number(ledger.get('SELECT count(*) AS n FROM held WHERE route = ?', route)?.['n'])
  }

  /** How many there are, those on their way included until they are settled. */
  get size(): number {
    return this.#size
  }

  /** Lowest record that is needed, or Infinity. */
  get neededSeq(): number {
    const seq = this.#ledger.get('SELECT min(seq) AS seq FROM held WHERE route = ?', this.#route)?.['seq']
    return typeof seq === 'number' ? seq : Infinity
  }

  /** When the first is due that waits for a time; 0 when only a look can tell. */
  get nextAtMs(): number {
    return this.#due.size === 0 && this.#horizon !== null ? 0 : this.#due.nextAtMs()
  }

  isTaken(seq: number): boolean {
    return this.#taken.has(seq)
  }

  has(seq: number): boolean {
    return this.get(seq) !== null
  }

  get(seq: number): HeldRow | null {
    const put = this.#put.get(seq)
    if (put !== undefined) return put
    if (this.#gone.has(seq)) return null
    const row = this.#ledger.get(`SELECT ${COLUMNS} FROM held WHERE route = ? AND seq = ?`, this.#route, seq)
    return row === undefined ? null : rowOf(row)
  }

  /** `isThere`: the event waits by a row already, which this one replaces. */
  put(row: HeldRow, isThere = false): void {
    const known = this.#taken.delete(row.seq) || this.#put.has(row.seq) || isThere
    if (!known) {
      this.#size++
      // A row that went in this commit and comes back is in the file still.
      if (!this.#gone.delete(row.seq)) this.#unwritten.add(row.seq)
    }
    this.#put.set(row.seq, row)
    if (row.slot !== null) this.#slots.set(row.slot, row.seq)
    if (row.stage !== ORDER) this.#await(row)
  }

  /** Its event is on its way: the row stays, and is not given again. */
  take(seq: number): void {
    this.#taken.add(seq)
    this.#due.delete(seq)
  }

  /** It could not be begun: it is due as before. */
  putBack(row: HeldRow): void {
    this.#taken.delete(row.seq)
    if (row.stage !== ORDER) this.#await(row)
  }

  /** It could not be begun, and waits as before for somebody else's word. */
  release(seq: number): void {
    this.#taken.delete(seq)
  }

  /** The event is settled, or waits elsewhere. Answers whether it had a row. */
  remove(seq: number): boolean {
    if (this.#gone.has(seq) || !(this.#taken.has(seq) || this.#put.has(seq) || this.has(seq))) return false
    this.#taken.delete(seq)
    this.#put.delete(seq)
    this.#due.delete(seq)
    this.#size--
    if (!this.#unwritten.delete(seq)) this.#gone.add(seq)
    return true
  }

  /** Takes the rows that are due, the first first, at most `limit`. */
  due(nowMs: number, limit: number): HeldRow[] {
    const rows: HeldRow[] = []
    while (rows.length < limit) {
      if (this.#due.size === 0 && this.#horizon !== null) this.#refill()
      const seq = this.#due.take(nowMs)
      if (seq === null && this.#due.size === 0 && this.#horizon !== null) continue
      if (seq === null) break
      const row = this.get(seq)
      if (row === null) continue
      this.#taken.add(seq)
      rows.push(row)
    }
    return rows
  }

  /** Makes what a stage holds due at once, of one key or of all: the stage will say anew how long it waits. */
  hurry(stage: string, key: string | null, nowMs: number): void {
    const dueAtMs = -nowMs
    const isMeant = (row: HeldRow): boolean => row.stage === stage && (key === null || row.key === key)
    for (const row of this.#put.values()) if (isMeant(row)) this.#put.set(row.seq, { ...row, dueAtMs })
    const sql = 'UPDATE held SET due_at_ms = ? WHERE route = ? AND stage = ?'
    if (key === null) this.#ledger.run(sql, dueAtMs, this.#route, stage)
    else this.#ledger.run(`${sql} AND key = ?`, dueAtMs, this.#route, stage, key)
    this.#due = new DueQueue()
    this.#horizon = { dueAtMs: -Infinity, seq: -1 }
  }

  /** Who holds the slot, or null. */
  inSlot(slot: string): HeldRow | null {
    const seq = this.#slots.get(slot)
    if (seq !== undefined) {
      const row = this.get(seq)
      if (row?.slot === slot) return row
    }
    for (const row of this.#ledger.all(
      `SELECT ${COLUMNS} FROM held INDEXED BY held_by_slot WHERE route = ? AND slot = ?`,
      this.#route,
      slot,
    )) {
      const current = this.get(Number(row['seq']))
      if (current?.slot === slot) return current
    }
    return null
  }

  /** The next of a line that wait by their rows, in order, behind `after`. */
  storedIn(entity: string, after: Ranked | null, limit: number): Ranked[] {
    const from = after ?? { atMs: -1, tie: -1, seq: -1 }
    const rows = this.#ledger.all(
      `SELECT ${COLUMNS} FROM held INDEXED BY held_by_line WHERE route = ? AND key = ? AND stored = 1 AND (at_ms, tie, seq) > (?, ?, ?)
       ORDER BY at_ms, tie, seq LIMIT ?`,
      this.#route,
      entity,
      from.atMs,
      from.tie,
      from.seq,
      limit + this.#gone.size,
    )
    // Behind the last that was read there may be more in the file.
    const through = rows.length < limit + this.#gone.size ? null : rankOf(rows.at(-1)!)
    const found = rows.map(rankOf).filter(({ seq }) => !this.#gone.has(seq) && !this.#put.has(seq))
    for (const row of this.#put.values())
      if (row.stored && row.key === entity && compareRanked(row, from) > 0 && (through === null || compareRanked(row, through) <= 0))
        found.push({ seq: row.seq, atMs: row.atMs, tie: row.tie })
    return found.sort(compareRanked).slice(0, limit)
  }

  /** Entities with lines too long for memory, how many wait in each, and the last of them. */
  storedLines(): { readonly entity: string; readonly count: number; readonly last: Ranked }[] {
    const lines = this.#ledger.all(
      'SELECT key, count(*) AS n FROM held INDEXED BY held_by_line WHERE route = ? AND stored = 1 GROUP BY key',
      this.#route,
    )
    return lines.map((line) => {
      const entity = String(line['key'])
      const last = this.#ledger.get(
        'SELECT seq, at_ms, tie FROM held INDEXED BY held_by_line WHERE route = ? AND key = ? AND stored = 1 ORDER BY at_ms DESC, tie DESC, seq DESC LIMIT 1',
        this.#route,
        entity,
      )!
      return { entity, count: Number(line['n']), last: rankOf(last) }
    })
  }

  /** What `order` held when the process ended, but for what waits by its rows only. */
  *inOrder(): Generator<HeldRow> {
    const rows = this.#ledger.each(
      `SELECT ${COLUMNS} FROM held WHERE route = ? AND stage = ? AND stored = 0 ORDER BY seq`,
      this.#route,
      ORDER,
    )
    for (const row of rows) if (!this.#gone.has(Number(row['seq']))) yield rowOf(row)
  }

  /** All rows of records before `seq`. */
  before(seq: number): HeldRow[] {
    const rows = this.#ledger.all(`SELECT ${COLUMNS} FROM held WHERE route = ? AND seq < ?`, this.#route, seq).map(rowOf)
    const found = rows.filter((row) => !this.#gone.has(row.seq) && !this.#put.has(row.seq))
    for (const row of this.#put.values()) if (row.seq < seq) found.push(row)
    return found
  }

  /** Writes what changed; within the transaction of the route. */
  write(): void {
    // Rows go nearly in the order they came.
    for (const [from, to] of rangesOf([...this.#gone]))
      this.#ledger.run('DELETE FROM held WHERE route = ? AND seq BETWEEN ? AND ?', this.#route, from, to)
    for (const row of this.#put.values())
      this.#ledger.run(
        `INSERT OR REPLACE INTO held (route, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        this.#route,
        row.seq,
        row.stage,
        row.reason,
        row.key,
        row.dueAtMs,
        row.atMs,
        row.tie,
        row.slot,
        row.stored ? 1 : 0,
      )
  }

  /** The transaction is committed. */
  written(): void {
    this.#put.clear()
    this.#gone.clear()
    this.#unwritten.clear()
    this.#slots.clear()
  }

  #await(row: HeldRow): void {
    if (this.#horizon !== null && isAfter(row, this.#horizon)) return
    this.#due.set(row.seq, row.dueAtMs)
    if (this.#due.size > 2 * this.#soonest) this.#shrink()
  }

  /** Keeps the first, and forgets the rest: they are found again by their rows. */
  #shrink(): void {
    const kept = new DueQueue()
    for (let n = 0; n < this.#soonest; n++) {
      const dueAtMs = this.#due.nextAtMs()
      const seq = this.#due.take(Infinity)
      if (seq === null) break
      kept.set(seq, dueAtMs)
      this.#horizon = { dueAtMs, seq }
    }
    this.#due = kept
  }

  #refill(): void {
    const from = this.#horizon ?? { dueAtMs: -Infinity, seq: -1 }
    const limit = this.#soonest + this.#gone.size
    const rows = this.#ledger.all(
      `SELECT seq, due_at_ms FROM held INDEXED BY held_by_time WHERE route = ? AND stage <> 'order' AND (due_at_ms, seq) > (?, ?) ORDER BY due_at_ms, seq LIMIT ?`,
      this.#route,
      Math.max(from.dueAtMs, Number.MIN_SAFE_INTEGER),
      from.seq,
      limit,
    )
    const last = rows.length < limit ? null : rows.at(-1)!
    const found = rows.map((row) => ({ seq: Number(row['seq']), dueAtMs: Number(row['due_at_ms']) }))
    this.#horizon = last === null ? null : { seq: Number(last['seq']), dueAtMs: Number(last['due_at_ms']) }
    for (const row of found)
      if (!this.#gone.has(row.seq) && !this.#put.has(row.seq) && !this.#taken.has(row.seq)) this.#due.set(row.seq, row.dueAtMs)
    for (const row of this.#put.values()) {
      if (row.stage === ORDER || this.#taken.has(row.seq) || !isAfter(row, from)) continue
      if (this.#horizon === null || !isAfter(row, this.#horizon)) this.#due.set(row.seq, row.dueAtMs)
    }
  }
}

type Due = { readonly dueAtMs: number; readonly seq: number }

const isAfter = (a: Due, b: Due): boolean => a.dueAtMs > b.dueAtMs || (a.dueAtMs === b.dueAtMs && a.seq > b.seq)
const rankOf = (row: Record<string, unknown>): Ranked => ({ seq: Number(row['seq']), atMs: Number(row['at_ms']), tie: Number(row['tie']) })

function rowOf(row: Record<string, unknown>): HeldRow {
  return {
    ...rankOf(row),
    stage: String(row['stage']),
    reason: String(row['reason']),
    key: row['key'] === null ? null : String(row['key']),
    dueAtMs: Number(row['due_at_ms']),
    slot: row['slot'] === null ? null : String(row['slot']),
    stored: Number(row['stored']) === 1,
  }
}
