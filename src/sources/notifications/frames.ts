/**
 * What a WebSocket frame is. Frames of the protocol (heartbeat, pong, answers, system notices) are told from events; all
 * else is `foreign`, and goes on as it came, for the log to quarantine. Never throws.
 */
import { isObject, objectAt, readJsonObject, stringAt } from '../../event/json.ts'
import type { JsonObject } from '../../event/json.ts'

export type Frame =
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'pong' }
  /** Answer to a command in the socket; 404 says that the channel is gone. */
  | { readonly kind: 'answer'; readonly status: number; readonly correlationId: string | null }
  /** Maintenance: the socket will be closed within about a minute. */
  | { readonly kind: 'closing' }
  /** Topics were taken off the channel; empty when the notice does not say which. */
  | { readonly kind: 'unsubscribed'; readonly topics: readonly string[] }
  | { readonly kind: 'revoked' }
  | { readonly kind: 'notice' }
  | { readonly kind: 'event'; readonly topicName: string; readonly message: JsonObject; readonly text: string }
  | { readonly kind: 'foreign' }

/** Reads a frame. */
export function readFrame(bytes: Uint8Array, binary: boolean): Frame {
  if (binary) return FOREIGN
  const read = readJsonObject(bytes)
  if (!read.ok) return FOREIGN
  const { object } = read
  const topicName = stringAt(object, 'topicName')
  if (topicName === null) return answerOf(object)
  if (topicName === 'channel.metadata') return metadataOf(object)
  if (topicName.startsWith('v2.system.')) return noticeOf(topicName, object) ?? eventOf(topicName, object, read.text)
  if (topicName === 'v2.subscription.updated') return NOTICE
  return eventOf(topicName, object, read.text)
}

/** The command that adds topics to the channel of the socket it is sent on. */
export function subscribeCommand(topics: readonly string[], correlationId: string): string {
  return JSON.stringify({ message: 'subscribe', topics, correlationId })
}

export const PING_COMMAND = '{"message":"ping"}'

const FOREIGN: Frame = { kind: 'foreign' }
const NOTICE: Frame = { kind: 'notice' }
/** Topic texts read out of a notice; it comes from outside. */
const MAX_NAMED_TOPICS = 1_000

function eventOf(topicName: string, message: JsonObject, text: string): Frame {
  return message['eventBody'] === undefined ? FOREIGN : { kind: 'event', topicName, message, text }
}

function metadataOf(object: JsonObject): Frame {
  const message = objectAt(object, 'eventBody')?.['message']
  return message === 'pong' ? { kind: 'pong' } : { kind: 'heartbeat' }
}

/** Without a topic it can only be an answer: `result` is relied on, other fields may come and go. */
function answerOf(object: JsonObject): Frame {
  const status = String(object['result'])
  if (!/^[1-5]\d\d$/.test(status)) return FOREIGN
  return { kind: 'answer', status: Number(status), correlationId: stringAt(object, 'correlationId') }
}

/** Only the topic name is relied on: the bodies of these notices are not documented. */
function noticeOf(topicName: string, object: JsonObject): Frame | null {
  if (isNotice(topicName, 'v2.system.socket_closing')) return { kind: 'closing' }
  if (isNotice(topicName, 'v2.system.token_revoked')) return { kind: 'revoked' }
  if (isNotice(topicName, 'v2.system.no_longer_subscribed')) return { kind: 'unsubscribed', topics: topicsNamedIn(object['eventBody']) }
  return null
}

function isNotice(topicName: string, notice: string): boolean {
  return topicName === notice || topicName.startsWith(`${notice}.`)
}

/** Topic texts anywhere near the top of the body: `topic`, `topics`, `data.topics`, `message`... */
function topicsNamedIn(body: unknown): readonly string[] {
  if (!isObject(body)) return []
  const data = objectAt(body, 'data')
  const values = [...Object.values(body), ...(data === null ? [] : Object.values(data))].flat()
  return values.filter((value) => typeof value === 'string' && /^v2\.[^\s]+$/.test(value)).slice(0, MAX_NAMED_TOPICS) as string[]
}
