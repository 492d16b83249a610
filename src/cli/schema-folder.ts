/** What `schemas list`, `show` and `diff` do: over the shipped schemas and those of a folder, without any service. */
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { TrunklineError } from '../errors.ts'
import type { SchemaChange } from '../schema/diff.ts'
import type { JsonSchema } from '../schema/json-schema.ts'
import type { Registry } from '../schema/registry.ts'
import { note, paintFor, print, printJson, printProblem, type Context, type Style } from './context.ts'
import { FAILED, usageError } from './failure.ts'
import { count, table } from './format.ts'
import { escapeText, safe } from './text.ts'
import { topicMeant } from './topic.ts'

export type FolderOptions = { readonly json?: true; readonly dir?: string }

export async function listSchemas(context: Context, options: FolderOptions): Promise<void> {
  const { registry, problems } = await registryOf(context, options)
  const versions = registry.topics().flatMap((topic) =>
    registry.versions(topic).map((one) => {
      const { version, origin, file } = one
      return {
        topic,
        version,
        origin,
        file,
        inForce: registry.inForce(topic) === one,
        fields: Object.keys(one.strict.properties ?? {}).length,
      }
    }),
  )
  if (options.json === true) return printJson(context, { schemas: versions, problems })
  const rows = versions.map(({ topic, version, origin, inForce, fields }) => [
    topic,
    version,
    origin,
    inForce ? 'yes' : '-',
    String(fields),
  ])
  for (const line of table(['topic', 'version', 'origin', 'in force', 'fields'], rows)) print(context, line)
}

export async function showSchema(context: Context, topic: string, version: string | undefined, options: FolderOptions): Promise<void> {
  const { registry } = await registryOf(context, options)
  const found = registry.find(topicIn(registry, topic), version)
  if (options.json === true) return printJson(context, found.schema)
  const { fieldsOf } = await import('../schema/fields.ts')
  const paint = paintFor(context)
  print(context, paint('bold', safe`${found.topic} ${found.version}`))
  print(context, safe`  ${found.origin}, ${found.file}`)
  const rows = fieldsOf(found.schema).map(({ path, type, values }) => [
    path,
    type,
    values.length > 6 ? `${values.slice(0, 6).join(' ')} and ${values.length - 6} more` : values.join(' ') || null,
  ])
  for (const line of table(['field', 'type', 'known values'], rows)) print(context, line.trimEnd())
}

export async function diffVersions(
  context: Context,
  first: string,
  second: string,
  third: string | undefined,
  options: FolderOptions,
): Promise<void> {
  const { diffSchemas } = await import('../schema/diff.ts')
  let pair: readonly [JsonSchema, JsonSchema]
  const { registry } = await registryOf(context, options)
  const topic = topicIn(registry, first)
  if (third !== undefined) pair = [registry.find(topic, second).schema, registry.find(topic, third).schema]
  else if (registry.versions(topic).length > 0) throw versionForgotten(topic, registry)
  else pair = [readSchema(context, first), readSchema(context, second)]
  const changes = diffSchemas(...pair)
  if (options.json === true) return printJson(context, { changes })
  if (changes.length === 0) note(context, 'no difference')
  printChanges(context, changes)
}

const SIGNS: Readonly<Record<SchemaChange['kind'], readonly [sign: string, style: Style, what: string]>> = {
  field_added: ['+', 'green', ''],
  field_removed: ['-', 'red', ''],
  type_changed: ['~', 'yellow', ''],
  value_added: ['+', 'green', 'value '],
  value_removed: ['-', 'red', 'value '],
}

/** `+ mood: string`, one change a line. */
export function printChanges(context: Context, changes: readonly SchemaChange[], indent = ''): void {
  const paint = paintFor(context)
  for (const { kind, path, detail } of changes) {
    const [sign, style, what] = SIGNS[kind]
    print(context, `${indent}${paint(style, sign)} ${escapeText(path === '' ? '(body)' : path)}: ${what}${escapeText(detail)}`)
  }
}

type Found = { readonly registry: Registry; readonly problems: readonly object[] }

/** The shipped schemas and those of the folder, if one is named; what is wrong in it is said. */
async function registryOf(context: Context, options: FolderOptions): Promise<Found> {
  const { Registry } = await import('../schema/registry.ts')
  if (options.dir === undefined) {
    await noteConfig(context)
    return { registry: new Registry(), problems: [] }
  }
  const { loadSchemas } = await import('../schema/folder.ts')
  const { schemas, problems } = await loadSchemas(resolve(context.io.cwd, options.dir))
  for (const problem of problems) printProblem(context, problem)
  if (problems.length > 0) {
    context.exitCode = FAILED
    note(context, `${count(problems.length, 'problem')} in ${escapeText(options.dir)}; everything else is used`)
  }
  return { registry: new Registry(schemas), problems }
}

function topicIn(registry: Registry, typed: string): string {
  return topicMeant(typed, registry.topics()) ?? typed
}

function versionForgotten(topic: string, registry: Registry): TrunklineError {
  const versions = registry.versions(topic).map(({ version }) => version)
  return usageError(
    `Two versions of ${topic} are needed, an older and a newer one.`,
    versions.length > 1
      ? `Its versions are ${versions.join(', ')}.`
      : `There is only ${versions.join()}; --dir names a folder with others, which \`trunkline schemas pull\` writes.`,
  )
}

/** A configuration is code, which only verbs that run something load. Who has one may expect its schemas all the same. */
async function noteConfig(context: Context): Promise<void> {
  const { CONFIG_FILES } = await import('../config/load.ts')
  const found = CONFIG_FILES.find((name) => existsSync(resolve(context.io.cwd, name)))
  if (found !== undefined) note(context, `only the shipped schemas: ${found} is not read; --dir names the folder that its schemas.dir does`)
}

function readSchema(context: Context, name: string): JsonSchema {
  const hint = 'Name two files; or a topic and two versions: trunkline schemas diff TOPIC OLDER NEWER.'
  let text: string
  try {
    text = readFileSync(resolve(context.io.cwd, name), 'utf8')
  } catch {
    throw usageError(`${name} cannot be read.`, hint)
  }
  try {
    const schema = JSON.parse(text) as unknown
    if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return schema as JsonSchema
  } catch {
    // Said below.
  }
  throw usageError(`${name} is no JSON object.`, hint)
}
