import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../hosts/clock.ts'
import { genesysServer, pageOf, type Asked, type GenesysServer, type Reply } from '../../testing/genesys-server.ts'
import { scaledClock } from '../../simulator/scaled-clock.ts'
import { platformClient, type PlatformClient } from '../platform-client.ts'
import { hostsAt } from '../regions.ts'

async function bench(
  t: TestContext,
  answer: (asked: Asked) => Reply,
  allowed = 300,
): Promise<{ readonly server: GenesysServer; readonly client: PlatformClient }> {
  const clock = scaledClock(systemClock, systemClock.nowMs(), 200)
  const server = await genesysServer(t, { clock, answer, allowed })
  const login = { clientId: 'client-1', clientSecret: 'secret-of-client-1' }
  const client = platformClient({
    ...login,
    hosts: hostsAt(server.url),
    clock,
    random: () => 0,
    fetch,
    userAgent: 'trunkline/test',
    timeoutMs: 1_000_000,
  })
  return { server, client }
}

const bodyOf = (asked: Asked | undefined): unknown => JSON.parse(asked?.body ?? '')
const many = (count: number): { id: string; name: string }[] =>
  Array.from({ length: count }, (_, i) => ({ id: `id-${i}`, name: `Name ${i}` }))

test('lists come whole, page by page, by number', async (t) => {
  const calls = [
    ['queues', '/api/v2/routing/queues'],
    ['users', '/api/v2/users'],
    ['divisions', '/api/v2/authorization/divisions'],
    ['wrapupCodes', '/api/v2/routing/wrapupcodes'],
    ['flows', '/api/v2/flows'],
  ] as const
  for (const [call, path] of calls) {
    const { server, client } = await bench(t, (asked) => pageOf(asked, many(250)))
    const found = await client[call]()
    assert.deepEqual(
      found.map(({ id, name }) => ({ id, name })),
      many(250),
    )
    assert.deepEqual(
      server.asked.map((asked) => [asked.path, asked.query.get('pageNumber')]),
      [1, 2, 3].map((page) => [path, String(page)]),
    )
  }
})

const MEDIA_SETTINGS = {
  call: { alertingTimeoutSeconds: 8, serviceLevel: { percentage: 0.8, durationMs: 20_000 } },
  callback: { serviceLevel: { percentage: 0.8, durationMs: '20000' } },
  chat: { serviceLevel: [] },
  email: null,
  message: { serviceLevel: { percentage: 80, durationMs: 60_000 } },
  telepathy: { serviceLevel: { percentage: 0.8, durationMs: 20_000 } },
}

test('queues and users have their divisions; odd fields count as absent, odd things are left out', async (t) => {
  const entities = [
    { id: 'a', name: 'Sales', division: { id: 'd1' }, email: 'a@x.test', state: 'active', mediaSettings: MEDIA_SETTINGS },
    { id: 'b', name: 'Support', division: 'd1', email: 5, mediaSettings: [] },
    { id: 'c', name: '' },
    { id: '', name: 'x' },
    { name: 'x' },
    { id: 7, name: 'x' },
    null,
    'x',
    [],
  ]
  const { server, client } = await bench(t, (asked) => pageOf(asked, entities))
  assert.deepEqual(await client.queues(), [
    {
      id: 'a',
      name: 'Sales',
      divisionId: 'd1',
      serviceGoals: [
        { mediaType: 'VOICE', targetMs: 20_000, share: 0.8 },
        { mediaType: 'MESSAGE', targetMs: 60_000, share: null },
      ],
    },
    { id: 'b', name: 'Support', divisionId: null, serviceGoals: [] },
  ])
  assert.deepEqual(await client.users(), [
    { id: 'a', name: 'Sales', email: 'a@x.test', divisionId: 'd1', state: 'active' },
    { id: 'b', name: 'Support', email: null, divisionId: null, state: null },
  ])
  assert.equal(server.asked[1]?.query.get('state'), 'active')
})

