/**
 * What routes remember, in one SQLite file: progress, events in retry, what was not plain success, dead letters,
 * revisions of route definitions. Everything here is derived from the log or can be reached again from it, and each
 * commit moves a route's watermark together with what it stands for; so WAL with synchronous=NORMAL is enough: after a
 * power cut the file is some earlier commit, and the route goes on from there. What a person asked for (redrive) is
 * committed with FULL.
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { TrunklineError } from '../errors.ts'
import type { Mark } from '../event/event.ts'
import { migrate } from './ledger-schema.ts'
import { type Stretch, isWithin } from './seq-set.ts'

/** What happened to one event on one route and was not plain success. Appended, never rewritten. */
export type Happening = {
  readonly route: string
  readonly seq: number
  readonly atMs: number
  readonly what: 'attempt_failed' | 'dead' | 'redrive_requested' | 'delivered' | 'dropped' | 'held' | 'noted'
  /** Attempts made so far, where it applies. */
  readonly attempt: number
  readonly stage: string
  readonly reason: string
  readonly detail: string | null
  /** `live`, or `redrive` for what a person asked for. */
  readonly origin: 'live' | 'redrive'
}

export type PendingState = 'retry' | 'redrive'

/** An event parked above or below the watermark: waiting for its next attempt. What stages hold is elsewhere, see held.ts. */
export type Pending = {
  readonly seq: number
  readonly state: PendingState
  readonly attempt: number
  readonly dueAtMs: number
  readonly reason: string
  readonly entity: string | null
  /** What it is delivered with beside its own marks. */
  readonly mark: Mark | null
}

export type DeadLetterRow = {
  readonly seq: number
  readonly eventId: string
  readonly topic: string
  readonly conversationId: string | null
  readonly queueId: string | null
  readonly userId: string | null
  readonly reason: string
  readonly stage: string
  readonly detail: string | null
  readonly attempts: number
  readonly receivedAtMs: number
  readonly diedAtMs: number
  /** The whole log frame, kept when the log itself has moved on. */
  readonly frame: Uint8Array
}

export type Counts = Record<string, number>

export type RouteChanges = {
  readonly route: string
  readonly position: number
  readonly above: readonly Stretch[]
  /** Every record before it has been read. */
  readonly readTo: number
  readonly sinkPosition: string | null
  /** Counters that changed, keyed `outcome|reason|key`: their new totals. */
  readonly counts: Counts
  readonly park: readonly Pending[]
  readonly unpark: readonly number[]
  readonly happenings: readonly Happening[]
  readonly dead: readonly DeadLetterRow[]
  /** Dead letters that a redrive has delivered. */
  readonly revived: readonly number[]
  readonly expired: readonly { readonly fromSeq: number; readonly toSeq: number; readonly atMs: number; readonly reason: string }[]
}

export type RouteState = {
  readonly position: number
  readonly above: readonly Stretch[]
  readonly readTo: number
  readonly sinkPosition: string | null
  readonly startedSeq: number
  readonly counts: Counts
  readonly pending: readonly Pending[]
}

export class Ledger {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>()

  constructor(path: string) {
    this.db = openedAt(path)
  }

  /** State of a route, or null when it has never run here. */
  route(name: string): RouteState | null {
    const row = this.get('SELECT position, above, read_to, sink_position, started_seq FROM routes WHERE name = ?', name)
    if (row === undefined) return null
    const pending = this.all('SELECT seq, state, attempt, due_at_ms, reason, entity, mark FROM pending WHERE route = ? ORDER BY seq', name)
    const counters = this.all('SELECT name, n FROM counters WHERE route = ?', name)
    return {
      position: Number(row['position']),
      above: JSON.parse(String(row['above'])) as Stretch[],
      readTo: Number(row['read_to']),
      sinkPosition: row['sink_position'] === null ? null : String(row['sink_position']),
      startedSeq: Number(row['started_seq']),
      counts: Object.fromEntries(counters.map((c) => [String(c['name']), Number(c['n'])])),
      pending: pending.map((p) => ({
        seq: Number(p['seq']),
        state: String(p['state']) as PendingState,
        attempt: Number(p['attempt']),
        dueAtMs: Number(p['due_at_ms']),
        reason: String(p['reason']),
        entity: p['entity'] === null ? null : String(p['entity']),
        mark: p['mark'] as Mark | null,
      })),
    }
  }

