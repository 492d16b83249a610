import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { seededRandom, turns, virtualClock, type VirtualClock } from '../../testing/virtual-clock.ts'
import { listed, scene, textOf, type Answered, type Line, type Scene } from './_caller.ts'
import { userId } from './_scripted-centre.ts'
import { DRAWN_KINDS, drawFaults, FAULT_KINDS, readFaults, type Fault } from './fault-plan.ts'

const START_MS = Date.UTC(2026, 7, 14, 8)
const TOPIC = `v2.users.${userId(0)}.presence`
const MINUTE_MS = 60_000

type Stage = Scene & { readonly clock: VirtualClock; readonly id: string; readonly connectUri: string; readonly line: Line }

/** A platform with one connected channel, a message every 100 ms for ten minutes, and these faults. */
async function stage(t: TestContext, plan: string): Promise<Stage> {
  const clock = virtualClock(START_MS)
  const faults = readFaults(plan, START_MS)
  assert.notEqual(typeof faults, 'string', String(faults))
  const at = await scene(t, {
    clock,
    random: seededRandom(7),
    plan: faults as readonly Fault[],
    limits: { requestsPerMinute: 1e6, closingNoticeMs: MINUTE_MS },
  })
  const { id, connectUri } = await at.channel(TOPIC)
  const line = await at.connect(connectUri)
  for (let i = 1; i <= 6000; i++) at.centre.say(TOPIC, START_MS + i * 100)
  return { ...at, clock, id, connectUri, line }
}

/** What the lines got is what they were owed: all of it, once each. */
async function check({ platform }: Scene, ...lines: readonly Line[]): Promise<void> {
  while (platform.truth().counts.pending > 0) await turns(1)
  const { deliveries, counts } = platform.truth()
  assert.equal(counts.unsure, 0)
  const owed = deliveries.filter(({ outcome }) => outcome === 'owed').map(({ correlationId }) => correlationId)
  const got = lines.flatMap((line) => line.ids())
  const wanted = new Set(owed)
  const differences = {
    lost: owed.filter((id) => !got.includes(id)),
    extra: got.filter((id) => !wanted.has(id)),
    twice: got.length - new Set(got).size,
  }
  assert.deepEqual(differences, { lost: [], extra: [], twice: 0 })
}

function missed({ platform }: Scene): {
  readonly count: number
  readonly faults: readonly unknown[]
  readonly fromMs: number
  readonly toMs: number
} {
  const all = platform.truth().deliveries.filter(({ outcome }) => outcome === 'missed')
  const times = all.map(({ publishedAtMs }) => publishedAtMs - START_MS)
  return { count: all.length, faults: [...new Set(all.map(({ fault }) => fault))], fromMs: Math.min(...times), toMs: Math.max(...times) }
}

test('a termination: what was sent has arrived, what follows is missed until the client is back', async (t) => {
  const at = await stage(t, 'termination@60s')
  await at.clock.advance(90_000)
  assert.equal(await at.line.closed, 1006)
  const again = await at.connect(at.connectUri)
  await at.clock.advance(30_000)
  await again.settled()
  await check(at, at.line, again)
  const { count, faults, fromMs, toMs } = missed(at)
  assert.deepEqual(faults, ['termination'])
  assert.ok(fromMs >= 60_000 && fromMs <= 60_200 && toMs >= 89_000 && toMs <= 91_000, `${fromMs}-${toMs}`)
  assert.ok(count > 280)
  const [outage] = at.platform.truth().outages
  assert.deepEqual([outage?.kind, outage?.fromMs, outage?.channelId], ['termination', START_MS + 60_000, at.id])
})

test('what is still on its way when the socket is to be cut arrives first', async (t) => {
  const at = await stage(t, 'termination@60s')
  await at.clock.advance(59_000)
  await at.line.settled()
  at.line.socket.pause()
  await at.clock.advance(1500)
  assert.ok(at.platform.truth().counts.pending > 5)
  at.line.socket.resume()
  await at.line.closed
  await check(at, at.line)
})

test('an eviction takes channel and topics; they are missed until they are subscribed to and connected again', async (t) => {
  const at = await stage(t, 'eviction@60s')
  await at.clock.advance(90_000)
  await at.line.closed
  assert.equal((await at.call('HEAD', `/api/v2/notifications/channels/${at.id}`)).status, 404)
  const other = await at.channel(TOPIC)
  await at.clock.advance(5000)
  const again = await at.connect(other.connectUri)
  await at.clock.advance(30_000)
  await again.settled()
  await check(at, at.line, again)
  const { faults, fromMs, toMs } = missed(at)
  assert.deepEqual(faults, ['eviction'])
  assert.ok(fromMs >= 60_000 && toMs >= 94_000 && toMs <= 96_000, `${fromMs}-${toMs}`)
})

