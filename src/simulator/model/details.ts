/**
 * A conversation as the analytics details query gives it: for every start and end that was published there is a boundary of a
 * session with the same time and ids. What has not happened at `asOfMs` is not in it.
 */
import type { ConversationDetail, ParticipantDetail, SegmentDetail, SessionDetail } from '../../genesys/platform.ts'
import { isoOf } from './iso.ts'
import type { Conversation, Participant, Segment, Session } from './records.ts'

/** Null when the conversation has not begun. */
export function detailOf(conversation: Conversation, asOfMs: number): ConversationDetail | null {
  if (conversation.startMs > asOfMs) return null
  const { endMs, direction, divisionIds, participants } = conversation
  return {
    conversationId: conversation.id,
    conversationStart: isoOf(conversation.startMs),
    ...(endMs === null || endMs > asOfMs ? {} : { conversationEnd: isoOf(endMs) }),
    originatingDirection: direction.toLowerCase(),
    divisionIds: [...divisionIds],
    participants: participants.flatMap((participant) => {
      const sessions = participant.sessions.filter((session) => session.startMs <= asOfMs)
      return sessions.length === 0 ? [] : [participantDetail(conversation, participant, sessions, asOfMs)]
    }),
  }
}

function participantDetail(
  conversation: Conversation,
  participant: Participant,
  sessions: readonly Session[],
  asOfMs: number,
): ParticipantDetail {
  const { id, purpose, userId } = participant
  const { externalContactId, externalOrganizationId } = conversation
  const isCustomer = purpose === 'customer'
  return {
    participantId: id,
    purpose,
    ...(userId === null ? {} : { userId }),
    ...(isCustomer && externalContactId !== null ? { externalContactId } : {}),
    ...(isCustomer && externalOrganizationId !== null ? { externalOrganizationId } : {}),
    sessions: sessions.map((session) => sessionDetail(session, asOfMs)),
  }
}

function sessionDetail(session: Session, asOfMs: number): SessionDetail {
  const { line, flow, flowExit, segments } = session
  const { media, provider, direction, ani, dnis, addressFrom, addressTo, messageType } = line
  return {
    sessionId: session.id,
    mediaType: media.toLowerCase(),
    provider,
    direction: direction.toLowerCase(),
    ...(ani === undefined ? {} : { ani }),
    ...(dnis === undefined ? {} : { dnis }),
    ...(addressFrom === undefined ? {} : { addressFrom }),
    ...(addressTo === undefined ? {} : { addressTo }),
    ...(messageType === undefined ? {} : { messageType }),
    ...(flow === null
      ? {}
      : {
          flow: {
            flowId: flow.id,
            flowType: flow.type,
            flowVersion: flow.version,
            ...(flowExit === null ? {} : { exitReason: flowExit.exitReason }),
            ...(flowExit === null || flowExit.transferType === null ? {} : { transferType: flowExit.transferType }),
          },
        }),
    segments: segments.filter((segment) => segment.startMs <= asOfMs).map((segment) => segmentDetail(segment, asOfMs)),
  }
}

function segmentDetail(segment: Segment, asOfMs: number): SegmentDetail {
  const { type, startMs, endMs, queueId, disconnectType, wrapupCode, wrapupNotes } = segment
  const start = { segmentStart: isoOf(startMs), segmentType: type, ...(queueId === undefined ? {} : { queueId }) }
  if (endMs === null || endMs > asOfMs) return start
  return {
    ...start,
    segmentEnd: isoOf(endMs),
    ...(disconnectType === undefined ? {} : { disconnectType: disconnectType.toLowerCase() }),
    ...(wrapupCode === undefined ? {} : { wrapUpCode: wrapupCode }),
    ...(wrapupNotes === undefined ? {} : { wrapUpNote: wrapupNotes }),
  }
}
