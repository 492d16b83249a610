/**
 * Brings the topics of a channel in line with what is wanted, with few requests: additions go through the socket, removals wait
 * until there are many or room is short. Says which topics Genesys refuses, once for each kind.
 */
import type { TopicState } from '../../genesys/platform.ts'
import type { Clock } from '../../pipeline/clock.ts'
import type { SourceOutput } from '../source.ts'
import type { Link } from './link.ts'
import type { ShardTopics } from './plan.ts'

export type TopicSyncOptions = {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly output: SourceOutput
  readonly topicsPerChannel: number
  readonly wanted: () => ShardTopics
  /** The channel that is to have them; null when there is none. */
  readonly link: () => Link | null
}

export class TopicSync {
  readonly #o: TopicSyncOptions
  readonly #refused = new Map<string, string>()
  #running = false
  #again = false

  constructor(o: TopicSyncOptions) {
    this.#o = o
  }

  /** Topics Genesys does not give, with its reasons. */
  get refused(): readonly { readonly topic: string; readonly reason: string }[] {
    return [...this.#refused].map(([topic, reason]) => ({ topic, reason }))
  }

  /** Wanted topics or the channel have changed. */
  async run(): Promise<void> {
    this.#again = true
    if (this.#running) return
    this.#running = true
    const { clock, signal } = this.#o
    for (let failures = 0; this.#again && !signal.aborted;) {
      this.#again = false
      const link = this.#o.link()
      if (link === null || !link.live) break
      try {
        // After a request, gather what comes next into one.
        if (await this.#needsRequest(link)) await clock.wait(GATHER_MS, signal)
        failures = 0
      } catch {
        this.#again = true
        await clock.wait(Math.min(RETRY_MAX_MS, GATHER_MS * 2 ** failures++), signal)
      }
    }
    this.#running = false
  }

  /** Takes note of what Genesys said of topics. */
  note(states: readonly TopicState[]): void {
    for (const { topic, permitted, reason, missingPermissions } of states) {
      if (permitted) this.#refused.delete(topic)
      else if (!this.#refused.has(topic) && this.#refused.size < MAX_REFUSED) {
        const kind = this.#kindOf(topic)
        const told = [...this.#refused.keys()].some((other) => this.#kindOf(other) === kind)
        const why = reason ?? 'no reason given'
        this.#refused.set(topic, why)
        const missing = missingPermissions.length > 0 ? ` Missing permissions: ${missingPermissions.join(', ')}.` : ''
        if (!told)
          this.#o.output.warn(
            'notifications.topic_refused',
            `Genesys refuses topics of the kind ${kind}, such as ${topic} (${why}).${missing}`,
          )
      }
    }
  }

  async #needsRequest(link: Link): Promise<boolean> {
    const wanted = [...this.#o.wanted().keys()]
    const missing = wanted.filter((topic) => !link.topics.has(topic))
    const all = link.topics.size + missing.length
    const room = this.#o.topicsPerChannel
    if (all - wanted.length > room / 4 || (all > wanted.length && all > room)) {
      this.note(await link.replace(wanted))
      return true
    }
    if (missing.length === 0) return false
    const states = await link.add(missing)
    this.note(states)
    return states.length > 0
  }

  #kindOf(topic: string): string {
    return this.#o.wanted().get(topic)?.join(', ') ?? 'a topic'
  }
}

const GATHER_MS = 2_000
const RETRY_MAX_MS = 60_000
const MAX_REFUSED = 1_000
