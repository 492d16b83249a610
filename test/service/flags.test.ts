import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventOf } from '../../src/testing/event-of.ts'
import { folder, running, until } from './_service.ts'

const put = (body: object): RequestInit => ({
  method: 'PUT',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

test('a route is paused and resumed while the service runs; the pause holds over a restart', async (t) => {
  const dir = folder(t)
  const first = await running(t, { dir })
  const paused = await first.ask('/v1/flags', put({ flag: 'route.paused', route: 'out', value: true, by: 'ann' }))
  assert.deepEqual([paused.status, (paused.json as { from?: unknown }).from, (paused.json as { to?: unknown }).to], [200, null, true])
  await first.send(eventOf({}, 0).raw)
  const id = (await first.get('/v1/events')).events[0]?.id
  assert.equal((await first.get(`/v1/events/${id}`)).routes[0]?.reason, 'route.paused')
  await first.stop()

  const second = await running(t, { dir })
  assert.equal((await second.get(`/v1/events/${id}`)).routes[0]?.reason, 'route.paused')
  assert.equal(second.delivered().length, 0)
  await second.ask('/v1/flags', put({ flag: 'route.paused', route: 'out', value: null, by: 'ben' }))
  await until('delivered', () => second.delivered().length === 1)
  const changes = (await second.get('/v1/flags/changes')) as unknown as { changes: { by: string; to: unknown }[] }
  assert.deepEqual(
    changes.changes.map(({ by, to }) => [by, to]),
    [
      ['ben', null],
      ['ann', true],
    ],
  )
})

test('a flag that cannot be is an error with a hint, and changes nothing', async (t) => {
  const service = await running(t)
  for (const [body, status, code] of [
    [{ flag: 'route.paused', route: 'crm', value: true }, 404, 'route.unknown'],
    [{ flag: 'route.paused', route: 'out', value: 'yes' }, 400, 'flag.bad_value'],
    [{ flag: 'route.limit', route: 'out', value: 'unlimited' }, 400, 'flag.no_limit'],
    [{ flag: 'route.stopped', route: 'out', value: true }, 404, 'flag.unknown'],
    [{ flag: 'route.paused', route: 'out', value: true, who: 'ann' }, 400, 'http.bad_request'],
    [{ flag: 'schema.policy', topic: 'v2.users.{id}.presense', class: 'new_field', value: 'tag' }, 404, 'topic.unknown'],
  ] as const) {
    const answer = await service.ask('/v1/flags', put(body))
    assert.deepEqual([answer.status, answer.json.code], [status, code], answer.text)
    assert.ok(answer.json.hint.length > 5)
  }
  assert.deepEqual(await service.get('/v1/flags'), { flags: [] })
})

test('a limit is changed while the service runs, also over a restart and for a time; what waits goes as the change says', async (t) => {
  const dir = folder(t)
  const limit = { per: 'queue', perSecond: 0.001, burst: 1, overflow: 'delay' } as const
  const config = { routes: { crm: { from: 'earliest', limit, sink: { type: 'file', dir: 'data/out' } } } } as const
  const first = await running(t, { dir, config })
  for (let n = 0; n < 6; n++) await first.send(eventOf({ queueId: 'q' }, n).raw)
  await until('one is let through', () => first.delivered('crm').length === 1)
  const set = (service: typeof first, more: object): Promise<unknown> =>
    service.ask('/v1/flags', put({ flag: 'route.limit', route: 'crm', key: 'q', by: 'ann', ...more }))
  const untilMs = Date.now() + 600_000
  await set(first, { value: { perSecond: 0.002 }, untilMs })
  const { flags } = (await first.get('/v1/flags')) as unknown as { flags: Record<string, unknown>[] }
  assert.deepEqual(
    flags.map(({ key, value, untilMs: end }) => [key, value, end]),
    [['q', { perSecond: 0.002, burst: null }, untilMs]],
  )
  await first.stop()

  const second = await running(t, { dir, config })
  assert.equal(((await second.get('/v1/flags')) as unknown as { flags: unknown[] }).flags.length, 1)
  assert.equal(second.delivered('crm').length, 1)
  await set(second, { value: { perSecond: 1_000 }, untilMs: Date.now() + 1_000 })
  await until('all', () => second.delivered('crm').length === 6)
  await until('over', async () => ((await second.get('/v1/flags')) as unknown as { flags: unknown[] }).flags.length === 0)
  const { changes } = (await second.get('/v1/flags/changes')) as unknown as { changes: { by: string; to: unknown }[] }
  assert.deepEqual([changes[0]?.by, changes[0]?.to, changes.length], ['expiry', null, 3])
})
