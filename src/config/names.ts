/**
 * Names in the configuration: a queue or division may be written by its name wherever it may be written by its id. What looks like a UUID
 * is an id, everything else a name. One place makes ids of them, from what the directory of Genesys Cloud knows: all things of a name,
 * as several may have it. A name that nothing has stays without ids and is told with the nearest there are. Pure.
 */
import { type Convenience, patternOf } from '../match/convenience.ts'
import { wildcardOf } from '../match/wildcard.ts'
import { changePatterns } from './changes.ts'
import type { EventPattern, LimitConfig, LimitRate, PriorityRule, RouteConfig } from './config.ts'
import { nearestNames } from './nearest.ts'

/** What the directory knows; a list is null while it was never read. */
export type NamedThings = {
  readonly queues: readonly { readonly id: string; readonly name: string; readonly divisionId: string | null }[] | null
  readonly divisions: readonly { readonly id: string; readonly name: string }[] | null
}

/** A name, and what it came to. */
export type NameUse = {
  /** Where it stands in the route: `queues`, `divisions`, `limit.limits`, `limit.priority.of` or `limit.priority.rules`. */
  readonly place: string
  readonly name: string
  /** None: it is not known (yet). */
  readonly ids: readonly string[]
  /** Names it may have been meant to be. */
  readonly nearest: readonly string[]
}

export type NamedRoute = {
  /** The route with ids: what it matches by, and its limit. */
  readonly route: RouteConfig
  readonly names: readonly NameUse[]
  /** Names without which it cannot be said what the route takes. */
  readonly unknown: readonly NameUse[]
  /** Whether every list that is asked for has been read once. */
  readonly isRead: boolean
}

export const NOTHING_NAMED: NamedThings = { queues: null, divisions: null }

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const NEAREST = 3

export const isId = (text: string): boolean => UUID.test(text)

/** Where a route has names, the first place of each kind; empty where it has ids only. */
export function placesOfNames(route: RouteConfig): readonly string[] {
  const { queues, divisions, limit } = route
  const places: string[] = []
  if (queues?.some((entry) => !isId(entry)) === true) places.push('queues')
  if (divisions?.some((entry) => !isId(entry)) === true) places.push('divisions')
  if (limit === null) return places
  if (kindOf(limit.per) !== null && Object.keys(limit.limits).some((key) => !isId(key))) places.push('limit.limits')
  if (Object.keys(limit.priority?.of ?? {}).some((key) => !isId(key))) places.push('limit.priority.of')
  if ((limit.priority?.rules.length ?? 0) > 0) places.push('limit.priority.rules')
  return places
}

/** What a route filters by cannot do without them; a limit can. */
export const isNeeded = (place: string): boolean => place === 'queues' || place === 'divisions'

/** Puts ids in the place of names. A route without names comes out as it is. */
export function resolveNames(route: RouteConfig, things: NamedThings, knownTopics: readonly string[]): NamedRoute {
  if (placesOfNames(route).length === 0 && !hasDivisions(route)) return { route, names: [], unknown: [], isRead: true }
  const names: NameUse[] = []
  const finder = new Finder(things, names)
  const queues = idsFor(route.queues, (name) => finder.ids('queues', 'queues', name))
  const divisions = idsFor(route.divisions, (name) => finder.ids('divisions', 'divisions', name))
  const limit = route.limit === null ? null : limitWithIds(route.limit, finder)
  const unknown = names.filter(({ place, ids }) => isNeeded(place) && ids.length === 0)
  // What it matches by cannot be said then; as written it would take nothing.
  const patterns = unknown.length > 0 ? route.patterns : patternsWith({ ...route, queues, divisions }, knownTopics)
  return { route: { ...route, patterns, limit }, names, unknown, isRead: finder.isRead }
}

/** All that an event must match, of a route that says it by ids. */
function patternsWith(route: RouteConfig, knownTopics: readonly string[]): readonly EventPattern[] {
  if (route.changes !== null) return changePatterns(route)
  const { topics, match, queues, mediaTypes, divisions, otherTopics } = route
  const own = match === null ? [] : [match]
  if (queues === null && mediaTypes === null && divisions === null) return own
  const keys = Object.entries({ topics, queues, mediaTypes, divisions, otherTopics }).filter(([, value]) => value !== null)
  const { pattern } = patternOf(Object.fromEntries(keys) as Convenience, knownTopics)
  return pattern === null ? own : [...own, pattern]
}

/** `queues: "Sales"`: what a person has written, in a sentence. */
export const shownName = ({ place, name }: Pick<NameUse, 'place' | 'name'>): string => `${place}: ${JSON.stringify(name)}`

/** `queues: "Sales" is 2f9e3a52-...`, or that it is not known. */
export function shownUse(use: NameUse): string {
  const shown = use.ids.slice(0, NEAREST).join(', ')
  const more = use.ids.length > NEAREST ? ` and ${use.ids.length - NEAREST} more` : ''
  return `${shownName(use)} ${use.ids.length === 0 ? 'is not known' : `is ${shown}${more}`}`
}

type Kind = 'queues' | 'divisions'

/** A priority may name divisions by their id, which come to their queues. */
const hasDivisions = ({ limit }: RouteConfig): boolean => Object.keys(limit?.priority?.of ?? {}).length > 0

