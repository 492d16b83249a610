/**
 * Patterns, compiled: which of them an event matches. Work is shared: what the rules say about `detail-type` and `source` is worked out
 * once for each pair of values that comes (a few hundred in real traffic, remembered within a bound); a clause that several rules have
 * is looked at once an event; rules that ask for exact texts of one field are found by the text.
 *
 * An event is only parsed when `detail-type` and `source` have left a rule open.
 */
import { envelopeText } from '../event/document.ts'
import type { Event } from '../event/event.ts'
import { TrunklineError } from '../errors.ts'
import { MAX_STEPS, type Steps, holdTogether } from './consistent.ts'
import { parseEnvelope } from './exact-numbers.ts'
import { ARRAY_SHIFT, MATCHES, PRESENT, commonSegments, fieldOf, lookUp } from './field.ts'
import type { Field } from './field.ts'
import { readPattern } from './read-pattern.ts'
import type { Alternative, Clause } from './pattern.ts'
import type { Test } from './rule.ts'
import { anyOf } from './rule.ts'

export interface Matcher {
  /** Whether a parsed envelope matches. It may nest 1,000 levels, as deep as decode lets records be. */
  matches(envelope: unknown): boolean
  /** Whether an event matches. It is parsed only if its source and topic leave the question open. */
  matchesEvent(event: Event): boolean
}

/** Several patterns side by side; an answer lists the numbers of those that match, ascending. */
export interface MatcherSet {
  /** Whether a pattern compares numbers: then `parseEnvelope` has to know, to keep inexact ones apart. */
  readonly comparesNumbers: boolean
  matching(envelope: unknown): readonly number[]
  matchingEvent(event: Event): readonly number[]
}

/** Compiles one pattern. Throws `match.bad_pattern` for what has no meaning; limits of AWS are for `problemsOf`. */
export function compile(pattern: unknown): Matcher {
  const set = new Compiled([pattern])
  return {
    matches: (envelope) => set.matching(envelope).length > 0,
    matchesEvent: (event) => set.matchingEvent(event).length > 0,
  }
}

/** Compiles patterns to be matched together. Throws `match.bad_pattern` for the first that has no meaning. */
export function compileAll(patterns: readonly unknown[]): MatcherSet {
  return new Compiled(patterns)
}

/** Pairs of source and topic that are remembered, at most; fewer when there are very many rules. */
const MAX_PLANS = 4_096
const MAX_PLANNED = 2_000_000

/** A clause, once for all rules that have it. */
type Shared = {
  readonly id: number
  readonly field: Field
  readonly test: Test
  readonly absent: boolean
  /** The texts it takes, when it takes nothing else. */
  readonly texts: readonly string[] | null
}

/** One alternative of one rule. */
type Branch = {
  readonly id: number
  readonly rule: number
  /** Sorted by name. */
  readonly clauses: readonly Shared[]
  /** For each clause: the most segments that its name has in common with another's. An array at most that deep concerns both. */
  readonly common: readonly number[]
}

/** What is open once `detail-type` and `source` are known. */
type Plan = {
  /** Rules that match whatever else is in the event. */
  readonly certain: readonly number[]
  /** Branches that ask for exact texts of a field, by text. */
  readonly byText: readonly ByText[]
  readonly others: readonly Branch[]
}

/** `test` takes nothing: it puts what a text of the field leads to into `hits`. */
type ByText = { readonly field: Field; readonly test: Test; readonly hits: Set<readonly Branch[]> }

class Compiled implements MatcherSet {
  readonly #branches: readonly Branch[]
  readonly comparesNumbers: boolean
  readonly #maxPlans: number
  /** By source, by topic. */
  readonly #plans = new Map<string, Map<string, Plan>>()
  #planned = 0
  /** What the clauses said about the event in hand; an entry counts when its round is the present one. */
  readonly #said: Int32Array
  readonly #saidIn: Uint32Array
  /** In which round a rule was last found. */
  readonly #foundIn: Uint32Array
  /** In which round a branch was last tried: several texts of an event may lead to it. */
  readonly #triedIn: Uint32Array
  readonly #steps: Steps = { left: MAX_STEPS }
  #round = 0