test('a server with its own page size, or without a count of pages, is followed to the end', async (t) => {
  const all = many(120)
  const small = await bench(t, (asked) => {
    asked.query.set('pageSize', '50')
    return pageOf(asked, all)
  })
  assert.equal((await small.client.queues()).length, 120)
  assert.equal(small.server.asked.length, 3)

  const uncounted = await bench(t, (asked) => {
    const page = Number(asked.query.get('pageNumber'))
    const entities = all.slice((page - 1) * 50, page * 50)
    return { json: { entities, ...(page < 3 ? { nextUri: 'https://evil.test/api/v2/routing/queues?pageNumber=9' } : {}) } }
  })
  assert.equal((await uncounted.client.queues()).length, 120)
  assert.deepEqual(
    uncounted.server.asked.map(({ query }) => query.get('pageNumber')),
    ['1', '2', '3'],
  )
})

test('pages that repeat themselves, do not end or hold something else are an error, never half a list', async (t) => {
  const repeating = await bench(t, () => ({ json: { entities: many(100), pageCount: 900 } }))
  await assert.rejects(repeating.client.queues(), { code: 'genesys.paging', message: /repeats itself at page 2/ })
  assert.equal(repeating.server.asked.length, 2)

  const endless = await bench(
    t,
    (asked) => ({ json: { entities: [{ id: `x${asked.query.get('pageNumber')}`, name: 'x' }], pageCount: 1e9 } }),
    100_000,
  )
  await assert.rejects(endless.client.queues(), { code: 'genesys.paging', message: /more than 1000 pages/ })

  for (const json of [{}, { entities: {} }, { entities: 'x' }, { entities: [1, 2] }, { entities: [{ identifier: 'x' }] }]) {
    const odd = await bench(t, () => ({ json }))
    await assert.rejects(odd.client.queues(), { code: 'genesys.bad_answer', message: /\(correlation id cid-1\)$/ })
  }
  const empty = await bench(t, () => ({ json: { entities: [], pageCount: 5 } }))
  assert.deepEqual(await empty.client.queues(), [])
})

test('a conversation is passed on as it is; one that is not there is null', async (t) => {
  const conversation = { id: 'c 1/ä', participants: [{ id: 'p', odd: [1] }], future: { field: true } }
  const { server, client } = await bench(t, (asked) =>
    asked.path.endsWith('none') ? { status: 404, json: { code: 'not.found', message: 'x', status: 404 } } : { json: conversation },
  )
  assert.deepEqual(await client.conversation('c 1/ä'), conversation)
  assert.equal(server.asked[0]?.path, '/api/v2/conversations/c%201%2F%C3%A4')
  assert.equal(await client.conversation('none'), null)
  for (const id of ['', '.', '..', 'x'.repeat(301)]) await assert.rejects(client.conversation(id), { code: 'genesys.bad_id' })
  assert.equal(server.asked.length, 2)
})

test('attributes go out as texts; nothing needs to come back', async (t) => {
  const { server, client } = await bench(t, () => ({ status: 204 }))
  await client.patchAttributes('c1', 'p1', { 'a key': 'v' })
  assert.deepEqual([server.asked[0]?.method, server.asked[0]?.path], ['PATCH', '/api/v2/conversations/c1/participants/p1/attributes'])
  assert.deepEqual(bodyOf(server.asked[0]), { attributes: { 'a key': 'v' } })
})

const DAY_MS = 86_400_000
const FROM_MS = Date.UTC(2026, 7, 1)

async function detailsOf(client: PlatformClient, fromMs: number, toMs: number): Promise<string[]> {
  const ids: string[] = []
  for await (const { conversationId } of client.conversationDetails({ fromMs, toMs })) ids.push(conversationId)
  return ids
}

