import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { DecodedEvent, EventFormat, Mark } from '../event/event.ts'
import { FrameBuilder, KIND_EVENT, checkFrame, eventMeta, frameEvent, frameHead, frameKey, frameMetaText, frameRaw } from './frame.ts'

const PLAIN = { noNullPrototype: true }
const text = fc.string({ unit: 'binary' }).filter((s) => s.isWellFormed())
const maybe = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arb, { nil: null })
const key = fc.uint8Array({ minLength: 16, maxLength: 16 })
const event: fc.Arbitrary<DecodedEvent> = fc
  .record({
    format: fc.constantFrom<EventFormat>('eventbridge', 'notification', 'webhook', 'custom-bus', 'eventbridge-dlq', 'change'),
    layers: fc.subarray(['gzip', 'base64', 'sqs', 'dlq'] as const),
    source: text,
    orgId: maybe(text),
    envelopeId: maybe(text),
    topic: text,
    topicName: text,
    params: fc.array(text, { maxLength: 3 }),
    entity: maybe(
      fc.record({ kind: fc.constantFrom('conversation' as const, 'user' as const, 'queue' as const, 'other' as const), id: text }, PLAIN),
    ),
    conversationId: maybe(text),
    queueId: maybe(text),
    userId: maybe(text),
    occurredAtMs: maybe(fc.maxSafeNat()),
    publishedAtMs: maybe(fc.maxSafeNat()),
    marks: fc.subarray<Mark>(['id.reused', 'topic.unknown']),
    failure: maybe(
      fc.record(
        {
          ruleArn: maybe(text),
          targetArn: maybe(text),
          errorCode: maybe(text),
          errorMessage: maybe(text),
          exhaustedRetryCondition: maybe(text),
          retryAttempts: maybe(fc.nat()),
        },
        PLAIN,
      ),
    ),
    key: maybe(key),
    semantic: fc.boolean(),
    envelopeKey: maybe(key),
    raw: fc.uint8Array({ maxLength: 300 }),
  })
  .map(({ semantic, ...rest }) => ({ ...rest, keyKind: rest.key === null ? 'none' : semantic ? 'semantic' : 'transport' }))

describe('frame', () => {
  it('gives back exactly what was put in, for any event, one after the other in one buffer', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 4 }), fc.maxSafeNat(), (events, receivedAtMs) => {
        const builder = new FrameBuilder(16)
        const offsets = events.map((one, i) => builder.add(frameOf(one, i + 1, receivedAtMs)))
        const bytes = builder.finish()
        let at = 0
        for (const [i, one] of events.entries()) {
          assert.equal(at, offsets[i])
          const length = checkFrame(bytes, at)
          assert.deepEqual(frameHead(bytes, at), { kind: KIND_EVENT, seq: i + 1, receivedAtMs, firstSeq: -1, length })
          const read = frameEvent(bytes, at)
          assert.equal(read.via, 'http')
          assert.deepEqual(plain(read.event), plain(one))
          at += length
        }
        assert.equal(at, bytes.length)
      }),
      { numRuns: 200 },
    )
  })

  it('asks for more bytes when it is cut anywhere, and never takes a part for the whole', () => {
    const bytes = oneFrame()
    for (let length = 0; length < bytes.length; length++) assert.equal(checkFrame(bytes.subarray(0, length), 0), 0, `cut at ${length}`)
    assert.equal(checkFrame(bytes, 0), bytes.length)
  })

  it('is not good with any one bit changed', () => {
    const bytes = oneFrame()
    for (let at = 0; at < bytes.length; at++)
      for (const bit of [1, 0x80]) {
        const bent = Buffer.from(bytes)
        bent[at] = (bent[at] ?? 0) ^ bit
        assert.ok(checkFrame(bent, 0) <= 0, `byte ${at}, bit ${bit}`)
      }
  })

  it('keeps sequence numbers and sizes beyond 32 bits, and tells a record that repeats another', () => {
    const builder = new FrameBuilder()
    builder.add({
      kind: KIND_EVENT,
      seq: 2 ** 40,
      receivedAtMs: 2 ** 41,
      firstSeq: 2 ** 39,
      key: null,
      semantic: false,
      envelopeKey: null,
      meta: '{}',
      raw: new Uint8Array(),
    })
    const bytes = builder.finish()
    assert.deepEqual(frameHead(bytes, 0), {
      kind: KIND_EVENT,
      seq: 2 ** 40,
      receivedAtMs: 2 ** 41,
      firstSeq: 2 ** 39,
      length: bytes.length,
    })
    assert.equal(frameKey(bytes, 0), null)
  })

  it('counts meta in bytes, not letters', () => {
    const builder = new FrameBuilder()
    const meta = JSON.stringify('Zürich 😀 '.repeat(50))
    builder.add({
      kind: KIND_EVENT,
      seq: 1,
      receivedAtMs: 0,
      firstSeq: -1,
      key: null,
      semantic: false,
      envelopeKey: null,
      meta,
      raw: Buffer.from('raw'),
    })
    const bytes = builder.finish()
    assert.equal(frameMetaText(bytes, 0), meta)
    assert.equal(frameRaw(bytes, 0).toString(), 'raw')
  })
})

function frameOf(one: DecodedEvent, seq: number, receivedAtMs: number): Parameters<FrameBuilder['add']>[0] {
  return {
    kind: KIND_EVENT,
    seq,
    receivedAtMs,
    firstSeq: -1,
    key: one.key,
    semantic: one.keyKind === 'semantic',
    envelopeKey: one.envelopeKey,
    meta: JSON.stringify(eventMeta(one, 'http')),
    raw: one.raw,
  }
}

function oneFrame(): Buffer {
  const builder = new FrameBuilder()
  builder.add({
    kind: KIND_EVENT,
    seq: 7,
    receivedAtMs: 1,
    firstSeq: -1,
    key: new Uint8Array(16).fill(3),
    semantic: true,
    envelopeKey: null,
    meta: '["a"]',
    raw: Buffer.from('{"b":1}'),
  })
  return builder.finish()
}

/** Bytes as arrays, whatever kind of view they are. */
const plain = (one: DecodedEvent): object => ({
  ...one,
  key: one.key && [...one.key],
  envelopeKey: one.envelopeKey && [...one.envelopeKey],
  raw: [...one.raw],
})
