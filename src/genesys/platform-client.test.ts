import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { systemClock } from '../hosts/clock.ts'
import { genesysServer, type Asked, type GenesysServer, type GenesysServerOptions, type Reply } from '../testing/genesys-server.ts'
import { scaledClock } from '../simulator/scaled-clock.ts'
import type { GenesysError } from './failure.ts'
import { platformClient, type PlatformClient, type PlatformClientOptions } from './platform-client.ts'
import { hostsAt } from './regions.ts'

type Bench = { readonly server: GenesysServer; readonly client: PlatformClient }

/** A client and a server over real HTTP; their clock runs 200 times as fast, unless a test says otherwise. */
async function bench(
  t: TestContext,
  server: Omit<GenesysServerOptions, 'clock'>,
  changed: Partial<PlatformClientOptions> = {},
  speed = 200,
): Promise<Bench> {
  const clock = scaledClock(systemClock, systemClock.nowMs(), speed)
  const served = await genesysServer(t, { clock, ...server })
  const client = platformClient({
    hosts: hostsAt(served.url),
    clientId: 'client-1',
    clientSecret: 'secret-of-client-1',
    clock,
    random: () => 0.5,
    fetch,
    userAgent: 'trunkline/test',
    // Five seconds of real time.
    timeoutMs: 1_000_000,
    ...changed,
  })
  return { server: served, client }
}

const ORGANIZATION = { id: 'org-1', name: 'Example', domain: 'example' }

/** Answers with each of the replies in turn, then with an organization. */
function inTurn(...replies: readonly Reply[]): (asked: Asked) => Reply {
  const left = [...replies]
  return () => (left.length > 0 ? (left.shift() ?? null) : { json: ORGANIZATION })
}

async function failure(promise: Promise<unknown>): Promise<GenesysError> {
  return promise.then(
    () => assert.fail('it did not fail'),
    (error: unknown) => error as GenesysError,
  )
}

test('a call carries the token, and its answer is read', async (t) => {
  const { server, client } = await bench(t, { answer: inTurn() })
  assert.deepEqual(await client.organization(), ORGANIZATION)
  const { method, path, headers } = server.asked[0] ?? assert.fail()
  assert.deepEqual(
    [method, path, headers.authorization, headers['user-agent']],
    ['GET', '/api/v2/organizations/me', 'Bearer token-1-0123456789abcdef', 'trunkline/test'],
  )
  const budget = client.budget()
  assert.deepEqual([budget.allowed, budget.used, budget.inFlight], [300, 1, 0])
})

test('wrong credentials: every call fails at once, and the login is left alone', async (t) => {
  const { server, client } = await bench(t, { clientSecret: 'another' })
  for (let i = 0; i < 5; i++) assert.equal((await failure(client.organization())).code, 'genesys.credentials')
  assert.deepEqual([server.logins.length, server.asked.length], [1, 0])
})

test('a token that is refused is renewed once for all, and each call repeated once', async (t) => {
  const { server, client } = await bench(t, { answer: inTurn() })
  await client.organization()
  server.revoke()
  await Promise.all(Array.from({ length: 20 }, () => client.organization()))
  assert.equal(server.logins.length, 2)
  assert.equal(server.asked.length, 21)
})

test('a server that refuses every token is asked twice, not for ever', async (t) => {
  let calls = 0
  const { server, client } = await bench(
    t,
    {
      answer: () => {
        calls += 1
        return { status: 401, json: { code: 'bad.credentials', message: 'no' } }
      },
    },
    {},
    1,
  )
  const error = await failure(client.organization())
  assert.equal(error.code, 'genesys.unauthorized')
  assert.deepEqual([calls, server.logins.length], [2, 2])
  await failure(client.organization())
  assert.deepEqual([calls, server.logins.length], [3, 2], 'no login a call')
})

test('403 names the permission that is missing, and the correlation id', async (t) => {
  const say = (code: string, message: string, messageParams = {}): Reply => ({
    status: 403,
    json: { message, code, status: 403, messageParams, contextId: 'c', details: [], errors: [] },
  })
  const cases = [
    [say('missing.permissions', 'You are missing the following permission(s): routing:queue:view'), ['routing:queue:view']],
    [
      say(
        'missing.any.permissions',
        'You must have at least one of: [analytics:conversationDetail:view, analytics:agentConversationDetail:view]',
      ),
      ['analytics:conversationDetail:view', 'analytics:agentConversationDetail:view'],
    ],
    [
      say('missing.permissions', 'Unable to perform the requested action.', { permissions: 'integrations:integration:add' }),
      ['integrations:integration:add'],
    ],
    [say('not.authorized', 'You are not authorized to perform the requested action. See https://help.test:443/x'), []],
    [{ status: 403, json: [] }, []],
    [{ status: 403, raw: '' }, []],
  ] as const
  for (const [reply, permissions] of cases) {
    const { client } = await bench(t, { answer: () => reply })
    const error = await failure(client.queues())
    assert.deepEqual([error.code, error.status, error.correlationId, error.permissions], ['genesys.forbidden', 403, 'cid-1', permissions])
    assert.match(error.message, /GET \/api\/v2\/routing\/queues is forbidden.*\(correlation id cid-1\)$/)
    for (const permission of permissions) assert.ok(error.message.includes(permission) && error.hint.includes(permission))
  }
})