test('conversation details come page by page, oldest first; a long time in pieces of a day', async (t) => {
  // Number i begins i times 10 minutes after the start, and lasts 25 hours when i is a multiple of 50.
  const all = Array.from({ length: 400 }, (_, i) => ({
    id: `c${i}`,
    startMs: FROM_MS + i * 600_000,
    endMs: FROM_MS + i * 600_000 + (i % 50 === 0 ? 90_000_000 : 60_000),
  }))
  const { server, client } = await bench(t, (asked) => {
    const { interval, paging } = bodyOf(asked) as { interval: string; paging: { pageSize: number; pageNumber: number } }
    const [from = 0, to = 0] = interval.split('/').map((text) => Date.parse(text))
    const found = all.filter(({ startMs, endMs }) => startMs < to && endMs >= from)
    const page = found.slice((paging.pageNumber - 1) * paging.pageSize, paging.pageNumber * paging.pageSize)
    return {
      json:
        page.length === 0
          ? { totalHits: found.length }
          : { conversations: page.map(({ id }) => ({ conversationId: id })), totalHits: found.length },
    }
  })
  assert.deepEqual(
    await detailsOf(client, FROM_MS, FROM_MS + 2.5 * DAY_MS),
    all.slice(0, 360).map(({ id }) => id),
  )
  const first = bodyOf(server.asked[0])
  assert.deepEqual(first, {
    interval: '2026-08-01T00:00:00.000Z/2026-08-02T00:00:00.000Z',
    order: 'asc',
    orderBy: 'conversationStart',
    paging: { pageSize: 100, pageNumber: 1 },
  })
  assert.equal((bodyOf(server.asked.at(-1)) as { interval: string }).interval, '2026-08-03T00:00:00.000Z/2026-08-03T12:00:00.000Z')
  const before = server.asked.length
  assert.deepEqual(await detailsOf(client, FROM_MS, FROM_MS), [])
  assert.equal(server.asked.length, before)
})

test('of a conversation the known fields are taken, where they have their type', async (t) => {
  const good = {
    conversationId: 'c1',
    conversationStart: '2026-08-01T00:00:00.000Z',
    originatingDirection: 'inbound',
    divisionIds: ['d1'],
    participants: [
      {
        participantId: 'p1',
        purpose: 'agent',
        userId: 'u1',
        sessions: [
          {
            sessionId: 's1',
            mediaType: 'voice',
            ani: 'tel:+1',
            flow: { flowId: 'f1' },
            segments: [{ segmentType: 'interact', queueId: 'q1', segmentStart: '2026-08-01T00:00:01.000Z' }],
          },
        ],
      },
    ],
  }
  const odd = {
    conversationId: 'c2',
    conversationStart: 5,
    divisionIds: [null, 'd2'],
    metrics: [1],
    participants: [null, 7, { participantId: [], sessions: 'x' }, { sessions: [{ flow: [], segments: {} }, 'x'] }],
  }
  const { client } = await bench(t, () => ({ json: { conversations: [good, odd, null, {}, { conversationId: 5 }] } }))
  const found = []
  for await (const conversation of client.conversationDetails({ fromMs: FROM_MS, toMs: FROM_MS + 1000 })) found.push(conversation)
  assert.deepEqual(found, [
    good,
    { conversationId: 'c2', divisionIds: ['d2'], participants: [{ sessions: [] }, { sessions: [{ segments: [] }] }] },
  ])
})

test('a details query that repeats its page or answers something else is an error', async (t) => {
  const page = Array.from({ length: 100 }, (_, i) => ({ conversationId: `c${i}` }))
  const repeating = await bench(t, () => ({ json: { conversations: page } }))
  await assert.rejects(detailsOf(repeating.client, FROM_MS, FROM_MS + 1000), { code: 'genesys.paging' })
  for (const conversations of ['x', {}, [1], [{ id: 'c1' }]]) {
    const { client } = await bench(t, () => ({ json: { conversations } }))
    await assert.rejects(detailsOf(client, FROM_MS, FROM_MS + 1000), { code: 'genesys.bad_answer' })
  }
})

