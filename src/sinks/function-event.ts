/**
 * An event as user code gets it. The service hands over the bytes and the few facts; the body is parsed in the process of
 * the function, so that a large one costs the service a copy and no more.
 */
import type { Beside } from '../event/document.ts'
import type { Event } from '../event/event.ts'
import type { AnyTopic, CustomEvent } from '../events.ts'
import type { HandedEvent } from './function-messages.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'

/** What goes to the process: the event, and what the route adds to its facts. */
export function handedEvent(event: Event, { marks = [], names = null }: Beside = {}): HandedEvent {
  const { id, topic, topicName, params, format, source, orgId, envelopeId, conversationId, queueId, userId } = event
  const { occurredAtMs, publishedAtMs, receivedAtMs } = event
  const ids = { id, topic, topicName, params, format, source, orgId, envelopeId, conversationId, queueId, userId }
  return {
    facts: { ...ids, occurredAtMs, publishedAtMs, receivedAtMs, marks: [...event.marks, ...marks], names },
    raw: event.raw,
    redelivered: event.redelivered,
    idempotencyKey: idempotencyKeyOf(event),
  }
}

/** The event in user code. `parse` is JSON's. */
export function eventFrom({ facts, raw }: HandedEvent, parse: (text: string) => unknown): CustomEvent<AnyTopic | (string & {})> {
  const record = parse(Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString())
  return { ...facts, body: bodyOf(record), raw }
}

/** `eventBody`; of a record without one the whole `detail`, or the whole record. */
function bodyOf(record: unknown): unknown {
  const message = objectAt(record, 'detail') ?? record
  const body = (message as { eventBody?: unknown } | null)?.eventBody
  return body === undefined ? message : body
}

function objectAt(record: unknown, name: string): unknown {
  const value = (record as Readonly<Record<string, unknown>> | null)?.[name]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null
}
