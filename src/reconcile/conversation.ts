/**
 * A conversation as the state has it beside the same as analytics has it. What the state lacks becomes the events that would have
 * told it (the same ones a gap in the notifications is filled with), and what is over at Genesys is over here when they are taken.
 *
 * By the state and not by the log is decided what is missing: an event that the state has worked out otherwise is not told again.
 * Only of a conversation that the state does not have the log is asked, so that what left the state long ago is not told once more.
 */
import { readInstant } from '../event/times.ts'
import type { ConversationDetail } from '../genesys/platform.ts'
import { withoutLive, type LiveEvent } from '../sources/notifications/match-live.ts'
import { reconstruct, topicNameOf, type ReconstructedEvent } from '../sources/notifications/reconstruct.ts'
import type { ConversationState, ParticipantState } from '../state/conversation-state.ts'
import { ON_ITS_WAY_MS, type Comparison, type Finding, type Repair, type Said } from './finding.ts'

export type ConversationSides = {
  /** Null when the state has none by that id. */
  readonly here: ConversationState | null
  readonly there: ConversationDetail
  /** When the API was asked. */
  readonly askedAtMs: number
  /** What the log has of it; only looked at where the state has nothing. */
  readonly live: readonly LiveEvent[]
  /** Older facts change nothing in a conversation that is closed, or that the state does not have. */
  readonly frozenBeforeMs: number
}

/** What differs; null when the state lacks nothing that can be told. */
export function compareConversation({ here, there, askedAtMs, live, frozenBeforeMs }: ConversationSides): Comparison | null {
  const untilMs = askedAtMs - ON_ITS_WAY_MS
  const overAtMs = readInstant(there.conversationEnd)
  const endedAtMs = overAtMs !== null && overAtMs <= untilMs ? overAtMs : null
  const told = reconstruct(there).filter(({ atMs }) => atMs <= untilMs)
  const lacking = here === null ? told : told.filter((event) => !isKnown(event, here))
  const missing = endedAtMs === null || here === null ? lacking : [...lacking, ...untoldEnds(here, there, endedAtMs, lacking)]
  const isOpenHere = here?.open === true
  const isStuck = endedAtMs !== null && here !== null && (isOpenHere || missing.some(({ kind }) => kind.endsWith('.end')))
  if (missing.length === 0 && !isStuck) return null

  const fresh = here === null ? withoutLive(missing, live, TOLERANCE_MS) : missing
  const taken = isOpenHere ? fresh : fresh.filter(({ atMs }) => atMs >= frozenBeforeMs)
  const finding: Finding = {
    kind: isStuck ? 'stuck' : 'gap',
    entity: 'conversation',
    id: there.conversationId,
    about: 'conversation',
    here: saidHere(here),
    there: endedAtMs === null ? { value: 'open', sinceMs: readInstant(there.conversationStart) } : { value: 'ended', sinceMs: endedAtMs },
    obstacle: taken.length > 0 ? null : missing.length === 0 ? 'no_time' : fresh.length === 0 ? 'in_the_log' : 'too_late',
  }
  return { finding, repairs: inOrder(taken).map(repairOf) }
}

/** What the state says of a conversation. */
export function saidHere(here: ConversationState | null): Said {
  if (here === null) return { value: null, sinceMs: null }
  return here.open ? { value: 'open', sinceMs: here.newestAtMs } : { value: 'ended', sinceMs: here.endedAtMs }
}

/** Live and reconstructed times differ by no more. */
const TOLERANCE_MS = 2_000

