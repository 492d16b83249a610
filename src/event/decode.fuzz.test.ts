/**
 * Whatever the bytes: decode answers, with at least one result, and every event it answers can be delivered and recognised
 * again. TRUNKLINE_FUZZ_RUNS sets the number of inputs (default 5,000; 100,000 in CI), shared between the generators.
 */
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import test from 'node:test'
import fc from 'fast-check'
import { bytesOf, envelope, ORG_ID, sample, sampleNames } from '../../test/fixtures/genesys/samples.ts'
import { decode, decodeSqsRecord } from './decode.ts'
import { toDocument } from './document.ts'
import type { Decoded } from './event.ts'
import { KNOWN_TOPICS } from './known-topics.ts'
import { splitBody } from './split.ts'

const RUNS = Number(process.env['TRUNKLINE_FUZZ_RUNS'] ?? 5_000)
const OPTIONS = { maxBytes: 1024 * 1024 }
const SAMPLES = (['eventbridge', 'websocket'] as const).flatMap((folder) => sampleNames(folder).map((name) => sample(folder, name)))

/** What holds for every answer. */
function assertSound(results: readonly Decoded[]): void {
  assert.ok(results.length > 0)
  for (const result of results) {
    if (!result.ok) {
      assert.match(result.code, /^decode\.[a-z0-9_]+$/)
      assert.notEqual(result.code, 'decode.internal')
      assert.ok(result.message.length > 0 && result.message.length < 700)
      continue
    }
    const { event } = result
    assert.equal(event.key === null, event.keyKind === 'none')
    assert.equal(event.envelopeKey === null, event.envelopeId === null)
    for (const atMs of [event.occurredAtMs, event.publishedAtMs]) assert.ok(atMs === null || (Number.isSafeInteger(atMs) && atMs >= 0))
    const document = Buffer.from(toDocument({ ...event, id: 'x', receivedAtMs: 0, duplicateOf: null, redelivered: false })).toString()
    assert.ok(!document.includes('\n'))
    assert.equal((JSON.parse(document) as { trunkline: { id: string } }).trunkline.id, 'x')
    const [again] = decode(event.raw, OPTIONS)
    assert.ok(again?.ok)
    assert.deepEqual([again.event.topic, again.event.entity, again.event.occurredAtMs], [event.topic, event.entity, event.occurredAtMs])
    assert.deepEqual(again.event.key, event.key)
  }
}

test('real samples with bytes flipped, cut, spliced and deleted are answered', () => {
  const random = seeded(20260319)
  for (let i = 0; i < RUNS / 2; i++) {
    let bytes: Buffer = pick(SAMPLES, random)
    if (random(4) === 0) bytes = wrapped(bytes, random)
    for (let edits = 1 + random(3); edits > 0; edits--) bytes = edited(bytes, random)
    if (random(4) === 0) bytes = wrapped(bytes, random)
    assertSound(decode(bytes, OPTIONS))
    if (i % 8 === 0) for (const record of splitBody(bytes, 'auto')) assertSound(decode(record, OPTIONS))
  }
})

const SCALAR = fc.oneof(
  fc.string(),
  fc.constantFrom('', '\ud800', '\u0000', '2026-03-19T22:04:48.128Z', ...KNOWN_TOPICS.slice(0, 20)),
  fc.integer(),
  fc.double(),
  fc.constant(null),
)
const NAME = fc.constantFrom(
  'version',
  'id',
  'detail-type',
  'source',
  'time',
  'detail',
  'topicName',
  'eventBody',
  'timestamp',
  'metadata',
  'event',
  'type',
  'message',
  'result',
  'topics',
  'data',
  'payload',
  'conversationId',
  'userId',
  'agentId',
  'queueId',
  'interactionId',
  'Records',
  'Messages',
  'body',
  'Body',
  'messageId',
  'MessageId',
  'eventSource',
  'receiptHandle',
  'messageAttributes',
  'MessageAttributes',
  'RULE_ARN',
  'ERROR_CODE',
  'stringValue',
  'StringValue',
  'eventTime',
  'modifiedDate',
  'routingStatus',
  'group',
  'specversion',
  '__proto__',
  'constructor',
  'toString',
)
const { value: GRAMMAR } = fc.letrec<{ value: unknown; object: unknown; array: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    SCALAR,
    tie('object'),
    tie('array'),
    tie('object').map((object) => JSON.stringify(object)),
  ),
  object: fc.array(fc.tuple(NAME, tie('value')), { maxLength: 7 }).map((entries) => Object.fromEntries(entries)),
  array: fc.array(tie('value'), { maxLength: 3 }),
}))

test('objects made of the names that shapes are recognised by are answered', () => {
  fc.assert(
    fc.property(GRAMMAR, fc.constantFrom('plain', 'gzip', 'base64'), (value, packing) => {
      const json = bytesOf(value)
      const bytes = packing === 'gzip' ? gzipSync(json) : packing === 'base64' ? Buffer.from(json.toString('base64')) : json
      assertSound(decode(bytes, OPTIONS))
      assertSound(decodeSqsRecord(value, OPTIONS))
    }),
    { numRuns: Math.ceil(RUNS * 0.2) },
  )
})

