/**
 * The rows of the state in one SQLite file. They are derived from the log, so WAL with synchronous=NORMAL is enough: after a power
 * cut the file is some earlier commit, with the position that belongs to it. A file that cannot be read is moved aside and begun anew.
 *
 *   rows     the entities as they were at `position`
 *   before   what rows that have changed since looked like at the base, an earlier position (a null chunk: the row was not there);
 *            so the base is `before`, and for the rest `rows`. It is where a rebuild begins.
 *   made     the rows of a rebuild that is under way
 *
 * Bases are numbered; a row whose `based` is the current one has been put into `before` already, which is most rows that change.
 *
 * Frozen rows are kept so long after the newest fact, and so many of them at most.
 */
import { closeSync, openSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { TrunklineError } from '../errors.ts'
import type { EntityKind } from '../state/fact.ts'
import type { Row } from '../state/state.ts'

/** Where rows stand: everything in the log before `position` is in them. */
export type StateMeta = { readonly position: number; readonly newestAtMs: number; readonly completeSinceMs: number }

export type StateRowsOptions = {
  readonly path: string
  /** Frozen rows are kept for so long after the newest fact. */
  readonly frozenForMs?: number
  readonly frozenRows?: number
  readonly warn: (code: string, message: string) => void
}

const FROZEN_FOR_MS = 7 * 24 * 3_600_000
const FROZEN_ROWS = 1_000_000
/** The shape of the tables; a file of another one is begun anew. */
const VERSION = 1
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

const SHAPE = 'kind TEXT NOT NULL, id TEXT NOT NULL, chunk TEXT, started_at INTEGER, ended_at INTEGER, newest_at INTEGER, frozen INTEGER'
const COLUMNS = 'kind, id, chunk, started_at, ended_at, newest_at, frozen'

const TABLES = `
  CREATE TABLE rows (${SHAPE}, based INTEGER NOT NULL, PRIMARY KEY (kind, id));
  CREATE INDEX rows_frozen ON rows (newest_at) WHERE frozen = 1;
  CREATE TABLE before (${SHAPE}, PRIMARY KEY (kind, id));
  CREATE TABLE made (${SHAPE}, PRIMARY KEY (kind, id));
  CREATE TABLE meta (name TEXT PRIMARY KEY, position INTEGER NOT NULL, newest_at INTEGER, complete_since INTEGER, based INTEGER);
  PRAGMA user_version = ${VERSION};`

/** Puts the row as it is into `before`, unless an older one of it is there. */
const REMEMBER = `INSERT OR IGNORE INTO before (${COLUMNS})
  SELECT ?1, ?2, chunk, started_at, ended_at, newest_at, frozen FROM (SELECT 1) LEFT JOIN rows ON kind = ?1 AND id = ?2`

export class StateRows {
  readonly #options: StateRowsOptions
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #sinceTrimmed = 0
  #based: number

  constructor(options: StateRowsOptions) {
    this.#options = options
    this.#db = openedOrAnew(options)
    this.#based = Number(this.#prepare(`SELECT based FROM meta WHERE name = 'base'`).get()?.['based'] ?? 1)
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

  chunk(kind: EntityKind, id: string): string | null {
    const chunk = this.#prepare('SELECT chunk FROM rows WHERE kind = ? AND id = ?').get(kind, id)?.['chunk'] ?? null
    return chunk === null ? null : String(chunk)
  }

  /** Stores rows with where they stand, all or nothing. */
  write(rows: readonly Row[], meta: StateMeta): void {
    this.#atomically(() => {
      for (const row of rows) {
        if (this.#update(row)) continue
        this.#run(REMEMBER, row.kind, row.id)
        this.#run(`INSERT OR REPLACE INTO rows (${COLUMNS}, based) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, ...valuesOf(row), this.#based)
      }
      this.#putMeta('live', meta)
    })
    this.#sinceTrimmed += rows.length
    if (this.#sinceTrimmed < TRIM_EVERY_ROWS) return
    this.#sinceTrimmed = 0
    this.#trim(meta.newestAtMs)
  }

  /** From now on a rebuild begins with what is stored now. */
  rebase(): void {
    const based = this.#based + 1
    this.#atomically(() => {
      this.#run('DELETE FROM before')
      this.#run(
        `INSERT OR REPLACE INTO meta (name, position, newest_at, complete_since, based)
         SELECT 'base', position, newest_at, complete_since, ? FROM meta WHERE name = 'live'`,
        based,
      )
    })
    this.#based = based
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
      `SELECT kind, id FROM before WHERE chunk IS NOT NULL AND frozen = 0
       UNION ALL SELECT kind, id FROM rows r WHERE frozen = 0 AND NOT EXISTS (SELECT 1 FROM before b WHERE b.kind = r.kind AND b.id = r.id)`,
    ).all()
    return ids.map(({ kind, id }) => ({ kind: kind as EntityKind, id: String(id) }))
  }

  /** An entity of the rebuild: as made, else as it was at the base. */
  madeChunk(kind: EntityKind, id: string): string | null {
    for (const table of ['made', 'before', 'rows']) {
      const row = this.#prepare(`SELECT chunk FROM ${table} WHERE kind = ? AND id = ?`).get(kind, id)
      if (row !== undefined) return row['chunk'] === null ? null : String(row['chunk'])
    }
    return null
  }

  make(rows: readonly Row[]): void {
    this.#atomically(() => {
      for (const row of rows) this.#run(`INSERT OR REPLACE INTO made (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`, ...valuesOf(row))
    })
  }

  forgetMade(): void {
    this.#run('DELETE FROM made')
  }

  /** Puts what was made, on top of the base, in place of the rows. */
  adopt(meta: StateMeta): void {
    this.#atomically(() => {
      this.#run('DELETE FROM rows WHERE EXISTS (SELECT 1 FROM before b WHERE b.kind = rows.kind AND b.id = rows.id)')
      this.#run(`INSERT INTO rows (${COLUMNS}, based) SELECT ${COLUMNS}, ? FROM before WHERE chunk IS NOT NULL`, this.#based)
      this.#run(
        `INSERT OR IGNORE INTO before (${COLUMNS}) SELECT m.kind, m.id, r.chunk, r.started_at, r.ended_at, r.newest_at, r.frozen
         FROM made m LEFT JOIN rows r ON r.kind = m.kind AND r.id = m.id`,
      )
      this.#run(`INSERT OR REPLACE INTO rows (${COLUMNS}, based) SELECT ${COLUMNS}, ? FROM made`, this.#based)
      this.#run('DELETE FROM made')
      this.#putMeta('live', meta)
    })
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  /** Frozen rows that are too old or too many; a rebuild may still need them as they were at the base. */
  #trim(newestAtMs: number): void {
    const { frozenForMs = FROZEN_FOR_MS, frozenRows = FROZEN_ROWS } = this.#options
    const nth = this.#prepare('SELECT newest_at FROM rows WHERE frozen = 1 ORDER BY newest_at DESC LIMIT 1 OFFSET ?').get(frozenRows)
    const beforeMs = Math.max(newestAtMs - frozenForMs, Number(nth?.['newest_at'] ?? -Infinity) + 1)
    if (!Number.isFinite(beforeMs)) return
    this.#run('DELETE FROM rows WHERE frozen = 1 AND newest_at < ?', Math.floor(beforeMs))
  }

  /** A row that is in `before` already is changed in place; false when it is not there. */
  #update(row: Row): boolean {
    const [kind, id, ...values] = valuesOf(row)
    const statement = this.#prepare(
      'UPDATE rows SET chunk = ?, started_at = ?, ended_at = ?, newest_at = ?, frozen = ? WHERE kind = ? AND id = ? AND based = ?',
    )
    return Number(statement.run(...values, kind, id, this.#based).changes) === 1
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

  #putMeta(name: 'live' | 'base', { position, newestAtMs, completeSinceMs }: StateMeta): void {
    this.#run(
      'INSERT OR REPLACE INTO meta (name, position, newest_at, complete_since) VALUES (?, ?, ?, ?)',
      name,
      position,
      whole(newestAtMs),
      whole(completeSinceMs),
    )
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
    const { message, errcode = 0 } = error as Error & { readonly errcode?: number }
    const primary = errcode & 0xff
    if (primary !== SQLITE_CORRUPT && primary !== SQLITE_NOTADB && !(error instanceof OtherShape))
      throw new TrunklineError('data_dir.unusable', `${path} cannot be opened: ${message}`, 'Mend its permissions and look at the disk.', {
        cause: error,
      })
    // One is kept: what is in it is in the log as well, as far as that goes back.
    renameSync(path, `${path}.damaged`)
    for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
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
    // Rows change often before they rest: larger than usual, so that they go from the WAL to the file less often.
    db.exec('PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000')
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
    if (version === 0) db.exec(`BEGIN; ${TABLES} COMMIT`)
    else if (version !== VERSION) throw new OtherShape(`its shape is version ${version}`)
    // Reads every page that holds a row or an index: what is damaged is found now.
    const check = String(db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'])
    if (check !== 'ok') throw new OtherShape(check)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}
