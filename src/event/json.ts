/**
 * From bytes to a parsed JSON object, with an answer for everything that is none: empty, not UTF-8, not JSON (with the byte
 * where it stops being JSON), too deep, or a value of another kind. Linear in time; never throws; quotes no payload.
 */
import { Buffer, isUtf8 } from 'node:buffer'
import { jsonErrorAt } from './json-error.ts'

/** How deep a record may nest: EventBridge's own limit. */
export const MAX_DEPTH = 1_000

/** A parsed JSON object. Its keys are outside data: read fixed names only. */
export type JsonObject = Readonly<Record<string, unknown>>

export type ReadJson =
  | {
      readonly ok: true
      readonly object: JsonObject
      readonly text: string
      /** The object's own bytes, without byte order mark and white space round them. */
      readonly raw: Uint8Array
    }
  | { readonly ok: false; readonly code: `decode.${string}`; readonly message: string }

/** Parses one JSON object. */
export function readJsonObject(bytes: Uint8Array): ReadJson {
  const raw = trimmed(bytes)
  if (raw.length === 0) return refused('decode.empty', 'The record is empty. Send one JSON object.')
  if (!isUtf8(raw)) return refused('decode.not_utf8', 'The record is not UTF-8 text. Send JSON encoded as UTF-8.')
  if (deeperThan(raw, MAX_DEPTH)) {
    return refused('decode.too_deep', `The record nests deeper than ${MAX_DEPTH} levels, more than EventBridge itself carries. Flatten it.`)
  }
  const text = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refused('decode.not_json', notJsonMessage(bytes, raw))
  }
  if (!isObject(value))
    return refused('decode.not_object', `The record is a JSON ${kindOf(value)}, not an object. Send one JSON object per event.`)
  return { ok: true, object: value, text, raw }
}

/**
 * Parses `text` again with every number a double cannot hold exactly kept as an `ExactNumber`. Slow; only for identity, where two
 * different big numbers must not look the same.
 */
export function parseExact(text: string): unknown {
  const reviver = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !isExact(value) && context?.source !== undefined ? new ExactNumber(context.source) : value
  return JSON.parse(text, reviver)
}

/** A number as it was written. */
export class ExactNumber {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

/** Tells whether a parsed number is certainly the number that was written (integers beyond 2^53 are not). */
export function isExact(value: number): boolean {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER
}

/** Tells a JSON object from arrays, null and scalars. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The non-empty string under `name`, or null. */
export function stringAt(object: JsonObject, name: string): string | null {
  const value = object[name]
  return typeof value === 'string' && value !== '' ? value : null
}

/** The object under `name`, or null. */
export function objectAt(object: JsonObject, name: string): JsonObject | null {
  const value = object[name]
  return isObject(value) ? value : null
}

/** The bytes without a leading UTF-8 byte order mark and without JSON white space at either end. */
export function trimmed(bytes: Uint8Array): Uint8Array {
  let start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  let end = bytes.length
  while (start < end && isSpace(bytes[start])) start++
  while (end > start && isSpace(bytes[end - 1])) end--
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)
}

/** JSON white space. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function refused(code: `decode.${string}`, message: string): ReadJson {
  return { ok: false, code, message }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

/** A level costs two bytes, so short records need no look; then brackets are counted; only a text with very many is walked. */
function deeperThan(bytes: Uint8Array, limit: number): boolean {
  if (bytes.length <= 2 * limit) return false
  let openers = 0
  for (let i = 0; i < bytes.length; i++) if ((bytes[i]! | 0x20) === 0x7b && ++openers > limit) return walksDeeperThan(bytes, limit)
  return false
}

function walksDeeperThan(bytes: Uint8Array, limit: number): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (inString) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) inString = false
    } else if (byte === 0x22) inString = true
    else if ((byte | 0x20) === 0x7b) {
      if (++depth > limit) return true
    } else if ((byte | 0x20) === 0x7d) depth--
  }
  return false
}

function notJsonMessage(bytes: Uint8Array, raw: Uint8Array): string {
  const at = jsonErrorAt(raw)
  if (at >= raw.length)
    return `The record ends in the middle of its JSON, after ${bytes.length} bytes. It was cut off: send it again, whole.`
  const offset = raw.byteOffset - bytes.byteOffset + at
  return `The record is not JSON: it stops making sense at byte ${offset} of ${bytes.length}. Send one JSON object, or NDJSON with one object per line.`
}
