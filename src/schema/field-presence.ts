/**
 * Notices fields that stop coming. The schemas require nothing, so no single event can show it: a field is gone when it was in at
 * least 99 % of at least 100 events and then in none of at least 50 in a row. By chance a field that comes in 99 of 100 events
 * misses 50 in a row once in 10^100 times, so this is no accident; what it can be is other traffic, such as a night with e-mails only.
 *
 * "In" is counted against the object that should hold it, not against the event: `transcripts[].text` is not gone when there are
 * no transcripts, and when a whole object stops coming only that is reported. The items of a list count as one: a field is in
 * when any item has it. Null is absent. Long ago counts less: the window is halved when it has `WINDOW` events.
 *
 * Followed are the fields that the schema knows, and beside them, or without a schema, those that look like names; never the
 * keys of a free map, which are data. Without a schema an object with very many keys is taken for such a map. Bounded in fields
 * and depth; deterministic.
 */
import { isRecord, resolved, schemaOf, type JsonSchema } from './json-schema.ts'
import { joinPath, looksLikeName } from './naming.ts'

/** A field that stopped coming, or that came back after it had. */
export type Gap = {
  readonly path: string
  /** Objects that should have held it and did not. */
  readonly missing: number
  /** When it was there last, before the gap. */
  readonly lastAtMs: number
  /** The newest event that lacked it; when it came back, the one that had it again. */
  readonly sampleId: string
}

export const MIN_EVENTS = 100
export const MIN_ABSENT = 50
const MIN_SHARE_PERCENT = 99
const WINDOW = 4096
const MAX_FIELDS = 1_000
const MAX_DEPTH = 8
/** Keys after which an object without a schema is taken for a free map. */
const MAX_KEYS = 64

/** The fields of one topic's bodies. */
export class FieldPresence {
  readonly #schema: JsonSchema | null
  readonly #root: Node
  #fields = 0
  #event = 0

  /** `strict` is the schema of the topic (see strict.ts), or null. */
  constructor(strict: JsonSchema | null) {
    this.#schema = strict
    this.#root = nodeOf(strict === null ? null : resolved(strict, strict))
  }

  /** Folds one body in; answers the fields that are back with it. */
  fold(body: unknown, id: string, atMs: number): readonly Gap[] {
    if (!isRecord(body)) return NONE
    this.#event++
    const back: Gap[] = []
    this.#hold(this.#root, body, { id, atMs, back }, '', 0)
    return back.length === 0 ? NONE : back
  }

  /** The fields that are gone now. */
  gone(): readonly Gap[] {
    const found: Gap[] = []
    const visit = (node: Node, path: string): void => {
      for (const [name, field] of node.fields) {
        const at = joinPath(path, name)
        const missing = node.held - field.lastAt
        if (missing >= MIN_ABSENT && established(field)) found.push({ path: at, missing, lastAtMs: field.lastAtMs, sampleId: node.heldId })
        else visit(field.node, field.listed ? joinPath(at, '[]') : at)
      }
    }
    visit(this.#root, '')
    return found
  }

  toJSON(): unknown {
    return write(this.#root)
  }

  /** What `toJSON` wrote, with the schema of now. */
  static from(json: unknown, strict: JsonSchema | null): FieldPresence {
    const presence = new FieldPresence(strict)
    presence.#read(presence.#root, json, 0)
    return presence
  }

  #hold(node: Node, object: Readonly<Record<string, unknown>>, event: Folded, path: string, depth: number): void {
    if (node.heldIn !== this.#event) {
      node.heldIn = this.#event
      node.held++
      node.heldId = event.id
    }
    if (node.free) return
    for (const name in object) {
      const value = object[name]
      if (value === null || value === undefined) continue
      const field = node.fields.get(name) ?? this.#adopt(node, name, depth)
      if (field === null) continue
      if (field.seenIn !== this.#event) {
        field.seenIn = this.#event
        see(field, node.held, event, path, name)
      }
      if (typeof value === 'object') this.#descend(field, value, event, path, name, depth)
    }
  }

  #descend(field: Field, value: object, event: Folded, path: string, name: string, depth: number): void {
    if (field.node.free) return
    if (!Array.isArray(value)) return this.#hold(field.node, value as Record<string, unknown>, event, joinPath(path, name), depth + 1)
    field.listed = true
    const inside = joinPath(joinPath(path, name), '[]')
    for (const item of value as unknown[]) if (isRecord(item)) this.#hold(field.node, item, event, inside, depth + 1)
  }

