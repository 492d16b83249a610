/**
 * Names of queues and divisions in the routes, as the directory knows them now. A route that cannot be sure what it takes, because a name
 * is not known (yet), holds: its events wait in the log, and that is said wherever somebody looks. When the directory has been read and
 * names mean other ids, the route goes by them from the next event it reads. For limits an unknown name only means the default.
 */
import type { RouteConfig } from '../config/config.ts'
import {
  type NamedRoute,
  type NamedThings,
  type NameUse,
  NOTHING_NAMED,
  isId,
  isNeeded,
  kindOf,
  resolveNames,
  shownName,
  shownUse,
} from '../config/names.ts'
import { routeRevision } from '../config/revision.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { nearestNames } from '../config/nearest.ts'
import type { KeyNamed } from '../flags/read-flag.ts'
import type { Directory } from '../genesys/directory.ts'
import { compile, type Matcher } from '../match/matcher.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Definition } from '../routes/explain.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { Route } from '../routes/route.ts'
import type { RouteStatus } from '../routes/status.ts'
import type { RouteLimits } from './route-limits.ts'

export type RouteNamesOptions = {
  /** Null where no OAuth client is configured: there are no names then. */
  readonly directory: Pick<Directory, 'things' | 'nameOf' | 'onRead'> | null
  readonly ledger: Pick<Ledger, 'revise'>
  readonly limits: Pick<RouteLimits, 'configure'>
  readonly clock: Pick<Clock, 'nowMs'>
  readonly warn: (code: string, message: string) => void
  readonly info: (message: string) => void
}

/** What of a route is steered from here. */
type Steered = Pick<Route, 'between' | 'blocked' | 'frontier'>
type Named = { readonly config: RouteConfig; now: NamedRoute; matchers: readonly Matcher[] }

const NAME_UNKNOWN = 'match.name_unknown'

export class RouteNames {
  readonly #o: RouteNamesOptions
  readonly #named = new Map<string, Named>()
  #routes: ReadonlyMap<string, Steered> = new Map()

