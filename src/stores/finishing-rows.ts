/**
 * Which conversations are still to be looked at, whether they have finished, and what was told of them: two tables of state.db. Rows of
 * the first are written in the transaction that stores the conversations themselves; one goes when the conversation is told, in one
 * transaction with what the second remembers. So neither a crash nor a rebuild makes one be forgotten, or told again without need.
 *
 *   finishing  conversations that were heard of; looked at when they are due. `position` tells what was heard later from what was heard
 *              before; `final` is set while an agent's end is missing, and then they are told without it
 *   told       a digest of what was told last
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

/** A conversation to be looked at. */
export type Finishing = { readonly id: string; readonly position: number; readonly final: boolean }

/** What was told of it; null when there was nothing to tell. */
export type Told = { readonly digest: Uint8Array; readonly newestAtMs: number } | null

const TABLES = `
  CREATE TABLE IF NOT EXISTS finishing (
    id TEXT PRIMARY KEY, due_at INTEGER NOT NULL, position INTEGER NOT NULL, final INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS finishing_due ON finishing (due_at);
  CREATE TABLE IF NOT EXISTS told (id TEXT PRIMARY KEY, digest BLOB NOT NULL, newest_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS told_newest ON told (newest_at);`

export class FinishingRows {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(db: DatabaseSync) {
    this.#db = db
    db.exec(TABLES)
  }

  /** How many are to be looked at. */
  get count(): number {
    return Number(this.#prepare('SELECT count(*) AS n FROM finishing').get()?.['n'])
  }

  /** They were heard of, and are to be looked at when they are due. Part of the caller's transaction. */
  add(dueAtMs: ReadonlyMap<string, number>, position: number): void {
    for (const [id, atMs] of dueAtMs)
      this.#run('INSERT OR REPLACE INTO finishing (id, due_at, position, final) VALUES (?, ?, ?, 0)', id, Math.round(atMs), position)
  }

  /** What was told is to be looked at again. Part of the caller's transaction. */
  addTold(position: number): void {
    this.#run('INSERT OR IGNORE INTO finishing (id, due_at, position, final) SELECT id, 0, ?, 0 FROM told', position)
  }

  /** Those that are due at an instant, the longest first. */
  due(atMs: number, max: number): readonly Finishing[] {
    if (!Number.isFinite(atMs)) return []
    const rows = this.#prepare('SELECT id, position, final FROM finishing WHERE due_at <= ? ORDER BY due_at, id LIMIT ?').all(
      Math.floor(atMs),
      max,
    )
    return rows.map(({ id, position, final }) => ({ id: String(id), position: Number(position), final: Number(final) === 1 }))
  }

  told(id: string): Uint8Array | null {
    return (this.#prepare('SELECT digest FROM told WHERE id = ?').get(id)?.['digest'] as Uint8Array | undefined) ?? null
  }

  /** Waits for an agent's end, but no longer than until then. */
  waitUntil({ id, position }: Finishing, atMs: number): void {
    this.#run('UPDATE finishing SET due_at = ?, final = 1 WHERE id = ? AND position = ?', Math.round(atMs), id, position)
  }

  /** They are told, or there is nothing to tell. One that has changed meanwhile stays. */
  settle(done: readonly (readonly [Finishing, Told])[]): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      for (const [{ id, position }, told] of done) {
        this.#run('DELETE FROM finishing WHERE id = ? AND position = ?', id, position)
        if (told !== null)
          this.#run('INSERT OR REPLACE INTO told (id, digest, newest_at) VALUES (?, ?, ?)', id, told.digest, Math.round(told.newestAtMs))
      }
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  /** Nobody asks any more. */
  clear(): void {
    this.#run('DELETE FROM finishing')
  }

  /** Of conversations that nobody has heard of since, and of too many, it is forgotten what was told. */
  trim(beforeMs: number, max: number): void {
    const nth = this.#prepare('SELECT newest_at FROM told ORDER BY newest_at DESC LIMIT 1 OFFSET ?').get(max)?.['newest_at']
    const before = Math.max(beforeMs, nth === undefined ? -Infinity : Number(nth) + 1)
    if (Number.isFinite(before)) this.#run('DELETE FROM told WHERE newest_at < ?', Math.floor(before))
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
}
