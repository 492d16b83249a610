/**
 * What of a route's `match` and `mediaTypes` no event that is known of can have: keys that no envelope has, topics that are not listed, and
 * fields and values that no schema of the route's topics knows. Doubts, never refusals: bodies are open, and a bus of your own has topics of its own.
 * Fields are doubted only where every topic that is left open has a schema. Not part of resolving, so that no Lambda carries the schemas for it.
 */
import type { Config, RouteConfig } from '../config/config.ts'
import type { ConfigError, ConfigErrorCode } from '../config/errors.ts'
import { nearestName } from '../config/nearest.ts'
import { FINISHED_TOPIC } from '../event/changes.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { nearestTopics, templateOf } from '../event/topics.ts'
import { DETAIL_KEYS, ENVELOPE_KEYS } from '../match/envelope.ts'
import type { Alternative, Clause } from '../match/pattern.ts'
import { readPattern } from '../match/read-pattern.ts'
import type { Rule } from '../match/rule.ts'
import { compileTopics } from '../pipeline/topic-pattern.ts'
import { fieldsOf, type SchemaField } from '../schema/fields.ts'
import { isRecord } from '../schema/json-schema.ts'
import { OPEN, placesIn, valuesOf } from '../schema/places.ts'
import type { Registry } from '../schema/registry.ts'

const BODY = 'detail.eventBody.'
const MAX_DOUBTS = 20
const MAX_SHOWN = 12

/** The doubts about all routes, as warnings; of one route at most 20. */
export function doubtsOf(config: Config, registry: Registry): readonly ConfigError[] {
  return config.routes.flatMap((route) => {
    const doubts = new Doubts(config.file, route, registry)
    doubts.media()
    doubts.match()
    return doubts.found
  })
}

class Doubts {
  readonly found: ConfigError[] = []
  readonly #file: string | null
  readonly #route: RouteConfig
  readonly #registry: Registry
  /** Topics that events are known to have. */
  readonly #known: readonly string[]
  /** Those of them that the route takes. */
  readonly #taken: readonly string[]
  /** Whether the route takes none but known ones. */
  readonly #isClosed: boolean
  readonly #fields = new Map<string, readonly SchemaField[]>()

  constructor(file: string | null, route: RouteConfig, registry: Registry) {
    this.#file = file
    this.#route = route
    this.#registry = registry
    this.#known = route.changes === null ? [...new Set([...KNOWN_TOPICS, ...registry.topics()])] : [FINISHED_TOPIC]
    const topics = route.topics === null ? null : compileTopics(route.topics, KNOWN_TOPICS)
    this.#taken = topics === null ? this.#known : this.#known.filter((topic) => topics.matches(topic))
    this.#isClosed = topics === null || topics.exact.every((topic) => this.#known.includes(topic))
  }

