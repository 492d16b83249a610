import { dirname } from 'node:path'
import type { Config, Origin, RouteConfig } from './config.ts'
import { patternsOfChanges, takesChanges } from './changes.ts'
import { checkBacklog, checkTogether, checkTopics, defaultRoutes } from './checks.ts'
import type { ConfigError } from './errors.ts'
import { checkLimit } from './limit.ts'
import { nearestName } from './nearest.ts'
import { patternsOf } from './patterns.ts'
import { OPTIONS } from './options.ts'
import { childrenFor, OPTION_TREE, type OptionNode } from './option-tree.ts'
import { describe, inFile, join, overrideOf, report, warn, type ConfigContext, type Reading } from './reading.ts'
import { unknownKeyHint } from './unknown-key.ts'
import { readValue } from './value.ts'

/** Either a configuration that can be used as it is, or every reason why not. */
export type ConfigResult =
  | { readonly config: Config; readonly warnings: readonly ConfigError[] }
  | { readonly errors: readonly ConfigError[]; readonly warnings: readonly ConfigError[] }

/**
 * Checks what a configuration file exports against the option table and completes it: flag before environment before
 * file before default. Pure but for what `context` does; never throws for what stands in `input`.
 */
export function resolveConfig(input: unknown, context: ConfigContext): ConfigResult {
  const reading: Reading = {
    context,
    folder: context.file === null ? context.cwd : dirname(context.file),
    errors: [],
    warnings: [],
    values: new Map(),
    origins: new Map(),
    shownUrls: new Map(),
  }
  checkVariables(reading)
  const read = isRecord(input) ? readGroup(OPTION_TREE, input, '', reading) : notAnObject(input, '', reading)
  checkTogether(reading)
  const { errors, warnings } = reading
  if (errors.length > 0 || read === null) return { errors, warnings }
  // The one place where the table's walk becomes the hand-written type; options.test.ts holds the two together.
  const config = { file: context.file, ...read, origins: Object.fromEntries(reading.origins) } as unknown as Config
  return { config, warnings }
}

function readGroup(node: OptionNode, input: Readonly<Record<string, unknown>>, path: string, reading: Reading): Record<string, unknown> {
  const given = new Map(Object.entries(input).filter(([, value]) => value !== undefined))
  const sinkType = sinkTypeOf(node, given.get('type'))
  const children = childrenFor(node, sinkType)
  const siblings = children.map(([key]) => key)
  for (const [key, value] of given) {
    if (siblings.includes(key)) continue
    report(reading, inFile(join(path, key), value), 'config.unknown_key', 'is no known key.', unknownKeyHint(key, node, path, siblings))
  }
  const fields: [string, unknown][] = []
  for (const [key, child] of children) {
    // While the sink's type is not known, nobody can say which of its keys are missing.
    if (sinkType === null && child.option?.sinks !== undefined && !given.has(key)) continue
    const value = readNode(child, given.get(key), join(path, key), reading)
    if (value !== undefined) fields.push([key, value])
  }
  return Object.fromEntries(fields)
}

/** Undefined when the value is left out or was reported. */
function readNode(node: OptionNode, input: unknown, path: string, reading: Reading): unknown {
  if (node.option?.type === 'routes') return readRoutes(node, input, path, reading)
  if (node.children.size === 0) return readLeaf(node, input, path, reading)
  if (node.option?.nullable === true && (input === undefined || input === null)) {
    reading.origins.set(path, input === undefined ? 'default' : 'file')
    return null
  }
  if (input !== undefined && !isRecord(input)) return notAnObject(input, path, reading, node) ?? undefined
  if (input === undefined && childrenFor(node, null).some(([, child]) => child.option?.required === true)) {
    report(reading, inFile(path, input), 'config.missing_value', 'is missing.', keysHint(node))
    return undefined
  }
  return readGroup(node, input ?? {}, path, reading)
}

