import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { occurredAtMs, readInstant, readLooseInstant, timeRuleOf } from './times.ts'

const at = (topic: string, body: unknown): number | null => occurredAtMs(timeRuleOf(topic), body)
const ISO = '2026-03-19T22:04:48.128Z'
const MS = Date.UTC(2026, 2, 19, 22, 4, 48, 128)

test('each topic family has its time where Genesys puts it', () => {
  const rows: [string, unknown, number | null][] = [
    ['v2.detail.events.conversation.{id}.user.start', { eventTime: MS, timestamp: 5 }, MS],
    ['v2.detail.events.agent.{id}.state', { currentStateStart: MS, sessionStart: MS - 9, eventTime: 1 }, MS],
    ['v2.conversations.{id}.transcription', { eventTime: ISO }, MS],
    ['v2.audits.entitytype.{id}.entityid.{id}', { eventTime: '2021-05-31T09:49:25Z' }, Date.UTC(2021, 4, 31, 9, 49, 25)],
    ['v2.operations.events.{id}', { timestamp: MS }, MS],
    ['v2.users.{id}.presence', { modifiedDate: ISO }, MS],
    ['v2.users.{id}.outofoffice', { modifiedDate: ISO }, MS],
    ['v2.users.{id}.routingStatus', { id: 'u', routingStatus: { status: 'IDLE', startTime: ISO } }, MS],
    ['v2.users.{id}.activity', { routingStatus: { startTime: '2026-01-01T00:00:00Z' }, dateActiveQueuesChanged: ISO }, MS],
    ['v2.users.{id}.activity', { presence: { modifiedDate: ISO }, outOfOffice: { modifiedDate: '2018-04-02T01:42:52.505Z' } }, MS],
    ['v2.analytics.conversation.{id}.metrics', { metricDate: ISO, metric: 'tAnswered' }, MS],
    ['v2.conversations.chats.{id}.members', { timestamp: ISO }, MS],
    ['v2.users.{id}.station', { timestamp: ISO, associatedStation: null }, null],
    ['v2.routing.queues.{id}.users', { modifiedDate: ISO }, null],
    ['v2.routing.queues.{id}.conversations.calls', { timestamp: ISO }, null],
    ['v2.users.{id}.conversations', { timestamp: ISO }, null],
    ['v2.analytics.queues.{id}.observations', { data: [{ interval: 'x' }] }, null],
    ['v2.analytics.queues.{id}.activity', { results: [] }, null],
    ['v2.analytics.users.{id}.aggregates', { group: {}, data: [] }, null],
    ['v2.detail.events.conversation.{id}.acw', {}, null],
    ['v2.detail.events.conversation.{id}.acw', null, null],
    ['v2.detail.events.conversation.{id}.acw', 'text', null],
  ]
  for (const [topic, body, expected] of rows) assert.equal(at(topic, body), expected, topic)
})

test('snapshot topics are those whose body may repeat', () => {
  for (const topic of [
    'v2.users.{id}.station',
    'v2.users.{id}.activity',
    'v2.routing.queues.{id}.users',
    'v2.analytics.queues.{id}.activity',
  ]) {
    assert.equal(timeRuleOf(topic).snapshot, true, topic)
  }
  for (const topic of ['v2.detail.events.conversation.{id}.acd.end', 'v2.users.{id}.presence', 'v2.analytics.conversation.{id}.metrics']) {
    assert.equal(timeRuleOf(topic).snapshot, false, topic)
  }
})

test('an unreadable first field gives way to the next, and never becomes NaN', () => {
  assert.equal(at('v2.some.new.topic', { eventTime: 'soon', modifiedDate: ISO }), MS)
  assert.equal(at('v2.some.new.topic', { eventTime: NaN }), null)
})

test('instants that are garbage or absurd are null', () => {
  const bad = [
    '',
    'yesterday',
    '2026',
    '2026-03-19',
    '2026-03-19T22:04:48',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-03-19T24:00:00Z',
    '2026-03-19T22:60:00Z',
    '2026-03-19T22:04:60Z',
    '2026-03-19 22:04:48Z',
    '2026-03-19T22:04:48.Z',
    '2026-03-19T22:04:48.1234567890Z',
    '2026-03-19T22:04:48Zz',
    '2026-03-19T22:04:48+19:00',
    '2026-03-19T22:04:48+1:00',
    '1969-12-31T23:59:59Z',
    '2o26-03-19T22:04:48Z',
    '10000-01-01T00:00:00Z',
    '9999-12-31T23:59:59-01:00',
    ' 2026-03-19T22:04:48Z',
    -1,
    NaN,
    Infinity,
    -Infinity,
    1e20,
    true,
    null,
    {},
    [],
  ]
  for (const value of bad) assert.equal(readInstant(value), null, String(value))
})

test('the usual ways to write one instant agree', () => {
  const same = [
    MS,
    ISO,
    '2026-03-19T22:04:48.128000Z',
    '2026-03-19T22:04:48.128999999Z',
    '2026-03-20T00:04:48.128+02:00',
    '2026-03-19T17:34:48.128-0430',
  ]
  for (const value of same) assert.equal(readInstant(value), MS, String(value))
  assert.equal(readInstant('2026-03-19T22:04:48.1Z'), MS - 28)
  assert.equal(readInstant('2024-02-29T00:00:00Z'), Date.UTC(2024, 1, 29))
})

test('in hand-made bodies a small number is not taken for milliseconds', () => {
  assert.equal(readLooseInstant(1_765_551_865), null)
  assert.equal(readLooseInstant(1_765_551_865_126), 1_765_551_865_126)
  assert.equal(readLooseInstant(ISO), MS)
})

test('every instant that Date can write is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
      assert.equal(readInstant(new Date(ms).toISOString()), ms)
      assert.equal(readInstant(ms), ms)
    }),
  )
})

test('any text is read or refused, never NaN', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/)), (text) => {
      const instant = readInstant(text)
      assert.ok(instant === null || (Number.isSafeInteger(instant) && instant >= 0))
    }),
  )
})
