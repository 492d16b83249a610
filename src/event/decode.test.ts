/** Shapes, layers and refusals. The shipped samples are in samples.test.ts, random input in decode.fuzz.test.ts. */
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import test from 'node:test'
import { bytesOf, envelope, ORG_ID, sample } from '../../test/fixtures/genesys/samples.ts'
import { decode, decodeSqsRecord, DEFAULT_MAX_BYTES } from './decode.ts'
import type { Decoded, DecodedEvent, DecodeFailure } from './event.ts'

const OPTIONS = { maxBytes: DEFAULT_MAX_BYTES }
const ACD_END = sample('eventbridge', 'acd_end')
const ACD_END_TEXT = ACD_END.toString().trim()
const CONVERSATION = 'test-conversation-id'

const run = (input: Uint8Array | string | object): Decoded[] =>
  decode(input instanceof Uint8Array ? input : Buffer.from(typeof input === 'string' ? input : JSON.stringify(input)), OPTIONS)

function eventIn(input: Uint8Array | string | object): DecodedEvent {
  const results = run(input)
  assert.equal(results.length, 1)
  const [first] = results
  assert.ok(first?.ok, first?.ok === false ? `${first.code} ${first.message}` : '')
  return first.event
}

function failureIn(input: Uint8Array | string | object): DecodeFailure {
  const results = run(input)
  assert.equal(results.length, 1)
  const [first] = results
  assert.ok(first?.ok === false)
  return first
}

const lambdaRecord = (body: unknown, messageAttributes: object = {}): object => ({
  messageId: 'm-1',
  receiptHandle: 'AQEB',
  body,
  attributes: { ApproximateReceiveCount: '1' },
  messageAttributes,
  eventSource: 'aws:sqs',
})

const FAILURE = {
  ruleArn: 'arn:aws:events:us-east-1:123456789012:rule/aws.partner/genesys.com/cloud/o/s/r',
  targetArn: 'arn:aws:lambda:us-east-1:123456789012:function:f',
  errorCode: 'NO_PERMISSIONS',
  errorMessage: 'User is not authorised',
  exhaustedRetryCondition: 'MaximumRetryAttempts',
  retryAttempts: 185,
}
const attributesWith = (field: 'stringValue' | 'StringValue'): object =>
  Object.fromEntries(
    Object.entries({
      RULE_ARN: FAILURE.ruleArn,
      TARGET_ARN: FAILURE.targetArn,
      ERROR_CODE: FAILURE.errorCode,
      ERROR_MESSAGE: FAILURE.errorMessage,
      EXHAUSTED_RETRY_CONDITION: FAILURE.exhaustedRetryCondition,
      RETRY_ATTEMPTS: '185',
    }).map(([name, value]) => [name, { [field]: value, dataType: 'String' }]),
  )

test('the ids of a body without them come from the topic name', () => {
  const user = '9a0b4c5d-1111-4222-8333-444455556666'
  const presence = eventIn(
    envelope({
      topic: 'v2.users.{id}.presence',
      topicName: `v2.users.${user}.presence`,
      body: { modifiedDate: '2026-03-19T22:04:48.100Z' },
    }),
  )
  assert.deepEqual([presence.userId, presence.entity, presence.orgId], [user, { kind: 'user', id: user }, ORG_ID])
  const calls = eventIn(
    envelope({
      topic: 'v2.routing.queues.{id}.conversations.calls',
      topicName: 'v2.routing.queues.q1.conversations.calls',
      body: { id: 'c1' },
    }),
  )
  assert.deepEqual([calls.queueId, calls.conversationId, calls.entity], ['q1', 'c1', { kind: 'queue', id: 'q1' }])
  const member = eventIn(
    envelope({
      topic: 'v2.routing.queues.{id}.users',
      topicName: 'v2.routing.queues.q1.users',
      body: { queueId: 'q1', user: { id: 'u1' } },
    }),
  )
  assert.deepEqual([member.queueId, member.userId, member.entity], ['q1', 'u1', { kind: 'queue', id: 'q1' }])
  const activity = eventIn(
    envelope({ topic: 'v2.analytics.queues.{id}.activity', topicName: 'v2.analytics.queues.q2.activity', body: { results: [] } }),
  )
  assert.deepEqual([activity.queueId, activity.occurredAtMs], ['q2', null])
  const state = eventIn(
    envelope({
      topic: 'v2.detail.events.agent.{id}.state',
      topicName: 'v2.detail.events.agent.u7.state',
      body: { userId: 'u7', conversationId: 'c7', currentStateStart: 1773957888100 },
    }),
  )
  assert.deepEqual([state.entity, state.conversationId, state.occurredAtMs], [{ kind: 'user', id: 'u7' }, 'c7', 1773957888100])
  const snapshot = eventIn(envelope({ topic: 'v2.users.{id}.conversations', topicName: 'v2.users.u8.conversations', body: { id: 'c8' } }))
  assert.deepEqual([snapshot.userId, snapshot.conversationId, snapshot.entity], ['u8', 'c8', { kind: 'user', id: 'u8' }])
  const operation = eventIn(
    envelope({
      topic: 'v2.operations.events.{id}',
      topicName: 'v2.operations.events.def-1',
      body: { timestamp: 1773957888100, conversationId: 'c9' },
    }),
  )
  assert.deepEqual(
    [operation.entity, operation.conversationId, operation.occurredAtMs],
    [{ kind: 'other', id: 'def-1' }, 'c9', 1773957888100],
  )
})

