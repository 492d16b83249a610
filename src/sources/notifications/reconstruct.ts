/**
 * Detail events made from what the analytics details query says of a conversation: one for each begin and end it shows, with
 * the fields it gives and no others. They are never equal to the live events (those know more), and are marked as what they are.
 *
 * Not made, because the answer does not show them: attributes, contact, outbound, flow.outcome; and nothing of participants
 * whose kind of detail event is not documented (`external`, `workflow`, ...).
 */
import { readInstant } from '../../event/times.ts'
import type { ConversationDetail, ParticipantDetail, SegmentDetail, SessionDetail } from '../../genesys/platform.ts'

export type ReconstructedEvent = {
  /** What follows `v2.detail.events.conversation.{id}.` in its topic. */
  readonly kind: string
  readonly conversationId: string
  readonly participantId: string | null
  readonly sessionId: string | null
  readonly atMs: number
  readonly body: Readonly<Record<string, unknown>>
}

export const DETAIL_TOPICS = 'v2.detail.events.conversation.{id}.'

/** Kinds that can be made. */
export const RECONSTRUCTED_KINDS: readonly string[] = [
  'customer.start',
  'customer.end',
  'flow.start',
  'flow.end',
  'acd.start',
  'acd.end',
  'user.start',
  'user.end',
  'acw',
  'wrapup',
  'voicemail.start',
  'voicemail.end',
]

/** All events the answer of this time shows, in order of time. Anything may be absent; what cannot be read is passed over. */
export function reconstruct(conversation: ConversationDetail, answeredAtMs: number): readonly ReconstructedEvent[] {
  const events: ReconstructedEvent[] = []
  const over = overAtMs(conversation, answeredAtMs) !== null
  for (const participant of listOf(conversation.participants)) {
    const purpose = PURPOSES[participant.purpose ?? '']
    if (purpose === undefined) continue
    for (const session of listOf(participant.sessions)) {
      const event = eventMaker(conversation, participant, session)
      for (const one of eventsOf(purpose, participant, session, over)) events.push(event(one))
    }
  }
  return events.sort((a, b) => a.atMs - b.atMs)
}

/** When the conversation was over; null while it goes on, and where it says a time that cannot be: in the future, or before something in it began. */
export function overAtMs({ conversationStart, conversationEnd, participants }: ConversationDetail, answeredAtMs: number): number | null {
  const endMs = readInstant(conversationEnd)
  if (endMs === null || endMs > answeredAtMs + CLOCKS_APART_MS || endMs < (readInstant(conversationStart) ?? 0)) return null
  const segments = listOf(participants)
    .flatMap(({ sessions }) => listOf(sessions))
    .flatMap(contactsOf)
  return segments.some(({ startMs }) => startMs > endMs) ? null : endMs
}

/** When a session, whoever's it is, ended in a conversation that is over, and the segment that says so; null where there is none. */
export function lastEndOf({ participants }: ConversationDetail, sessionId: string): End | null {
  const sessions = listOf(participants).flatMap((participant) => listOf(participant.sessions))
  return lastOf(sessions.filter((session) => session.sessionId === sessionId).flatMap(contactsOf))
}

/** The topic of a reconstructed event, with its id. */
export function topicNameOf({ conversationId, kind }: Pick<ReconstructedEvent, 'conversationId' | 'kind'>): string {
  return `v2.detail.events.conversation.${conversationId}.${kind}`
}

/** The record of a reconstructed event: a notification with its origin. */
export function recordOf(event: ReconstructedEvent): string {
  return JSON.stringify({ topicName: topicNameOf(event), version: '2', eventBody: event.body, metadata: {}, origin: 'backfill' })
}

type Purpose = 'customer' | 'flow' | 'acd' | 'user' | 'voicemail'
type End = { readonly atMs: number; readonly segment: SegmentDetail }
type Fields = Readonly<Record<string, unknown>>
type Boundary = { readonly kind: string; readonly atMs: number; readonly fields: Fields }
/** A segment with its times read; without an end that is before its beginning. */
type Timed = { readonly segment: SegmentDetail; readonly type: string; readonly startMs: number; readonly endMs: number | null }

/** The clock of Genesys and ours differ by less. */
const CLOCKS_APART_MS = 60_000

const PURPOSES: Readonly<Record<string, Purpose | undefined>> = Object.assign(
  Object.create(null) as object,
  {
    customer: 'customer',
    ivr: 'flow',
    acd: 'acd',
    agent: 'user',
    user: 'user',
    voicemail: 'voicemail',
  } as const,
)

function eventsOf(purpose: Purpose, participant: ParticipantDetail, session: SessionDetail, over: boolean): readonly Boundary[] {
  const wrapups = timed(session).filter(({ type }) => type === 'wrapup')
  const contacts = contactsOf(session)
  const first = contacts[0]
  const events: Boundary[] = []
  if (first !== undefined) {
    const fields = fieldsOf(purpose, participant, session, contacts)
    events.push({ kind: `${purpose}.start`, atMs: first.startMs, fields })
    const end = lastOf(contacts)
    if (end !== null && (over || wrapups.length > 0 || isDisconnected(purpose, end.segment)))
      events.push({ kind: `${purpose}.end`, atMs: end.atMs, fields: { ...fields, ...endFields(purpose, session, contacts, end.segment) } })
  }
  if (purpose === 'user') for (const wrapup of wrapups) events.push(...wrapupEvents(participant, wrapup))
  return events
}

