import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { sample, sampleNames } from '../../test/fixtures/genesys/samples.ts'
import { decode, DEFAULT_MAX_BYTES } from './decode.ts'
import { envelopeOf, toDocument } from './document.ts'
import type { DecodedEvent, Event } from './event.ts'

const ID = '01K6Z3T7V0000000000000TEST'
const RECEIVED_AT_MS = Date.UTC(2026, 2, 19, 22, 4, 49, 7)

function received(bytes: Uint8Array, more: Partial<Event> = {}): Event {
  const [first] = decode(bytes, { maxBytes: DEFAULT_MAX_BYTES })
  assert.ok(first?.ok, first?.ok === false ? first.message : 'no result')
  return { ...(first.event satisfies DecodedEvent), id: ID, receivedAtMs: RECEIVED_AT_MS, duplicateOf: null, redelivered: false, ...more }
}

const textOf = (event: Event): string => Buffer.from(toDocument(event)).toString()

test('an envelope keeps every byte but its line breaks, and gets one last key', () => {
  const raw = '{"b":1.0,\r\n "a":12345678901234567890,"a":"2\\n","detail-type":"T","source":"s",\n"detail":{"x":"é"}\n}'
  const expected =
    '{"b":1.0,   "a":12345678901234567890,"a":"2\\n","detail-type":"T","source":"s", "detail":{"x":"é"} ,"trunkline":' +
    `{"id":"${ID}","format":"custom-bus","topic":"T","occurredAtMs":null,"publishedAtMs":null,"receivedAtMs":${RECEIVED_AT_MS}}}`
  assert.equal(textOf(received(Buffer.from(raw + '\r\n'))), expected)
})

test('marks, failure and duplicateOf are there only when there are any', () => {
  const event = received(sample('eventbridge', 'attributes'), { duplicateOf: 'first-id', marks: ['topic.mismatch', 'redriven'] })
  const failure = {
    ruleArn: 'arn:r',
    targetArn: null,
    errorCode: 'NO_PERMISSIONS',
    errorMessage: 'say "no"',
    exhaustedRetryCondition: null,
    retryAttempts: 3,
  }
  assert.deepEqual(JSON.parse(textOf({ ...event, failure })).trunkline, {
    id: ID,
    format: 'eventbridge',
    topic: 'v2.detail.events.conversation.{id}.attributes',
    occurredAtMs: 1765356238647,
    publishedAtMs: Date.parse('2025-12-10T08:43:58.648Z'),
    receivedAtMs: RECEIVED_AT_MS,
    marks: ['topic.mismatch', 'redriven'],
    failure,
    duplicateOf: 'first-id',
  })
})

test('a notification gets an envelope of its own', () => {
  const bytes = sample('websocket', 'users_activity')
  const { trunkline, ...envelope } = JSON.parse(textOf(received(bytes)))
  assert.deepEqual(envelope, {
    version: '0',
    id: ID,
    'detail-type': 'v2.users.{id}.activity',
    source: 'genesys.notifications',
    time: '2026-03-19T22:04:49.007Z',
    region: '',
    resources: [],
    detail: JSON.parse(bytes.toString()),
  })
  assert.equal(trunkline.format, 'notification')
})

test('a webhook body is the detail of its envelope, as it came', () => {
  const raw = '{"event":"call \\"ended\\"","conversationId":12345678901234567,"n":1e2,\n"conversation":{"id":"c"}}'
  const text = textOf(received(Buffer.from(raw)))
  assert.ok(text.includes(`"detail-type":"call \\"ended\\"","source":"webhook"`))
  assert.ok(text.includes(`"detail":${raw.replace('\n', ' ')},"trunkline":`))
})

test('each sample: one line; without trunkline it says what the record said; envelopeOf says the same', () => {
  for (const folder of ['eventbridge', 'websocket'] as const) {
    for (const name of sampleNames(folder)) {
      const bytes = sample(folder, name)
      if (decode(bytes, { maxBytes: DEFAULT_MAX_BYTES })[0]?.ok !== true) continue
      const event = received(bytes)
      const text = textOf(event)
      assert.ok(!/[\r\n]/.test(text), name)
      const { trunkline, ...envelope } = JSON.parse(text)
      assert.equal(trunkline.id, ID)
      assert.deepEqual(folder === 'eventbridge' ? envelope : envelope.detail, JSON.parse(bytes.toString()))
      assert.deepEqual(envelopeOf(event), envelope)
      assert.equal(Object.keys(JSON.parse(text)).at(-1), 'trunkline')
    }
  }
})

test('for any envelope: what went in comes out, on one line', () => {
  const detail = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue())
  fc.assert(
    fc.property(
      detail,
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.constantFrom(0, 1, 4),
      fc.constantFrom('\n', '\r\n'),
      (body, more, indent, lineBreak) => {
        const record = { ...more, source: 'acme.calls', 'detail-type': 'Call \u2028 ended', detail: body }
        const raw = JSON.stringify(record, null, indent).replaceAll('\n', lineBreak)
        const event = received(Buffer.from(`\ufeff${raw}${lineBreak}`))
        const text = textOf(event)
        assert.ok(!/[\r\n]/.test(text))
        const parsed = JSON.parse(text)
        if (!Object.hasOwn(more, 'trunkline')) delete parsed.trunkline
        else parsed.trunkline = more['trunkline']
        assert.deepEqual(parsed, JSON.parse(raw))
        assert.deepEqual(envelopeOf(event), JSON.parse(raw))
      },
    ),
  )
})

test('a document posted again is the same event', () => {
  const event = received(sample('eventbridge', 'acd_end'))
  const again = received(toDocument(event))
  assert.deepEqual(again.key, event.key)
  assert.equal(again.format, 'eventbridge')
})
