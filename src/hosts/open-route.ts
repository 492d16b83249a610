/** A route from its configuration: the stages in their order, the sink, and what is delivered of an event. */
import type { Logger } from 'pino'
import type { RouteConfig } from '../config/config.ts'
import { routeRevision } from '../config/revision.ts'
import { toDocument, type Beside } from '../event/document.ts'
import type { Event } from '../event/event.ts'
import type { Log } from '../log/log.ts'
import type { Ledger } from '../routes/ledger.ts'
import { Route } from '../routes/route.ts'
import { systemClock } from './clock.ts'
import type { RouteLimits } from './route-limits.ts'
import { type RouteNames, definitionOf } from './route-names.ts'
import { shapingOf } from './shaping.ts'
import { createSink } from './sinks.ts'
import type { Validation } from './validation.ts'
import type { Store } from '../stores/store.ts'
import { VERSION } from './version.ts'

export type RouteRooms = {
  readonly log: Log
  readonly ledger: Ledger
  readonly logger: Logger
  readonly validation: Validation
  /** Where limits keep their tokens; opened when a route asks for the first time. */
  readonly limitStore: () => Store
  readonly limits: RouteLimits
  readonly names: RouteNames
  /** Names of the ids in an event's body; null when there is no directory. */
  readonly namesIn: ((event: Event) => Readonly<Record<string, unknown>> | null) | null
}

const BATCH_GAP_MS = 4

/** Makes the route and records its definition; nothing runs yet. */
export function openRoute(config: RouteConfig, rooms: RouteRooms): Route {
  const { log, ledger, logger, validation, names } = rooms
  const { name } = config
  const clock = systemClock
  const warn = (code: string, message: string): void => logger.warn({ code, route: name }, message)
  const output = (line: string): void => logger.info({ code: 'sink.function_output', route: name }, line)
  ledger.createRoute(name, config.from === 'earliest' ? log.events.firstSeq : log.events.nextSeq)
  const byIds = names.resolve(config)
  // While it holds nothing is judged by its definition.
  if (names.holds(name) === null) {
    const definition = JSON.stringify(definitionOf(byIds, names.namesOf(name)))
    ledger.revise(name, ledger.route(name)?.position ?? 0, routeRevision(byIds), definition, clock.nowMs())
  }
  const beside = besideOf(config, rooms)
  const document = beside === null ? toDocument : (event: Event): Uint8Array => toDocument(event, beside(event))
  const sink = createSink(config.sink, { clock, document, beside: beside ?? (() => NOTHING), name, version: VERSION, warn, output })
  if (byIds.limit !== null) rooms.limits.configure(name, byIds.limit, ledger.revisedAtMs(name))
  const shaping = shapingOf(config, {
    validation: validation.stage,
    matchers: names.matchersOf(name),
    limits: { store: rooms.limitStore, terms: rooms.limits.termsOf(name), clock, leaseMs: 0, warn },
  })
  const route = new Route({ config, ledger, log: log.events, sink, shaping, clock, random: Math.random, batchGapMs: BATCH_GAP_MS, warn })
  // What waits because of a limit that is no more need not wait for its time.
  if (config.limit === null) void route.changeLimit(null, () => undefined)
  return route
}

const NOTHING: Beside = {}

/** What the route adds to an event: the marks of validation, the names behind its ids; null when it adds nothing. */
function besideOf({ validate, names }: RouteConfig, { validation, namesIn }: RouteRooms): ((event: Event) => Beside) | null {
  const named = names ? namesIn : null
  if (!validate && named === null) return null
  return (event) => ({
    ...(validate ? { marks: validation.marksOf(event) } : {}),
    ...(named === null ? {} : { names: named(event) }),
  })
}
