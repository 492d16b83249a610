/** Conversations that are learned, followed and let go. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conversationIn, Conversations } from './conversations.ts'

const TEMPLATES = ['v2.detail.events.conversation.{id}.acd.end', 'v2.detail.events.conversation.{id}.acd.start']
const make = (topicsPerShard = 4, combine = false): Conversations =>
  new Conversations({ templates: TEMPLATES, combine, shards: 2, topicsPerShard, lingerMs: 300, forgottenMs: 10_000 })

test('a snapshot tells of a conversation, and whether everybody has left', () => {
  const told = (topicName: string, eventBody: unknown) => conversationIn(topicName, { topicName, eventBody })
  const left = { endTime: '2026-01-01T00:00:00Z' }
  assert.deepEqual(told('v2.routing.queues.q.conversations', { id: 'c', participants: [left, {}] }), { id: 'c', ended: false })
  assert.deepEqual(told('v2.users.u.conversations.calls', { id: 'c', participants: [left, { state: 'disconnected' }] }), {
    id: 'c',
    ended: true,
  })
  assert.deepEqual(told('v2.users.u.conversations', { id: 'c' }), { id: 'c', ended: false })
  for (const [topic, body] of [
    ['v2.users.u.conversationsummary', { id: 'c' }],
    ['v2.users.u.conversations', { id: 'c d' }],
    ['v2.users.u.conversations', 'c'],
  ] as const) {
    assert.equal(told(topic, body), null)
  }
})

test('is followed until a while after its end', () => {
  const conversations = make()
  assert.equal(conversations.learn('a', false, 0), 0)
  assert.deepEqual(
    [...conversations.topicsOf(0).keys()],
    ['v2.detail.events.conversation.a.acd.end', 'v2.detail.events.conversation.a.acd.start'],
  )
  assert.equal(conversations.learn('a', true, 100), null)
  assert.equal(conversations.sweep(399).size, 0)
  conversations.learn('a', true, 390)
  assert.deepEqual([...conversations.sweep(400)], [0], 'the end counts, not the last word')
  assert.equal(conversations.topicsOf(0).size, 0)
  conversations.learn('b', false, 0)
  assert.deepEqual([...conversations.sweep(10_000)], [0], 'nothing heard')
})

test('is never more than there is room for: those under way come first', () => {
  const conversations = make()
  for (const id of ['a', 'b', 'c', 'd']) assert.notEqual(conversations.learn(id, false, 0), 'full')
  assert.deepEqual([conversations.topicsOf(0).size, conversations.topicsOf(1).size], [4, 4])
  assert.equal(conversations.learn('e', false, 1), 'full')
  conversations.learn('c', true, 2)
  conversations.learn('b', true, 3)
  assert.equal(conversations.learn('e', false, 4), 1, 'in the place of c')
  assert.deepEqual(conversations.status(), { followed: 4, learned: 5, dropped: 1, notFollowed: 1 })
})

test('takes half the room when topics are combined', () => {
  const conversations = make(4, true)
  for (const id of ['a', 'b', 'c', 'd']) conversations.learn(id, false, 0)
  assert.deepEqual([...conversations.topicsOf(0).keys()][0], 'v2.detail.events.conversation.a?acd.end&acd.start')
  assert.equal(conversations.topicsOf(1).size, 0)
})
