/**
 * Which topics go to which channel. A shard is a set of at most 1,000 topics that one channel carries. Topics keep their
 * shard for as long as they are wanted, so a user added or removed later moves nobody else.
 */
import { TrunklineError } from '../../errors.ts'
import type { Subscription } from './topics.ts'

/** One shard: topic text -> templates of the events it brings. */
export type ShardTopics = ReadonlyMap<string, readonly string[]>

export type PlanLimits = {
  /** Topics a channel takes; Genesys refuses more than 1,000. */
  readonly topicsPerChannel: number
  /** Shards there may be. Twice as many channels are open while channels are renewed, and Genesys allows 20 for a user and application. */
  readonly maxShards: number
}

/** Shards for `wanted`, by what they were before: the place in the list is the number of the shard. */
export function planShards(before: readonly ShardTopics[], wanted: readonly Subscription[], limits: PlanLimits): readonly ShardTopics[] {
  const missing = new Map(wanted.map(({ topic, templates }) => [topic, templates]))
  const shards = before.map((topics) => {
    const kept = new Map<string, readonly string[]>()
    for (const topic of topics.keys()) {
      const templates = missing.get(topic)
      if (templates !== undefined) kept.set(topic, templates)
      missing.delete(topic)
    }
    return kept
  })
  let at = 0
  for (const [topic, templates] of [...missing].sort(([a], [b]) => (a < b ? -1 : 1))) {
    while (at < shards.length && shards[at]!.size >= limits.topicsPerChannel) at++
    if (at === shards.length) shards.push(new Map())
    shards[at]!.set(topic, templates)
  }
  if (shards.length > limits.maxShards) throw tooMany(wanted.length, limits)
  return shards
}

function tooMany(topics: number, limits: PlanLimits): TrunklineError {
  const most = limits.maxShards * limits.topicsPerChannel
  return new TrunklineError(
    'notifications.too_many_topics',
    `The notification source would need ${topics} topics, and has room for ${most} (${limits.maxShards} channels of ${limits.topicsPerChannel}; as many again are kept free for renewing them).`,
    'Subscribe to fewer users, queues or topics, split them over several OAuth clients, or take them from EventBridge, which has no such limit.',
  )
}