  #adopt(node: Node, name: string, depth: number): Field | null {
    const { schema } = node
    const known = schema !== null && isRecord(schema.properties) && Object.hasOwn(schema.properties, name)
    if (!known && !looksLikeName(name)) return null
    if (schema === null && node.fields.size >= MAX_KEYS) {
      this.#fields -= node.fields.size
      node.fields.clear()
      node.free = true
      return null
    }
    if (this.#fields >= MAX_FIELDS) return null
    this.#fields++
    const field: Field = {
      node: this.#nodeOf(node, name, known, depth),
      listed: false,
      present: 0,
      firstAt: 0,
      lastAt: 0,
      lastAtMs: 0,
      seenIn: 0,
    }
    node.fields.set(name, field)
    return field
  }

  /** What is inside a field: as the schema says; under a field that it does not know, nothing. */
  #nodeOf(parent: Node, name: string, known: boolean, depth: number): Node {
    const root = this.#schema
    if (depth >= MAX_DEPTH || (parent.schema !== null && !known)) return freeNode()
    if (parent.schema === null || root === null) return nodeOf(null)
    const own = resolved(root, schemaOf(parent.schema.properties?.[name]))
    const inside = isRecord(own.items) ? resolved(root, own.items) : own
    return isRecord(inside.properties) ? nodeOf(inside) : freeNode()
  }

  #read(node: Node, json: unknown, depth: number): void {
    const [held, heldId, fields] = json as Written
    node.held = held
    node.heldId = heldId
    if (fields === null) node.free = true
    for (const [name, present, firstAt, lastAt, lastAtMs, listed, inside] of fields ?? []) {
      const field = this.#adopt(node, name, depth)
      if (field === null) continue
      Object.assign(field, { present, firstAt, lastAt, lastAtMs, listed: listed === 1 })
      this.#read(field.node, inside, depth + 1)
    }
  }
}

/** An object that holds fields, at one place of the bodies of a topic. */
type Node = {
  readonly schema: JsonSchema | null
  readonly fields: Map<string, Field>
  /** Keys are data: nothing inside is followed. */
  free: boolean
  /** How many events had it, and the last of them. */
  held: number
  heldId: string
  heldIn: number
}

type Field = {
  readonly node: Node
  listed: boolean
  /** Of the times its holder was there from `firstAt` to `lastAt`, how many had it. */
  present: number
  firstAt: number
  lastAt: number
  lastAtMs: number
  seenIn: number
}

type Folded = { readonly id: string; readonly atMs: number; readonly back: Gap[] }

/** Held, last id, and the fields: name, present, first, last, last time, listed, inside; no fields where they are data. */
type Written = [held: number, heldId: string, fields: [string, number, number, number, number, 0 | 1, Written][] | null]

const NONE: readonly Gap[] = []

function nodeOf(schema: JsonSchema | null): Node {
  return { schema, fields: new Map(), free: false, held: 0, heldId: '', heldIn: 0 }
}

function freeNode(): Node {
  return { ...nodeOf(null), free: true }
}

function see(field: Field, held: number, event: Folded, path: string, name: string): void {
  const missing = held - field.lastAt - 1
  if (field.present === 0) field.firstAt = held
  else if (missing >= MIN_ABSENT && established(field)) {
    event.back.push({ path: joinPath(path, name), missing, lastAtMs: field.lastAtMs, sampleId: event.id })
    // What it was before the gap says nothing of what it is now.
    field.present = 0
    field.firstAt = held
  }
  field.present++
  field.lastAt = held
  field.lastAtMs = event.atMs
  const span = held - field.firstAt + 1
  if (span >= WINDOW) {
    field.present = Math.round(field.present / 2)
    field.firstAt = held - Math.round(span / 2) + 1
  }
}

function established(field: Field): boolean {
  const span = field.lastAt - field.firstAt + 1
  return span >= MIN_EVENTS && field.present * 100 >= span * MIN_SHARE_PERCENT
}

function write(node: Node): Written {
  const fields = [...node.fields].map(([name, field]): [string, number, number, number, number, 0 | 1, Written] => {
    const { present, firstAt, lastAt, lastAtMs, listed } = field
    return [name, present, firstAt, lastAt, lastAtMs, listed ? 1 : 0, write(field.node)]
  })
  return [node.held, node.heldId, node.free ? null : fields]
}
