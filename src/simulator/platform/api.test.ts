import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { KNOWN_TOPICS } from '../../event/known-topics.ts'
import { seededRandom, virtualClock } from '../../testing/virtual-clock.ts'
import { ask, basic, CREDENTIALS, scene, type Answered } from './_caller.ts'
import { queueId, scriptedCentre, userId } from './_scripted-centre.ts'
import { startPlatform } from './platform.ts'

const START_MS = Date.UTC(2026, 7, 14, 8)
const world = () => ({ clock: virtualClock(START_MS), random: seededRandom(7) })

function codeOf({ body }: Answered): unknown {
  return (body as { code?: unknown }).code
}

function listOf({ body }: Answered): readonly { readonly id: string; readonly name: string }[] {
  return (body as { entities: { id: string; name: string }[] }).entities
}

test('a token is for the right credentials and grant only, and lives as long as it says', async (t) => {
  const { clock, random } = world()
  const { platform, call } = await scene(t, { clock, random, limits: { tokenLifeMs: 300_000 } })
  const grant = (authorization: string | null, body = 'grant_type=client_credentials', method = 'POST') =>
    ask(`${platform.url}/oauth/token`, {
      method,
      headers: authorization === null ? {} : { authorization },
      ...(method === 'POST' ? { body } : {}),
    })
  for (const wrong of [
    null,
    'Basic !',
    'Bearer x',
    basic({ ...CREDENTIALS, clientSecret: 'other' }),
    basic({ ...CREDENTIALS, clientId: 'other' }),
  ]) {
    const answer = await grant(wrong)
    assert.equal(answer.status, 401)
    assert.equal((answer.body as { error: string }).error, 'invalid_client')
  }
  assert.equal((await grant(basic(CREDENTIALS), 'grant_type=password')).status, 400)
  assert.equal((await grant(basic(CREDENTIALS), '', 'GET')).status, 405)

  const given = await grant(basic(CREDENTIALS))
  assert.equal(given.status, 200)
  const { access_token: token, token_type: type, expires_in: lifeSeconds } = given.body as Record<string, unknown>
  assert.deepEqual([type, lifeSeconds], ['bearer', 300])
  const me = () => call('GET', '/api/v2/organizations/me', undefined, String(token))
  assert.equal((await me()).status, 200)
  await clock.advance(299_999)
  assert.equal((await me()).status, 200)
  await clock.advance(1)
  const late = await me()
  assert.deepEqual([late.status, codeOf(late)], [401, 'bad.credentials'])
})

test('without a token there is nothing, and the error says so in the shape of the platform', async (t) => {
  const { platform } = await scene(t, world())
  const answer = await ask(`${platform.url}/api/v2/routing/queues`)
  assert.equal(answer.status, 401)
  const body = answer.body as Record<string, unknown>
  assert.equal(body['code'], 'authentication.required')
  assert.equal(body['status'], 401)
  assert.equal(body['contextId'], answer.headers.get('inin-correlation-id'))
  assert.equal(answer.headers.get('inin-ratelimit-count'), null, 'nobody is counted')
  const other = await ask(`${platform.url}/api/v2/routing/queues`, { headers: { authorization: 'Bearer nonsense' } })
  assert.deepEqual([other.status, codeOf(other)], [401, 'bad.credentials'])
})

test('the rate window begins with its first call, counts every call of its token, and ends a minute later', async (t) => {
  const { clock, random } = world()
  const { call, token } = await scene(t, { clock, random, limits: { retryAfter: 'always' } })
  const [one, two] = [await token(), await token()]
  const me = (bearer: string) => call('GET', '/api/v2/organizations/me', undefined, bearer)
  const rate = ({ headers }: Answered) => ['count', 'allowed', 'reset'].map((name) => Number(headers.get(`inin-ratelimit-${name}`)))
  await clock.advance(45_000)
  assert.deepEqual(rate(await me(one)), [1, 300, 60])
  await clock.advance(20_500)
  const burst = await Promise.all(Array.from({ length: 340 }, () => me(one)))
  assert.equal(burst.filter(({ status }) => status === 200).length, 299)
  const refused = burst.filter(({ status }) => status === 429)
  assert.equal(refused.length, 41)
  for (const answer of refused) assert.deepEqual([codeOf(answer), answer.headers.get('retry-after')], ['too.many.requests', '40'])
  assert.deepEqual(
    burst.map((answer) => rate(answer)[0]).toSorted((a, b) => a! - b!),
    Array.from({ length: 340 }, (_, i) => i + 2),
  )
  assert.deepEqual(rate(await me(two)), [1, 300, 60], 'another token has a window of its own')
  await clock.advance(39_499)
  assert.equal((await me(one)).status, 429)
  await clock.advance(1)
  assert.deepEqual(rate(await me(one)), [1, 300, 60])
})