test('channels: created, looked for, given topics', async (t) => {
  const { server, client } = await bench(t, ({ method, path }) => {
    if (method === 'HEAD') return path.endsWith('gone') ? { status: 404 } : { status: 200 }
    if (path.endsWith('subscriptions'))
      return {
        json: {
          entities: [
            { id: 'v2.users.u1.presence', state: 'Permitted' },
            { id: 'v2.users.u2.presence', state: 'Rejected', rejectionReason: 'no', missingPermissions: ['presence:user:view', 5] },
            { id: 'v2.users.u3.presence' },
          ],
        },
      }
    return { json: { id: 'ch1', connectUri: 'wss://streaming.mypurecloud.com/channels/ch1', expires: '2026-08-02T00:00:00.000Z' } }
  })
  assert.deepEqual(await client.createChannel(), {
    id: 'ch1',
    connectUri: 'wss://streaming.mypurecloud.com/channels/ch1',
    expiresAtMs: Date.UTC(2026, 7, 2),
  })
  assert.deepEqual([await client.channelExists('ch1'), await client.channelExists('gone')], [true, false])
  const states = await client.addTopics('ch1', ['v2.users.u1.presence', 'v2.users.u2.presence'])
  assert.deepEqual(states, [
    { topic: 'v2.users.u1.presence', permitted: true, reason: null, missingPermissions: [] },
    { topic: 'v2.users.u2.presence', permitted: false, reason: 'no', missingPermissions: ['presence:user:view'] },
    { topic: 'v2.users.u3.presence', permitted: true, reason: null, missingPermissions: [] },
  ])
  await client.replaceTopics('ch1', ['v2.users.u9.activity'])
  const [added, replaced] = server.asked.slice(-2)
  assert.deepEqual(
    [added?.method, added?.query.get('ignoreErrors'), bodyOf(added)],
    ['POST', 'true', [{ id: 'v2.users.u1.presence' }, { id: 'v2.users.u2.presence' }]],
  )
  assert.deepEqual([replaced?.method, bodyOf(replaced)], ['PUT', [{ id: 'v2.users.u9.activity' }]])
})

test('a channel is whole and safe, or an error', async (t) => {
  const good = { id: 'ch1', connectUri: 'wss://s.test/channels/ch1', expires: '2026-08-02T00:00:00.000Z' }
  for (const change of [
    { id: undefined },
    { connectUri: 'ws://s.test/channels/ch1' },
    { connectUri: 'https://s.test/' },
    { connectUri: 'x' },
    { expires: 'never' },
    { expires: undefined },
  ]) {
    const { client } = await bench(t, () => ({ json: { ...good, ...change } }))
    await assert.rejects(client.createChannel(), { code: 'genesys.bad_answer' }, JSON.stringify(change))
  }
  const local = await bench(t, () => ({ json: { ...good, connectUri: 'ws://127.0.0.1:1/channels/ch1' } }))
  assert.equal((await local.client.createChannel()).connectUri, 'ws://127.0.0.1:1/channels/ch1')
})

test('available topics are asked for with their schemas and passed on', async (t) => {
  const topic = { id: 'v2.users.{id}.presence', schema: { $id: 'urn:x' }, transports: ['All'] }
  const { server, client } = await bench(t, () => ({ json: { entities: [topic, 5] } }))
  assert.deepEqual(await client.availableTopics(), [topic])
  assert.ok(server.asked[0]?.query.getAll('expand').includes('schema'))
})

