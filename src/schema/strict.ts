/**
 * Makes a strict schema of one that is meant to be lenient, so that whatever it does not know becomes visible:
 *
 * - an object with `properties` that says nothing of others has no others;
 * - `x-known-values` and `enum` list all values there are;
 * - wherever a type is asked for, null will do: that is how a Java service says that there is no value;
 * - `format` is kept only where asked for: what the shipped schemas call a date-time was never promised to be one.
 *
 * Branches of anyOf, oneOf, allOf, not and if, and objects that have such, stay open: there no branch knows all fields.
 * Descriptions and the like are left out.
 */
import { isRecord, schemaOf, type JsonSchema } from './json-schema.ts'

export type StrictOptions = { readonly formats: 'drop' | 'keep' }

/** The strict form of a schema. The input must be of bounded depth (see guard.ts). */
export function strictOf(schema: JsonSchema, options: StrictOptions): JsonSchema {
  return strict(schema, options, true)
}

/** Keywords that hold several schemas for the same value. */
export const COMPOSITION: readonly string[] = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else']

function strict(schema: JsonSchema, options: StrictOptions, closes: boolean): JsonSchema {
  const composed = COMPOSITION.some((keyword) => schema[keyword] !== undefined)
  const closed = closes && !composed
  const out: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'type') out['type'] = withNull(value)
    else if (keyword === 'enum' || keyword === 'x-known-values') out['enum'] = valuesOf(schema)
    else if (keyword === 'const') out['enum'] = [value, null]
    else if (keyword === 'format') {
      if (options.formats === 'keep') out['format'] = value
    } else if (NAMED.has(keyword) && isRecord(value)) {
      out[keyword] = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, inside(inner, options, closes)]))
    } else if (COMPOSITION.includes(keyword)) {
      const branch = (inner: unknown): unknown => (isRecord(inner) ? strict(schemaOf(inner), options, false) : inner)
      out[keyword] = Array.isArray(value) ? (value as unknown[]).map(branch) : branch(value)
    } else if (NESTED.has(keyword)) out[keyword] = inside(value, options, closes)
    else if (!ANNOTATIONS.has(keyword) && !keyword.startsWith('x-')) out[keyword] = value
  }
  if (closed && isRecord(schema.properties) && schema.additionalProperties === undefined) out['additionalProperties'] = false
  return out
}

function inside(value: unknown, options: StrictOptions, closes: boolean): unknown {
  return isRecord(value) ? strict(schemaOf(value), options, closes) : value
}

function withNull(type: unknown): unknown {
  const types: readonly unknown[] = Array.isArray(type) ? type : [type]
  return types.includes('null') ? types : [...types, 'null']
}

function valuesOf(schema: JsonSchema): readonly unknown[] {
  const values = schema['x-known-values'] ?? schema.enum
  return Array.isArray(values) ? [...new Set([...(values as unknown[]), null])] : [null]
}

const NAMED: ReadonlySet<string> = new Set(['properties', 'definitions', '$defs'])
const NESTED: ReadonlySet<string> = new Set(['items', 'additionalProperties', 'additionalItems', 'contains', 'propertyNames'])
const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  'id',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'readOnly',
  'writeOnly',
  'deprecated',
])
