/**
 * What a route matches by: `match`, an event pattern, and the keys that come to one (`queues`, `mediaTypes`, `divisions`). A pattern without
 * meaning is an error at its place; what only AWS would refuse is a warning, as it holds on one machine.
 */
import { patternOf } from '../match/convenience.ts'
import { problemsOf } from '../match/read-pattern.ts'
import type { EventPattern } from './config.ts'
import type { Option } from './option.ts'
import { type Accepted, inFile, report, warn, wrongType, type Place, type Reading } from './reading.ts'

/** Reads `match`. */
export function readEventPattern(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return wrongType('an event pattern', "Write it as { detail: { eventBody: { mediaType: ['VOICE'] } } }.", option, place, reading)
  let good = true
  for (const { path, what, hint, kind } of problemsOf(value)) {
    const at = path === '' ? place.path : `${place.path}.${path}`
    if (kind === 'limit') {
      warn(reading, at, 'config.pattern_limit', `${at} ${what}.`, hint)
      continue
    }
    good = false
    report(reading, { path: at, given: { ...place.given, label: at } }, 'config.bad_pattern', `${what}.`, hint)
  }
  return good ? { value } : null
}

type Keys = {
  readonly topics: readonly string[] | null
  readonly match: EventPattern | null
  readonly queues: readonly string[] | null
  readonly mediaTypes: readonly string[] | null
  readonly divisions: readonly string[] | null
  readonly otherTopics: 'pass' | 'drop' | null
}

/** All patterns of a route; what its keys cannot mean is reported. */
export function patternsOf(route: Readonly<Record<string, unknown>>, path: string, reading: Reading): readonly EventPattern[] {
  const { topics, match = null, queues, mediaTypes, divisions, otherTopics } = route as Partial<Keys>
  const own = match === null ? [] : [match]
  const facets = { queues, mediaTypes, divisions }
  // What was refused already is missing here, and says nothing about the rest.
  if (topics === undefined || FACETS.some((facet) => facets[facet] === undefined)) return own
  const asked = FACETS.filter((facet) => facets[facet] !== null)
  for (const facet of asked)
    if (facets[facet]?.length === 0)
      report(
        reading,
        inFile(`${path}.${facet}`, []),
        'config.bad_value',
        'is empty, so nothing would match.',
        'Remove the key to take all.',
      )
  if (otherTopics !== null && otherTopics !== undefined && asked.length === 0)
    report(
      reading,
      inFile(`${path}.otherTopics`, otherTopics),
      'config.bad_value',
      'has no meaning without queues, mediaTypes or divisions.',
      'Remove it.',
    )
  if (asked.length === 0 || reading.errors.some((error) => error.path.startsWith(`${path}.topics`))) return own
  const { pattern, without } = patternOf(
    {
      ...(topics === null ? {} : { topics }),
      ...Object.fromEntries(asked.map((facet) => [facet, facets[facet]])),
      ...(otherTopics === null || otherTopics === undefined ? {} : { otherTopics }),
    },
    reading.context.knownTopics,
  )
  const silent = asked.filter((facet) => without[facet].length > 0)
  if ((otherTopics === null || otherTopics === undefined) && silent.length > 0)
    report(reading, inFile(`${path}.otherTopics`, undefined), 'config.missing_value', saysNothing(silent, without), DECIDE)
  if (pattern === null && otherTopics === 'drop')
    report(
      reading,
      inFile(`${path}.${asked[0]}`, null),
      'config.bad_value',
      'leaves nothing to match: no topic of the route carries all that is asked for.',
      "Add a topic that does, or write otherTopics: 'pass'.",
    )
  return pattern === null ? own : [...own, pattern]
}

const FACETS = ['queues', 'mediaTypes', 'divisions'] as const
type Facet = (typeof FACETS)[number]
const DECIDE =
  "Write otherTopics: 'pass' to take their events whatever they are about, or 'drop' to leave them out, or name topics. For whole calls by their queue see changes: 'conversation'."
const SHOWN = 3

function saysNothing(facets: readonly Facet[], without: Readonly<Record<Facet, readonly string[]>>): string {
  const topics = new Set(facets.flatMap((facet) => without[facet]))
  const counts = facets.map((facet) => (facets.length === 1 ? facet : `${facet} (${without[facet].length})`)).join(', ')
  const shown = [...topics].slice(0, SHOWN).join(', ')
  const some = topics.size > SHOWN ? `${topics.size} topics, such as ${shown}` : shown
  return `is needed: some topics of the route say nothing of ${counts}: ${some}.`
}