/** What is not after-call work. */
function contactsOf(session: SessionDetail): readonly Timed[] {
  return timed(session).filter(({ type }) => type !== 'wrapup')
}

/** The segment that ended last; null where one has not ended. */
function lastOf(segments: readonly Timed[]): End | null {
  let last: End | null = null
  for (const { endMs, segment } of segments) {
    if (endMs === null) return null
    if (last === null || endMs >= last.atMs) last = { atMs: endMs, segment }
  }
  return last
}

/** Whether the segment ends its session though the conversation goes on: a customer who is transferred is still there. */
function isDisconnected(purpose: Purpose, { disconnectType }: SegmentDetail): boolean {
  return disconnectType !== undefined && !(purpose === 'customer' && /transfer$/i.test(disconnectType))
}

function fieldsOf(purpose: Purpose, participant: ParticipantDetail, session: SessionDetail, segments: readonly Timed[]): Fields {
  const queueId = segments.findLast(({ segment }) => segment.queueId !== undefined)?.segment.queueId
  const { externalContactId, externalOrganizationId, userId } = participant
  switch (purpose) {
    case 'customer':
      return { externalContactId, externalOrganizationId }
    case 'flow':
      return { flowType: upper(session.flow?.flowType), flowId: session.flow?.flowId, flowVersion: session.flow?.flowVersion }
    case 'acd':
      return { queueId }
    case 'user':
    case 'voicemail':
      return { userId, queueId }
  }
}

function endFields(purpose: Purpose, session: SessionDetail, segments: readonly Timed[], last: SegmentDetail): Fields {
  const disconnectType = upper(last.disconnectType)
  switch (purpose) {
    case 'customer':
      return { disconnectType, interactingDurationMs: spent(segments, 'interact') }
    case 'flow':
      return { disconnectType, exitReason: upper(session.flow?.exitReason), transferType: upper(session.flow?.transferType) }
    case 'acd':
      return { disconnectType }
    case 'voicemail':
      return { disconnectType, voicemailDurationMs: spent(segments, 'voicemail') }
    case 'user':
      return {
        disconnectType,
        interactingDurationMs: spent(segments, 'interact'),
        heldDurationMs: spent(segments, 'hold'),
        alertingDurationMs: spent(segments, 'alert'),
        contactingDurationMs: spent(segments, 'contacting'),
        dialingDurationMs: spent(segments, 'dialing'),
        callbackDurationMs: spent(segments, 'callback'),
      }
  }
}

/** After-call work ends, and its code is set, with the wrap-up segment. */
function wrapupEvents(participant: ParticipantDetail, { segment, startMs, endMs }: Timed): readonly Boundary[] {
  if (endMs === null) return []
  const { queueId, wrapUpCode: wrapupCode, wrapUpNote: wrapupNotes } = segment
  const fields = { queueId, wrapupCode, wrapupNotes, wrapupDurationMs: endMs - startMs }
  const acw: Boundary = { kind: 'acw', atMs: endMs, fields: { userId: participant.userId, ...fields } }
  return wrapupCode === undefined ? [acw] : [acw, { kind: 'wrapup', atMs: endMs, fields }]
}

function eventMaker(
  { conversationId }: ConversationDetail,
  { participantId }: ParticipantDetail,
  session: SessionDetail,
): (one: Boundary) => ReconstructedEvent {
  const { sessionId, provider, ani, dnis, addressTo, addressFrom } = session
  return ({ kind, atMs, fields }) => {
    const body = {
      eventTime: atMs,
      conversationId,
      participantId,
      sessionId,
      mediaType: upper(session.mediaType),
      provider,
      direction: upper(session.direction),
      ani,
      dnis,
      addressTo,
      addressFrom,
      messageType: upper(session.messageType),
      ...fields,
    }
    return { kind, conversationId, participantId: participantId ?? null, sessionId: sessionId ?? null, atMs, body: withoutAbsent(body) }
  }
}

function timed(session: SessionDetail): readonly Timed[] {
  const segments: Timed[] = []
  for (const segment of listOf(session.segments)) {
    const startMs = readInstant(segment.segmentStart)
    if (startMs === null) continue
    const endMs = readInstant(segment.segmentEnd)
    const type = (segment.segmentType ?? '').toLowerCase()
    segments.push({ segment, type, startMs, endMs: endMs !== null && endMs >= startMs ? endMs : null })
  }
  return segments.sort((a, b) => a.startMs - b.startMs)
}

/** Time in segments of one type; absent where there were none. */
function spent(segments: readonly Timed[], wanted: string): number | undefined {
  const some = segments.filter(({ type, endMs }) => type === wanted && endMs !== null)
  return some.length === 0 ? undefined : some.reduce((sum, { startMs, endMs }) => sum + (endMs ?? startMs) - startMs, 0)
}

/** As detail events write it: the API says `conferenceTransfer` or `transport.failure`, events say CONFERENCE_TRANSFER. */
function upper(value: string | undefined): string | undefined {
  return value
    ?.replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()
}

function withoutAbsent(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** The API's answer is outside data: a list may be absent or no list. */
function listOf<T>(list: readonly T[] | undefined): readonly T[] {
  return Array.isArray(list) ? (list as readonly T[]).filter((one) => typeof one === 'object' && one !== null) : []
}
