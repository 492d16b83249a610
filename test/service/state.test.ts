/** Show 3: what the service says of conversations, agents and queues is the simulated centre's own truth, whatever happens to the events on the way. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertTrue, fetched, playedDay, post } from './_state.ts'
import { folder, type Running, running, until } from './_service.ts'

type Stats = { readonly state: { readonly lagEvents: number; readonly tooLate: number; readonly ahead: number; readonly lost: number } }

type Rebuilt = {
  readonly equal: boolean
  readonly conversations: number
  readonly agents: number
  readonly events: number
  readonly differences: object[]
}

const day = playedDay()

async function sendAll(service: Running, requests: readonly string[]): Promise<void> {
  for (const body of requests) assert.ok(await post(service.url, body))
  await caughtUp(service)
}

async function caughtUp(service: Running): Promise<void> {
  await until('all of it is part of the state', async () => (await fetched<Stats>(service.url, '/v1/stats'))?.state.lagEvents === 0)
}

async function rebuild(service: Running): Promise<Rebuilt> {
  const { status, text } = await service.ask('/v1/state/rebuild', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  assert.equal(status, 200, text)
  return JSON.parse(text) as Rebuilt
}

test('30 s out of order and 5 % twice: state equals truth, after a restart too, and equals itself rebuilt', async (t) => {
  assert.ok(day.distinct > 4_000 && day.duplicates > 150 && day.truth.conversations.some(({ endedAtMs }) => endedAtMs === null))
  const dir = folder(t)
  const service = await running(t, { dir })
  await sendAll(service, day.requests)
  await assertTrue(service.url, day.truth)
  const { state } = (await fetched<Stats>(service.url, '/v1/stats'))!
  assert.deepEqual([state.tooLate, state.ahead, state.lost], [0, 0, 0])
  const first = await rebuild(service)
  assert.deepEqual([first.equal, first.differences, first.events], [true, [], day.distinct])
  assert.ok(first.conversations >= day.truth.conversations.length && first.agents > 10)
  await service.stop()

  const again = await running(t, { dir })
  await assertTrue(again.url, day.truth)
  assert.equal((await rebuild(again)).equal, true)
})

test('a log that keeps little: the base moves on, and a rebuild from there is equal', async (t) => {
  const service = await running(t, { config: { log: { minFreeBytes: 0, segmentBytes: 512 * 1024, maxBytes: 6 * 1024 * 1024 } } })
  for (const body of day.requests) {
    await until('there is room', () => post(service.url, body).catch(() => false))
  }
  await caughtUp(service)
  await assertTrue(service.url, day.truth)
  const { log } = await service.get('/v1/stats')
  assert.ok(log.firstSeq > 1, 'retention has taken something')
  const made = await rebuild(service)
  assert.equal(made.equal, true, JSON.stringify(made))
  assert.ok(made.events < day.distinct)
})

test('a state.db that cannot be read is made anew from the log', async (t) => {
  const dir = folder(t)
  const service = await running(t, { dir })
  await sendAll(service, day.requests)
  await service.stop()
  writeFileSync(join(service.dataDir, 'state.db'), 'no database at all, but long enough to be looked at')
  const again = await running(t, { dir })
  await caughtUp(again)
  await assertTrue(again.url, day.truth)
})

test('a rebuild finds what is wrong in the rows, and its result answers from then on', async (t) => {
  const { DatabaseSync } = await import('node:sqlite')
  const dir = folder(t)
  const service = await running(t, { dir })
  await sendAll(service, day.requests)
  await service.stop()
  const db = new DatabaseSync(join(service.dataDir, 'state.db'))
  const gone = db.prepare(`SELECT id FROM rows WHERE kind = 'conversation' AND ended_at IS NOT NULL LIMIT 1`).get()?.['id'] as string
  db.prepare('DELETE FROM rows WHERE id = ?').run(gone)
  db.close()
  const again = await running(t, { dir })
  assert.equal((await again.ask(`/v1/conversations/${gone}`)).status, 404)
  const made = await rebuild(again)
  assert.equal(made.equal, false)
  assert.ok(made.differences.some((one) => (one as { id: string }).id === gone))
  await assertTrue(again.url, day.truth)
  assert.equal((await rebuild(again)).equal, true)
  await again.stop()
  await assertTrue((await running(t, { dir })).url, day.truth)
})

test('changes are told to all who listen, and the streams end with the service', async (t) => {
  const service = await running(t)
  const listening = await Promise.all([1, 2].map(() => fetch(`${service.url}/v1/state/changes`)))
  assert.deepEqual(
    listening.map(({ headers }) => headers.get('content-type')),
    ['text/event-stream', 'text/event-stream'],
  )
  const texts = ['', '']
  const reading = listening.map(async ({ body }, n) => {
    for await (const chunk of body!) texts[n] += Buffer.from(chunk).toString()
  })
  await sendAll(service, day.requests.slice(0, 3))
  await until('both were told', () => texts.every((text) => /event: conversation\ndata: \{/.test(text) && text.includes('event: queue')))
  const [first] = /(?<=event: conversation\ndata: ).*/.exec(texts[0]!)!
  assert.equal(typeof (JSON.parse(first) as { id: unknown }).id, 'string')
  await service.stop()
  await Promise.all(reading)
})