test('a topic nobody knows passes through, marked', () => {
  const event = eventIn(
    envelope({ topic: 'v2.brand.new.{id}.thing', topicName: 'v2.brand.new.x.thing', body: { eventTime: 1773957888100, zip: [] } }),
  )
  assert.deepEqual(
    [event.topic, event.params, event.marks, event.occurredAtMs],
    ['v2.brand.new.{id}.thing', ['x'], ['topic.unknown'], 1773957888100],
  )
})

test('a Genesys event on a bus of another name is still a Genesys event', () => {
  const moved = { ...envelope({ topic: 'v2.users.{id}.station', topicName: 'v2.users.u1.station', body: {} }), source: 'acme.forwarded' }
  const event = eventIn(moved)
  assert.deepEqual([event.format, event.source, event.orgId, event.userId], ['eventbridge', 'acme.forwarded', null, 'u1'])
})

test('absurd times are no times', () => {
  const event = eventIn(
    envelope({
      topic: 'v2.detail.events.conversation.{id}.acw',
      topicName: 'v2.detail.events.conversation.c.acw',
      body: { eventTime: -5 },
      timestamp: 'never',
    }),
  )
  assert.deepEqual([event.occurredAtMs, event.publishedAtMs], [null, Date.parse('2026-03-19T22:04:48Z')])
})

test('the organisation of the options is used where the record names none', () => {
  const [first] = decode(sample('websocket', 'users_activity'), { ...OPTIONS, orgId: 'my-org' })
  assert.ok(first?.ok)
  assert.equal(first.event.orgId, 'my-org')
  const [partner] = decode(ACD_END, { ...OPTIONS, orgId: 'my-org' })
  assert.ok(partner?.ok)
  assert.equal(partner.event.orgId, '00000000-0000-0000-0000-000000000000')
})

test('hand-made custom-bus events are recognised, their ids found in detail, eventBody or at the top', () => {
  const top = { version: '0', id: 'e1', source: 'genesys.cloud', 'detail-type': 'InteractionEvent', time: '2026-03-19T22:04:48Z' }
  const rows: [object, Partial<DecodedEvent>][] = [
    [
      { ...top, detail: { interactionId: 'i1', agentId: 'a1' } },
      { conversationId: 'i1', userId: 'a1', queueId: null, entity: { kind: 'conversation', id: 'i1' } },
    ],
    [
      { ...top, detail: { eventBody: { conversationId: 'c1', queueId: 'q1' } } },
      { conversationId: 'c1', queueId: 'q1' },
    ],
    [{ ...top, contactId: 77, detail: { state: 'x' } }, { conversationId: '77' }],
    [
      { ...top, detail: { queue: { id: 'q2' } } },
      { queueId: 'q2', entity: { kind: 'queue', id: 'q2' } },
    ],
    [
      { ...top, detail: {} },
      { entity: null, occurredAtMs: null, publishedAtMs: Date.parse('2026-03-19T22:04:48Z') },
    ],
    [{ ...top, detail: { timestamp: '2026-03-19T22:04:40.5Z' } }, { occurredAtMs: Date.parse('2026-03-19T22:04:40.500Z') }],
    [{ ...top, detail: { timestamp: 1773957888 } }, { occurredAtMs: null }],
  ]
  for (const [record, expected] of rows) {
    const event = eventIn(record)
    assert.deepEqual([event.format, event.topic, event.envelopeId, event.source], ['custom-bus', 'InteractionEvent', 'e1', 'genesys.cloud'])
    for (const [field, value] of Object.entries(expected)) assert.deepEqual(event[field as keyof DecodedEvent], value, field)
  }
})

