import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Claim, ClaimRequest, Store } from './store.ts'

/*
 * Claims in one table of an SQLite file that several processes may share. Every batch is one IMMEDIATE transaction,
 * so two owners never see the same key free; WAL with synchronous=FULL, so what was answered survives a power cut.
 * A call waits for another process's transaction at most `busyTimeoutMs` (it blocks the thread), then rejects.
 *
 * Rows in force are never removed. Rows long expired go in small slices: each claim looks at the next few keys of an
 * endless round over the table, which needs no index on time (a second index halves the speed of a growing table).
 */

/** Which file, and how long to wait for it. */
export type SqliteStoreOptions = {
  /** Made with mode 0600 when absent; may hold other tables. */
  readonly path: string
  /** Default 5 s. */
  readonly busyTimeoutMs?: number
}

/** The version of the table's shape is part of its name: other versions never meet. */
const TABLE = 'trunkline_claims_1'
/** Expired rows stay this long, so that the exact moment of the purge decides nothing. */
const PURGE_AFTER_MS = 3_600_000
const PURGE_AT_LEAST = 64
const SQLITE_BUSY = 5
const OPEN_TRIES = 50

type Row = { readonly done: number; readonly event_id: string; readonly until_ms: number }

/** A store that outlives the process and is safe for several of them on one file. */
export function sqliteStore(options: SqliteStoreOptions): Store {
  return new SqliteStore(options)
}

class SqliteStore implements Store {
  readonly #db: DatabaseSync
  readonly #take: StatementSync
  readonly #look: StatementSync
  readonly #finish: StatementSync
  readonly #giveBack: StatementSync
  readonly #sliceEnd: StatementSync
  readonly #purge: StatementSync
  /** How far the round of the purge has come. Any BLOB sorts after any TEXT, so both kinds of key are visited. */
  #purgedTo: Uint8Array | string = ''

  constructor(options: SqliteStoreOptions) {
    if (options.path !== ':memory:') closeSync(openSync(options.path, 'a', 0o600))
    this.#db = new DatabaseSync(options.path, { timeout: options.busyTimeoutMs ?? 5000 })
    prepareFile(this.#db)
    this.#take = this.#db.prepare(
      `INSERT INTO ${TABLE} (key, owner, event_id, until_ms, done) VALUES (?, ?, ?, ?, 0)
       ON CONFLICT (key) DO UPDATE
         SET owner = excluded.owner, event_id = excluded.event_id, until_ms = excluded.until_ms, done = 0
         WHERE until_ms <= ?`,
    )
    this.#look = this.#db.prepare(`SELECT done, event_id, until_ms FROM ${TABLE} WHERE key = ?`)
    this.#finish = this.#db.prepare(`UPDATE ${TABLE} SET done = 1, until_ms = ? WHERE key = ? AND owner = ?`)
    this.#giveBack = this.#db.prepare(`DELETE FROM ${TABLE} WHERE key = ? AND owner = ? AND done = 0`)
    this.#sliceEnd = this.#db.prepare(`SELECT key FROM ${TABLE} WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?`)
    this.#purge = this.#db.prepare(`DELETE FROM ${TABLE} WHERE key > ? AND key <= ? AND until_ms <= ?`)
  }

  async claim(requests: readonly ClaimRequest[], owner: string, nowMs: number, untilMs: number): Promise<readonly Claim[]> {
    return this.#atomically(() => {
      this.#purgeSlice(Math.max(PURGE_AT_LEAST, 2 * requests.length), nowMs - PURGE_AFTER_MS)
      return requests.map((request) => this.#claimOne(request, owner, nowMs, untilMs))
    })
  }

  async complete(keys: readonly string[], owner: string, expiresAtMs: number): Promise<readonly boolean[]> {
    return this.#atomically(() => keys.map((key) => this.#finish.run(expiresAtMs, toKey(key), owner).changes === 1))
  }

  async release(keys: readonly string[], owner: string): Promise<readonly boolean[]> {
    return this.#atomically(() => keys.map((key) => this.#giveBack.run(toKey(key), owner).changes === 1))
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close()
  }

  #claimOne({ key, eventId }: ClaimRequest, owner: string, nowMs: number, untilMs: number): Claim {
    const stored = toKey(key)
    if (this.#take.run(stored, owner, eventId, untilMs, nowMs).changes === 1) return { state: 'claimed' }
    const row = this.#look.get(stored) as Row
    return row.done === 1 ? { state: 'done', eventId: row.event_id } : { state: 'leased', untilMs: row.until_ms }
  }

  #purgeSlice(rows: number, beforeMs: number): void {
    const end = this.#sliceEnd.get(this.#purgedTo, rows - 1) as { key: Uint8Array | string } | undefined
    // No end: the round is at the table's last rows. A blob longer than any key bounds them; then it starts again.
    this.#purge.run(this.#purgedTo, end?.key ?? LAST_KEY, beforeMs)
    this.#purgedTo = end?.key ?? ''
  }

  #atomically<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

const LAST_KEY = new Uint8Array(64).fill(0xff)

/** Keys are hex, stored at half the size; one that is not is stored as the text it is, so no two ever become one. */
function toKey(key: string): Uint8Array | string {
  return /^(?:[0-9a-f]{2}){1,64}$/.test(key) ? Buffer.from(key, 'hex') : key
}

function prepareFile(db: DatabaseSync): void {
  for (let tries = 1; ; tries += 1) {
    try {
      db.exec('PRAGMA journal_mode = WAL')
      db.exec('PRAGMA synchronous = FULL')
      db.exec(
        `CREATE TABLE IF NOT EXISTS ${TABLE} (
           key PRIMARY KEY NOT NULL, owner TEXT NOT NULL, event_id TEXT NOT NULL,
           until_ms INTEGER NOT NULL, done INTEGER NOT NULL
         ) WITHOUT ROWID`,
      )
      return
    } catch (error) {
      if (tries === OPEN_TRIES || (error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error
      // Switching to WAL does not wait for another process that does the same at this moment; a transaction does.
      db.exec('BEGIN IMMEDIATE; COMMIT')
    }
  }
}
