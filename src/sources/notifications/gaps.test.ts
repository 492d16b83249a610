/** Gaps that are filled from the analytics query, and what is said of those that cannot be. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rig } from '../../../test/sources/source-rig.ts'
import type { Rig, RigOptions } from '../../../test/sources/source-rig.ts'
import type { ConversationDetail } from '../../genesys/platform.ts'

const QUEUE = 'v2.routing.queues.{id}.conversations'
const DETAIL = 'v2.detail.events.conversation.{id}.'
const SETTINGS = { topics: [QUEUE, `${DETAIL}acd.start`, `${DETAIL}acd.end`, `${DETAIL}attributes`], conversationChannels: 1 }

const iso = (atMs: number): string => new Date(atMs).toISOString()

function waiting(id: string, startMs: number, endMs: number | null, queueId = 'q1'): ConversationDetail {
  return {
    conversationId: id,
    conversationStart: iso(startMs),
    ...(endMs === null ? {} : { conversationEnd: iso(endMs) }),
    participants: [
      {
        participantId: `p-${id}`,
        purpose: 'acd',
        sessions: [
          {
            sessionId: `s-${id}`,
            segments: [
              {
                segmentStart: iso(startMs),
                segmentType: 'delay',
                queueId,
                ...(endMs === null ? {} : { segmentEnd: iso(endMs), disconnectType: 'peer' }),
              },
            ],
          },
        ],
      },
    ],
  }
}

/** A source with a conversation `old` under way, on both its channels. */
async function following(t: Parameters<typeof rig>[0], options: Partial<RigOptions> = {}): Promise<Rig> {
  const it = await rig(t, { settings: SETTINGS, ...options })
  await it.source.start()
  await it.playUntil('a channel', () => it.genesys.live.length === 1)
  it.genesys.publish('v2.routing.queues.q1.conversations', { id: 'old', participants: [{}] })
  await it.playUntil('the conversation has its topics', () => it.genesys.live.length === 2 && it.genesys.live[1]!.topics.size >= 3)
  await it.play(61_000)
  return it
}

async function outage(it: Rig, ms: number): Promise<{ fromMs: number; toMs: number }> {
  const fromMs = it.clock.nowMs()
  it.genesys.mode = 'refuse'
  for (const channel of it.genesys.live) await it.genesys.cut(channel)
  await it.play(ms)
  it.genesys.mode = 'good'
  await it.playUntil('all channels', () => it.genesys.live.length === 2, 120_000)
  return { fromMs, toMs: it.clock.nowMs() }
}

const backfilled = (it: Rig): string[] =>
  it.taken.filter((text) => text.includes('"origin":"backfill"')).map((text) => (JSON.parse(text) as { topicName: string }).topicName)

