/**
 * Reads what Genesys answered: outside data of any shape. An answer that is no JSON object is `genesys.bad_answer`; a field
 * of another type than it should have counts as absent, and a thing without what makes it one is left out.
 */
import type { Answer } from './exchange.ts'
import { badAnswer } from './failure.ts'

/** Thrown while an answer is read: what it is instead of what it should be, as the end of "... answered with". */
export class Unreadable extends Error {}

export type JsonObject = Readonly<Record<string, unknown>>

/** The JSON object of an answer. `where` begins the sentence of the error. */
export function parseObject(answer: Answer, where: string): JsonObject {
  const kind = (answer.headers.get('content-type') ?? 'application/json').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (!/^application\/(?:[\w.-]+\+)?json$/.test(kind))
    throw badAnswer(where, `${shownKind(kind)} instead of JSON (status ${answer.status})`, answer)
  let value: unknown
  try {
    value = JSON.parse(answer.text)
  } catch {
    throw badAnswer(where, `what is no JSON, or only a part of it (status ${answer.status}, ${answer.text.length} characters)`, answer)
  }
  if (!isObject(value)) throw badAnswer(where, `JSON that is no object (status ${answer.status})`, answer)
  return value
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Non-empty text of bounded length; null for anything else. */
export function textAt(object: JsonObject, name: string, maxChars = 2_000): string | null {
  const value = own(object, name)
  return typeof value === 'string' && value !== '' && value.length <= maxChars ? value : null
}

export function objectAt(object: JsonObject, name: string): JsonObject | null {
  const value = own(object, name)
  return isObject(value) ? value : null
}

/** The objects of a list; empty for anything else. */
export function objectsAt(object: JsonObject, name: string): readonly JsonObject[] {
  const value = own(object, name)
  return Array.isArray(value) ? value.filter(isObject) : []
}

/** The texts of a list; empty for anything else. */
export function textsAt(object: JsonObject, name: string): readonly string[] {
  const value = own(object, name)
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}

export function wholeNumberAt(object: JsonObject, name: string): number | null {
  const value = own(object, name)
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

export function numberAt(object: JsonObject, name: string): number | null {
  const value = own(object, name)
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

/** The list that an answer must have under a name. */
export function listAt(object: JsonObject, name: string): readonly unknown[] {
  const value = own(object, name)
  if (Array.isArray(value)) return value as readonly unknown[]
  throw new Unreadable(`an object without the list "${name}"`)
}

/** What must not be absent. */
export function required<T>(value: T | null, what: string): T {
  if (value === null) throw new Unreadable(what)
  return value
}

function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function shownKind(kind: string): string {
  return kind === 'text/html' ? 'an HTML page' : /^[\w.+/-]{1,60}$/.test(kind) ? kind : 'an unreadable content type'
}
