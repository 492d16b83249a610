/**
 * The convenience keys of a route (`topics`, `queues`, `mediaTypes`, `divisions`) as a pattern, which is what is then used and shown. It is one
 * that AWS takes as a rule (its length aside: long lists can pass 2,048 characters), without wildcards, of which a bus takes few.
 *
 * Not every topic says which queue it is about. `otherTopics` decides what becomes of those that do not: `pass` takes them whatever
 * the queue, `drop` leaves them out. The same holds for media and divisions.
 */
import { compileTopics } from '../pipeline/topic-pattern.ts'
import { carrierOf } from './carries.ts'
import type { Carrier, Facet } from './carries.ts'

export type Convenience = {
  /** Topic entries as in `topics` of a route; all topics when left out. */
  readonly topics?: readonly string[] | undefined
  /** Ids. */
  readonly queues?: readonly string[] | undefined
  /** Names of media, in any case: `voice`. */
  readonly mediaTypes?: readonly string[] | undefined
  /** Ids. */
  readonly divisions?: readonly string[] | undefined
  readonly otherTopics?: 'pass' | 'drop' | undefined
}

export type Translated = {
  /** Null when nothing is left that could match: every topic asked for is left out. */
  readonly pattern: Readonly<Record<string, unknown>> | null
  /** Known topics asked for that carry none of what is asked of them; where a list is not empty, `otherTopics` has to be said. */
  readonly without: Readonly<Record<'queues' | 'mediaTypes' | 'divisions', readonly string[]>>
  /** Entries of `topics` with a `*` inside that no known topic fits. */
  readonly unmatched: readonly string[]
  /** What becomes of topics that are not known yet, when an entry ends in `*`. */
  readonly newTopics: 'pass' | 'drop'
}

/** Makes a pattern of convenience keys. Without `otherTopics`, topics that carry none are dropped. */
export function patternOf(keys: Convenience, known: readonly string[]): Translated {
  const { exact, prefixes, unmatched } = compileTopics(keys.topics ?? ['*'], known)
  const facets = FACETS.filter(({ key }) => keys[key] !== undefined)
  if (facets.length === 0) return { pattern: withTopics(exact, prefixes), without: NOTHING, unmatched, newTopics: 'pass' }
  const pass = keys.otherTopics === 'pass'
  const asked = [...exact, ...known.filter((topic) => prefixes.some((prefix) => topic.startsWith(prefix)))]
  const kinds = new Map<string, Kind>()
  for (const topic of asked) {
    const carriers = facets.map(({ facet }) => carrierOf(topic, facet))
    const id = JSON.stringify(carriers)
    const kind = kinds.get(id) ?? { carriers, topics: [] }
    kinds.set(id, { carriers, topics: [...kind.topics, topic] })
  }
  const branches = [...kinds.values()].flatMap(({ carriers, topics }) => {
    if (!pass && carriers.includes(null)) return []
    if (carriers.every((carrier) => carrier === null)) return passing(topics, exact, prefixes, known)
    return [
      branchOf(
        topics,
        facets.map((facet, index) => ({ carrier: carriers[index] ?? null, facet, values: keys[facet.key] ?? [] })),
      ),
    ]
  })
  // Without a known topic of that kind, new ones still pass.
  if (pass && prefixes.length > 0 && ![...kinds.values()].some(({ carriers }) => carriers.every((carrier) => carrier === null))) {
    branches.push(...passing([], exact, prefixes, known))
  }
  const without = { ...NOTHING }
  for (const { key, facet } of facets) without[key] = asked.filter((topic) => carrierOf(topic, facet) === null)
  return { pattern: combined(branches), without, unmatched, newTopics: pass ? 'pass' : 'drop' }
}

type FacetKey = { readonly key: 'queues' | 'mediaTypes' | 'divisions'; readonly facet: Facet; readonly rule: (value: string) => unknown }
/** Topics that carry the facets in the same places. */
type Kind = { readonly carriers: readonly (Carrier | null)[]; readonly topics: readonly string[] }
type Branch = Readonly<Record<string, unknown>>
type Asked = { readonly carrier: Carrier | null; readonly facet: FacetKey; readonly values: readonly string[] }

