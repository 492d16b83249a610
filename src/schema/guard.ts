/**
 * Says whether a user's schema may be compiled, and where and why not. Refused is what ajv would refuse later in its own
 * words, and what could make validation slow: an event of any sender is judged by it.
 *
 * - `pattern`, `patternProperties`, and `propertyNames`, `uniqueItems`: a regular expression can take longer than the age of
 *   the sun for forty characters, and comparing every item with every other a minute for one body. Leaving such a keyword
 *   out silently would be a lie, and drift is about names and types.
 * - a keyword that is not known here: `dependencies` and the like hold schemas of their own, which would be run unread.
 * - a `$ref` that leads out of the file, or nowhere: nothing is fetched.
 * - a schema that leads back into itself through anyOf, oneOf, allOf, not or if, or branches more than `MAX_BRANCHES` times:
 *   the work would double with each level of the body.
 */
import { isRecord, resolveRef, schemaOf, type JsonSchema } from './json-schema.ts'
import { COMPOSITION } from './strict.ts'

/** Why a schema cannot be used; `place` is a JSON pointer into the file. */
export type Refusal = { readonly place: string; readonly message: string; readonly hint: string }

/** The first reason to refuse a schema, or null. */
export function refusalOf(value: unknown): Refusal | null {
  if (!isRecord(value)) return { place: '#', message: 'is no JSON object', hint: 'A schema is an object with "type" and "properties".' }
  if (!SAYS_SOMETHING.some((keyword) => value[keyword] !== undefined)) {
    return {
      place: '#',
      message: `has none of ${SAYS_SOMETHING.join(', ')}`,
      hint: 'Describe eventBody with "type": "object" and "properties"; `trunkline schemas infer` proposes a schema.',
    }
  }
  const walk: Walk = { root: value, nodes: 0, branches: [] }
  return refusedAt(walk, value, '#', 0) ?? circleIn(walk)
}

type Branch = { readonly from: JsonSchema; readonly to: JsonSchema; readonly place: string }
type Walk = { readonly root: JsonSchema; nodes: number; readonly branches: Branch[] }

