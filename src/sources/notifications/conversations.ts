/**
 * Conversations cannot be subscribed in advance: their topics name each one. They are learned from the snapshots that queues
 * and users publish, followed until they have ended and their late events have come, and never more than there is room for.
 */
import { isObject, stringAt } from '../../event/json.ts'
import type { JsonObject } from '../../event/json.ts'
import type { ShardTopics } from './plan.ts'
import { subscriptionsFor } from './topics.ts'

export type ConversationOptions = {
  /** Templates to subscribe for each conversation. */
  readonly templates: readonly string[]
  readonly combine: boolean
  /** Shards that carry them. */
  readonly shards: number
  readonly topicsPerShard: number
  readonly lingerMs: number
  readonly forgottenMs: number
}

export type Followed = { readonly shard: number; readonly sinceMs: number; heardAtMs: number; endedAtMs: number | null }

export class Conversations {
  readonly #o: ConversationOptions
  readonly #followed = new Map<string, Followed>()
  readonly #topics: readonly Map<string, readonly string[]>[]
  #counts = { learned: 0, dropped: 0, notFollowed: 0 }

  constructor(o: ConversationOptions) {
    this.#o = o
    this.#topics = Array.from({ length: o.shards }, () => new Map<string, readonly string[]>())
  }

  /** Topics of one shard; the map is kept up to date. */
  topicsOf(shard: number): ShardTopics {
    return this.#topics[shard] ?? new Map()
  }

  get(id: string): Followed | undefined {
    return this.#followed.get(id)
  }

  /** Takes note of a conversation; gives the shard whose topics changed, `full` where there is no room for it, or null. */
  learn(id: string, ended: boolean, nowMs: number): number | 'full' | null {
    const known = this.#followed.get(id)
    if (known !== undefined) {
      known.heardAtMs = nowMs
      known.endedAtMs = ended ? (known.endedAtMs ?? nowMs) : null
      return null
    }
    if (this.#o.templates.length === 0 || id.length > MAX_ID_CHARS) return null
    const subscriptions = subscriptionsFor(this.#o.templates, id, this.#o.combine)
    const shard = this.#placeFor(subscriptions.length)
    if (shard === null) {
      this.#counts.notFollowed++
      return 'full'
    }
    this.#followed.set(id, { shard, sinceMs: nowMs, heardAtMs: nowMs, endedAtMs: ended ? nowMs : null })
    for (const { topic, templates } of subscriptions) this.#topics[shard]!.set(topic, templates)
    this.#counts.learned++
    return shard
  }

  /** Lets go of what is over; gives the shards whose topics changed. */
  sweep(nowMs: number): ReadonlySet<number> {
    const changed = new Set<number>()
    for (const [id, { endedAtMs, heardAtMs, shard }] of this.#followed) {
      const over = endedAtMs === null ? nowMs - heardAtMs >= this.#o.forgottenMs : nowMs - endedAtMs >= this.#o.lingerMs
      if (over) this.#drop(id, shard)
      if (over) changed.add(shard)
    }
    return changed
  }

  status(): object {
    return { followed: this.#followed.size, ...this.#counts }
  }

  #placeFor(topics: number): number | null {
    const free = this.#topics.findIndex((taken) => taken.size + topics <= this.#o.topicsPerShard)
    if (free >= 0) return free
    // One that has ended and only waits for stragglers makes room for one that is under way.
    let oldest: { readonly id: string; readonly followed: Followed } | null = null
    for (const [id, followed] of this.#followed) {
      if (followed.endedAtMs !== null && followed.endedAtMs < (oldest?.followed.endedAtMs ?? Infinity)) oldest = { id, followed }
    }
    if (oldest === null) return null
    this.#drop(oldest.id, oldest.followed.shard)
    return oldest.followed.shard
  }

  #drop(id: string, shard: number): void {
    this.#followed.delete(id)
    for (const { topic } of subscriptionsFor(this.#o.templates, id, this.#o.combine)) this.#topics[shard]!.delete(topic)
    this.#counts.dropped++
  }
}

/** Whether events of this topic tell of conversations. */
export function tellsOfConversations(template: string): boolean {
  return LEARNING.test(template)
}

/** The conversation a snapshot is about, and whether nobody is in it any more; null for other events. */
export function conversationIn(topicName: string, message: JsonObject): { readonly id: string; readonly ended: boolean } | null {
  const body = message['eventBody']
  if (!LEARNING.test(topicName) || !isObject(body)) return null
  const id = stringAt(body, 'id')
  if (id === null || !/^[\w-]+$/.test(id)) return null
  const participants = body['participants']
  return { id, ended: Array.isArray(participants) && participants.length > 0 && participants.every(hasLeft) }
}

const LEARNING = /^v2\.(?:users|routing\.queues)\.[^.]+\.conversations(?:\.|$)/
const MAX_ID_CHARS = 64

function hasLeft(participant: unknown): boolean {
  if (!isObject(participant)) return false
  if (typeof participant['endTime'] === 'string') return true
  const state = participant['state']
  return state === 'disconnected' || state === 'terminated'
}
