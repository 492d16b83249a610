/** Show 4: what drifts is delivered and reported, and a policy takes effect while the service runs. */
import assert from 'node:assert/strict'
import { writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bytesOf, envelope } from '../fixtures/genesys/samples.ts'
import { type Json, type Running, folder, running, until } from './_service.ts'

const TOPIC = 'v2.detail.events.conversation.{id}.acd.end'
const CONVERSATION = '7c1d7a52-9d0e-4c38-8a53-0f5b1f7f5a10'

/** `n` makes it another event. */
function acdEnd(n: number, more: object): Buffer {
  const eventTime = 1_773_957_888_000 + n * 1000
  const body = { eventTime, conversationId: CONVERSATION, acdOutcome: 'ANSWERED', ...more }
  return bytesOf(
    envelope({
      id: `5b0c2b0e-8c7b-4d53-a3a3-${String(n).padStart(12, '0')}`,
      topic: TOPIC,
      topicName: TOPIC.replace('{id}', CONVERSATION),
      body,
      timestamp: new Date(eventTime + 300).toISOString(),
    }),
  )
}

type Drift = {
  readonly class: string
  readonly path: string
  readonly detail: string | null
  readonly count: number
  readonly action: string
}

const driftOf = async (service: Running): Promise<readonly Drift[]> =>
  ((await service.get('/v1/schemas/drift')) as unknown as { drift: readonly Drift[] }).drift

const put = (body: object): RequestInit => ({
  method: 'PUT',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

const marksIn = (line: Json | undefined): unknown => (line?.trunkline as unknown as { marks?: unknown } | undefined)?.marks

test('a new field and a new value are reported within a second, and delivered; a policy holds without a restart', async (t) => {
  const dir = folder(t)
  const service = await running(t, { dir })
  await service.send(acdEnd(1, {}))
  const sentAtMs = Date.now()
  await service.send(acdEnd(2, { transferReason: 'x', acdOutcome: 'TELEPORTED' }))
  const found = await until('the report', async () => {
    const drift = await driftOf(service)
    return drift.length >= 2 && drift
  })
  assert.ok(Date.now() - sentAtMs < 1_000, `${Date.now() - sentAtMs} ms`)
  assert.deepEqual(
    found.map(({ class: name, path, detail, count, action }) => [name, path, detail, count, action]),
    [
      ['new_value', 'acdOutcome', 'TELEPORTED', 1, 'accept'],
      ['new_field', 'transferReason', null, 1, 'accept'],
    ].toSorted(([, a], [, b]) => found.findIndex(({ path }) => path === a) - found.findIndex(({ path }) => path === b)),
  )
  await until('both delivered', () => service.delivered().length === 2)

  await service.ask('/v1/flags', put({ flag: 'schema.policy', topic: TOPIC, class: 'new_field', value: 'quarantine', by: 'ann' }))
  const refused = (await service.send(acdEnd(3, { transferReason: 'y' }))).json.ids[0]
  await service.send(acdEnd(4, {}))
  await until('the neighbour', () => service.delivered().length === 3)
  const letters = (await service.get('/v1/deadletters')) as unknown as { letters: Json[]; deadLetters: Json[] }
  const history = await service.get(`/v1/events/${refused}`)
  assert.deepEqual([history.routes[0]?.outcome, history.routes[0]?.reason], ['dead', 'validate.quarantined'], JSON.stringify(letters))

  await service.ask('/v1/flags', put({ flag: 'schema.policy', topic: TOPIC, class: 'new_field', value: 'tag', by: 'ann' }))
  await service.send(acdEnd(5, { transferReason: 'z' }))
  await until('tagged', () => service.delivered().length === 4)
  assert.deepEqual(marksIn(service.delivered().at(-1)), ['drift.new_field'])

  const redriven = await service.ask('/v1/deadletters/redrive', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ route: 'out', reason: 'validate.quarantined' }),
  })
  assert.equal(redriven.status, 200)
  await until('redriven', () => service.delivered().length === 5)
  const told = await until('the end of it', async () => {
    const route = (await service.get(`/v1/events/${refused}`)).routes[0] as unknown as { outcome: string; stages: object[] }
    return route.outcome === 'delivered' && route
  })
  const why = 'new_field transferReason; redriven, and not judged again'
  assert.deepEqual(told.stages[1], { stage: 'validate', outcome: 'keep', reason: why, derived: false })

  await service.stop()
  const again = await running(t, { dir })
  const kept = await driftOf(again)
  assert.deepEqual(
    new Map(kept.map(({ path, count, action }) => [path, `${count} ${action}`])),
    new Map([
      ['acdOutcome', '1 accept'],
      ['transferReason', '3 tag'],
    ]),
  )
})

