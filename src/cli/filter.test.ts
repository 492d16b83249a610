import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { run } from './_test-io.ts'
import { testService, type TestService } from './_test-service.ts'

const ID = '2f9e3a52-9d0e-4c38-8a53-000000000001'
const NAMES = [
  { id: ID, name: 'Sales' },
  { id: 'id-2', name: 'After sales' },
  { id: 'id-3', name: 'Twin' },
  { id: 'id-4', name: 'Twin' },
]

/** A service with these names of queues and users, and no events. */
function withNames(t: TestContext, page: Record<string, unknown> = {}): Promise<TestService> {
  return testService(t, ({ path, query }) => {
    const { q = '' } = query
    if (path.startsWith('/v1/directory/'))
      return {
        json: { loadedAtMs: 1, names: NAMES.filter(({ id, name }) => id === q || name.toLowerCase().includes(q.toLowerCase())), ...page },
      }
    return {
      json: path === '/v1/events' ? { events: [], cursor: null } : { agent: { userId: ID, name: 'Sales', conversationIds: ['c1'] } },
    }
  })
}

const lastOf = (service: TestService): unknown => service.asked.findLast(({ path }) => path === '/v1/events')?.query

test('a queue or an agent is asked for by its name or its id', async (t) => {
  const service = await withNames(t)
  const events = (...argv: string[]): ReturnType<typeof run> => run(['events', ...argv, '--url', service.url])
  await events('--queue', 'Sales', '--agent', 'After sales')
  assert.deepEqual(lastOf(service), { queue: ID, agent: 'id-2', limit: '50' })
  await events('--queue', 'id-3')
  assert.deepEqual(lastOf(service), { queue: 'id-3', limit: '50' })
  const unknownId = await events('--queue', ID.replace(/1$/, '9'))
  assert.deepEqual([unknownId.code, unknownId.err], [0, 'no events\n'], 'an id is an id')
  const agent = await run(['state', 'agents', 'Sales', '--url', service.url])
  assert.match(agent.out, /^agent .*\nSales .*\nid 2f9e3a52.*\nconversation c1\n$/)
  assert.equal(service.asked.at(-1)?.path, `/v1/agents/${ID}`)
})

test('a name that nothing has, or several have, is a mistake', async (t) => {
  const service = await withNames(t)
  const wrong = await run(['events', '--queue', 'Salse', '--url', service.url])
  assert.equal(wrong.code, 2)
  assert.match(
    wrong.err,
    /"Salse" is no known id, and no queue has this name\. \[directory\.name_unknown\]\n  fix: The nearest are "Sales",/,
  )
  const several = await run(['events', '--agent', 'Twin', '--url', service.url])
  assert.equal(several.code, 2)
  assert.match(several.err, /2 users have the name "Twin".*\n.*id-3, id-4/)
  const unread = await withNames(t, { loadedAtMs: null, names: [] })
  assert.match((await run(['events', '--queue', 'Sales', '--url', unread.url])).err, /not been read yet/)
})

test('without a directory an id of any look is asked for, and an empty list says that it may be a name', async (t) => {
  let events: object[] = [{ id: 'e1', topic: 'v2.x' }]
  const service = await testService(t, ({ path }) =>
    path.startsWith('/v1/directory/')
      ? { status: 400, json: { code: 'directory.not_configured', message: 'no names', hint: 'Set it.' } }
      : { json: { events, cursor: null } },
  )
  const ask = (): ReturnType<typeof run> => run(['events', '--queue', 'q1', '--url', service.url])
  assert.equal((await ask()).code, 0)
  events = []
  const { code, err } = await ask()
  assert.equal(code, 2)
  assert.match(err, /names of queues are not known without an OAuth client/)
})
