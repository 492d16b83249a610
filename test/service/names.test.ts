/** Routes that are written with names: nothing is judged before they are known, and they follow the directory of Genesys Cloud. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../src/hosts/clock.ts'
import { genesysServer, pageOf } from '../../src/testing/genesys-server.ts'
import { bytesOf, envelope } from '../fixtures/genesys/samples.ts'
import { folder, running, until, type Running, type RunningOptions } from './_service.ts'

const TOPIC = 'v2.detail.events.conversation.{id}.acd.end'
const uuid = (n: number): string => `2f9e3a52-9d0e-4c38-8a53-${String(n).padStart(12, '0')}`
const [A, B, C] = [uuid(1), uuid(2), uuid(3)]
const CREDENTIALS = { clientId: 'client-1', clientSecret: 'secret-of-client-1' }
const SINK = { type: 'file', dir: 'data/out' } as const

type World = { queues: { id: string; name: string }[]; isDown: boolean }

/** Genesys Cloud with these queues, and the configuration of who asks it a few times a second. */
async function genesys(t: TestContext, world: World): Promise<Pick<RunningOptions, 'change'> & { readonly config: object }> {
  const server = await genesysServer(t, {
    clock: systemClock,
    allowed: 10_000,
    answer: (asked) => {
      if (world.isDown) return { status: 503, json: { message: 'down' } }
      if (asked.path === '/api/v2/routing/queues')
        return pageOf(
          asked,
          world.queues.map((queue) => ({ ...queue, division: { id: uuid(90), name: 'Home' } })),
        )
      return pageOf(asked, asked.path === '/api/v2/authorization/divisions' ? [{ id: uuid(90), name: 'Home' }] : [])
    },
  })
  return {
    config: { genesys: { baseUrl: server.url, ...CREDENTIALS, reconcile: { everyMs: null } } },
    change: (config) => ({ ...config, genesys: { ...config.genesys, namesRefreshMs: 200 } }),
  }
}

let sent = 0
async function send(service: Running, queueId: string): Promise<string> {
  const n = ++sent
  const conversationId = `7c1d7a52-9d0e-4c38-8a53-${String(n).padStart(12, '0')}`
  const eventTime = 1_773_957_888_000 + n * 1000
  const body = { eventTime, conversationId, queueId, acdOutcome: 'ANSWERED' }
  const id = `5b0c2b0e-8c7b-4d53-a3a3-${String(n).padStart(12, '0')}`
  const event = envelope({
    id,
    topic: TOPIC,
    topicName: TOPIC.replace('{id}', conversationId),
    body,
    timestamp: new Date(eventTime).toISOString(),
  })
  const { json } = await service.send(bytesOf(event), {}, '?ids=1')
  return json.ids[0]!
}

const queuesOf = (service: Running): string[] =>
  service.delivered('crm').map((line) => (line as unknown as { detail: { eventBody: { queueId: string } } }).detail.eventBody.queueId)

type Crm = {
  blocked: { code: string; message: string } | null
  names: { name: string; ids: string[] }[]
  lag: number
  counts: Record<string, number>
}
const crmOf = async (service: Running): Promise<Crm> => ((await service.get('/v1/stats')).routes as unknown as { crm: Crm }).crm

