/** A change of the state, as Trunkline itself puts it into the log (changes.ts). */
import { canonicalExact } from '../canonical.ts'
import { CHANGES_SOURCE, FINISHED_TOPIC } from '../changes.ts'
import { idAt } from '../entities.ts'
import type { DecodedEvent } from '../event.ts'
import { identityOf } from '../identity.ts'
import { isObject, objectAt, parseExact, stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { readInstant } from '../times.ts'
import type { JsonRecord } from './record.ts'

/** Reads a change; null when the record is none. */
export function readChange(record: JsonRecord): DecodedEvent | null {
  const { object } = record
  const source = stringAt(object, 'source')
  const topic = stringAt(object, 'detail-type')
  const detail = objectAt(object, 'detail')
  const body = detail === null ? null : objectAt(detail, 'eventBody')
  if (source !== CHANGES_SOURCE || topic !== FINISHED_TOPIC || detail === null || body === null) return null
  const topicName = stringAt(detail, 'topicName') ?? topic
  // Not out of the topic's name: an id that somebody made up may have dots.
  const conversationId = stringAt(body, 'id')
  if (conversationId === null) return null
  const envelopeId = stringAt(object, 'id')
  const occurredAtMs = readInstant(body['endedAtMs'])
  const content = (): string | null => canonicalExact(body, () => bodyIn(parseExact(record.text) as JsonObject))
  const identity = identityOf({
    family: 'change',
    orgId: record.orgId,
    source,
    topicName,
    envelopeId,
    atMs: occurredAtMs,
    content,
    transportContent: content,
  })
  return {
    format: 'change',
    layers: record.layers,
    source,
    orgId: record.orgId,
    envelopeId,
    topic,
    topicName,
    params: [conversationId],
    entity: { kind: 'conversation', id: conversationId },
    conversationId,
    queueId: idAt(body, 'queueId'),
    userId: idAt(body, 'userId'),
    occurredAtMs,
    publishedAtMs: readInstant(detail['timestamp']),
    marks: [],
    failure: record.failure,
    ...identity,
    raw: record.raw,
  }
}

function bodyIn(object: JsonObject): unknown {
  const detail = objectAt(object, 'detail')
  return isObject(detail) ? detail['eventBody'] : undefined
}
