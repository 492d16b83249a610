/** The read API and the dead-letter API under /v1, plus health, metrics and the plain page. Shapes: docs/reference/http-api.md. */
import { Hono } from 'hono'
import { TrunklineError } from '../errors.ts'
import type { Event } from '../event/event.ts'
import { eventId, parseEventId } from '../log/event-id.ts'
import { frameEvent, frameRaw } from '../log/frame.ts'
import type { Log } from '../log/log.ts'
import type { LogRecord } from '../log/reader.ts'
import { type EventQuery, search } from '../log/search.ts'
import { type DeadLetterFilter, findDeadLetter, listDeadLetters, redrive } from '../recovery/dead-letters.ts'
import { findQuarantined, listQuarantine } from '../recovery/quarantine.ts'
import { type Findings, ROUTE_OUTCOMES, explainOnRoute, outcomeOnRoute } from '../routes/explain.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { Route } from '../routes/route.ts'
import { Params } from './params.ts'
import { readObject } from './request-body.ts'

export type ApiOptions = {
  readonly log: Log
  readonly ledger: Ledger
  readonly routes: ReadonlyMap<string, Route>
  readonly nowMs: () => number
  readonly ready: () => { readonly ok: boolean; readonly reasons: readonly string[] }
  readonly stats: () => object
  readonly metrics: () => Promise<string>
  readonly page: () => string
  /** What validation says of an event now, in words; null when it fits. */
  readonly findings: Findings
}

/** Codes of requests that are right, only not now. */
const TRY_AGAIN: ReadonlySet<string> = new Set(['service.stopping', 'state.too_many_listeners', 'reconcile.running'])
const MAX_LIMIT = 1000
/** A list that filters on outcomes looks at most at so many events a call; the cursor goes on from there. */
const MAX_SCANNED = 20_000