  constructor(patterns: readonly unknown[]) {
    const read = patterns.map(alternativesOf)
    const shared = new Map<string, Shared>()
    const branches = read.flatMap((alternatives, rule) => alternatives.map((alternative) => branchOf(alternative, rule, shared)))
    this.#branches = branches.map((branch, id) => ({ ...branch, id }))
    this.comparesNumbers = read.flat(2).some(({ rules }) => rules.some(({ numeric }) => numeric === true))
    this.#maxPlans = Math.max(16, Math.min(MAX_PLANS, Math.floor(MAX_PLANNED / (this.#branches.length + 1))))
    this.#said = new Int32Array(shared.size)
    this.#saidIn = new Uint32Array(shared.size)
    this.#foundIn = new Uint32Array(patterns.length)
    this.#triedIn = new Uint32Array(this.#branches.length)
  }

  matching(envelope: unknown): readonly number[] {
    if (typeof envelope !== 'object' || envelope === null || Array.isArray(envelope)) return NONE
    const { source, 'detail-type': topic } = envelope as Readonly<Record<string, unknown>>
    // Without both as texts, no plan fits: every branch is looked at.
    if (typeof source !== 'string' || typeof topic !== 'string') return this.#open(ALL_OPEN(this.#branches), envelope)
    const plan = this.#planFor(source, topic)
    return isOpen(plan) ? this.#open(plan, envelope) : plan.certain
  }

  matchingEvent(event: Event): readonly number[] {
    const plan = this.#planFor(event.source, event.topic)
    return isOpen(plan) ? this.#open(plan, parseEnvelope(envelopeText(event), this.comparesNumbers)) : plan.certain
  }

  /** What the plan leaves open, answered by the event. */
  #open(plan: Plan, envelope: object): readonly number[] {
    this.#round = (this.#round + 1) >>> 0
    if (this.#round === 0) for (const stamps of [this.#saidIn, this.#foundIn, this.#triedIn]) stamps.fill(0)
    this.#steps.left = MAX_STEPS
    const found = [...plan.certain]
    for (const { field, test, hits } of plan.byText) {
      hits.clear()
      lookUp(field, test, envelope)
      for (const branches of hits) this.#try(branches, envelope, found)
    }
    this.#try(plan.others, envelope, found)
    return found.length < 2 ? found : found.sort((a, b) => a - b)
  }

  #try(branches: readonly Branch[], envelope: object, found: number[]): void {
    for (const branch of branches) {
      if (this.#foundIn[branch.rule] === this.#round || this.#triedIn[branch.id] === this.#round) continue
      this.#triedIn[branch.id] = this.#round
      if (!this.#holds(branch, envelope)) continue
      this.#foundIn[branch.rule] = this.#round
      found.push(branch.rule)
    }
  }

  #holds({ clauses, common }: Branch, envelope: object): boolean {
    let inArrays = false
    for (let i = 0; i < clauses.length; i++) {
      const clause = clauses[i]!
      const said = this.#say(clause, envelope)
      const array = said >> ARRAY_SHIFT
      const concernsOthers = array > 0 && array <= common[i]!
      if (concernsOthers) inArrays = true
      const holds = (said & MATCHES) !== 0 || (clause.absent && (said & PRESENT) === 0)
      // `exists: false` can hold in one element though another has the field.
      if (!holds && !(clause.absent && concernsOthers)) return false
    }
    return !inArrays || holdTogether(clauses, envelope, this.#steps)
  }

  #say(clause: Shared, envelope: object): number {
    const { id } = clause
    if (this.#saidIn[id] === this.#round) return this.#said[id]!
    const said = lookUp(clause.field, clause.test, envelope)
    this.#said[id] = said
    this.#saidIn[id] = this.#round
    return said
  }

  #planFor(source: string, topic: string): Plan {
    const known = this.#plans.get(source)?.get(topic)
    if (known !== undefined) return known
    if (this.#planned >= this.#maxPlans) {
      this.#plans.clear()
      this.#planned = 0
    }
    const plan = planOf(
      this.#branches,
      new Map([
        ['source', source],
        ['detail-type', topic],
      ]),
    )
    const ofSource = this.#plans.get(source) ?? new Map<string, Plan>()
    this.#plans.set(source, ofSource.set(topic, plan))
    this.#planned++
    return plan
  }
}

