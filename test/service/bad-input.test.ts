import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { sample } from '../fixtures/genesys/samples.ts'
import { type Json, type Reply, type Running, raw, running, statusOf, until } from './_service.ts'

const GOOD = JSON.stringify(JSON.parse(sample('eventbridge', 'acd_end').toString()))
const NDJSON = { 'content-type': 'application/x-ndjson' }

describe('bad input', () => {
  it('answers a clear error for each kind, keeps its bytes, and goes on', async (t) => {
    const service = await running(t)
    const cases: readonly (readonly [what: string, body: string | Uint8Array, code: string])[] = [
      ['not JSON', 'hello', 'decode.not_json'],
      ['a number', '42', 'decode.not_object'],
      ['null', 'null', 'decode.not_object'],
      ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'decode.not_utf8'],
      ['an unknown shape', '{"hello":"world"}', 'decode.unrecognised'],
      ['deep nesting', '{"a":'.repeat(200_000), 'decode.too_deep'],
      ['deep nesting that ends', `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, 'decode.too_deep'],
      ['cut in half', GOOD.slice(0, GOOD.length / 2), 'decode.not_json'],
      ['__proto__ alone', '{"__proto__":{"polluted":true}}', 'decode.unrecognised'],
      ['gzip magic and noise', Buffer.from([0x1f, 0x8b, 1, 2, 3]), 'decode.gzip'],
    ]
    for (const [what, body, code] of cases) {
      const { status, json } = await service.send(body)
      assert.deepEqual([status, json['accepted'], json['quarantined'], json['ids']], [400, 0, 1, [null]], what)
      assert.equal(json['errors'][0]?.['code'], code, what)
      assert.ok((json['errors'][0]?.['message'] ?? '').length > 10, what)
      assert.ok((await keptBytes(service, json)).equals(Buffer.from(body)), `the bytes of ${what}`)
    }
    assert.equal(({} as { polluted?: boolean }).polluted, undefined)
    assert.equal((await service.send(GOOD)).status, 202)
  })

  it('an empty body is an error of its own', async (t) => {
    const service = await running(t)
    for (const body of ['', ' \n\t ', '[]']) {
      const { status, json } = await service.send(body)
      assert.equal(status, 400, JSON.stringify(body))
      assert.equal(json['accepted'], 0)
      assert.equal(json['errors'].length, 1)
    }
  })

  it('takes events with __proto__ keys and lone surrogates as they are', async (t) => {
    const service = await running(t)
    const odd = GOOD.replace('"eventBody":{', '"eventBody":{"__proto__":{"x":1},"constructor":{"prototype":1},"lone":"\\ud800",')
    const { status, json } = await service.send(odd)
    assert.equal(status, 202)
    const line = await until('the line', () => service.delivered()[0])
    assert.ok(JSON.stringify(line).includes('"constructor"'))
    assert.equal(({} as { x?: number }).x, undefined)
    assert.equal((await service.get(`/v1/events/${json['ids'][0]}`))['raw'], odd)
  })

  it('a broken record leaves its neighbours alone, in lines and in arrays', async (t) => {
    const service = await running(t)
    const other = GOOD.replaceAll(/"eventTime":\s*\d+/g, '"eventTime":1774000000001')
    assert.notEqual(other, GOOD)
    const lines = await service.send(`${GOOD}\n${GOOD.slice(0, 77)}\n7\n${other}\r\n\n`, NDJSON)
    assert.deepEqual([lines.status, lines.json['accepted'], lines.json['quarantined']], [202, 2, 2])
    assert.deepEqual(
      lines.json['errors'].map((e: Json) => e['index']),
      [1, 2],
    )
    const array = await service.send(`[${GOOD}, 7, ${other}]`)
    assert.deepEqual([array.status, array.json['accepted'], array.json['quarantined']], [202, 2, 1])
    assert.deepEqual(
      array.json['errors'].map((e: Json) => e['index']),
      [1],
    )
  })

  it('takes gzip, and refuses a truncated one and a bomb', async (t) => {
    const service = await running(t, { config: { http: { maxBodyBytes: 1024 * 1024 } } })
    const gzip = { 'content-encoding': 'gzip' }
    const packed = gzipSync(GOOD)
    assert.equal((await service.send(packed, gzip)).status, 202)
    const cut = packed.subarray(0, packed.length - 10)
    const truncated = await service.send(cut, gzip)
    assert.deepEqual([truncated.status, truncated.json['errors'][0]?.['code']], [400, 'decode.gzip'])
    assert.ok((await keptBytes(service, truncated.json)).equals(cut))
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024, ' '))
    const bombed = await service.send(bomb, gzip)
    assert.deepEqual([bombed.status, bombed.json['errors'][0]?.['code']], [400, 'decode.too_large'])
    assert.ok((await keptBytes(service, bombed.json)).equals(bomb))
  })

  it('50 MB: 413 with size, hash and first 4 KiB in quarantine, with and without a declared length', async (t) => {
    const service = await running(t)
    const body = Buffer.concat([Buffer.from('{"head":1'), Buffer.alloc(50 * 1024 * 1024 - 9, randomBytes(1000))])
    const sha256 = createHash('sha256').update(body).digest('hex')
    const chunked = (): Promise<Reply> =>
      service.ask('/v1/events', { method: 'POST', headers: { 'content-type': 'application/json' }, body: streamOf(body), duplex: 'half' })
    for (const send of [() => service.send(body), chunked]) {
      const { status, json } = await send()
      assert.equal(status, 413)
      assert.deepEqual([json['accepted'], json['quarantined'], json['errors'][0]?.['code']], [0, 1, 'intake.too_large'])
      const record = await service.get(`/v1/quarantine/${json['errors'][0]?.['quarantineId']}`)
      assert.deepEqual([record['sizeBytes'], record['sha256'], record['storedBytes']], [body.length, sha256, 4096])
      assert.equal(record['bytesBase64'], body.subarray(0, 4096).toString('base64'))
    }
    assert.equal((await service.send(GOOD)).status, 202)
  })

  it('leaves ids out above 100 records unless asked, and keeps lists for records that wrap several', async (t) => {
    const service = await running(t)
    const line = (i: number): string => GOOD.replaceAll(/"eventTime":\s*\d+/g, `"eventTime":${1_774_000_000_000 + i}`)
    const lines = (from: number, count: number): string => Array.from({ length: count }, (_, i) => line(from + i)).join('\n')
    const many = await service.send(lines(0, 1_001), NDJSON)
    assert.deepEqual([many.status, many.json['accepted'], 'ids' in many.json], [202, 1_001, false])
    const asked = await service.send(lines(2_000, 1_001), NDJSON, '?ids=1')
    assert.equal(new Set(asked.json['ids']).size, 1_001)
    const record = (body: string): object => ({ messageId: 'm', eventSource: 'aws:sqs', receiptHandle: 'r', body })
    const wrapped = await service.send(JSON.stringify({ Records: [record(line(5_000)), record(line(5_001))] }))
    assert.equal(wrapped.json['accepted'], 2)
    assert.equal(wrapped.json['ids'].length, 1)
    assert.equal(wrapped.json['ids'][0]?.length, 2)
  })

  it('refuses content types that a foreign page may send', async (t) => {
    const service = await running(t)
    for (const type of [
      'text/plain',
      'multipart/form-data; boundary=x',
      'application/x-www-form-urlencoded',
      'application/octet-stream',
      'text/plain; application/json',
      'application/jsonp',
    ]) {
      const { status, json } = await service.send(GOOD, { 'content-type': type })
      assert.deepEqual([status, json['code']], [415, 'http.content_type'], type)
      assert.ok(json['hint'].length > 0)
    }
    const none = await raw(service.port, `POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`)
    assert.equal(statusOf(none), 415)
    for (const type of ['application/json', 'application/json; charset=utf-8', 'application/x-ndjson', 'application/cloudevents+json'])
      assert.equal((await service.send(GOOD, { 'content-type': type })).status, 202, type)
  })
})

async function keptBytes(service: Running, answer: Json): Promise<Buffer> {
  const record = await service.get(`/v1/quarantine/${answer['errors'][0]?.['quarantineId']}`)
  return Buffer.from(record['bytesBase64'], 'base64')
}

function streamOf(body: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(controller) {
      if (at >= body.length) return controller.close()
      controller.enqueue(body.subarray(at, (at += 100_000)))
    },
  })
}