describe('gaps', () => {
  it('are filled with what was missed, once, and say what is lost', async (t) => {
    const it = await following(t)
    const { fromMs, toMs } = await outage(it, 120_000)
    it.genesys.details = [
      waiting('old', fromMs - 90_000, fromMs + 30_000),
      waiting('new', fromMs + 40_000, null),
      waiting('short', fromMs + 40_000, fromMs + 50_000),
      waiting('elsewhere', fromMs + 40_000, fromMs + 50_000, 'q2'),
      waiting('before', fromMs - 90_000, fromMs - 60_000),
    ]
    await it.playUntil('both gaps', () => it.gaps.length === 2)
    assert.deepEqual(backfilled(it).sort(), [
      'v2.detail.events.conversation.new.acd.start',
      'v2.detail.events.conversation.old.acd.end',
      'v2.detail.events.conversation.short.acd.end',
      'v2.detail.events.conversation.short.acd.start',
    ])
    const given = it.gaps.flatMap(({ filled }) => filled).reduce((sum, { events }) => sum + events, 0)
    assert.equal(given, 4)
    for (const gap of it.gaps) {
      assert.ok(gap.fromMs >= fromMs - 30_000 && gap.fromMs <= fromMs)
      assert.ok(gap.toMs > fromMs + 120_000 && gap.toMs <= toMs)
      assert.deepEqual(gap.filled.map(({ topic }) => topic).sort(), [`${DETAIL}acd.end`, `${DETAIL}acd.start`])
    }
    const lost = it.gaps.map((gap) => gap.lost.toSorted().join()).sort()
    assert.deepEqual(lost, [`${DETAIL}attributes`, `${DETAIL}attributes,${QUEUE}`])
    await it.play(10_000)
    assert.ok(
      [...it.genesys.live.flatMap((channel) => [...channel.topics])].includes('v2.detail.events.conversation.new.acd.end'),
      'now followed',
    )
  })

  it('are filled with the after-call work of conversations that were over before', async (t) => {
    const topics = [QUEUE, `${DETAIL}acd.start`, `${DETAIL}acw`, `${DETAIL}attributes`]
    const it = await following(t, { settings: { ...SETTINGS, topics } })
    const { fromMs } = await outage(it, 60_000)
    const segments = [
      {
        segmentStart: iso(fromMs - 200_000),
        segmentEnd: iso(fromMs - 60_000),
        segmentType: 'interact',
        queueId: 'q1',
        disconnectType: 'client',
      },
      { segmentStart: iso(fromMs - 60_000), segmentEnd: iso(fromMs + 20_000), segmentType: 'wrapup', queueId: 'q1' },
    ]
    const participants = [{ participantId: 'p', purpose: 'agent', userId: 'u1', sessions: [{ sessionId: 's', segments }] }]
    it.genesys.details = [
      { conversationId: 'over', conversationStart: iso(fromMs - 200_000), conversationEnd: iso(fromMs - 60_000), participants },
    ]
    await it.playUntil('both gaps', () => it.gaps.length === 2)
    assert.deepEqual(backfilled(it), ['v2.detail.events.conversation.over.acw'])
  })

  it('do not give again what was received live just before or after', async (t) => {
    const it = await following(t)
    const { fromMs, toMs } = await outage(it, 60_000)
    it.genesys.details = [waiting('old', fromMs - 500, toMs + 900)]
    it.live = () => [
      { kind: 'acd.start', participantId: 'p-old', sessionId: 's-old', occurredAtMs: fromMs - 800 },
      { kind: 'acd.end', participantId: 'p-old', sessionId: 's-old', occurredAtMs: toMs + 400 },
    ]
    await it.playUntil('both gaps', () => it.gaps.length === 2)
    assert.deepEqual(backfilled(it), [])
  })

  it('have the after-call work of conversations that were over before', async (t) => {
    const it = await following(t, { settings: { ...SETTINGS, topics: [...SETTINGS.topics, `${DETAIL}acw`] } })
    const { fromMs } = await outage(it, 60_000)
    const call = waiting('over', fromMs - 300_000, fromMs - 120_000)
    const wrapup = { segmentStart: iso(fromMs - 120_000), segmentEnd: iso(fromMs + 20_000), segmentType: 'wrapup', queueId: 'q1' }
    const agent = { participantId: 'p', purpose: 'agent', userId: 'u1', sessions: [{ sessionId: 's', segments: [wrapup] }] }
    it.genesys.details = [{ ...call, participants: [...(call.participants ?? []), agent] }]
    await it.playUntil('both gaps', () => it.gaps.length === 2)
    assert.deepEqual(backfilled(it), ['v2.detail.events.conversation.over.acw'])
  })

  it('wait for an API that is down, and are filled when it is back', async (t) => {
    const it = await following(t)
    it.genesys.failing.add('conversationDetails')
    const { fromMs } = await outage(it, 60_000)
    it.genesys.details = [waiting('old', fromMs - 90_000, fromMs + 30_000)]
    await it.play(600_000)
    assert.deepEqual(it.gaps, [])
    assert.equal(it.state?.gaps.length, 2, 'not forgotten meanwhile')
    assert.ok(it.genesys.count('conversationDetails') < 12)
    it.genesys.failing.clear()
    await it.playUntil('both gaps', () => it.gaps.length === 2)
    assert.deepEqual(backfilled(it), ['v2.detail.events.conversation.old.acd.end'])
  })

  it('are reported unfilled when the API stays down', async (t) => {
    const it = await following(t)
    it.genesys.failing.add('conversationDetails')
    await outage(it, 60_000)
    await it.playUntil('both gaps', () => it.gaps.length === 2, 3 * 3_600_000)
    for (const gap of it.gaps) {
      assert.deepEqual(gap.filled, [])
      assert.ok(gap.lost.includes(`${DETAIL}acd.end`))
    }
    assert.ok(it.warnings.includes('notifications.gap_not_filled'))
  })

  it('that were pending when the process ended are filled by the next one', async (t) => {
    const first = await following(t)
    first.genesys.failing.add('conversationDetails')
    const { fromMs } = await outage(first, 60_000)
    await first.play(60_000)
    let stopped = false
    void first.source.stop().then(() => (stopped = true))
    await first.playUntil('it stops', () => stopped)
    assert.deepEqual(first.gaps, [])
    first.genesys.failing.clear()
    first.genesys.details = [waiting('old', fromMs - 90_000, fromMs + 30_000)]
    const second = await rig(t, { settings: SETTINGS, genesys: first.genesys, clock: first.clock, state: first.state })
    await second.source.start()
    await second.playUntil('both gaps', () => second.gaps.length >= 2)
    assert.deepEqual(backfilled(second), ['v2.detail.events.conversation.old.acd.end'])
    assert.equal(second.gaps[0]?.reason, 'channel.closed')
  })

  it('say so when there is too much to fill', async (t) => {
    const it = await following(t, { settings: { ...SETTINGS, fillConversations: 3, timing: { fillGiveUpMs: 60_000 } } })
    const { fromMs } = await outage(it, 60_000)
    it.genesys.details = Array.from({ length: 10 }, (_, n) => waiting(`c${n}`, fromMs - 90_000, fromMs + 30_000))
    await it.playUntil('both gaps', () => it.gaps.length === 2)
    assert.deepEqual(it.gaps[0]?.filled, [])
    assert.ok(it.warnings.includes('notifications.gap_not_filled'))
    assert.ok(backfilled(it).length <= 3, 'and what was had is given once')
  })
})

