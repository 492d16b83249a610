/**
 * Reads a folder of schemas, `NAME.schema.json` each. A file that is no schema is a problem that names the file and the place
 * in it; the others are loaded all the same. Bounded in files and bytes; links and folders inside are not followed.
 *
 * The topic is in `x-genesys-topic`, else in `title`. The version is in `x-version`, else after an @ in the file's name
 * (`acd-end@2026-02.schema.json`), else a short hash of the content; of several hashes none is newer, so a topic may have only one.
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { jsonErrorAt } from '../event/json-error.ts'
import { isKnownTopic, nearestTopics } from '../event/topics.ts'
import { compiler, type Compile, type Compiled } from './compile.ts'
import { refusalOf } from './guard.ts'
import type { JsonSchema } from './json-schema.ts'
import { OF_CONTENT } from './versions.ts'

export type LoadedSchema = Compiled & {
  readonly topic: string
  readonly version: string
  readonly file: string
  readonly schema: JsonSchema
}

export type SchemaProblem = {
  readonly file: string
  readonly code:
    | 'schema.folder'
    | 'schema.unreadable'
    | 'schema.too_large'
    | 'schema.not_json'
    | 'schema.not_a_schema'
    | 'schema.no_topic'
    | 'schema.doubled'
  readonly message: string
  readonly hint: string
}

export type Loaded = { readonly schemas: readonly LoadedSchema[]; readonly problems: readonly SchemaProblem[] }

export const SCHEMA_SUFFIX = '.schema.json'
/** A topic has few versions, and Genesys a few hundred topics. */
export const MAX_SCHEMA_FILES = 2_000
export const MAX_SCHEMA_BYTES: number = 1024 * 1024

/** The schemas of a folder, in the order of their files. Never rejects for what is in it. */
export async function loadSchemas(folder: string): Promise<Loaded> {
  let names: string[]
  try {
    names = readdirSync(folder)
      .filter((name) => name.endsWith(SCHEMA_SUFFIX))
      .toSorted()
  } catch (error) {
    const hint = 'Make the folder, or correct the path in the configuration.'
    return {
      schemas: [],
      problems: [{ file: folder, code: 'schema.folder', message: `the folder of schemas cannot be read (${codeOf(error)})`, hint }],
    }
  }
  const problems: SchemaProblem[] = []
  if (names.length > MAX_SCHEMA_FILES) {
    const message = `the folder has ${names.length} schemas; only the first ${MAX_SCHEMA_FILES} are loaded`
    problems.push({ file: folder, code: 'schema.folder', message, hint: 'Remove versions that no route uses any more.' })
    names = names.slice(0, MAX_SCHEMA_FILES)
  }
  const compile = names.length === 0 ? null : await compiler()
  const schemas: LoadedSchema[] = []
  for (const name of compile === null ? [] : names) {
    const loaded = await loadOne(join(folder, name), name, compile!)
    if ('code' in loaded) problems.push(loaded)
    else {
      const twin = schemas.find(
        (other) => other.topic === loaded.topic && (other.version === loaded.version || (isHash(other.version) && isHash(loaded.version))),
      )
      if (twin === undefined) schemas.push(loaded)
      else problems.push(doubled(loaded, twin))
    }
  }
  return { schemas, problems }
}

async function loadOne(path: string, name: string, compile: Compile): Promise<LoadedSchema | SchemaProblem> {
  const problem = (code: SchemaProblem['code'], message: string, hint: string): SchemaProblem => ({ file: path, code, message, hint })
  let bytes: Buffer<ArrayBuffer>
  try {
    const found = lstatSync(path)
    if (!found.isFile()) return problem('schema.unreadable', `${name} is no regular file`, 'Put the file itself there.')
    if (found.size > MAX_SCHEMA_BYTES)
      return problem(
        'schema.too_large',
        `${name} has ${found.size} bytes, more than the ${MAX_SCHEMA_BYTES} allowed`,
        'Split it by topic, one file each.',
      )
    bytes = readFileSync(path)
  } catch (error) {
    return problem('schema.unreadable', `${name} cannot be read (${codeOf(error)})`, 'Check its permissions.')
  }
  let schema: JsonSchema
  try {
    schema = JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, '')) as JsonSchema
  } catch {
    return problem(
      'schema.not_json',
      `${name} is not JSON: it stops making sense at ${placeIn(bytes, jsonErrorAt(bytes))}`,
      'Correct it there; comments and trailing commas are no JSON.',
    )
  }
  const refusal = refusalOf(schema)
  if (refusal !== null) return problem('schema.not_a_schema', `${name}: ${refusal.place} ${refusal.message}`, refusal.hint)
  const topic = [schema['x-genesys-topic'], schema['title']].find((text) => typeof text === 'string' && text !== '')
  if (typeof topic !== 'string' || topic.length > 200 || /[\s\p{Cc}]/u.test(topic)) {
    return problem(
      'schema.no_topic',
      `${name} does not say which topic it is of`,
      'Write it as "x-genesys-topic": "v2.detail.events.conversation.{id}.acd.end".',
    )
  }
  if (!isKnownTopic(topic) && isKnownTopic(topic.toLowerCase())) {
    return problem(
      'schema.no_topic',
      `${name} is of the topic ${topic}, which no event has`,
      `Most likely ${nearestTopics(topic, 1).join()} is meant.`,
    )
  }
  try {
    return { topic, version: await versionOf(schema, name, bytes), file: path, schema, ...compile(schema) }
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 300) : String(error)
    return problem('schema.not_a_schema', `${name}: ${why}`, 'Compare it with `trunkline schemas show TOPIC`.')
  }
}

async function versionOf(schema: JsonSchema, name: string, bytes: Buffer<ArrayBuffer>): Promise<string> {
  const said = schema['x-version'] ?? /@([^@]+)\.schema\.json$/.exec(name)?.[1]
  if (typeof said === 'string' && /^[\w.+-]{1,64}$/.test(said)) return said
  return `${OF_CONTENT}${Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex', 0, 4)}`
}

function isHash(version: string): boolean {
  return version.startsWith(OF_CONTENT)
}

function doubled(one: LoadedSchema, twin: LoadedSchema): SchemaProblem {
  const message =
    one.version === twin.version
      ? `${one.topic} has the version ${one.version} twice; ${twin.file} is used`
      : `${one.topic} has two schemas that say no version, so none is newer; ${twin.file} is used`
  return { file: one.file, code: 'schema.doubled', message, hint: 'Give each an "x-version" of its own, such as a date.' }
}

/** `line 3, column 14`, as editors count. */
function placeIn(bytes: Buffer, offset: number): string {
  if (offset < 0 || offset >= bytes.length) return 'its end; it was cut off'
  const before = bytes.subarray(0, offset).toString('utf8')
  return `line ${before.split('\n').length}, column ${before.length - before.lastIndexOf('\n')}`
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
