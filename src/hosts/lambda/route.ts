/**
 * The one route a function serves. Only that route is resolved, so the secrets of the others need not be known to this
 * function; and what a function cannot keep as promised (files, arrival order) is refused, not done by halves.
 */
import type { Config, HttpSinkConfig, RouteConfig, TrunklineConfig } from '../../config/config.ts'
import { formatConfigErrors, type ConfigError } from '../../config/errors.ts'
import { placesOfNames } from '../../config/names.ts'
import { resolveConfig } from '../../config/resolve.ts'
import { TrunklineError } from '../../errors.ts'
import { KNOWN_TOPICS } from '../../event/known-topics.ts'
import { nearestTopics, templateOf } from '../../event/topics.ts'

/** A route that a function can serve. */
export type LambdaRoute = RouteConfig & { readonly sink: HttpSinkConfig }

export type ServedRoute = { readonly route: LambdaRoute; readonly config: Config; readonly warnings: readonly ConfigError[] }

export type RouteSource = {
  readonly config: TrunklineConfig | Config
  readonly route: string | undefined
  /** What `env:NAME` and TRUNKLINE_* refer to. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Folder that a relative `file:PATH` refers to. */
  readonly cwd: string
  readFile(path: string): string
}

/** Picks and completes the route; throws a TrunklineError that says what is wrong and what to do. */
export function servedRoute(source: RouteSource): ServedRoute {
  const { config, warnings } = isResolved(source.config) ? { config: source.config, warnings: [] } : resolveOne(source.config, source)
  const name = pickName(
    config.routes.map((route) => route.name),
    source.route,
  )
  const route = config.routes.find((candidate) => candidate.name === name)
  if (route === undefined) throw noRoute()
  if (!isServable(route)) throw route.sink.type === 'file' ? fileSinkError(name) : functionSinkError(name)
  if (route.order !== null) {
    const message = `route ${name} asks for arrival order (order), which an SQS standard queue does not have`
    throw new TrunklineError('lambda.order', message, 'remove order from this route, or run it with the service')
  }
  const [place] = placesOfNames(route)
  if (place !== undefined) {
    const message = `route ${name} has names in ${place}, which functions do not look up yet`
    throw new TrunklineError('lambda.names', message, 'write ids (UUIDs), or run this route with the service')
  }
  if (route.limit !== null) {
    const message = `route ${name} has a limit, which functions do not share yet`
    throw new TrunklineError(
      'lambda.limit',
      message,
      'bound the concurrency of the event source mapping, or run this route with the service',
    )
  }
  if (route.changes !== null) {
    const message = `route ${name} asks for changes of the state, which functions do not keep`
    throw new TrunklineError('lambda.changes', message, 'remove changes from this route, or run it with the service')
  }
  return { route, config, warnings }
}

function resolveOne(input: TrunklineConfig, source: RouteSource): { config: Config; warnings: readonly ConfigError[] } {
  const { env, cwd, readFile } = source
  const result = resolveConfig(onlyServed(input, source.route), {
    file: null,
    cwd,
    env,
    readFile,
    knownTopics: KNOWN_TOPICS,
    nearestTopics,
    topicTemplateOf: (name) => templateOf(name).topic,
  })
  if ('config' in result) return result
  throw new TrunklineError(
    'lambda.config',
    `the configuration cannot be used:\n${formatConfigErrors(result.errors)}`,
    'correct it and deploy again',
  )
}

/** The configuration with the served route alone. Whatever has not the right shape is left for the resolver to report. */
function onlyServed(input: TrunklineConfig, wanted: string | undefined): unknown {
  if (typeof input !== 'object' || (input as unknown) === null) return input
  const routes: unknown = input.routes
  if (routes === undefined) throw noRoute()
  if (typeof routes !== 'object' || routes === null || Array.isArray(routes)) return input
  const given = Object.entries(routes).filter(([, route]) => route !== undefined)
  const name = pickName(
    given.map(([key]) => key),
    wanted,
  )
  return { ...input, routes: Object.fromEntries(given.filter(([key]) => key === name)) }
}

function pickName(names: readonly string[], wanted: string | undefined): string {
  const [only] = names
  if (only === undefined) throw noRoute()
  const known = names.join(', ')
  if (wanted !== undefined && !names.includes(wanted)) {
    throw new TrunklineError('lambda.route_unknown', `there is no route ${JSON.stringify(wanted)}`, `routes: ${known}`)
  }
  if (wanted === undefined && names.length > 1) {
    throw new TrunklineError(
      'lambda.route_needed',
      'the configuration has several routes, and a function serves one',
      `give route: one of ${known}`,
    )
  }
  return wanted ?? only
}

function isResolved(config: TrunklineConfig | Config): config is Config {
  return Array.isArray((config as TrunklineConfig | undefined | null)?.routes)
}

function isServable(route: RouteConfig): route is LambdaRoute {
  return route.sink.type === 'http'
}

function noRoute(): TrunklineError {
  return new TrunklineError(
    'lambda.no_route',
    'the configuration has no route to serve',
    "add one: routes: { crm: { sink: { type: 'http', url: '...' } } }",
  )
}

function fileSinkError(name: string): TrunklineError {
  const message = `route ${name} writes files, and the files of a function are gone with it`
  return new TrunklineError('lambda.file_sink', message, "give the route another sink, such as { type: 'http', url: '...' }")
}

function functionSinkError(name: string): TrunklineError {
  const message = `route ${name} calls a function of yours, which runs in a process of the service's`
  return new TrunklineError(
    'lambda.function_sink',
    message,
    'run this route with the service, or call that function from a handler of your own',
  )
}
