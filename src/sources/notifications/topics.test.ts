/** Which topics are asked for, as which texts, on which channels. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { planShards } from './plan.ts'
import { askedTopics, subscriptionsFor } from './topics.ts'

const UUID = '8b67e4d1-9758-4285-8c45-b49fedff3f99'

describe('asked topics', () => {
  it('are sorted by whose id they need; patterns are expanded', () => {
    const asked = askedTopics([
      'v2.users.{id}.presence',
      'v2.analytics.queues.{id}.observations',
      'v2.routing.queues.{id}.conversations',
      'v2.detail.events.agent.{id}.state',
      'v2.detail.events.conversation.{id}.*',
      'v2.conversations.{id}.transcription',
      'v2.users.me-1.presence',
    ])
    assert.deepEqual(asked.user, ['v2.detail.events.agent.{id}.state', 'v2.users.{id}.presence'])
    assert.deepEqual(asked.queue, ['v2.analytics.queues.{id}.observations', 'v2.routing.queues.{id}.conversations'])
    assert.equal(asked.conversation.length, 17)
    assert.deepEqual(asked.none, ['v2.users.me-1.presence'])
  })

  it('that do not exist are refused with the nearest names', () => {
    for (const topic of [
      'v2.users.{id}.presense',
      'v2.nothing.*',
      'routing.queued',
      'v2.system.socket_closing',
      '',
      'v2.users.*x',
      'channel.metadata',
    ]) {
      assert.throws(() => askedTopics([topic]), { code: 'notifications.unknown_topic', hint: /^Nearest: v2\./ })
    }
  })

  it('whose ids nobody lists are refused', () => {
    assert.throws(() => askedTopics(['v2.audits.entitytype.{id}.entityid.{id}']), { code: 'notifications.ids_unknown' })
    assert.throws(() => askedTopics(['v2.outbound.campaigns.{id}']), { code: 'notifications.ids_unknown' })
  })
})

describe('subscriptions', () => {
  it('combine topics with the same beginning', () => {
    assert.deepEqual(
      subscriptionsFor(
        ['v2.users.{id}.activity', 'v2.users.{id}.conversations.calls', 'v2.detail.events.agent.{id}.state'],
        UUID,
        true,
      ).map(({ topic }) => topic),
      [`v2.users.${UUID}?activity&conversations.calls`, `v2.detail.events.agent.${UUID}.state`],
    )
    assert.equal(subscriptionsFor(['v2.users.{id}.activity', 'v2.users.{id}.presence'], UUID, false).length, 2)
  })

  it('are never longer than 200 characters, and bring every template once', () => {
    const { conversation } = askedTopics(['v2.detail.events.conversation.{id}.*'])
    const { user } = askedTopics(['v2.users.{id}.*'])
    for (const templates of [conversation, user]) {
      const subscriptions = subscriptionsFor(templates, UUID, true)
      assert.ok(subscriptions.length > 1 && subscriptions.length < templates.length / 4)
      assert.deepEqual(subscriptions.flatMap((one) => one.templates).sort(), templates)
      for (const { topic } of subscriptions) assert.ok(topic.length <= 200, topic)
    }
  })
})

describe('plan of shards', () => {
  const limits = { topicsPerChannel: 10, maxShards: 5 }
  const of = (ids: readonly number[]) => ids.map((id) => ({ topic: `t${id}`, templates: ['t'] }))

  it('has every topic once, no shard too large, and moves nobody', () => {
    const set = fc.uniqueArray(fc.nat(60), { maxLength: 50 })
    fc.assert(
      fc.property(set, set, (before, after) => {
        const first = planShards([], of(before), limits)
        const second = planShards(first, of(after), limits)
        assert.deepEqual(
          second.flatMap((shard) => [...shard.keys()]).sort(),
          of(after)
            .map(({ topic }) => topic)
            .sort(),
        )
        second.forEach((shard, number) => {
          assert.ok(shard.size <= 10)
          for (const topic of shard.keys()) {
            const was = first.findIndex((other) => other.has(topic))
            assert.ok(was === -1 || was === number)
          }
        })
      }),
    )
  })

  it('that needs more channels than there are is refused, with figures', () => {
    const many = of(Array.from({ length: 51 }, (_, n) => n))
    assert.throws(() => planShards([], many, limits), { code: 'notifications.too_many_topics', message: /51 topics.*room for 50/ })
  })
})
