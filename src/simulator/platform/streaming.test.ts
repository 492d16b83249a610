import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { seededRandom, turns, virtualClock } from '../../testing/virtual-clock.ts'
import { listed, scene, textOf, type Answered } from './_caller.ts'
import { scaledClock } from '../scaled-clock.ts'
import { queueId, userId } from './_scripted-centre.ts'

const START_MS = Date.UTC(2026, 7, 14, 8)
const world = () => ({ clock: virtualClock(START_MS), random: seededRandom(7) })
const HOUR_MS = 3_600_000
const CHANNELS = '/api/v2/notifications/channels'
const presence = (number: number): string => `v2.users.${userId(number)}.presence`
const CONVERSATION = 'v2.detail.events.conversation.c0000000-0000-4000-8000-000000000001'

function statesOf({ body }: Answered): readonly unknown[] {
  return (body as { entities: { state: string; rejectionReason?: string; missingPermissions?: string[] }[] }).entities.map((entity) => [
    entity.state,
    entity.rejectionReason ?? null,
    entity.missingPermissions ?? null,
  ])
}

function topicNames(frames: readonly unknown[]): readonly unknown[] {
  return frames.map((frame) => (frame as { topicName?: string }).topicName)
}

test('a channel gets what it subscribed to and nothing else, in the shape of a notification', async (t) => {
  const { clock, random } = world()
  const { centre, channel, connect, platform } = await scene(t, { clock, random })
  const line = await connect((await channel(presence(0), `v2.routing.queues.${queueId(1)}.users`)).connectUri)
  centre.say(presence(0), START_MS + 1000, { source: 'PURECLOUD' })
  centre.say(presence(1), START_MS + 2000)
  centre.say(`v2.routing.queues.${queueId(1)}.users`, START_MS + 3000, { joined: true })
  await clock.advance(999)
  await line.settled()
  assert.deepEqual(topicNames(line.frames), ['channel.metadata'], 'nothing comes before its time')
  await clock.advance(5000)
  await line.settled()
  const [, first, second] = line.frames
  const { metadata, ...rest } = first as { metadata: { CorrelationId: string } }
  assert.deepEqual(rest, { topicName: presence(0), version: '2', eventBody: { source: 'PURECLOUD' } })
  assert.deepEqual(Object.keys(metadata), ['CorrelationId'])
  assert.deepEqual(topicNames([second]), [`v2.routing.queues.${queueId(1)}.users`])
  assert.equal(new Set(line.ids()).size, 2, 'each emission has an id of its own')
  assert.deepEqual(
    platform.truth().deliveries.map(({ correlationId, outcome, copies }) => [correlationId, outcome, copies]),
    line.ids().map((id) => [id, 'owed', 1]),
  )
  assert.equal(platform.truth().counts.unsubscribed, 1)
})

test('a combined topic is one subscription and several names; no message comes twice on one channel', async (t) => {
  const { clock, random } = world()
  const { centre, channel, connect, call } = await scene(t, { clock, random, limits: { topicsPerChannel: 2 } })
  const combined = `v2.users.${userId(0)}?presence&routingStatus&presence`
  const { id, connectUri } = await channel(combined, presence(0))
  assert.deepEqual((await call('GET', `${CHANNELS}/${id}/subscriptions`)).body, {
    entities: [combined, presence(0)].map((topic) => ({ id: topic, state: 'Permitted' })),
  })
  const line = await connect(connectUri)
  for (const kind of ['presence', 'routingStatus', 'activity']) centre.say(`v2.users.${userId(0)}.${kind}`, START_MS + 10)
  await clock.advance(2000)
  await line.settled()
  assert.deepEqual(topicNames(line.frames).slice(0, 2), [presence(0), `v2.users.${userId(0)}.routingStatus`])
  assert.equal(line.ids().length, 2)
})

test('topics of conversations to come can be had one by one', async (t) => {
  const { clock, random } = world()
  const { centre, channel, connect } = await scene(t, { clock, random })
  const line = await connect((await channel(`${CONVERSATION}?acd.start&customer.end`)).connectUri)
  for (const kind of ['customer.start', 'acd.start', 'customer.end']) centre.say(`${CONVERSATION}.${kind}`, START_MS + 10)
  await clock.advance(2000)
  await line.settled()
  assert.deepEqual(topicNames(line.frames).slice(0, 2), [`${CONVERSATION}.acd.start`, `${CONVERSATION}.customer.end`])
})

