/** Reads fields of bodies whose types nobody warrants: what is not what it should be is null. Long text is refused or cut, so facts are small. */
import { isObject, type JsonObject } from '../event/json.ts'
import { readInstant } from '../event/times.ts'

const MAX_ID_CHARS = 100
const MAX_TEXT_CHARS = 1_000

/** An id or a word of an enum. */
export function wordAt(body: JsonObject, name: string): string | null {
  const value = body[name]
  return typeof value === 'string' && value !== '' && value.length <= MAX_ID_CHARS ? value : null
}

/** The first word of a list. */
export function firstWordAt(body: JsonObject, name: string): string | null {
  const list = body[name]
  return Array.isArray(list) && list.length > 0 ? wordAt({ first: list[0] as unknown }, 'first') : null
}

/** A duration: a number that is none below zero, also when it comes as text. */
export function durationAt(body: JsonObject, name: string): number | null {
  const value = body[name]
  const number = typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && number >= 0 && number <= MAX_DURATION_MS ? Math.floor(number) : null
}

/** An instant, as epoch ms or as ISO text. */
export function instantAt(body: JsonObject, name: string): number | null {
  return readInstant(body[name])
}

/** `body[name][inner]`, a word. */
export function wordIn(body: JsonObject, name: string, inner: string): string | null {
  const nested = body[name]
  return isObject(nested) ? wordAt(nested, inner) : null
}

/** Text of people, cut to a length that can be kept. */
export function cut(text: string): string {
  return text.length <= MAX_TEXT_CHARS ? text : `${text.slice(0, MAX_TEXT_CHARS - 1)}…`
}

/** A year and more is no duration of anything in a contact centre. */
const MAX_DURATION_MS = 366 * 24 * 3_600_000
