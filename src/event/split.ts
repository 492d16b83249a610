/**
 * Cuts a request body into raw records, keeping each record's exact bytes: one JSON document, the elements of a JSON array, or NDJSON
 * lines. It does not parse, so a broken record is only its own error. Linear in the length of the body; never throws.
 */
import { Buffer } from 'node:buffer'
import { isSpace, trimmed } from './json.ts'

/**
 * At most this many records come out of one body; what is left over then is the last record, and will not decode. The smallest event
 * is about 33 bytes, so this is a full default body of nothing else.
 */
export const MAX_RECORDS_PER_BODY = 500_000

/** `auto` is for `application/json` bodies, which are documents, arrays and often enough NDJSON. */
export type BodyKind = 'json' | 'ndjson' | 'auto'

/** The raw records of a body. Empty for a body of nothing but white space. */
export function splitBody(bytes: Uint8Array, kind: BodyKind): Uint8Array[] {
  const body = trimmed(bytes)
  if (body.length === 0) return []
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.length)
  if (kind === 'ndjson') return linesOf(buffer)
  if (buffer[0] === ARRAY_OPEN) return elementsOf(buffer)
  return kind === 'json' || isOneDocument(buffer) ? [buffer] : linesOf(buffer)
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const NEWLINE = 0x0a
const ARRAY_OPEN = 0x5b
const ARRAY_CLOSE = 0x5d
const OBJECT_OPEN = 0x7b
const OBJECT_CLOSE = 0x7d

function linesOf(buffer: Buffer): Uint8Array[] {
  const lines: Uint8Array[] = []
  for (let start = 0; start < buffer.length;) {
    const newline = lines.length === MAX_RECORDS_PER_BODY ? -1 : buffer.indexOf(NEWLINE, start)
    const next = newline < 0 ? buffer.length : newline
    const end = next > start && buffer[next - 1] === 0x0d ? next - 1 : next
    if (!isBlank(buffer, start, end)) lines.push(buffer.subarray(start, end))
    start = next + 1
  }
  return lines
}

/**
 * The elements between the commas of the outer array. Strings are skipped, and end at a line break at the latest (JSON allows none in
 * them); a line that begins an object after one is the next element. So an unclosed quote spoils one element and not the rest,
 * unless everything is on one line.
 */
function elementsOf(buffer: Buffer): Uint8Array[] {
  const elements: Uint8Array[] = []
  let depth = 0
  let start = 1
  let at = 1
  for (; at < buffer.length && elements.length < MAX_RECORDS_PER_BODY; at++) {
    const byte = buffer[at]!
    if (byte === QUOTE) {
      at = endOfString(buffer, at)
      if (buffer[at] === NEWLINE && nextToken(buffer, at) === OBJECT_OPEN) {
        elements.push(trimmed(buffer.subarray(start, at)))
        start = at + 1
        depth = 0
      }
    } else if (byte === OBJECT_OPEN || byte === ARRAY_OPEN) {
      depth++
    } else if (depth > 0) {
      if (byte === OBJECT_CLOSE || byte === ARRAY_CLOSE) depth--
    } else if (byte === COMMA) {
      elements.push(trimmed(buffer.subarray(start, at)))
      start = at + 1
    } else if (byte === ARRAY_CLOSE) {
      if (elements.length > 0 || !isBlank(buffer, start, at)) elements.push(trimmed(buffer.subarray(start, at)))
      start = at + 1
      break
    }
  }
  const rest = trimmed(buffer.subarray(start))
  if (rest.length > 0) elements.push(rest)
  return elements
}

/**
 * Tells one (possibly pretty-printed, possibly broken) document from lines. Anything on one line is a document. A body whose first
 * value ends with it is one. If the first value never ends, it is lines when some line is an object of its own.
 */
function isOneDocument(buffer: Buffer): boolean {
  const newline = buffer.indexOf(NEWLINE)
  if (newline < 0) return true
  if (buffer[0] !== OBJECT_OPEN) return false
  const end = endOfObject(buffer)
  return end < 0 ? !hasObjectLine(buffer) : end === buffer.length
}

/** The offset after the object that begins the buffer, or -1 when it does not end. */
function endOfObject(buffer: Buffer): number {
  let depth = 0
  for (let at = 0; at < buffer.length; at++) {
    const byte = buffer[at]!
    if (byte === QUOTE) {
      at = endOfString(buffer, at)
      if (buffer[at] === NEWLINE) return -1
    } else if (byte === OBJECT_OPEN || byte === ARRAY_OPEN) {
      depth++
    } else if ((byte === OBJECT_CLOSE || byte === ARRAY_CLOSE) && --depth === 0) {
      return at + 1
    }
  }
  return -1
}

/** The offset of the closing quote, of a line break before it, or of the end. */
function endOfString(buffer: Buffer, start: number): number {
  let at = start + 1
  for (; at < buffer.length; at++) {
    const byte = buffer[at]!
    if (byte === QUOTE || byte === NEWLINE) break
    if (byte === BACKSLASH) at++
  }
  return at
}

function nextToken(buffer: Buffer, start: number): number | undefined {
  let at = start
  while (at < buffer.length && isSpace(buffer[at])) at++
  return buffer[at]
}

/** An object that begins at the very start of a line and ends at the end of it. */
function hasObjectLine(buffer: Buffer): boolean {
  for (let start = 0; start < buffer.length;) {
    const newline = buffer.indexOf(NEWLINE, start)
    const next = newline < 0 ? buffer.length : newline
    let end = next
    while (end > start && isSpace(buffer[end - 1])) end--
    if (end - start >= 2 && buffer[start] === OBJECT_OPEN && buffer[end - 1] === OBJECT_CLOSE) return true
    start = next + 1
  }
  return false
}

function isBlank(buffer: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isSpace(buffer[at])) return false
  return true
}
