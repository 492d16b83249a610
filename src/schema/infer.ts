/**
 * Proposes a schema from bodies: types, nested objects, the items of lists, what may be null, texts that are all date-times, and
 * known values where a field has few upper-case words over many events. An object whose keys are no names, or very many, is taken
 * for a free map: its keys are data and never become part of a schema. A proposal: it knows only what it has seen.
 *
 * Bounded in fields, depth and values, whatever the bodies are.
 */
import { isRecord, typeOf, type JsonSchema } from './json-schema.ts'
import { looksLikeName } from './naming.ts'

export class Inference {
  readonly #root = new Seen()
  readonly #left: Left = { fields: MAX_FIELDS }
  #bodies = 0

  /** How many bodies were added. */
  get bodies(): number {
    return this.#bodies
  }

  add(body: unknown): void {
    this.#bodies++
    this.#root.add(body, 0, this.#left)
  }

  /** The schema of all that was added. */
  schema(topic: string): JsonSchema {
    return {
      $schema: 'http://json-schema.org/draft-07/schema#',
      title: topic,
      'x-genesys-topic': topic,
      'x-source': `inferred by trunkline from ${this.#bodies} ${this.#bodies === 1 ? 'body' : 'bodies'}`,
      ...this.#root.schema(),
    }
  }
}

const MAX_FIELDS = 5_000
const MAX_DEPTH = 32
/** Keys after which an object is taken for a free map. */
const MAX_KEYS = 128
const MAX_VALUES = 24
/** Known values are proposed when each was seen so often on average, and all together so often. */
const MIN_PER_VALUE = 5
const MIN_VALUES = 20

type Left = { fields: number }

/** What was seen at one place. */
class Seen {
  readonly #types = new Set<string>()
  readonly #fields = new Map<string, Seen>()
  /** What is in the items of lists. */
  #items: Seen | null = null
  /** What is under the keys of a free map; null as long as it is none. */
  #entries: Seen | null = null
  #texts = 0
  #dateTimes = 0
  /** Null once there are too many, or one is no upper-case word. */
  #values: Set<string> | null = new Set()

  add(value: unknown, depth: number, left: Left): void {
    const type = typeOf(value)
    this.#types.add(type)
    if (typeof value === 'string') this.#addText(value)
    if (depth >= MAX_DEPTH) return
    if (Array.isArray(value)) {
      this.#items ??= new Seen()
      for (const item of value as unknown[]) this.#items.add(item, depth + 1, left)
    } else if (isRecord(value)) this.#addFields(value, depth, left)
  }

  schema(): JsonSchema {
    const types = this.#types.has('number') ? [...this.#types].filter((type) => type !== 'integer') : [...this.#types]
    const sorted = types.toSorted((a, b) => Number(a === 'null') - Number(b === 'null'))
    const out: Record<string, unknown> = {}
    // Only null says nothing of what else there may be.
    if (sorted.some((type) => type !== 'null')) out['type'] = sorted.length === 1 ? sorted[0] : sorted
    if (this.#texts > 0 && this.#dateTimes === this.#texts) out['format'] = 'date-time'
    if (this.#values !== null && this.#texts >= Math.max(MIN_VALUES, MIN_PER_VALUE * this.#values.size))
      out['x-known-values'] = [...this.#values].toSorted()
    if (this.#items !== null) out['items'] = this.#items.schema()
    if (this.#entries !== null) out['additionalProperties'] = this.#entries.schema()
    else if (this.#types.has('object'))
      out['properties'] = Object.fromEntries([...this.#fields].map(([name, seen]) => [name, seen.schema()]))
    return out
  }

  #addText(text: string): void {
    this.#texts++
    if (DATE_TIME.test(text)) this.#dateTimes++
    if (this.#values === null) return
    if (UPPER_WORD.test(text) && looksLikeName(text)) this.#values.add(text)
    else this.#values = null
    if (this.#values !== null && this.#values.size > MAX_VALUES) this.#values = null
  }

  #addFields(object: Readonly<Record<string, unknown>>, depth: number, left: Left): void {
    for (const [name, value] of Object.entries(object)) {
      if (this.#entries === null && (!looksLikeName(name) || this.#fields.size >= MAX_KEYS)) this.#becomeMap(left)
      if (this.#entries !== null) {
        this.#entries.add(value, depth + 1, left)
        continue
      }
      let seen = this.#fields.get(name)
      if (seen === undefined) {
        if (left.fields <= 0) continue
        left.fields--
        seen = new Seen()
        this.#fields.set(name, seen)
      }
      seen.add(value, depth + 1, left)
    }
  }

  #becomeMap(left: Left): void {
    const entries = new Seen()
    for (const seen of this.#fields.values()) entries.#merge(seen, left)
    left.fields += this.#fields.size
    this.#fields.clear()
    this.#entries = entries
  }

  #merge(other: Seen, left: Left): void {
    for (const type of other.#types) this.#types.add(type)
    this.#texts += other.#texts
    this.#dateTimes += other.#dateTimes
    const values = this.#values === null || other.#values === null ? null : new Set([...this.#values, ...other.#values])
    this.#values = values !== null && values.size <= MAX_VALUES ? values : null
    if (other.#items !== null) (this.#items ??= new Seen()).#merge(other.#items, left)
    if (other.#entries !== null && this.#entries === null) this.#becomeMap(left)
    if (this.#entries !== null) {
      if (other.#entries !== null) this.#entries.#merge(other.#entries, left)
      for (const seen of other.#fields.values()) this.#entries.#merge(seen, left)
      return
    }
    for (const [name, seen] of other.#fields) {
      const mine = this.#fields.get(name)
      if (mine === undefined) this.#fields.set(name, seen)
      else mine.#merge(seen, left)
    }
  }
}

const UPPER_WORD = /^[A-Z][A-Z0-9_]{1,40}$/
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/
