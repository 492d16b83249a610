/** What the tables of the SQLite store share: opening the file beside other processes, transactions, and the purge of old rows. */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'

const SQLITE_BUSY = 5
const OPEN_TRIES = 50

/** Opens the file, made with mode 0600 when absent, with the table in it. */
export function openFile(path: string, options: { busyTimeoutMs: number; synchronous: 'FULL' | 'NORMAL'; tables: string }): DatabaseSync {
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600))
  const db = new DatabaseSync(path, { timeout: options.busyTimeoutMs })
  for (let tries = 1; ; tries += 1) {
    try {
      db.exec('PRAGMA journal_mode = WAL')
      db.exec(`PRAGMA synchronous = ${options.synchronous}`)
      db.exec(options.tables)
      return db
    } catch (error) {
      if (tries === OPEN_TRIES || (error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error
      // Switching to WAL does not wait for another process that does the same at this moment; a transaction does.
      db.exec('BEGIN IMMEDIATE; COMMIT')
    }
  }
}

export function atomically<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk makes SQLite roll back by itself.
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/**
 * Removes old rows in small slices: each call looks at the next few keys of an endless round over the table, which needs no index
 * on time (a second index halves the speed of a growing table).
 */
export class Purge {
  readonly #sliceEnd: StatementSync
  readonly #remove: StatementSync
  /** How far the round has come. Any BLOB sorts after any TEXT, so both kinds of key are visited. */
  #reached: Uint8Array | string = ''

  /** `table` has a column `key`, and `column` says until when a row counts. */
  constructor(db: DatabaseSync, table: string, column: string) {
    this.#sliceEnd = db.prepare(`SELECT key FROM ${table} WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?`)
    this.#remove = db.prepare(`DELETE FROM ${table} WHERE key > ? AND key <= ? AND ${column} <= ?`)
  }

  slice(rows: number, beforeMs: number): void {
    const end = this.#sliceEnd.get(this.#reached, rows - 1) as { key: Uint8Array | string } | undefined
    // No end: the round is at the table's last rows. A blob longer than any key bounds them; then it starts again.
    this.#remove.run(this.#reached, end?.key ?? LAST_KEY, beforeMs)
    this.#reached = end?.key ?? ''
  }
}

const LAST_KEY = new Uint8Array(64).fill(0xff)
