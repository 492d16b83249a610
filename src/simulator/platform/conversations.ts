/** Conversations over REST: the snapshot, the analytics details (one, and the query), and the PATCH of attributes. */
import type { ConversationDetail, ParticipantDetail, SessionDetail } from '../../genesys/platform.ts'
import type { Simulation } from '../simulation.ts'
import { badRequest, NOT_FOUND, objectOf, problem, type Answer, type Call } from './answer.ts'
import type { Route } from './router.ts'

export function conversationRoutes(simulation: Simulation): readonly Route[] {
  const one = (shape: (detail: ConversationDetail) => object) => (call: Call) => {
    const detail = simulation.conversation(call.params[0]!)
    return detail === null ? NOT_FOUND : { status: 200, body: shape(detail) }
  }
  return [
    { method: 'GET', path: '/api/v2/conversations', answer: () => ({ status: 200, body: { entities: [] } }) },
    { method: 'GET', path: '/api/v2/conversations/{id}', answer: one(snapshotOf) },
    { method: 'GET', path: '/api/v2/analytics/conversations/{id}/details', answer: one((detail) => detail) },
    { method: 'POST', path: '/api/v2/analytics/conversations/details/query', answer: (call) => details(simulation, call.body) },
    {
      method: 'PATCH',
      path: '/api/v2/conversations/{id}/participants/{id}/attributes',
      answer: (call) => patchAttributes(simulation, call),
    },
  ]
}

function details(simulation: Simulation, body: unknown): Answer {
  const query = objectOf(body)
  if (query === null) return badRequest('A query is needed.')
  const range = rangeOf(query['interval'])
  if (range === null) return badRequest('interval must be two ISO 8601 times with a slash between, the first before the second.')
  if (range.toMs - range.fromMs > MAX_INTERVAL_MS) return badRequest('interval must not be longer than 31 days.')
  const paging = objectOf(query['paging']) ?? {}
  const { pageSize = 25, pageNumber = 1 } = paging as { readonly pageSize?: unknown; readonly pageNumber?: unknown }
  if (!isCount(pageSize) || pageSize > MAX_PAGE_SIZE) return badRequest(`paging.pageSize must be 1 to ${MAX_PAGE_SIZE}.`)
  if (!isCount(pageNumber) || pageNumber * pageSize > MAX_HITS) return badRequest(`paging must stay within ${MAX_HITS} hits.`)
  const order = query['order'] ?? 'asc'
  if (order !== 'asc' && order !== 'desc') return badRequest('order must be asc or desc.')
  const orderBy = query['orderBy'] ?? 'conversationStart'
  if (orderBy !== 'conversationStart' && orderBy !== 'conversationEnd') return badRequest('orderBy is not supported here.')
  const sign = order === 'asc' ? 1 : -1
  const found = simulation
    .conversationsBetween(range.fromMs, range.toMs)
    .toSorted((a, b) => sign * (compared(a[orderBy], b[orderBy]) || compared(a.conversationId, b.conversationId)))
  const conversations = found.slice((pageNumber - 1) * pageSize, pageNumber * pageSize)
  // Without hits the real answer has no list either.
  return { status: 200, body: { ...(conversations.length > 0 ? { conversations } : {}), totalHits: found.length } }
}

function patchAttributes(simulation: Simulation, { params, body }: Call): Answer {
  const attributes = objectOf(objectOf(body)?.['attributes'])
  if (attributes === null) return badRequest('attributes must be an object.')
  const entries = Object.entries(attributes)
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string'))
    return badRequest('Values of attributes must be texts.')
  if (entries.length > MAX_ATTRIBUTES) return badRequest(`More than ${MAX_ATTRIBUTES} attributes.`)
  const [conversationId = '', participantId = ''] = params
  if (simulation.conversation(conversationId) === null) return NOT_FOUND
  if (!simulation.setAttributes(conversationId, participantId, Object.fromEntries(entries)))
    return problem(404, 'conversation.participant.not.found', 'There is no such participant in the conversation.')
  return { status: 204 }
}

/** What `GET /api/v2/conversations/{id}` says: lower-case states, one communication list a medium. Not every field of the real one. */
function snapshotOf(detail: ConversationDetail): object {
  return {
    id: detail.conversationId,
    startTime: detail.conversationStart,
    ...(detail.conversationEnd === undefined ? {} : { endTime: detail.conversationEnd }),
    divisions: (detail.divisionIds ?? []).map((id) => ({ division: { id }, entities: [] })),
    participants: (detail.participants ?? []).map(participantOf),
    recordingState: 'none',
    selfUri: `/api/v2/conversations/${detail.conversationId}`,
  }
}

function participantOf(participant: ParticipantDetail): object {
  const { participantId, purpose, userId, externalContactId, sessions = [] } = participant
  const queueId = sessions.flatMap(({ segments = [] }) => segments.map((segment) => segment.queueId)).findLast((id) => id !== undefined)
  const byMedia = Map.groupBy(sessions, ({ mediaType }) => COMMUNICATIONS.get(mediaType?.toLowerCase() ?? '') ?? 'calls')
  return {
    id: participantId,
    purpose,
    ...(userId === undefined ? {} : { userId }),
    ...(queueId === undefined ? {} : { queueId }),
    ...(externalContactId === undefined ? {} : { externalContactId }),
    attributes: {},
    ...Object.fromEntries([...byMedia].map(([media, list]) => [media, list.map(communicationOf)])),
  }
}

function communicationOf({ sessionId, direction, provider, segments = [] }: SessionDetail): object {
  const last = segments.at(-1)
  const open = last !== undefined && last.segmentEnd === undefined
  return {
    id: sessionId,
    state: open ? (last.segmentType === 'alert' ? 'alerting' : 'connected') : 'terminated',
    direction: direction?.toLowerCase(),
    provider,
    held: open && last.segmentType === 'hold',
    connectedTime: segments[0]?.segmentStart,
    ...(open ? {} : { disconnectedTime: last?.segmentEnd, disconnectType: last?.disconnectType?.toLowerCase() }),
  }
}

const COMMUNICATIONS: ReadonlyMap<string, string> = new Map([
  ['voice', 'calls'],
  ['chat', 'chats'],
  ['message', 'messages'],
  ['email', 'emails'],
  ['callback', 'callbacks'],
])
const MAX_INTERVAL_MS = 31 * 86_400_000
const MAX_PAGE_SIZE = 100
const MAX_HITS = 100_000
const MAX_ATTRIBUTES = 100

function rangeOf(interval: unknown): { readonly fromMs: number; readonly toMs: number } | null {
  const [from = '', to = '', ...more] = typeof interval === 'string' ? interval.split('/') : []
  const [fromMs, toMs] = [instant(from), instant(to)]
  return more.length > 0 || fromMs === null || toMs === null || fromMs >= toMs ? null : { fromMs, toMs }
}

function instant(text: string): number | null {
  const atMs = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(atMs) ? null : atMs
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1
}

/** Conversations that have not ended come last. */
function compared(a: string | undefined, b: string | undefined): number {
  const [left, right] = [a ?? '~', b ?? '~']
  return left < right ? -1 : left > right ? 1 : 0
}
