import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { inspect } from 'node:util'
import { handClock, type HandClock } from '../testing/hand-clock.ts'
import { genesysServer, type GenesysServer, type GenesysServerOptions } from '../testing/genesys-server.ts'
import { TokenKeeper, type TokenOptions } from './token.ts'

const SECRET = 'secret-of-client-1'

type Bench = { readonly server: GenesysServer; readonly clock: HandClock; readonly keeper: TokenKeeper }

/** A keeper and a login; time moves only by hand. Waits between attempts are none, as chance is 0. */
async function bench(
  t: TestContext,
  options: Omit<GenesysServerOptions, 'clock'> = {},
  changed: Partial<TokenOptions> = {},
): Promise<Bench> {
  const clock = handClock()
  const server = await genesysServer(t, { clock, ...options })
  const keeper = new TokenKeeper({
    loginUrl: server.url,
    clientId: 'client-1',
    clientSecret: SECRET,
    userAgent: 'trunkline/test',
    clock: { ...clock, wait: async (ms, signal) => (ms === 0 ? undefined : clock.wait(ms, signal)) },
    random: () => 0,
    fetch,
    timeoutMs: 30_000,
    ...changed,
  })
  return { server, clock, keeper }
}

test('a login sends id and secret in the Basic header and the grant as a form', async (t) => {
  const { server, keeper } = await bench(t)
  assert.match(await keeper.token(), /^token-1-/)
  const [login] = server.logins
  assert.equal(login?.headers.authorization, `Basic ${btoa(`client-1:${SECRET}`)}`)
  assert.equal(login?.headers['content-type'], 'application/x-www-form-urlencoded')
  assert.equal(login?.body, 'grant_type=client_credentials')
})

test('any number of callers at once make one login', async (t) => {
  const { server, keeper } = await bench(t)
  const tokens = await Promise.all(Array.from({ length: 50 }, () => keeper.token()))
  assert.deepEqual([new Set(tokens).size, server.logins.length], [1, 1])
})

test('a token is renewed before it ends: five minutes for a long life, a fifth for the shortest', async (t) => {
  for (const [lifeS, keptS] of [
    [86_400, 86_100],
    [300, 240],
  ] as const) {
    const { server, clock, keeper } = await bench(t, { tokenLifeS: lifeS })
    await keeper.token()
    clock.pass(keptS * 1000 - 1)
    await keeper.token()
    assert.equal(server.logins.length, 1)
    clock.pass(1)
    const tokens = await Promise.all(Array.from({ length: 20 }, () => keeper.token()))
    assert.deepEqual([server.logins.length, ...new Set(tokens)], [2, 'token-2-0123456789abcdef'])
  }
})

test('while the login is down, a token that still lives is used', async (t) => {
  let down = false
  const { server, clock, keeper } = await bench(t, { tokenLifeS: 300, login: () => (down ? { status: 503, raw: '' } : undefined) })
  const first = await keeper.token()
  down = true
  clock.pass(250_000)
  assert.equal(await keeper.token(), first)
  assert.equal(await keeper.token(), first)
  assert.equal(server.logins.length, 4, 'three attempts, then the failure is remembered')
  clock.pass(50_000)
  await assert.rejects(keeper.token(), { code: 'genesys.unavailable' })
  down = false
  clock.pass(300_000)
  assert.match(await keeper.token(), /^token-2-/)
})

test('wrong credentials are one clear error, remembered for a growing while', async (t) => {
  const { server, clock, keeper } = await bench(t, { clientSecret: 'another' })
  const failed = await Promise.allSettled(Array.from({ length: 50 }, () => keeper.token()))
  for (const result of failed) assert.equal((result as PromiseRejectedResult).reason.code, 'genesys.credentials')
  await assert.rejects(keeper.token(), {
    code: 'genesys.credentials',
    message: /does not accept the client id and secret \(401, invalid_client\)/,
    hint: /in 5 s/,
  })
  assert.equal(server.logins.length, 1, 'no attempt is repeated, no caller asks again')

  const pauses: number[] = []
  for (let round = 0; round < 8; round++) {
    const before: number = server.logins.length
    let pausedS = 0
    for (; server.logins.length === before; pausedS++) {
      clock.pass(1_000)
      await assert.rejects(keeper.token(), { code: 'genesys.credentials' })
    }
    pauses.push(pausedS)
  }
  assert.deepEqual(pauses, [5, 10, 20, 40, 80, 160, 300, 300])
})

