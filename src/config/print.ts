import type { Config, Origin, RouteConfig } from './config.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { type NamedRoute, type NamedThings, type NameUse, NOTHING_NAMED, resolveNames, shownUse } from './names.ts'
import { MASK, shownUrl } from './secret.ts'

/**
 * The effective configuration as it may be shown: header values, and what may be secret in an address, are masked.
 * A new secret option must be masked here; the test that prints random secrets finds one that is not.
 */

export type PrintedConfig = {
  readonly file: string | null
  /** Nested like a configuration file. */
  readonly config: Readonly<Record<string, unknown>>
  /** Where each option came from, by its path. */
  readonly origins: Readonly<Record<string, Origin>>
  /** By route, what its names came to when a service last knew; routes without names are not in it. */
  readonly names: Readonly<Record<string, readonly NameUse[]>>
}

/** The masked configuration as data, for `trunkline config --json`. Names are those of `things`. */
export function printConfig(config: Config, things: NamedThings = NOTHING_NAMED): PrintedConfig {
  const { file, origins, routes, ...rest } = config
  const masked = routes.map((route) => {
    const { name, sink, ...printed } = maskRoute(route)
    // `shownUrl` is no option, and stands in `url` by now.
    return [name, { ...printed, sink: Object.fromEntries(Object.entries(sink).filter(([key]) => key !== 'shownUrl')) }] as const
  })
  const { clientId, clientSecret, baseUrl, ...genesys } = rest.genesys
  const secret = (value: string | null): string | null => (value === null ? null : MASK)
  const shown = { ...genesys, baseUrl: baseUrl === null ? null : shownUrl(new URL(baseUrl), null) }
  return {
    file,
    config: {
      ...rest,
      genesys: { ...shown, clientId: secret(clientId), clientSecret: secret(clientSecret) },
      routes: Object.fromEntries(masked),
    },
    origins,
    names: Object.fromEntries(namedRoutes(config, things).flatMap(({ route, names }) => (names.length === 0 ? [] : [[route.name, names]]))),
  }
}

/** The masked configuration as text: one option a line with its value and origin. */
export function formatConfig(config: Config, things: NamedThings = NOTHING_NAMED): string {
  const printed = printConfig(config, things)
  const rows = Object.entries(printed.origins).map(([path, origin]): [string, string, string] => [
    path,
    JSON.stringify(valueAt(printed.config, path)),
    origin,
  ])
  for (const { route, names, unknown } of namedRoutes(config, things)) {
    const { name, patterns } = route
    for (const use of names) rows.push([`routes.${name} names`, shownUse(use), 'directory'])
    if (unknown.length > 0) rows.push([`routes.${name} matches`, 'what its names come to, which only a running service knows', 'result'])
    else if (patterns.length > 0)
      rows.push([`routes.${name} matches`, patterns.map((pattern) => JSON.stringify(pattern)).join(' and '), 'result'])
  }
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => Math.min(60, (row[column] ?? '').length))))
  const lines = rows.map(([path, value, origin]) => `${path.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${origin}`)
  return [`configuration file: ${printed.file ?? 'none'}`, ...lines, ''].join('\n')
}

const namedRoutes = (config: Config, things: NamedThings): readonly NamedRoute[] =>
  config.routes.map((route) => resolveNames(route, things, KNOWN_TOPICS))

/** A route without its secrets: the address as it may be shown, header names only. */
export function maskRoute(route: RouteConfig): RouteConfig {
  if (route.sink.type !== 'http') return route
  const headers = Object.fromEntries(Object.keys(route.sink.headers).map((name) => [name, MASK]))
  return { ...route, sink: { ...route.sink, url: route.sink.shownUrl, headers } }
}

/** What a route takes, in a few words: `queues Sales, Billing; a pattern; limit 5/s per queue`. Names stand as they are written. */
export function shownTake({ changes, topics, match, queues, mediaTypes, divisions, limit }: RouteConfig): string {
  const few = (list: readonly string[] | null, word: string): readonly string[] => {
    if (list === null) return []
    return [list.length > SHOWN ? `${list.length} ${word}` : `${word} ${list.join(', ')}`]
  }
  const narrowed = [
    ...(changes === null ? [] : ['finished conversations']),
    ...(topics !== null && topics.length <= SHOWN ? [topics.join(', ')] : few(topics, 'topics')),
    ...few(queues, 'queues'),
    ...few(mediaTypes, 'media'),
    ...few(divisions, 'divisions'),
    ...(match === null ? [] : ['a pattern']),
  ]
  const limited = limit === null ? [] : [`limit ${limit.perSecond}/s per ${limit.per}`]
  return [...(narrowed.length === 0 ? ['all topics'] : narrowed), ...limited].join('; ')
}

const SHOWN = 3

/** Where a sink's events go, in a few words without secrets. */
export function shownSink(sink: RouteConfig['sink']): string {
  switch (sink.type) {
    case 'http':
      return sink.shownUrl
    case 'file':
      return sink.dir
    case 'function':
      return `${sink.export}() of ${sink.module}`
  }
}

/** Follows a path of the origins; none of their keys contains a dot. */
function valueAt(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (at, key) => (typeof at === 'object' && at !== null ? new Map<string, unknown>(Object.entries(at)).get(key) : undefined),
      value,
    )
}