  media(): void {
    const given = this.#route.mediaTypes ?? []
    if (given.length === 0) return
    const known = new Set(this.#registry.topics().flatMap((topic) => this.#mediaOf(topic)))
    for (const [index, medium] of given.entries()) {
      if (known.size === 0 || known.has(medium.toLowerCase())) continue
      const place = `mediaTypes[${index}]`
      const hint = `${meant(medium, known)}Known media: ${[...known].filter((name) => name !== 'unknown').join(', ')}.`
      this.#add('config.match_unknown', place, `is ${shown(medium)}, which no schema knows as a medium.`, hint)
    }
  }

  match(): void {
    const { match } = this.#route
    if (match === null) return
    // `$or` makes alternatives that have most of their clauses in common.
    const looked = new Map<Clause | null, Set<Clause>>()
    for (const alternative of readPattern(match).alternatives) {
      const about = alternative.find(({ name }) => name === 'detail-type') ?? null
      const before = looked.get(about) ?? new Set()
      if (!looked.has(about) && about !== null) this.#topics(about)
      looked.set(about, before)
      const open = this.#openTopics(alternative)
      for (const clause of alternative) {
        if (clause === about || before.has(clause)) continue
        before.add(clause)
        this.#clause(clause, open)
      }
    }
  }

  #topics({ name, rules }: Clause): void {
    for (const [index, rule] of rules.entries()) {
      if (rule.absent === true || this.#known.some((topic) => rule.test(topic))) continue
      const text = textOf(rule)
      const place = `match.${name}[${index}]`
      const template = templateOf(text).topic
      const near = `Nearest known topics: ${nearestTopics(text, 3, this.#known).join(', ')}.`
      if (rule.equals === undefined) this.#add('config.topic_unknown', place, 'fits none of the known topics.', near)
      else if (text.includes('*'))
        this.#add('config.topic_unknown', place, `is ${shown(text)}, in which "*" is no more than a star.`, starless(text))
      else if (template !== text && this.#known.includes(template))
        this.#add('config.topic_with_id', place, `is ${shown(text)}, which has a real id in it.`, `Write the template: "${template}".`)
      else
        this.#add(
          'config.topic_unknown',
          place,
          `is ${shown(text)}, which Genesys does not list; only events with such a topic will match.`,
          near,
        )
    }
    const fits = (topic: string): boolean => rules.some((rule) => rule.test(topic))
    if (this.#route.topics !== null && this.#known.some(fits) && !this.#taken.some(fits))
      this.#add(
        'config.match_unknown',
        `match.${name}`,
        'takes none of the topics of the route, so nothing matches.',
        'Say topics in one of the two places.',
      )
  }

  /** The topics an alternative leaves open; null where some of them may not be known, or have no schema. */
  #openTopics(alternative: Alternative): readonly string[] | null {
    const rules = alternative.find(({ name }) => name === 'detail-type')?.rules
    const open = rules === undefined ? this.#taken : this.#taken.filter((topic) => rules.some((rule) => rule.test(topic)))
    const isClosed = this.#isClosed && rules?.some(({ equals }) => typeof equals === 'string' && !this.#known.includes(equals)) !== true
    return isClosed && open.length > 0 && open.every((topic) => this.#registry.strictOf(topic) !== null) ? open : null
  }

  #clause({ name, rules }: Clause, open: readonly string[] | null): void {
    const [top = '', second] = name.split('.')
    if (!ENVELOPE_KEYS.includes(top)) {
      const isOfDetail = DETAIL_KEYS.find((key) => key.toLowerCase() === top.toLowerCase())
      const field = this.#bodyField(top, open)
      const near = isOfDetail !== undefined ? `detail.${isOfDetail}` : (field ?? nearestName(top, ENVELOPE_KEYS)?.name)
      return this.#add(
        'config.match_unknown',
        `match.${cut(top)}`,
        'is no key of the envelope that patterns see.',
        `Did you mean "${near}"? Keys: ${ENVELOPE_KEYS.join(', ')}.`,
      )
    }
    if (top !== 'detail' || second === undefined) return
    if (!DETAIL_KEYS.includes(second)) {
      const slip = nearestName(second, DETAIL_KEYS)
      // Of records without an envelope `detail` is the whole record, which can have any key.
      if (open === null && slip?.close !== true) return
      const near = this.#bodyField(second, open) ?? `detail.${slip?.name}`
      const hint = `Did you mean "${near}"? What an event says is in detail.eventBody.`
      return this.#add('config.match_unknown', `match.detail.${cut(second)}`, 'is no key of the detail of a Genesys event.', hint)
    }
    if (open !== null && name.startsWith(BODY)) this.#field(name, rules, open)
  }

  #field(name: string, rules: readonly Rule[], open: readonly string[]): void {
    const path = name.slice(BODY.length)
    const places = open.flatMap((topic) => placesIn(this.#registry.strictOf(topic) ?? {}, path.split('.')))
    const of = open.length === 1 ? `the schema of ${open[0]}` : `the schemas of its ${open.length} topics`
    if (places.length === 0) {
      const fields = new Set(open.flatMap((topic) => this.#fieldsOf(topic).map((field) => field.path)))
      // What the field would be in is there, and is not what was meant.
      const near = nearestName(
        path,
        [...fields].filter((field) => !path.startsWith(`${field}.`)),
      )
      const hint = near === null ? 'See `trunkline schemas show`.' : `The nearest field is "${BODY}${near.name}".`
      return this.#add('config.match_unknown', `match.${cut(name)}`, `is a field that is not in ${of}.`, hint)
    }
    const lists = places.map((place) => (place === OPEN ? null : valuesOf(place)))
    if (lists.includes(null)) return
    const values = [...new Set(lists.flatMap((list) => list ?? []))]
    for (const [index, rule] of rules.entries()) {
      if (rule.absent === true || values.some((value) => rule.test(value))) continue
      const texts = values.flatMap((value) => (value === null ? [] : [String(value)]))
      const message = `is ${cut(rule.written)}, which takes none of the values in ${of}.`
      const some = `${texts.slice(0, MAX_SHOWN).join(', ')}${texts.length > MAX_SHOWN ? ', ...' : ''}`
      this.#add('config.match_unknown', `match.${cut(name)}[${index}]`, message, `${meant(textOf(rule), texts)}Known values: ${some}.`)
    }
  }

  /** A field of bodies that somebody means who leaves out where it is. */
  #bodyField(key: string, open: readonly string[] | null): string | null {
    const topics = open ?? this.#taken
    const field = topics.flatMap((topic) => this.#fieldsOf(topic)).find(({ path }) => path.toLowerCase() === key.toLowerCase())
    return field === undefined ? null : BODY + field.path
  }

  #mediaOf(topic: string): readonly string[] {
    const fields = this.#fieldsOf(topic).filter(({ path }) => /(?:^|\.)mediaType$/.test(path))
    return fields.flatMap(({ values }) => values.filter((value) => value !== 'null').map((value) => value.toLowerCase()))
  }

  /** The fields of a topic's schema; a list is no step of a path, as patterns see it. */
  #fieldsOf(topic: string): readonly SchemaField[] {
    let fields = this.#fields.get(topic)
    if (fields === undefined) {
      const schema = this.#registry.strictOf(topic)
      fields = schema === null ? [] : fieldsOf(schema).map((field) => ({ ...field, path: field.path.replaceAll('[]', '') }))
      this.#fields.set(topic, fields)
    }
    return fields
  }

  #add(code: ConfigErrorCode, place: string, what: string, hint: string): void {
    const path = `routes.${this.#route.name}.${place}`
    const message = `${path} ${what}`
    if (this.found.length >= MAX_DOUBTS || this.found.some((other) => other.message === message)) return
    this.found.push({ code, file: this.#file, path, message, hint })
  }
}

function starless(text: string): string {
  if (text.indexOf('*') === text.length - 1) return `Write { prefix: ${shown(text.slice(0, -1))} }, or use topics, where "*" has a meaning.`
  return `Use topics: [${shown(text)}], where "*" stands for the rest of a segment.`
}

/** The text a rule is about. */
function textOf({ equals, written }: Rule): string {
  if (equals !== undefined) return String(equals)
  const value: unknown = JSON.parse(written)
  const operand: unknown = isRecord(value) ? Object.values(value)[0] : value
  return typeof operand === 'string' ? operand : ''
}

function meant(text: string, known: Iterable<string>): string {
  const near = nearestName(text, known)
  return near?.close === true ? `Did you mean "${near.name}"? ` : ''
}

const cut = (text: string): string => (text.length <= 100 ? text : `${text.slice(0, 100)}...`)
const shown = (text: string): string => JSON.stringify(cut(text))
