import { createHash } from 'node:crypto'
import type { Event } from '../event/event.ts'

/*
 * Events for tests that look like the real thing: an `acd.end` of the partner bus, with the fields, id shapes and size
 * of a captured one. Deterministic: the same arguments give the same bytes, another `index` another event.
 */

const TOPIC = 'v2.detail.events.conversation.{id}.acd.end'
const ORG = '6a1f0f3c-52c5-4d2b-9a51-3f1f0d9b7c10'
const FIRST_AT_MS = Date.UTC(2026, 2, 19, 22, 4, 48, 128)

/** An event as a route sees it. Fields that follow from an overridden one (topicName, raw, keys...) follow. */
export function eventOf(overrides: Partial<Event> = {}, index = 0): Event {
  const conversationId = overrides.conversationId ?? idOf('conversation', index)
  const topic = overrides.topic ?? TOPIC
  const occurredAtMs = overrides.occurredAtMs ?? FIRST_AT_MS + index
  const base: Event = {
    id: `k3v9qa7m-${(index + 1).toString(36).padStart(8, '0')}`,
    receivedAtMs: occurredAtMs + 640,
    duplicateOf: null,
    redelivered: false,
    format: 'eventbridge',
    layers: [],
    source: `aws.partner/genesys.com/cloud/${ORG}/PRODUCTION`,
    orgId: ORG,
    envelopeId: idOf('envelope', index),
    topic,
    topicName: topic.replace('{id}', conversationId),
    params: [conversationId],
    entity: { kind: 'conversation', id: conversationId },
    conversationId,
    queueId: idOf('queue', index % 7),
    userId: idOf('user', index % 50),
    occurredAtMs,
    publishedAtMs: occurredAtMs + 305,
    marks: [],
    failure: null,
    key: null,
    keyKind: 'semantic',
    envelopeKey: null,
    raw: new Uint8Array(),
    ...overrides,
  }
  return {
    ...base,
    key: overrides.key !== undefined ? overrides.key : base.keyKind === 'none' ? null : hash16(`${base.topicName} ${occurredAtMs}`),
    envelopeKey: overrides.envelopeKey !== undefined ? overrides.envelopeKey : hash16(`${base.source} ${base.envelopeId ?? ''}`),
    raw: overrides.raw ?? envelopeOf(base, index),
  }
}

/** `count` different events, in order of time. */
export function eventsOf(count: number, overrides: Partial<Event> = {}): readonly Event[] {
  return Array.from({ length: count }, (_, index) => eventOf(overrides, index))
}

/** The bytes of the envelope that decodes to `event`: minified, about 1.3 KB. */
export function envelopeOf(event: Omit<Event, 'raw'>, index = 0): Uint8Array {
  const publishedAtMs = event.publishedAtMs ?? FIRST_AT_MS
  const envelope = {
    version: '0',
    id: event.envelopeId,
    'detail-type': event.topic,
    source: event.source,
    account: '123456789012',
    time: `${new Date(publishedAtMs).toISOString().slice(0, 19)}Z`,
    region: 'us-east-2',
    resources: [],
    detail: {
      topicName: event.topicName,
      version: '2',
      eventBody: {
        eventTime: event.occurredAtMs,
        conversationId: event.conversationId,
        participantId: idOf('participant', index),
        sessionId: idOf('session', index),
        disconnectType: 'TRANSFER',
        mediaType: 'VOICE',
        provider: 'Edge',
        direction: 'INBOUND',
        ani: 'tel:+15555550955',
        dnis: 'tel:+15555550000',
        queueId: event.queueId,
        divisionId: idOf('division', 0),
        acdOutcome: 'ANSWERED',
        answeredUserId: event.userId,
        requestedRoutings: ['STANDARD'],
        usedRouting: 'STANDARD',
        routingPriority: 40,
        connectedDurationMs: 39_674 + index,
        conversationExternalContactIds: [idOf('contact', index)],
        utilizationLabel: idOf('label', 0),
        flowType: 'inqueuecall',
      },
      metadata: { CorrelationId: idOf('correlation', index) },
      timestamp: new Date(publishedAtMs).toISOString(),
    },
  }
  return new TextEncoder().encode(JSON.stringify(envelope))
}

/** A UUID that is always the same for the same thing. */
function idOf(kind: string, index: number): string {
  const hex = createHash('sha256').update(`${kind} ${index}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function hash16(text: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text).digest().subarray(0, 16))
}
