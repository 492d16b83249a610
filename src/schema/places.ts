/** Where a path leads in a schema, as patterns go it: lists are no step. What a schema leaves open may have anything. */
import { isRecord, resolved, schemaOf, type JsonSchema } from './json-schema.ts'

/** A place of which its schema does not say what may be in it. */
export const OPEN: unique symbol = Symbol('open')

type Value = string | number | boolean | null

/** What a schema says of a path: at most one place; none where it has no such field. What it leaves open may have any. */
export function placesIn(root: JsonSchema, path: readonly string[]): readonly (JsonSchema | typeof OPEN)[] {
  let at = resolved(root, root)
  for (const name of path) {
    at = withoutLists(root, at)
    const { properties, additionalProperties } = at
    if (isRecord(properties) && Object.hasOwn(properties, name)) at = resolved(root, schemaOf(properties[name]))
    else if (isRecord(additionalProperties) || additionalProperties === true || isSilent(at)) return [OPEN]
    else return []
  }
  return [withoutLists(root, at)]
}

/** The single values a place is known to have; null where it may have any. */
export function valuesOf(schema: JsonSchema): readonly Value[] | null {
  const values: unknown = schema['x-known-values'] ?? schema.enum
  if (!Array.isArray(values)) return null
  return (values as unknown[]).filter((value) => value === null || ['string', 'number', 'boolean'].includes(typeof value)) as Value[]
}

function withoutLists(root: JsonSchema, schema: JsonSchema): JsonSchema {
  let at = schema
  for (let depth = 0; depth < 20 && isRecord(at.items); depth++) at = resolved(root, at.items)
  return at
}

/** Whether a schema may have fields and names none. */
function isSilent(schema: JsonSchema): boolean {
  if (LEFT_TO_AJV.some((keyword) => schema[keyword] !== undefined)) return true
  const { type, properties, additionalProperties } = schema
  const isObject = type === undefined || [type].flat().some((one) => one === 'object' || one === 'array')
  return isObject && properties === undefined && additionalProperties !== false
}

const LEFT_TO_AJV = ['anyOf', 'oneOf', 'allOf', 'patternProperties', 'if']