const FACETS: readonly FacetKey[] = [
  { key: 'queues', facet: 'queue', rule: (value) => value },
  // Genesys writes VOICE in some topics and voice in others.
  { key: 'mediaTypes', facet: 'mediaType', rule: (value) => ({ 'equals-ignore-case': value }) },
  { key: 'divisions', facet: 'division', rule: (value) => value },
]
const NOTHING: Record<FacetKey['key'], readonly string[]> = { queues: [], mediaTypes: [], divisions: [] }

function withTopics(exact: readonly string[], prefixes: readonly string[]): Branch | null {
  // A pattern needs a field; every envelope has a topic.
  if (prefixes[0] === '') return { 'detail-type': [{ prefix: '' }] }
  return exact.length + prefixes.length === 0 ? null : { 'detail-type': [...exact, ...prefixes.map((prefix) => ({ prefix }))] }
}

/** The topics, and what each facet has to be where they carry it. */
function branchOf(topics: readonly string[], asked: readonly Asked[]): Branch {
  let branch: Branch = { 'detail-type': topics }
  for (const { carrier, facet, values } of asked) {
    if (carrier === null) continue
    if ('path' in carrier) branch = withClause(branch, carrier.path.split('.'), values.map(facet.rule))
    else {
      const names = topics.flatMap((topic) => values.map((value) => nameWith(topic, carrier.id, value)))
      branch = withClause(branch, ['detail', 'topicName'], names)
    }
  }
  return branch
}

/**
 * Topics that carry nothing asked for, taken as they are. Below an open entry (`v2.detail.events.*`) that means all but the known topics that do
 * carry something, so that new topics pass too; the topic's name then tells what is below the entry.
 */
function passing(
  topics: readonly string[],
  exact: readonly string[],
  prefixes: readonly string[],
  known: readonly string[],
): readonly Branch[] {
  const taken = new Set(topics)
  const branches: Branch[] = []
  const closed = new Set(topics.filter((topic) => exact.includes(topic)))
  for (const prefix of prefixes) {
    const start = prefix.split('{')[0] ?? ''
    const below = known.filter((topic) => topic.startsWith(start))
    const others = below.filter((topic) => !taken.has(topic))
    // The name's beginning says less than the entry when `{id}` is in it; then only known topics pass.
    if (!below.every((topic) => topic.startsWith(prefix)) || prefix.length > start.length + '{id}.'.length) {
      for (const topic of topics) if (topic.startsWith(prefix)) closed.add(topic)
      continue
    }
    const branch: Branch = { 'detail-type': others.length === 0 ? [{ prefix }] : [{ 'anything-but': others }] }
    branches.push(start === '' || others.length === 0 ? branch : withClause(branch, ['detail', 'topicName'], [{ prefix: start }]))
  }
  if (closed.size > 0) branches.push({ 'detail-type': [...closed] })
  return branches
}

/** The name of a topic whose `{id}` number `id` is the value: the beginning of it, when other ids follow. */
function nameWith(topic: string, id: number, value: string): unknown {
  const parts = topic.split('{id}')
  const before = parts.slice(0, id + 1).join('{id}')
  const after = parts.slice(id + 1)
  return after.length === 1 ? `${before}${value}${after[0] ?? ''}` : { prefix: `${before}${value}${after[0] ?? ''}` }
}

function withClause(branch: Branch, [key = '', ...rest]: readonly string[], rules: readonly unknown[]): Branch {
  const inner = branch[key]
  return { ...branch, [key]: rest.length === 0 ? rules : withClause(inner === undefined ? {} : (inner as Branch), rest, rules) }
}

function combined(branches: readonly Branch[]): Branch | null {
  const [first, second] = branches
  if (first === undefined) return null
  return second === undefined ? first : { $or: branches }
}