describe('following conversations', () => {
  it('subscribes in the socket, takes the detail events, and lets go after the end', async (t) => {
    const it = await following(t)
    const requests = it.genesys.count('addTopics') + it.genesys.count('replaceTopics')
    for (let n = 0; n < 20; n++) it.genesys.publish('v2.routing.queues.q1.conversations', { id: `c${n}`, participants: [{}] })
    await it.play(5_000)
    for (let n = 0; n < 20; n++) it.genesys.publish(`v2.detail.events.conversation.c${n}.acd.start`, { n })
    await it.play(1_000)
    assert.equal(it.taken.filter((text) => text.includes('acd.start')).length, 20)
    assert.equal(it.genesys.count('addTopics') + it.genesys.count('replaceTopics'), requests, 'it cost no request')
    for (let n = 0; n < 20; n++) it.genesys.publish('v2.routing.queues.q1.conversations', { id: `c${n}`, participants: [{ endTime: 'x' }] })
    await it.play(400_000)
    assert.equal((it.source.status() as { conversations: { followed: number } }).conversations.followed, 1)
  })

  it('falls back to requests, and gathers them', async (t) => {
    const it = await following(t, { prepare: (genesys) => (genesys.inSocket = 'no') })
    const requests = it.genesys.count('addTopics')
    for (let n = 0; n < 30; n++) {
      it.genesys.publish('v2.routing.queues.q1.conversations', { id: `c${n}`, participants: [{}] })
      await it.play(200, 100)
    }
    await it.play(5_000)
    const topics = it.genesys.live.flatMap((channel) => [...channel.topics])
    assert.ok(topics.includes('v2.detail.events.conversation.c29.acd.end'))
    assert.ok(it.genesys.count('addTopics') - requests <= 6, `${it.genesys.count('addTopics') - requests} requests`)
  })

  it('makes room by taking topics off when a channel is full', async (t) => {
    const it = await following(t, { settings: { ...SETTINGS, topicsPerChannel: 30, timing: { lingerMs: 10_000 } } })
    for (let n = 0; n < 60; n++) {
      it.genesys.publish('v2.routing.queues.q1.conversations', { id: `c${n}`, participants: [{}] })
      await it.play(10_000)
      it.genesys.publish(`v2.detail.events.conversation.c${n}.acd.start`, { n })
      it.genesys.publish('v2.routing.queues.q1.conversations', { id: `c${n}`, participants: [{ endTime: 'x' }] })
      await it.play(10_000)
    }
    assert.equal(it.taken.filter((text) => text.includes('acd.start')).length, 60)
    for (const { topics } of it.genesys.live) assert.ok(topics.size <= 30, `${topics.size}`)
    assert.ok(it.genesys.count('replaceTopics') >= 1)
    assert.deepEqual(it.gaps, [])
  })
})
