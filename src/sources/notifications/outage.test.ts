/** An outage that still lasts is shown and said for as long as it lasts; it must never look like quiet. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rig } from '../../../test/sources/source-rig.ts'
import type { Rig } from '../../../test/sources/source-rig.ts'

const PRESENCE = { topics: ['v2.users.{id}.presence', 'v2.users.{id}.station'] }
const MINUTE_MS = 60_000

async function connected(t: Parameters<typeof rig>[0], options: Partial<Parameters<typeof rig>[1]> = {}): Promise<Rig> {
  const it = await rig(t, { settings: PRESENCE, ...options })
  await it.source.start()
  await it.playUntil('it is connected', () => it.source.connected)
  return it
}

test('while the sockets are refused there is an open gap and a warning every few minutes; then one line, and the gap is on record', async (t) => {
  const it = await connected(t)
  await it.play(MINUTE_MS)
  assert.deepEqual(it.source.openGaps(), [])
  const fromMs = it.clock.nowMs()
  it.genesys.mode = 'refuse'
  await it.genesys.cut(it.genesys.live[0]!)
  await it.play(5_000)
  assert.equal(it.source.connected, false)
  const told: number[] = []
  for (let minute = 0; minute < 60; minute++) {
    const before = it.warnings.length
    await it.play(MINUTE_MS)
    if (it.warnings.length > before) told.push(minute)
    const [gap, ...others] = it.source.openGaps()
    assert.deepEqual(others, [])
    assert.deepEqual([gap?.source, gap?.toMs, gap?.reason], ['genesys.notifications', null, 'channel.closed'])
    assert.deepEqual(gap?.topics, ['v2.users.{id}.presence', 'v2.users.{id}.station'])
    assert.ok(gap !== undefined && gap.fromMs <= fromMs && gap.fromMs > fromMs - 20_000)
    assert.deepEqual(it.gaps, [], 'it is on record when it is over')
  }
  const channels = it.genesys.count('createChannel')
  assert.ok(channels <= 8, `${channels} channels in an hour: Genesys allows 20, and others may need some`)
  assert.ok(it.genesys.connections + it.genesys.count('channelExists') <= 60, 'few calls')
  assert.ok(told.length >= 10 && told.length <= 13, `told ${told.length} times an hour`)
  assert.match(it.said.at(-1) ?? '', /could not be opened.* It is tried again\. .* has not been wholly connected for \d+ min\.$/)
  const said = it.said.length
  it.genesys.mode = 'good'
  await it.playUntil('it is connected', () => it.source.connected)
  await it.play(MINUTE_MS)
  assert.deepEqual(it.source.openGaps(), [])
  assert.equal(it.gaps.length, 1)
  assert.equal(it.said.length, said + 1)
  assert.match(it.said.at(-1) ?? '', /^genesys\.notifications is connected again, after 6[01] min\.$/)
})

test('a channel removed before it ever worked is replaced soon, whether or not sockets can be opened', async (t) => {
  const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => (genesys.mode = 'refuse') })
  await it.source.start()
  await it.playUntil('a channel', () => it.genesys.channels.size === 1)
  it.genesys.channels.clear()
  await it.playUntil('another channel', () => it.genesys.channels.size === 1, 3 * MINUTE_MS)
  it.genesys.channels.clear()
  it.genesys.mode = 'good'
  await it.playUntil('it is connected', () => it.source.connected, 2 * MINUTE_MS)
  assert.equal(it.genesys.count('createChannel'), 3)
})

for (const [mode, said] of [
  ['close', /received: Genesys closed the notification WebSocket as soon as it was open\./],
  ['close-at-ping', /received: Genesys closed the notification WebSocket as soon as it was open\./],
  ['gone', /received: Genesys has removed the channel\./],
  ['silent', /received: The WebSocket is open, but does not answer\./],
] as const) {
  test(`sockets that ${mode} are said to be what they are`, async (t) => {
    const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => (genesys.mode = mode) })
    await it.source.start()
    await it.playUntil('a reason', () => it.said.some((line) => line.includes('received:')))
    assert.match(it.said.find((line) => line.includes('received:')) ?? '', said)
  })
}

for (const mode of ['gone', 'gone-after-pong'] as const) {
  test(`channels that are all ${mode} make no busy loop, and one gap after the other is named`, async (t) => {
    const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => (genesys.mode = mode) })
    await it.source.start()
    for (const hour of [1, 2]) {
      const calls = it.genesys.calls.length
      const channels = it.genesys.count('createChannel')
      await it.play(60 * MINUTE_MS)
      const created = it.genesys.count('createChannel') - channels
      assert.ok(created >= 50 && created <= 180, `${created} channels in hour ${hour}`)
      assert.ok(it.genesys.calls.length - calls <= 4 * 180, `${it.genesys.calls.length - calls} calls in hour ${hour}`)
    }
    assert.ok(it.genesys.live.length <= 1, `${it.genesys.live.length} sockets left open`)
    assert.ok(it.warnings.filter((code) => code !== 'notifications.gap').length <= 2 * 13 + 2, `${it.warnings.length} warnings`)
    const fromMs = it.clock.nowMs()
    it.genesys.mode = 'good'
    await it.playUntil('it is connected', () => it.source.connected)
    it.genesys.publish('v2.users.u1.presence', { n: 1 })
    await it.play(MINUTE_MS)
    assert.deepEqual([it.taken.length, it.source.openGaps()], [1, []])
    if (mode === 'gone') return
    // What lies between two moments of connection is named.
    assert.ok(it.gaps.length >= 100 && it.gaps.every(({ reason }) => reason === 'channel.evicted'))
    assert.ok(it.gaps.at(-1)!.toMs >= fromMs)
  })
}

test('a socket that fell silent is no connection from when it is noticed, and one again when it speaks', async (t) => {
  const it = await connected(t)
  await it.play(MINUTE_MS)
  it.genesys.mode = 'silent'
  const [channel] = it.genesys.live
  channel!.silent = true
  await it.playUntil('it is noticed', () => !it.source.connected, MINUTE_MS)
  assert.deepEqual(
    it.source.openGaps().map(({ toMs, reason }) => [toMs, reason]),
    [[null, 'channel.silent']],
  )
  channel!.silent = false
  await it.playUntil('it is connected', () => it.source.connected, MINUTE_MS)
  assert.deepEqual(it.source.openGaps(), [], 'it gave everything after all')
})

test('a successor that works ends the outage before it is known what it cost', async (t) => {
  const it = await connected(t)
  await it.play(MINUTE_MS)
  it.genesys.live[0]!.silent = true
  await it.playUntil('a successor', () => it.genesys.connections === 2 && it.source.connected)
  const [gap] = it.source.openGaps()
  assert.ok(gap !== undefined && gap.toMs !== null && gap.toMs <= it.clock.nowMs() && gap.fromMs < gap.toMs)
  await it.playUntil('the gap', () => it.gaps.length === 1)
  assert.deepEqual(it.source.openGaps(), [])
  assert.equal(it.gaps[0]?.toMs, gap.toMs)
})

test('a gap stays open while it is being filled', async (t) => {
  const topics = ['v2.routing.queues.{id}.conversations', 'v2.detail.events.conversation.{id}.acd.start', 'v2.users.{id}.presence']
  const it = await rig(t, { settings: { topics } })
  await it.source.start()
  await it.playUntil('it is connected', () => it.source.connected)
  await it.play(MINUTE_MS)
  it.genesys.failing.add('conversationDetails')
  await it.genesys.cut(it.genesys.live[0]!)
  await it.play(2 * MINUTE_MS)
  assert.equal(it.source.connected, true)
  const [gap] = it.source.openGaps()
  assert.ok(gap !== undefined && gap.toMs !== null)
  assert.deepEqual([...gap.topics].sort(), [...topics].sort(), 'conversations it did not tell of were missed too')
  it.genesys.failing.clear()
  await it.playUntil('the gap', () => it.gaps.length === 1)
  assert.deepEqual(it.source.openGaps(), [])
})

test('a start while Genesys is out of reach shows the gap since the last run', async (t) => {
  const first = await connected(t)
  await first.play(MINUTE_MS)
  const stopping = first.source.stop()
  await first.play(20_000)
  await stopping
  const stoppedAtMs = first.clock.nowMs()
  first.genesys.failing.add('all')
  await first.play(10 * MINUTE_MS, MINUTE_MS)
  const second = await rig(t, { settings: PRESENCE, genesys: first.genesys, clock: first.clock, state: first.state })
  await second.source.start()
  await second.play(MINUTE_MS)
  const [gap, ...others] = second.source.openGaps()
  assert.deepEqual([gap?.toMs, gap?.reason, gap?.topics, others], [null, 'process.stopped', PRESENCE.topics, []])
  assert.ok(gap !== undefined && gap.fromMs <= stoppedAtMs && gap.fromMs > stoppedAtMs - 60_000)
  first.genesys.failing.clear()
  await second.playUntil('it is connected', () => second.source.connected)
  await second.play(MINUTE_MS)
  assert.deepEqual([second.source.openGaps(), second.gaps.map(({ fromMs }) => fromMs)], [[], [gap.fromMs]])
})

test('nobody to subscribe for is no connection, and is said', async (t) => {
  const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => (genesys.userIds = []) })
  await it.source.start()
  await it.play(MINUTE_MS)
  assert.equal(it.source.connected, false)
  assert.deepEqual(it.warnings, ['notifications.no_topics'])
})
