/** Dead letters: list, show, redrive. A redrive appends to the history of its events; it never rewrites one. */
import { TrunklineError } from '../errors.ts'
import type { Ledger, Pending } from '../routes/ledger.ts'
import type { Route } from '../routes/route.ts'
import { step } from '../diagnostics/step.ts'

export type DeadLetterFilter = {
  readonly route?: string
  readonly reason?: string
  readonly topic?: string
  readonly conversation?: string
  readonly queue?: string
  readonly eventIds?: readonly string[]
  /** Time of death, epoch ms, inclusive. */
  readonly fromMs?: number
  readonly toMs?: number
  /** Default `dead`; `redriving` and `redriven` are past. */
  readonly state?: 'dead' | 'redriving' | 'redriven' | 'all'
}

export type DeadLetter = {
  readonly eventId: string
  readonly route: string
  readonly topic: string
  readonly conversationId: string | null
  readonly reason: string
  readonly stage: string
  readonly detail: string | null
  readonly attempts: number
  readonly receivedAtMs: number
  readonly diedAtMs: number
  readonly state: string
}

const COLUMNS = 'id, seq, event_id, route, topic, conversation_id, reason, stage, detail, attempts, received_at_ms, died_at_ms, state'

export function listDeadLetters(
  ledger: Ledger,
  filter: DeadLetterFilter,
  page: { readonly limit: number; readonly cursor?: number },
): { deadLetters: DeadLetter[]; cursor: string | null; total: number } {
  const { where, values } = clauses(filter)
  const total = Number(ledger.get(`SELECT count(*) AS n FROM dead_letters WHERE ${where}`, ...values)?.['n'] ?? 0)
  const rows = ledger.all(
    `SELECT ${COLUMNS} FROM dead_letters WHERE ${where} AND id < ? ORDER BY id DESC LIMIT ?`,
    ...values,
    page.cursor ?? Number.MAX_SAFE_INTEGER,
    page.limit + 1,
  )
  const more = rows.length > page.limit
  const shown = more ? rows.slice(0, page.limit) : rows
  return { deadLetters: shown.map(toDeadLetter), cursor: more ? String(shown.at(-1)?.['id']) : null, total }
}

/** One dead letter with its frame (for the raw bytes), or null. */
export function findDeadLetter(ledger: Ledger, route: string, eventId: string): { letter: DeadLetter; seq: number; frame: Buffer } | null {
  const row = ledger.get(`SELECT ${COLUMNS}, frame FROM dead_letters WHERE route = ? AND event_id = ?`, route, eventId)
  if (row === undefined) return null
  const frame = row['frame'] as Uint8Array
  return { letter: toDeadLetter(row), seq: Number(row['seq']), frame: Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength) }
}

export type RedriveRequest = DeadLetterFilter & {
  readonly dryRun?: boolean
  /** Events that become due per second and route; unset: all at once. */
  readonly perSecond?: number
}

/**
 * Gives matching dead letters back to their routes, whole or not at all, and on disk before it answers. Attempts
 * begin again at one; the sink's idempotency key stays what it was. A route that is not configured is an error.
 */
export function redrive(
  ledger: Ledger,
  routes: ReadonlyMap<string, Route>,
  request: RedriveRequest,
  nowMs: number,
  requestedBy: string,
): { matched: number; redriven: number; dryRun: boolean; redriveId: number | null } {
  const { where, values } = clauses({ ...request, state: 'dead' })
  const rows = ledger.all(`SELECT route, seq FROM dead_letters WHERE ${where} ORDER BY id`, ...values)
  if (request.dryRun === true || rows.length === 0)
    return { matched: rows.length, redriven: 0, dryRun: request.dryRun === true, redriveId: null }
  const gap = request.perSecond === undefined ? 0 : 1000 / request.perSecond
  const byRoute = new Map<string, Pending[]>()
  for (const row of rows) {
    const name = String(row['route'])
    if (!routes.has(name))
      throw new TrunklineError(
        'redrive.unknown_route',
        `route ${name} has dead letters but is not in the configuration`,
        'Name another route, or put this one back and start again.',
      )
    const list = byRoute.get(name) ?? []
    const dueAtMs = Math.round(nowMs + list.length * gap)
    list.push({ seq: Number(row['seq']), state: 'redrive', attempt: 0, dueAtMs, reason: 'redrive.requested', entity: null, mark: null })
    byRoute.set(name, list)
  }
  let redriveId = 0
  ledger.durably(() => {
    const { state: _, dryRun: __, perSecond: ___, ...filter } = request
    ledger.run(
      'INSERT INTO redrives (at_ms, requested_by, filter, per_second, events) VALUES (?, ?, ?, ?, ?)',
      nowMs,
      requestedBy,
      JSON.stringify(filter),
      request.perSecond ?? null,
      rows.length,
    )
    redriveId = Number(ledger.get('SELECT last_insert_rowid() AS id')?.['id'])
    for (const [route, list] of byRoute)
      for (const p of list) {
        ledger.run(`UPDATE dead_letters SET state = 'redriving' WHERE route = ? AND seq = ?`, route, p.seq)
        ledger.run(
          'INSERT OR REPLACE INTO pending (route, seq, state, attempt, due_at_ms, reason, entity) VALUES (?, ?, ?, ?, ?, ?, NULL)',
          route,
          p.seq,
          p.state,
          p.attempt,
          p.dueAtMs,
          p.reason,
        )
        ledger.happened({
          route,
          seq: p.seq,
          atMs: nowMs,
          what: 'redrive_requested',
          attempt: 0,
          stage: 'deliver',
          reason: `redrive ${redriveId} by ${requestedBy}`,
          detail: null,
          origin: 'redrive',
        })
      }
  })
  step('redrive.recorded')
  for (const [name, list] of byRoute) routes.get(name)?.redrive(list)
  return { matched: rows.length, redriven: rows.length, dryRun: false, redriveId }
}

function clauses(filter: DeadLetterFilter): { where: string; values: (string | number)[] } {
  const parts: string[] = ['1 = 1']
  const values: (string | number)[] = []
  const add = (sql: string, value: string | number | undefined): void => {
    if (value === undefined) return
    parts.push(sql)
    values.push(value)
  }
  add('route = ?', filter.route)
  add('reason = ?', filter.reason)
  add('topic = ?', filter.topic)
  add('conversation_id = ?', filter.conversation)
  add('queue_id = ?', filter.queue)
  add('died_at_ms >= ?', filter.fromMs)
  add('died_at_ms <= ?', filter.toMs)
  const state = filter.state ?? 'dead'
  if (state !== 'all') add('state = ?', state)
  if (filter.eventIds !== undefined) add('event_id IN (SELECT value FROM json_each(?))', JSON.stringify(filter.eventIds))
  return { where: parts.join(' AND '), values }
}

function toDeadLetter(row: Record<string, unknown>): DeadLetter {
  return {
    eventId: String(row['event_id']),
    route: String(row['route']),
    topic: String(row['topic']),
    conversationId: row['conversation_id'] === null ? null : String(row['conversation_id']),
    reason: String(row['reason']),
    stage: String(row['stage']),
    detail: row['detail'] === null ? null : String(row['detail']),
    attempts: Number(row['attempts']),
    receivedAtMs: Number(row['received_at_ms']),
    diedAtMs: Number(row['died_at_ms']),
    state: String(row['state']),
  }
}