test('topics that cannot be had are rejected with a reason, or refuse the whole call', async (t) => {
  const { call, channel } = await scene(t, { ...world(), limits: { forbiddenTopics: { 'v2.users.{id}.activity': 'user:view' } } })
  const { id } = await channel()
  const topics = [
    presence(0),
    presence(99),
    `v2.users.${userId(0)}.activity`,
    'v2.users.{id}.presence',
    'v2.users.*.presence',
    `v2.users.${userId(0)}.mood`,
    `v2.users.${userId(0)}?presence&mood`,
    `v2.users.${userId(0)}?${'presence&'.repeat(20)}activity`,
    '',
    `v2.routing.queues.${queueId(77)}.users`,
  ]
  const path = `${CHANNELS}/${id}/subscriptions`
  assert.deepEqual(statesOf(await call('POST', `${path}?ignoreErrors=true`, listed(topics))), [
    ['Permitted', null, null],
    ['Rejected', 'user does not exist', []],
    ['Rejected', 'missing permissions', ['user:view']],
    ['Rejected', 'topic has characters that no topic has; there are no wildcards', []],
    ['Rejected', 'topic has characters that no topic has; there are no wildcards', []],
    ['Rejected', 'topic does not exist', []],
    ['Rejected', 'topic does not exist', []],
    ['Rejected', 'topic is longer than 200 characters', []],
    ['Rejected', 'topic is empty', []],
    ['Rejected', 'queue does not exist', []],
  ])
  assert.equal(statesOf(await call('GET', path)).length, 1)
  const whole = await call('POST', path, listed([presence(1), presence(99)]))
  assert.equal(whole.status, 400)
  assert.equal(statesOf(await call('GET', path)).length, 1, 'nothing of a refused call is done')
})

test('a channel takes 1,000 topics and not one more, added or put; PUT replaces, DELETE takes all', async (t) => {
  const { call, channel } = await scene(t, { ...world(), users: 1001 })
  const { id } = await channel()
  const path = `${CHANNELS}/${id}/subscriptions`
  const topics = (from: number, to: number) => listed(Array.from({ length: to - from }, (_, i) => presence(from + i)))
  const held = async () => statesOf(await call('GET', path)).length
  assert.equal((await call('POST', path, topics(0, 999))).status, 200)
  assert.equal((await call('POST', path, topics(998, 1000))).status, 200, 'one that is there already counts once')
  assert.equal((await call('POST', path, topics(1000, 1001))).status, 400)
  assert.equal((await call('PUT', path, topics(0, 1001))).status, 400)
  assert.equal(await held(), 1000)
  assert.equal((await call('PUT', path, topics(5, 8))).status, 200)
  assert.equal(await held(), 3)
  assert.equal((await call('DELETE', path)).status, 204)
  assert.equal(await held(), 0)
})

test('what was taken away by PUT is sent no more, what stayed is', async (t) => {
  const { clock, random } = world()
  const { centre, channel, connect, call } = await scene(t, { clock, random })
  const { id, connectUri } = await channel(presence(0), presence(1), `v2.users.${userId(1)}?presence&activity`)
  const line = await connect(connectUri)
  await call('PUT', `${CHANNELS}/${id}/subscriptions`, listed([`v2.users.${userId(1)}?presence&activity`, presence(2)]))
  for (const number of [0, 1, 2]) centre.say(presence(number), START_MS + 10)
  await clock.advance(2000)
  await line.settled()
  assert.deepEqual(topicNames(line.frames).slice(0, 2), [presence(1), presence(2)])
})

