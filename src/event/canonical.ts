/**
 * RFC 8785 canonical JSON text of a parsed value: equal values give equal text, whatever the key order and white space they came
 * with. Refuses (null) what nests deeper than 1,000 levels. Keys are ordered by UTF-16 code units, integer-like keys too, and
 * `__proto__` is a key like any other: the text is concatenated, no object is built.
 */
import { ExactNumber, isExact, MAX_DEPTH } from './json.ts'

type State = { inexact: boolean; tooDeep: boolean }

/** The canonical text, or null when the value nests too deep. Numbers are doubles, as RFC 8785 says. */
export function canonical(value: unknown): string | null {
  const state: State = { inexact: false, tooDeep: false }
  const text = write(value, 0, state)
  return state.tooDeep ? null : text
}

/**
 * The canonical text for identity. Where a number does not fit a double, the value is read again by `reread` (see parseExact) and
 * such numbers keep their digits, so that two different big numbers never make one key.
 */
export function canonicalExact(value: unknown, reread: () => unknown): string | null {
  const state: State = { inexact: false, tooDeep: false }
  const text = write(value, 0, state)
  if (state.tooDeep) return null
  return state.inexact ? write(reread(), 0, state) : text
}

function write(value: unknown, depth: number, state: State): string {
  switch (typeof value) {
    case 'string':
      return quoted(value)
    case 'number':
      return isExact(value) ? String(value) : inexactNumber(value, state)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      if (depth >= MAX_DEPTH) {
        state.tooDeep = true
        return ''
      }
      if (Array.isArray(value)) return writeArray(value, depth + 1, state)
      return value instanceof ExactNumber ? value.source : writeObject(value as Readonly<Record<string, unknown>>, depth + 1, state)
    default:
      return 'null'
  }
}

function writeArray(values: readonly unknown[], depth: number, state: State): string {
  let text = '['
  for (let i = 0; i < values.length; i++) text += i === 0 ? write(values[i], depth, state) : ',' + write(values[i], depth, state)
  return text + ']'
}

function writeObject(object: Readonly<Record<string, unknown>>, depth: number, state: State): string {
  const keys = Object.keys(object)
  const { sorted, labels } = shapeOf(keys)
  let text = '{'
  for (let i = 0; i < sorted.length; i++) text += labels[i]! + write(object[sorted[i]!], depth, state)
  return text + '}'
}

/** The keys of an object in canonical order, and each as `"key":` with the comma before it. */
type Shape = { readonly keys: readonly string[]; readonly sorted: readonly string[]; readonly labels: readonly string[] }

/**
 * Events of one topic have the same keys in the same order, so sorted keys are remembered: 1.2 us less per event. A slot holds the
 * last shape that fell on it, and long ones are not kept, so outside data cannot make this grow (256 slots, at most 2 KB each).
 */
const SHAPES: (Shape | undefined)[] = Array.from({ length: 256 }, () => undefined)

function shapeOf(keys: readonly string[]): Shape {
  if (keys.length === 0) return EMPTY
  const slot = (keys.length * 31 + keys[0]!.length * 7 + keys[keys.length - 1]!.length) & 255
  const known = SHAPES[slot]
  if (known !== undefined && isSame(known.keys, keys)) return known
  const sorted = [...keys].sort()
  const labels = sorted.map((key, index) => (index === 0 ? '' : ',') + quoted(key) + ':')
  const shape = { keys, sorted, labels }
  if (keys.length <= 64 && keys.reduce((sum, key) => sum + key.length, 0) <= 1_000) SHAPES[slot] = shape
  return shape
}

const EMPTY: Shape = { keys: [], sorted: [], labels: [] }

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** A parsed number can be infinite (`1e400`): written so that it parses to the same again. */
function inexactNumber(value: number, state: State): string {
  state.inexact = true
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '1e999' : '-1e999'
}

function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : '"' + text + '"'
}

/** JSON.stringify escapes exactly what RFC 8785 escapes, and lone surrogates as \udXXX; most strings need neither. */
// oxlint-disable-next-line no-control-regex
const NEEDS_ESCAPE = /[\u0000-\u001f"\\\ud800-\udfff]/