test('an integration is created, configured over its version, enabled and looked at', async (t) => {
  const integration = {
    id: 'i1',
    name: 'Amazon EventBridge Source',
    integrationType: { id: 'amazon-eventbridge-source' },
    intendedState: 'DISABLED',
    reportedState: { code: 'INACTIVE', detail: { message: 'off' }, lastUpdated: '2026-08-01T00:00:00.000Z' },
  }
  const config = { name: 'x', version: 3, properties: { awsAccountId: '1' }, advanced: {}, notes: '', credentials: {} }
  const { server, client } = await bench(t, ({ method, path }) => {
    if (path.endsWith('/none')) return { status: 404, json: { code: 'not.found' } }
    if (path.endsWith('/config/current'))
      return method === 'PUT' ? { status: 409, json: { code: 'conflict', message: 'version' } } : { json: config }
    return { json: integration }
  })
  const { integrations } = client
  const made = await integrations.create('amazon-eventbridge-source', 'Amazon EventBridge Source')
  assert.deepEqual(made, {
    id: 'i1',
    name: 'Amazon EventBridge Source',
    typeId: 'amazon-eventbridge-source',
    intendedState: 'DISABLED',
    reportedState: 'INACTIVE',
    reportedDetail: 'off',
    reportedAt: '2026-08-01T00:00:00.000Z',
  })
  assert.deepEqual(bodyOf(server.asked[0]), { name: 'Amazon EventBridge Source', integrationType: { id: 'amazon-eventbridge-source' } })
  assert.deepEqual(await integrations.config('i1'), config)
  await assert.rejects(integrations.putConfig('i1', config), { code: 'genesys.conflict' })
  await integrations.setState('i1', 'ENABLED')
  assert.deepEqual(bodyOf(server.asked.at(-1)), { intendedState: 'ENABLED' })
  assert.equal(await integrations.get('none'), null)
})

test('one conversation of analytics: as in the query, null where there is none, an answer without an id is none', async (t) => {
  const answers: Reply[] = [
    { status: 200, json: { conversationId: 'c-1', conversationEnd: '2026-08-14T08:00:00.000Z', participants: [{ purpose: 5 }], more: 1 } },
    { status: 404, json: { code: 'not.found' } },
    { status: 200, json: {} },
  ]
  const { server, client } = await bench(t, () => answers.shift() ?? assert.fail('asked too often'))
  assert.deepEqual(await client.conversationDetail('c/1'), {
    conversationId: 'c-1',
    conversationEnd: '2026-08-14T08:00:00.000Z',
    participants: [{ sessions: [] }],
  })
  assert.equal(server.asked[0]?.path, '/api/v2/analytics/conversations/c%2F1/details')
  assert.equal(await client.conversationDetail('c-2'), null)
  await assert.rejects(client.conversationDetail('c-3'), { code: 'genesys.bad_answer' })
})

test('users are asked for by their ids, fifty a call; a part that is missing or odd is null', async (t) => {
  const presence = { presenceDefinition: { id: 'd', systemPresence: 'On Queue' }, modifiedDate: '2026-08-14T08:00:00.000Z' }
  const { server, client } = await bench(t, (asked) =>
    pageOf(
      asked,
      asked.query
        .getAll('id')
        .map((id) =>
          id === 'id-0' ? { id, presence, routingStatus: { status: 'IDLE', startTime: 7 } } : { id, presence: {}, routingStatus: 'IDLE' },
        ),
    ),
  )
  const found = await client.userStatuses(many(120).map(({ id }) => id))
  assert.equal(found.length, 120)
  assert.deepEqual(found[0], {
    id: 'id-0',
    presence: { systemPresence: 'On Queue', definitionId: 'd', modifiedDate: '2026-08-14T08:00:00.000Z' },
    routingStatus: { status: 'IDLE', startTime: null },
  })
  assert.deepEqual(found[1], { id: 'id-1', presence: null, routingStatus: null })
  assert.deepEqual(
    server.asked.map(({ query }) => [query.getAll('id').length, query.getAll('expand'), query.get('state')]),
    [50, 50, 20].map((ids) => [ids, ['presence', 'routingStatus'], 'any']),
  )
  assert.deepEqual(await client.userStatuses([]), [])
  assert.equal(server.asked.length, 3)
})