test('a closing gives a minute of notice; a client that heeds it misses nothing', async (t) => {
  const at = await stage(t, 'closing@60s')
  await at.clock.advance(90_000)
  await at.line.settled()
  const notice = at.line.frames.find((frame) => (frame as { topicName?: string }).topicName === 'v2.system.socket_closing')
  assert.equal((notice as { eventBody: { channelId: string } }).eventBody.channelId, at.id)
  const again = await at.connect(at.connectUri)
  await at.line.closed
  await at.clock.advance(120_000)
  await again.settled()
  await check(at, at.line, again)
  assert.equal(missed(at).count, 0)
  assert.equal(again.socket.readyState, again.socket.OPEN)
  again.socket.terminate()
  await at.clock.advance(10_000)
  const { counts } = at.platform.truth()
  assert.ok(counts.missed === 0 && counts.unconnected > 90, 'what it misses by its own doing is not put down to the closing')
})

test('a client that does not heed the closing loses its socket after the minute', async (t) => {
  const at = await stage(t, 'closing@60s')
  await at.clock.advance(121_000)
  assert.equal(await at.line.closed, 1001)
  await at.clock.advance(9_000)
  await check(at, at.line)
  const { faults, fromMs } = missed(at)
  assert.deepEqual(faults, ['closing'])
  assert.ok(fromMs >= 120_000 && fromMs <= 120_200)
})

test('a silent socket is open and says nothing: no message, no heartbeat, no pong of either kind', async (t) => {
  const at = await stage(t, 'silence@60s')
  await at.clock.advance(61_000)
  await check(at, at.line)
  const frames = at.line.frames.length
  let pongs = 0
  at.line.socket.on('pong', () => pongs++)
  at.line.socket.ping()
  at.line.send({ message: 'ping' })
  at.line.send({ message: 'subscribe', topics: [] })
  await at.clock.advance(120_000)
  await turns(50)
  assert.deepEqual([at.line.frames.length, pongs, at.line.socket.readyState], [frames, 0, at.line.socket.OPEN])
  const again = await at.connect(at.connectUri)
  at.line.socket.terminate()
  await at.clock.advance(30_000)
  await again.settled()
  await check(at, at.line, again)
  assert.deepEqual(missed(at).faults, ['silence'])
  const [outage] = at.platform.truth().outages
  assert.ok(outage?.toMs !== null && outage!.toMs - START_MS >= 181_000, 'it lasts until the client gives up')
})

test('mute: sockets that are opened meanwhile are silent from the first moment, those after are not', async (t) => {
  const at = await stage(t, 'mute@60s+60s')
  await at.clock.advance(70_000)
  await at.line.closed
  const silent = await at.connect(at.connectUri)
  silent.send({ message: 'ping' })
  await at.clock.advance(60_000)
  assert.deepEqual(silent.frames, [])
  const again = await at.connect(at.connectUri)
  await at.clock.advance(10_000)
  await again.settled()
  await check(at, at.line, silent, again)
  assert.deepEqual(missed(at).faults, ['mute'])
})

test('a channel that lost its topics is told; the topics are missed until it has them again', async (t) => {
  const at = await stage(t, 'unsubscription@60s')
  await at.clock.advance(90_000)
  await at.line.settled()
  const told = at.line.frames.find((frame) => (frame as { topicName?: string }).topicName === `v2.system.no_longer_subscribed.${at.id}`)
  assert.equal((told as { eventBody: { systemTopicType: string } }).eventBody.systemTopicType, 'no_longer_subscribed')
  await at.call('POST', `/api/v2/notifications/channels/${at.id}/subscriptions`, listed([TOPIC]))
  await at.clock.advance(30_000)
  await at.line.settled()
  await check(at, at.line)
  const { faults, fromMs, toMs } = missed(at)
  assert.deepEqual(faults, ['unsubscription'])
  assert.ok(fromMs >= 60_000 && toMs <= 91_000)
})