export function api(o: ApiOptions): Hono {
  const app = new Hono()
  app.onError((error, c) => {
    if (error instanceof TrunklineError) {
      const status = error.code.endsWith('.unknown') ? 404 : TRY_AGAIN.has(error.code) ? 503 : 400
      return c.json({ code: error.code, message: error.message, hint: error.hint }, status)
    }
    return c.json(
      {
        code: 'http.internal',
        message: `this request failed: ${error.message}`,
        hint: 'Look at the log of the service; please report it.',
      },
      500,
    )
  })
  app.notFound((c) =>
    c.json(
      {
        code: 'http.not_found',
        message: `there is nothing at ${c.req.method} ${c.req.path}`,
        hint: 'The API is described in docs/reference/http-api.md.',
      },
      404,
    ),
  )

  app.get('/', (c) => {
    c.header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    )
    c.header('x-content-type-options', 'nosniff')
    return c.html(o.page())
  })
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', (c) => {
    const { ok, reasons } = o.ready()
    return c.json({ status: ok ? 'ready' : 'not ready', reasons }, ok ? 200 : 503)
  })
  app.get('/metrics', async (c) => c.text(await o.metrics(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }))
  app.get('/v1/stats', (c) => c.json(o.stats()))

  app.get('/v1/events', async (c) => {
    const params = new Params(c.req.query(), [
      'topic',
      'conversation',
      'queue',
      'agent',
      'route',
      'outcome',
      'from',
      'to',
      'cursor',
      'limit',
      'order',
    ])
    return c.json(await listEvents(o, params))
  })
  app.get('/v1/events/:id', async (c) => {
    const id = c.req.param('id')
    const seq = parseEventId(o.log.logId, id)
    if (seq !== null) {
      const record = await o.log.events.record(seq)
      if (record === null)
        throw new TrunklineError(
          'event.unknown',
          `no event ${id} is in the log`,
          'It may be older than the log keeps; see log.maxAgeMs and log.maxBytes.',
        )
      return c.json(await wholeHistory(o, record))
    }
    const events = []
    for await (const { record } of search(o.log.events, { envelopeId: id }, { order: 'asc' })) {
      events.push(await wholeHistory(o, record))
      if (events.length >= MAX_LIMIT) break
    }
    if (events.length === 0)
      throw new TrunklineError(
        'event.unknown',
        `no event with the id or envelope id ${JSON.stringify(id)} is in the log`,
        'Look for it with `trunkline events` (GET /v1/events) and a filter.',
      )
    return c.json({ envelopeId: id, events })
  })

  const knownRoute = (route: string | undefined): void => {
    const names = new Set([...o.routes.keys(), ...o.ledger.routeNames()])
    if (route === undefined || names.has(route)) return
    throw new TrunklineError('route.unknown', `there is no route ${JSON.stringify(route)}`, `The routes are: ${[...names].join(', ')}.`)
  }

  app.get('/v1/deadletters', (c) => {
    const params = new Params(c.req.query(), [
      'route',
      'reason',
      'topic',
      'conversation',
      'queue',
      'state',
      'from',
      'to',
      'cursor',
      'limit',
    ])
    const cursor = params.integer('cursor')
    knownRoute(params.text('route'))
    return c.json(
      listDeadLetters(o.ledger, deadLetterFilter(params), {
        limit: params.limit(100, MAX_LIMIT),
        ...(cursor === undefined ? {} : { cursor }),
      }),
    )
  })
  app.get('/v1/deadletters/:route/:id', (c) => {
    const found = findDeadLetter(o.ledger, c.req.param('route'), c.req.param('id'))
    if (found === null)
      throw new TrunklineError(
        'deadletter.unknown',
        `route ${c.req.param('route')} has no dead letter ${c.req.param('id')}`,
        'List them with `trunkline deadletters` (GET /v1/deadletters).',
      )
    const raw = frameRaw(found.frame, 0)
    return c.json({ ...found.letter, history: o.ledger.history(found.letter.route, found.seq), raw: raw.toString('utf8') })
  })
  app.post('/v1/deadletters/redrive', async (c) => {
    const body = await readObject(c.req.raw)
    const params = new Params(body, ['route', 'reason', 'topic', 'conversation', 'queue', 'eventIds', 'from', 'to', 'dryRun', 'perSecond'])
    const eventIds = params.strings('eventIds')
    const perSecond = params.positive('perSecond')
    const request = {
      ...deadLetterFilter(params),
      dryRun: params.boolean('dryRun') ?? false,
      ...(eventIds === undefined ? {} : { eventIds }),
      ...(perSecond === undefined ? {} : { perSecond }),
    }
    knownRoute(request.route)
    return c.json(redrive(o.ledger, o.routes, request, o.nowMs(), 'api'))
  })

  app.get('/v1/quarantine', async (c) => {
    const params = new Params(c.req.query(), ['cursor', 'limit'])
    const cursor = params.integer('cursor')
    return c.json(
      await listQuarantine(o.log.quarantine, o.log.logId, { limit: params.limit(50, 200), ...(cursor === undefined ? {} : { cursor }) }),
    )
  })
  app.get('/v1/quarantine/:id', async (c) => {
    const record = await findQuarantined(o.log.quarantine, o.log.logId, c.req.param('id'))
    if (record === null)
      throw new TrunklineError(
        'quarantine.unknown',
        `no record ${c.req.param('id')} is in quarantine`,
        'It may have left: quarantine.maxBytes bounds it, oldest out first.',
      )
    return c.json(record)
  })
  return app
}

