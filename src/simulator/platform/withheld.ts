/**
 * Emissions that are never published, as if Genesys had lost them: the end of a conversation, the status of an agent. The API knows
 * what happened, and nobody else does: this is what reconciling is for.
 */
import type { Clock } from '../../pipeline/clock.ts'
import type { Emission } from '../simulation.ts'

export type Withholding = 'withheld-end' | 'withheld-status'

/** Of so many the snapshots are kept back as well, the newest. */
const MAX_CONVERSATIONS = 10_000
const MAX_TOLD = 10_000
/** How many conversations and agents are told of. */
const MAX_IDS = 100

export class Withheld {
  /** Emissions not published. */
  events = 0
  /** The first conversations and users they were about. */
  readonly ids: string[] = []
  readonly #clock: Clock
  readonly #isAwaited: (topicName: string) => boolean
  /** Until when ends are taken; `next` takes one and no more. */
  #ends: { readonly toMs: number; next: boolean } = { toMs: -Infinity, next: false }
  #statusToMs = -Infinity
  readonly #conversations = new Set<string>()
  /** Topics of users that were published: only somebody of whom something is known can be known wrongly. */
  readonly #told = new Set<string>()
  #user: string | null = null

  /** `isAwaited` says whether anybody has subscribed to a topic: what nobody would get cannot be withheld. */
  constructor(clock: Clock, isAwaited: (topicName: string) => boolean) {
    this.#clock = clock
    this.#isAwaited = isAwaited
  }

  /** From now until then; where that is no time at all, the next one. */
  begin(kind: Withholding, toMs: number): void {
    if (kind === 'withheld-end') this.#ends = { toMs, next: true }
    else this.#statusToMs = toMs
  }

  /** Whether this emission is not to be published. */
  takes(emission: Emission): boolean {
    const taken = emission.topic === CUSTOMER_END ? this.#takesEnd(emission.topicName) : this.#takesOther(emission)
    if (taken) this.events++
    return taken
  }

  #takesEnd(topicName: string): boolean {
    if ((!this.#ends.next && this.#clock.nowMs() >= this.#ends.toMs) || !this.#isAwaited(topicName)) return false
    this.#ends.next = false
    const id = topicName.slice(CUSTOMER_END.indexOf('{'), -'.customer.end'.length)
    this.#conversations.add(id)
    if (this.#conversations.size > MAX_CONVERSATIONS) this.#conversations.delete(this.#conversations.values().next().value!)
    this.#note(id)
    return true
  }

  #takesOther(emission: Emission): boolean {
    const { topic, topicName } = emission
    // A snapshot would show the end that nobody was told.
    if (SNAPSHOTS.test(topic)) return this.#conversations.size > 0 && this.#conversations.has(String(emission.body['id']))
    if (!STATUS.test(topic) || !this.#isAwaited(topicName)) return false
    const user = topicName.split('.')[2] ?? ''
    const isTime = this.#clock.nowMs() < this.#statusToMs
    if (isTime && this.#user === null && this.#told.has(topicName)) {
      this.#user = user
      this.#note(user)
    }
    if (isTime && this.#user === user) return true
    if (this.#told.size < MAX_TOLD) this.#told.add(topicName)
    return false
  }

  #note(id: string): void {
    if (this.ids.length < MAX_IDS) this.ids.push(id)
  }
}

const CUSTOMER_END = 'v2.detail.events.conversation.{id}.customer.end'
const SNAPSHOTS = /^v2\.(?:users|routing\.queues)\.\{id\}\.conversations/
const STATUS = /^v2\.users\.\{id\}\.(?:presence|routingStatus|activity)$/
