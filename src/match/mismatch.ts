/**
 * Why an event does not match: the clause that failed, where, and what is there instead: its kind, never its value. For people
 * (`trunkline explain`), so it takes its time.
 */
import { envelopeText } from '../event/document.ts'
import type { Event } from '../event/event.ts'
import { isObject } from '../event/json.ts'
import { holdTogether } from './consistent.ts'
import { parseEnvelope } from './exact-numbers.ts'
import { eachValue, fieldOf } from './field.ts'
import { nameOf } from './read-rule.ts'
import { readPattern } from './read-pattern.ts'
import type { Clause } from './pattern.ts'
import { anyOf } from './rule.ts'

export type Mismatch = {
  /** The field, `detail.eventBody.queueId`; empty where the event as a whole is the reason. */
  readonly path: string
  /** What the pattern asks of it, as JSON of the pattern. */
  readonly asked: string
  /** What is there instead, in words, as a clause: `is a text that none of these takes`. */
  readonly why: string
  /** How many alternatives of `$or` there are; the one described is the one that most clauses of hold. */
  readonly alternatives: number
}

/** The clause that an envelope fails; null when it matches, or when the pattern is none. */
export function mismatchOf(pattern: unknown, envelope: unknown): Mismatch | null {
  const { alternatives } = readPattern(pattern)
  let best: { readonly mismatch: Mismatch; readonly held: number } | null = null
  for (const clauses of alternatives) {
    const failed = isObject(envelope) ? firstFailed(clauses, envelope) : NO_EVENT
    if (failed === null) return null
    const held = clauses.length === 0 ? 0 : failed.held / clauses.length
    if (best === null || held > best.held) best = { held, mismatch: { ...failed.mismatch, alternatives: alternatives.length } }
  }
  return best?.mismatch ?? null
}

/** A route may ask for hundreds of queues. */
const MAX_ASKED = 200

/** Why patterns that all have to match do not take an event, in one line; null when they do. Nothing of the event but kinds of values. */
export function describeMismatch(patterns: readonly unknown[], event: Event): string | null {
  // As the matcher sees it: topic and source are what decoding made of them.
  const envelope = { ...parseEnvelope(envelopeText(event), true), source: event.source, 'detail-type': event.topic }
  for (const pattern of patterns) {
    const failed = mismatchOf(pattern, envelope)
    if (failed === null) continue
    const asked = failed.asked.length > MAX_ASKED ? `${failed.asked.slice(0, MAX_ASKED)}...` : failed.asked
    const which = failed.alternatives > 1 ? ` in the nearest of ${failed.alternatives} alternatives` : ''
    return `${failed.path} ${failed.why}; asked for ${asked}${which}`
  }
  return null
}

type Failed = { readonly mismatch: Omit<Mismatch, 'alternatives'>; readonly held: number }

const NO_EVENT: Failed = { held: 0, mismatch: { path: '', asked: '', why: 'the event is no object' } }

function firstFailed(clauses: readonly Clause[], envelope: Readonly<Record<string, unknown>>): Failed | null {
  const compiled = clauses.map(({ name, rules }) => ({
    field: fieldOf(name),
    test: anyOf(rules),
    absent: rules.some(({ absent }) => absent === true),
  }))
  if (holdTogether(compiled, envelope)) return null
  const failing = compiled.flatMap((clause, index) => (holdTogether([clause], envelope) ? [] : [index]))
  const held = clauses.length - failing.length
  const [first] = failing
  if (first !== undefined) return { held, mismatch: { ...placeOf(clauses, first), why: whyNot(clauses[first]!, envelope) } }
  // Each holds alone: the first that does not hold beside those before it.
  const count = compiled.findIndex((_, index) => !holdTogether(compiled.slice(0, index + 1), envelope))
  const before = clauses.slice(0, count).map(({ name }) => name)
  const why = `holds, but not in the same element of an array as ${before.join(', ')}`
  return { held, mismatch: { ...placeOf(clauses, count), why } }
}

function placeOf(clauses: readonly Clause[], index: number): Pick<Mismatch, 'path' | 'asked'> {
  const { name, rules } = clauses[index]!
  return { path: name, asked: `[${rules.map(({ written }) => written).join(', ')}]` }
}

function whyNot({ name, rules }: Clause, envelope: object): string {
  const kinds = new Map<string, number>()
  eachValue(fieldOf(name), envelope, (value) => {
    const kind = nameOf(value)
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  })
  const total = [...kinds.values()].reduce((sum, count) => sum + count, 0)
  if (total === 0) return `has no value in the event${leadsNowhere(name, envelope)}`
  if (rules.every(({ absent }) => absent === true)) return total === 1 ? 'has a value in the event' : `has ${total} values in the event`
  const [kind = ''] = kinds.keys()
  if (total === 1) return `is ${kind} that ${rules.length === 1 ? 'this does not take' : 'none of these takes'}`
  return `has ${total} values (${[...kinds.keys()].join(', ')}), none of which ${rules.length === 1 ? 'this takes' : 'any of these takes'}`
}

/** Says how far the path goes, when it is plain. */
function leadsNowhere(name: string, envelope: object): string {
  let node: unknown = envelope
  const behind: string[] = []
  for (const key of name.split('.')) {
    if (!isObject(node)) return `: ${behind.join('.')} is ${nameOf(node)}`
    if (!Object.hasOwn(node, key)) return behind.length === 0 ? '' : `: ${behind.join('.')} has no ${JSON.stringify(key)}`
    node = node[key]
    behind.push(key)
  }
  return typeof node === 'object' && node !== null
    ? `: it is ${nameOf(node)}, and patterns compare only texts, numbers, true, false and null`
    : ''
}
