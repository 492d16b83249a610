/** When two records are one event, and when equal bodies are two: the cases that real Genesys traffic has. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { bytesOf, envelope, ORG_ID, sample, sampleNames } from '../../test/fixtures/genesys/samples.ts'
import type { EnvelopeParts } from '../../test/fixtures/genesys/samples.ts'
import { decode, DEFAULT_MAX_BYTES } from './decode.ts'
import type { DecodedEvent } from './event.ts'

const USER = 'e40f28ea-fa86-493f-a5b8-d559c8533c96'
const QUEUE = '4750048b-1994-41d4-8410-a5760c49a6cd'
const CALL = '2f7bf00a-0fc2-4d6a-9b56-92238191433e'
const EVENT_TIME = 1773957887850

function eventOf(value: unknown, orgId?: string): DecodedEvent {
  const bytes = value instanceof Uint8Array ? value : bytesOf(value)
  const [first] = decode(bytes, { maxBytes: DEFAULT_MAX_BYTES, ...(orgId === undefined ? {} : { orgId }) })
  assert.ok(first?.ok, first?.ok === false ? first.message : 'no result')
  return first.event
}

const keyOf = (value: unknown, orgId?: string): string | null => {
  const { key } = eventOf(value, orgId)
  return key === null ? null : Buffer.from(key).toString('hex')
}

function assertAllDiffer(records: readonly unknown[]): void {
  const keys = records.map((record) => keyOf(record))
  assert.ok(keys.every((key) => key !== null))
  assert.equal(new Set(keys).size, keys.length)
}

/** One topic, several (body, publish time) pairs, each its own envelope. */
function published(topic: string, topicName: string, list: readonly (readonly [body: unknown, timestamp: string])[]): unknown[] {
  return list.map(([body, timestamp], index) => envelope({ id: `envelope-${index}`, topic, topicName, body, timestamp }))
}

const T1 = '2026-03-19T22:04:48.128Z'
const T2 = '2026-03-19T22:05:01.640Z'
const T3 = '2026-03-19T22:07:30.002Z'

test('a station that is set, cleared and set again makes three events', () => {
  const set = { associatedStation: { id: 'st-1', name: 'Desk 7' } }
  assertAllDiffer(
    published('v2.users.{id}.station', `v2.users.${USER}.station`, [
      [set, T1],
      [{ associatedStation: null }, T2],
      [set, T3],
    ]),
  )
})

test('an agent who joins, leaves and joins a queue makes three events', () => {
  const joined = { id: USER, user: { id: USER }, queueId: QUEUE, joined: true }
  const topicName = `v2.routing.queues.${QUEUE}.users`
  assertAllDiffer(
    published('v2.routing.queues.{id}.users', topicName, [
      [joined, T1],
      [{ ...joined, joined: false }, T2],
      [joined, T3],
    ]),
  )
})

test('an activity that comes back unchanged is another event, by its publish time', () => {
  const { eventBody } = JSON.parse(sample('websocket', 'users_activity').toString())
  const away = { ...eventBody, presence: { ...eventBody.presence, presenceDefinition: { id: 'x', systemPresence: 'AWAY' } } }
  assertAllDiffer(
    published('v2.users.{id}.activity', `v2.users.${USER}.activity`, [
      [eventBody, T1],
      [away, T2],
      [eventBody, T3],
    ]),
  )
})

test('two updates of one aggregate interval are two events, also with equal figures', () => {
  const body = {
    group: { queueId: QUEUE, mediaType: 'voice' },
    data: [{ interval: '2026-03-19T22:00:00Z/2026-03-19T22:30:00Z', metrics: [] }],
  }
  const updated = { ...body, data: [{ ...body.data[0], metrics: [{ metric: 'tAnswered', stats: { count: 1 } }] }] }
  assertAllDiffer(
    published('v2.analytics.queues.{id}.observations', `v2.analytics.queues.${QUEUE}.observations`, [
      [body, T1],
      [updated, T2],
      [updated, T3],
    ]),
  )
  assertAllDiffer(
    published('v2.analytics.users.{id}.aggregates', `v2.analytics.users.${USER}.aggregates`, [
      [body, T1],
      [body, T2],
    ]),
  )
})

