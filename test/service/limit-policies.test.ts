/** The four policies in the whole service, side by side on the same events: every event has its end, quiet queues are untouched, drops are told by queue. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TrunklineConfig } from '../../src/config/config.ts'
import { bytesOf, envelope } from '../fixtures/genesys/samples.ts'
import { type Running, linesIn, running, until } from './_service.ts'

const TOPIC = 'v2.detail.events.conversation.{id}.acw'
const QUIET: readonly string[] = Array.from({ length: 9 }, (_, n) => `quiet-${n}`)
const NOISY_EVENTS = 200
const CONVERSATIONS = 7
const QUIET_EVENTS = 4
const BURST = 5
const ONE_IN = 10

type Counts = Readonly<Record<string, number>>
type Line = { readonly detail: { readonly eventBody: { readonly queueId: string; readonly conversationId: string; readonly n: number } } }

/** No token comes back while events are dropped; what waits does not wait long. */
const config = {
  routes: Object.fromEntries(
    (['delay', 'drop', 'sample', 'latest'] as const).map((overflow) => {
      const perSecond = overflow === 'drop' || overflow === 'sample' ? 0.001 : 100
      const limit = { per: 'queue', topics: [TOPIC], perSecond, burst: BURST, overflow, sampleOneIn: ONE_IN } as const
      return [overflow, { from: 'earliest', limit, sink: { type: 'file', dir: `data/${overflow}` } }]
    }),
  ),
} as TrunklineConfig

/** 200 events of the noisy queue, four of each of nine others between them, one of no queue. */
function events(): readonly Buffer[] {
  const made: Buffer[] = []
  for (let n = 0; n < NOISY_EVENTS; n++) {
    made.push(event('noisy', n % CONVERSATIONS, n))
    if (n % (NOISY_EVENTS / QUIET_EVENTS) === 7) for (const [q, queue] of QUIET.entries()) made.push(event(queue, 100 + q * 10 + n, n))
  }
  made.push(event(null, 900, 0))
  return made
}

function event(queueId: string | null, conversation: number, n: number): Buffer {
  const conversationId = `7c1d7a52-9d0e-4c38-8a53-${String(conversation).padStart(12, '0')}`
  const eventTime = 1_773_957_888_000 + n * 1_000
  const body = { eventTime, conversationId, n, ...(queueId === null ? {} : { queueId }) }
  const id = `5b0c2b0e-8c7b-4d53-a3a3-${String(conversation).padStart(6, '0')}${String(n).padStart(6, '0')}`
  return bytesOf(envelope({ id, topic: TOPIC, topicName: TOPIC.replace('{id}', conversationId), body }))
}

const countsOf = async (service: Running, route: string): Promise<Counts> =>
  ((await service.get('/v1/stats')).routes as unknown as Readonly<Record<string, { counts: Counts; held: number }>>)[route]!.counts

const endsIn = (counts: Counts): number =>
  Object.entries(counts).reduce((sum, [name, n]) => sum + (name === 'delivered' || name.startsWith('dropped|') ? n : 0), 0)

const bodies = (service: Running, route: string): Line['detail']['eventBody'][] =>
  (linesIn(join(service.dataDir, route), route) as unknown as Line[]).map(({ detail }) => detail.eventBody)

async function settled(t: TestContext): Promise<{ service: Running; accepted: number }> {
  const service = await running(t, { config })
  const all = events()
  const { json } = await service.send(all.join('\n'), { 'content-type': 'application/x-ndjson' })
  assert.equal(json.accepted, all.length)
  for (const route of Object.keys(config.routes!))
    await until(`every event has its end on ${route}`, async () => endsIn(await countsOf(service, route)) === all.length)
  return { service, accepted: all.length }
}

test('each policy: the sum of outcomes is what was accepted, quiet queues are untouched, drops are told by queue', async (t) => {
  const { service, accepted } = await settled(t)
  const metrics = await (await fetch(`${service.url}/metrics`)).text()
  const overflow = NOISY_EVENTS - BURST
  const sampled = Math.floor(overflow / ONE_IN)
  const drops = async (route: string): Promise<Counts> =>
    Object.fromEntries(Object.entries(await countsOf(service, route)).filter(([name]) => name.startsWith('dropped|')))
  assert.deepEqual(await drops('delay'), {})
  assert.deepEqual(await drops('drop'), { 'dropped|limit.rate|noisy': overflow })
  assert.deepEqual(await drops('sample'), { 'dropped|limit.rate|noisy': overflow - sampled })
  assert.equal((await countsOf(service, 'sample'))['noted|limit.sampled|noisy'], sampled)
  const superseded = (await drops('latest'))['dropped|limit.superseded|noisy']!
  assert.ok(superseded > 0)

  for (const route of Object.keys(config.routes!)) {
    assert.equal(endsIn(await countsOf(service, route)), accepted, route)
    const delivered = bodies(service, route)
    for (const queue of QUIET)
      assert.equal(delivered.filter(({ queueId }) => queueId === queue).length, QUIET_EVENTS, `${queue} on ${route}`)
    assert.equal(delivered.filter(({ queueId }) => queueId === undefined).length, 1, 'an event of no queue is never limited')
    for (const [name, n] of Object.entries(await drops(route))) {
      const [, reason, key] = name.split('|')
      const line = `trunkline_route_events_total{route="${route}",outcome="dropped",reason="${reason}",key="${key}"} ${n}`
      assert.ok(metrics.split('\n').includes(line), line)
    }
    // And of each event.
    const list = await service.get(`/v1/events?route=${route}&outcome=dropped&queue=noisy&limit=500`)
    assert.equal(
      list.events.length,
      Object.values(await drops(route)).reduce((sum, n) => sum + n, 0),
      route,
    )
  }

  // And of the queues, beside the state, in which every event counts.
  const queues = (await service.get('/v1/queues')) as unknown as { limiterDrops: Readonly<Record<string, unknown>>[] }
  assert.deepEqual(
    queues.limiterDrops.map(({ route, reason, queueId, events }) => [route, reason, queueId, events]),
    [
      ['delay', 0],
      ['drop', overflow],
      ['sample', overflow - sampled],
      ['latest', superseded],
    ].flatMap(([route, events]) =>
      events === 0 ? [] : [[route, route === 'latest' ? 'limit.superseded' : 'limit.rate', 'noisy', events]],
    ),
  )

  // Of what waits the newest is what comes, of each conversation the newest of all at last.
  const latest = bodies(service, 'latest').filter(({ queueId }) => queueId === 'noisy')
  assert.equal(latest.length, NOISY_EVENTS - superseded)
  const newest = new Map<string, number>()
  for (const { conversationId, n } of latest) {
    assert.ok(n > (newest.get(conversationId) ?? -1))
    newest.set(conversationId, n)
  }
  const last = Array.from({ length: CONVERSATIONS }, (_, n) => NOISY_EVENTS - 1 - n)
  assert.deepEqual(
    [...newest.values()].toSorted((a, b) => b - a),
    last,
  )
})
