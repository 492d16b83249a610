/**
 * Where the values of a field are in an event. A field is named by its path; a key of the event may itself have dots in it, so
 * `{"a.b": 1}` and `{"a": {"b": 1}}` are the same field, as on AWS. Arrays on the way are looked into, also nested ones; only leaves are values.
 *
 * Keys are outside data: none is read that is not the event's own.
 */
import { isObject } from '../event/json.ts'
import type { Scalar, Test } from './rule.ts'

/** A field, ready to be looked up. */
export type Field = {
  readonly name: string
  /** Segments of the name. */
  readonly length: number
  /** For each number of segments behind: the keys that lead on, and how many segments are behind then. */
  readonly hops: readonly (readonly Hop[])[]
}

type Hop = {
  readonly key: string
  readonly to: number
  /** The key is one that every object has by inheritance. */
  readonly inherited: boolean
}

/** What `lookUp` says, in one number: two flags, and above them the segments behind at the first array of objects (0: there is none). */
export const MATCHES = 1
export const PRESENT = 2
export const ARRAY_SHIFT = 2

/** Segments ahead for which each way to join keys is tried. Fields are not deeper; for what is, the event's own keys are searched. */
const MAX_JOINED = 12

export function fieldOf(name: string): Field {
  const segments = name.split('.')
  return { name, length: segments.length, hops: segments.map((_, from) => hopsFrom(segments, from)) }
}

/** Whether some value passes the test, whether there is a value at all, and whether arrays of objects are on the way. */
export function lookUp(field: Field, test: Test, node: unknown, at = 0): number {
  if (at === field.length) {
    if (typeof node !== 'object' || node === null) return isLeaf(node) && test(node) ? MATCHES | PRESENT : PRESENT
    return Array.isArray(node) ? inArray(field, test, node, at) : 0
  }
  if (typeof node !== 'object' || node === null) return 0
  if (Array.isArray(node)) return inArray(field, test, node, at)
  let found = 0
  const hops = hopsAt(field, at, node)
  for (let i = 0; i < hops.length; i++) {
    const hop = hops[i]!
    if (hop.inherited && !Object.hasOwn(node, hop.key)) continue
    const value = (node as Readonly<Record<string, unknown>>)[hop.key]
    if (value !== undefined) found = merged(found, lookUp(field, test, value, hop.to))
  }
  return found
}

/** Calls back with every value of the field, and the array elements it is in (outermost first in `within`). */
export function eachValue(field: Field, node: unknown, visit: (value: Scalar, within: Place | null) => void): void {
  walk(field, node, 0, null, visit)
}

/** An element of an array that a value is in, and what that array is in. */
export type Place = { readonly array: object; readonly index: number; readonly outer: Place | null }

/** For each of some fields: the most segments that its name has in common with another's at the beginning. */
export function commonSegments(names: readonly string[]): readonly number[] {
  // In this order, names with a common beginning are neighbours.
  const sorted = names
    .map((name, index) => ({ segments: name.split('.'), key: name.replaceAll('.', '\0'), index }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  const most = names.map(() => 0)
  for (const [i, { segments, index }] of sorted.entries()) {
    const next = sorted[i + 1]
    if (next === undefined) break
    let common = 0
    while (common < segments.length && segments[common] === next.segments[common]) common++
    most[index] = Math.max(most[index] ?? 0, common)
    most[next.index] = common
  }
  return most
}

function inArray(field: Field, test: Test, array: readonly unknown[], at: number): number {
  let found = 0
  for (const element of array) {
    if (typeof element === 'object' && element !== null) found = merged(found, merged(lookUp(field, test, element, at), at << ARRAY_SHIFT))
    else if (at === field.length) found |= (found & MATCHES) === 0 && isLeaf(element) && test(element) ? MATCHES | PRESENT : PRESENT
  }
  return found
}

/** Flags of either; of the arrays, the one with fewer segments behind. */
function merged(a: number, b: number): number {
  if (a === 0 || b === 0) return a | b
  const flags = (a | b) & (MATCHES | PRESENT)
  const [left, right] = [a >> ARRAY_SHIFT, b >> ARRAY_SHIFT]
  const first = left === 0 ? right : right === 0 ? left : Math.min(left, right)
  return flags | (first << ARRAY_SHIFT)
}

function walk(field: Field, node: unknown, at: number, within: Place | null, visit: (value: Scalar, within: Place | null) => void): void {
  if (Array.isArray(node)) {
    for (const [index, element] of node.entries()) {
      if (typeof element === 'object' && element !== null) walk(field, element, at, { array: node, index, outer: within }, visit)
      else if (at === field.length && isLeaf(element)) visit(element, within)
    }
  } else if (isObject(node)) {
    if (at === field.length) return
    for (const hop of hopsAt(field, at, node)) {
      if (Object.hasOwn(node, hop.key)) walk(field, node[hop.key], hop.to, within, visit)
    }
  } else if (at === field.length && isLeaf(node)) visit(node, within)
}

function hopsFrom(segments: readonly string[], from: number): readonly Hop[] {
  const joined = segments.length - from > MAX_JOINED ? from + 1 : segments.length
  return Array.from({ length: joined - from }, (_, more) => hopTo(segments.slice(from, from + more + 1).join('.'), from + more + 1))
}

function hopTo(key: string, to: number): Hop {
  return { key, to, inherited: key in Object.prototype }
}

function hopsAt(field: Field, at: number, node: object): readonly Hop[] {
  const hops = field.hops[at] ?? []
  if (field.length - at <= MAX_JOINED) return hops
  const rest = field.name.split('.').slice(at).join('.')
  const long = Object.keys(node).filter((key) => key.includes('.') && `${rest}.`.startsWith(`${key}.`))
  return [...hops, ...long.map((key) => hopTo(key, at + key.split('.').length))]
}

function isLeaf(value: unknown): value is Scalar {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