test('webhook bodies need a type and an id, at the top or one level down', () => {
  const rows: [object, string, Partial<DecodedEvent>][] = [
    [
      { event: 'routing:participant:added', conversationId: 'c1', participantId: 'p' },
      'routing:participant:added',
      { conversationId: 'c1' },
    ],
    [
      { eventType: 'agent.ready', data: { agentId: 'a1', timestamp: 1773957888100 } },
      'agent.ready',
      { userId: 'a1', occurredAtMs: 1773957888100 },
    ],
    [{ payload: { type: 'queue.full', queueId: 'q' } }, 'queue.full', { queueId: 'q', entity: { kind: 'queue', id: 'q' } }],
    [{ topicName: 'v2.users.u1.presence', userId: 'u1' }, 'v2.users.u1.presence', { userId: 'u1' }],
  ]
  for (const [record, topic, expected] of rows) {
    const event = eventIn(record)
    assert.deepEqual([event.format, event.topic, event.source], ['webhook', topic, 'webhook'])
    for (const [field, value] of Object.entries(expected)) assert.deepEqual(event[field as keyof DecodedEvent], value, field)
  }
  for (const record of [{ event: 'x' }, { conversationId: 'c' }, { event: 7, conversationId: 'c' }, { hello: 'world' }, {}]) {
    const failure = failureIn(record)
    assert.equal(failure.code, 'decode.unrecognised')
    assert.match(failure.message, /Known shapes/)
  }
})

test('__proto__ keys are data: nothing is read through them and nothing is changed by them', () => {
  assert.equal(failureIn('{"__proto__":{"event":"x","conversationId":"c"}}').code, 'decode.unrecognised')
  const event = eventIn('{"event":"x","conversationId":"c","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')
  assert.equal(event.conversationId, 'c')
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
})

test('one layer: gzip, base64, gzip in base64, an SQS record, a received message', () => {
  const rows: [Uint8Array | object, string[]][] = [
    [gzipSync(ACD_END), ['gzip']],
    [Buffer.from(ACD_END.toString('base64')), ['base64']],
    [Buffer.from(ACD_END.toString('base64').replace(/(.{76})/g, '$1\r\n') + '\n'), ['base64']],
    [Buffer.from(ACD_END.toString('base64url')), ['base64']],
    [Buffer.from(gzipSync(ACD_END).toString('base64')), ['base64', 'gzip']],
    [{ Records: [lambdaRecord(ACD_END_TEXT)] }, ['sqs']],
    [lambdaRecord(ACD_END_TEXT), ['sqs']],
    [{ MessageId: 'm', ReceiptHandle: 'r', Body: ACD_END_TEXT }, ['sqs']],
    [{ Messages: [{ MessageId: 'm', Body: ACD_END_TEXT }] }, ['sqs']],
    [lambdaRecord(gzipSync(ACD_END).toString('base64')), ['sqs', 'base64', 'gzip']],
    [gzipSync(bytesOf({ Records: [lambdaRecord(ACD_END_TEXT)] })), ['gzip', 'sqs']],
  ]
  for (const [input, layers] of rows) {
    const event = eventIn(input)
    assert.deepEqual(event.layers, layers)
    assert.equal(event.conversationId, CONVERSATION)
    assert.equal(event.format, 'eventbridge')
    assert.equal(Buffer.from(event.raw).toString(), ACD_END_TEXT)
    assert.deepEqual(event.key, eventIn(ACD_END).key)
  }
})

