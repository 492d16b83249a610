/** What a test expects of an event: read from its file, and held against what came out. */
import { nearestName } from '../config/nearest.ts'
import type { Rehearsed, RehearsedOutcome } from '../hosts/rehearsal.ts'

/** A record that goes to quarantine, with any code when it is null; or outcomes by route. Routes that are not named may do as they like. */
export type Expectation =
  | { readonly kind: 'quarantined'; readonly code: string | null }
  | { readonly kind: 'routes'; readonly routes: ReadonlyMap<string, RouteExpectation> }

/** `expect` of a test or of one of its events: the same for each event, or a list with one for each. */
export type Expectations = Expectation | readonly Expectation[]

/** What the names in a test are held against. */
export type Vocabulary = { readonly routes: readonly string[]; readonly outcomes: readonly RehearsedOutcome[] }

/** Where problems of a test go; answers null, as what is wrong has no value. */
export type Report = (place: string, what: string, hint: string, code?: string) => null

/** Null: any reason, any marks. */
export type RouteExpectation = {
  readonly outcome: RehearsedOutcome
  readonly reason: string | null
  readonly marks: readonly string[] | null
}

/** Something that came out otherwise. */
export type Difference = { readonly route: string | null; readonly expected: string; readonly got: string; readonly why: string }

/** Reads `expect`: one expectation, or a list of them. */
export function readExpectations(value: unknown, place: string, vocabulary: Vocabulary, report: Report): Expectations | null {
  if (!Array.isArray(value)) return readExpectation(value, place, vocabulary, report)
  return (value as readonly unknown[]).flatMap((one, index) => readExpectation(one, `${place}[${index}]`, vocabulary, report) ?? [])
}

/** What came out otherwise than expected; empty when nothing did. */
export function differencesOf(expectation: Expectation, got: Rehearsed): readonly Difference[] {
  if (expectation.kind === 'quarantined') {
    const expected = withReason(QUARANTINED, expectation.code)
    if (got.ok) return [{ route: null, expected, got: 'an event', why: `it decodes, as ${got.event.format} of topic ${got.event.topic}` }]
    if (expectation.code === null || expectation.code === got.code) return []
    return [{ route: null, expected, got: withReason(QUARANTINED, got.code), why: got.message }]
  }
  return [...expectation.routes].flatMap(([route, asked]): readonly Difference[] => {
    const { reason, marks } = asked
    const expected = shown(asked.outcome, reason, marks)
    if (!got.ok) return [{ route, expected, got: withReason(QUARANTINED, got.code), why: got.message }]
    const found = got.routes.find((one) => one.route === route)
    if (found === undefined) return []
    const same = found.outcome === asked.outcome && (reason === null || reason === found.reason)
    if (same && (marks === null || sameTexts(marks, found.marks))) return []
    return [{ route, expected, got: shown(found.outcome, found.reason, marks === null ? null : found.marks), why: found.why }]
  })
}

/** How many outcomes an expectation looks at. */
export function sizeOf(expectation: Expectation): number {
  return expectation.kind === 'quarantined' ? 1 : expectation.routes.size
}

const QUARANTINED = 'quarantined'
const ROUTE_KEYS: readonly string[] = ['outcome', 'reason', 'marks']
const HINT = 'Write { ROUTE: OUTCOME }, or for a record that is no event "quarantined" or its code, such as "decode.not_json".'

function readExpectation(value: unknown, place: string, vocabulary: Vocabulary, report: Report): Expectation | null {
  if (value === QUARANTINED) return { kind: 'quarantined', code: null }
  if (typeof value === 'string' && value.startsWith('decode.')) return { kind: 'quarantined', code: value }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return report(place, 'is no expectation', HINT)
  const entries = Object.entries(value) as [string, unknown][]
  if (entries.length === 0) return report(place, 'names no route, so nothing could fail', HINT)
  const routes = new Map<string, RouteExpectation>()
  for (const [route, asked] of entries) {
    const at = `${place}.${route}`
    if (!vocabulary.routes.includes(route)) {
      const nearest = nearestName(route, vocabulary.routes)
      const meant = nearest?.close === true ? `Did you mean ${nearest.name}? ` : ''
      const all = vocabulary.routes.length === 0 ? 'The configuration has no routes.' : `The routes are: ${vocabulary.routes.join(', ')}.`
      report(at, 'names no route of the configuration', `${meant}${all}`, 'test.unknown_route')
      continue
    }
    const read = readRouteExpectation(asked, at, vocabulary, report)
    if (read !== null) routes.set(route, read)
  }
  return { kind: 'routes', routes }
}

function readRouteExpectation(value: unknown, place: string, vocabulary: Vocabulary, report: Report): RouteExpectation | null {
  const given: Readonly<Record<string, unknown>> =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : { outcome: value }
  for (const key of Object.keys(given))
    if (!ROUTE_KEYS.includes(key))
      report(
        `${place}.${key}`,
        'is no known key',
        `Did you mean "${nearestName(key, ROUTE_KEYS)?.name ?? ''}"? Known are ${ROUTE_KEYS.join(', ')}.`,
      )
  const { outcome, reason = null, marks = null } = given
  const known = vocabulary.outcomes.find((one) => one === outcome)
  if (known === undefined) {
    const nearest = typeof outcome === 'string' ? nearestName(outcome, vocabulary.outcomes) : null
    const meant = nearest?.close === true ? `Did you mean "${nearest.name}"? ` : ''
    report(place, 'has no known outcome', `${meant}Outcomes are ${vocabulary.outcomes.join(', ')}.`)
    return null
  }
  if (reason !== null && typeof reason !== 'string') report(`${place}.reason`, 'is no text', 'Write a code, such as "match.topic".')
  if (marks !== null && !isTexts(marks)) report(`${place}.marks`, 'is no list of texts', 'Write all marks that are expected, [] for none.')
  return { outcome: known, reason: typeof reason === 'string' ? reason : null, marks: isTexts(marks) ? marks : null }
}

function shown(outcome: string, reason: string | null, marks: readonly string[] | null): string {
  const marked = marks === null ? '' : marks.length === 0 ? ' without marks' : ` marked ${marks.toSorted().join(', ')}`
  return `${withReason(outcome, reason)}${marked}`
}

function withReason(outcome: string, reason: string | null): string {
  return reason === null || reason === outcome ? outcome : `${outcome} (${reason})`
}

function sameTexts(some: readonly string[], others: readonly string[]): boolean {
  return JSON.stringify([...new Set(some)].sort()) === JSON.stringify([...new Set(others)].sort())
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