test('the 21st channel evicts the least recently used, unconnected first', async (t) => {
  const { call, channel, connect, platform } = await scene(t, world())
  const channels = []
  for (let i = 0; i < 20; i++) channels.push(await channel())
  const [oldest, second, third] = channels as [(typeof channels)[0], (typeof channels)[0], (typeof channels)[0]]
  const line = await connect(oldest.connectUri)
  await call('POST', `${CHANNELS}/${second.id}/subscriptions`, listed([presence(0)]))
  const exists = async ({ id }: { id: string }) => (await call('HEAD', `${CHANNELS}/${id}`)).status === 200
  await channel()
  assert.deepEqual([await exists(oldest), await exists(second), await exists(third)], [true, true, false])
  const open = []
  for (const { connectUri, id } of channels)
    if ((await call('HEAD', `${CHANNELS}/${id}`)).status === 200 && id !== oldest.id) open.push(await connect(connectUri))
  // The one channel without a socket goes first, then the connected one that was used longest ago.
  await channel()
  assert.equal(await exists(oldest), true)
  const late = await channel()
  assert.deepEqual([await exists(oldest), await exists(late)], [true, true], 'again an unconnected one')
  await connect(late.connectUri)
  await channel()
  assert.equal(await exists(oldest), false)
  assert.equal(await line.closed, 1000)
  assert.deepEqual(line.frames, [{ result: '404' }])
  assert.deepEqual(new Set(platform.truth().outages.map(({ kind }) => kind)), new Set(['limit']))
  assert.equal(((await call('GET', CHANNELS)).body as { entities: unknown[] }).entities.length, 20)
})

test('a second connection takes the channel over; between the two nothing is lost or doubled', async (t) => {
  const { clock, random } = world()
  const { centre, channel, connect, platform } = await scene(t, { clock, random })
  const { connectUri } = await channel(presence(0))
  const first = await connect(connectUri)
  for (let i = 0; i < 50; i++) centre.say(presence(0), START_MS + i * 100)
  await clock.advance(2000)
  const second = await connect(connectUri)
  await clock.advance(4000)
  assert.equal(await first.closed, 1001)
  await second.settled()
  assert.ok(first.ids().length > 0 && second.ids().length > 0)
  const { deliveries } = platform.truth()
  assert.ok(deliveries.every(({ outcome, copies }) => outcome === 'owed' && copies === 1))
  assert.deepEqual(
    [...first.ids(), ...second.ids()],
    deliveries.map(({ correlationId }) => correlationId),
  )
})

test('two channels with the same topic both get it: the same emission, by its id', async (t) => {
  const { clock, random } = world()
  const { centre, channel, connect, platform } = await scene(t, { clock, random })
  const lines = [await connect((await channel(presence(0))).connectUri), await connect((await channel(presence(0))).connectUri)]
  centre.say(presence(0), START_MS + 10)
  await clock.advance(1000)
  for (const line of lines) await line.settled()
  assert.deepEqual(lines[0]!.ids(), lines[1]!.ids())
  assert.deepEqual(
    platform.truth().deliveries.map(({ outcome, copies }) => [outcome, copies]),
    [['owed', 2]],
  )
})

test('a heartbeat comes every 30 seconds of the clock, a pong for every ping', async (t) => {
  const { clock, random } = world()
  const { channel, connect } = await scene(t, { clock, random })
  const line = await connect((await channel(presence(0))).connectUri)
  await clock.advance(29_999)
  await line.settled()
  assert.deepEqual(line.frames.map(textOf), ['pong'])
  await clock.advance(1)
  await line.settled()
  assert.deepEqual(line.frames.map(textOf), ['pong', 'WebSocket Heartbeat', 'pong'])
  await clock.advance(300_000)
  await line.settled()
  assert.equal(line.frames.filter((frame) => textOf(frame) === 'WebSocket Heartbeat').length, 11)
  const pong = new Promise((resolve) => line.socket.once('pong', (data) => resolve(data.toString())))
  line.socket.ping('of the protocol')
  assert.equal(await pong, 'of the protocol')
})