test('bytes of any kind are answered', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, asGzip) => {
      const bytes = asGzip ? Buffer.concat([Buffer.from([0x1f, 0x8b, 8]), noise]) : noise
      assertSound(decode(bytes, OPTIONS))
    }),
    { numRuns: Math.ceil(RUNS * 0.1) },
  )
})

const ID = fc.stringMatching(/^[A-Za-z0-9_-]{1,36}$/)
const FACTS = fc.record({
  template: fc.constantFrom(...KNOWN_TOPICS.filter((topic) => topic.startsWith('v2.detail.events.conversation.'))),
  conversationId: ID,
  queueId: fc.option(ID),
  userId: fc.option(ID),
  envelopeId: fc.uuid(),
  eventTime: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  timestamp: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  more: fc.dictionary(
    fc.string().map((name) => `x${name}`),
    fc.jsonValue(),
    { maxKeys: 4 },
  ),
})

test('decode gives back every fact that was encoded, through any layers', () => {
  fc.assert(
    fc.property(FACTS, fc.integer(), fc.nat({ max: 4 }), (facts, seed, layers) => {
      const body = {
        ...facts.more,
        eventTime: facts.eventTime,
        conversationId: facts.conversationId,
        queueId: facts.queueId,
        userId: facts.userId,
      }
      const timestamp = new Date(facts.timestamp).toISOString()
      const topicName = facts.template.replace('{id}', facts.conversationId)
      const json = bytesOf(envelope({ id: facts.envelopeId, topic: facts.template, topicName, body, timestamp }))
      const random = seeded(seed)
      let bytes: Buffer = json
      for (let i = 0; i < layers; i++) bytes = wrapped(bytes, random)
      const results = decode(bytes, OPTIONS)
      assert.equal(results.length, 1)
      const [first] = results
      assert.ok(first?.ok, first?.ok === false ? first.message : '')
      const { event } = first
      assert.deepEqual(Buffer.from(event.raw), json)
      assert.deepEqual(
        {
          format: event.format,
          topic: event.topic,
          topicName: event.topicName,
          params: event.params,
          orgId: event.orgId,
          envelopeId: event.envelopeId,
          conversationId: event.conversationId,
          queueId: event.queueId,
          userId: event.userId,
          occurredAtMs: event.occurredAtMs,
          publishedAtMs: event.publishedAtMs,
          marks: event.marks,
          keyKind: event.keyKind,
          entity: event.entity,
        },
        {
          format: 'eventbridge',
          topic: facts.template,
          topicName,
          params: [facts.conversationId],
          orgId: ORG_ID,
          envelopeId: facts.envelopeId,
          conversationId: facts.conversationId,
          queueId: facts.queueId,
          userId: facts.userId,
          occurredAtMs: facts.eventTime,
          publishedAtMs: facts.timestamp,
          marks: [],
          keyKind: 'semantic',
          entity: { kind: 'conversation', id: facts.conversationId },
        },
      )
      assertSound(results)
    }),
    { numRuns: Math.ceil(RUNS * 0.2) },
  )
})

/** One more layer, which decode can take off again. */
function wrapped(bytes: Buffer, random: (below: number) => number): Buffer {
  const isGzip = bytes[0] === 0x1f
  const isBase64 = !isGzip && bytes[0] !== 0x7b
  const kind = random(isGzip ? 2 : 5)
  if (kind === 0 || (kind === 1 && isBase64)) return gzipSync(bytes, { level: 1 })
  if (kind === 1) return Buffer.from(bytes.toString('base64'))
  const body = bytes.toString()
  if (kind === 2) return bytesOf({ Records: [{ messageId: 'm', body, eventSource: 'aws:sqs', messageAttributes: {} }] })
  if (kind === 3) return bytesOf({ messageId: 'm', receiptHandle: 'r', body })
  return bytesOf({ MessageId: 'm', Body: body, MessageAttributes: {} })
}

function edited(bytes: Buffer, random: (below: number) => number): Buffer {
  if (bytes.length === 0) return bytes
  const at = random(bytes.length)
  const length = random(40)
  switch (random(6)) {
    case 0: {
      const flipped = Buffer.from(bytes)
      flipped[at] = flipped[at]! ^ (1 << random(8))
      return flipped
    }
    case 1:
      return bytes.subarray(0, at)
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 3: {
      const other = pick(SAMPLES, random)
      const from = random(other.length)
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + length), bytes.subarray(at)])
    }
    case 4:
      return Buffer.concat([bytes.subarray(0, at), pick(CRUMBS, random), bytes.subarray(at)])
    default:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)])
  }
}

const CRUMBS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\n',
  '\\',
  '\\ud800',
  'null',
  '1e999',
  '-',
  '\u0000',
  '"__proto__":{},',
  '12345678901234567890',
].map((text) => Buffer.from(text))

function pick<T>(list: readonly T[], random: (below: number) => number): T {
  return list[random(list.length)]!
}

/** mulberry32: the same inputs on every machine. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
