/**
 * Changes of the state as events of Trunkline's own: a conversation that has finished, as one record in the log. They have the shape of
 * the partner bus, so that patterns, limits, names and receivers find the body where they look for it. What makes them ours is how
 * they came in, never what they say of themselves: the same bytes from anybody else are an event like any other.
 */
import { hash } from 'node:crypto'

/** `source` of the envelope. */
export const CHANGES_SOURCE = 'trunkline'
/** How they come into the log; nobody else's records come in that way. */
export const CHANGES_VIA = 'state'
/** A conversation has finished, or what is known of a finished one has changed. */
export const FINISHED_TOPIC = 'trunkline.conversations.{id}.finished'

/** Version of the body, as `detail.version`. */
const VERSION = '1'

/** The record of a finished conversation, as one line. Equal bodies have equal envelope ids. */
export function finishedText(conversationId: string, body: string, publishedAtMs: number): string {
  const topicName = FINISHED_TOPIC.replace('{id}', () => conversationId)
  const timestamp = new Date(publishedAtMs).toISOString()
  const head = { version: '0', id: uuidOf(topicName + body), 'detail-type': FINISHED_TOPIC, source: CHANGES_SOURCE, account: '' }
  const detail = `{"topicName":${JSON.stringify(topicName)},"version":"${VERSION}","timestamp":"${timestamp}","eventBody":${body}}`
  return `${JSON.stringify(head).slice(0, -1)},"time":"${timestamp}","region":"","resources":[],"detail":${detail}}`
}

/** A UUID (version 8: of a hash) that is the same for the same text. */
function uuidOf(text: string): string {
  const hex = hash('sha256', text, 'hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
