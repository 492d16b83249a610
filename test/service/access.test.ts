import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startService } from '../../src/hosts/service.ts'
import { configOf, folder, raw, running, statusOf } from './_service.ts'

const TOKEN = 'a-token-of-the-test'
const EVENT = '{"topicName":"v2.users.u-1.presence","eventBody":{"modifiedDate":"2026-01-05T09:00:00.000Z"}}'

/** Status of a request written by hand. */
async function asked(port: number, target: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<number> {
  const all = { host: `127.0.0.1:${port}`, connection: 'close', ...headers }
  return statusOf(
    await raw(
      port,
      `${method} ${target} HTTP/1.1\r\n${Object.entries(all)
        .map(([k, v]) => `${k}: ${v}\r\n`)
        .join('')}\r\n`,
    ),
  )
}

describe('host and origin', () => {
  it('answers to no name it does not know, on any path (DNS rebinding)', async (t) => {
    const { port } = await running(t, { config: { http: { allowHosts: ['tunnel.example'] } } })
    for (const path of ['/', '/healthz', '/readyz', '/metrics', '/v1/stats', '/v1/events', '/nothing'])
      for (const host of [
        'evil.example',
        `evil.example:${port}`,
        'localhost.evil.example',
        '',
        'tunnel.example.evil.example',
        '127.0.0.1.evil.example',
      ])
        assert.equal(await asked(port, path, { host }), 403, `${path} ${host}`)
    for (const host of ['localhost', `localhost:${port}`, '127.0.0.1', '[::1]:80', 'LOCALHOST', 'tunnel.example', 'tunnel.example:443'])
      assert.equal(await asked(port, '/healthz', { host }), 200, host)
    assert.equal(statusOf(await raw(port, 'GET /healthz HTTP/1.0\r\n\r\n')), 403, 'no host at all')
  })

  it('takes no write and no read from a page of another site', async (t) => {
    const { port, send } = await running(t, { config: { http: { allowHosts: ['tunnel.example'] } } })
    for (const origin of [
      'https://evil.example',
      'null',
      'http://localhost:1',
      `http://127.0.0.1:${port + 1}`,
      `ftp://127.0.0.1:${port}`,
      'file://',
      `http://127.0.0.1:${port}.evil.example`,
    ]) {
      assert.equal((await send(EVENT, { origin })).status, 403, origin)
      assert.equal(await asked(port, '/v1/stats', { origin }), 403, origin)
    }
    assert.equal(await asked(port, '/v1/stats', { 'sec-fetch-site': 'cross-site' }), 403)
    assert.equal(
      await asked(port, '/v1/events', { origin: 'https://evil.example', 'access-control-request-method': 'POST' }, 'OPTIONS'),
      403,
      'preflight',
    )
    for (const origin of [`http://127.0.0.1:${port}`, 'https://tunnel.example'])
      assert.equal((await send(EVENT, { origin })).status, 202, origin)
    assert.equal(await asked(port, '/', { 'sec-fetch-site': 'cross-site' }), 200, 'a link to the page')
  })
})

describe('token', () => {
  it('is asked for everywhere but on the page and the probes, however the path is spelt', async (t) => {
    const { port } = await running(t, { mode: 'start', env: { TRUNKLINE_TOKEN: TOKEN } })
    const here = `http://127.0.0.1:${port}`
    for (const open of ['/', '/healthz', '/readyz']) assert.equal(await asked(port, open), 200, open)
    const spellings = [
      '/v1/stats',
      '/%761/stats',
      '/v%31/stats',
      '/./v1/stats',
      '/x/../v1/stats',
      '/x/%2e%2e/v1/stats',
      '/%2e/v1/stats',
      '//v1/stats',
      `${here}/v1/stats`,
      `${here}/%761/stats`,
    ]
    const metrics = ['/metrics', '/%6detrics', '/./metrics', `${here}/metrics`, '/healthz/../metrics', '/metrics?a', '/metrics#a']
    for (const target of [...spellings, ...metrics, '/v1', '/v1/events/x', '/nothing']) assert.equal(await asked(port, target), 401, target)
    assert.equal(await asked(port, '/%761/deadletters/redrive', { 'content-length': '0' }, 'POST'), 401)
  })

  it('is taken as Bearer, as the password of Basic and as x-api-key; another is not', async (t) => {
    const { port, send } = await running(t, { mode: 'start', env: { TRUNKLINE_TOKEN: TOKEN } })
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`
    const good = [
      { authorization: `Bearer ${TOKEN}` },
      { authorization: `bearer ${TOKEN}` },
      { authorization: basic(`:${TOKEN}`) },
      { authorization: basic(`trunkline:${TOKEN}`) },
      { 'x-api-key': TOKEN },
    ]
    const bad = [
      { authorization: 'Bearer' },
      { authorization: 'Bearer wrong' },
      { authorization: basic(TOKEN) },
      { authorization: basic(`${TOKEN}:`) },
      { authorization: 'Basic !' },
      { authorization: TOKEN },
      { 'x-api-key': '' },
      { 'x-api-key': `${TOKEN}x` },
      { authorization: `Digest ${TOKEN}` },
    ]
    for (const headers of good) {
      assert.equal(await asked(port, '/v1/stats', headers as Record<string, string>), 200, JSON.stringify(headers))
      assert.equal((await send(EVENT, headers as Record<string, string>)).status, 202)
    }
    for (const headers of bad) assert.equal(await asked(port, '/v1/stats', headers as Record<string, string>), 401, JSON.stringify(headers))
    const { status, headers, json } = await send(EVENT)
    assert.deepEqual([status, headers.get('www-authenticate'), json['code']], [401, 'Bearer', 'http.unauthorized'])
  })

  it('is made on the first start, kept for the user alone, and known later by its hash', async (t) => {
    const dir = folder(t)
    const first = await running(t, { mode: 'start', dir })
    const file = join(first.dataDir, 'token')
    assert.equal(first.tokenFile, file)
    const token = readFileSync(file, 'utf8').trim()
    assert.ok(token.length >= 32)
    assert.equal(readFileSync(join(first.dataDir, 'token.sha256'), 'utf8').trim(), createHash('sha256').update(token).digest('hex'))
    for (const name of ['token', 'token.sha256']) assert.equal(statSync(join(first.dataDir, name)).mode & 0o777, 0o600)
    assert.equal(statSync(first.dataDir).mode & 0o777, 0o700)
    for (const name of readdirSync(join(first.dataDir, 'log')))
      assert.equal(statSync(join(first.dataDir, 'log', name)).mode & 0o077, 0, name)
    await first.stop()
    const second = await running(t, { mode: 'start', dir })
    assert.equal(second.tokenFile, null)
    assert.equal(await asked(second.port, '/v1/stats', { 'x-api-key': token }), 200)
  })

  it('an empty TRUNKLINE_TOKEN is none', async (t) => {
    const service = await running(t, { mode: 'start', env: { TRUNKLINE_TOKEN: '' } })
    assert.ok(service.tokenFile)
    assert.equal(await asked(service.port, '/v1/stats', { 'x-api-key': '' }), 401)
    await assert.rejects(dev(folder(t), '0.0.0.0', { TRUNKLINE_TOKEN: '' }), { code: 'http.bind_refused' })
  })

  it('dev listens beyond loopback only with one', async (t) => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', '127.evil.example'])
      await assert.rejects(dev(folder(t), host, {}), { code: 'http.bind_refused' }, host)
    const service = await dev(folder(t), '0.0.0.0', { TRUNKLINE_TOKEN: TOKEN })
    t.after(() => service.stop())
    assert.equal(await asked(Number(new URL(service.url).port), '/v1/stats'), 401)
  })
})

const dev = (dir: string, host: string, env: Readonly<Record<string, string>>): ReturnType<typeof startService> =>
  startService({ config: configOf(dir, { http: { host } }), mode: 'dev', simulate: false, env, logLevel: 'silent' })
