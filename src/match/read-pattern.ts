/**
 * Reads a pattern into its alternatives and says everything that is wrong with it, with the place. Never throws, whatever it is
 * given; bounded by the depth, the number of problems and the number of alternatives.
 */
import { MAX_DEPTH, isObject } from '../event/json.ts'
import { complexityOf } from './complexity.ts'
import type { Alternative, Clause, PatternProblem } from './pattern.ts'
import { OPERATORS, nameOf, readRule, shortened } from './read-rule.ts'
import type { Rule } from './rule.ts'

/** Characters of a pattern's JSON that a rule of EventBridge may have (4,096 on request). */
export const MAX_CHARACTERS = 2_048
/** Combinations of `$or` that EventBridge takes: the product of the lengths of all `$or` lists. */
export const MAX_COMBINATIONS = 1_000
/** Fields of one alternative that the official library takes. */
export const MAX_FIELDS = 256
/** Complexity of wildcards that the official library recommends as the most for one rule. What AWS takes is not published. */
export const MAX_COMPLEXITY = 10

const MAX_PROBLEMS = 20

export type ReadPattern = { readonly problems: readonly PatternProblem[]; readonly alternatives: readonly Alternative[] }

/** Reads a pattern. With a problem of kind `invalid` there are no alternatives. */
export function readPattern(pattern: unknown): ReadPattern {
  const reading = new Reading()
  if (!isObject(pattern))
    reading.report('', `is ${nameOf(pattern)}, not an object`, 'A pattern is an object, like {"detail-type": ["..."]}.')
  else if (isDeeper(pattern, MAX_DEPTH))
    reading.report('', `nests deeper than ${MAX_DEPTH} levels`, 'Events have no more levels either: flatten it.')
  else readObject(reading, pattern, [], false)
  if (reading.problems.length > 0) return { problems: reading.problems, alternatives: [] }
  const alternatives = reading.alternatives.map((clauses) => [...clauses.values()].sort((a, b) => (a.name < b.name ? -1 : 1)))
  return { problems: limitsOf(pattern, alternatives), alternatives }
}

/** What is wrong with a pattern; empty when AWS would take it as a rule. */
export function problemsOf(pattern: unknown): readonly PatternProblem[] {
  return readPattern(pattern).problems
}

/** Names that mean something in a rule; AWS takes none of them as a field inside `$or`. */
const RESERVED: ReadonlySet<string> = new Set([
  ...OPERATORS,
  ...['=', '<', '<=', '>', '>='],
  ...['regex', 'not-wildcard', 'not-equals-ignore-case', 'ip-address-in-range', 'ip-address-not-in-range'],
  ...['date-after', 'date-on-or-after', 'date-before', 'date-on-or-before', 'in-date-range'],
])

/** What one reading collects. The alternatives so far grow at each field, and multiply at each `$or`. */
class Reading {
  readonly problems: PatternProblem[] = []
  alternatives: Map<string, Clause>[] = [new Map<string, Clause>()]
  combinations = 1

  report(path: string, what: string, hint: string): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ path, what, hint, kind: 'invalid' })
  }
}

function readObject(reading: Reading, object: Readonly<Record<string, unknown>>, path: readonly string[], inOr: boolean): void {
  const entries = Object.entries(object)
  if (entries.length === 0) reading.report(placeOf(path), 'is an empty object', 'Say what a field in it has to be, or take it out.')
  for (const [key, value] of entries) {
    if (reading.problems.length >= MAX_PROBLEMS) return
    const here = [...path, key]
    if (key === '$or') readOr(reading, value, path)
    else if (inOr && RESERVED.has(key)) {
      reading.report(placeOf(here), 'is a word of the pattern language, which AWS takes for no field inside "$or"', misplaced(key))
    } else if (Array.isArray(value)) readClause(reading, value, here)
    else if (isObject(value)) readObject(reading, value, here, inOr)
    else
      reading.report(
        placeOf(here),
        `is ${nameOf(value)}, not an array or an object`,
        OPERATORS.includes(key) ? misplaced(key) : 'Put it in an array, like ["value"]: an array lists what is taken.',
      )
  }
}

