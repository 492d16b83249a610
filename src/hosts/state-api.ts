/** Conversations, agents and queues over HTTP, their changes, and `POST /v1/state/rebuild`. Shapes: docs/reference/http-api.md. */
import type { Hono } from 'hono'
import { TrunklineError } from '../errors.ts'
import type { Interval } from '../state/queue-state.ts'
import type { State } from '../state/state.ts'
import type { LimiterDrops } from './limiter-drops.ts'
import { Params } from './params.ts'
import { readObject } from './request-body.ts'
import type { StateChanges } from './state-changes.ts'
import type { Rebuilt } from './state-rebuild.ts'
import type { StateViews } from './state-views.ts'

export type StateApiOptions = {
  /** Null where `state.enabled` is false. */
  readonly kept: {
    readonly state: () => State
    readonly changes: StateChanges
    readonly rebuild: () => Promise<Rebuilt>
  } | null
  readonly lagEvents: () => number
  readonly views: StateViews
  readonly limiterDrops: () => readonly LimiterDrops[]
  readonly nowMs: () => number
}

const MAX_LIMIT = 1000
const HALF_HOUR_MS = 30 * 60_000

/** The half hour that an instant is in. */
export function halfHourOf(atMs: number): Interval {
  const fromMs = Math.floor(atMs / HALF_HOUR_MS) * HALF_HOUR_MS
  return { fromMs, toMs: fromMs + HALF_HOUR_MS }
}

export function stateApi(app: Hono, o: StateApiOptions): void {
  const kept = (): NonNullable<StateApiOptions['kept']> => {
    if (o.kept !== null) return o.kept
    throw new TrunklineError('state.disabled', 'this service keeps no state', 'Set state.enabled to true and start it again.')
  }
  const asked = (params: Params): { state: State; asOfMs: number; about: { asOfMs: number; lagEvents: number } } => {
    const asOfMs = params.instant('asOf') ?? o.nowMs()
    return { state: kept().state(), asOfMs, about: { asOfMs, lagEvents: o.lagEvents() } }
  }
  const { views } = o

  app.get('/v1/conversations', (c) => {
    const params = new Params(c.req.query(), ['open', 'closedSince', 'limit', 'asOf'])
    const { state, asOfMs, about } = asked(params)
    const open = params.oneOf('open', ['true', 'false'])
    const closedSinceMs = params.instant('closedSince')
    const limit = params.limit(100, MAX_LIMIT)
    const filter = { ...(open === undefined ? {} : { open: open === 'true' }), ...(closedSinceMs === undefined ? {} : { closedSinceMs }) }
    const found = state.conversations({ ...filter, max: limit + 1 }, asOfMs)
    return c.json({ ...about, more: found.length > limit, conversations: found.slice(0, limit).map(views.conversation) })
  })
  app.get('/v1/conversations/:id', (c) => {
    const { state, asOfMs, about } = asked(new Params(c.req.query(), ['asOf']))
    const id = c.req.param('id')
    const conversation = state.conversation(id, asOfMs)
    if (conversation === null)
      throw unknown('conversation.unknown', id, 'It may not have begun then, or be older than the state goes back.')
    return c.json({ ...about, conversation: views.conversation(conversation) })
  })
  app.get('/v1/agents', (c) => {
    const { state, asOfMs, about } = asked(new Params(c.req.query(), ['asOf']))
    return c.json({ ...about, agents: state.agents(asOfMs).map(views.agent) })
  })
  app.get('/v1/agents/:id', (c) => {
    const { state, asOfMs, about } = asked(new Params(c.req.query(), ['asOf']))
    const id = c.req.param('id')
    const agent = state.agent(id, asOfMs)
    if (agent === null) throw unknown('agent.unknown', id, 'No event was about this user yet.')
    return c.json({ ...about, agent: views.agent(agent) })
  })
  app.get('/v1/queues', (c) => {
    const params = new Params(c.req.query(), ['from', 'to', 'asOf'])
    const { state, asOfMs, about } = asked(params)
    const now = halfHourOf(asOfMs)
    const interval = { fromMs: params.instant('from') ?? now.fromMs, toMs: params.instant('to') ?? now.toMs }
    if (interval.toMs <= interval.fromMs)
      throw new TrunklineError('http.bad_request', 'the interval ends before it begins', 'Give `from` and a later `to`.')
    const queues = state.queues(asOfMs, interval).map(views.queue)
    const { completeSinceMs } = state
    return c.json({
      ...about,
      ...interval,
      completeSinceMs: Number.isFinite(completeSinceMs) ? completeSinceMs : null,
      queues,
      limiterDrops: o.limiterDrops().map((drops) => ({
        ...drops,
        name: drops.queueId === null ? null : views.nameOf('queues', drops.queueId),
      })),
    })
  })
  app.post('/v1/state/rebuild', async (c) => {
    new Params(await readObject(c.req.raw), [])
    return c.json({ ...(await kept().rebuild()), lagEvents: o.lagEvents() })
  })
  app.get('/v1/state/changes', (c) => {
    new Params(c.req.query(), [])
    return c.body(kept().changes.listen(), 200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  })
}

function unknown(code: 'conversation.unknown' | 'agent.unknown', id: string, hint: string): TrunklineError {
  return new TrunklineError(code, `nothing of ${JSON.stringify(id.slice(0, 100))} is part of the state`, hint)
}