  createRoute(name: string, startedSeq: number): void {
    this.run(
      `INSERT OR IGNORE INTO routes (name, position, above, sink_position, started_seq) VALUES (?, ?, '[]', NULL, ?)`,
      name,
      startedSeq,
      startedSeq,
    )
  }

  /** Dead letters of each route that nobody has redriven, now. */
  deadLetters(): ReadonlyMap<string, number> {
    const rows = this.all(`SELECT route, count(*) AS n FROM dead_letters WHERE state = 'dead' GROUP BY route`)
    return new Map(rows.map((row) => [String(row['route']), Number(row['n'])]))
  }

  /** Names of all routes that ever ran here, also those no longer configured. */
  routeNames(): string[] {
    return this.all('SELECT name FROM routes ORDER BY name').map((row) => String(row['name']))
  }

  /** The highest record number that a route has ever met; 0 when none has. */
  seenThroughSeq(): number {
    const row = this.get(`
      SELECT max(seq) AS seq FROM (
        SELECT max(position, read_to) - 1 AS seq FROM routes UNION ALL SELECT seq FROM pending UNION ALL SELECT max(seq) FROM held GROUP BY route UNION ALL SELECT seq FROM dead_letters)`)
    return Number(row?.['seq'] ?? 0)
  }

  /** Applies what a route has reached, all or nothing, with what `more` writes. */
  commit(changes: RouteChanges, more: () => void = () => undefined): void {
    this.transaction(() => {
      const { route } = changes
      this.run(
        'UPDATE routes SET position = ?, above = ?, read_to = ?, sink_position = ? WHERE name = ?',
        changes.position,
        JSON.stringify(changes.above),
        changes.readTo,
        changes.sinkPosition,
        route,
      )
      for (const [name, n] of Object.entries(changes.counts))
        this.run('INSERT INTO counters (route, name, n) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = excluded.n', route, name, n)
      more()
      for (const seq of changes.unpark) this.run('DELETE FROM pending WHERE route = ? AND seq = ?', route, seq)
      for (const p of changes.park)
        this.run(
          'INSERT OR REPLACE INTO pending (route, seq, state, attempt, due_at_ms, reason, entity, mark) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
          route,
          p.seq,
          p.state,
          p.attempt,
          p.dueAtMs,
          p.reason,
          p.entity,
          p.mark,
        )
      for (const h of changes.happenings) this.happened(h)
      for (const d of changes.dead) this.#bury(route, d)
      for (const seq of changes.revived) this.run(`UPDATE dead_letters SET state = 'redriven' WHERE route = ? AND seq = ?`, route, seq)
      for (const e of changes.expired)
        this.run(
          'INSERT INTO expired (route, from_seq, to_seq, at_ms, reason) VALUES (?, ?, ?, ?, ?)',
          route,
          e.fromSeq,
          e.toSeq,
          e.atMs,
          e.reason,
        )
    })
  }

  happened(h: Happening): void {
    this.run(
      'INSERT INTO history (route, seq, at_ms, what, attempt, stage, reason, detail, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      h.route,
      h.seq,
      h.atMs,
      h.what,
      h.attempt,
      h.stage,
      h.reason,
      h.detail,
      h.origin,
    )
  }

  history(route: string, seq: number): Happening[] {
    return this.all('SELECT * FROM history WHERE route = ? AND seq = ? ORDER BY id', route, seq).map((row) => ({
      route: String(row['route']),
      seq: Number(row['seq']),
      atMs: Number(row['at_ms']),
      what: String(row['what']) as Happening['what'],
      attempt: Number(row['attempt']),
      stage: String(row['stage']),
      reason: String(row['reason']),
      detail: row['detail'] === null ? null : String(row['detail']),
      origin: String(row['origin']) as Happening['origin'],
    }))
  }

  /**
   * Records the definition of a route in force from `fromSeq` on, when it differs from the last one. What the route has
   * settled or parked above its watermark by now met the definition before it. Answers whether it has had another one before.
   */
  revise(route: string, fromSeq: number, revision: string, definition: string, atMs: number): boolean {
    const last = this.get('SELECT revision FROM revisions WHERE route = ? ORDER BY id DESC LIMIT 1', route)
    if (last !== undefined && String(last['revision']) === revision) return false
    const above = this.get('SELECT above FROM routes WHERE name = ?', route)?.['above'] ?? '[]'
    this.run(
      'INSERT INTO revisions (route, from_seq, revision, definition, at_ms, settled_above) VALUES (?, ?, ?, ?, ?, ?)',
      route,
      fromSeq,
      revision,
      definition,
      atMs,
      String(above),
    )
    return last !== undefined
  }