/** Whether the state shows what the event tells, by whatever told it. */
function isKnown(event: ReconstructedEvent, here: ConversationState): boolean {
  const sessionId = event.sessionId ?? event.participantId ?? ''
  const leg = here.agentLegs.find((one) => one.sessionId === sessionId)
  if (event.kind === 'acw') return leg !== undefined && leg.state !== 'WRAPUP' && leg.acwMs > 0
  if (event.kind === 'wrapup') return leg !== undefined && leg.wrapupCode !== null
  const stretches = here.participants.flatMap(({ sessions }) => sessions.filter(({ id }) => id === sessionId))
  return event.kind.endsWith('.end') ? stretches.length > 0 && stretches.every(({ endedAtMs }) => endedAtMs !== null) : stretches.length > 0
}

/**
 * Ends of sessions that are open here, of a conversation that is over, and for which analytics has no event of a known kind: they
 * end with their last segment there, or with the conversation.
 */
function untoldEnds(
  here: ConversationState,
  there: ConversationDetail,
  endedAtMs: number,
  lacking: readonly ReconstructedEvent[],
): readonly ReconstructedEvent[] {
  const told = new Set(
    lacking.filter(({ kind }) => kind.endsWith('.end')).map(({ sessionId, participantId }) => sessionId ?? participantId),
  )
  const ends: ReconstructedEvent[] = []
  for (const participant of here.participants) {
    for (const session of participant.sessions) {
      if (session.endedAtMs !== null || told.has(session.id)) continue
      const kind = `${SIDE_OF[participant.purpose]}.end`
      const atMs = Math.max(session.startedAtMs, lastSegmentOf(there, session.id)?.endMs ?? endedAtMs)
      const ids = { conversationId: here.id, participantId: participant.id, sessionId: session.id }
      ends.push({ ...ids, kind, atMs, body: bodyOf(participant, session, { ...ids, atMs }, there) })
    }
  }
  return ends
}

function bodyOf(
  { userId }: ParticipantState,
  { mediaType }: ParticipantState['sessions'][number],
  { atMs, conversationId, participantId, sessionId }: Pick<ReconstructedEvent, 'atMs' | 'conversationId' | 'participantId' | 'sessionId'>,
  there: ConversationDetail,
): Readonly<Record<string, unknown>> {
  const disconnectType = sessionId === null ? undefined : lastSegmentOf(there, sessionId)?.disconnectType?.toUpperCase()
  const fields = { eventTime: atMs, conversationId, participantId, sessionId, mediaType, userId, disconnectType }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}

type End = { readonly endMs: number; readonly disconnectType: string | undefined }

/** The end of a session as analytics has it, whoever's it is; null where it does not say. */
function lastSegmentOf(there: ConversationDetail, sessionId: string): End | null {
  const sessions = (there.participants ?? []).flatMap((participant) => participant.sessions ?? [])
  const segments = sessions.filter((session) => session.sessionId === sessionId).flatMap((session) => session.segments ?? [])
  let last: End | null = null
  for (const { segmentEnd, segmentType, disconnectType } of segments) {
    if (segmentType?.toLowerCase() === 'wrapup') continue
    const endMs = readInstant(segmentEnd)
    if (endMs === null) return null
    if (last === null || endMs >= last.endMs) last = { endMs, disconnectType }
  }
  return last
}

/**
 * What may close the conversation comes last: once it is closed, facts older than the horizon are refused. Starts and wrap-up codes
 * never close anything; the customer's end closes nearly all.
 */
function inOrder(events: readonly ReconstructedEvent[]): readonly ReconstructedEvent[] {
  const rank = ({ kind }: ReconstructedEvent): number =>
    kind === 'customer.end' ? 2 : kind.endsWith('.start') || kind === 'wrapup' ? 0 : 1
  return events.toSorted((a, b) => rank(a) - rank(b) || a.atMs - b.atMs)
}

function repairOf(event: ReconstructedEvent): Repair {
  return { topicName: topicNameOf(event), body: event.body }
}

const SIDE_OF: Readonly<Record<ParticipantState['purpose'], string>> = {
  customer: 'customer',
  ivr: 'flow',
  acd: 'acd',
  agent: 'user',
  user: 'user',
  voicemail: 'voicemail',
}
