/**
 * The envelope of the Genesys partner bus: known by its `source`, or by `detail.topicName` + `detail.eventBody` when somebody put
 * a Genesys event on a bus of their own. `detail-type` is the topic template; ids come from aligning `topicName` with it.
 */
import type { DecodedEvent } from '../event.ts'
import { isObject, objectAt, stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { templateOf } from '../topics.ts'
import { genesysEvent } from './genesys.ts'
import { NOTIFICATIONS_SOURCE } from './notification.ts'
import type { JsonRecord } from './record.ts'

/** Reads a partner-bus envelope; null when the record is none. */
export function readEventBridge(record: JsonRecord): DecodedEvent | null {
  const { object } = record
  const detail = object['detail']
  if (!isObject(detail)) return null
  const source = stringAt(object, 'source')
  const ofGenesys = source !== null && PARTNER_SOURCE.test(source)
  const topicName = stringAt(detail, 'topicName')
  const detailType = stringAt(object, 'detail-type')
  if (!ofGenesys && (topicName === null || detail['eventBody'] === undefined)) return null
  const topic = detailType ?? (topicName === null ? null : templateOf(topicName).topic)
  if (topic === null) return null
  return genesysEvent(record, {
    format: record.failure === null ? 'eventbridge' : 'eventbridge-dlq',
    source: source ?? NOTIFICATIONS_SOURCE,
    orgId: ofGenesys ? orgOf(source) : null,
    envelopeId: stringAt(object, 'id'),
    topic,
    topicName: topicName ?? topic,
    message: detail,
    messageIn: detailIn,
    envelopeTime: object['time'],
  })
}

/** Genesys's own fixtures use `aws.partner/genesys.com.test`, so only the beginning is relied on. */
const PARTNER = 'aws.partner/genesys.com'
const PARTNER_SOURCE = /^aws\.partner\/genesys\.com(?:[./]|$)/

function detailIn(record: JsonObject): unknown {
  return objectAt(record, 'detail')
}

/** `aws.partner/genesys.com/cloud/<org>/<suffix>` */
function orgOf(source: string): string | null {
  const start = source.indexOf('/', source.indexOf('/', PARTNER.length) + 1) + 1
  if (start <= PARTNER.length) return null
  const end = source.indexOf('/', start)
  const org = end < 0 ? source.slice(start) : source.slice(start, end)
  return org === '' ? null : org
}
