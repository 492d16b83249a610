/**
 * `v2.users.{id}.conversations` and `v2.routing.queues.{id}.conversations`: the whole conversation as it is, sent to whom it
 * concerns a moment after it changed. Changes close together give one snapshot, so no two of an entity are published in the same instant.
 */
import type { Conversation, DisconnectType, Media, Participant, Session } from './records.ts'
import { isoOf } from './iso.ts'
import { QUEUE_CONVERSATIONS, USER_CONVERSATIONS } from './topics.ts'
import { after, type World } from './world.ts'

const SETTLE_MS = 160
/** With SETTLE_MS more than LAG_SPREAD_MS two snapshots never meet. */
const LAG_MS = 100
const LAG_SPREAD_MS = 140

/** Publishes the conversation as it will be in a moment. */
export function snapshotLater(world: World, conversation: Conversation): void {
  if (conversation.snapshotDue || !(world.outlet.wants(USER_CONVERSATIONS) || world.outlet.wants(QUEUE_CONVERSATIONS))) return
  conversation.snapshotDue = true
  after(world, SETTLE_MS, () => {
    conversation.snapshotDue = false
    publish(world, conversation)
  })
}

function publish(world: World, conversation: Conversation): void {
  const userIds = new Set<string>()
  const queueIds = new Set<string>()
  for (const { userId, queueId } of conversation.participants) {
    if (userId !== null) userIds.add(userId)
    if (queueId !== null) queueIds.add(queueId)
  }
  if (userIds.size + queueIds.size === 0) return
  const text = JSON.stringify(snapshotOf(conversation))
  const atMs = world.nowMs + LAG_MS + conversation.chance.below(LAG_SPREAD_MS)
  for (const id of userIds) world.outlet.publishAt(USER_CONVERSATIONS, id, atMs, text)
  for (const id of queueIds) world.outlet.publishAt(QUEUE_CONVERSATIONS, id, atMs, text)
}

function snapshotOf(conversation: Conversation): object {
  return {
    id: conversation.id,
    participants: conversation.participants.map((participant) => participantOf(conversation, participant)),
    recordingState: conversation.media === 'VOICE' && conversation.endMs === null ? 'active' : 'none',
    divisions: [...conversation.divisionIds].map((id) => ({ division: { id } })),
  }
}

function participantOf(conversation: Conversation, participant: Participant): object {
  const { sessions, userId, queueId, purpose, attributes } = participant
  const leg = conversation.legs.findLast((candidate) => candidate.session.participant === participant)
  const lists: Record<string, object[]> = {}
  for (const session of sessions) (lists[LIST_OF[session.line.media]] ??= []).push(communicationOf(session))
  const first = sessions[0]
  const last = sessions.at(-1)
  return {
    id: participant.id,
    purpose,
    ...(first === undefined ? {} : { connectedTime: isoOf(first.startMs) }),
    ...(last === undefined || last.endMs === null ? {} : { endTime: isoOf(last.endMs) }),
    ...(userId === null ? {} : { userId }),
    ...(queueId === null ? {} : { queueId }),
    ...(purpose === 'customer' && conversation.externalContactId !== null ? { externalContactId: conversation.externalContactId } : {}),
    ...(purpose === 'agent' ? { wrapupRequired: true } : {}),
    ...(leg === undefined || leg.wrapupCode === null ? {} : { wrapup: { code: leg.wrapupCode } }),
    attributes,
    ...lists,
  }
}

function communicationOf(session: Session): object {
  const { line } = session
  const segment = session.segments.at(-1)
  const state = session.endMs !== null ? 'disconnected' : segment?.type === 'alert' ? 'alerting' : 'connected'
  return {
    id: session.id,
    state,
    ...(line.media === 'CHAT' ? {} : { direction: line.direction === 'INBOUND' ? 'inbound' : 'outbound' }),
    held: segment?.type === 'hold',
    provider: line.provider,
    connectedTime: isoOf(session.startMs),
    ...(session.endMs === null ? {} : { disconnectedTime: isoOf(session.endMs), disconnectType: REASON_OF[whyEnded(session)] }),
  }
}

function whyEnded(session: Session): DisconnectType {
  return session.segments.findLast((segment) => segment.disconnectType !== undefined)?.disconnectType ?? 'SYSTEM'
}

const LIST_OF: Readonly<Record<Media, string>> = {
  VOICE: 'calls',
  CALLBACK: 'callbacks',
  CHAT: 'chats',
  EMAIL: 'emails',
  MESSAGE: 'messages',
}

const REASON_OF: Readonly<Record<DisconnectType, string>> = {
  ENDPOINT: 'endpoint',
  CLIENT: 'client',
  SYSTEM: 'system',
  TRANSFER: 'transfer',
  PEER: 'peer',
  TIMEOUT: 'timeout',
  NO_ANSWER_TRANSFER: 'transfer.noanswer',
  CONSULT_TRANSFER: 'transfer.consult',
  UNCALLABLE: 'uncallable',
  INACTIVITY: 'system',
}
