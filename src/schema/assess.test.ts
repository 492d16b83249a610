import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf, envelope } from '../../test/fixtures/genesys/samples.ts'
import { decode } from '../event/decode.ts'
import type { Event } from '../event/event.ts'
import { assessWith, bodyOf } from './assess.ts'
import type { Finding } from './finding.ts'
import { Registry } from './registry.ts'

const TOPIC = 'v2.users.{id}.presence'
const CLASSES = (findings: readonly Finding[]): string[] => findings.map(({ class: drift, path }) => `${drift} ${path}`.trim())
const assess = assessWith(new Registry())

test('bodies are found in every shape', () => {
  const body = { source: 'PURECLOUD', extra: 1 }
  const bus = envelope({ topic: TOPIC, topicName: 'v2.users.u1.presence', body })
  const shapes: unknown[] = [
    bus,
    { topicName: 'v2.users.u1.presence', version: '2', eventBody: body },
    { ...bus, source: 'my.own.bus' },
    { source: 'my.own.bus', 'detail-type': TOPIC, detail: body },
    { messageId: 'm', body: JSON.stringify(bus), messageAttributes: {} },
  ]
  for (const shape of shapes) {
    const event = eventFrom(shape)
    assert.deepEqual(bodyOf(event), body, event.format)
    assert.deepEqual(CLASSES(assess(event)), ['new_field extra'], event.format)
  }
})

test('hand-made shapes without a Genesys topic have no drift', () => {
  for (const shape of [
    { source: 'my.bus', 'detail-type': 'call.ended', detail: { conversationId: 'c', x: 1 } },
    { event: 'call.ended', conversationId: 'c' },
  ])
    assert.deepEqual(assess(eventFrom(shape)), [])
  const webhook = eventFrom({ topic: TOPIC, userId: 'u1', note: 'hand-made' })
  assert.deepEqual([webhook.format, assess(webhook)], ['webhook', []])
})

test('an envelope without a body, and one whose body is null', () => {
  const bus = envelope({ topic: TOPIC, topicName: 'v2.users.u1.presence', body: null })
  assert.deepEqual(assess(eventFrom(bus)), [])
  const { eventBody: _, ...detail } = bus['detail'] as Record<string, unknown>
  assert.deepEqual(assess(eventFrom({ ...bus, detail })), [{ class: 'changed_type', path: '', detail: 'object -> absent' }])
})

test('an event is judged once, until another schema is in force; the memory is bounded', () => {
  let judged = 0
  const validators = { revision: 0, validatorOf: () => (): readonly Finding[] => (judged++, []) }
  const remembering = assessWith(validators, { remembered: 10 })
  const events = Array.from({ length: 100 }, (_, i) =>
    eventFrom(envelope({ topic: TOPIC, topicName: 'v2.users.u1.presence', body: {} }), `e${i}`),
  )
  for (const event of events) for (const _ of [1, 2, 3]) remembering(event)
  assert.equal(judged, 100)
  for (const event of events.slice(-5)) remembering(event)
  assert.equal(judged, 100, 'the last ones are remembered')
  remembering(events[0]!)
  assert.equal(judged, 101, 'the first ones are not')
  validators.revision++
  remembering(events[0]!)
  assert.equal(judged, 102)
})

function eventFrom(record: unknown, id = `e-${JSON.stringify(record)}`): Event {
  const [decoded] = decode(bytesOf(record), { maxBytes: 1_000_000 })
  assert.ok(decoded?.ok, JSON.stringify(decoded))
  return { ...decoded.event, id, receivedAtMs: 0, duplicateOf: null, redelivered: false }
}
