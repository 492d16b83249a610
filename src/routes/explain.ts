/**
 * What became of one event on one route. Little of it is stored: receipts are the log's own records, what was not
 * plain success is in the ledger, delivery follows from the route's progress, and pure verdicts are computed again
 * with the route definition in force then, and marked `derived`.
 */
import type { Event } from '../event/event.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { isReconstructed } from '../event/origin.ts'
import { compile, type Matcher } from '../match/matcher.ts'
import { describeMismatch } from '../match/mismatch.ts'
import { whyNotChanges } from '../pipeline/match.ts'
import { compileTopics } from '../pipeline/topic-pattern.ts'
import type { Happening, Ledger } from './ledger.ts'
import type { Route } from './route.ts'
import { type Stretch, isWithin } from './seq-set.ts'

/** How an event ended, or where it is. */
export const ROUTE_OUTCOMES = [
  'delivered',
  'duplicate',
  'not_matched',
  'dropped',
  'dead',
  'retrying',
  'held',
  'waiting',
  'not_offered',
] as const

export type RouteOutcome = (typeof ROUTE_OUTCOMES)[number]

export type StageNote = {
  readonly stage: string
  readonly outcome: string
  readonly reason: string | null
  /** Computed now from the definition in force then, rather than stored. */
  readonly derived: boolean
}

export type RouteHistory = {
  readonly route: string
  readonly outcome: RouteOutcome
  readonly reason: string | null
  readonly revision: string | null
  readonly stages: readonly StageNote[]
  /** Names the route was written with, and the ids they came to then. */
  readonly names: NonNullable<Definition['names']>
  readonly history: readonly Happening[]
}

/** The part of a route's definition that pure verdicts depend on; stored with each revision. Of a revision before a stage existed its key is missing. */
export type Definition = {
  readonly topics: readonly string[] | null
  readonly patterns: readonly unknown[]
  readonly dedupe: boolean
  readonly backfill: boolean
  readonly validate: boolean
  readonly limit?: boolean
  readonly order?: boolean
  /** Names in the configuration, and the ids they came to. */
  readonly names?: readonly { readonly place: string; readonly name: string; readonly ids: readonly string[] }[]
  readonly changes?: string | null
}

/** What validation says of an event now, in words; null when it fits. */
export type Findings = (event: Event) => string | null

const ANYTHING: Definition = { topics: null, patterns: [], dedupe: true, backfill: false, validate: false }

/** Explains one event on one route. `route` is null for a route that is no longer configured. */
export function explainOnRoute(
  ledger: Ledger,
  name: string,
  route: Route | null,
  seq: number,
  event: Event,
  findings: Findings | null = null,
): RouteHistory {
  const history = ledger.history(name, seq)
  const revision = ledger.revisionAt(name, seq)
  const definition: Definition = { ...ANYTHING, ...(revision === null ? {} : (JSON.parse(revision.definition) as Partial<Definition>)) }
  const base = { route: name, revision: revision?.revision ?? null, names: definition.names ?? [], history }
  const state = stateOf(ledger, name)
  if (state === null || seq < state.startedSeq) return { ...base, outcome: 'not_offered', reason: 'route.began_later', stages: [] }

  const stages: StageNote[] = []
  const unmatched = unmatchedBy(definition, event)
  const clause = unmatched === null ? null : clauseOf(unmatched, definition, event)
  stages.push({ stage: 'match', outcome: unmatched === null ? 'keep' : 'drop', reason: clause, derived: true })
  const expired = ledger.get('SELECT reason FROM expired WHERE route = ? AND from_seq <= ? AND to_seq >= ?', name, seq, seq)
  if (expired !== undefined) return { ...base, outcome: 'dropped', reason: String(expired['reason']), stages: [] }
  const blocked = route?.where(seq) === 'ahead' ? route.blocked : null
  if (blocked !== null) {
    const { code, message } = blocked
    return { ...base, outcome: 'waiting', reason: code, stages: [{ stage: 'match', outcome: 'hold', reason: message, derived: false }] }
  }
  if (unmatched !== null) return { ...base, outcome: 'not_matched', reason: unmatched, stages }
  const held = route?.where(seq) === 'in_flight' ? null : (route?.waitsInOrder(seq) ?? heldOn(ledger, name, seq))

  const limit = noteOf('limit', definition.limit === true, history, held)
  if (limit !== null) stages.push(limit)
  if (limit?.outcome === 'drop') return { ...base, outcome: 'dropped', reason: limit.reason, stages }
  if (limit?.outcome === 'hold') return { ...base, outcome: 'held', reason: limit.reason, stages }
  if (definition.validate && findings !== null) {
    const dead = history.find((h) => h.stage === 'validate' && h.what === 'dead')
    const why = dead === undefined ? findings(event) : (dead.detail ?? dead.reason)
    // A redrive is the decision of a person: the stage is not asked again.
    const redriven = dead !== undefined && history.some((h) => h.what === 'redrive_requested')
    const reason = redriven ? `${why}; redriven, and not judged again` : why
    stages.push({ stage: 'validate', outcome: dead === undefined || redriven ? 'keep' : 'dead', reason, derived: dead === undefined })
  }
  const duplicate = definition.dedupe && event.duplicateOf !== null
  stages.push({
    stage: 'dedupe',
    outcome: duplicate ? 'drop' : 'keep',
    reason: duplicate ? `duplicate of ${event.duplicateOf}` : null,
    derived: true,
  })
  if (duplicate) return { ...base, outcome: 'duplicate', reason: `duplicate of ${event.duplicateOf}`, stages }
  const order = noteOf('order', definition.order === true, history, held)
  if (order !== null) stages.push(order)
  if (order?.outcome === 'drop') return { ...base, outcome: 'dropped', reason: order.reason, stages }
  if (held !== null) return { ...base, outcome: 'held', reason: held.reason, stages }

  const { outcome, reason } = deliveryOf(ledger, name, route, seq, history, state)
  const known = outcome === 'delivered' ? 'keep' : outcome
  stages.push({ stage: 'deliver', outcome: known, reason, derived: outcome === 'delivered' && history.at(-1)?.what !== 'delivered' })
  return { ...base, outcome, reason, stages }
}