test('what the API says in other refusals is shown, cut, escaped and without the token', async (t) => {
  const cases = [
    [404, 'genesys.not_found'],
    [400, 'genesys.refused'],
    [409, 'genesys.conflict'],
    [500, 'genesys.server_error'],
    [418, 'genesys.refused'],
  ] as const
  for (const [status, code] of cases) {
    const message = `\u001b[31mno\r\n token-1-0123456789abcdef secret-of-client-1 ${'x'.repeat(50_000)}`
    const { server, client } = await bench(t, { answer: () => ({ status, json: { code: 'bad.thing', message } }) })
    const error = await failure(client.organization())
    assert.equal(error.code, code)
    assert.equal(server.asked.length, 1, 'not repeated')
    assert.ok(error.message.includes('bad.thing, ') && error.message.length < 400, error.message)
    const shown = inspect(error, { depth: Infinity, showHidden: true }) + JSON.stringify(error) + error.stack
    for (const never of ['\u001b[31m', '\r', 'token-1', 'secret-of']) assert.ok(!shown.includes(never), `${never} in ${shown}`)
  }
})

test('429: waits as the answer says, for everybody, and comes back', async (t) => {
  const clock = scaledClock(systemClock, systemClock.nowMs(), 200)
  const atMs: number[] = []
  let calls = 0
  const { client } = await bench(t, {
    answer: () => {
      atMs.push(clock.nowMs())
      return (calls += 1) === 1 ? { status: 429, headers: { 'retry-after': '20' }, json: {} } : { json: ORGANIZATION }
    },
  })
  await Promise.all([client.organization(), client.organization(), client.organization()])
  assert.equal(calls, 4)
  assert.ok((atMs[1] ?? 0) - (atMs[0] ?? 0) >= 20_000)
  assert.equal(client.budget().refusals, 1)
})

test('429 again and again ends in an error', async (t) => {
  const { client } = await bench(t, { answer: () => ({ status: 429, headers: { 'retry-after': '1' }, json: {} }) })
  const error = await failure(client.organization())
  assert.equal(error.code, 'genesys.rate_limited')
  assert.equal(client.budget().refusals, 6)
})

test('50 callers stay within a budget that the server counts strictly', async (t) => {
  const { server, client } = await bench(t, { allowed: 60, answer: inTurn() })
  let left = 200
  const caller = async (): Promise<void> => {
    while (left-- > 0) await client.organization()
  }
  await Promise.all(Array.from({ length: 50 }, caller))
  assert.equal(server.refused, 0)
  assert.equal(server.asked.length, 200)
})

test('502, 503, 504 and broken connections pass, when repeating does no harm', async (t) => {
  const broken = (_asked: Asked, response: { destroy(): unknown }): Reply => {
    response.destroy()
    return null
  }
  const half: GenesysServerOptions['answer'] = (_asked, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"id":')
    setImmediate(() => response.destroy())
    return null
  }
  for (const trouble of [
    () => ({ status: 502, raw: '<html>', headers: { 'content-type': 'text/html' } }),
    () => ({ status: 503, json: {} }),
    () => ({ status: 504, raw: '' }),
    broken,
    half,
  ]) {
    let calls = 0
    const { client } = await bench(t, {
      answer: (asked, response) => ((calls += 1) < 4 ? trouble(asked, response) : { json: ORGANIZATION }),
    })
    assert.deepEqual(await client.organization(), ORGANIZATION)
    assert.equal(calls, 4)
  }
})

test('what stays broken ends in an error after five attempts', async (t) => {
  const { server, client } = await bench(t, { answer: () => ({ status: 503, json: {} }) })
  const error = await failure(client.organization())
  assert.deepEqual([error.code, error.status, server.asked.length], ['genesys.unavailable', 503, 5])
})

test('an attempt that hangs is ended by its time and repeated', async (t) => {
  const { server, client } = await bench(t, { answer: inTurn(null) }, { timeoutMs: 20_000 })
  assert.deepEqual(await client.organization(), ORGANIZATION)
  assert.equal(server.asked.length, 2)
})