test('a route for a queue by its name holds until names are known, delivers what is of it, follows a rename, and holds for a name that is gone', async (t) => {
  const world: World = {
    queues: [
      { id: A, name: 'Sales' },
      { id: B, name: 'Support' },
    ],
    isDown: true,
  }
  const { config, change } = await genesys(t, world)
  const routes = { crm: { from: 'earliest', topics: [TOPIC], queues: ['Sales'], sink: SINK } } as const
  const dir = folder(t)
  const service = await running(t, { dir, config: { ...config, routes }, ...(change === undefined ? {} : { change }) })
  const first = await send(service, A)
  const other = await send(service, B)
  const reasonOf = async (id: string): Promise<string[]> => {
    const { routes: told } = await service.get(`/v1/events/${id}`)
    return [told[0]!.outcome, told[0]!.reason]
  }
  assert.deepEqual(await reasonOf(other), ['waiting', 'match.name_unknown'])
  const held = await crmOf(service)
  assert.equal(held.blocked?.code, 'match.name_unknown')
  assert.match(held.blocked?.message ?? '', /until the names of Genesys Cloud have been read: queues: "Sales"/)
  assert.equal(held.lag, 2)
  const ready = await service.ask('/readyz')
  assert.equal(ready.status, 200)
  assert.match(ready.text, /match\.name_unknown: route crm holds/)

  world.isDown = false
  await until('of Sales', () => queuesOf(service).length === 1)
  assert.deepEqual(queuesOf(service), [A])
  assert.deepEqual(await reasonOf(other), ['not_matched', 'match.pattern'])
  assert.deepEqual(
    (await crmOf(service)).names.map(({ name, ids }) => [name, ids]),
    [['Sales', [A]]],
  )

  world.queues = [
    { id: A, name: 'Sales of old' },
    { id: B, name: 'Sales' },
    { id: C, name: 'Sales' },
  ]
  await until('renamed', async () => (await crmOf(service)).names[0]?.ids.length === 2)
  await send(service, A)
  await send(service, B)
  await send(service, C)
  await until('of the new ones', () => queuesOf(service).length === 3)
  assert.deepEqual(queuesOf(service), [A, B, C])
  assert.deepEqual(await reasonOf(first), ['delivered', null], 'judged by what held then')
  const { routes: told } = await service.get(`/v1/events/${first}`)
  assert.deepEqual((told[0] as unknown as { names: object }).names, [{ place: 'queues', name: 'Sales', ids: [A] }])

  world.queues = [
    { id: A, name: 'Sales of old' },
    { id: B, name: 'Sails' },
    { id: C, name: 'Sails' },
  ]
  await until('held again', async () => (await crmOf(service)).blocked !== null)
  assert.match(
    (await crmOf(service)).blocked?.message ?? '',
    /Genesys Cloud has nothing of this name: queues: "Sales" \(nearest: "Sales of old", "Sails"\); correct/,
  )
  await send(service, B)
  await service.stop()

  // What is known of the names outlives the service; the name is unknown still, and nothing is lost.
  const second = await running(t, { dir, config: { ...config, routes }, ...(change === undefined ? {} : { change }) })
  assert.equal((await crmOf(second)).blocked?.code, 'match.name_unknown')
  world.queues = [{ id: B, name: 'Sales' }]
  await until('let go', () => queuesOf(second).length === 4)
  assert.deepEqual(queuesOf(second), [A, B, C, B])
})

test('a limit by names: a rate for a queue, priorities by rule; what is unknown is never dropped; a queue that is made is found', async (t) => {
  const world: World = {
    queues: [
      { id: A, name: 'Tests' },
      { id: B, name: 'VIP 1' },
    ],
    isDown: false,
  }
  const { config, change } = await genesys(t, world)
  const limit = {
    per: 'queue',
    perSecond: 0.001,
    burst: 1,
    overflow: 'drop',
    limits: { Slow: { perSecond: 0.001, burst: 2 } },
    priority: {
      of: { Nobody: 0 },
      rules: [
        { queue: 'Tests', priority: 0 },
        { queue: 'VIP*', priority: 9 },
      ],
      dropBelow: 1,
      unlimitedFrom: 9,
    },
  } as const
  const routes = { crm: { from: 'earliest', topics: [TOPIC], limit, sink: SINK } } as const
  const service = await running(t, { config: { ...config, routes }, ...(change === undefined ? {} : { change }) })
  await until('names', async () => (await crmOf(service)).names.some(({ ids }) => ids.includes(B)))
  for (const id of [A, A, B, B, B, C, C]) await send(service, id)
  await until('all', async () => (await crmOf(service)).lag === 0)
  await until('written', () => queuesOf(service).length === 4)
  const { counts, blocked } = await crmOf(service)
  assert.equal(blocked, null)
  assert.deepEqual([counts[`dropped|limit.priority|${A}`], counts[`dropped|limit.rate|${C}`]], [2, 1])
  world.queues = [...world.queues, { id: uuid(4), name: 'Slow' }]
  await until('found', async () => (await crmOf(service)).names.some(({ ids }) => ids.includes(uuid(4))))
  for (let n = 0; n < 3; n++) await send(service, uuid(4))
  await until('two of it', async () => (await crmOf(service)).counts[`dropped|limit.rate|${uuid(4)}`] === 1)

  const put = (key: string): Promise<{ status: number; text: string }> =>
    service.ask('/v1/flags', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ flag: 'route.limit', route: 'crm', key, value: 'unlimited' }),
    })
  assert.match((await put('Slow')).text, new RegExp(`"key":"${uuid(4)}"`), 'by name')
  const misspelt = await put('Slwo')
  assert.equal(misspelt.status, 400)
  assert.match(misspelt.text, /flag\.bad_key.*nearest are \\"Slow\\"/)
  const nobody = JSON.parse((await put(uuid(7))).text) as { keyName: unknown; note: string }
  assert.deepEqual([nobody.keyName, /none of the queues/.test(nobody.note)], [null, true])
  const { flags } = (await service.get('/v1/flags')) as unknown as { flags: { key: string; keyName: string }[] }
  assert.equal(flags.find(({ key }) => key === uuid(4))?.keyName, 'Slow')
  await send(service, uuid(4))
  await until('unlimited', () => queuesOf(service).filter((id) => id === uuid(4)).length === 3)
})
