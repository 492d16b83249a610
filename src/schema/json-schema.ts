/**
 * The part of JSON Schema (draft-07) that Trunkline reads itself: what the shipped schemas are written in, and what `diff`,
 * `infer` and the listing of differences walk. Anything else a user's schema says is left to ajv.
 */

export type JsonSchema = {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly $ref?: string
  readonly definitions?: Readonly<Record<string, JsonSchema>>
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly format?: string
  /** Closed in the words of JSON Schema; for drift it is as open as `x-known-values`. */
  readonly enum?: readonly unknown[]
  /** Our keyword: the values known so far of an enum that may grow. */
  readonly 'x-known-values'?: readonly unknown[]
  readonly [keyword: string]: unknown
}

/** Tells a JSON object from arrays, null and scalars. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A schema as an object; `true`, and what is no schema, is one that says nothing. */
export function schemaOf(value: unknown): JsonSchema {
  return isRecord(value) ? value : ANYTHING
}

/** Reads `#/definitions/X`, `#/$defs/X` and `#`; null for a reference to anything else, or to what is not there. */
export function resolveRef(root: JsonSchema, ref: string): JsonSchema | null {
  if (ref === '#') return root
  const match = /^#\/(definitions|\$defs)\/([^/]+)$/.exec(ref)
  if (match === null) return null
  const definitions = root[match[1]!]
  const name = decodePointer(match[2]!)
  return isRecord(definitions) && Object.hasOwn(definitions, name) && isRecord(definitions[name]) ? definitions[name] : null
}

/** The schema itself, or what its references lead to; one that says nothing when they lead nowhere or in a circle. */
export function resolved(root: JsonSchema, schema: JsonSchema): JsonSchema {
  let now = schema
  for (let hops = 0; typeof now.$ref === 'string'; hops++) {
    const next = hops < MAX_HOPS ? resolveRef(root, now.$ref) : null
    if (next === null) return ANYTHING
    now = next
  }
  return now
}

/** The JSON types a schema names, null left out; empty when it names none. */
export function typesOf(schema: JsonSchema): readonly string[] {
  const { type } = schema
  if (typeof type === 'string') return type === 'null' ? [] : [type]
  return Array.isArray(type)
    ? (type as readonly unknown[]).filter((name): name is string => typeof name === 'string' && name !== 'null')
    : []
}

/** The JSON type of a value; whole numbers are `integer`. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value
}

const ANYTHING: JsonSchema = {}
const MAX_HOPS = 50

function decodePointer(part: string): string {
  let text = part
  try {
    text = decodeURIComponent(part)
  } catch {
    // A percent sign of its own.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~')
}