export type HeldAt = { readonly stage: string; readonly reason: string }

function heldOn(ledger: Ledger, name: string, seq: number): HeldAt | null {
  const row = ledger.get('SELECT stage, reason FROM held WHERE route = ? AND seq = ?', name, seq)
  return row === undefined ? null : { stage: String(row['stage']), reason: String(row['reason']) }
}

/** What a stage that may hold, drop or remark did; null where the route has no such stage. */
function noteOf(stage: string, isOn: boolean, history: readonly Happening[], held: HeldAt | null): StageNote | null {
  if (held?.stage === stage) return { stage, outcome: 'hold', reason: held.reason, derived: false }
  const last = history.findLast((h) => h.stage === stage && (h.what === 'dropped' || h.what === 'held' || h.what === 'noted'))
  if (last !== undefined) return { stage, outcome: last.what === 'dropped' ? 'drop' : 'keep', reason: last.reason, derived: false }
  return isOn ? { stage, outcome: 'keep', reason: null, derived: true } : null
}

/** Why the route does not take the event, or null when it does. */
function unmatchedBy(definition: Definition, event: Event): string | null {
  const { topics, matchers } = compiled(definition)
  if ((event.format === 'change') !== isForChanges(definition)) return 'match.changes'
  if (topics !== null && !topics.matches(event.topic)) return 'match.topic'
  if (!definition.backfill && isReconstructed(event)) return 'match.backfill'
  return matchers.every((matcher) => matcher.matchesEvent(event)) ? null : 'match.pattern'
}

/** The same with what there is to say about it. */
function clauseOf(unmatched: string, definition: Definition, event: Event): string {
  if (unmatched === 'match.pattern') return `match.pattern: ${describeMismatch(definition.patterns, event) ?? 'it matches now'}`
  return unmatched === 'match.changes' ? `match.changes: ${whyNotChanges(isForChanges(definition))}` : unmatched
}

function isForChanges({ changes = null }: Definition): boolean {
  return changes !== null
}

type Compiled = { readonly topics: ReturnType<typeof compileTopics> | null; readonly matchers: readonly Matcher[] }

/** Lists ask about hundreds of events under the same few definitions. */
const remembered = new Map<string, Compiled>()
const MAX_REMEMBERED = 64

function compiled(definition: Definition): Compiled {
  const name = JSON.stringify([definition.topics, definition.patterns])
  const known = remembered.get(name)
  if (known !== undefined) return known
  const made = {
    topics: definition.topics === null ? null : compileTopics(definition.topics, KNOWN_TOPICS),
    matchers: definition.patterns.map(compile),
  }
  if (remembered.size >= MAX_REMEMBERED) remembered.clear()
  remembered.set(name, made)
  return made
}

/** The outcome alone, for lists. */
export const outcomeOnRoute = (ledger: Ledger, name: string, route: Route | null, seq: number, event: Event): RouteOutcome =>
  explainOnRoute(ledger, name, route, seq, event).outcome

type Progressed = { readonly startedSeq: number; readonly position: number; readonly above: readonly Stretch[] }

function stateOf(ledger: Ledger, name: string): Progressed | null {
  const row = ledger.get('SELECT started_seq, position, above FROM routes WHERE name = ?', name)
  if (row === undefined) return null
  return {
    startedSeq: Number(row['started_seq']),
    position: Number(row['position']),
    above: JSON.parse(String(row['above'])) as Stretch[],
  }
}

function deliveryOf(
  ledger: Ledger,
  name: string,
  route: Route | null,
  seq: number,
  history: readonly Happening[],
  state: Progressed,
): { outcome: RouteOutcome; reason: string | null } {
  const pending = ledger.get('SELECT reason FROM pending WHERE route = ? AND seq = ?', name, seq)
  if (pending !== undefined) return { outcome: 'retrying', reason: String(pending['reason']) }
  const ended = history.findLast((h) => h.what === 'dead' || h.what === 'delivered' || h.what === 'dropped')
  if (ended !== undefined)
    return { outcome: ended.what === 'delivered' ? 'delivered' : ended.what === 'dead' ? 'dead' : 'dropped', reason: ended.reason }
  if (route?.where(seq) === 'in_flight')
    return route.holding === null ? { outcome: 'waiting', reason: 'route.in_flight' } : { outcome: 'held', reason: route.holding }
  const settled = seq < state.position || isWithin(state.above, seq)
  return settled
    ? { outcome: 'delivered', reason: null }
    : { outcome: 'waiting', reason: route === null ? 'route.not_configured' : route.paused ? 'route.paused' : 'route.behind' }
}
