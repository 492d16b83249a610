/**
 * The rows of the state in one SQLite file. They are derived from the log, so WAL with synchronous=NORMAL is enough: after a power
 * cut the file is some earlier commit, with the position that belongs to it. A file that cannot be read is moved aside and begun anew.
 *
 *   rows     entities, each as it was when it was last written
 *   facts    what came since: the facts of the last stores, a row for each store. With `rows` it is the state at `position`.
 *   before   what rows that have changed since looked like at the base, an earlier position. It is where a rebuild begins: with
 *            `before`, the `rows` that are as old, and the facts that were pending then.
 *   made     the rows of a rebuild that is under way
 *   finishing, told   see finishing-rows.ts
 *
 * Stores are numbered. A row says by which it was first written (`born`) and by which last (`stored`): what was born after the base is
 * no part of it, what was stored after the base is in `before`.
 *
 * Frozen rows are kept so long after the newest fact, and so many of them at most.
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { EntityKind } from '../state/fact.ts'
import type { Batch, Row } from '../state/state.ts'
import { damageOf, moveAside, tellsDamage, unusable } from './damaged-file.ts'
import { FinishingRows } from './finishing-rows.ts'

/** Where rows stand: everything in the log before `position` is in them. */
export type StateMeta = { readonly position: number; readonly newestAtMs: number; readonly completeSinceMs: number }

export type StateRowsOptions = {
  readonly path: string
  /** Frozen rows are kept for so long after the newest fact. */
  readonly frozenForMs?: number
  readonly frozenRows?: number
  /** Whether there are too many is looked at after so many rows. */
  readonly trimEveryRows?: number
  readonly warn: (code: string, message: string) => void
}

const FROZEN_FOR_MS = 7 * 24 * 3_600_000
const FROZEN_ROWS = 1_000_000
/** The shape of the tables; a file of another one is begun anew. */
const VERSION = 2

const SHAPE =
  'kind TEXT NOT NULL, id TEXT NOT NULL, chunk TEXT NOT NULL, started_at INTEGER, ended_at INTEGER, newest_at INTEGER, frozen INTEGER'
const COLUMNS = 'kind, id, chunk, started_at, ended_at, newest_at, frozen'

const TABLES = `
  CREATE TABLE rows (${SHAPE}, stored INTEGER NOT NULL, born INTEGER NOT NULL, PRIMARY KEY (kind, id));
  CREATE INDEX rows_frozen ON rows (newest_at) WHERE frozen = 1;
  CREATE TABLE facts (store INTEGER PRIMARY KEY, facts TEXT NOT NULL);
  CREATE TABLE before (${SHAPE}, PRIMARY KEY (kind, id));
  CREATE TABLE made (${SHAPE}, PRIMARY KEY (kind, id));
  CREATE TABLE meta (name TEXT PRIMARY KEY, position INTEGER NOT NULL, newest_at INTEGER, complete_since INTEGER,
    store INTEGER NOT NULL, since INTEGER NOT NULL);
  PRAGMA user_version = ${VERSION};`

/** Writes a row. Nothing, where the row that is there belongs to the base: that one must be remembered first. */
const PUT = `INSERT INTO rows (${COLUMNS}, stored, born) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
  ON CONFLICT (kind, id) DO UPDATE SET chunk = ?3, started_at = ?4, ended_at = ?5, newest_at = ?6, frozen = ?7, stored = ?8
  WHERE stored > ?9`

const REMEMBER = `INSERT OR IGNORE INTO before (${COLUMNS}) SELECT ${COLUMNS} FROM rows WHERE kind = ? AND id = ?`

/** The rows that are as they were at the base. */
const UNCHANGED = `rows r WHERE born <= ?1 AND NOT EXISTS (SELECT 1 FROM before b WHERE b.kind = r.kind AND b.id = r.id)`

/** The number of a store, and the first one whose facts are pending. */
type Stores = { readonly store: number; readonly since: number }

export class StateRows {
  readonly finishing: FinishingRows
  readonly #options: StateRowsOptions
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #sinceTrimmed = 0
  #live: Stores
  #base: Stores

