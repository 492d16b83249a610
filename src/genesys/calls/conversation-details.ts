/**
 * Conversations as analytics has them: one by its id, and the details query: those active in a time, oldest first. A long time is asked for in pieces of a day,
 * as the API limits the length of an interval (how far is not established; public clients keep below 31 days) and pages get slow far
 * in. A conversation that reaches into the next piece comes once. What is read is checked field by field.
 */
import { segment, type Caller } from '../caller.ts'
import { endless, readAll } from '../paging.ts'
import type { ConversationDetail, ParticipantDetail, SegmentDetail, SessionDetail } from '../platform.ts'
import { listAt, objectAt, objectsAt, required, textAt, textsAt, type JsonObject } from '../reading.ts'

const PATH = '/api/v2/analytics/conversations/details/query'
const PIECE_MS = 24 * 3_600_000
const PAGE_SIZE = 100
const MAX_PAGES = 2_000
const MAX_BYTES = 64 * 1024 * 1024

/** One conversation; null when analytics has none by that id. */
export async function readConversationDetail(caller: Caller, id: string, signal?: AbortSignal): Promise<ConversationDetail | null> {
  const call = { method: 'GET', path: `/api/v2/analytics/conversations/${segment(id)}/details`, repeatable: true, signal } as const
  return caller.jsonOrNull(call, (body) => required(conversationOf(body), 'a conversation without an id'))
}

/** Conversations active between two instants. */
export async function* readConversationDetails(
  caller: Caller,
  range: { readonly fromMs: number; readonly toMs: number },
  signal?: AbortSignal,
): AsyncIterable<ConversationDetail> {
  // A conversation in two pieces that do not touch is in those between, so the last piece is all that must be remembered.
  let before: ReadonlySet<string> = new Set()
  for (let fromMs = range.fromMs; fromMs < range.toMs; fromMs += PIECE_MS) {
    const seen = new Set<string>()
    for await (const conversation of readPiece(caller, fromMs, Math.min(range.toMs, fromMs + PIECE_MS), signal)) {
      if (seen.has(conversation.conversationId)) continue
      seen.add(conversation.conversationId)
      if (!before.has(conversation.conversationId)) yield conversation
    }
    before = seen
  }
}

/** The pages of one interval, without what a page repeats of the one before. */
async function* readPiece(
  caller: Caller,
  fromMs: number,
  toMs: number,
  signal: AbortSignal | undefined,
): AsyncIterable<ConversationDetail> {
  const interval = `${new Date(fromMs).toISOString()}/${new Date(toMs).toISOString()}`
  let last: ReadonlySet<string> = new Set()
  for (let pageNumber = 1; pageNumber <= MAX_PAGES; pageNumber++) {
    const query = { interval, order: 'asc', orderBy: 'conversationStart', paging: { pageSize: PAGE_SIZE, pageNumber } }
    const call = { method: 'POST', path: PATH, body: query, repeatable: true, maxBytes: MAX_BYTES, signal } as const
    const { found, readable } = await caller.json(call, readPage)
    const fresh = readable.filter(({ conversationId }) => !last.has(conversationId))
    if (readable.length > 0 && fresh.length === 0) throw endless(PATH, `repeats itself at page ${pageNumber}`)
    yield* fresh
    if (found < PAGE_SIZE) return
    last = new Set(readable.map(({ conversationId }) => conversationId))
  }
  throw endless(PATH, `has more than ${MAX_PAGES} pages`)
}

function readPage(body: JsonObject): { readonly found: number; readonly readable: readonly ConversationDetail[] } {
  // The list is left out when nothing was found.
  const found = body['conversations'] === undefined || body['conversations'] === null ? [] : listAt(body, 'conversations')
  return { found: found.length, readable: readAll(found, conversationOf) }
}

function conversationOf(value: JsonObject): ConversationDetail | null {
  const conversationId = textAt(value, 'conversationId', 300)
  if (conversationId === null) return null
  const divisionIds = textsAt(value, 'divisionIds')
  return {
    conversationId,
    ...texts(value, ['conversationStart', 'conversationEnd', 'originatingDirection']),
    ...(divisionIds.length === 0 ? {} : { divisionIds }),
    participants: objectsAt(value, 'participants').map(participantOf),
  }
}

function participantOf(value: JsonObject): ParticipantDetail {
  return {
    ...texts(value, ['participantId', 'purpose', 'userId', 'externalContactId', 'externalOrganizationId']),
    sessions: objectsAt(value, 'sessions').map(sessionOf),
  }
}

function sessionOf(value: JsonObject): SessionDetail {
  const flow = objectAt(value, 'flow')
  return {
    ...texts(value, ['sessionId', 'mediaType', 'provider', 'direction', 'ani', 'dnis', 'addressFrom', 'addressTo', 'messageType']),
    ...(flow === null ? {} : { flow: texts(flow, ['flowId', 'flowType', 'flowVersion', 'exitReason', 'transferType']) }),
    segments: objectsAt(value, 'segments').map(segmentOf),
  }
}

function segmentOf(value: JsonObject): SegmentDetail {
  return texts(value, ['segmentStart', 'segmentEnd', 'segmentType', 'queueId', 'disconnectType', 'wrapUpCode', 'wrapUpNote'])
}

/** The fields that are texts. */
function texts<K extends string>(value: JsonObject, names: readonly K[]): { readonly [N in K]?: string } {
  const found: { [N in K]?: string } = {}
  for (const name of names) {
    const text = textAt(value, name, 100_000)
    if (text !== null) found[name] = text
  }
  return found
}
