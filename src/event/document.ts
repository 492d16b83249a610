/**
 * What sinks deliver: one line of JSON, the canonical envelope with a last key `trunkline`. An envelope is never parsed and written
 * again: its own bytes are spliced, so that big numbers, key order and double keys arrive as they were sent.
 */
import { Buffer } from 'node:buffer'
import type { Event, EventFormat, Mark } from './event.ts'

/** What a route adds to the facts of an event. */
export type Beside = {
  readonly marks?: readonly Mark[]
  /** Names of the ids in the body. */
  readonly names?: Readonly<Record<string, unknown>> | null
}

/** The event as one line of UTF-8 JSON, without a line break. */
export function toDocument(event: Event, beside: Beside = NOTHING): Uint8Array {
  const raw = Buffer.from(event.raw.buffer, event.raw.byteOffset, event.raw.length)
  const head = hasEnvelope(event.format) ? '' : envelopeHead(event)
  const body = head === '' ? raw.lastIndexOf(CLOSE) : raw.length
  const tail = `,"trunkline":${trunklineOf(event, beside)}}`
  const start = Buffer.byteLength(head)
  const end = start + body
  const document = Buffer.allocUnsafe(end + Buffer.byteLength(tail))
  if (start > 0) document.write(head)
  document.set(body === raw.length ? raw : raw.subarray(0, body), start)
  document.write(tail, end)
  blankLineBreaks(document, LINE_FEED, start, end)
  blankLineBreaks(document, CARRIAGE_RETURN, start, end)
  return document
}

/** The canonical envelope as a parsed value: what the document says, without `trunkline`. */
export function envelopeOf(event: Event): unknown {
  return JSON.parse(envelopeText(event))
}

/** The canonical envelope as text. */
export function envelopeText(event: Event): string {
  const raw = Buffer.from(event.raw.buffer, event.raw.byteOffset, event.raw.length).toString()
  return hasEnvelope(event.format) ? raw : `${envelopeHead(event)}${raw}}`
}

const NOTHING: Beside = {}
const CLOSE = 0x7d
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

function hasEnvelope(format: EventFormat): boolean {
  return format !== 'notification' && format !== 'webhook'
}

/** An envelope for shapes without one, up to the value of `detail`. */
function envelopeHead(event: Event): string {
  const time = new Date(event.publishedAtMs ?? event.receivedAtMs).toISOString()
  return (
    `{"version":"0","id":${JSON.stringify(event.id)},"detail-type":${JSON.stringify(event.topic)},"source":${JSON.stringify(event.source)},` +
    `"time":"${time}","region":"","resources":[],"detail":`
  )
}

function trunklineOf(event: Event, beside: Beside): string {
  let text =
    `{"id":${JSON.stringify(event.id)},"format":"${event.format}","topic":${JSON.stringify(event.topic)},` +
    `"occurredAtMs":${event.occurredAtMs},"publishedAtMs":${event.publishedAtMs},"receivedAtMs":${event.receivedAtMs}`
  const marks = beside.marks === undefined || beside.marks.length === 0 ? event.marks : [...event.marks, ...beside.marks]
  if (marks.length > 0) text += `,"marks":${JSON.stringify(marks)}`
  if (beside.names !== undefined && beside.names !== null) text += `,"names":${JSON.stringify(beside.names)}`
  if (event.failure !== null) text += `,"failure":${JSON.stringify(event.failure)}`
  if (event.duplicateOf !== null) text += `,"duplicateOf":${JSON.stringify(event.duplicateOf)}`
  return text + '}'
}

/** Raw line breaks can only stand between the tokens of JSON text: inside a string they are not allowed. */
function blankLineBreaks(document: Buffer, lineBreak: number, start: number, end: number): void {
  let at = document.indexOf(lineBreak, start)
  for (; at >= 0 && at < end; at = document.indexOf(lineBreak, at + 1)) document[at] = SPACE
}
