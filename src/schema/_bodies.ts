/** Bodies that fit a schema, for tests and measurements: every field is there, arrays have items, recursion ends. */
import { isRecord, resolved, schemaOf, typesOf, type JsonSchema } from './json-schema.ts'

/** A body with every field of a schema; `variant` picks among the values of enums. */
export function bodyFor(schema: JsonSchema, variant = 0): unknown {
  return valueFor(schema, schema, variant, 0)
}

function valueFor(root: JsonSchema, given: JsonSchema, variant: number, depth: number): unknown {
  const schema = resolved(root, given)
  const values = (schema['x-known-values'] ?? schema.enum)?.filter((value) => value !== null)
  if (values !== undefined && values.length > 0) return values[variant % values.length]
  const [type] = typesOf(schema)
  if (type === 'string') return schema.format === 'date-time' ? '2026-03-19T22:04:48.128Z' : `text ${variant}`
  if (type === 'integer') return 1_773_957_888_128 + variant
  if (type === 'number') return variant + 0.5
  if (type === 'boolean') return variant % 2 === 0
  if (type === 'array')
    return depth > MAX_DEPTH || !isRecord(schema.items) ? [] : [0, 1].map((i) => valueFor(root, schema.items!, variant + i, depth + 1))
  const { properties, additionalProperties } = schema
  if (properties !== undefined) {
    const fields = depth > MAX_DEPTH ? [] : Object.entries(properties)
    return Object.fromEntries(fields.map(([name, part]) => [name, valueFor(root, schemaOf(part), variant, depth + 1)]))
  }
  return isRecord(additionalProperties) ? { 'Some key (1)': valueFor(root, additionalProperties, variant, depth + 1) } : {}
}

const MAX_DEPTH = 6
