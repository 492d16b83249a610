/**
 * What the snapshots of conversations add: who has no detail events, or lost one, still sees that a communication began or ended.
 * The projection looks at them only where a detail event is missing. The newest snapshot of a communication counts.
 */
import type { Event } from '../event/event.ts'
import { isObject, type JsonObject } from '../event/json.ts'
import type { Fact, Seen, Side } from './fact.ts'
import { instantAt, wordAt, wordIn } from './fields.ts'
import { happenedAtMs } from './times.ts'

type Teller = (event: Event, body: JsonObject) => readonly Fact[]

/** Topic by topic. The ones of a single medium have another shape and add nothing. */
export const snapshotFacts: readonly (readonly [topic: string, tell: Teller])[] = [
  ['v2.users.{id}.conversations', tell],
  ['v2.routing.queues.{id}.conversations', tell],
]

const MAX_FACTS = 200

const SIDE_OF: ReadonlyMap<string, Side> = new Map<string, Side>([
  ['customer', 'customer'],
  ['external', 'customer'],
  ['ivr', 'flow'],
  ['workflow', 'flow'],
  ['acd', 'acd'],
  ['agent', 'user'],
  ['user', 'user'],
  ['voicemail', 'voicemail'],
])

const LISTS: readonly (readonly [list: string, mediaType: string])[] = [
  ['calls', 'VOICE'],
  ['callbacks', 'CALLBACK'],
  ['chats', 'CHAT'],
  ['emails', 'EMAIL'],
  ['messages', 'MESSAGE'],
]

function tell(event: Event, body: JsonObject): readonly Fact[] {
  const of = event.conversationId
  const participants = body['participants']
  if (of === null || !Array.isArray(participants)) return []
  const atMs = happenedAtMs(event, null)
  const facts: Fact[] = []
  for (const participant of participants as unknown[]) {
    if (!isObject(participant)) continue
    const side = SIDE_OF.get(wordAt(participant, 'purpose') ?? '')
    if (side === undefined) continue
    for (const [list, mediaType] of LISTS) {
      const communications = participant[list]
      if (!Array.isArray(communications)) continue
      for (const communication of communications as unknown[]) {
        if (facts.length === MAX_FACTS) return facts
        const seen = isObject(communication) ? seenFact(of, atMs, side, mediaType, participant, communication) : null
        if (seen !== null) facts.push(seen)
      }
    }
  }
  return facts
}

function seenFact(
  of: string,
  atMs: number,
  side: Side,
  mediaType: string,
  participant: JsonObject,
  communication: JsonObject,
): Seen | null {
  const sessionId = wordAt(communication, 'id')
  if (sessionId === null) return null
  const state = wordAt(communication, 'state')
  const over = state === 'disconnected' || state === 'terminated'
  return {
    kind: 'seen',
    of,
    atMs,
    side,
    sessionId,
    participantId: wordAt(participant, 'id'),
    mediaType,
    direction: wordAt(communication, 'direction')?.toUpperCase() ?? null,
    provider: side === 'customer' ? wordAt(communication, 'provider') : null,
    from: side === 'customer' ? wordAt(participant, 'address') : null,
    userId: side === 'user' ? wordAt(participant, 'userId') : null,
    queueId: wordAt(participant, 'queueId'),
    state: state === 'connected' && communication['held'] === true ? 'held' : state,
    disconnectType: wordAt(communication, 'disconnectType')?.toUpperCase() ?? null,
    wrapupCode: side === 'user' ? wordIn(participant, 'wrapup', 'code') : null,
    startedAtMs: within(instantAt(communication, 'connectedTime') ?? instantAt(participant, 'connectedTime'), atMs),
    endedAtMs: over ? (within(instantAt(communication, 'disconnectedTime') ?? instantAt(participant, 'endTime'), atMs) ?? atMs) : null,
  }
}

/** A snapshot cannot show what was not yet. */
function within(instantMs: number | null, atMs: number): number | null {
  return instantMs === null ? null : Math.min(instantMs, atMs)
}