async function listEvents(o: ApiOptions, params: Params): Promise<object> {
  const limit = params.limit(100, MAX_LIMIT)
  const order = params.oneOf('order', ['asc', 'desc']) ?? 'desc'
  const cursor = params.integer('cursor')
  const route = params.text('route')
  const outcome = params.oneOf('outcome', ROUTE_OUTCOMES)
  if (route !== undefined && !o.routes.has(route))
    throw new TrunklineError(
      'route.unknown',
      `there is no route ${JSON.stringify(route)}`,
      `The routes are: ${[...o.routes.keys()].join(', ')}.`,
    )
  const range = order === 'asc' ? { order, afterSeq: cursor ?? 0 } : { order, ...(cursor === undefined ? {} : { beforeSeq: cursor }) }
  const end = o.log.events.nextSeq
  const events: object[] = []
  let last = cursor ?? 0
  let scanned = 0
  let more = false
  for await (const { record, event } of search(o.log.events, eventQuery(params), range)) {
    if (order === 'asc' && record.seq >= end) break
    if (events.length >= limit || scanned++ >= MAX_SCANNED) {
      more = true
      break
    }
    last = record.seq
    const outcomes = Object.fromEntries([...o.routes].map(([name, r]) => [name, outcomeOnRoute(o.ledger, name, r, record.seq, event)]))
    const shown = outcome === undefined || (route === undefined ? Object.values(outcomes).includes(outcome) : outcomes[route] === outcome)
    if (shown && (route === undefined || outcome !== undefined || outcomes[route] !== 'not_matched'))
      events.push({ ...summary(event), routes: outcomes })
  }
  // Going up, the cursor is always given: there may be more tomorrow. All records up to `end` have been looked at.
  const reached = order === 'asc' && !more ? Math.max(last, end - 1) : last
  return { events, cursor: order === 'asc' || more ? String(reached) : null, indexLagMs: 0 }
}

async function wholeHistory(o: ApiOptions, record: LogRecord): Promise<object> {
  const event = o.log.events.event(record)
  const receipts = []
  if (event.key === null) receipts.push(receipt(record, event, o.log.logId))
  else
    for await (const found of search(o.log.events, { key: event.key }, { order: 'asc' })) {
      receipts.push(receipt(found.record, found.event, o.log.logId))
      if (receipts.length >= MAX_LIMIT) break
    }
  const names = new Set([...o.routes.keys(), ...o.ledger.routeNames()])
  const routes = [...names].map((name) => explainOnRoute(o.ledger, name, o.routes.get(name) ?? null, record.seq, event, o.findings))
  return {
    ...summary(event),
    via: frameEvent(record.buffer, record.at).via,
    verdict: verdictOf(event),
    key: event.key === null ? null : Buffer.from(event.key).toString('hex'),
    keyKind: event.keyKind,
    layers: event.layers,
    params: event.params,
    orgId: event.orgId,
    failure: event.failure,
    receipts,
    routes,
    raw: frameRaw(record.buffer, record.at).toString('utf8'),
  }
}

function receipt(record: LogRecord, event: Event, logId: string): object {
  return {
    id: eventId(logId, record.seq),
    receivedAtMs: record.receivedAtMs,
    via: frameEvent(record.buffer, record.at).via,
    envelopeId: event.envelopeId,
    verdict: verdictOf(event),
    duplicateOf: event.duplicateOf,
  }
}

const verdictOf = (event: Event): string => (event.duplicateOf === null ? 'first' : 'duplicate')

function summary(event: Event): object {
  const { id, receivedAtMs, occurredAtMs, publishedAtMs, topic, topicName, format, source, envelopeId } = event
  const { conversationId, queueId, userId, marks, duplicateOf } = event
  return {
    id,
    receivedAtMs,
    occurredAtMs,
    publishedAtMs,
    topic,
    topicName,
    format,
    source,
    envelopeId,
    conversationId,
    queueId,
    userId,
    marks,
    duplicateOf,
  }
}

function eventQuery(params: Params): EventQuery {
  const query: Record<string, unknown> = {}
  const set = (name: keyof EventQuery, value: unknown): void => {
    if (value !== undefined) query[name] = value
  }
  set('topic', params.text('topic'))
  set('conversation', params.text('conversation'))
  set('queue', params.text('queue'))
  set('user', params.text('agent'))
  set('fromMs', params.instant('from'))
  set('toMs', params.instant('to'))
  return query
}

function deadLetterFilter(params: Params): DeadLetterFilter {
  const filter: Record<string, unknown> = {}
  for (const name of ['route', 'reason', 'topic', 'conversation', 'queue'] as const) {
    const value = params.text(name)
    if (value !== undefined) filter[name] = value
  }
  const state = params.oneOf('state', ['dead', 'redriving', 'redriven', 'all'])
  if (state !== undefined) filter['state'] = state
  const fromMs = params.instant('from')
  const toMs = params.instant('to')
  if (fromMs !== undefined) filter['fromMs'] = fromMs
  if (toMs !== undefined) filter['toMs'] = toMs
  return filter
}
