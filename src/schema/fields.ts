/** The fields of a schema as a flat list, for people to read. References are followed; what refers to itself is listed once. */
import { typeText } from './diff.ts'
import { isRecord, resolved, schemaOf, type JsonSchema } from './json-schema.ts'
import { joinPath } from './naming.ts'

export type SchemaField = { readonly path: string; readonly type: string; readonly values: readonly string[] }

const MAX_FIELDS = 5_000

/** Every field, in the order of the schema, with its type and known values. */
export function fieldsOf(root: JsonSchema): readonly SchemaField[] {
  const fields: SchemaField[] = []
  const open = new Set<JsonSchema>()
  const visit = (given: JsonSchema, path: string): void => {
    const schema = resolved(root, given)
    if (open.has(schema) || fields.length >= MAX_FIELDS) return
    open.add(schema)
    if (isRecord(schema.properties))
      for (const [name, part] of Object.entries(schema.properties)) {
        const at = joinPath(path, name)
        const inner = resolved(root, schemaOf(part))
        fields.push({ path: at, type: typeText(root, inner), values: valuesOf(inner) })
        visit(inner, at)
      }
    if (isRecord(schema.items)) visit(schema.items, joinPath(path, '[]'))
    if (isRecord(schema.additionalProperties)) visit(schema.additionalProperties, joinPath(path, '*'))
    open.delete(schema)
  }
  visit(root, '')
  return fields
}

function valuesOf(schema: JsonSchema): readonly string[] {
  const values = schema['x-known-values'] ?? schema.enum
  return Array.isArray(values) ? (values as unknown[]).map(String) : []
}