test('a channel lives its time from its last subscription; then it is gone, and says 404', async (t) => {
  const { clock, random } = world()
  const { channel, connect, call, centre, platform } = await scene(t, {
    clock,
    random,
    limits: { channelLifeMs: HOUR_MS },
  })
  const { id, connectUri } = await channel(presence(0))
  const { entities } = (await call('GET', CHANNELS)).body as { entities: { expires: string }[] }
  assert.equal(entities[0]?.expires, new Date(START_MS + HOUR_MS).toISOString())
  const line = await connect(connectUri)
  await clock.advance(HOUR_MS - 1000)
  await call('POST', `${CHANNELS}/${id}/subscriptions`, listed([presence(1)]))
  await clock.advance(HOUR_MS - 1000)
  assert.equal((await call('HEAD', `${CHANNELS}/${id}`)).status, 200)
  await clock.advance(3000)
  assert.equal(await line.closed, 1000)
  assert.deepEqual(line.frames.at(-1), { result: '404' })
  assert.equal((await call('HEAD', `${CHANNELS}/${id}`)).status, 404)
  assert.equal((await call('POST', `${CHANNELS}/${id}/subscriptions`, listed([presence(1)]))).status, 404)
  const again = await connect(connectUri)
  assert.equal(await again.closed, 1000)
  assert.deepEqual(again.frames, [{ result: '404' }])
  centre.say(presence(0), clock.nowMs() + 10)
  await clock.advance(1000)
  assert.deepEqual(
    platform.truth().deliveries.map(({ outcome, fault }) => [outcome, fault]),
    [['missed', 'expiry']],
  )
})

test('commands through the socket: subscribe, and everything that is none', async (t) => {
  const { clock, random } = world()
  const { channel, connect, centre } = await scene(t, { clock, random })
  const line = await connect((await channel()).connectUri)
  const answer = async (frame: unknown) => {
    line.frames.length = 0
    line.send(frame)
    await line.settled()
    return line.frames[0]
  }
  assert.deepEqual(await answer({ message: 'subscribe', topics: [presence(0)], correlationId: 'abc' }), {
    result: '200',
    status: 'subscribed',
    correlationId: 'abc',
  })
  assert.deepEqual(await answer({ message: 'subscribe', topics: [presence(1), 'v2.nothing'] }), { result: '400', status: 'failure' })
  for (const wrong of [{ message: 'subscribe' }, { message: 'sing' }, [], 7, null, '{"half":', { message: 'subscribe', topics: 'x' }])
    assert.deepEqual(await answer(wrong), { result: '400', status: 'error' }, JSON.stringify(wrong))
  line.frames.length = 0
  centre.say(presence(0), START_MS + 10)
  centre.say(presence(1), START_MS + 10)
  await clock.advance(1000)
  await line.settled()
  assert.deepEqual(topicNames(line.frames.slice(0, 1)), [presence(0)])
  line.socket.send('x'.repeat(300_000))
  assert.equal(await line.closed, 1009)
})

test('a socket that asks for no channel gets none', async (t) => {
  const { platform } = await scene(t, world())
  for (const path of ['/', '/channels', '/channels/a/b', '/api/v2/organizations/me', `/channels/${'x'.repeat(300)}`]) {
    const socket = new WebSocket(`${platform.wsUrl}${path}`)
    const refused = await new Promise((resolve) => socket.once('error', ({ message }) => resolve(message)))
    assert.equal(refused, 'Unexpected server response: 404', path)
  }
})

test('a client that reads too slowly is cut off, and what it may not have got is not owed', async (t) => {
  const { clock, random } = world()
  const { channel, connect, centre, platform } = await scene(t, { clock, random, limits: { maxBufferedBytes: 100_000 } })
  const { connectUri } = await channel(presence(0))
  const line = await connect(connectUri)
  line.socket.pause()
  const text = 'x'.repeat(20_000)
  for (let i = 0; i < 1000; i++) centre.say(presence(0), START_MS + 10 + i, { text })
  await clock.until('everything is published', () => platform.truth().counts.emitted === 1000)
  const { counts } = platform.truth()
  assert.equal(counts.owed, 0)
  assert.ok(counts.unsure > 0 && counts.unconnected > 0)
  assert.equal(counts.unsure + counts.unconnected, 1000)
  assert.equal(platform.status().sockets, 0)
})