function readLeaf(node: OptionNode, input: unknown, path: string, reading: Reading): unknown {
  const option = node.option
  if (option === null) return undefined
  // A bad value in the file is an error even when a flag overrides it: it would surface on the next start without the flag.
  const accepted = input === undefined ? null : readValue(option, inFile(path, input), reading)
  const override = overrideOf(node.path, reading.context)
  if (override !== null) return keep(readValue(option, { path, given: override }, reading), override.origin)
  if (input !== undefined) return keep(accepted, 'file')
  if (option.default !== undefined) {
    const given = { value: option.default, origin: 'default', label: path } as const
    return keep(readValue(option, { path, given }, reading), 'default')
  }
  if (option.required === true)
    report(reading, inFile(path, input), 'config.missing_value', 'is missing.', `Give it: ${option.description}`)
  return undefined

  function keep(read: { readonly value: unknown } | null, origin: Origin): unknown {
    if (read === null) return undefined
    reading.origins.set(path, origin)
    if (option?.secret !== true) reading.values.set(path, read.value)
    return read.value
  }
}

function readRoutes(node: OptionNode, input: unknown, path: string, reading: Reading): readonly RouteConfig[] | undefined {
  const routeNode = node.children.get('*')
  if (routeNode === undefined) return undefined
  if (input !== undefined && !isRecord(input)) return notAnObject(input, path, reading) ?? undefined
  const routes: unknown[] = []
  for (const [name, value] of Object.entries(input ?? defaultRoutes(reading))) {
    if (value === undefined) continue
    const place = join(path, name)
    if (!/^[a-z][a-z0-9-]{0,40}$/.test(name)) {
      const hint = 'Begin with a small letter; then up to 40 small letters, digits or hyphens.'
      report(reading, inFile(place, value), 'config.bad_name', 'is no valid route name.', hint)
    }
    if (!isRecord(value)) notAnObject(value, place, reading, routeNode)
    else routes.push(readRoute(routeNode, name, value, place, reading))
  }
  if (input === undefined) for (const key of reading.origins.keys()) if (key.startsWith('routes.')) reading.origins.set(key, 'default')
  if (input !== undefined && routes.length === 0 && reading.errors.length === 0) {
    warn(
      reading,
      path,
      'config.no_routes',
      'routes is empty: accepted events are kept and go nowhere.',
      'Add a route, or remove the key to have the default one.',
    )
  }
  return routes as RouteConfig[]
}

function readRoute(
  node: OptionNode,
  name: string,
  input: Record<string, unknown>,
  path: string,
  reading: Reading,
): Record<string, unknown> {
  const route = readGroup(node, input, path, reading)
  checkTopics(route['topics'], `${path}.topics`, reading)
  checkBacklog(input['backlog'], `${path}.backlog`, reading)
  const patterns = takesChanges(route) ? patternsOfChanges(route, path, reading) : patternsOf(route, path, reading)
  if (isRecord(route['limit'])) checkTopics(route['limit']['topics'], `${path}.limit.topics`, reading)
  checkLimit(route, `${path}.limit`, reading)
  const sink = route['sink']
  const shown = reading.shownUrls.get(`${path}.sink.url`)
  return { name, ...route, patterns, ...(isRecord(sink) && shown !== undefined ? { sink: { ...sink, shownUrl: shown } } : {}) }
}

function checkVariables(reading: Reading): void {
  const known = OPTIONS.flatMap((option) => option.env ?? [])
  for (const name of Object.keys(reading.context.env)) {
    if (!name.startsWith('TRUNKLINE_') || known.includes(name)) continue
    const nearest = nearestName(
      name.slice('TRUNKLINE_'.length),
      known.map((variable) => variable.slice('TRUNKLINE_'.length)),
    )
    if (nearest?.close !== true) continue
    const hint = `Did you mean TRUNKLINE_${nearest.name}?`
    reading.warnings.push({
      code: 'config.unknown_env',
      file: null,
      path: '',
      message: `The environment variable ${name} is not known and has no effect.`,
      hint,
    })
  }
}

function notAnObject(input: unknown, path: string, reading: Reading, node?: OptionNode): null {
  const hint = node === undefined ? 'Write { ... }.' : keysHint(node)
  report(reading, inFile(path, input), 'config.wrong_type', `must be an object, but is ${describe(input, true)}.`, hint)
  return null
}

function keysHint(node: OptionNode): string {
  return `Write an object with these keys: ${childrenFor(node, null)
    .map(([key]) => key)
    .join(', ')}.`
}

/** The sink type that decides which keys a sink has; null (all keys) elsewhere and when it is not a known one. */
function sinkTypeOf(node: OptionNode, type: unknown): string | null {
  const choices = node.children.get('type')?.option?.choices ?? []
  return typeof type === 'string' && choices.includes(type) ? type : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Promise)
}
