/**
 * An EventBridge-shaped event with a `source` that is not Genesys's: what people put on a bus of their own. Its `detail-type` is
 * the topic, whatever it says. The envelope's `time` has whole seconds only, so it never belongs to the identity.
 */
import { canonicalExact } from '../canonical.ts'
import type { DecodedEvent } from '../event.ts'
import { identityOf } from '../identity.ts'
import { isObject, objectAt, parseExact, stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { readInstant } from '../times.ts'
import { placesIn, readHandMadeIds, readHandMadeOrg, readHandMadeTime } from './hand-made.ts'
import type { JsonRecord } from './record.ts'

/** Reads a custom-bus envelope; null when the record is none. */
export function readCustomBus(record: JsonRecord): DecodedEvent | null {
  const { object } = record
  const detail = object['detail']
  const topic = stringAt(object, 'detail-type')
  if (topic === null || !isObject(detail)) return null
  const inDetail = placesIn(detail, ['eventBody'])
  const source = stringAt(object, 'source') ?? 'custom-bus'
  const envelopeId = stringAt(object, 'id')
  const orgId = readHandMadeOrg(inDetail) ?? record.orgId
  const occurredAtMs = readHandMadeTime(inDetail)
  const content = (): string | null => canonicalExact(detail, () => objectAt(parseExact(record.text) as JsonObject, 'detail'))
  const identity = identityOf({
    family: 'custom-bus',
    orgId,
    source,
    topicName: topic,
    envelopeId,
    atMs: occurredAtMs,
    content,
    transportContent: content,
  })
  return {
    format: record.failure === null ? 'custom-bus' : 'eventbridge-dlq',
    layers: record.layers,
    source,
    orgId,
    envelopeId,
    topic,
    topicName: topic,
    params: [],
    ...readHandMadeIds([...inDetail, object]),
    occurredAtMs,
    publishedAtMs: readInstant(object['time']),
    marks: [],
    failure: record.failure,
    ...identity,
    raw: record.raw,
  }
}
