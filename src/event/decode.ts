/**
 * From one raw record to its Events. Layers (gzip, base64, SQS, the DLQ's attributes) are peeled off first, then the object inside is
 * recognised by its shape. Guarantees: never throws; at least one result; time and memory bounded by the input and by
 * `maxBytes`; a failure of one wrapped event leaves its neighbours alone; the event's own bytes are kept exactly.
 */
import { Buffer } from 'node:buffer'
import type { Decoded, Layer, TargetFailure } from './event.ts'
import { readChange } from './formats/change.ts'
import { readCustomBus } from './formats/custom-bus.ts'
import { readEventBridge } from './formats/eventbridge.ts'
import { controlFrameOf, readNotification } from './formats/notification.ts'
import type { JsonRecord } from './formats/record.ts'
import { readWebhook } from './formats/webhook.ts'
import { isSpace, readJsonObject } from './json.ts'
import { readBase64 } from './layers/base64.ts'
import { gunzip, isGzip } from './layers/compression.ts'
import { targetFailureOf } from './layers/dlq.ts'
import { readSqsMessage, sqsMessagesIn } from './layers/sqs.ts'
import type { SqsMessage } from './layers/sqs.ts'
import { splitBody } from './split.ts'

export type DecodeOptions = {
  /** Cap of the record and of every layer inside it, in bytes. */
  readonly maxBytes: number
  /** The organisation to assume for shapes that carry none. */
  readonly orgId?: string
  /** The record is Trunkline's own. From anybody else a change of the state is an event like any other. */
  readonly own?: boolean
}

/** 16 MiB: as much as one request body may have. */
export const DEFAULT_MAX_BYTES: number = 16 * 1024 * 1024

/** How many layers may be inside each other. */
export const MAX_LAYERS = 4

/** How many events one record may wrap. */
export const MAX_EVENTS_PER_RECORD = 100_000

/** Decodes one raw record (see splitBody); several results when it wraps several events. */
export function decode(bytes: Uint8Array, options: DecodeOptions): Decoded[] {
  return guarded(bytes, options, (budget) => {
    if (bytes.length > options.maxBytes) return [tooLarge(bytes, options.maxBytes)]
    return peel(bytes, UNWRAPPED, budget)
  })
}

/** Decodes one record of a Lambda SQS event, already parsed. */
export function decodeSqsRecord(record: unknown, options: DecodeOptions): Decoded[] {
  return guarded(NO_BYTES, options, (budget) => peelSqs(readSqsMessage(record), UNWRAPPED, budget))
}

/** What has been taken off so far. */
type Wrapping = { readonly depth: number; readonly layers: readonly Layer[]; readonly failure: TargetFailure | null }

/** What may still come out of this record. */
type Budget = { readonly options: DecodeOptions; bytesLeft: number; eventsLeft: number }

const UNWRAPPED: Wrapping = { depth: 0, layers: [], failure: null }
const NO_BYTES = new Uint8Array(0)
const SHAPES =
  'Known shapes: an EventBridge envelope (source, detail-type, detail), a notification message (topicName, eventBody), either of them in an ' +
  'SQS message, gzip or base64, and a webhook object with an event type (event, eventType, eventName, type, topic or topicName) and an id ' +
  '(conversationId, interactionId, contactId, userId, agentId or queueId).'

/** The last net: a defect here must cost one record, not the process. */
function guarded(bytes: Uint8Array, options: DecodeOptions, run: (budget: Budget) => Decoded[]): Decoded[] {
  try {
    return run({ options, bytesLeft: 2 * options.maxBytes, eventsLeft: MAX_EVENTS_PER_RECORD })
  } catch (error) {
    const name = error instanceof Error ? error.name : 'unknown error'
    return [
      failed('decode.internal', `Decoding this record failed inside Trunkline (${name}). Its bytes are kept; please report it.`, bytes),
    ]
  }
}