test('nothing is owed to a client that answers no ping', async (t) => {
  const { clock, random } = world()
  const { channel, connect, centre, platform } = await scene(t, { clock, random })
  const line = await connect((await channel(presence(0))).connectUri, { autoPong: false })
  centre.say(presence(0), START_MS + 10)
  await clock.advance(1000)
  await line.settled()
  assert.equal(line.ids().length, 1)
  assert.deepEqual([platform.truth().counts.owed, platform.truth().counts.pending], [0, 1])
  line.socket.terminate()
  await line.closed
  while (platform.status().sockets > 0) await turns(1)
  assert.equal(platform.truth().counts.unsure, 1)
})

test('the whole protocol keeps the time of a scaled clock: 144 times as fast, a heartbeat comes every 208 ms', async (t) => {
  const base = virtualClock(0)
  const clock = scaledClock(base, START_MS, 144)
  const { channel, connect, call, centre, platform } = await scene(t, { clock, wall: base, random: seededRandom(7) })
  const { id, connectUri } = await channel(presence(0))
  const line = await connect(connectUri)
  for (let minute = 1; minute <= 60; minute++) centre.say(presence(0), START_MS + minute * 60_000)
  await base.advance(25_010)
  await line.settled()
  assert.equal(line.frames.filter((frame) => textOf(frame) === 'WebSocket Heartbeat').length, 120)
  assert.equal(line.ids().length, 60)
  assert.equal(platform.truth().counts.owed, 60)
  await base.advance(600_000)
  assert.deepEqual(line.frames.at(-1), { result: '404' }, 'a day has passed')
  assert.equal((await call('HEAD', `${CHANNELS}/${id}`)).status, 401, 'for the token too')
})

test('who asks is told of every outcome as it is settled', async (t) => {
  const { clock, random } = world()
  const told: unknown[] = []
  const { channel, connect, centre } = await scene(t, {
    clock,
    random,
    onRecord: ({ topicName, outcome }) => told.push([topicName, outcome]),
  })
  const { connectUri } = await channel(presence(0))
  centre.say(presence(0), START_MS + 10)
  await clock.advance(1000)
  const line = await connect(connectUri)
  centre.say(presence(0), START_MS + 2000)
  centre.say(presence(1), START_MS + 2000)
  await clock.advance(2000)
  await line.settled()
  assert.deepEqual(told, [
    [presence(0), 'unconnected'],
    [presence(0), 'owed'],
  ])
})

test('a pong that nobody asked for proves nothing', async (t) => {
  const { clock, random } = world()
  const { channel, connect, centre, platform } = await scene(t, { clock, random })
  const line = await connect((await channel(presence(0))).connectUri, { autoPong: false })
  for (const text of ['1', '999', '-1', 'x', '']) line.socket.pong(text)
  centre.say(presence(0), START_MS + 10)
  await clock.advance(1000)
  for (const text of ['999', '2', '0', '1e9']) line.socket.pong(text)
  await line.settled()
  assert.deepEqual([platform.truth().counts.owed, platform.truth().counts.pending], [0, 1])
  line.socket.pong('1')
  await line.settled()
  assert.equal(platform.truth().counts.owed, 1)
})

test('a topic that another channel still has is not lost with the first', async (t) => {
  const { clock, random } = world()
  const { channel, call, centre, platform } = await scene(t, { clock, random, limits: { channelsPerClient: 2 } })
  const first = await channel(presence(0))
  const second = await channel(presence(0))
  await channel()
  assert.equal((await call('HEAD', `${CHANNELS}/${first.id}`)).status, 404)
  await call('DELETE', `${CHANNELS}/${second.id}/subscriptions`)
  centre.say(presence(0), START_MS + 10)
  await clock.advance(1000)
  assert.deepEqual([platform.truth().counts.unsubscribed, platform.truth().deliveries], [1, []])
})

test('before it has a socket a channel misses things by its own doing', async (t) => {
  const { clock, random } = world()
  const { channel, centre, platform } = await scene(t, { clock, random })
  await channel(presence(0))
  centre.say(presence(0), START_MS + 10)
  await clock.advance(1000)
  assert.deepEqual(
    platform.truth().deliveries.map(({ outcome, fault }) => [outcome, fault]),
    [['unconnected', null]],
  )
})
