/**
 * Folds the findings of every event into a report: for each topic, class, path and detail how often, when first and last, and
 * a sample; and for each topic the fields that stopped coming (field-presence.ts).
 *
 * The sample is the newest event: the oldest is the first that the log deletes. Times are those of receipt. Duplicates are
 * not counted, and reconstructed events not as evidence that a field is gone, as they have only what the API gives.
 * Bounded in topics and in entries a topic; what is over is counted, never silent. The same events in the same order give the same book, also
 * when it was written and read in between.
 */
import type { Event } from '../event/event.ts'
import { isReconstructed } from '../event/origin.ts'
import { isKnownTopic } from '../event/topics.ts'
import { FieldPresence, type Gap } from './field-presence.ts'
import { DRIFT_CLASSES, type DriftClass, type Finding } from './finding.ts'
import type { JsonSchema } from './json-schema.ts'
import { shownTopic } from './naming.ts'

export type DriftEntry = {
  readonly topic: string
  readonly class: DriftClass
  readonly path: string
  readonly detail: string | null
  /** Events that had it; for `field_gone`, how often the field was missing. */
  readonly count: number
  /** For `field_gone`: when the field was there last before it went. */
  readonly firstSeenAtMs: number
  readonly lastSeenAtMs: number
  readonly sampleId: string
  /** Only of `field_gone`: the field is there again. */
  readonly back: boolean
}

export type DriftReport = {
  /** By topic, class and path. */
  readonly drift: readonly DriftEntry[]
  /** Events by topic, sorted. */
  readonly topics: ReadonlyMap<string, number>
  readonly events: number
  /** What came when the book was full: events of topics, and findings, that have no line of their own. */
  readonly notListed: { readonly events: number; readonly findings: number }
}

export type DriftBookOptions = {
  /** The strict schema of a topic; tells fields from the keys of free maps. */
  schemaOf(topic: string): JsonSchema | null
  readonly maxTopics?: number
  readonly maxEntriesPerTopic?: number
}

export class DriftBook {
  readonly #options: DriftBookOptions
  readonly #maxTopics: number
  readonly #maxEntries: number
  readonly #topics = new Map<string, TopicBook>()
  #events = 0
  #notListed = { events: 0, findings: 0 }

  constructor(options: DriftBookOptions) {
    this.#options = options
    this.#maxTopics = options.maxTopics ?? 1_000
    this.#maxEntries = options.maxEntriesPerTopic ?? 200
  }

  /** Folds one event in, with its findings and its body (undefined when it has none). */
  feed(event: Event, findings: readonly Finding[], body: unknown): void {
    if (event.duplicateOf !== null) return
    this.#events++
    const known = isKnownTopic(event.topic) || this.#options.schemaOf(event.topic) !== null
    const book = this.#bookOf(known ? event.topic : shownTopic(event.topic, false), known)
    if (book === null) {
      this.#notListed.events++
      this.#notListed.findings += findings.length
      return
    }
    book.events++
    book.lastAtMs = event.receivedAtMs
    for (const { class: drift, path, detail } of findings) this.#note(book, drift, path, detail, event.id, event.receivedAtMs)
    if (book.presence === null || body === undefined || isReconstructed(event)) return
    for (const gap of book.presence.fold(body, event.id, event.receivedAtMs)) this.#noteBack(book, gap, event.receivedAtMs)
  }

  /** What is known now. */
  report(): DriftReport {
    const drift: DriftEntry[] = []
    const topics = [...this.#topics].toSorted(([a], [b]) => (a < b ? -1 : 1))
    for (const [topic, book] of topics) {
      const gone = new Map((book.presence?.gone() ?? []).map((gap) => [gap.path, gap]))
      for (const entry of book.entries.values()) {
        const gap = entry.class === 'field_gone' ? gone.get(entry.path) : undefined
        if (gap === undefined) drift.push({ topic, ...entry })
        else
          drift.push({
            topic,
            ...entry,
            count: entry.count + gap.missing,
            lastSeenAtMs: book.lastAtMs,
            sampleId: gap.sampleId,
            back: false,
          })
        gone.delete(entry.path)
      }
      for (const { path, missing, lastAtMs, sampleId } of gone.values())
        drift.push({
          topic,
          class: 'field_gone',
          path,
          detail: null,
          count: missing,
          firstSeenAtMs: lastAtMs,
          lastSeenAtMs: book.lastAtMs,
          sampleId,
          back: false,
        })
    }
    return {
      drift,
      topics: new Map(topics.map(([topic, { events }]) => [topic, events])),
      events: this.#events,
      notListed: { ...this.#notListed },
    }
  }

  /** The whole book as plain JSON. */
  toJSON(): unknown {
    return {
      version: VERSION,
      events: this.#events,
      notListed: this.#notListed,
      topics: [...this.#topics].map(([topic, { events, lastAtMs, entries, presence }]) => ({
        topic,
        events,
        lastAtMs,
        entries: [...entries.values()].map((entry) => ({ ...entry })),
        presence: presence?.toJSON() ?? null,
      })),
    }
  }

