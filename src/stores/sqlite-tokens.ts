/**
 * Tokens and values in tables of an SQLite file that several processes may share. Every batch is one IMMEDIATE transaction, so no
 * token is given twice. Commits are not synced: the tokens of the last second before a power cut are stale when the power is back.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type Bucket, takeTokens } from '../pipeline/bucket.ts'
import { Purge, atomically, openFile } from './sqlite-file.ts'
import type { TokenRequest, Tokens, ValueRequest } from './store.ts'

const BUCKETS = 'trunkline_buckets_2'
const VALUES = 'trunkline_values_1'
/** Full buckets stay this long, so that the exact moment of the purge decides nothing between clocks that differ. */
const PURGE_AFTER_MS = 60_000
const PURGE_AT_LEAST = 64

export class SqliteTokens {
  readonly #db: DatabaseSync
  readonly #look: StatementSync
  readonly #set: StatementSync
  readonly #value: StatementSync
  readonly #remember: StatementSync
  readonly #fullBuckets: Purge
  readonly #oldValues: Purge

  constructor(path: string, busyTimeoutMs: number) {
    this.#db = openFile(path, {
      busyTimeoutMs,
      synchronous: 'NORMAL',
      tables: `CREATE TABLE IF NOT EXISTS ${BUCKETS} (
          key PRIMARY KEY NOT NULL, full_at_ms REAL NOT NULL, as_of_ms REAL NOT NULL, emptied_at_ms REAL NOT NULL, per_second REAL NOT NULL, burst REAL NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS ${VALUES} (key PRIMARY KEY NOT NULL, value TEXT NOT NULL, until_ms REAL NOT NULL) WITHOUT ROWID`,
    })
    this.#look = this.#db.prepare(`SELECT full_at_ms, as_of_ms, emptied_at_ms, per_second, burst FROM ${BUCKETS} WHERE key = ?`)
    this.#set = this.#db.prepare(
      `INSERT INTO ${BUCKETS} (key, full_at_ms, as_of_ms, emptied_at_ms, per_second, burst) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET full_at_ms = excluded.full_at_ms, as_of_ms = excluded.as_of_ms,
       emptied_at_ms = excluded.emptied_at_ms, per_second = excluded.per_second, burst = excluded.burst`,
    )
    this.#value = this.#db.prepare(`SELECT value FROM ${VALUES} WHERE key = ? AND until_ms > ?`)
    this.#remember = this.#db.prepare(
      `INSERT INTO ${VALUES} (key, value, until_ms) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, until_ms = excluded.until_ms`,
    )
    this.#fullBuckets = new Purge(this.#db, BUCKETS, 'full_at_ms')
    this.#oldValues = new Purge(this.#db, VALUES, 'until_ms')
  }

  take(requests: readonly TokenRequest[], nowMs: number): readonly Tokens[] {
    if (requests.length === 0) return []
    return atomically(this.#db, () => {
      this.#fullBuckets.slice(Math.max(PURGE_AT_LEAST, 2 * requests.length), nowMs - PURGE_AFTER_MS)
      return requests.map((request) => {
        const row = this.#look.get(request.key) as Row | undefined
        const known = row === undefined ? null : bucketOf(row)
        const { bucket, atMs, nextAtMs } = takeTokens(known, request, nowMs)
        // Also where nothing was given: what a step of the clock or another rate made of it is to be found the next time.
        if (atMs.length > 0 || bucket.fullAtMs !== known?.fullAtMs)
          this.#set.run(request.key, bucket.fullAtMs, bucket.asOfMs, bucket.emptiedAtMs, bucket.perSecond, bucket.burst)
        return { atMs, nextAtMs }
      })
    })
  }

  remember(entries: readonly ValueRequest[], nowMs: number, expiresAtMs: number): readonly (string | null)[] {
    const look = ({ key }: ValueRequest): string | null => (this.#value.get(key, nowMs) as { value: string } | undefined)?.value ?? null
    if (entries.every(({ value }) => value === null)) return entries.map(look)
    return atomically(this.#db, () => {
      this.#oldValues.slice(Math.max(PURGE_AT_LEAST, 2 * entries.length), nowMs)
      return entries.map((entry) => {
        const known = look(entry)
        if (entry.value === null || (known !== null && known !== entry.instead)) return known
        this.#remember.run(entry.key, entry.value, expiresAtMs)
        return entry.value
      })
    })
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }
}

type Row = {
  readonly full_at_ms: number
  readonly as_of_ms: number
  readonly emptied_at_ms: number
  readonly per_second: number
  readonly burst: number
}

function bucketOf(row: Row): Bucket {
  return { fullAtMs: row.full_at_ms, asOfMs: row.as_of_ms, emptiedAtMs: row.emptied_at_ms, perSecond: row.per_second, burst: row.burst }
}