  constructor(options: StateRowsOptions) {
    this.#options = options
    this.#db = openedOrAnew(options)
    this.finishing = new FinishingRows(this.#db)
    this.#live = this.#storesOf('live')
    this.#base = this.#storesOf('base')
  }

  /** Null when nothing has been stored yet. */
  get meta(): StateMeta | null {
    return this.#metaOf('live')
  }

  /** Where a rebuild begins. */
  get base(): StateMeta | null {
    return this.#metaOf('base')
  }

  /** Chunks of what is not frozen, those that changed last at the end. */
  *unfrozen(): Iterable<string> {
    for (const row of this.#prepare('SELECT chunk FROM rows WHERE frozen = 0 ORDER BY newest_at').iterate()) yield String(row['chunk'])
  }

  /** The facts that are pending, store after store. */
  facts(): Iterable<string> {
    return this.#factsOf(this.#live)
  }

  /** Those that were at the base. */
  baseFacts(): Iterable<string> {
    return this.#factsOf(this.#base)
  }

  chunk(kind: EntityKind, id: string): string | null {
    const chunk = this.#prepare('SELECT chunk FROM rows WHERE kind = ? AND id = ?').get(kind, id)?.['chunk'] ?? null
    return chunk === null ? null : String(chunk)
  }

  /** Stores a batch with where it stands, and when which conversations are due to be looked at, all or nothing. */
  write(
    { rows, facts, pending }: Pick<Batch, 'rows' | 'facts' | 'pending'>,
    meta: StateMeta,
    dueAtMs: ReadonlyMap<string, number> = NONE,
  ): void {
    const store = this.#live.store + 1
    const live = { store, since: store + 1 - pending }
    this.#atomically(() => {
      for (const row of rows) this.#put(row, store)
      if (facts !== null) this.#run('INSERT INTO facts VALUES (?, ?)', store, facts)
      this.finishing.add(dueAtMs, meta.position)
      this.#forgetFacts(live)
      this.#putMeta('live', meta, live)
    })
    this.#live = live
    this.#sinceTrimmed += rows.length
    if (this.#sinceTrimmed < (this.#options.trimEveryRows ?? TRIM_EVERY_ROWS)) return
    this.#sinceTrimmed = 0
    this.#trim(meta.newestAtMs)
  }

  /** From now on a rebuild begins with what is stored now. */
  rebase(): void {
    this.#atomically(() => {
      this.#run('DELETE FROM before')
      this.#run(
        `INSERT OR REPLACE INTO meta SELECT 'base', position, newest_at, complete_since, store, since FROM meta WHERE name = 'live'`,
      )
    })
    this.#base = this.#live
  }

  /** What is committed outlives a power cut when this returns. */
  sync(): void {
    this.#db.exec('PRAGMA synchronous = FULL')
    try {
      this.#run('UPDATE meta SET position = position')
    } finally {
      this.#db.exec('PRAGMA synchronous = NORMAL')
    }
  }

  /** What was not frozen at the base; `madeChunk` has it, whatever is written meanwhile. */
  baseIds(): readonly { readonly kind: EntityKind; readonly id: string }[] {
    const ids = this.#prepare(
      `SELECT kind, id FROM before WHERE frozen = 0 UNION ALL SELECT kind, id FROM ${UNCHANGED} AND frozen = 0`,
    ).all(this.#base.store)
    return ids.map(({ kind, id }) => ({ kind: kind as EntityKind, id: String(id) }))
  }

  /** An entity of the rebuild: as made, else as its row was at the base. */
  madeChunk(kind: EntityKind, id: string): string | null {
    for (const table of ['made', 'before']) {
      const row = this.#prepare(`SELECT chunk FROM ${table} WHERE kind = ? AND id = ?`).get(kind, id)
      if (row !== undefined) return String(row['chunk'])
    }
    const row = this.#prepare('SELECT chunk FROM rows WHERE kind = ? AND id = ? AND born <= ?').get(kind, id, this.#base.store)
    return row === undefined ? null : String(row['chunk'])
  }

  make(rows: readonly Row[]): void {
    this.#atomically(() => {
      for (const row of rows) this.#run(`INSERT OR REPLACE INTO made (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`, ...valuesOf(row))
    })
  }

  forgetMade(): void {
    this.#run('DELETE FROM made')
  }

  /** Puts what was made, on top of the base, in place of the rows. What was told may be another then. */
  adopt(meta: StateMeta, dueAtMs: ReadonlyMap<string, number> = NONE): void {
    const store = this.#live.store + 1
    const live = { store, since: store + 1 }
    const base = this.#base.store
    this.#atomically(() => {
      this.#run(`DELETE FROM rows WHERE born > ? OR EXISTS (SELECT 1 FROM before b WHERE b.kind = rows.kind AND b.id = rows.id)`, base)
      this.#run(`INSERT INTO rows (${COLUMNS}, stored, born) SELECT ${COLUMNS}, ?, ? FROM before`, store, base)
      this.#run(`INSERT OR IGNORE INTO before (${COLUMNS}) SELECT r.kind, r.id, r.chunk, r.started_at, r.ended_at, r.newest_at, r.frozen
        FROM made m JOIN rows r ON r.kind = m.kind AND r.id = m.id`)
      this.#run(
        `INSERT INTO rows (${COLUMNS}, stored, born) SELECT ${COLUMNS}, ?1, ?1 FROM made WHERE true
         ON CONFLICT (kind, id) DO UPDATE SET chunk = excluded.chunk, started_at = excluded.started_at, ended_at = excluded.ended_at,
           newest_at = excluded.newest_at, frozen = excluded.frozen, stored = excluded.stored`,
        store,
      )
      this.#run('DELETE FROM made')
      this.finishing.add(dueAtMs, meta.position)
      this.finishing.addTold(meta.position)
      this.#forgetFacts(live)
      this.#putMeta('live', meta, live)
    })
    this.#live = live
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  /** Frozen rows that are too old or too many; a rebuild may still need them as they were at the base. */
  #trim(newestAtMs: number): void {
    const { frozenForMs = FROZEN_FOR_MS, frozenRows = FROZEN_ROWS } = this.#options
    this.finishing.trim(newestAtMs - frozenForMs, frozenRows)
    const nth = this.#prepare('SELECT newest_at FROM rows WHERE frozen = 1 ORDER BY newest_at DESC LIMIT 1 OFFSET ?').get(frozenRows)
    const beforeMs = Math.max(newestAtMs - frozenForMs, Number(nth?.['newest_at'] ?? -Infinity) + 1)
    if (!Number.isFinite(beforeMs)) return
    // While facts of theirs are pending they are no strangers, and while they are to be told they are needed.
    this.#run(
      `DELETE FROM rows WHERE frozen = 1 AND newest_at < ? AND stored < ? AND NOT EXISTS (SELECT 1 FROM finishing f WHERE f.id = rows.id)`,
      Math.floor(beforeMs),
      this.#live.since,
    )
  }

  #put(row: Row, store: number): void {
    const values = valuesOf(row)
    const put = this.#prepare(PUT)
    if (Number(put.run(...values, store, this.#base.store).changes) > 0) return
    this.#run(REMEMBER, row.kind, row.id)
    put.run(...values, store, -1)
  }

  /** Those that are neither pending nor were at the base. */
  #forgetFacts(live: Stores): void {
    const { store, since } = this.#base
    this.#run('DELETE FROM facts WHERE store < ? AND (store > ? OR store < ?)', live.since, store, since)
  }

  *#factsOf({ store, since }: Stores): Iterable<string> {
    const all = this.#prepare('SELECT facts FROM facts WHERE store BETWEEN ? AND ? ORDER BY store')
    for (const row of all.iterate(since, store)) yield String(row['facts'])
  }

  #storesOf(name: 'live' | 'base'): Stores {
    const row = this.#prepare('SELECT store, since FROM meta WHERE name = ?').get(name)
    return { store: Number(row?.['store'] ?? 0), since: Number(row?.['since'] ?? 1) }
  }

  #metaOf(name: 'live' | 'base'): StateMeta | null {
    const row = this.#prepare('SELECT position, newest_at, complete_since FROM meta WHERE name = ?').get(name)
    if (row === undefined) return null
    return {
      position: Number(row['position']),
      newestAtMs: Number(row['newest_at'] ?? -Infinity),
      completeSinceMs: Number(row['complete_since'] ?? -Infinity),
    }
  }

  #putMeta(name: 'live' | 'base', { position, newestAtMs, completeSinceMs }: StateMeta, { store, since }: Stores): void {
    const values = [position, whole(newestAtMs), whole(completeSinceMs), store, since]
    this.#run('INSERT OR REPLACE INTO meta VALUES (?, ?, ?, ?, ?, ?)', name, ...values)
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#prepare(sql).run(...values)
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  #atomically(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#db.exec('COMMIT')
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

const TRIM_EVERY_ROWS = 5_000
const NONE: ReadonlyMap<string, number> = new Map()

type Values = [
  kind: string,
  id: string,
  chunk: string,
  startedAt: number | null,
  endedAt: number | null,
  newestAt: number | null,
  frozen: number,
]

function valuesOf({ kind, id, chunk, startedAtMs, endedAtMs, newestAtMs, frozen }: Row): Values {
  return [kind, id, chunk, whole(startedAtMs), whole(endedAtMs), whole(newestAtMs), frozen ? 1 : 0]
}

/** Instants that are none (nothing yet) are null. */
function whole(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Math.round(value)
}

function openedOrAnew({ path, warn }: StateRowsOptions): DatabaseSync {
  try {
    return openedAt(path)
  } catch (error) {
    if (!tellsDamage(error) && !(error instanceof OtherShape)) throw unusable(path, error as Error)
    // What is in it is in the log as well, as far as that goes back.
    moveAside(path)
    const { message } = error as Error
    warn('state.damaged', `${path} cannot be read (${message}); it was moved to ${path}.damaged, and the state is made anew from the log`)
    return openedAt(path)
  }
}

class OtherShape extends Error {}

function openedAt(path: string): DatabaseSync {
  closeSync(openSync(path, 'a', 0o600))
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000')
    // Somewhat larger than usual: pages of the index change often. Moving the WAL into the file is the longest pause there is.
    db.exec('PRAGMA wal_autocheckpoint = 2000; PRAGMA cache_size = -16000')
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
    if (version === 0) db.exec(`BEGIN; ${TABLES} COMMIT`)
    else if (version !== VERSION) throw new OtherShape(`its shape is version ${version}`)
    const damage = damageOf(db)
    if (damage !== null) throw new OtherShape(damage)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}