test('interim and final transcripts of one utterance are different events', () => {
  const said = (transcript: string, isFinal: boolean): unknown => ({
    eventTime: T1,
    conversationId: CALL,
    transcripts: [{ utteranceId: 'u1', isFinal, alternatives: [{ transcript }] }],
  })
  const topicName = `v2.conversations.${CALL}.transcription`
  assertAllDiffer(
    published('v2.conversations.{id}.transcription', topicName, [
      [said('hel', false), T1],
      [said('hello', false), T1],
      [said('hello', true), T1],
    ]),
  )
})

test('two attribute updates in one millisecond are two events', () => {
  const set = (attributes: object): unknown => ({ eventTime: EVENT_TIME, conversationId: CALL, participantId: 'p1', attributes })
  const topic = 'v2.detail.events.conversation.{id}.attributes'
  assertAllDiffer(
    published(topic, `v2.detail.events.conversation.${CALL}.attributes`, [
      [set({ a: '1' }), T1],
      [set({ a: '1', b: '2' }), T1],
    ]),
  )
})

test('the user.end and user.start of each action of an e-mail are all different events', () => {
  const step = (eventTime: number): unknown => ({
    eventTime,
    conversationId: CALL,
    participantId: 'p1',
    sessionId: 's1',
    userId: USER,
    mediaType: 'EMAIL',
  })
  const name = `v2.detail.events.conversation.${CALL}.user`
  assertAllDiffer([
    ...published('v2.detail.events.conversation.{id}.user.start', `${name}.start`, [
      [step(EVENT_TIME), T1],
      [step(EVENT_TIME + 90), T2],
    ]),
    ...published('v2.detail.events.conversation.{id}.user.end', `${name}.end`, [
      [step(EVENT_TIME), T1],
      [step(EVENT_TIME + 90), T2],
    ]),
  ])
})

const ACD_END: EnvelopeParts = {
  topic: 'v2.detail.events.conversation.{id}.acd.end',
  topicName: `v2.detail.events.conversation.${CALL}.acd.end`,
  body: { eventTime: EVENT_TIME, conversationId: CALL, queueId: QUEUE, sessionId: 's1' },
}

test('the same event under a new envelope id, from another integration, with other trace data, has an equal key', () => {
  const first = envelope(ACD_END)
  const again = envelope({ ...ACD_END, id: 'another-id', source: `aws.partner/genesys.com/cloud/${ORG_ID}/second`, timestamp: T3 })
  assert.equal(eventOf(first).keyKind, 'semantic')
  assert.equal(keyOf(first), keyOf(again))
  assert.notDeepEqual(eventOf(first).envelopeKey, eventOf(again).envelopeKey)
})

test('key order and white space do not matter to the key', () => {
  const first = envelope(ACD_END)
  const turned = Object.fromEntries(Object.entries(first).reverse())
  assert.equal(keyOf(first), keyOf(Buffer.from(JSON.stringify(turned, null, 4))))
})

test('an event that came by the WebSocket is the one that came by the bus, when the organisation is known', () => {
  const bus = envelope(ACD_END)
  const { topicName, eventBody, version } = bus['detail'] as Record<string, unknown>
  assert.equal(keyOf({ topicName, version, eventBody }, ORG_ID), keyOf(bus))
  assert.notEqual(keyOf({ topicName, version, eventBody }), keyOf(bus))
})

test('a difference of one field, topic, time or organisation makes another key', () => {
  assertAllDiffer([
    envelope(ACD_END),
    envelope({ ...ACD_END, body: { eventTime: EVENT_TIME, conversationId: CALL, queueId: QUEUE, sessionId: 's2' } }),
    envelope({ ...ACD_END, body: { eventTime: EVENT_TIME + 1, conversationId: CALL, queueId: QUEUE, sessionId: 's1' } }),
    envelope({ ...ACD_END, topicName: `v2.detail.events.conversation.${USER}.acd.end` }),
    envelope({ ...ACD_END, source: 'aws.partner/genesys.com/cloud/other-org/main' }),
  ])
})

