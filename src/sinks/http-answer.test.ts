import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readRetryAfter, secretsOf, toOutcome } from './http-answer.ts'

const NOW = Date.UTC(2026, 2, 19, 22, 0, 0)
const answer = (status: number, text = '', retryAfter: string | null = null, bodyCut = false) => ({
  status,
  retryAfter,
  body: new TextEncoder().encode(text),
  bodyCut,
})

describe('the status decides', () => {
  const table: readonly (readonly [string, string | null, readonly number[]])[] = [
    ['keep', null, [200, 201, 202, 204, 299]],
    ['dead', 'sink.http_refused', [400, 405, 406, 411, 413, 414, 415, 422, 431]],
    ['retry', 'sink.http_redirect', [300, 301, 302, 303, 304, 307, 308]],
    ['retry', 'sink.http_status', [401, 402, 403, 404, 407, 408, 409, 410, 418, 421, 425, 426, 428, 429, 451]],
    ['retry', 'sink.http_status', [500, 501, 502, 503, 504, 507, 511, 599, 999, 0]],
  ]
  for (const [type, reason, statuses] of table) {
    test(`${type} ${reason ?? ''}: ${statuses.join(' ')}`, () => {
      for (const status of statuses) {
        const outcome = toOutcome(answer(status), [], NOW)
        assert.equal(outcome.type, type, `HTTP ${status}`)
        assert.equal('reason' in outcome ? outcome.reason : null, reason, `HTTP ${status}`)
      }
    })
  }

  test('every status has an outcome, and only a 2xx is delivered', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), (status) => {
        assert.equal(toOutcome(answer(status), [], NOW).type === 'keep', status >= 200 && status < 300)
      }),
    )
  })
})

describe('Retry-After', () => {
  const cases: readonly (readonly [string | null, number | null])[] = [
    ['0', 0],
    ['7', 7000],
    [' 120 ', 120_000],
    ['999999999999999999999', 3_600_000],
    ['Thu, 19 Mar 2026 22:00:30 GMT', 30_000],
    ['Thu, 19 Mar 2026 21:00:00 GMT', 0],
    ['Fri, 20 Mar 2026 22:00:00 GMT', 3_600_000],
    ['-5', null],
    ['1.5', null],
    ['soon', null],
    ['', null],
    [null, null],
  ]
  for (const [value, expected] of cases) {
    test(`${JSON.stringify(value)} is ${expected === null ? 'left to the backoff' : `${expected} ms`}`, () => {
      assert.equal(readRetryAfter(value, NOW), expected)
    })
  }

  test('it goes into the outcome', () => {
    const outcome = toOutcome(answer(503, 'busy', '9'), [], NOW)
    assert.deepEqual(outcome, { type: 'retry', reason: 'sink.http_status', detail: 'HTTP 503: busy', afterMs: 9000 })
  })
})

describe('the detail', () => {
  const detailOf = (text: string, secrets: readonly string[] = [], bodyCut = false): string => {
    const outcome = toOutcome(answer(422, text, null, bodyCut), secrets, NOW)
    assert.equal(outcome.type, 'dead')
    return outcome.detail ?? ''
  }

  test('quotes the first 200 characters', () => {
    assert.equal(detailOf('a'.repeat(500)), `HTTP 422: ${'a'.repeat(200)}`)
    assert.equal(detailOf(''), 'HTTP 422')
  })

  test('is one printable line for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (body) => {
        const outcome = toOutcome({ ...answer(400), body }, [], NOW)
        assert.doesNotMatch(outcome.type === 'dead' ? (outcome.detail ?? '') : '', /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
      }),
    )
    assert.equal(detailOf('a\u001b[31mb\r\nc\u202ed\u0000e'), 'HTTP 422: a [31mb c d e')
  })

  test('does not quote an encoded body', () => {
    const outcome = toOutcome({ ...answer(500), body: null }, [], NOW)
    assert.equal(outcome.type === 'retry' && outcome.detail, 'HTTP 500 (encoded body)')
  })

  test('has no secret, however the body repeats it', () => {
    const url = new URL('https://user:p%40ssw0rd@example.test/hooks/T0123456789ABCDEFGH/x?token=s3cr3t%2Fkey&v=1')
    const headers = { authorization: 'Bearer eyJ.abc.def', 'x-key': 'quo"ted key', basic: `Basic ${btoa('joe:hunter22')}` }
    const secrets = secretsOf(url, headers)
    const echoes = [
      's3cr3t%2Fkey',
      's3cr3t/key',
      'p%40ssw0rd',
      'p@ssw0rd',
      'eyJ.abc.def',
      'Bearer eyJ.abc.def',
      'quo"ted key',
      'quo\\"ted key',
      btoa('joe:hunter22'),
      'hunter22',
      'T0123456789ABCDEFGH',
    ]
    for (const echo of echoes) assert.equal(detailOf(`<${echo}>`, secrets), 'HTTP 422: <***>', echo)
  })

  test('has no beginning of a secret that the cap cut through', () => {
    const secrets = secretsOf(new URL('https://example.test/'), { 'x-key': 'abcdefghijkl' })
    for (let size = 1; size < 12; size += 1) {
      assert.equal(detailOf(`key: ${'abcdefghijkl'.slice(0, size)}`, secrets, true), 'HTTP 422: key:')
    }
  })
})
