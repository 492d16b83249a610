/**
 * The part that all real Genesys shapes share: `{topicName, eventBody, timestamp?}`, which is `detail` on the partner bus and the
 * whole message on the WebSocket. One reader for both, so that the same event gets the same ids, times and semantic key on either way.
 */
import { canonicalExact } from '../canonical.ts'
import { readIds } from '../entities.ts'
import type { DecodedEvent, EventFormat, Mark } from '../event.ts'
import { identityAtMs, identityOf } from '../identity.ts'
import { isObject, parseExact, stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { occurredAtMs, readInstant } from '../times.ts'
import { topicFactsOf } from '../topic-facts.ts'
import { alignTopic } from '../topics.ts'
import type { JsonRecord } from './record.ts'

export type GenesysMessage = {
  readonly format: EventFormat
  readonly source: string
  readonly orgId: string | null
  readonly envelopeId: string | null
  readonly topic: string
  readonly topicName: string
  /** `{topicName, eventBody, timestamp?}` */
  readonly message: JsonObject
  /** Finds `message` in the whole record, parsed once more. */
  readonly messageIn: (record: JsonObject) => unknown
  /** The envelope's own `time` (whole seconds), unread. */
  readonly envelopeTime: unknown
}

/** Makes the event of a Genesys message. */
export function genesysEvent(record: JsonRecord, shape: GenesysMessage): DecodedEvent {
  const { topic, topicName, message } = shape
  const facts = topicFactsOf(topic)
  const params = alignTopic(topic, topicName)
  const body = bodyOf(message)
  const ids = readIds(facts.ids, params ?? NO_PARAMS, body)
  const orgId = shape.orgId ?? (isObject(body) ? stringAt(body, 'organizationId') : null) ?? record.orgId
  const businessAtMs = occurredAtMs(facts.time, body)
  const timestampMs = readInstant(message['timestamp'])
  const reread = (): unknown => shape.messageIn(parseExact(record.text) as JsonObject)
  const identity = identityOf({
    family: 'genesys',
    orgId,
    source: shape.source,
    topicName,
    envelopeId: shape.envelopeId,
    atMs: identityAtMs({ occurredAtMs: businessAtMs, timestampMs, snapshot: facts.time.snapshot }),
    content: () => canonicalExact(body, () => bodyOf(reread() as JsonObject)),
    transportContent: () => canonicalExact(message, reread),
  })
  return {
    format: shape.format,
    layers: record.layers,
    source: shape.source,
    orgId,
    envelopeId: shape.envelopeId,
    topic,
    topicName,
    params: params ?? NO_PARAMS,
    entity: ids.entity,
    conversationId: ids.conversationId,
    queueId: ids.queueId,
    userId: ids.userId,
    occurredAtMs: businessAtMs,
    publishedAtMs: timestampMs ?? readInstant(shape.envelopeTime),
    marks: facts.known ? (params === null ? MISMATCH : NO_MARKS) : params === null ? UNKNOWN_MISMATCH : UNKNOWN,
    failure: record.failure,
    key: identity.key,
    keyKind: identity.keyKind,
    envelopeKey: identity.envelopeKey,
    raw: record.raw,
  }
}

/** A message without `eventBody` is its own body. */
function bodyOf(message: JsonObject): unknown {
  return message['eventBody'] === undefined ? message : message['eventBody']
}

const NO_PARAMS: readonly string[] = []
const NO_MARKS: readonly Mark[] = []
const UNKNOWN: readonly Mark[] = ['topic.unknown']
const MISMATCH: readonly Mark[] = ['topic.mismatch']
const UNKNOWN_MISMATCH: readonly Mark[] = ['topic.unknown', 'topic.mismatch']