test('a message of a target DLQ says why delivery failed, in each of its shapes', () => {
  const shapes = [
    { Records: [lambdaRecord(ACD_END_TEXT, attributesWith('stringValue'))] },
    lambdaRecord(ACD_END_TEXT, attributesWith('stringValue')),
    { MessageId: 'm', Body: ACD_END_TEXT, MessageAttributes: attributesWith('StringValue') },
  ]
  for (const shape of shapes) {
    const event = eventIn(shape)
    assert.deepEqual([event.format, event.layers, event.failure], ['eventbridge-dlq', ['sqs', 'dlq'], FAILURE])
    assert.equal(event.topic, 'v2.detail.events.conversation.{id}.acd.end')
    assert.deepEqual(event.key, eventIn(ACD_END).key)
  }
  const partial = eventIn(lambdaRecord(ACD_END_TEXT, { ERROR_CODE: { stringValue: 'X' }, RETRY_ATTEMPTS: { stringValue: 'many' } }))
  assert.deepEqual(partial.failure, {
    ruleArn: null,
    targetArn: null,
    errorCode: 'X',
    errorMessage: null,
    exhaustedRetryCondition: null,
    retryAttempts: null,
  })
  assert.equal(eventIn(lambdaRecord(ACD_END_TEXT, { TRACE: { stringValue: 'x' } })).format, 'eventbridge')
})

test('of several records in a wrapper, a bad one fails alone and keeps its body', () => {
  const results = run({ Records: [lambdaRecord(ACD_END_TEXT), lambdaRecord('{"cut":'), lambdaRecord(7), lambdaRecord(ACD_END_TEXT)] })
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.code)),
    ['ok', 'decode.not_json', 'decode.sqs_record', 'ok'],
  )
  assert.ok(results[1]?.ok === false)
  assert.equal(Buffer.from(results[1].bytes).toString(), '{"cut":')
})

test('an array or lines inside a layer are several events', () => {
  const webhook = (id: string): string => JSON.stringify({ event: 'x', conversationId: id })
  for (const inside of [`[${webhook('a')},${webhook('b')},{oops}]`, `${webhook('a')}\n${webhook('b')}\n{oops}\n`]) {
    for (const wrapped of [gzipSync(inside), Buffer.from(Buffer.from(inside).toString('base64')), bytesOf(lambdaRecord(inside))]) {
      assert.deepEqual(
        run(wrapped).map((result) => (result.ok ? result.event.conversationId : result.code)),
        ['a', 'b', 'decode.not_json'],
      )
    }
  }
})

test('decodeSqsRecord reads a parsed record as decode reads its text', () => {
  const [first] = decodeSqsRecord(lambdaRecord(ACD_END_TEXT, attributesWith('stringValue')), OPTIONS)
  assert.ok(first?.ok)
  assert.deepEqual(first.event, eventIn(lambdaRecord(ACD_END_TEXT, attributesWith('stringValue'))))
  for (const record of [null, undefined, 'text', {}, { body: 7 }, { body: 'lone \ud800' }, Object.create(null), () => 1]) {
    const results = decodeSqsRecord(record, OPTIONS)
    assert.deepEqual(
      results.map((result) => !result.ok && result.code),
      ['decode.sqs_record'],
    )
  }
  assert.deepEqual(
    decodeSqsRecord({ body: '' }, OPTIONS).map((result) => !result.ok && result.code),
    ['decode.empty'],
  )
})

