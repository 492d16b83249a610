/**
 * Lists how a body differs from a strict schema (see strict.ts). It runs only for bodies of which the compiled validator
 * has said that they do not fit. It stops at `MAX_FINDINGS` different ones and so at a bounded memory, whatever comes in;
 * a whole list of errors by ajv grows with the body.
 *
 * It reads `type`, `properties`, `additionalProperties`, `items`, `enum`, `$ref` and `allOf`. A body can also fail for another
 * keyword in a user's own schema; see validator.ts.
 */
import type { DriftClass, Finding } from './finding.ts'
import { isRecord, resolved, schemaOf, typeOf, typesOf, type JsonSchema } from './json-schema.ts'
import { joinPath, looksLikeName, shownField } from './naming.ts'

/** How many different findings one event may have. */
export const MAX_FINDINGS = 32

/** The differences, each once however often it occurs, in the order of the body. */
export function differences(strict: JsonSchema, body: unknown): readonly Finding[] {
  const found = new Found(strict)
  found.judge(strict, body, '')
  return found.findings
}

class Found {
  readonly findings: Finding[] = []
  readonly #root: JsonSchema
  readonly #seen = new Set<string>()

  constructor(root: JsonSchema) {
    this.#root = root
  }

  judge(given: JsonSchema, value: unknown, path: string): void {
    if (this.findings.length >= MAX_FINDINGS) return
    const schema = resolved(this.#root, given)
    const types = typesOf(schema)
    const type = typeOf(value)
    if (types.length > 0 && type !== 'null' && !types.some((wanted) => wanted === type || (wanted === 'number' && type === 'integer'))) {
      return this.#add('changed_type', path, `${types.join(' or ')} -> ${type === 'integer' ? 'number' : type}`)
    }
    if (Array.isArray(schema.enum) && !(schema.enum as readonly unknown[]).some((known) => same(known, value))) {
      this.#add('new_value', path, shownValue(value))
    }
    if (Array.isArray(schema['allOf'])) for (const part of schema['allOf'] as unknown[]) this.judge(schemaOf(part), value, path)
    if (Array.isArray(value)) this.#judgeItems(schema, value, path)
    else if (isRecord(value)) this.#judgeFields(schema, value, path)
  }

  #judgeItems(schema: JsonSchema, items: readonly unknown[], path: string): void {
    if (!isRecord(schema.items)) return
    const inside = joinPath(path, '[]')
    for (const item of items) {
      if (this.findings.length >= MAX_FINDINGS) return
      this.judge(schema.items, item, inside)
    }
  }

  #judgeFields(schema: JsonSchema, object: Readonly<Record<string, unknown>>, path: string): void {
    const { properties, additionalProperties } = schema
    for (const name of Object.keys(object)) {
      if (this.findings.length >= MAX_FINDINGS) return
      const known = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
      if (known !== undefined) this.judge(schemaOf(known), object[name], joinPath(path, name))
      else if (additionalProperties === false) this.#add('new_field', joinPath(path, shownField(name)), null)
      else if (isRecord(additionalProperties)) this.judge(additionalProperties, object[name], joinPath(path, '*'))
    }
  }

  #add(kind: DriftClass, path: string, detail: string | null): void {
    const key = `${kind} ${path} ${detail ?? ''}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.findings.push({ class: kind, path, detail })
  }
}

function shownValue(value: unknown): string | null {
  if (typeof value === 'boolean') return String(value)
  return typeof value === 'string' && looksLikeName(value) ? value : null
}

/** Enums of objects are rare; ajv compares them whole, and so is done here. */
function same(known: unknown, value: unknown): boolean {
  return known === value || (typeof known === 'object' && known !== null && JSON.stringify(known) === JSON.stringify(value))
}