test('a schema of the user goes before the shipped one, can be chosen at run time, and a file that is none stops nothing', async (t) => {
  const dir = folder(t)
  mkdirSync(join(dir, 'schemas'))
  const own = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: TOPIC,
    'x-genesys-topic': TOPIC,
    'x-version': 'mine',
    type: 'object',
    properties: { eventTime: { type: 'integer' }, conversationId: { type: 'string' } },
  }
  writeFileSync(join(dir, 'schemas', 'acd-end.schema.json'), JSON.stringify(own))
  writeFileSync(join(dir, 'schemas', 'broken.schema.json'), '{"type": "obj')
  const service = await running(t, { dir, config: { schemas: { dir: 'schemas' } } })
  await service.send(acdEnd(1, {}))
  await until('drift by the own schema', async () => (await driftOf(service)).some(({ path }) => path === 'acdOutcome'))
  const schemas = (await service.get('/v1/schemas')) as unknown as { problems: { code: string; file: string }[] }
  assert.deepEqual(
    schemas.problems.map(({ code, file }) => [code, file.endsWith('broken.schema.json')]),
    [['schema.not_json', true]],
  )
  await service.ask('/v1/flags', put({ flag: 'schema.version', topic: TOPIC, value: '257.1.0' }))
  await service.send(acdEnd(2, {}))
  await until('judged', async () => ((await service.get('/v1/schemas/drift')) as unknown as { events: number }).events === 2)
  assert.equal((await driftOf(service)).find(({ path }) => path === 'acdOutcome')?.count, 1)
})

test('no content of events is in the report', async (t) => {
  const service = await running(t)
  await service.send(
    acdEnd(1, { '+15551234567': 1, 'ann@example.com': true, acdOutcome: 'call ann on 5551234567', queueId: { name: 'Ann' } }),
  )
  await until('judged', async () => (await driftOf(service)).length > 0)
  const text = JSON.stringify(await driftOf(service))
  for (const secret of ['5551234567', 'ann', 'Ann']) assert.ok(!text.includes(secret), text)
})

test('a topic of a bus of your own is known by its schema, and may have a policy once it was seen', async (t) => {
  const dir = folder(t)
  mkdirSync(join(dir, 'schemas'))
  const own = { 'x-genesys-topic': 'acme.order.created', 'x-version': '1', properties: { total: { type: 'number' } } }
  writeFileSync(join(dir, 'schemas', 'order.schema.json'), JSON.stringify(own))
  const service = await running(t, { dir, config: { schemas: { dir: 'schemas' } } })
  const send = (topic: string, body: object): Promise<unknown> =>
    service.send(bytesOf(envelope({ id: JSON.stringify([topic, body]), topic, topicName: topic, body })))
  await send('acme.order.created', { total: 1 })
  await send('acme.order.created', { total: 'many', colour: 'red' })
  await send('acme.order.cancelled', { total: 1 })
  const found = await until('the report', async () => {
    const drift = (await driftOf(service)) as readonly (Drift & { topic: string })[]
    return drift.length >= 3 && drift
  })
  assert.deepEqual(found.map(({ topic, class: name, path }) => `${topic} ${name} ${path}`).toSorted(), [
    'acme.order.cancelled unknown_topic ',
    'acme.order.created changed_type total',
    'acme.order.created new_field colour',
  ])
  const flag = (topic: string): Promise<{ readonly status: number; readonly json: Json }> =>
    service.ask('/v1/flags', put({ flag: 'schema.policy', topic, class: '*', value: 'tag', by: 'ann' }))
  for (const topic of ['acme.order.created', 'acme.order.cancelled', 'acme.never.*']) assert.equal((await flag(topic)).status, 200, topic)
  const version = await service.ask('/v1/flags', put({ flag: 'schema.version', topic: 'acme.order.created', value: '1', by: 'ann' }))
  assert.equal(version.status, 200)
  const never = await flag('acme.never.seen')
  assert.deepEqual([never.status, never.json.code, /acme\.\*/.test(never.json.hint)], [404, 'topic.unknown', true], never.json.hint)
})