test('Retry-After may be left out; the reset is always there', async (t) => {
  for (const [retryAfter, expected] of [
    ['never', [false]],
    ['sometimes', [false, true]],
  ] as const) {
    const { call } = await scene(t, { ...world(), limits: { retryAfter, requestsPerMinute: 1 } })
    await call('GET', '/api/v2/organizations/me')
    const answers = await Promise.all(Array.from({ length: 40 }, () => call('GET', '/api/v2/organizations/me')))
    const said = new Set(answers.map(({ headers }) => headers.has('retry-after')))
    assert.deepEqual(said, new Set(expected), retryAfter)
    assert.ok(answers.every(({ status, headers }) => status === 429 && Number(headers.get('inin-ratelimit-reset')) > 0))
  }
})

test('the date of an answer is that of the clock', async (t) => {
  const { clock, random } = world()
  const { call } = await scene(t, { clock, random })
  await clock.advance(3_600_000)
  assert.equal((await call('GET', '/api/v2/organizations/me')).headers.get('date'), 'Fri, 14 Aug 2026 09:00:00 GMT')
})

test('directories have the names of the centre', async (t) => {
  const { call, centre } = await scene(t, world())
  const [organization, ...lists] = await Promise.all(
    ['organizations/me', 'authorization/divisions', 'routing/queues', 'users', 'routing/wrapupcodes', 'flows'].map((path) =>
      call('GET', `/api/v2/${path}`),
    ),
  )
  const named = (list: readonly { readonly id: string; readonly name: string }[]) => list.map(({ id, name }) => [id, name])
  const { divisions, queues, users, wrapupCodes, flows } = centre.centre
  assert.deepEqual(
    [(organization!.body as { id: string }).id, (organization!.body as { domain: string }).domain],
    ['o1', 'simulated-centre'],
  )
  assert.deepEqual(
    lists.map((list) => named(listOf(list))),
    [divisions, queues, users, wrapupCodes, flows].map(named),
  )
  const [queue] = listOf(await call('GET', '/api/v2/routing/queues')) as unknown as {
    mediaSettings: unknown
    division: { name: string }
    memberCount: number
  }[]
  assert.deepEqual(queue?.mediaSettings, { call: { alertingTimeoutSeconds: 30, serviceLevel: queues[0]?.serviceTarget } })
  assert.deepEqual([queue?.division.name, queue?.memberCount], ['Home', 3])
})

test('paging: every entity once, whatever the size of the page; next as long as there is more', async (t) => {
  const { call, centre } = await scene(t, { ...world(), queues: 57, limits: { requestsPerMinute: 10_000, maxPageSize: 50 } })
  const all = centre.centre.queues.map(({ id }) => id)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 80 }), async (pageSize) => {
      const found: string[] = []
      let next: string | undefined = `/api/v2/routing/queues?pageSize=${pageSize}`
      for (let pages = 0; next !== undefined; pages++) {
        const answer = await call('GET', next)
        const body = answer.body as { pageSize: number; pageCount: number; total: number; nextUri?: string }
        const size = Math.min(pageSize, 50)
        assert.deepEqual([body.pageSize, body.pageCount, body.total], [size, Math.ceil(57 / size), 57])
        assert.ok(pages < body.pageCount)
        found.push(...listOf(answer).map(({ id }) => id))
        next = body.nextUri
      }
      assert.deepEqual(found, all)
    }),
    { numRuns: 25 },
  )
  assert.equal(listOf(await call('GET', '/api/v2/routing/queues')).length, 25, 'the default')
  assert.deepEqual(listOf(await call('GET', '/api/v2/routing/queues?pageNumber=99')), [])
  for (const wrong of ['pageSize=0', 'pageSize=x', 'pageNumber=-1', 'pageNumber=1.5'])
    assert.equal((await call('GET', `/api/v2/users?${wrong}`)).status, 400, wrong)
})

test('queues are filtered by name, id and division', async (t) => {
  const { call } = await scene(t, { ...world(), queues: 12 })
  const ids = async (query: string) => listOf(await call('GET', `/api/v2/routing/queues?${query}`)).map(({ id }) => id)
  assert.deepEqual(await ids('name=queue 1'), [queueId(1)])
  assert.deepEqual(await ids('name=Queue 1*'), [1, 10, 11].map(queueId))
  assert.deepEqual(await ids('name=*0'), [0, 10].map(queueId))
  assert.deepEqual(await ids(`id=${queueId(3)}&id=${queueId(4)}`), [3, 4].map(queueId))
  assert.equal((await ids('divisionId=d2')).length, 6)
})