  /** What `toJSON` wrote. Throws when it is something else, also when another version of Trunkline wrote it: the book can be made again. */
  static from(json: unknown, options: DriftBookOptions): DriftBook {
    const book = new DriftBook(options)
    const written = readWritten(json)
    book.#events = written.events
    book.#notListed = { ...written.notListed }
    for (const { topic, events, lastAtMs, entries, presence } of written.topics) {
      book.#topics.set(topic, {
        events,
        lastAtMs,
        entries: new Map(entries.map((entry) => [keyOf(entry.class, entry.path, entry.detail), { ...entry }])),
        presence: presence === null ? null : FieldPresence.from(presence, options.schemaOf(topic)),
      })
    }
    return book
  }

  #bookOf(topic: string, known: boolean): TopicBook | null {
    const found = this.#topics.get(topic)
    if (found !== undefined) return found
    if (this.#topics.size >= this.#maxTopics) return null
    const schema = this.#options.schemaOf(topic)
    // What fields a topic of unknown origin has is nobody's promise.
    const book: TopicBook = {
      events: 0,
      lastAtMs: 0,
      entries: new Map(),
      presence: known || schema !== null ? new FieldPresence(schema) : null,
    }
    this.#topics.set(topic, book)
    return book
  }

  #note(book: TopicBook, drift: DriftClass, path: string, detail: string | null, sampleId: string, atMs: number): void {
    const key = keyOf(drift, path, detail)
    const entry = book.entries.get(key)
    if (entry !== undefined) {
      entry.count++
      entry.lastSeenAtMs = atMs
      entry.sampleId = sampleId
    } else if (book.entries.size >= this.#maxEntries) this.#notListed.findings++
    else book.entries.set(key, { class: drift, path, detail, count: 1, firstSeenAtMs: atMs, lastSeenAtMs: atMs, sampleId, back: false })
  }

  #noteBack(book: TopicBook, gap: Gap, atMs: number): void {
    const key = keyOf('field_gone', gap.path, null)
    const entry = book.entries.get(key)
    if (entry !== undefined) {
      entry.count += gap.missing
      entry.lastSeenAtMs = atMs
      entry.sampleId = gap.sampleId
      entry.back = true
    } else if (book.entries.size >= this.#maxEntries) this.#notListed.findings++
    else {
      const { path, missing, lastAtMs, sampleId } = gap
      book.entries.set(key, {
        class: 'field_gone',
        path,
        detail: null,
        count: missing,
        firstSeenAtMs: lastAtMs,
        lastSeenAtMs: atMs,
        sampleId,
        back: true,
      })
    }
  }
}

type Entry = { -readonly [K in keyof Omit<DriftEntry, 'topic'>]: DriftEntry[K] }

type TopicBook = {
  events: number
  lastAtMs: number
  readonly entries: Map<string, Entry>
  readonly presence: FieldPresence | null
}

type WrittenBook = {
  readonly version: number
  readonly events: number
  readonly notListed: { readonly events: number; readonly findings: number }
  readonly topics: readonly {
    readonly topic: string
    readonly events: number
    readonly lastAtMs: number
    readonly entries: readonly Entry[]
    readonly presence: unknown
  }[]
}

const VERSION = 1

/** Checks what is read back field by field: a report that is served must not be made of what somebody wrote into a row. */
function readWritten(json: unknown): WrittenBook {
  const written = json as Partial<WrittenBook> | null
  if (typeof written !== 'object' || written === null) throw new Error('it is no report')
  if (written.version !== VERSION) throw new Error('another version of Trunkline wrote it')
  const { events, notListed, topics } = written
  const whole =
    isCount(events) &&
    isCount(notListed?.events) &&
    isCount(notListed?.findings) &&
    Array.isArray(topics) &&
    (topics as unknown[]).every((topic) => isTopic(topic as WrittenBook['topics'][number]))
  if (!whole) throw new Error('it is damaged')
  return written as WrittenBook
}

function isTopic(topic: Partial<WrittenBook['topics'][number]> | null): boolean {
  if (typeof topic !== 'object' || topic === null) return false
  const { entries } = topic
  return (
    typeof topic.topic === 'string' &&
    isCount(topic.events) &&
    isCount(topic.lastAtMs) &&
    (topic.presence === null || typeof topic.presence === 'object') &&
    Array.isArray(entries) &&
    (entries as unknown[]).every((entry) => isEntry(entry as Partial<Entry> | null))
  )
}

function isEntry(entry: Partial<Entry> | null): boolean {
  if (typeof entry !== 'object' || entry === null) return false
  const { path, detail, count, firstSeenAtMs, lastSeenAtMs, sampleId, back } = entry
  const texts = typeof path === 'string' && typeof sampleId === 'string' && (detail === null || typeof detail === 'string')
  const numbers = isCount(count) && isCount(firstSeenAtMs) && isCount(lastSeenAtMs)
  return texts && numbers && typeof back === 'boolean' && DRIFT_CLASSES.some((drift) => drift === entry.class)
}

const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

function keyOf(drift: DriftClass, path: string, detail: string | null): string {
  return `${drift} ${path} ${detail ?? ''}`
}