test('every sample posted twice has an equal key, or none where nothing tells a repetition from a repeat', () => {
  for (const folder of ['eventbridge', 'websocket'] as const) {
    for (const name of sampleNames(folder)) {
      const [first] = decode(sample(folder, name), { maxBytes: DEFAULT_MAX_BYTES })
      const [second] = decode(sample(folder, name), { maxBytes: DEFAULT_MAX_BYTES })
      if (!first?.ok || !second?.ok) continue
      assert.deepEqual(first.event.key, second.event.key, name)
      assert.equal(first.event.key === null, name === 'system_socket_closing', name)
    }
  }
})

test('samples that share an envelope id have different keys and equal envelope keys', () => {
  const shared = ['acd_end', 'customer_end', 'flow_end'].map((name) => eventOf(sample('eventbridge', name)))
  assert.equal(new Set(shared.map(({ key }) => Buffer.from(key ?? []).toString('hex'))).size, 3)
  assert.equal(new Set(shared.map(({ envelopeKey }) => Buffer.from(envelopeKey ?? []).toString('hex'))).size, 1)
})

test('without any time of its own an event has a transport key: envelope id and content', () => {
  const station = {
    topic: 'v2.users.{id}.station',
    topicName: `v2.users.${USER}.station`,
    body: { associatedStation: null },
    timestamp: null,
  }
  const first = envelope({ ...station, id: 'one' })
  assert.equal(eventOf(first).keyKind, 'transport')
  assert.equal(keyOf(first), keyOf(first))
  assertAllDiffer([
    first,
    envelope({ ...station, id: 'two' }),
    envelope({ ...station, id: 'one', body: { associatedStation: { id: 'x' } } }),
  ])
})

test('without time and envelope id there is no key', () => {
  const event = eventOf({ topicName: `v2.users.${USER}.station`, eventBody: { associatedStation: null } })
  assert.deepEqual([event.key, event.keyKind, event.envelopeKey], [null, 'none', null])
})

test('a custom bus: own time makes the key semantic; the envelope time, in whole seconds, never does', () => {
  const custom = (id: string, detail: object): unknown => ({
    id,
    source: 'genesys.cloud',
    'detail-type': 'InteractionEvent',
    time: '2026-03-19T22:04:48Z',
    detail,
  })
  const timed = { interactionId: CALL, eventTime: T1 }
  assert.equal(eventOf(custom('a', timed)).keyKind, 'semantic')
  assert.equal(keyOf(custom('a', timed)), keyOf(custom('b', timed)))
  const untimed = { interactionId: CALL, state: 'queued' }
  assert.equal(eventOf(custom('a', untimed)).keyKind, 'transport')
  assertAllDiffer([custom('a', untimed), custom('b', untimed), custom('a', { ...untimed, state: 'ended' })])
})

test('big numbers that differ in the last digit make different keys', () => {
  const hook = (id: string): Buffer => Buffer.from(`{"event":"x","userId":"u","timestamp":"${T1}","contact":${id}}`)
  assert.notEqual(keyOf(hook('12345678901234567890')), keyOf(hook('12345678901234567891')))
  assert.equal(keyOf(hook('12345678901234567890')), keyOf(hook('12345678901234567890')))
  const shapes = [
    (id: string) => `{"topicName":"v2.users.u.presence","eventBody":{"modifiedDate":"${T1}","__proto__":{"n":${id}}}}`,
    (id: string) =>
      `{"source":"aws.partner/genesys.com/cloud/o/s","detail-type":"t","detail":{"eventBody":{"eventTime":${EVENT_TIME},"n":[${id}]}}}`,
    (id: string) => `{"source":"s","id":"e","detail-type":"t","detail":{"n":${id}}}`,
  ]
  for (const shape of shapes)
    assertAllDiffer(['12345678901234567890', '12345678901234567891', '1e400', '1e401'].map((id) => Buffer.from(shape(id))))
})

test('parts of the key cannot run into each other', () => {
  const hook = (event: string, source: string): unknown => ({ event, source, userId: 'u', timestamp: T1 })
  assertAllDiffer([hook('ab', 'c'), hook('a', 'bc'), hook('a1:b', 'c')])
})