test('a login that asks for a pause is left alone for it', async (t) => {
  const { server, clock, keeper } = await bench(t, { login: () => ({ status: 429, headers: { 'retry-after': '90' }, json: {} }) })
  await assert.rejects(keeper.token(), { code: 'genesys.rate_limited' })
  clock.pass(89_000)
  await assert.rejects(keeper.token(), { code: 'genesys.rate_limited' })
  assert.equal(server.logins.length, 1)
  clock.pass(1_000)
  await assert.rejects(keeper.token())
  assert.equal(server.logins.length, 2)
})

test('what passes is tried three times', async (t) => {
  let times = 0
  const { keeper } = await bench(t, {
    login: () => ((times += 1) < 3 ? { status: 502, raw: '<html>', headers: { 'content-type': 'text/html' } } : undefined),
  })
  assert.match(await keeper.token(), /^token-1-/)
  assert.equal(times, 3)
})

test('a login that answers something else is a coded error', async (t) => {
  const html = { 'content-type': 'text/html' }
  const token = { access_token: 'abc', token_type: 'bearer', expires_in: 300 }
  const answers = [
    [{ raw: '<html>login</html>', headers: html }, 'genesys.bad_answer', /HTML/],
    [{ raw: '{"access_token":"a' }, 'genesys.bad_answer', /only a part/],
    [{ raw: '' }, 'genesys.bad_answer', /no JSON/],
    [{ json: [1] }, 'genesys.bad_answer', /no object/],
    [{ json: {} }, 'genesys.bad_answer', /access_token/],
    [{ json: { ...token, access_token: 5 } }, 'genesys.bad_answer', /access_token/],
    [{ json: { ...token, access_token: 'a\r\nx: y' } }, 'genesys.bad_answer', /access_token/],
    [{ json: { ...token, access_token: 'ä' } }, 'genesys.bad_answer', /access_token/],
    [{ json: { ...token, expires_in: 'soon' } }, 'genesys.bad_answer', /expires_in/],
    [{ json: { ...token, expires_in: -1 } }, 'genesys.bad_answer', /expires_in/],
    [{ json: { ...token, token_type: 'mac' } }, 'genesys.bad_answer', /bearer/],
    [{ status: 204 }, 'genesys.bad_answer', /./],
    [{ raw: new Uint8Array([0x7b, 0xff, 0x7d]) }, 'genesys.bad_answer', /UTF-8/],
    [{ raw: `"${'x'.repeat(100_000)}"` }, 'genesys.bad_answer', /more than/],
    [{ status: 302, headers: { location: 'https://evil.test/' } }, 'genesys.redirected', /evil\.test/],
    [{ status: 404, json: {} }, 'genesys.bad_answer', /404/],
  ] as const
  for (const [reply, code, message] of answers) {
    const { server, keeper } = await bench(t, { login: () => reply })
    await assert.rejects(keeper.token(), { code, message }, JSON.stringify(reply))
    assert.equal(server.logins.length, 1)
  }
})

test('a token that lives for no time does not mean a login a call', async (t) => {
  const { server, keeper } = await bench(t, { tokenLifeS: 0.001 })
  for (let i = 0; i < 20; i++) await keeper.token()
  assert.equal(server.logins.length, 1)
})

