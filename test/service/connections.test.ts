import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { raw, running, statusOf, until } from './_service.ts'

const event = (n: number): string => `{"topicName":"v2.users.u-${n}.presence","eventBody":{"modifiedDate":"2026-01-05T09:00:00.000Z"}}`
const post = (body: string, headers = ''): string =>
  `POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
const CHUNKED = 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'

describe('connections', () => {
  it('ends slow headers and slow bodies by timeout, while others go on', async (t) => {
    const service = await running(t, { config: { http: { headersTimeoutMs: 200, requestTimeoutMs: 400 } } })
    const began = Date.now()
    const slow = [
      raw(service.port, 'GET /v1/stats HTTP/1.1\r\nHost: loc'),
      raw(service.port, `${post(event(1)).slice(0, -5)}`),
      raw(service.port, `${CHUNKED}5\r\n{"a`),
    ]
    for (let i = 0; i < 20; i++) assert.equal((await service.send(event(i))).status, 202)
    for (const text of await Promise.all(slow)) assert.equal(statusOf(text), 408)
    assert.ok(Date.now() - began < 3_000)
    assert.equal((await service.get('/v1/stats'))['intake']['accepted'], 20, 'nothing of the slow ones was taken')
  })

  it('answers pipelined requests in order on one connection', async (t) => {
    const service = await running(t)
    const count = 50
    const text = await raw(
      service.port,
      Array.from({ length: count }, (_, i) => post(event(i))).join(''),
      (so) => so.split('"errors":[]').length > count,
    )
    const ids = [...text.matchAll(/"ids":\["([^"]+)"\]/g)].map((m) => m[1])
    assert.equal(ids.length, count)
    for (const [i, id] of ids.entries()) assert.equal((await service.get(`/v1/events/${id}`))['topicName'], `v2.users.u-${i}.presence`)
  })

  it('refuses connections above the cap and takes new ones when some close', async (t) => {
    const service = await running(t, { config: { http: { maxConnections: 3 } } })
    const held = await Promise.all([1, 2, 3].map(() => open(t, service.port)))
    assert.equal(await raw(service.port, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'), '')
    for (const socket of held) socket.destroy()
    await until(
      'room for another',
      async () => statusOf(await raw(service.port, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')) === 200,
    )
  })

  it('takes nothing of an upload that breaks off, and lets go of its memory', async (t) => {
    const service = await running(t)
    const whole = [event(1), event(2), event(3)].join('\n')
    for (let i = 0; i < 20; i++) {
      const socket = await open(t, service.port)
      socket.write(post(whole).slice(0, -20))
      await new Promise((resolve) => setImmediate(resolve))
      socket.destroy()
    }
    const chunked = await open(t, service.port)
    chunked.write(`${CHUNKED}${event(9).length.toString(16)}\r\n${event(9)}\r\n`)
    await new Promise((resolve) => setImmediate(resolve))
    chunked.destroy()
    assert.equal((await service.send(event(4))).status, 202)
    const { intake } = await service.get('/v1/stats')
    assert.deepEqual([intake?.['accepted'], intake?.['quarantined'], intake?.['pendingBytes']], [1, 0, 0])
  })

  it('forgets the bodies it refused half-way for want of memory', async (t) => {
    const service = await running(t)
    const bytes = 16_000_000
    const body = Buffer.alloc(bytes, 'x')
    for (let round = 0; round < 6; round++) {
      // A client whose connection breaks on the early answer may not see it.
      const statuses = await Promise.all(
        Array.from({ length: 10 }, () =>
          service.send(body).then(
            (r) => r.status,
            () => 503,
          ),
        ),
      )
      assert.ok(
        statuses.every((status) => status === 400 || status === 503),
        String(statuses),
      )
    }
    for (let i = 0; i < 3; i++)
      assert.deepEqual(
        (await Promise.all([1, 2].map(() => service.send(body)))).map((r) => r.status),
        [400, 400],
      )
  })

  it('is not confused by transfer encodings', async (t) => {
    const { port, get } = await running(t)
    const body = event(1)
    const smuggled = `0\r\n\r\nGET /v1/stats HTTP/1.1\r\nHost: evil.example\r\n\r\n`
    const tricks = [
      post(smuggled, 'Transfer-Encoding: chunked\r\n'),
      post(smuggled, 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n'),
      post(body, 'Transfer-Encoding: xchunked\r\n'),
      post(body, 'Content-Length: 5\r\n'),
      post(body).replace(/Content-Length: \d+/, 'Content-Length: -1'),
      post(body).replace(/Content-Length: \d+/, 'Content-Length: 1e3'),
      `${CHUNKED}zz\r\n{}\r\n0\r\n\r\n`,
      `${CHUNKED}ffffffffffffffffff\r\n{}`,
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`,
      `GET /${'y'.repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      'GET / HTTP/1.1\r\nHost: localhost\r\n evil: folded\r\n\r\n',
      '\0\0\0\0\r\n\r\n',
    ]
    for (const trick of tricks) {
      const answer = await raw(port, trick)
      assert.ok(statusOf(answer) >= 400, `${trick.slice(0, 200)} -> ${answer.slice(0, 60)}`)
      assert.equal(answer.split('HTTP/1.1 ').length, 2, 'one answer, then the connection is closed')
    }
    const { intake } = await get('/v1/stats')
    assert.equal(intake?.['accepted'], 0)
  })

  it('puts a body of one-byte chunks together', async (t) => {
    const service = await running(t)
    const bytes = [...event(1)].map((c) => `1\r\n${c}\r\n`).join('')
    const text = await raw(service.port, `${CHUNKED}${bytes}0\r\n\r\n`, (so) => so.includes('"errors"'))
    assert.equal(statusOf(text), 202)
  })

  it('answers HEAD, OPTIONS, other methods and unknown paths with JSON errors or nothing', async (t) => {
    const service = await running(t)
    for (const [method, path, status] of [
      ['GET', '/nothing', 404],
      ['GET', '/v1/nothing', 404],
      ['DELETE', '/v1/events', 404],
      ['PUT', '/v1/events', 404],
      ['OPTIONS', '/v1/events', 404],
      ['POST', '/v1/stats', 404],
      ['PATCH', '/', 404],
      ['GET', '/v1/events/', 404],
    ] as const) {
      const { status: got, json } = await service.ask(path, { method, headers: { 'content-type': 'application/json' } })
      assert.deepEqual([got, json['code']], [status, 'http.not_found'], `${method} ${path}`)
    }
    const head = await raw(service.port, 'HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    assert.deepEqual([statusOf(head), head.split('\r\n\r\n')[1]], [200, ''])
  })
})

async function open(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  t.after(() => socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}
