/** The source against a WebSocket server that misbehaves: what it must not lose, double, hide or hammer. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bare, rig } from '../../../test/sources/source-rig.ts'
import type { Rig } from '../../../test/sources/source-rig.ts'

const PRESENCE = { topics: ['v2.users.{id}.presence', 'v2.users.{id}.station'] }
const TOPIC = 'v2.users.u1.presence'

async function connected(t: Parameters<typeof rig>[0], options: Partial<Parameters<typeof rig>[1]> = {}): Promise<Rig> {
  const it = await rig(t, { settings: PRESENCE, ...options })
  await it.source.start()
  await it.playUntil('a channel works', () => working(it))
  return it
}

function working({ source }: Rig): boolean {
  const { shards } = source.status() as { shards: { working: boolean }[] }
  return shards.length > 0 && shards.every((shard) => shard.working)
}

function sent({ genesys }: Rig): string[] {
  return genesys.truth.filter((event) => event.sent).map((event) => event.text)
}

describe('notification source', () => {
  it('hands on what comes, once, in order, and not what belongs to the protocol', async (t) => {
    const it = await connected(t)
    for (let n = 0; n < 50; n++) it.genesys.publish(TOPIC, { n })
    it.genesys.raw('{"topicName":"v2.subscription.updated","eventBody":{}}')
    await it.play(120_000)
    assert.deepEqual(it.taken, sent(it))
    assert.equal(it.taken.length, 50)
    assert.deepEqual(it.gaps, [])
    assert.deepEqual(it.warnings, [])
    assert.equal(it.genesys.count('createChannel'), 1)
    assert.deepEqual([...it.genesys.live[0]!.topics], ['v2.users.u1?presence&station'])
  })

  it('hands on frames that are no events as they are, and keeps the socket', async (t) => {
    const it = await connected(t)
    it.genesys.raw('no json {')
    it.genesys.raw('[1,2]')
    it.genesys.raw('{"hello":"world"}')
    it.genesys.raw(Buffer.from([0, 1, 2]))
    it.genesys.raw('')
    it.genesys.publish(TOPIC, { n: 1 })
    await it.play(5_000)
    assert.deepEqual(it.taken, ['no json {', '[1,2]', '{"hello":"world"}', '\0\u0001\u0002', '', ...sent(it)])
    assert.equal(it.genesys.connections, 1)
    assert.equal(shardOf(it).foreign, 5)
  })

  it('survives a frame that is too large, says so, and names the gap', async (t) => {
    const it = await connected(t, { settings: { ...PRESENCE, maxFrameBytes: 10_000 } })
    it.genesys.publish(TOPIC, { n: 1 })
    await it.play(5_000)
    it.genesys.raw('x'.repeat(10_001))
    await it.playUntil('another channel', () => it.gaps.length === 1)
    it.genesys.publish(TOPIC, { n: 2 })
    await it.play(5_000)
    assert.deepEqual(it.taken, sent(it))
    assert.equal(it.gaps[0]?.reason, 'frame.too_large')
    assert.ok(it.warnings.includes('notifications.frame_too_large'))
  })

  for (const [name, reason, harm] of [
    ['cut off', 'channel.closed', async (it: Rig) => it.genesys.cut(it.genesys.live[0]!)],
    ['evicted with a word', 'channel.evicted', async (it: Rig) => it.genesys.evict(it.genesys.live[0]!, true)],
    ['evicted without a word', 'channel.evicted', async (it: Rig) => it.genesys.evict(it.genesys.live[0]!, false)],
  ] as const) {
    it(`opens another channel when the socket is ${name}, and names the time between`, async (t) => {
      const it = await connected(t)
      it.genesys.publish(TOPIC, { n: 1 })
      await it.play(60_000)
      const lostAtMs = it.clock.nowMs()
      await harm(it)
      it.genesys.publish(TOPIC, { n: 2 })
      await it.playUntil('it works again', () => it.gaps.length === 1 && working(it))
      const againAtMs = it.clock.nowMs()
      it.genesys.publish(TOPIC, { n: 3 })
      await it.play(5_000)
      assert.deepEqual(
        it.genesys.truth.map((event) => event.sent),
        [true, false, true],
      )
      assert.deepEqual(it.taken, sent(it))
      const gap = it.gaps[0]!
      assert.equal(gap.reason, reason)
      assert.deepEqual(gap.lost, ['v2.users.{id}.presence', 'v2.users.{id}.station'])
      assert.ok(gap.fromMs > lostAtMs - 20_000 && gap.fromMs <= lostAtMs, `from ${gap.fromMs - lostAtMs}`)
      assert.ok(gap.toMs > lostAtMs && gap.toMs <= againAtMs, `to ${gap.toMs - lostAtMs}`)
    })
  }

  it('notices a socket that fell silent, and takes 45 s for it', async (t) => {
    const it = await connected(t)
    await it.play(60_000)
    const silentAtMs = it.clock.nowMs()
    it.genesys.live[0]!.silent = true
    await it.playUntil('a second connection', () => it.genesys.connections === 2)
    const tookMs = it.clock.nowMs() - silentAtMs
    assert.ok(tookMs >= 25_000 && tookMs <= 47_000, `${tookMs} ms`)
    await it.playUntil('the gap', () => it.gaps.length === 1)
    assert.equal(it.gaps[0]?.reason, 'channel.silent')
    assert.ok(it.gaps[0].fromMs >= silentAtMs - 20_000 && it.gaps[0].fromMs <= silentAtMs)
  })

  it('names no gap when a socket that seemed silent gives everything after all', async (t) => {
    const it = await connected(t)
    const [channel] = it.genesys.live
    channel!.silent = true
    await it.playUntil('a second connection', () => it.genesys.connections === 2)
    channel!.silent = false
    it.genesys.publish(TOPIC, { n: 1 })
    await it.play(180_000)
    assert.deepEqual(it.gaps, [])
    assert.deepEqual(it.taken, sent(it))
  })

  it('loses nothing when it is told that the socket will be closed', async (t) => {
    const it = await connected(t)
    void it.genesys.closing(it.genesys.live[0]!, 60_000)
    for (let second = 0; second < 120; second++) {
      it.genesys.publish(TOPIC, { second })
      await it.play(1_000)
    }
    assert.equal(it.genesys.truth.filter((event) => event.sent).length, 120)
    assert.deepEqual(it.taken, sent(it))
    assert.deepEqual(it.gaps, [])
    assert.equal(it.genesys.live.length, 1)
  })

  it('opens another channel when its token is revoked or topics are taken from it', async (t) => {
    const it = await connected(t)
    await it.play(61_000)
    it.genesys.notice(it.genesys.live[0]!, 'v2.system.token_revoked.abc')
    await it.playUntil('a second connection', () => it.genesys.connections === 2 && it.genesys.live.length === 1)
    assert.equal(it.gaps.length, 0, 'the old one still worked')
    await it.play(7_000)
    const channel = it.genesys.live[0]!
    channel.topics.clear()
    it.genesys.notice(channel, 'v2.system.no_longer_subscribed.abc', { message: 'v2.users.u1?presence&station' })
    await it.playUntil('a third connection', () => it.gaps.length === 1)
    assert.equal(it.gaps[0]?.reason, 'topic.unsubscribed')
    it.genesys.publish(TOPIC, { n: 1 })
    await it.play(5_000)
    assert.deepEqual(it.taken, sent(it))
    assert.equal(it.taken.length, 1)
  })

  it('renews the channel before its 24 hours are over, without a gap, and matches copies one to one', async (t) => {
    const it = await connected(t)
    // The same two bodies come again and again, and copies differ in their metadata.
    for (let minute = 0; minute < 24.5 * 60; minute++) {
      it.genesys.publish('v2.users.u1.station', { station: minute % 2 === 0 ? null : 's1' }, true)
      await it.play(60_000, 10_000)
    }
    assert.ok(it.genesys.connections >= 2)
    assert.equal(it.genesys.live.length, 1)
    assert.deepEqual(it.gaps, [])
    assert.deepEqual(bare(it.taken), bare(sent(it)))
    assert.ok(shardOf(it).copies >= 1)
  })

  for (const mode of ['close', 'silent', 'refuse'] as const) {
    it(`does not hammer a server whose sockets ${mode}, and works when it is good again`, async (t) => {
      const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => (genesys.mode = mode) })
      await it.source.start()
      await it.play(30 * 60_000)
      assert.ok(it.genesys.connections <= 90, `${it.genesys.connections} connections in half an hour`)
      const channels = it.genesys.count('createChannel')
      assert.ok(channels >= 3 && channels <= 4, `${channels} channels for sockets that ${mode}`)
      assert.ok(it.warnings.length <= 7, it.warnings.join())
      assert.deepEqual(it.gaps, [], 'none is over yet')
      it.genesys.mode = 'good'
      await it.playUntil('it works', () => working(it))
    })
  }

  it('lives with a server that never answers a ping but sends heartbeats', async (t) => {
    const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => (genesys.mode = 'no-pong') })
    await it.source.start()
    await it.playUntil('it works', () => working(it))
    await it.play(600_000)
    assert.equal(it.genesys.connections, 1)
    await it.genesys.cut(it.genesys.live[0]!)
    const cutAtMs = it.clock.nowMs()
    await it.playUntil('the gap', () => it.gaps.length === 1)
    assert.ok(it.gaps[0]!.fromMs >= cutAtMs - 45_000)
  })

  it('tries on while the API is down, and tells of it every five minutes', async (t) => {
    const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => genesys.failing.add('all') })
    await it.source.start()
    await it.play(600_000)
    assert.ok(it.genesys.calls.length < 30, `${it.genesys.calls.length} calls`)
    assert.deepEqual(it.warnings, ['notifications.plan', 'notifications.plan', 'notifications.plan'])
    it.genesys.failing.clear()
    await it.playUntil('it works', () => working(it))
  })

  it('says which topics are refused, once a template, and receives the others', async (t) => {
    const it = await connected(t, {
      prepare: (genesys) => {
        genesys.userIds = ['u1', 'u2', 'u3']
        genesys.rejects = (topic) => topic.includes('.u2') || topic.includes('.u3')
      },
    })
    it.genesys.publish(TOPIC, { n: 1 })
    await it.play(5_000)
    assert.deepEqual(it.taken, sent(it))
    assert.deepEqual(it.warnings, ['notifications.topic_refused'])
  })

  it('follows users that are added and removed with a few calls', async (t) => {
    const it = await connected(t)
    it.genesys.userIds = ['u1', 'u2']
    await it.play(11 * 60_000)
    it.genesys.publish('v2.users.u2.presence', { n: 2 })
    await it.play(2_000)
    assert.equal(it.taken.length, 1)
    assert.equal(it.genesys.connections, 1)
    assert.deepEqual([it.genesys.count('addTopics'), it.genesys.count('in-socket'), it.genesys.count('users')], [1, 1, 2])
  })

  it('keeps what the log does not take, stops reading when it has enough, and loses nothing', async (t) => {
    const it = await connected(t, { settings: { ...PRESENCE, bufferRecords: 100 } })
    it.refusal = new Error('disk full')
    for (let n = 0; n < 400; n++) {
      it.genesys.publish(TOPIC, { n })
      if (n % 10 === 0) await it.play(100, 100)
    }
    await it.play(120_000)
    const status = it.source.status() as { buffer: { records: number; full: boolean } }
    assert.ok(status.buffer.full)
    assert.ok(status.buffer.records < 400, `${status.buffer.records} records in a buffer for 100`)
    assert.deepEqual(it.taken, [])
    assert.deepEqual(it.warnings, ['notifications.not_accepted'])
    it.refusal = null
    await it.play(60_000)
    assert.deepEqual(it.taken, sent(it))
    assert.deepEqual(it.gaps, [])
    assert.equal(it.genesys.connections, 1)
  })

  it('names a gap when the socket is lost because it was not read', async (t) => {
    const it = await connected(t, { settings: { ...PRESENCE, bufferRecords: 10 } })
    await it.play(60_000)
    const heldAtMs = it.clock.nowMs()
    it.refusal = new Error('disk full')
    for (let n = 0; n < 10; n++) it.genesys.publish(TOPIC, { n })
    await it.play(5_000)
    it.genesys.live[0]!.socket?.terminate()
    it.genesys.publish(TOPIC, { n: 'lost' })
    await it.play(60_000)
    it.refusal = null
    await it.playUntil('the gap', () => it.gaps.length === 1)
    assert.equal(it.gaps[0]?.reason, 'source.backpressure')
    assert.ok(it.gaps[0].fromMs <= heldAtMs + 5_000 && it.gaps[0].toMs >= heldAtMs + 65_000)
    assert.deepEqual(it.taken, sent(it))
  })

  it('remembers over a restart up to when it was whole', async (t) => {
    const first = await connected(t)
    first.genesys.publish(TOPIC, { n: 1 })
    await first.play(60_000)
    let stopped = false
    void first.source.stop().then(() => (stopped = true))
    await first.playUntil('it stops', () => stopped)
    const stoppedAtMs = first.clock.nowMs()
    first.genesys.publish(TOPIC, { n: 2 })
    await first.play(3_600_000, 60_000)
    const second = await rig(t, { settings: PRESENCE, genesys: first.genesys, clock: first.clock, state: first.state })
    await second.source.start()
    await second.playUntil('the gap', () => second.gaps.length === 1)
    const [gap] = second.gaps
    assert.equal(gap!.reason, 'process.stopped')
    assert.ok(gap!.fromMs >= stoppedAtMs - 25_000 && gap!.fromMs <= stoppedAtMs, `${gap!.fromMs - stoppedAtMs}`)
    assert.ok(gap!.toMs >= stoppedAtMs + 3_600_000)
  })

  it('refuses what it cannot subscribe to before it starts', async (t) => {
    for (const [topic, code] of [
      ['v2.users.{id}.presense', 'notifications.unknown_topic'],
      ['v2.audits.entitytype.{id}.entityid.{id}', 'notifications.ids_unknown'],
      ['v2.detail.events.conversation.{id}.*', 'notifications.conversations_unknown'],
    ] as const) {
      await assert.rejects(rig(t, { settings: { topics: [topic] } }), { code })
    }
  })
})

function shardOf({ source }: Rig): { foreign: number; copies: number } {
  return (source.status() as { shards: { foreign: number; copies: number }[] }).shards[0]!
}