  constructor(options: RouteNamesOptions) {
    this.#o = options
    options.directory?.onRead(() => this.#read())
  }

  /** The route by ids, as far as they are known. */
  resolve(config: RouteConfig): RouteConfig {
    const now = resolveNames(config, thingsOf(this.#o.directory), KNOWN_TOPICS)
    this.#named.set(config.name, { config, now, matchers: now.route.patterns.map(compile) })
    this.#say(config.name, now, null)
    return now.route
  }

  /** What the route matches by, each time it is asked. */
  matchersOf(route: string): () => readonly Matcher[] {
    return () => this.#named.get(route)?.matchers ?? []
  }

  /** Why the route must hold because of its names, or null. */
  holds(route: string): RouteStatus['blocked'] {
    const now = this.#named.get(route)?.now
    return now === undefined || now.unknown.length === 0 ? null : { code: NAME_UNKNOWN, message: whyItHolds(route, now) }
  }

  /** Before the routes start: those hold that must, and from here on all follow the directory. */
  start(routes: ReadonlyMap<string, Steered>): void {
    this.#routes = routes
    for (const [name, route] of routes) route.blocked = this.holds(name)
  }

  /** The names that a route is written with, and what they came to. */
  namesOf(route: string): readonly NameUse[] {
    return this.#named.get(route)?.now.names ?? []
  }

  /** What a key of a limit means: ids of the queues (or divisions) of that name, or that there is nothing of the name. */
  keyNamed(route: string, key: string): KeyNamed {
    const limit = this.#named.get(route)?.config.limit ?? null
    const kind = kindOf(limit?.per ?? '')
    if (limit === null || kind === null || isId(key)) return { ids: [], nearest: null }
    const things = this.#o.directory?.things(kind) ?? null
    const ids = (things ?? []).filter((thing) => thing.name === key).map(({ id }) => id)
    // Ids of a bus of your own may look like names; one that is written in the configuration is meant.
    const isMeant = Object.hasOwn(limit.limits, key) || things === null || things.some(({ id }) => id === key)
    if (ids.length > 0 || isMeant) return { ids, nearest: null }
    const names = things.map(({ name }) => name)
    return { ids, nearest: nearestNames(key, names, 3) }
  }

  /** The name of a key of a limit, and what is not sure about it; empty where a limit counts by what has no names. */
  keyTold(route: string, key: string | null): { readonly keyName?: string | null; readonly note?: string | null } {
    const kind = kindOf(this.#named.get(route)?.config.limit?.per ?? '')
    if (kind === null || key === null) return {}
    const { directory } = this.#o
    const keyName = directory?.nameOf(kind, key)?.name ?? null
    if (keyName !== null) return { keyName, note: null }
    const why =
      directory === null
        ? 'without an OAuth client (genesys) names are not known'
        : directory.things(kind) === null
          ? 'the names of Genesys Cloud have not been read yet'
          : `none of the ${kind} of Genesys Cloud has this id`
    return { keyName, note: `the key is taken as it is: ${why}` }
  }

  /** Why routes hold, a sentence each. */
  reasons(): readonly string[] {
    return [...this.#named.keys()].flatMap((name) => {
      const blocked = this.holds(name)
      return blocked === null ? [] : [`${blocked.code}: ${blocked.message}`]
    })
  }

  #read(): void {
    const things = thingsOf(this.#o.directory)
    for (const [name, named] of this.#named) {
      const { config, now: before } = named
      const now = resolveNames(config, things, KNOWN_TOPICS)
      if (isSame(before, now)) continue
      named.now = now
      this.#say(name, now, before)
      this.#apply(name, named, before)
    }
  }

  #apply(name: string, named: Named, before: NamedRoute): void {
    const { now } = named
    const route = this.#routes.get(name)
    const blocked = this.holds(name)
    const change = (): void => {
      const nowMs = this.#o.clock.nowMs()
      // What the route has read went by the definition before; what it reads next goes by this one.
      if (blocked === null && route !== undefined)
        this.#o.ledger.revise(name, route.frontier, routeRevision(now.route), JSON.stringify(definitionOf(now.route, now.names)), nowMs)
      named.matchers = now.route.patterns.map(compile)
      if (route !== undefined) route.blocked = blocked
    }
    if (route === undefined) change()
    else void route.between(change)
    const { limit } = now.route
    if (limit !== null && !isEqual(limit, before.route.limit)) this.#o.limits.configure(name, limit, this.#o.clock.nowMs())
  }

  /** Says what names came to, once for each change. */
  #say(name: string, now: NamedRoute, before: NamedRoute | null): void {
    const { warn, info } = this.#o
    if (now.unknown.length > 0) warn(NAME_UNKNOWN, whyItHolds(name, now))
    else if (before !== null && before.unknown.length > 0) info(`route ${name} goes on: its names are known`)
    for (const use of now.names) {
      const known = before?.names.find((one) => one.place === use.place && one.name === use.name)
      // An unknown name is told when it is sure that nothing has it: names may be read after the start.
      const isOld = known !== undefined && isEqual(known.ids, use.ids) && (use.ids.length > 0 || before?.isRead === now.isRead)
      if (isOld) continue
      if (use.ids.length > 0) info(`route ${name}: ${shownUse(use)}`)
      else if (!isNeeded(use.place) && now.isRead)
        warn('limit.name_unknown', `route ${name}: ${shownUse(use)}${likely(use)}; what it would be for has the default limit`)
    }
  }
}

/** The part of a route that explain derives verdicts from. */
export function definitionOf(route: RouteConfig, names: readonly NameUse[]): Definition {
  const { topics, patterns, dedupe, backfill, validate, changes } = route
  const used = names.map(({ place, name, ids }) => ({ place, name, ids }))
  return {
    topics,
    patterns,
    dedupe,
    backfill,
    validate,
    limit: route.limit !== null,
    order: route.order !== null,
    changes,
    ...(used.length === 0 ? {} : { names: used }),
  }
}

function whyItHolds(route: string, { unknown, isRead }: NamedRoute): string {
  const shown = unknown.map((use) => `${shownName(use)}${likely(use)}`).join('; ')
  return isRead
    ? `route ${route} holds, its events wait: Genesys Cloud has nothing of this name: ${shown}; correct it in the configuration, or make it there`
    : `route ${route} holds, its events wait until the names of Genesys Cloud have been read: ${shown} (trunkline genesys status says how that goes)`
}

const likely = ({ nearest }: NameUse): string =>
  nearest.length === 0 ? '' : ` (nearest: ${nearest.map((name) => JSON.stringify(name)).join(', ')})`

function thingsOf(directory: RouteNamesOptions['directory']): NamedThings {
  return directory === null ? NOTHING_NAMED : { queues: directory.things('queues'), divisions: directory.things('divisions') }
}

const isSame = (a: NamedRoute, b: NamedRoute): boolean =>
  isEqual([a.route.patterns, a.route.limit, a.names, a.isRead], [b.route.patterns, b.route.limit, b.names, b.isRead])
const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
