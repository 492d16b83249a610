/**
 * Any other JSON object that names an event type and an id, as tutorials and home-made integrations post them. Both must be there,
 * under a name of the lists below: an object that only looks a little like an event is not guessed at.
 */
import { canonicalExact } from '../canonical.ts'
import type { DecodedEvent } from '../event.ts'
import { identityOf } from '../identity.ts'
import { parseExact, stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { placesIn, readHandMadeIds, readHandMadeOrg, readHandMadeTime } from './hand-made.ts'
import type { JsonRecord } from './record.ts'

/** Reads a webhook body; null when the record names no event type or no id. */
export function readWebhook(record: JsonRecord): DecodedEvent | null {
  const { object } = record
  const places = placesIn(object, ['detail', 'data', 'payload', 'eventBody'])
  const topic = firstType(places)
  if (topic === null) return null
  const ids = readHandMadeIds(places)
  if (ids.entity === null) return null
  const source = stringAt(object, 'source') ?? 'webhook'
  const envelopeId = stringAt(object, 'specversion') === null ? stringAt(object, 'eventId') : stringAt(object, 'id')
  const orgId = readHandMadeOrg(places) ?? record.orgId
  const occurredAtMs = readHandMadeTime(places)
  const content = (): string | null => canonicalExact(object, () => parseExact(record.text))
  const identity = identityOf({
    family: 'webhook',
    orgId,
    source,
    topicName: topic,
    envelopeId,
    atMs: occurredAtMs,
    content,
    transportContent: content,
  })
  return {
    format: 'webhook',
    layers: record.layers,
    source,
    orgId,
    envelopeId,
    topic,
    topicName: topic,
    params: [],
    ...ids,
    occurredAtMs,
    publishedAtMs: null,
    marks: [],
    failure: record.failure,
    ...identity,
    raw: record.raw,
  }
}

const TYPE_NAMES: readonly string[] = ['event', 'eventType', 'eventName', 'type', 'topic', 'topicName']

function firstType(places: readonly JsonObject[]): string | null {
  for (const place of places) {
    for (const name of TYPE_NAMES) {
      const type = stringAt(place, name)
      if (type !== null) return type
    }
  }
  return null
}
