/**
 * Where everything that Genesys would publish goes out, in the order of publishing. A body is made as JSON text and parsed
 * only for who asks; correlation ids are a function of the event's number.
 */
import type { Emission } from '../simulation.ts'
import type { Chance } from './chance.ts'
import { Seed } from './chance.ts'
import { TimeQueue } from './time-queue.ts'
import { SIMULATED_TOPICS, USER_CONVERSATIONS, QUEUE_CONVERSATIONS, type Topic } from './topics.ts'
import type { SimulationOptions } from './options.ts'

/** Genesys publishes this long after the thing itself (measured: 262 to 378 ms). */
const LEAST_LAG_MS = 250
const LAG_SPREAD_MS = 150

export class Outlet {
  readonly #waiting = new TimeQueue<Published>()
  readonly #unwanted: ReadonlySet<Topic>
  readonly #correlation: Seed
  #taken = 0

  constructor(options: SimulationOptions) {
    const { wants, snapshots } = options
    this.#unwanted = new Set(
      SIMULATED_TOPICS.filter(
        (topic) =>
          (wants !== null && !wants(topic.template)) || (!snapshots && (topic === USER_CONVERSATIONS || topic === QUEUE_CONVERSATIONS)),
      ),
    )
    this.#correlation = Seed.of(`trunkline ${options.seed}`).branch('correlation')
  }

  /** How many emissions were taken. */
  get taken(): number {
    return this.#taken
  }

  /** Infinity when nothing waits. */
  get nextAtMs(): number {
    return this.#waiting.nextAtMs
  }

  /** Ask before a costly body is made. */
  wants(topic: Topic): boolean {
    return !this.#unwanted.has(topic)
  }

  /** Publishes what happened at an instant, a little later. */
  publish(topic: Topic, id: string, happenedAtMs: number, bodyText: string, chance: Chance): void {
    this.publishAt(topic, id, happenedAtMs + LEAST_LAG_MS + chance.below(LAG_SPREAD_MS), bodyText)
  }

  publishAt(topic: Topic, id: string, publishedAtMs: number, bodyText: string): void {
    if (this.#unwanted.has(topic)) return
    this.#waiting.add(publishedAtMs, new Published(this.#correlation, publishedAtMs, topic, id, bodyText))
  }

  take(): Emission | null {
    const next = this.#waiting.take()
    if (next === undefined) return null
    next.number = this.#taken++
    return next
  }
}

class Published implements Emission {
  number = 0
  readonly publishedAtMs: number
  readonly bodyText: string
  readonly #topic: Topic
  readonly #id: string
  readonly #correlation: Seed
  #body: Readonly<Record<string, unknown>> | null = null

  constructor(correlation: Seed, publishedAtMs: number, topic: Topic, id: string, bodyText: string) {
    this.#correlation = correlation
    this.publishedAtMs = publishedAtMs
    this.#topic = topic
    this.#id = id
    this.bodyText = bodyText
  }

  get topic(): string {
    return this.#topic.template
  }

  get topicName(): string {
    return this.#topic.head + this.#id + this.#topic.tail
  }

  get body(): Readonly<Record<string, unknown>> {
    this.#body ??= JSON.parse(this.bodyText) as Readonly<Record<string, unknown>>
    return this.#body
  }

  get correlationId(): string {
    const id = this.#correlation.uuid(this.number)
    return this.#topic.head.startsWith('v2.audits.') ? `${id}-archival` : id
  }
}
