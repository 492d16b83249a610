/**
 * A bare message of the notification WebSocket, `{topicName, eventBody, version?, metadata?}`, and the frames of that protocol
 * which look alike but are no events (heartbeat, pong, answers to subscribe): those are refused with a reason of their own.
 * With an `origin` it is no message of Genesys, but one made of what the API says (origin.ts); it is marked so.
 */
import type { DecodedEvent } from '../event.ts'
import { stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { originOf } from '../origin.ts'
import { templateOf } from '../topics.ts'
import { genesysEvent } from './genesys.ts'
import type { JsonRecord } from './record.ts'

/** Canonical `source` of events that came without an envelope. */
export const NOTIFICATIONS_SOURCE = 'genesys.notifications'

/** Reads a bare notification message; null when the record is none. */
export function readNotification(record: JsonRecord): DecodedEvent | null {
  const topicName = stringAt(record.object, 'topicName')
  if (topicName === null || record.object['eventBody'] === undefined) return null
  const event = genesysEvent(record, {
    format: 'notification',
    source: NOTIFICATIONS_SOURCE,
    orgId: null,
    envelopeId: null,
    topic: templateOf(topicName).topic,
    topicName,
    message: record.object,
    messageIn: itself,
    envelopeTime: null,
  })
  const origin = originOf(record.object)
  return origin === null ? event : { ...event, marks: [...event.marks, origin] }
}

/** Says which protocol frame the object is, or null when it is none. */
export function controlFrameOf(object: JsonObject): string | null {
  if (object['topicName'] === 'channel.metadata') return 'a channel.metadata frame (heartbeat or pong)'
  if (object['topicName'] !== undefined) return null
  const message = object['message']
  if (typeof message === 'string' && COMMANDS.has(message) && onlyHas(object, COMMAND_FIELDS)) return `a "${message}" command`
  const result = object['result']
  if ((typeof result === 'string' || typeof result === 'number') && /^[1-5]\d\d$/.test(String(result)) && onlyHas(object, RESULT_FIELDS)) {
    return String(result) === '404' ? 'the answer 404: the channel is gone, and must be opened anew' : `the answer ${result} to a command`
  }
  return null
}

const COMMANDS: ReadonlySet<string> = new Set(['ping', 'pong', 'subscribe', 'unsubscribe'])
const COMMAND_FIELDS: ReadonlySet<string> = new Set(['message', 'topics', 'correlationId'])
const RESULT_FIELDS: ReadonlySet<string> = new Set(['result', 'status', 'message', 'correlationId', 'topics', 'errors'])

function itself(record: JsonObject): unknown {
  return record
}

function onlyHas(object: JsonObject, fields: ReadonlySet<string>): boolean {
  return Object.keys(object).every((name) => fields.has(name))
}