test('an outage refuses every connection, and ends on the same address with channels and tokens as they were', async (t) => {
  const at = await stage(t, 'outage@60s+120s')
  const token = await at.token()
  await at.clock.advance(70_000)
  assert.equal(await at.line.closed, 1006)
  await assert.rejects(
    fetch(`${at.platform.url}/api/v2/users`),
    (error: Error) => (error.cause as NodeJS.ErrnoException).code === 'ECONNREFUSED',
  )
  await assert.rejects(at.connect(at.connectUri), { code: 'ECONNREFUSED' })
  await at.clock.advance(120_000)
  await at.clock.until('it listens again', () => at.platform.truth().outages[0]?.toMs !== null)
  assert.equal((await at.call('GET', '/api/v2/organizations/me', undefined, token)).status, 200)
  const again = await at.connect(at.connectUri)
  await at.clock.advance(20_000)
  await again.settled()
  await check(at, at.line, again)
  assert.deepEqual(missed(at).faults, ['outage'])
})

test('an outage of streaming leaves the API alone', async (t) => {
  const at = await stage(t, 'streaming@60s+60s')
  await at.clock.advance(70_000)
  await at.line.closed
  assert.equal((await at.call('GET', '/api/v2/organizations/me')).status, 200)
  await assert.rejects(at.connect(at.connectUri))
  await at.clock.advance(60_000)
  const again = await at.connect(at.connectUri)
  await at.clock.advance(20_000)
  await again.settled()
  await check(at, at.line, again)
  assert.deepEqual(missed(at).faults, ['streaming'])
})

test('a revocation makes every token worthless, and leaves sockets alone', async (t) => {
  const at = await stage(t, 'revocation@60s')
  const token = await at.token()
  await at.clock.advance(61_000)
  assert.equal((await at.call('GET', '/api/v2/organizations/me', undefined, token)).status, 401)
  assert.equal((await at.call('GET', '/api/v2/organizations/me', undefined, await at.token())).status, 200)
  await at.line.settled()
  await check(at, at.line)
  assert.equal(missed(at).count, 0)
})

test('faults of HTTP: about half of the calls are hit while they last, none after, each in its own way', async (t) => {
  const me = '/api/v2/organizations/me'
  const json = ({ text }: Answered) => text.startsWith('{') && text.endsWith('}')
  const ways: Readonly<Record<string, (answer: Answered) => boolean>> = {
    throttle: ({ status }) => status === 429,
    unavailable: ({ status }) => [502, 503, 504].includes(status),
    html: ({ status, headers }) => status === 200 && headers.get('content-type')?.startsWith('text/html') === true,
    truncated: (answer) => answer.status === 200 && !json(answer),
    redirect: ({ status, headers }) => status === 302 && headers.get('location') === '/maintenance',
  }
  for (const [kind, isHit] of Object.entries(ways)) {
    const at = await stage(t, `${kind}@60s+60s`)
    const burst = async () =>
      Promise.all(
        Array.from({ length: 60 }, async () =>
          at.call('GET', me).catch((): Answered => ({ status: 200, headers: new Headers(), text: '', body: null })),
        ),
      )
    assert.ok(
      (await burst()).every((answer) => answer.status === 200 && json(answer)),
      kind,
    )
    await at.clock.advance(70_000)
    const answers = await burst()
    const hit = answers.filter(isHit)
    assert.ok(hit.length >= 15 && hit.length <= 45, `${kind}: ${hit.length} of 60`)
    assert.ok(
      answers.filter((answer) => !isHit(answer)).every((answer) => answer.status === 200 && json(answer)),
      kind,
    )
    assert.equal(at.platform.truth().http.spoilt, hit.length)
    await at.clock.advance(60_000)
    assert.ok(
      (await burst()).every((answer) => answer.status === 200 && json(answer)),
      kind,
    )
    await at.platform.stop()
  }
})

test('what is answered 504 has been done all the same', async (t) => {
  const clock = virtualClock(START_MS)
  const plan = readFaults('unavailable@1s+60s', START_MS) as readonly Fault[]
  const at = await scene(t, { clock, random: seededRandom(7), plan, limits: { channelsPerClient: 1000 } })
  const token = await at.token()
  await clock.advance(2000)
  const answers = await Promise.all(Array.from({ length: 60 }, () => at.call('POST', '/api/v2/notifications/channels', undefined, token)))
  const count = (...statuses: readonly number[]) => answers.filter(({ status }) => statuses.includes(status)).length
  await clock.advance(60_000)
  const { entities } = (await at.call('GET', '/api/v2/notifications/channels')).body as { entities: unknown[] }
  assert.ok(count(504) > 3 && count(502, 503) > 3)
  assert.equal(entities.length, count(200, 504))
})

