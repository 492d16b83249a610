/**
 * What changed from one schema to another, field by field, with references followed: fields that came or went, other types, known
 * values that came or went. Of a field that came or went only itself is listed, not what is in it. Bounded, also for schemas that
 * refer to themselves.
 */
import { isRecord, resolved, schemaOf, typesOf, type JsonSchema } from './json-schema.ts'
import { joinPath } from './naming.ts'

export type SchemaChange = {
  readonly kind: 'field_added' | 'field_removed' | 'type_changed' | 'value_added' | 'value_removed'
  /** As in findings: `participants[].calls[].state`, `attributes.*`; empty for the whole body. */
  readonly path: string
  /** The type, `string -> integer`, or the value. */
  readonly detail: string
}

/** The changes, in the order of the fields. */
export function diffSchemas(before: JsonSchema, after: JsonSchema): readonly SchemaChange[] {
  const diff = new Diff(before, after)
  diff.compare(before, after, '')
  return diff.changes
}

/** What a schema asks of a value, in a few words: `string`, `array of integer`, `string (date-time)`. */
export function typeText(root: JsonSchema, given: JsonSchema): string {
  const schema = resolved(root, given)
  const types = typesOf(schema)
  if (types.length === 0) return isRecord(schema.properties) ? 'object' : 'anything'
  const text = types.toSorted().join(' or ')
  if (text === 'array' && isRecord(schema.items))
    return `array of ${typesOf(resolved(root, schema.items)).toSorted().join(' or ') || 'anything'}`
  return typeof schema.format === 'string' ? `${text} (${schema.format})` : text
}

/** Pairs that are compared at most; the largest shipped schema has under a thousand fields. */
const MAX_COMPARED = 50_000

class Diff {
  readonly changes: SchemaChange[] = []
  readonly #before: JsonSchema
  readonly #after: JsonSchema
  /** What is being compared above: a schema that refers to itself comes to the same pair again. */
  readonly #open = new Map<JsonSchema, Set<JsonSchema>>()
  #compared = 0

  constructor(before: JsonSchema, after: JsonSchema) {
    this.#before = before
    this.#after = after
  }

  compare(givenBefore: JsonSchema, givenAfter: JsonSchema, path: string): void {
    const before = resolved(this.#before, givenBefore)
    const after = resolved(this.#after, givenAfter)
    const open = this.#open.get(before) ?? new Set()
    if (open.has(after) || ++this.#compared > MAX_COMPARED) return
    this.#open.set(before, open.add(after))
    this.#compareValues(before, after, path)
    this.#compareFields(before, after, path)
    if (isRecord(before.items) && isRecord(after.items)) this.compare(before.items, after.items, joinPath(path, '[]'))
    this.#compareOtherKeys(before.additionalProperties, after.additionalProperties, joinPath(path, '*'))
    open.delete(after)
  }

  /** What the keys of a free map are; an object may become one, and cease to be one. */
  #compareOtherKeys(before: unknown, after: unknown, path: string): void {
    const [had, has] = [isRecord(before), isRecord(after)]
    if (had && has) this.compare(schemaOf(before), schemaOf(after), path)
    else if (has) this.changes.push({ kind: 'field_added', path, detail: typeText(this.#after, schemaOf(after)) })
    else if (had) this.changes.push({ kind: 'field_removed', path, detail: typeText(this.#before, schemaOf(before)) })
  }

  #compareValues(before: JsonSchema, after: JsonSchema, path: string): void {
    const was = typeText(this.#before, before)
    const is = typeText(this.#after, after)
    if (was !== is) this.changes.push({ kind: 'type_changed', path, detail: `${was} -> ${is}` })
    const [had, has] = [knownValues(before), knownValues(after)]
    for (const value of has) if (!had.has(value)) this.changes.push({ kind: 'value_added', path, detail: value })
    for (const value of had) if (!has.has(value)) this.changes.push({ kind: 'value_removed', path, detail: value })
  }

  #compareFields(before: JsonSchema, after: JsonSchema, path: string): void {
    const had = isRecord(before.properties) ? before.properties : {}
    const has = isRecord(after.properties) ? after.properties : {}
    for (const [name, schema] of Object.entries(had)) {
      const at = joinPath(path, name)
      if (Object.hasOwn(has, name)) this.compare(schemaOf(schema), schemaOf(has[name]), at)
      else this.changes.push({ kind: 'field_removed', path: at, detail: typeText(this.#before, schemaOf(schema)) })
    }
    for (const [name, schema] of Object.entries(has))
      if (!Object.hasOwn(had, name))
        this.changes.push({ kind: 'field_added', path: joinPath(path, name), detail: typeText(this.#after, schemaOf(schema)) })
  }
}

function knownValues(schema: JsonSchema): ReadonlySet<string> {
  const values = schema['x-known-values'] ?? schema.enum
  if (!Array.isArray(values)) return new Set()
  return new Set(
    (values as readonly unknown[])
      .filter((value) => value !== null)
      .map((value) => (typeof value === 'string' ? value : JSON.stringify(value))),
  )
}
