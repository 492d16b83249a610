import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { eventOf, eventsOf } from '../testing/event-of.ts'
import { deliverAll, sinkContract } from '../testing/sink-contract.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import { httpSink, type HttpSinkOptions } from './http.ts'
import type { Sink } from './sink.ts'

type Received = { readonly method: string; readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: Buffer }
type Endpoint = { readonly url: string; readonly received: Received[]; readonly sockets: Set<Socket>; close(): Promise<void> }
type Answer = (received: Received, response: ServerResponse, count: number) => void

const ok: Answer = (_, response) => response.end('{"ok":true}')
const toClose: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of toClose.splice(0)) await close()
})

/** A real server that notes every whole request and then answers as told. */
async function endpoint(answer: Answer = ok): Promise<Endpoint> {
  const received: Received[] = []
  const sockets = new Set<Socket>()
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const entry = { method, path: url, headers, body: Buffer.concat(chunks) }
      received.push(entry)
      answer(entry, response, received.length)
    })
    request.on('error', () => {})
  }
  const server = createServer(listener)
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`, received, sockets, close }
}

/** A clock that moves only when told. */
function handClock(): Clock & { pass(ms: number): void; waiting(): number } {
  let nowMs = 1_774_000_000_000
  const waits = new Set<{ readonly untilMs: number; readonly wake: () => void }>()
  return {
    nowMs: () => nowMs,
    wait: (ms, signal) =>
      new Promise((resolve) => {
        const entry = { untilMs: nowMs + ms, wake: () => (waits.delete(entry), resolve()) }
        waits.add(entry)
        signal?.addEventListener('abort', entry.wake)
      }),
    pass(ms) {
      nowMs += ms
      for (const entry of [...waits]) if (entry.untilMs <= nowMs) entry.wake()
    },
    waiting: () => waits.size,
  }
}

function sinkFor(url: string, options: Partial<HttpSinkOptions> = {}): Sink {
  const sink = httpSink({ url, document: (event) => event.raw, clock: handClock(), version: '0.1.0', ...options })
  toClose.unshift(() => sink.close())
  return sink
}

async function started(answer?: Answer): Promise<Endpoint> {
  const made = await endpoint(answer)
  toClose.push(made.close)
  return made
}

async function deliverOne(sink: Sink, event = eventOf(), signal = new AbortController().signal): Promise<Outcome> {
  const [outcome] = await sink.deliver([event], signal)
  assert.ok(outcome)
  return outcome
}

sinkContract('the http sink', async () => {
  const at = await endpoint()
  return {
    sink: (document) => httpSink({ url: at.url, document, clock: handClock(), version: '0.1.0' }),
    arrived: async () => at.received.map((entry) => entry.body),
    cleanUp: at.close,
  }
})

describe('the request', () => {
  test('carries the document, who it is, and what was configured', async () => {
    const at = await started()
    const event = eventOf({ topic: 'v2.users.{id}.présence\n' })
    const sink = sinkFor(`${at.url}?tenant=7`, { method: 'PUT', headers: { 'X-Api-Key': 'k', 'Content-Type': 'application/x-own' } })
    assert.deepEqual(await deliverOne(sink, event), { type: 'keep' })
    const [got] = at.received
    assert.equal(got?.method, 'PUT')
    assert.equal(got.path, '/events?tenant=7')
    assert.equal(got.headers['x-api-key'], 'k')
    assert.equal(got.headers['content-type'], 'application/x-own')
    assert.equal(got.headers['user-agent'], 'trunkline/0.1.0')
    assert.equal(got.headers['trunkline-event-id'], event.id)
    assert.equal(got.headers['trunkline-topic'], 'v2.users.{id}.pr%C3%A9sence%0A')
    assert.deepEqual(got.body, Buffer.from(event.raw))
  })

  test('credentials of the url become Basic authorization', async () => {
    const at = await started()
    await deliverOne(sinkFor(at.url.replace('//', '//joe:s%40crets@')))
    assert.equal(at.received[0]?.headers.authorization, `Basic ${btoa('joe:s@crets')}`)
  })

  test('the Idempotency-Key is the key of the event, over attempts, receipts and restarts', async () => {
    const at = await started((_, response, count) => response.writeHead(count === 1 ? 500 : 200).end())
    const key = new Uint8Array(16).fill(0xab)
    const first = sinkFor(at.url)
    await deliverOne(first, eventOf({ key }))
    await deliverOne(first, eventOf({ key, redelivered: true }))
    await deliverOne(sinkFor(at.url), eventOf({ key, id: 'other-00000001', receivedAtMs: 5 }))
    assert.deepEqual(
      at.received.map((entry) => entry.headers['idempotency-key']),
      Array(3).fill('ab'.repeat(16)),
    )
  })

  test('an event without a key is identified by its id', async () => {
    const at = await started()
    const event = eventOf({ key: null, keyKind: 'none' })
    await deliverOne(sinkFor(at.url), event)
    assert.equal(at.received[0]?.headers['idempotency-key'], event.id)
  })

  test('connections are used again, also after errors, and never more of them than concurrency', async () => {
    const at = await started((_, response, count) => response.writeHead(count % 3 === 0 ? 503 : 200).end('x'.repeat(5000)))
    const sink = sinkFor(at.url, { concurrency: 4 })
    await deliverAll(sink, eventsOf(100))
    assert.equal(at.received.length, 100)
    assert.ok(at.sockets.size <= 4, `${at.sockets.size} connections`)
  })
})

describe('the answer', () => {
  test('a third of 500s, sent again until they pass: everything arrives with its outcome', async () => {
    const at = await started((_, response, count) => response.writeHead(count % 3 === 0 ? 500 : 202).end())
    const clock = handClock()
    const sink = sinkFor(at.url, { clock })
    let open = eventsOf(60)
    for (let round = 0; open.length > 0; round += 1) {
      assert.ok(round < 20)
      const outcomes = await deliverAll(sink, open)
      open = open.filter((_, index) => outcomes[index]?.type !== 'keep')
    }
    assert.equal(new Set(at.received.map((entry) => entry.headers['trunkline-event-id'])).size, 60)
    assert.equal(clock.waiting(), 0, 'a timeout was left running')
  })

  test('outcomes are aligned by index when several events come in one call', async () => {
    const refused = eventOf({}, 1)
    const at = await started(({ headers }, response) => {
      response.writeHead(headers['trunkline-event-id'] === refused.id ? 422 : 200).end('no such queue')
    })
    const outcomes = await sinkFor(at.url).deliver(eventsOf(3), new AbortController().signal)
    assert.deepEqual(
      outcomes.map((outcome) => outcome.type),
      ['keep', 'dead', 'keep'],
    )
    assert.deepEqual(outcomes[1], { type: 'dead', reason: 'sink.http_refused', detail: 'HTTP 422: no such queue' })
  })

  test('429 waits as long as Retry-After says', async () => {
    const at = await started((_, response) => response.writeHead(429, { 'retry-after': '17' }).end('slow down'))
    const outcome = await deliverOne(sinkFor(at.url))
    assert.deepEqual(outcome, { type: 'retry', reason: 'sink.http_status', detail: 'HTTP 429: slow down', afterMs: 17_000 })
  })

  test('a redirect is not followed', async () => {
    const elsewhere = await started()
    const at = await started((_, response) => response.writeHead(307, { location: elsewhere.url }).end())
    const outcome = await deliverOne(sinkFor(at.url))
    assert.equal(outcome.type === 'retry' && outcome.reason, 'sink.http_redirect')
    assert.equal(elsewhere.received.length, 0)
  })

  for (const status of [200, 503]) {
    test(`a huge ${status} body is not read to its end, and the status still decides`, async () => {
      let sentBytes = 0
      const at = await started((_, response) => {
        response.writeHead(status)
        const chunk = Buffer.alloc(64 * 1024, 'y')
        const send = (): void => {
          while (!response.destroyed && sentBytes < 1e9) {
            sentBytes += chunk.length
            if (!response.write(chunk)) return
          }
          response.end()
        }
        response.on('drain', send)
        send()
      })
      const outcome = await deliverOne(sinkFor(at.url))
      assert.equal(outcome.type, status === 200 ? 'keep' : 'retry')
      assert.ok(sentBytes < 1e8, `${sentBytes} bytes were sent`)
    })
  }

  test('an encoded body is not decoded', async () => {
    const at = await started((_, response) => response.writeHead(400, { 'content-encoding': 'gzip' }).end(Buffer.alloc(50, 1)))
    assert.deepEqual(await deliverOne(sinkFor(at.url)), {
      type: 'dead',
      reason: 'sink.http_refused',
      detail: 'HTTP 400 (encoded body)',
    })
    assert.equal(at.received[0]?.headers['accept-encoding'], 'identity')
  })

  test('an endpoint that echoes the request leaks no secret into the outcome', async () => {
    const at = await started(({ headers, path }, response) => {
      response.writeHead(500).end(JSON.stringify({ auth: headers.authorization, key: headers['x-api-key'], path }))
    })
    const url = `${at.url.replace('//', '//joe:hunter22@')}?token=tok-12345`
    const outcome = await deliverOne(sinkFor(url, { headers: { 'x-api-key': 'key-67890' } }))
    const text = JSON.stringify(outcome)
    assert.match(text, /HTTP 500/)
    for (const secret of ['hunter22', 'tok-12345', 'key-67890', btoa('joe:hunter22')]) assert.ok(!text.includes(secret), secret)
  })
})

describe('no answer', () => {
  for (const [what, hang] of [
    ['at all', () => {}],
    ['with its end', (response: ServerResponse) => void response.writeHead(200).write('{"ok":')],
  ] as const) {
    test(`no answer ${what} within timeoutMs is a timeout`, async () => {
      const reached = Promise.withResolvers<void>()
      const at = await started((_, response) => (hang(response), reached.resolve()))
      const clock = handClock()
      const delivery = deliverOne(sinkFor(at.url, { clock, timeoutMs: 2000 }))
      await reached.promise
      clock.pass(1999)
      clock.pass(1)
      assert.deepEqual(await delivery, {
        type: 'retry',
        reason: 'sink.http_timeout',
        detail: 'no whole answer within 2000 ms',
        afterMs: null,
      })
      assert.equal(clock.waiting(), 0)
    })
  }

  test('nobody listening is a connection error that names its code', async () => {
    const at = await endpoint()
    await at.close()
    assert.deepEqual(await deliverOne(sinkFor(at.url)), {
      type: 'retry',
      reason: 'sink.http_connection',
      detail: 'ECONNREFUSED',
      afterMs: null,
    })
  })

  for (const [status, type] of [
    [200, 'retry'],
    [503, 'retry'],
    [422, 'dead'],
  ] as const) {
    test(`an answer ${status} that is cut off in the middle is ${type}`, async () => {
      const at = await started((_, response) => {
        response.writeHead(status, { 'content-length': '1000' })
        response.write('x'.repeat(10), () => response.socket?.destroySoon())
      })
      const outcome = await deliverOne(sinkFor(at.url))
      assert.equal(outcome.type, type)
      if (status === 200) assert.equal('reason' in outcome && outcome.reason, 'sink.http_connection')
      assert.equal(at.received.length, 1)
    })
  }

  test('a kept connection that turns out dead is replaced at once, with the same Idempotency-Key', async () => {
    const at = await started((_, response, count) => (count === 2 ? response.socket?.resetAndDestroy() : response.end()))
    const sink = sinkFor(at.url, { concurrency: 1 })
    await deliverOne(sink, eventOf({}, 0))
    assert.deepEqual(await deliverOne(sink, eventOf({}, 1)), { type: 'keep' })
    assert.equal(at.received.length, 3)
    assert.equal(at.received[1]?.headers['idempotency-key'], at.received[2]?.headers['idempotency-key'])
  })

  test('the sink sends again only once, even when the next kept connection is dead too', async () => {
    const held: ServerResponse[] = []
    const at = await started((_, response, count) => {
      if (count > 2) return void response.socket?.resetAndDestroy()
      held.push(response)
      // Both at once, so that two connections are kept.
      if (count === 2) for (const each of held) each.end()
    })
    const sink = sinkFor(at.url)
    await sink.deliver(eventsOf(2), new AbortController().signal)
    const outcome = await deliverOne(sink)
    assert.equal(outcome.type === 'retry' && outcome.reason, 'sink.http_connection')
    assert.equal(at.received.length, 4)
  })

  test('a fresh connection that is reset is not sent again by the sink', async () => {
    const at = await started((_, response) => void response.socket?.resetAndDestroy())
    const outcome = await deliverOne(sinkFor(at.url))
    assert.equal(outcome.type === 'retry' && outcome.reason, 'sink.http_connection')
    assert.equal(at.received.length, 1)
  })

  test('bytes that are no HTTP are a connection error', async () => {
    const at = await started((_, response) => void response.socket?.end('hello\r\n\r\n'))
    const outcome = await deliverOne(sinkFor(at.url))
    assert.equal(outcome.type === 'retry' && outcome.reason, 'sink.http_connection')
  })

  for (const how of ['the signal', 'close'] as const) {
    test(`${how} ends a request under way`, async () => {
      const reached = Promise.withResolvers<void>()
      const at = await started(() => reached.resolve())
      const sink = sinkFor(at.url)
      const stop = new AbortController()
      const delivery = deliverOne(sink, eventOf(), stop.signal)
      await reached.promise
      if (how === 'close') await sink.close()
      else stop.abort()
      assert.deepEqual(await delivery, { type: 'retry', reason: 'sink.stopped', detail: null, afterMs: null })
    })
  }
})

describe('the configuration', () => {
  for (const url of ['', 'example.test/events', 'ftp://example.test/', 'file:///etc/passwd']) {
    test(`the url ${JSON.stringify(url)} is refused`, () => {
      assert.throws(() => sinkFor(url), { code: 'sink.http_url' })
    })
  }

  test("headers that HTTP does not allow, or that are not the user's, are refused without showing their value", () => {
    for (const headers of [{ 'x-key': 'secret\nvalue' }, { 'bad name': 'secret' }, { 'Idempotency-Key': 'secret' }]) {
      assert.throws(
        () => sinkFor('http://127.0.0.1:1/', { headers }),
        (error: Error & { code?: string }) => error.code === 'sink.http_header' && !error.message.includes('secret'),
      )
    }
  })
})