test('a login that never answers ends by its time, and the signal of one caller ends only his wait', async (t) => {
  const { clock, keeper } = await bench(t, { login: () => null })
  const abort = new AbortController()
  const impatient = keeper.token(abort.signal)
  const patient = keeper.token()
  abort.abort()
  await assert.rejects(impatient, { code: 'genesys.stopped' })
  await assert.rejects(keeper.token(abort.signal), { code: 'genesys.stopped' })
  const ended = assert.rejects(patient, { code: 'genesys.timeout', message: /30000 ms/ })
  for (let attempt = 0; attempt < 3; attempt++) {
    while (clock.waiting() === 0) await new Promise(setImmediate)
    clock.pass(30_000)
    await new Promise(setImmediate)
  }
  await ended
})

test('the end of everything ends a login under way', async (t) => {
  const end = new AbortController()
  const { server, keeper } = await bench(t, { login: () => null }, { signal: end.signal })
  const ended = assert.rejects(keeper.token(), { code: 'genesys.stopped' })
  while (server.logins.length === 0) await new Promise(setImmediate)
  end.abort()
  await ended
})

test('a refused token is thrown away once; when new ones are refused too, ever more seldom', async (t) => {
  const { server, clock, keeper } = await bench(t)
  const first = await keeper.token()
  assert.equal(keeper.refused(first), true)
  assert.equal(keeper.refused(first), true, 'told by another caller of the same token')
  const second = await keeper.token()
  assert.equal(keeper.refused(second), false)
  assert.equal(await keeper.token(), second)
  clock.pass(5_000)
  assert.equal(keeper.refused(second), true)
  const third = await keeper.token()
  clock.pass(5_000)
  assert.equal(keeper.refused(third), false, 'now it is ten seconds')
  keeper.accepted(third)
  assert.equal(keeper.refused(third), true, 'it had been good')
  assert.equal(server.logins.length, 3)
})

test('a port where nobody is, or that closes at once, is named without what was sent', async (t) => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const loginUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const closing = await bench(t, {}, { loginUrl })
  await assert.rejects(closing.keeper.token(), { code: 'genesys.unreachable' })
  await new Promise((resolve) => server.close(resolve))
  const nobody = await bench(t, {}, { loginUrl })
  await assert.rejects(nobody.keeper.token(), { code: 'genesys.unreachable', message: /could not be reached \(ECONNREFUSED\)/ })
})

test('secret and token are in nothing that can be printed', async (t) => {
  const echo = { error: SECRET, error_description: `${SECRET} ${btoa(`client-1:${SECRET}`)}`, message: SECRET, code: SECRET }
  const shown: unknown[] = []
  for (const reply of [
    undefined,
    { status: 401, json: echo },
    { status: 500, json: echo },
    { status: 418, json: echo },
    { json: { ...echo, access_token: 'bad\u0000token-value' } },
    { status: 301, headers: { location: `https://h.test/${SECRET}` } },
  ]) {
    const { keeper } = await bench(t, { login: () => reply })
    shown.push(
      keeper,
      await keeper
        .token()
        .catch((error: unknown) => error)
        .then((result) => (typeof result === 'string' ? keeper : result)),
    )
    shown.push(
      await keeper
        .token()
        .catch((error: unknown) => error)
        .then((result) => (typeof result === 'string' ? keeper : result)),
    )
  }
  // What a hostile fetch throws has the headers in it.
  const throwing = await bench(
    t,
    {},
    { fetch: (_url, init) => Promise.reject(new TypeError('bad header', { cause: { init, code: SECRET } })) },
  )
  shown.push(await throwing.keeper.token().catch((error: unknown) => error))
  for (const thing of shown) {
    const texts = [
      JSON.stringify(thing),
      inspect(thing, { depth: Infinity, showHidden: true, getters: true }),
      String(thing),
      thing instanceof Error ? (thing.stack ?? '') : '',
    ]
    for (const text of texts)
      for (const secret of [SECRET, btoa(`client-1:${SECRET}`), 'token-1-', 'token-value'])
        assert.ok(!text.includes(secret), `${secret} in ${text}`)
  }
})