class Finder {
  readonly things: NamedThings
  readonly #uses: NameUse[]
  readonly #byName = new Map<Kind, Map<string, string[]>>()
  isRead = true

  constructor(things: NamedThings, uses: NameUse[]) {
    this.things = things
    this.#uses = uses
  }

  /** Ids of all things of that name. */
  find(kind: Kind, name: string): readonly string[] {
    let byName = this.#byName.get(kind)
    if (byName === undefined) {
      byName = new Map()
      for (const thing of this.things[kind] ?? []) byName.set(thing.name, [...(byName.get(thing.name) ?? []), thing.id])
      this.#byName.set(kind, byName)
    }
    return byName.get(name) ?? []
  }

  /** As `find`, and told as a use of the name. */
  ids(place: string, kind: Kind, name: string): readonly string[] {
    const ids = this.find(kind, name)
    this.use(place, name, ids, [kind])
    return ids
  }

  use(place: string, name: string, ids: readonly string[], kinds: readonly Kind[]): void {
    if (ids.length === 0) for (const kind of kinds) if (this.things[kind] === null) this.isRead = false
    const known = kinds.flatMap((kind) => (this.things[kind] ?? []).map((thing) => thing.name))
    this.#uses.push({ place, name, ids, nearest: ids.length > 0 ? [] : nearestNames(name, known, NEAREST) })
  }
}

function idsFor(entries: readonly string[] | null, find: (name: string) => readonly string[]): readonly string[] | null {
  if (entries === null) return null
  return [...new Set(entries.flatMap((entry) => (isId(entry) ? [entry] : find(entry))))]
}

function limitWithIds(limit: LimitConfig, finder: Finder): LimitConfig {
  const kind = kindOf(limit.per)
  const { priority } = limit
  return {
    ...limit,
    limits: kind === null ? limit.limits : ratesWithIds(limit.limits, kind, finder),
    priority: priority === null ? null : { ...priority, of: prioritiesWithIds(priority.of, priority.rules, finder) },
  }
}

/** The kind of thing whose id a limit counts by; null of anything else. */
export function kindOf(per: string): Kind | null {
  if (per === 'queue' || per.endsWith('.queueId')) return 'queues'
  return per.endsWith('.divisionId') ? 'divisions' : null
}

/** The keys as they are (events of a bus of your own may have such ids), and beside them what they name; an id says more than a name. */
function ratesWithIds(
  rates: Readonly<Record<string, LimitRate | null>>,
  kind: Kind,
  finder: Finder,
): Readonly<Record<string, LimitRate | null>> {
  const found = new Map(Object.entries(rates))
  for (const [key, rate] of Object.entries(rates))
    if (!isId(key)) for (const id of finder.ids('limit.limits', kind, key)) if (!found.has(id)) found.set(id, rate)
  return Object.fromEntries(found)
}

/** A queue by its id, before a queue by its name, before the queues of a division, before the first rule that fits. */
function prioritiesWithIds(
  of: Readonly<Record<string, number>>,
  rules: readonly PriorityRule[],
  finder: Finder,
): Readonly<Record<string, number>> {
  const found = new Map(Object.entries(of))
  const { queues, divisions } = finder.things
  const give = (ids: readonly string[], priority: number): void => {
    for (const id of ids) if (!found.has(id)) found.set(id, priority)
  }
  const ofDivisions: [readonly string[], number][] = []
  for (const [key, priority] of Object.entries(of)) {
    const named = isId(key) ? [] : finder.find('queues', key)
    give(named, priority)
    const ids = isId(key) ? (divisions ?? []).filter(({ id }) => id === key).map(({ id }) => id) : finder.find('divisions', key)
    if (named.length === 0) ofDivisions.push([ids, priority])
    if (!isId(key)) finder.use('limit.priority.of', key, named.length > 0 ? named : ids, ['queues', 'divisions'])
  }
  for (const [ids, priority] of ofDivisions) {
    give(ids, priority)
    give(
      (queues ?? []).filter(({ divisionId }) => divisionId !== null && ids.includes(divisionId)).map(({ id }) => id),
      priority,
    )
  }
  for (const rule of rules) {
    const ids = fitting(rule, finder)
    finder.use('limit.priority.rules', shownRule(rule), ids, rule.division === null ? ['queues'] : ['queues', 'divisions'])
    give(ids, rule.priority)
  }
  return Object.fromEntries(found)
}

function fitting(rule: PriorityRule, { things }: Finder): readonly string[] {
  const isQueue = rule.queue === null ? (): boolean => true : wildcardOf(rule.queue)
  const isDivision = rule.division === null ? null : wildcardOf(rule.division)
  const inside = new Set(
    (things.divisions ?? []).filter(({ id, name }) => isDivision?.(name) === true || id === rule.division).map(({ id }) => id),
  )
  return (things.queues ?? [])
    .filter(({ name, divisionId }) => isQueue(name) && (isDivision === null || (divisionId !== null && inside.has(divisionId))))
    .map(({ id }) => id)
}

function shownRule({ queue, division }: PriorityRule): string {
  return [queue === null ? '' : `queue ${queue}`, division === null ? '' : `division ${division}`].filter((part) => part !== '').join(', ')
}