test('bytes that are no event say why, keep themselves and quote nothing', () => {
  const secret = 'tel:+15550001111'
  const rows: [Uint8Array | string, string][] = [
    ['', 'decode.empty'],
    [' \n\t', 'decode.empty'],
    ['\ufeff', 'decode.empty'],
    ['7', 'decode.not_object'],
    ['"text"', 'decode.not_object'],
    ['null', 'decode.not_object'],
    ['[1]', 'decode.not_object'],
    [`[${ACD_END_TEXT}]`, 'decode.not_object'],
    [`{"ani":"${secret}",}`, 'decode.not_json'],
    [`{"ani":"${secret}`, 'decode.not_json'],
    [secret, 'decode.not_json'],
    ['hello', 'decode.not_json'],
    [Buffer.concat([Buffer.from(`{"ani":"${secret}`), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]), 'decode.not_utf8'],
    [gzipSync(ACD_END).subarray(0, 200), 'decode.gzip'],
    [Buffer.from([0x1f, 0x8b]), 'decode.gzip'],
    [Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]), 'decode.gzip'],
    [`{"ani":"${secret}"}`, 'decode.unrecognised'],
    ['{"message":"pong"}', 'decode.control_frame'],
    ['{"result":"400","status":"failure"}', 'decode.control_frame'],
    ['{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000), 'decode.too_deep'],
  ]
  for (const [input, code] of rows) {
    const failure = failureIn(input)
    assert.equal(failure.code, code, String(input).slice(0, 60))
    assert.ok(!failure.message.includes(secret) && failure.message.length > 20)
    assert.deepEqual(Buffer.from(failure.bytes), Buffer.from(input as string))
  }
  assert.match(failureIn('  {"a":tru}').message, /byte 10 of 11/)
  assert.match(failureIn('{"a":').message, /cut off/)
})

test('events at the depth EventBridge allows pass, one level more does not', () => {
  const nested = (levels: number): string => `{"event":"x","conversationId":"c","n":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
  assert.equal(eventIn(nested(1_000)).format, 'webhook')
  assert.equal(failureIn(nested(1_001)).code, 'decode.too_deep')
  assert.equal(eventIn(`{"event":"x","conversationId":"c","n":"${'['.repeat(5_000)}"}`).format, 'webhook')
})

test('bombs are refused at the cap, however they are packed', () => {
  const options = { maxBytes: 100_000 }
  const big = Buffer.from(JSON.stringify({ event: 'x', conversationId: 'c', fill: 'a'.repeat(1_000_000) }))
  const codes = (bytes: Uint8Array): unknown[] => decode(bytes, options).map((result) => (result.ok ? 'ok' : result.code))
  assert.deepEqual(codes(big), ['decode.too_large'])
  assert.deepEqual(codes(gzipSync(big)), ['decode.too_large'])
  assert.deepEqual(codes(gzipSync(gzipSync(gzipSync(big)))), ['decode.too_large'])
  assert.deepEqual(codes(Buffer.from(gzipSync(big).toString('base64'))), ['decode.too_large'])
  const half = gzipSync(Buffer.from(JSON.stringify({ event: 'x', conversationId: 'c', fill: 'a'.repeat(80_000) }))).toString('base64')
  const several = codes(bytesOf({ Records: Array.from({ length: 5 }, () => lambdaRecord(half)) }))
  assert.deepEqual(several, ['ok', 'ok', 'decode.too_large', 'decode.too_large', 'decode.too_large'])
  const crumbs = gzipSync(Buffer.from('[' + '1,'.repeat(200_000) + '1]'))
  assert.deepEqual(
    run(crumbs).map((result) => (result.ok ? 'ok' : result.code)),
    ['decode.too_large'],
  )
})

test('four layers are taken off, five are too many', () => {
  let bytes: Buffer = ACD_END
  for (let i = 0; i < 4; i++) bytes = gzipSync(bytes)
  assert.deepEqual(eventIn(bytes).layers, ['gzip', 'gzip', 'gzip', 'gzip'])
  assert.equal(failureIn(gzipSync(bytes)).code, 'decode.too_deep')
})

test('a defect inside decode costs one record, not the process', () => {
  const broken = {
    get maxBytes(): number {
      throw new TypeError('secret')
    },
  }
  const [first] = decode(ACD_END, broken)
  assert.ok(first?.ok === false)
  assert.equal(first.code, 'decode.internal')
  assert.ok(!first.message.includes('secret'))
  assert.equal(first.bytes, ACD_END)
})

test('records of other AWS services are not taken for SQS', () => {
  for (const record of [
    { Records: [{ eventSource: 'aws:s3', s3: {} }] },
    { Records: [{ EventSource: 'aws:sns', Sns: {} }] },
    { Records: [] },
    { Messages: 'x' },
  ]) {
    assert.equal(failureIn(record).code, 'decode.unrecognised')
  }
})