const SAYS_SOMETHING: readonly string[] = ['type', 'properties', '$ref', 'allOf', 'anyOf', 'oneOf', 'additionalProperties', 'items', 'enum']
const REFUSED: readonly string[] = [
  'pattern',
  'patternProperties',
  'propertyNames',
  'uniqueItems',
  '$dynamicRef',
  '$recursiveRef',
  '$async',
  '$data',
]
/** Everything that is walked here, or says nothing that takes time. A keyword that is in neither list is refused: it may hold schemas. */
const ALLOWED: ReadonlySet<string> = new Set([
  ...[
    '$schema',
    '$id',
    'id',
    '$comment',
    '$anchor',
    'title',
    'description',
    'default',
    'examples',
    'example',
    'deprecated',
    'readOnly',
    'writeOnly',
  ],
  ...['$ref', 'definitions', '$defs', 'type', 'enum', 'const', 'format', 'nullable', 'required', 'properties', 'additionalProperties'],
  ...['items', 'additionalItems', 'contains', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength'],
  ...['minItems', 'maxItems', 'minContains', 'maxContains', 'minProperties', 'maxProperties'],
])
const TYPES: readonly string[] = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']
const NAMED: readonly string[] = ['properties', 'definitions', '$defs']
const NESTED: readonly string[] = ['items', 'additionalProperties', 'additionalItems', 'contains']
const MAX_DEPTH = 64
const MAX_NODES = 20_000
const MAX_BRANCHES = 64

function refusedAt(walk: Walk, value: unknown, place: string, depth: number): Refusal | null {
  if (typeof value === 'boolean') return null
  if (!isRecord(value)) return { place, message: 'is no schema', hint: 'A schema is an object, true or false.' }
  if (depth > MAX_DEPTH || ++walk.nodes > MAX_NODES) {
    return {
      place,
      message: `nests deeper than ${MAX_DEPTH} levels or has more than ${MAX_NODES} parts`,
      hint: 'Use definitions and $ref, or split it.',
    }
  }
  const own = refusedHere(walk, value, place)
  if (own !== null) return own
  for (const [keyword, inner] of Object.entries(value)) {
    const found = refusedInside(walk, value, keyword, inner, `${place}/${pointer(keyword)}`, depth)
    if (found !== null) return found
  }
  return null
}

function refusedHere(walk: Walk, schema: JsonSchema, place: string): Refusal | null {
  const odd = Object.keys(schema).find((keyword) => !ALLOWED.has(keyword) && !REFUSED.includes(keyword) && !keyword.startsWith('x-'))
  if (odd !== undefined) {
    const hint = 'Take it out. What is not known here could hold what must not be run; a note of your own may be called "x-...".'
    return { place: `${place}/${pointer(odd)}`, message: `uses ${JSON.stringify(odd.slice(0, 60))}, which is not supported`, hint }
  }
  const refused = REFUSED.find((keyword) => schema[keyword] !== undefined)
  if (refused !== undefined) {
    const hint = 'It could make the validation of one event take for ever. Leave it out; drift is about names, types and known values.'
    return { place: `${place}/${refused}`, message: `uses ${refused}, which is not supported`, hint }
  }
  const { type, $ref } = schema
  const types: readonly unknown[] = type === undefined ? [] : Array.isArray(type) ? type : [type]
  const oddType = types.find((name) => typeof name !== 'string' || !TYPES.includes(name))
  if (oddType !== undefined)
    return {
      place: `${place}/type`,
      message: `has the type ${JSON.stringify(oddType).slice(0, 60)}`,
      hint: `Types are: ${TYPES.join(', ')}.`,
    }
  if ($ref !== undefined && (typeof $ref !== 'string' || resolveRef(walk.root, $ref) === null)) {
    const hint = 'Only "#", "#/definitions/NAME" and "#/$defs/NAME" of the same file can be referred to.'
    return { place: `${place}/$ref`, message: `refers to ${JSON.stringify($ref).slice(0, 100)}, which is not in the file`, hint }
  }
  for (const keyword of ['enum', 'x-known-values']) {
    const values = schema[keyword]
    if (values !== undefined && (!Array.isArray(values) || values.length === 0 || values.length > 5_000))
      return { place: `${place}/${keyword}`, message: 'is no list of 1 to 5000 values', hint: 'Write ["A", "B"].' }
  }
  return null
}

function refusedInside(walk: Walk, schema: JsonSchema, keyword: string, inner: unknown, place: string, depth: number): Refusal | null {
  if (NAMED.includes(keyword)) {
    if (!isRecord(inner)) return { place, message: 'is no object of schemas', hint: 'Write { "NAME": { "type": "string" } }.' }
    for (const [name, part] of Object.entries(inner)) {
      const found = refusedAt(walk, part, `${place}/${pointer(name)}`, depth + 1)
      if (found !== null) return found
    }
  } else if (COMPOSITION.includes(keyword)) {
    for (const [index, part] of (Array.isArray(inner) ? (inner as unknown[]) : [inner]).entries()) {
      if (walk.branches.push({ from: schema, to: schemaOf(part), place }) > MAX_BRANCHES)
        return {
          place,
          message: `is one of more than ${MAX_BRANCHES} branches`,
          hint: 'Say it with fewer anyOf, oneOf, allOf, not and if.',
        }
      const found = refusedAt(walk, part, Array.isArray(inner) ? `${place}/${index}` : place, depth + 1)
      if (found !== null) return found
    }
  } else if (NESTED.includes(keyword)) {
    if (Array.isArray(inner)) return { place, message: 'is a list of schemas, one a position', hint: 'Give one schema for all items.' }
    return refusedAt(walk, inner, place, depth + 1)
  }
  return null
}

/** A branch that leads back to where it stands; and branches that multiply because a reference in one leads to others. */
function circleIn(walk: Walk): Refusal | null {
  for (const { from, to, place } of walk.branches) {
    const all = reachable(walk, to, true)
    if (all.has(from))
      return { place, message: 'leads back to where it stands', hint: 'A schema may refer to itself through properties and items only.' }
    const written = reachable(walk, to, false)
    if (walk.branches.some((other) => all.has(other.from) && !written.has(other.from)))
      return { place, message: 'refers to a part that branches again', hint: 'Write the branches in one place.' }
  }
  return null
}

/** Every part of the schema that judging a value by `start` can come to. */
function reachable(walk: Walk, start: JsonSchema, throughRefs: boolean): ReadonlySet<JsonSchema> {
  const seen = new Set<JsonSchema>()
  const waiting = [start]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (seen.has(at)) continue
    seen.add(at)
    waiting.push(...partsOf(walk.root, at, throughRefs))
  }
  return seen
}

function partsOf(root: JsonSchema, schema: JsonSchema, throughRefs: boolean): JsonSchema[] {
  const parts: unknown[] = throughRefs && typeof schema.$ref === 'string' ? [resolveRef(root, schema.$ref)] : []
  if (isRecord(schema.properties)) parts.push(...Object.values(schema.properties))
  for (const keyword of [...NESTED, ...COMPOSITION]) {
    const inner = schema[keyword]
    if (Array.isArray(inner)) parts.push(...(inner as unknown[]))
    else parts.push(inner)
  }
  return parts.filter(isRecord)
}

function pointer(name: string): string {
  return name.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')
}
