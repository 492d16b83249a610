/**
 * Makes schemas of ours of what the live API lists (`availabletopics?expand=schema`). What Genesys's services write is older than
 * draft-07: classes have an `id` such as `urn:jsonschema:presence:v2:Presence` where they are first used and are referred to by it,
 * `required` is true or false at each field, `any` is a type. Classes become definitions, and closed enums become lists of the
 * values known so far: Genesys adds some a few times a year.
 *
 * Nothing of the answer is trusted: a topic must look like one, as it becomes a file name; a schema must pass guard.ts.
 */
import { PULLED } from './compile.ts'
import { MAX_SCHEMA_BYTES, SCHEMA_SUFFIX } from './folder.ts'
import { refusalOf } from './guard.ts'
import { isRecord, type JsonSchema } from './json-schema.ts'

export type PulledSchema = {
  readonly topic: string
  /** Name of the file without version and ending; letters, digits and underscores only. */
  readonly stem: string
  readonly schema: JsonSchema
}

/** A topic of the answer that gives no schema, and why. */
export type Unusable = { readonly topic: string; readonly why: string }

/** Why many topics give none: the live API describes not all of them. */
export const NO_SCHEMA = 'the answer has no schema of it'

export type Pulled = { readonly schemas: readonly PulledSchema[]; readonly unusable: readonly Unusable[] }

/** The schemas in an answer to `availabletopics`, sorted by topic. Never throws. */
export function schemasOf(topics: readonly Readonly<Record<string, unknown>>[]): Pulled {
  const schemas = new Map<string, PulledSchema>()
  const unusable: Unusable[] = []
  for (const entry of topics.slice(0, MAX_TOPICS)) {
    const id = isRecord(entry) ? entry['id'] : undefined
    const topic = typeof id === 'string' ? id : '(no id)'
    const stem =
      typeof id === 'string' && id.length <= 200 && TOPIC.test(id) ? id.replaceAll('{id}', 'id').replaceAll(/[^A-Za-z0-9]/g, '_') : null
    if (stem === null) unusable.push({ topic: topic.slice(0, 200), why: 'its id is no topic' })
    else if (!isRecord(entry['schema'])) unusable.push({ topic, why: NO_SCHEMA })
    else if (schemas.has(stem)) unusable.push({ topic, why: 'it is listed twice' })
    else {
      const schema = readSchema(topic, entry['schema'])
      if (typeof schema === 'string') unusable.push({ topic, why: schema })
      else schemas.set(stem, { topic, stem, schema })
    }
  }
  if (topics.length > MAX_TOPICS) unusable.push({ topic: `${topics.length - MAX_TOPICS} more`, why: `only ${MAX_TOPICS} topics are read` })
  return { schemas: [...schemas.values()].toSorted((a, b) => (a.topic < b.topic ? -1 : 1)), unusable }
}

/** The file of a version of a schema. */
export function fileOf(pulled: PulledSchema, version: string): { readonly name: string; readonly text: string } {
  const { title, ...rest } = pulled.schema
  const text = JSON.stringify({ title, 'x-version': version, ...rest }, null, 1)
  return { name: `${pulled.stem}@${version}${SCHEMA_SUFFIX}`, text: `${text}\n` }
}

const MAX_TOPICS = 2_000
const MAX_DEPTH = 60
const TOPIC = /^v\d+(?:\.(?:[A-Za-z0-9_-]{1,80}|\{id\}))+$/

function readSchema(topic: string, given: Readonly<Record<string, unknown>>): JsonSchema | string {
  // A schema of the whole message has the body as one of its fields.
  const { properties } = given
  const whole = isRecord(properties) && isRecord(properties['eventBody']) && properties['topicName'] !== undefined
  const { definitions } = given
  const body = whole ? { ...(properties['eventBody'] as object), ...(isRecord(definitions) ? { definitions } : {}) } : given
  const reader: Reader = { root: body, names: new Map(), definitions: new Map() }
  try {
    const schema: JsonSchema = {
      title: topic,
      'x-genesys-topic': topic,
      'x-source': PULLED,
      ...read(reader, body, 0),
      ...(reader.definitions.size === 0 ? {} : { definitions: Object.fromEntries(reader.definitions) }),
    }
    const refusal = refusalOf(schema)
    if (refusal !== null) return `${refusal.place} ${refusal.message}`
    return JSON.stringify(schema, null, 1).length > MAX_SCHEMA_BYTES - 1_000 ? 'it is too large' : schema
  } catch (error) {
    return error instanceof RangeError ? 'it nests too deep' : String(error)
  }
}

type Reader = {
  /** The schema of the body: its class is no definition, but the whole. */
  readonly root: Readonly<Record<string, unknown>>
  /** The definition's name by the class's urn. */
  readonly names: Map<string, string>
  readonly definitions: Map<string, Record<string, unknown>>
}

function read(reader: Reader, schema: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new RangeError()
  const { $ref, id } = schema
  if (typeof $ref === 'string' && URN.test($ref))
    return { $ref: $ref === reader.root['id'] ? '#' : `#/definitions/${nameOf(reader, $ref)}` }
  const out: Record<string, unknown> = {}
  // The class's name must be known before its fields are read: they may refer to it.
  const name = schema !== reader.root && typeof id === 'string' && URN.test(id) ? nameOf(reader, id) : null
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'properties' && isRecord(value))
      out['properties'] = Object.fromEntries(
        Object.entries(value).map(([field, inner]) => [field, isRecord(inner) ? read(reader, inner, depth + 1) : {}]),
      )
    else if ((keyword === 'items' || keyword === 'additionalProperties') && isRecord(value)) out[keyword] = read(reader, value, depth + 1)
    else if (keyword === 'additionalProperties' && value === true) out[keyword] = {}
    else if ((keyword === 'enum' || keyword === 'x-known-values') && Array.isArray(value)) out['x-known-values'] = value
    else if (keyword === 'type' && value !== 'any') out['type'] = value
    else if ((keyword === 'format' || keyword === 'description' || keyword === '$ref') && typeof value === 'string') out[keyword] = value
    else if ((keyword === 'definitions' || keyword === '$defs') && isRecord(value))
      for (const [key, inner] of Object.entries(value)) if (isRecord(inner)) reader.definitions.set(key, read(reader, inner, depth + 1))
  }
  if (name === null) return out
  reader.definitions.set(name, out)
  return { $ref: `#/definitions/${name}` }
}

const URN = /^urn:jsonschema:/

/** The class of a urn; two classes of one name in different packages get different ones. */
function nameOf(reader: Reader, urn: string): string {
  const known = reader.names.get(urn)
  if (known !== undefined) return known
  const wanted = (urn.split(':').at(-1) ?? '').replaceAll(/[^A-Za-z0-9_]/g, '_').slice(0, 100) || 'Class'
  const taken = new Set(reader.names.values())
  let name = wanted
  for (let i = 2; taken.has(name); i++) name = `${wanted}_${i}`
  reader.names.set(urn, name)
  return name
}
