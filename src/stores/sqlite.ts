import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { Purge, atomically, openFile } from './sqlite-file.ts'
import { SqliteTokens } from './sqlite-tokens.ts'
import type { Claim, ClaimRequest, Store, TokenRequest, Tokens } from './store.ts'

/*
 * Claims in one table of an SQLite file that several processes may share. Every batch is one IMMEDIATE transaction,
 * so two owners never see the same key free; WAL with synchronous=FULL, so what was answered survives a power cut.
 * A call waits for another process's transaction at most `busyTimeoutMs` (it blocks the thread), then rejects.
 *
 * Rows in force are never removed; rows long expired go in small slices.
 *
 * Tokens and values have a connection of their own to the same file, whose commits are not synced; it is opened when first needed.
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
  readonly #purge: Purge
  readonly #openTokens: () => SqliteTokens
  #tokens: SqliteTokens | null = null

  constructor({ path, busyTimeoutMs = 5000 }: SqliteStoreOptions) {
    this.#openTokens = () => new SqliteTokens(path, busyTimeoutMs)
    this.#db = openFile(path, {
      busyTimeoutMs,
      synchronous: 'FULL',
      tables: `CREATE TABLE IF NOT EXISTS ${TABLE} (
           key PRIMARY KEY NOT NULL, owner TEXT NOT NULL, event_id TEXT NOT NULL,
           until_ms INTEGER NOT NULL, done INTEGER NOT NULL
         ) WITHOUT ROWID`,
    })
    this.#take = this.#db.prepare(
      `INSERT INTO ${TABLE} (key, owner, event_id, until_ms, done) VALUES (?, ?, ?, ?, 0)
       ON CONFLICT (key) DO UPDATE
         SET owner = excluded.owner, event_id = excluded.event_id, until_ms = excluded.until_ms, done = 0
         WHERE until_ms <= ?`,
    )
    this.#look = this.#db.prepare(`SELECT done, event_id, until_ms FROM ${TABLE} WHERE key = ?`)
    this.#finish = this.#db.prepare(`UPDATE ${TABLE} SET done = 1, until_ms = ? WHERE key = ? AND owner = ?`)
    this.#giveBack = this.#db.prepare(`DELETE FROM ${TABLE} WHERE key = ? AND owner = ? AND done = 0`)
    this.#purge = new Purge(this.#db, TABLE, 'until_ms')
  }

  async claim(requests: readonly ClaimRequest[], owner: string, nowMs: number, untilMs: number): Promise<readonly Claim[]> {
    return atomically(this.#db, () => {
      this.#purge.slice(Math.max(PURGE_AT_LEAST, 2 * requests.length), nowMs - PURGE_AFTER_MS)
      return requests.map((request) => this.#claimOne(request, owner, nowMs, untilMs))
    })
  }

  async complete(keys: readonly string[], owner: string, expiresAtMs: number): Promise<readonly boolean[]> {
    return atomically(this.#db, () => keys.map((key) => this.#finish.run(expiresAtMs, toKey(key), owner).changes === 1))
  }

  async release(keys: readonly string[], owner: string): Promise<readonly boolean[]> {
    return atomically(this.#db, () => keys.map((key) => this.#giveBack.run(toKey(key), owner).changes === 1))
  }

  async takeTokens(requests: readonly TokenRequest[], nowMs: number): Promise<readonly Tokens[]> {
    return this.#tokensTable().take(requests, nowMs)
  }

  async remember(
    entries: readonly { readonly key: string; readonly value: string | null }[],
    nowMs: number,
    expiresAtMs: number,
  ): Promise<readonly (string | null)[]> {
    return this.#tokensTable().remember(entries, nowMs, expiresAtMs)
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close()
    this.#tokens?.close()
  }

  #tokensTable(): SqliteTokens {
    this.#tokens ??= this.#openTokens()
    return this.#tokens
  }

  #claimOne({ key, eventId }: ClaimRequest, owner: string, nowMs: number, untilMs: number): Claim {
    const stored = toKey(key)
    if (this.#take.run(stored, owner, eventId, untilMs, nowMs).changes === 1) return { state: 'claimed' }
    const row = this.#look.get(stored) as Row
    return row.done === 1 ? { state: 'done', eventId: row.event_id } : { state: 'leased', untilMs: row.until_ms }
  }
}

/** Keys are hex, stored at half the size; one that is not is stored as the text it is, so no two ever become one. */
function toKey(key: string): Uint8Array | string {
  return /^(?:[0-9a-f]{2}){1,64}$/.test(key) ? Buffer.from(key, 'hex') : key
}