test('a slow answer comes after 5 to 15 seconds of the clock, or at once when the platform stops', async (t) => {
  const at = await stage(t, 'slow@60s')
  const token = await at.token()
  await at.clock.advance(61_000)
  const before = at.clock.nowMs()
  let answered = false
  const answer = at.call('GET', '/api/v2/organizations/me', undefined, token).finally(() => (answered = true))
  await at.clock.until('the answer', () => answered)
  assert.equal((await answer).status, 200)
  assert.ok(at.clock.nowMs() - before >= 5000)
  const cut = at.call('GET', '/api/v2/organizations/me', undefined, token).catch(() => null)
  await turns(20)
  await at.platform.stop()
  await cut
})

test('a fault that finds no connected channel waits for one', async (t) => {
  const clock = virtualClock(START_MS)
  const at = await scene(t, { clock, random: seededRandom(1), plan: [{ kind: 'termination', atMs: START_MS + 1000, durationMs: 0 }] })
  await clock.advance(5000)
  assert.deepEqual(at.platform.truth().outages, [])
  const line = await at.connect((await at.channel(TOPIC)).connectUri)
  await clock.advance(2000)
  assert.equal(await line.closed, 1006)
})

test('stopping in the middle of any fault leaves nothing behind', async (t) => {
  for (const kind of FAULT_KINDS) {
    const at = await stage(t, `${kind}@60s+600s`)
    await at.clock.advance(61_000)
    await at.platform.stop()
    await at.line.closed
    assert.equal(at.clock.waiting(), 0, kind)
    await assert.rejects(fetch(at.platform.url), kind)
    assert.equal(at.platform.truth().counts.pending, 0, kind)
    assert.ok(
      at.platform.truth().outages.every(({ toMs }) => toMs !== null),
      kind,
    )
  }
})

test('a list of faults is read, or refused with what is wrong', () => {
  assert.deepEqual(readFaults('outage@5h+10m, eviction@90s', 1000), [
    { kind: 'eviction', atMs: 91_000, durationMs: 0 },
    { kind: 'outage', atMs: 1000 + 5 * 3_600_000, durationMs: 600_000 },
  ])
  assert.deepEqual(readFaults('', 0), [])
  for (const wrong of ['flood@1h', 'outage', 'outage@', 'outage@x', 'outage@1h+', 'outage@1.2.3h', 'Outage@1h', 'outage@1h+10'])
    assert.match(String(readFaults(wrong, 0)), /^"/, wrong)
  fc.assert(fc.property(fc.string(), (text) => void readFaults(text, 0)))
})

test('drawn faults are the same for the same chance, lie within their span, and cover every kind before any comes again', () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom('some' as const, 'many' as const), (seed, level) => {
      const span = { fromMs: START_MS, toMs: START_MS + 86_400_000 }
      const faults = drawFaults(level, span, seededRandom(seed))
      assert.deepEqual(faults, drawFaults(level, span, seededRandom(seed)))
      assert.ok(faults.every(({ atMs }) => atMs >= span.fromMs && atMs < span.toMs))
      assert.deepEqual(new Set(faults.slice(0, DRAWN_KINDS.length).map(({ kind }) => kind)), new Set(DRAWN_KINDS))
    }),
  )
})

test('a miss is put down to what cut the client off, not to channels it gave up meanwhile or before', async (t) => {
  const at = await stage(t, 'termination@60s, streaming@120s+30s')
  await at.clock.advance(70_000)
  // It does not come back to the old channel, and opens so many that it loses it.
  const other = await at.channel(TOPIC)
  const again = await at.connect(other.connectUri)
  await at.clock.advance(60_000)
  for (let i = 0; i < 25; i++) await at.channel()
  await at.clock.advance(10_000)
  await check(at, at.line, again)
  const missedBy = (fault: string) =>
    at.platform
      .truth()
      .deliveries.filter((delivery) => delivery.fault === fault)
      .map(({ publishedAtMs }) => publishedAtMs - START_MS)
  assert.deepEqual(missed(at).faults, ['termination', 'streaming'])
  assert.ok(Math.max(...missedBy('termination')) < 72_000 && Math.min(...missedBy('streaming')) >= 120_000)
  assert.deepEqual(
    at.platform.truth().outages.map(({ kind }) => kind),
    ['termination', 'streaming'],
    'an eviction that takes nothing is no outage',
  )
})

test('a heartbeat after an outage is again every 30 seconds', async (t) => {
  const at = await stage(t, 'streaming@60s+60s')
  await at.clock.advance(130_000)
  const again = await at.connect(at.connectUri)
  await at.clock.advance(60_000)
  await again.settled()
  assert.equal(again.frames.filter((frame) => textOf(frame) === 'WebSocket Heartbeat').length, 2)
})
