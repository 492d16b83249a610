import assert from 'node:assert/strict'
import { test } from 'node:test'
import { finishedText, FINISHED_TOPIC } from './changes.ts'
import { decode, DEFAULT_MAX_BYTES } from './decode.ts'
import type { DecodedEvent } from './event.ts'

const END_MS = 1_767_603_888_000
const BODY = { id: 'c1', endedAtMs: END_MS, queueId: 'q1', userId: null, attributes: { quote: 'say "hi"', $1: '$&' } }

function decoded(text: string, own: boolean): DecodedEvent {
  const [first, ...more] = decode(Buffer.from(text), { maxBytes: DEFAULT_MAX_BYTES, orgId: 'org', own })
  assert.deepEqual(more, [])
  assert.ok(first?.ok, JSON.stringify(first))
  return first.event
}

const text = finishedText('c1', JSON.stringify(BODY), END_MS + 30_000)

test('a finished conversation is read back as what it is', () => {
  const event = decoded(text, true)
  const { format, source, topic, topicName, params, entity, conversationId, queueId, userId, orgId, marks } = event
  assert.deepEqual([format, source, topic, topicName], ['change', 'trunkline', FINISHED_TOPIC, 'trunkline.conversations.c1.finished'])
  assert.deepEqual([params, entity, conversationId, queueId, userId], [['c1'], { kind: 'conversation', id: 'c1' }, 'c1', 'q1', null])
  assert.deepEqual([event.occurredAtMs, event.publishedAtMs, event.keyKind, orgId, marks], [END_MS, END_MS + 30_000, 'semantic', 'org', []])
  assert.deepEqual((JSON.parse(text) as { detail: { eventBody: unknown } }).detail.eventBody, BODY)
  assert.match(event.envelopeId ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('the same told later is the same event; another body, or the same of another conversation, is another', () => {
  const { key, envelopeId } = decoded(text, true)
  const later = decoded(finishedText('c1', JSON.stringify(BODY), END_MS + 90_000), true)
  assert.deepEqual([later.key, later.envelopeId], [key, envelopeId])
  for (const other of [
    finishedText('c1', JSON.stringify({ ...BODY, wrapupCode: 'w' }), END_MS),
    finishedText('c2', JSON.stringify(BODY), END_MS),
  ]) {
    const event = decoded(other, true)
    assert.notDeepEqual(event.key, key)
    assert.notEqual(event.envelopeId, envelopeId)
  }
})

test('from anybody else it is an event of an unknown topic, and no repetition of ours', () => {
  const ours = decoded(text, true)
  const theirs = decoded(text, false)
  assert.deepEqual([theirs.format, theirs.marks], ['eventbridge', ['topic.unknown']])
  assert.notDeepEqual(theirs.key, ours.key)
})

test('an id with dollars, dots or quotes stays what it is; what only looks like a change is none', () => {
  const id = 'a$&."b'
  const event = decoded(finishedText(id, JSON.stringify({ ...BODY, id }), END_MS), true)
  assert.deepEqual([event.format, event.conversationId], ['change', id])
  for (const [from, to] of [
    ['"source":"trunkline"', '"source":"trunkline.io"'],
    ['finished","source"', 'ended","source"'],
    ['"eventBody":{', '"eventBody":[{}],"body":{'],
  ] as const) {
    assert.ok(text.includes(from))
    assert.notEqual(decoded(text.replace(from, to), true).format, 'change')
  }
  assert.notEqual(decoded(finishedText('c1', '{"endedAtMs":1}', END_MS), true).format, 'change')
})
