/** Conversations, their participants and sessions: how they begin, grow and end. */
import type { CentreFlow } from './centre.ts'
import type { Chance } from './chance.ts'
import type { Conversation, DisconnectType, Line, LineFacts, Participant, Segment, Session } from './records.ts'
import type { World } from './world.ts'
import { snapshotLater } from './snapshots.ts'

/** The stream of chance of the next conversation: all that is its own is drawn from it. */
export function nextChance(world: World): Chance {
  return world.births.stream(world.born++)
}

/** A conversation that begins now. */
export function newConversation(world: World, line: Line, chance: Chance): Conversation {
  const known = chance.happens(0.6)
  const conversation: Conversation = {
    id: chance.uuid(),
    media: line.media,
    direction: line.direction,
    startMs: world.nowMs,
    chance,
    divisionIds: new Set(),
    participants: [],
    visits: [],
    legs: [],
    attributes: {},
    transcribed: line.media === 'VOICE' && chance.happens(world.options.transcribedShare),
    customer: null,
    externalContactId: known ? chance.uuid() : null,
    externalOrganizationId: null,
    contactFields: '',
    endMs: null,
    open: 0,
    unsettled: 0,
    isSettled: false,
    attributesAtMs: 0,
    snapshotDue: false,
  }
  nameContact(conversation)
  world.conversations.set(conversation.id, conversation)
  return conversation
}

/** Brings the fields of events into line with what is known of the other party. */
export function nameContact(conversation: Conversation): void {
  const { externalContactId, externalOrganizationId } = conversation
  // Genesys writes an empty list now and then, and mostly nothing.
  const none = conversation.chance.happens(0.2) ? ',"conversationExternalContactIds":[]' : ''
  const contact = externalContactId === null ? none : `,"conversationExternalContactIds":["${externalContactId}"]`
  const organization = externalOrganizationId === null ? '' : `,"conversationExternalOrganizationIds":["${externalOrganizationId}"]`
  conversation.contactFields = contact + organization
}

export function addParticipant(
  conversation: Conversation,
  purpose: Participant['purpose'],
  of: { readonly userId?: string; readonly queueId?: string } = {},
): Participant {
  const participant: Participant = {
    id: conversation.chance.uuid(),
    purpose,
    userId: of.userId ?? null,
    queueId: of.queueId ?? null,
    attributes: {},
    sessions: [],
  }
  conversation.participants.push(participant)
  return participant
}

/** Opens a session with its first segment. */
export function openSession(
  world: World,
  conversation: Conversation,
  participant: Participant,
  of: {
    readonly line: Line
    readonly segment: string
    readonly queueId?: string
    readonly flow?: CentreFlow
    readonly label?: string | null
  },
): Session {
  const session: Session = {
    id: conversation.chance.uuid(),
    participant,
    line: of.line,
    fields: of.label === undefined || of.label === null ? of.line.fields : `${of.line.fields},"utilizationLabel":"${of.label}"`,
    flow: of.flow ?? null,
    startMs: world.nowMs,
    endMs: null,
    flowExit: null,
    segments: [],
  }
  addSegment(world, session, of.segment, of.queueId)
  participant.sessions.push(session)
  conversation.open++
  snapshotLater(world, conversation)
  return session
}

export function addSegment(world: World, session: Session, type: string, queueId?: string): Segment {
  const segment: Segment = { type, startMs: world.nowMs, endMs: null, ...(queueId === undefined ? {} : { queueId }) }
  session.segments.push(segment)
  return segment
}

/** Ends the segment that is open. */
export function endSegment(world: World, session: Session, disconnectType?: DisconnectType): void {
  const last = session.segments.at(-1)
  if (last === undefined || last.endMs !== null) return
  last.endMs = world.nowMs
  if (disconnectType !== undefined) last.disconnectType = disconnectType
}

/** Ends a session; the last one to end is the end of the conversation. */
export function endSession(world: World, conversation: Conversation, session: Session, disconnectType: DisconnectType): void {
  endSegment(world, session, disconnectType)
  session.endMs = world.nowMs
  conversation.open--
  snapshotLater(world, conversation)
}

/** To be called when nothing more will begin: ends the conversation if nothing is open, and lets it be forgotten in time. */
export function endIfOver(world: World, conversation: Conversation): void {
  if (conversation.open > 0) return
  conversation.endMs ??= world.nowMs
  if (conversation.unsettled > 0 || conversation.isSettled) return
  conversation.isSettled = true
  forgetLater(world, conversation)
}

function forgetLater(world: World, conversation: Conversation): void {
  const { ended, conversations, options } = world
  ended.add(world.nowMs, conversation)
  while (ended.size > options.keepEndedMax || ended.nextAtMs + options.keepEndedMs < world.nowMs) {
    const oldest = ended.take()
    if (oldest !== undefined) conversations.delete(oldest.id)
  }
}

/** How a conversation, or a part of it, is carried. */
export function lineOf(facts: LineFacts): Line {
  const { media, ...rest } = facts
  return { ...facts, fields: `,"mediaType":"${media}",${JSON.stringify(rest).slice(1, -1)}` }
}