test('available topics: all that are documented, with schemas where they are shipped and only when asked for', async (t) => {
  const { call } = await scene(t, { ...world(), limits: { forbiddenTopics: { 'v2.users.{id}.presence': 'presence:user:view' } } })
  const plain = listOf(await call('GET', '/api/v2/notifications/availabletopics'))
  assert.deepEqual(
    plain,
    KNOWN_TOPICS.map((id) => ({ id })),
  )
  const asked = await call('GET', '/api/v2/notifications/availabletopics?expand=schema,transports&expand=requiresPermissions')
  const topics = (
    asked.body as { entities: { id: string; schema?: Record<string, unknown>; transports: string[]; requiresPermissions: string[] }[] }
  ).entities
  assert.equal(topics.filter(({ schema }) => schema !== undefined).length, 37)
  for (const { id, schema } of topics) if (schema !== undefined) assert.equal(schema['x-genesys-topic'], id)
  assert.deepEqual(topics.find(({ id }) => id === 'v2.users.{id}.presence')?.requiresPermissions, ['presence:user:view'])
})

test('bad requests of all kinds get an answer, and the next good one does too', async (t) => {
  const { call, platform, token } = await scene(t, { ...world(), limits: { maxBodyBytes: 10_000 } })
  const bearer = await token()
  const channels = '/api/v2/notifications/channels'
  const subscriptions = `${channels}/none/subscriptions`
  const post = (path: string, body: string, type = 'application/json') =>
    ask(`${platform.url}${path}`, { method: 'POST', headers: { authorization: `Bearer ${bearer}`, 'content-type': type }, body })
  const cases: readonly (readonly [string, Promise<Answered>, number])[] = [
    ['unknown path', call('GET', '/api/v2/no/such/thing'), 404],
    ['path outside the API', call('GET', '/favicon.ico'), 404],
    ['empty id', call('GET', '/api/v2/conversations/'), 200],
    ['odd escapes', call('GET', '/api/v2/conversations/%E0%A4%A'), 404],
    ['other method', call('DELETE', '/api/v2/routing/queues'), 405],
    ['method nobody knows', call('PROPFIND', '/api/v2/routing/queues'), 405],
    ['garbage', post(subscriptions, '{"a":'), 400],
    ['not JSON by its type', post(subscriptions, '<a/>', 'text/xml'), 415],
    ['larger than the limit', post(subscriptions, 'x'.repeat(10_001)), 413],
    ['much larger', post(subscriptions, 'x'.repeat(8_000_000)), 413],
    ['large token request', ask(`${platform.url}/oauth/token`, { method: 'POST', body: 'x'.repeat(10_001) }), 413],
    ['deep nesting', post('/api/v2/analytics/conversations/details/query', '['.repeat(9_000)), 400],
  ]
  for (const [what, answer, status] of cases) {
    const { status: got, body } = await answer
    assert.equal(got, status, what)
    if (status >= 400) assert.equal((body as { status: number }).status, status, what)
  }
  const channel = await call('POST', channels)
  const own = `${channels}/${(channel.body as { id: string }).id}/subscriptions`
  for (const body of ['{}', '[1]', '["v2.users.x.presence"]', '[{"id":7}]', 'null', '"x"'])
    assert.equal((await post(own, body)).status, 400, body)
  assert.equal((await call('GET', '/api/v2/organizations/me')).status, 200)
})

test('what is no HTTP at all is cut off, and harms nobody', async (t) => {
  const { platform, call } = await scene(t, world())
  const { port, hostname } = new URL(platform.url)
  for (const bytes of ['\u0000\u0001\u0002\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`]) {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => undefined)
    socket.end(bytes)
    await new Promise<void>((resolve) => socket.on('close', () => resolve()).resume())
  }
  assert.equal((await call('GET', '/api/v2/organizations/me')).status, 200)
})

test('after stop nothing answers and nothing waits; a taken port is said to be taken', async (t) => {
  const { clock, random } = world()
  const { platform, call, channel, connect: open } = await scene(t, { clock, random })
  await call('GET', '/api/v2/organizations/me')
  const line = await open((await channel(`v2.users.${userId(0)}.presence`)).connectUri)
  await platform.stop()
  await line.closed
  await assert.rejects(fetch(platform.url))
  await assert.doesNotReject(platform.stop(), 'stopping twice is stopping once')
  assert.equal(clock.waiting(), 0)

  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  t.after(() => other.close())
  const { port } = other.address() as AddressInfo
  await assert.rejects(startPlatform({ simulation: scriptedCentre(), clock, random, credentials: CREDENTIALS, port }), {
    code: 'http.port_in_use',
  })
})