function peel(bytes: Uint8Array, wrapping: Wrapping, budget: Budget): Decoded[] {
  if (isGzip(bytes)) {
    const inside = gunzip(bytes, Math.min(budget.options.maxBytes, budget.bytesLeft))
    return inside.ok ? peelInside(inside.bytes, wrap(wrapping, 'gzip'), budget) : [failed(inside.code, inside.message, bytes)]
  }
  if (!beginsAsObject(bytes)) {
    const inside = readBase64(bytes)
    if (inside !== null) return peelInside(inside, wrap(wrapping, 'base64'), budget)
  }
  const json = readJsonObject(bytes)
  if (!json.ok) return [failed(json.code, json.message, bytes)]
  const messages = json.object['detail'] === undefined ? sqsMessagesIn(json.object) : null
  if (messages !== null) return messages.flatMap((message) => peelSqs(message, wrapping, budget))
  const { orgId = null, own = false } = budget.options
  return [recognise({ ...json, layers: wrapping.layers, failure: wrapping.failure, orgId }, bytes, own)]
}

/** The content of a layer is a body again: one record, an array or lines. Gzip and base64 have line breaks of their own. */
function peelInside(bytes: Uint8Array, wrapping: Wrapping, budget: Budget): Decoded[] {
  if (wrapping.depth > MAX_LAYERS)
    return [failed('decode.too_deep', `The record has more than ${MAX_LAYERS} layers round its event. Take some off.`, bytes)]
  budget.bytesLeft -= bytes.length
  if (bytes.length > budget.options.maxBytes || budget.bytesLeft < 0) return [tooLarge(bytes, budget.options.maxBytes)]
  if (isGzip(bytes)) return peel(bytes, wrapping, budget)
  const records = splitBody(bytes, beginsAsObject(bytes) ? 'auto' : 'json')
  if (records.length === 0) return [failed('decode.empty', 'The record wraps nothing. Send one JSON object.', bytes)]
  budget.eventsLeft -= records.length
  if (budget.eventsLeft < 0) {
    return [failed('decode.too_large', `The record wraps more than ${MAX_EVENTS_PER_RECORD} events. Send smaller batches.`, bytes)]
  }
  return records.length === 1 ? peel(records[0] ?? bytes, wrapping, budget) : records.flatMap((record) => peel(record, wrapping, budget))
}

function peelSqs(message: SqsMessage, wrapping: Wrapping, budget: Budget): Decoded[] {
  if (!message.ok) {
    const bytes = Buffer.from(JSON.stringify(message.record) ?? '')
    return [failed('decode.sqs_record', `${message.message} Put one event, as text, in each message.`, bytes)]
  }
  const failure = targetFailureOf(message.attributes)
  const inSqs = wrap(wrapping, 'sqs')
  const body = Buffer.from(message.body)
  return peelInside(body, failure === null ? inSqs : { ...inSqs, layers: [...inSqs.layers, 'dlq'], failure }, budget)
}

function recognise(record: JsonRecord, bytes: Uint8Array, own: boolean): Decoded {
  const event = (own ? readChange(record) : null) ?? readEventBridge(record) ?? readCustomBus(record)
  if (event !== null) return { ok: true, event }
  const frame = controlFrameOf(record.object)
  if (frame !== null) {
    return failed(
      'decode.control_frame',
      `This is ${frame} of the notification WebSocket, not an event. Do not forward such frames.`,
      bytes,
    )
  }
  const other = readNotification(record) ?? readWebhook(record)
  if (other !== null) return { ok: true, event: other }
  return failed('decode.unrecognised', `The record is a JSON object, but of no shape Trunkline knows. ${SHAPES}`, bytes)
}

function wrap(wrapping: Wrapping, layer: Layer): Wrapping {
  return { depth: wrapping.depth + 1, layers: [...wrapping.layers, layer], failure: wrapping.failure }
}

function beginsAsObject(bytes: Uint8Array): boolean {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  while (at < bytes.length && isSpace(bytes[at])) at++
  return bytes[at] === 0x7b || bytes[at] === 0x5b
}

function tooLarge(bytes: Uint8Array, maxBytes: number): Decoded {
  return failed(
    'decode.too_large',
    `The record, or what it wraps, is larger than the ${maxBytes} bytes allowed. Send smaller records, or raise the limit.`,
    bytes,
  )
}

function failed(code: `decode.${string}`, message: string, bytes: Uint8Array): Decoded {
  return { ok: false, code, message, bytes }
}