  /** When something was written down last, by the clock of then; null when nothing was. */
  get lastAtMs(): number | null {
    const atMs = this.get('SELECT at_ms FROM history ORDER BY id DESC LIMIT 1')?.['at_ms']
    return typeof atMs === 'number' ? atMs : null
  }

  /** When the definition of a route was last changed. */
  revisedAtMs(route: string): number {
    return Number(this.get('SELECT max(at_ms) AS at_ms FROM revisions WHERE route = ?', route)?.['at_ms'] ?? 0)
  }

  /** The definition of a route in force when it met `seq`. */
  revisionAt(route: string, seq: number): { readonly revision: string; readonly definition: string } | null {
    const rows = this.all('SELECT revision, definition, from_seq, settled_above FROM revisions WHERE route = ? ORDER BY id DESC', route)
    const isOf = (row: Record<string, unknown>): boolean =>
      Number(row['from_seq']) <= seq && !isWithin(JSON.parse(String(row['settled_above'])) as Stretch[], seq)
    const row = rows.find(isOf) ?? rows.at(-1)
    return row === undefined ? null : { revision: String(row['revision']), definition: String(row['definition']) }
  }

  /** Forgets what belongs to records the log no longer has. Dead letters stay: they carry their own bytes. */
  forgetBefore(seq: number): void {
    this.run(
      `DELETE FROM history WHERE seq < ? AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.route = history.route AND d.seq = history.seq)`,
      seq,
    )
    this.run('DELETE FROM expired WHERE to_seq < ?', seq)
  }

  transaction(work: () => void): void {
    this.db.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.db.exec('COMMIT')
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK')
      throw error
    }
  }

  /** A transaction that is on disk when this returns. */
  durably(work: () => void): void {
    this.db.exec('PRAGMA synchronous = FULL')
    try {
      this.transaction(work)
    } finally {
      this.db.exec('PRAGMA synchronous = NORMAL')
    }
  }

  /** Everything committed so far is on disk when this returns: asked for before the log lets go of what it stands for. */
  sync(): void {
    this.durably(() => this.run('UPDATE routes SET position = position'))
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes)
  }

  get(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#prepare(sql).get(...values)
  }

  each(sql: string, ...values: SQLInputValue[]): NodeJS.Iterator<Record<string, unknown>> {
    return this.db.prepare(sql).iterate(...values)
  }

  all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#prepare(sql).all(...values)
  }

  close(): void {
    if (this.db.isOpen) this.db.close()
  }

  #bury(route: string, d: DeadLetterRow): void {
    this.run(
      `INSERT INTO dead_letters (route, seq, event_id, topic, conversation_id, queue_id, user_id, reason, stage, detail, attempts, received_at_ms, died_at_ms, state, frame)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'dead', ?)
       ON CONFLICT (route, seq) DO UPDATE SET reason = excluded.reason, stage = excluded.stage, detail = excluded.detail,
         attempts = dead_letters.attempts + excluded.attempts, died_at_ms = excluded.died_at_ms, state = 'dead'`,
      route,
      d.seq,
      d.eventId,
      d.topic,
      d.conversationId,
      d.queueId,
      d.userId,
      d.reason,
      d.stage,
      d.detail,
      d.attempts,
      d.receivedAtMs,
      d.diedAtMs,
      d.frame,
    )
  }

  #prepare(sql: string): ReturnType<DatabaseSync['prepare']> {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** Throws a coded error when the file is no ledger: a person has to bring one back, or decide to go on without. */
function openedAt(path: string): DatabaseSync {
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(path)
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000')
    migrate(db)
    return db
  } catch (error) {
    db?.close()
    if (error instanceof TrunklineError) throw error
    const { message, errcode = 0 } = error as Error & { readonly errcode?: number }
    const primary = errcode & 0xff
    if (primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB)
      throw new TrunklineError(
        'data_dir.damaged',
        `the ledger ${path} cannot be read: ${message}`,
        'Restore it from a backup: it holds the progress of the routes and the dead letters.',
        { cause: error },
      )
    const hint = primary === SQLITE_FULL ? 'Free space on the disk, then start again.' : 'Mend its permissions and look at the disk.'
    throw new TrunklineError('data_dir.unusable', `the ledger ${path} cannot be opened: ${message}`, hint, { cause: error })
  }
}

const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_NOTADB = 26