const NONE: readonly number[] = []
const ALL_OPEN = (branches: readonly Branch[]): Plan => ({ certain: NONE, byText: [], others: branches })

function isOpen(plan: Plan): boolean {
  return plan.others.length > 0 || plan.byText.length > 0
}

function alternativesOf(pattern: unknown, index: number, patterns: readonly unknown[]): readonly Alternative[] {
  const { problems, alternatives } = readPattern(pattern)
  const problem = problems.find(({ kind }) => kind === 'invalid')
  if (problem === undefined) return alternatives
  const which = patterns.length === 1 ? 'The pattern' : `Pattern ${index + 1}`
  const where = problem.path === '' ? '' : ` at ${problem.path}`
  throw new TrunklineError('match.bad_pattern', `${which}${where} ${problem.what}.`, problem.hint)
}

function branchOf(alternative: Alternative, rule: number, shared: Map<string, Shared>): Omit<Branch, 'id'> {
  const clauses = alternative.map((clause) => sharedOf(clause, shared))
  const common = commonSegments(alternative.map(({ name }) => name))
  return { rule, clauses, common }
}

function sharedOf({ name, rules }: Clause, shared: Map<string, Shared>): Shared {
  const key = `${name}\n${rules.map(({ written }) => written).join('\n')}`
  const known = shared.get(key)
  if (known !== undefined) return known
  const texts = rules.map(({ equals }) => equals).filter((value) => typeof value === 'string')
  const clause: Shared = {
    id: shared.size,
    field: fieldOf(name),
    test: anyOf(rules),
    absent: rules.some(({ absent }) => absent === true),
    texts: texts.length === rules.length ? texts : null,
  }
  shared.set(key, clause)
  return clause
}

function planOf(branches: readonly Branch[], head: ReadonlyMap<string, string>): Plan {
  const possible = branches.filter(({ clauses }) =>
    clauses.every(({ field, test }) => {
      const value = head.get(field.name)
      return value === undefined || test(value)
    }),
  )
  const open = possible.map((branch) => withoutHead(branch, head))
  const certain = new Set(open.flatMap(({ rule, clauses }) => (clauses.length === 0 ? [rule] : [])))
  const byField = new Map<string, { readonly field: Field; readonly branches: Map<string, Branch[]> }>()
  const others: Branch[] = []
  for (const branch of open) {
    if (certain.has(branch.rule)) continue
    const asked = branch.clauses.find(({ texts }) => texts !== null)
    if (asked === undefined) {
      others.push(branch)
      continue
    }
    const entry = byField.get(asked.field.name) ?? { field: asked.field, branches: new Map<string, Branch[]>() }
    byField.set(asked.field.name, entry)
    for (const text of new Set(asked.texts)) {
      const listed = entry.branches.get(text)
      if (listed === undefined) entry.branches.set(text, [branch])
      else listed.push(branch)
    }
  }
  return { certain: [...certain].sort((a, b) => a - b), byText: [...byField.values()].map(byText), others }
}

function byText({ field, branches }: { readonly field: Field; readonly branches: ReadonlyMap<string, readonly Branch[]> }): ByText {
  const hits = new Set<readonly Branch[]>()
  const test: Test = (value) => {
    const listed = typeof value === 'string' ? branches.get(value) : undefined
    if (listed !== undefined) hits.add(listed)
    return false
  }
  return { field, test, hits }
}

function withoutHead({ id, rule, clauses, common }: Branch, head: ReadonlyMap<string, string>): Branch {
  const open = clauses.flatMap((clause, index) => (head.has(clause.field.name) ? [] : [index]))
  return { id, rule, clauses: open.map((index) => clauses[index]!), common: open.map((index) => common[index]!) }
}
