/**
 * A conversation as the state has it beside the same as analytics has it. What the state lacks becomes the events that would have
 * told it (the same ones a gap in the notifications is filled with), and what is over at Genesys is over here when they are taken.
 *
 * By the state and not by the log is decided what is missing: an event that the state has worked out otherwise is not told again.
 * Only of a conversation that the state does not have the log is asked, so that what left the state long ago is not told once more.
 *
 * No conversation is closed that goes on: neither by an answer that knows less than the state does, nor by one that does not say that
 * it is over, nor by one that says so with a time that cannot be.
 */
import { readInstant } from '../event/times.ts'
import type { ConversationDetail } from '../genesys/platform.ts'
import { withoutLive, type LiveEvent } from '../sources/notifications/match-live.ts'
import { lastEndOf, overAtMs, reconstruct, topicNameOf, type ReconstructedEvent } from '../sources/notifications/reconstruct.ts'
import { keepsOpen, type ConversationState, type ParticipantState } from '../state/conversation-state.ts'
import { ANSWER_LAG_MS, ON_ITS_WAY_MS, type Comparison, type Finding, type Repair, type Said } from './finding.ts'

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
  const overMs = overAtMs(there, askedAtMs)
  const isOdd = overMs === null && (there.conversationEnd ?? null) !== null
  const endedAtMs = overMs !== null && overMs <= untilMs ? overMs : null
  const isNewer = endedAtMs !== null && here !== null && hasBegunSince(here, Math.min(endedAtMs, askedAtMs - ANSWER_LAG_MS))
  const told = reconstruct(there, askedAtMs).filter(({ atMs }) => atMs <= untilMs)
  const lacking = here === null ? told : told.filter((event) => !isKnown(event, here))
  const closing = endedAtMs === null || here === null ? [] : untoldEnds(here, there, endedAtMs, lacking)
  const missing = endedAtMs === null ? keptOpen(here, lacking) : [...lacking, ...closing]
  const isOpenHere = here?.open === true
  const isOverThere = endedAtMs !== null || isOdd
  const isStuck = isOverThere && here !== null && (isOpenHere || missing.some(({ kind }) => kind.endsWith('.end')))
  if (missing.length === 0 && !isStuck) return null

  const fresh = here === null ? withoutLive(missing, live, TOLERANCE_MS) : missing
  const inTime = isOpenHere ? fresh : fresh.filter(({ atMs }) => atMs >= frozenBeforeMs)
  const taken = isOdd || isNewer ? [] : endedAtMs === null ? keptOpen(here, inTime) : inTime
  const obstacle = isNewer ? 'newer_here' : isOdd || missing.length === 0 ? 'no_time' : fresh.length === 0 ? 'in_the_log' : 'too_late'
  const finding: Finding = {
    kind: isStuck ? 'stuck' : 'gap',
    entity: 'conversation',
    id: there.conversationId,
    about: 'conversation',
    here: saidHere(here),
    there: isOverThere
      ? { value: 'ended', sinceMs: endedAtMs ?? readInstant(there.conversationEnd) }
      : { value: 'open', sinceMs: readInstant(there.conversationStart) },
    obstacle: taken.length > 0 ? null : obstacle,
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
  const sessionId = idOf(event)
  const leg = here.agentLegs.find((one) => one.sessionId === sessionId)
  if (event.kind === 'acw') return leg !== undefined && leg.state !== 'WRAPUP' && leg.acwMs > 0
  if (event.kind === 'wrapup') return leg !== undefined && leg.wrapupCode !== null
  const stretches = here.participants.flatMap(({ sessions }) => sessions.filter(({ id }) => id === sessionId))
  if (!event.kind.endsWith('.end')) return stretches.length > 0
  // One that began later is not what ended.
  const begun = stretches.filter(({ startedAtMs }) => startedAtMs <= event.atMs + TOLERANCE_MS)
  return begun.length > 0 && begun.every(({ endedAtMs }) => endedAtMs !== null)
}

/** Whether something is under way here that began later: who asks for the end of the conversation is not told of that. */
function hasBegunSince(here: ConversationState, sinceMs: number): boolean {
  return here.participants.some(({ sessions }) => sessions.some((one) => one.endedAtMs === null && one.startedAtMs > sinceMs))
}

/**
 * What can be told of a conversation that goes on: without the ends that would leave nothing to keep it open, as analytics may not
 * list yet what comes after them. After-call work ends an agent's part as well.
 */
function keptOpen(here: ConversationState | null, lacking: readonly ReconstructedEvent[]): readonly ReconstructedEvent[] {
  const starts = lacking.filter(({ kind }) => kind.endsWith('.start'))
  const ends = lacking.filter(({ kind }) => kind.endsWith('.end') || kind === 'acw')
  const ended = new Set(ends.map(idOf))
  const sessions = [
    ...(here?.participants ?? []).flatMap(({ purpose, sessions: list }) =>
      list.map(({ id, mediaType, endedAtMs }) => ({ id, isCustomer: purpose === 'customer', mediaType, isOpen: endedAtMs === null })),
    ),
    ...[...starts, ...ends].map((event) => ({
      id: idOf(event),
      isCustomer: event.kind.startsWith('customer.'),
      mediaType: String(event.body['mediaType']),
      isOpen: starts.includes(event),
    })),
  ]
  const hasCustomer = sessions.some(({ isCustomer }) => isCustomer)
  const keepers = sessions.filter(({ isCustomer, mediaType }) => keepsOpen(isCustomer, mediaType, hasCustomer))
  if (keepers.some(({ id, isOpen }) => isOpen && !ended.has(id))) return lacking
  const ids = new Set(keepers.map(({ id }) => id))
  return lacking.filter((event) => !ends.includes(event) || !ids.has(idOf(event)))
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
  const told = new Set(lacking.filter(({ kind }) => kind.endsWith('.end')).map(idOf))
  const ends: ReconstructedEvent[] = []
  for (const { id: participantId, purpose, userId, sessions } of here.participants) {
    for (const { id: sessionId, mediaType, startedAtMs, endedAtMs: known } of sessions) {
      if (known !== null || told.has(sessionId)) continue
      const last = lastEndOf(there, sessionId)
      const atMs = Math.max(startedAtMs, Math.min(last?.atMs ?? endedAtMs, endedAtMs))
      const ids = { conversationId: here.id, participantId, sessionId }
      const fields = { eventTime: atMs, ...ids, mediaType, userId, disconnectType: last?.segment.disconnectType?.toUpperCase() }
      const body = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
      ends.push({ ...ids, kind: `${SIDE_OF[purpose]}.end`, atMs, body })
    }
  }
  return ends
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

/** The session, as the state knows it. */
function idOf({ sessionId, participantId }: ReconstructedEvent): string {
  return sessionId ?? participantId ?? ''
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
