import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf, envelope } from '../fixtures/genesys/samples.ts'
import { folder, running, until } from './_service.ts'

const TOPIC = 'v2.detail.events.conversation.{id}.acd.end'

function acdEnd(queueId: string, n: number): Buffer {
  const conversationId = `7c1d7a52-9d0e-4c38-8a53-${String(n).padStart(12, '0')}`
  const eventTime = 1_773_957_888_000 + n * 1000
  return bytesOf(
    envelope({
      id: `5b0c2b0e-8c7b-4d53-a3a3-${String(n).padStart(12, '0')}`,
      topic: TOPIC,
      topicName: TOPIC.replace('{id}', conversationId),
      body: { eventTime, conversationId, queueId, acdOutcome: 'ANSWERED' },
      timestamp: new Date(eventTime + 300).toISOString(),
    }),
  )
}

test('a limit drops what comes above the rate of a queue, counted by queue and told by explain; quiet queues are untouched', async (t) => {
  const dir = folder(t)
  // So slow that no token comes back while the test runs.
  const limit = { per: 'queue', perSecond: 0.001, burst: 2, overflow: 'drop' } as const
  const config = { routes: { crm: { from: 'earliest', limit, sink: { type: 'file', dir: 'data/out' } } } } as const
  const service = await running(t, { dir, config })
  const noisy = Array.from({ length: 10 }, (_, i) => acdEnd('noisy', i)).join('\n')
  const sent = await service.send(noisy, { 'content-type': 'application/x-ndjson' }, '?ids=1')
  await service.send(acdEnd('quiet', 100))
  type Counts = { readonly crm: { readonly counts: Readonly<Record<string, number>> } }
  const counts = async (): Promise<Counts['crm']['counts']> => ((await service.get('/v1/stats')).routes as unknown as Counts).crm.counts
  await until('three counted as delivered', async () => (await counts())['delivered'] === 3)
  assert.equal((await counts())['dropped|limit.rate|noisy'], 8)
  assert.equal(service.delivered('crm').length, 3)
  const last = await service.get(`/v1/events/${sent.json.ids[9]}`)
  assert.deepEqual([last.routes[0]?.outcome, last.routes[0]?.reason], ['dropped', 'limit.rate'])

  // Tokens that were taken stay taken over a restart.
  await service.stop()
  const again = await running(t, { dir, config })
  await again.send(acdEnd('noisy', 200))
  await until('dropped too', async () => {
    const { crm } = (await again.get('/v1/stats')).routes as unknown as { crm: { counts: Record<string, number> } }
    return crm.counts['dropped|limit.rate|noisy'] === 9
  })
})

test('a delayed event waits for its own time, and its neighbours of other queues do not', async (t) => {
  const limit = { per: 'queue', perSecond: 5, burst: 1, overflow: 'delay' } as const
  const service = await running(t, { config: { routes: { crm: { from: 'earliest', limit, sink: { type: 'file', dir: 'data/out' } } } } })
  const all = [0, 1, 2, 3].map((n) => acdEnd('busy', n)).concat([acdEnd('calm', 10)])
  await service.send(all.join('\n'), { 'content-type': 'application/x-ndjson' })
  await until('all five', () => service.delivered('crm').length === 5)
  const queues = service
    .delivered('crm')
    .map((line) => (line as unknown as { detail: { eventBody: { queueId: string } } }).detail.eventBody.queueId)
  assert.ok(queues.indexOf('calm') < 4, queues.join())
  assert.deepEqual(queues.filter((queue) => queue === 'busy').length, 4)
})

test('what waits because of a limit goes when the limit is taken out of the configuration', async (t) => {
  const dir = folder(t)
  const crm = { from: 'earliest', sink: { type: 'file', dir: 'data/out' } } as const
  const limit = { per: 'queue', perSecond: 0.001, burst: 1, overflow: 'delay' } as const
  const service = await running(t, { dir, config: { routes: { crm: { ...crm, limit } } } })
  await service.send(Array.from({ length: 20 }, (_, n) => acdEnd('busy', n)).join('\n'), { 'content-type': 'application/x-ndjson' })
  type Routes = { readonly crm: { readonly held: number } }
  await until('held', async () => ((await service.get('/v1/stats')).routes as unknown as Routes).crm.held === 19)
  await service.stop()
  const again = await running(t, { dir, config: { routes: { crm } } })
  await until('all delivered', () => again.delivered('crm').length === 20)
})