test('creating a channel is not repeated when it is not clear whether it was done', async (t) => {
  for (const reply of [
    { status: 503, json: {} },
    { status: 504, json: {} },
  ] as const) {
    const { server, client } = await bench(t, { answer: () => reply })
    assert.equal((await failure(client.createChannel())).code, 'genesys.unavailable')
    assert.equal(server.asked.length, 1)
  }
  const hanging = await bench(t, { answer: () => null }, { timeoutMs: 20_000 })
  const error = await failure(hanging.client.createChannel())
  assert.equal(error.code, 'genesys.timeout')
  assert.match(error.message, /Whether POST \/api\/v2\/notifications\/channels was carried out is not known/)
  assert.equal(hanging.server.asked.length, 1)
})

test('an abort ends a call wherever it is, at once', async (t) => {
  const hanging = await bench(t, { answer: () => null })
  const abort = new AbortController()
  const calls = Promise.all(Array.from({ length: 5 }, () => failure(hanging.client.organization(abort.signal))))
  while (hanging.server.asked.length === 0) await new Promise(setImmediate)
  abort.abort()
  for (const error of await calls) assert.equal(error.code, 'genesys.stopped')
  assert.deepEqual([hanging.client.budget().inFlight, hanging.client.budget().waiting], [0, 0])
  assert.equal((await failure(hanging.client.organization(abort.signal))).code, 'genesys.stopped')

  const end = new AbortController()
  const backingOff = await bench(
    t,
    { answer: () => ({ status: 503, headers: { 'retry-after': '100' }, json: {} }) },
    { signal: end.signal },
  )
  const ended = failure(backingOff.client.organization())
  while (backingOff.server.asked.length === 0) await new Promise(setImmediate)
  end.abort()
  assert.equal((await ended).code, 'genesys.stopped')
})

test('answers that are none: HTML, half of it, another type, a redirect, too much, too packed', async (t) => {
  const html = { 'content-type': 'text/html; charset=utf-8' }
  const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024, 0x20))
  const cases = [
    [{ raw: '<html>Log in</html>', headers: html }, 'genesys.bad_answer', /an HTML page/],
    [{ status: 404, raw: '<html>', headers: html }, 'genesys.bad_answer', /an HTML page \(status 404\)/],
    [{ status: 403, raw: '<html>', headers: html }, 'genesys.bad_answer', /an HTML page \(status 403\)/],
    [{ raw: '{"id":"org-1","name":"Exa' }, 'genesys.bad_answer', /only a part of it/],
    [{ raw: '' }, 'genesys.bad_answer', /no JSON/],
    [{ raw: 'id=1', headers: { 'content-type': 'text/plain' } }, 'genesys.bad_answer', /text\/plain/],
    [{ json: [] }, 'genesys.bad_answer', /no object/],
    [{ json: null, raw: 'null' }, 'genesys.bad_answer', /no object/],
    [{ json: { name: 'Example' } }, 'genesys.bad_answer', /without an id/],
    [{ json: { id: 5 } }, 'genesys.bad_answer', /without an id/],
    [{ raw: new Uint8Array([0x22, 0xc3, 0x28, 0x22]) }, 'genesys.bad_answer', /UTF-8/],
    [{ raw: bomb, headers: { 'content-encoding': 'gzip' } }, 'genesys.bad_answer', /more than 16777216 bytes/],
    [{ status: 302, headers: { location: 'https://elsewhere.test/login?x=1' } }, 'genesys.redirected', /to elsewhere\.test,/],
    [{ status: 307 }, 'genesys.redirected', /redirect, which/],
  ] as const
  for (const [reply, code, message] of cases) {
    const { server, client } = await bench(t, { answer: () => reply })
    const error = await failure(client.organization())
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.equal(error.correlationId, 'cid-1')
    assert.equal(server.asked.length, 1, 'not repeated, not followed')
  }
})

test('an HTML page is never taken for "there is none" or "done"', async (t) => {
  const html = { status: 404, raw: '<html>', headers: { 'content-type': 'text/html' } }
  const { client } = await bench(t, { answer: () => html })
  assert.equal((await failure(client.conversation('c1'))).code, 'genesys.bad_answer')
  assert.equal((await failure(client.channelExists('c1'))).code, 'genesys.bad_answer')
  const page = await bench(t, { answer: () => ({ ...html, status: 200 }) })
  assert.equal((await failure(page.client.patchAttributes('c1', 'p1', { a: 'b' }))).code, 'genesys.bad_answer')
})

test('the port without anybody is unreachable, with the reason', async (t) => {
  const { client } = await bench(t, {}, { hosts: hostsAt('http://127.0.0.1:9') })
  const error = await failure(client.organization())
  assert.equal(error.code, 'genesys.unreachable')
})