function readClause(reading: Reading, entries: readonly unknown[], path: readonly string[]): void {
  const place = placeOf(path)
  if (entries.length === 0) reading.report(place, 'is an empty array, which would take nothing', 'List at least one value or operator.')
  const rules: Rule[] = []
  for (const [index, entry] of entries.entries()) {
    if (reading.problems.length >= MAX_PROBLEMS) return
    const rule = readRule(entry, `${place}[${index}]`, (at, what, hint) => reading.report(at, what, hint))
    if (rule !== null) rules.push(rule)
  }
  const clause = { name: nameFrom(path), rules }
  for (const alternative of reading.alternatives) {
    // The same field twice (with dots in a key, or beside `$or`): the later one counts, as in the official library.
    alternative.set(clause.name, clause)
    if (alternative.size > MAX_FIELDS) {
      reading.report(place, `is field ${MAX_FIELDS + 1} of the pattern; ${MAX_FIELDS} are taken`, 'Make two patterns of it.')
      return
    }
  }
}

function readOr(reading: Reading, value: unknown, path: readonly string[]): void {
  const place = placeOf([...path, '$or'])
  if (!Array.isArray(value)) return reading.report(place, `is ${nameOf(value)}, not an array`, 'Write "$or": [{...}, {...}].')
  if (value.length < 2)
    return reading.report(
      place,
      `lists ${value.length} objects; at least 2 are needed`,
      'Write the fields of a single object beside the others, without "$or".',
    )
  reading.combinations *= value.length
  if (reading.combinations > MAX_COMBINATIONS) {
    const what = `makes ${reading.combinations} combinations (the lengths of all "$or" lists multiplied); AWS takes ${MAX_COMBINATIONS}`
    return reading.report(place, what, 'List values of one field in its array instead, or make several patterns of it.')
  }
  const before = reading.alternatives
  const after: Map<string, Clause>[] = []
  for (const [index, entry] of (value as readonly unknown[]).entries()) {
    if (reading.problems.length >= MAX_PROBLEMS) return
    if (!isObject(entry)) {
      reading.report(`${place}[${index}]`, `is ${nameOf(entry)}, not an object`, 'Each entry of "$or" is an object of fields.')
      continue
    }
    reading.alternatives = before.map((alternative) => new Map(alternative))
    readObject(reading, entry, path, true)
    after.push(...reading.alternatives)
  }
  reading.alternatives = after
}

function limitsOf(pattern: unknown, alternatives: readonly Alternative[]): readonly PatternProblem[] {
  const problems: PatternProblem[] = []
  const limit = (path: string, what: string, hint: string): unknown => problems.push({ path, what, hint, kind: 'limit' })
  const characters = JSON.stringify(pattern).length
  if (characters > MAX_CHARACTERS) {
    const hint = 'Use prefixes, make several rules of it, or ask AWS for the quota "Event pattern size" (4,096) and say so.'
    limit('', `is ${characters} characters of JSON; a rule on AWS may have ${MAX_CHARACTERS}`, hint)
  }
  const seen = new Set<Clause>()
  for (const clause of alternatives.flat()) {
    if (seen.has(clause) || problems.length >= MAX_PROBLEMS) continue
    seen.add(clause)
    const texts = clause.rules.flatMap(({ wildcards }) => wildcards ?? [])
    if (texts.length > 0 && complexityOf(texts, MAX_COMPLEXITY) > MAX_COMPLEXITY) {
      const what = `has wildcards of a complexity above ${MAX_COMPLEXITY}, which AWS may refuse as too complex`
      limit(clause.name, what, 'Use fewer "*", other beginnings before the first "*", and fewer repeated characters after a "*".')
    }
  }
  return problems
}

/** The library's way to write a path: an empty key at the top is no step. */
function nameFrom(path: readonly string[]): string {
  const base = path.slice(0, -1).join('.')
  const last = path.at(-1) ?? ''
  return base === '' ? last : `${base}.${last}`
}

function placeOf(path: readonly string[]): string {
  return shortenedPath(path.map(shortened).join('.'))
}

function shortenedPath(place: string): string {
  return place.length <= 400 ? place : `${place.slice(0, 397)}...`
}

function misplaced(key: string): string {
  return OPERATORS.includes(key)
    ? `An operator stands in the array of its field: "field": [{"${key}": ...}].`
    : 'Use another name, or leave "$or" out.'
}

/** Without recursion: what it is given may be deeper than the stack. */
function isDeeper(root: object, limit: number): boolean {
  let level: object[] = [root]
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > limit) return true
    const next = level.flatMap((node) =>
      Object.values(node).filter((value): value is object => typeof value === 'object' && value !== null),
    )
    level = [...new Set(next)]
  }
  return false
}