test('lists, filters and what is not there', async (t) => {
  const service = await running(t)
  await sendAll(service, day.requests)
  type List = {
    conversations: { id: string; open: boolean; startedAtMs: number; endedAtMs: number | null }[]
    more: boolean
    asOfMs: number
  }
  const asOf = day.truth.atMs
  const open = (await fetched<List>(service.url, `/v1/conversations?open=true&limit=1000&asOf=${asOf}`))!
  const expected = day.truth.conversations.filter(({ endedAtMs, startedAtMs }) => endedAtMs === null && startedAtMs <= asOf)
  assert.deepEqual(new Set(open.conversations.map(({ id }) => id)), new Set(expected.map(({ id }) => id)))
  assert.equal(open.asOfMs, asOf)
  const few = (await fetched<List>(service.url, `/v1/conversations?limit=5&open=false&asOf=${asOf}`))!
  assert.deepEqual([few.conversations.length, few.more, few.conversations.every((one) => !one.open)], [5, true, true])
  assert.deepEqual(
    few.conversations,
    few.conversations.toSorted((a, b) => b.startedAtMs - a.startedAtMs),
  )
  const since = asOf - 600_000
  const recent = (await fetched<List>(service.url, `/v1/conversations?closedSince=${since}&limit=1000&asOf=${asOf}`))!
  assert.ok(recent.conversations.length > 0 && recent.conversations.every(({ endedAtMs }) => endedAtMs !== null && endedAtMs >= since))
  for (const [path, status, code] of [
    ['/v1/conversations/none', 404, 'conversation.unknown'],
    ['/v1/agents/none', 404, 'agent.unknown'],
    ['/v1/conversations?open=perhaps', 400, 'http.bad_request'],
    ['/v1/conversations?asOf=soon', 400, 'http.bad_request'],
    ['/v1/queues?from=20&to=10', 400, 'http.bad_request'],
    ['/v1/queues?interval=30', 400, 'http.bad_request'],
  ] as const) {
    const reply = await service.ask(path)
    assert.deepEqual([reply.status, reply.json.code], [status, code], path)
  }
})

test('without state: nothing is kept, and that is said', async (t) => {
  const service = await running(t, { config: { state: { enabled: false } } })
  assert.ok(await post(service.url, day.requests[0]!))
  for (const path of ['/v1/conversations', '/v1/agents', '/v1/queues', '/v1/state/changes']) {
    const reply = await service.ask(path)
    assert.deepEqual([reply.status, reply.json.code], [400, 'state.disabled'], path)
  }
  assert.equal((await fetched<{ state: unknown }>(service.url, '/v1/stats'))?.state, null)
})
