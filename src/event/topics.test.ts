import assert from 'node:assert/strict'
import test from 'node:test'
import { topicList } from '../../test/fixtures/genesys/samples.ts'
import { KNOWN_TOPICS } from './known-topics.ts'
import { alignTopic, isKnownTopic, nearestTopics, templateOf } from './topics.ts'

const UUID = '2f7bf00a-0fc2-4d6a-9b56-92238191433e'

test('the shipped module holds exactly the topics of the list it was made from', () => {
  assert.deepEqual(KNOWN_TOPICS, topicList())
  assert.equal(KNOWN_TOPICS.length, 242)
})

test('every known template is found again from a name made of it', () => {
  for (const template of KNOWN_TOPICS) {
    let count = 0
    const name = template.replaceAll('{id}', () => `0000000${count++}-0fc2-4d6a-9b56-92238191433e`)
    const match = templateOf(name)
    assert.equal(match.known, true, name)
    // v2.system.{id}.{id} covers other templates; all others are told apart.
    if (!template.startsWith('v2.system.')) assert.equal(match.topic, template)
    assert.equal(match.params.length, match.topic.split('{id}').length - 1)
  }
})

test('a literal segment wins over {id}, and {id} is taken when the literal leads nowhere', () => {
  assert.deepEqual(templateOf('v2.users.u1.conversations.summaries'), {
    topic: 'v2.users.{id}.conversations.summaries',
    params: ['u1'],
    known: true,
  })
  assert.deepEqual(templateOf('v2.users.u1.conversations.summaries.recordings'), {
    topic: 'v2.users.{id}.conversations.{id}.recordings',
    params: ['u1', 'summaries'],
    known: true,
  })
})

test('ids of any look are params of a known template', () => {
  assert.deepEqual(templateOf('v2.users.test.presence'), { topic: 'v2.users.{id}.presence', params: ['test'], known: true })
})

test('an unknown topic gets a template from the segments that look like ids', () => {
  assert.deepEqual(templateOf(`v2.conversations.chats.${UUID}.members`), {
    topic: 'v2.conversations.chats.{id}.members',
    params: [UUID],
    known: false,
  })
  assert.deepEqual(templateOf('v2.things.1234.parts.part9876543.made'), {
    topic: 'v2.things.{id}.parts.{id}.made',
    params: ['1234', 'part9876543'],
    known: false,
  })
  assert.deepEqual(templateOf('v2.oauth2.clients'), { topic: 'v2.oauth2.clients', params: [], known: false })
})

test('a template is its own template and has no params', () => {
  assert.deepEqual(templateOf('v2.users.{id}.presence'), { topic: 'v2.users.{id}.presence', params: [], known: true })
})

test('aligning needs every segment: {id} is one segment, never none and never two', () => {
  assert.deepEqual(alignTopic('v2.users.{id}.presence', `v2.users.${UUID}.presence`), [UUID])
  assert.deepEqual(alignTopic('v2.audits.entitytype.{id}.entityid.{id}', 'v2.audits.entitytype.User.entityid.7'), ['User', '7'])
  assert.deepEqual(alignTopic('v2.quality.evaluations', 'v2.quality.evaluations'), [])
  for (const name of [
    'v2.users..presence',
    'v2.users.a.b.presence',
    'v2.users.a.presenc',
    'v2.users.a.presences',
    'v2.users.a',
    'v2.user.a.presence',
    '',
  ]) {
    assert.equal(alignTopic('v2.users.{id}.presence', name), null, name)
  }
})

test('hostile names are answered quickly and without a match', () => {
  const long = 'v2' + '.users'.repeat(200_000)
  assert.equal(templateOf(long).known, false)
  assert.equal(templateOf('__proto__').topic, '__proto__')
  assert.equal(nearestTopics(long, 1).length, 1)
})

test('the nearest topics to a misspelt one come first', () => {
  assert.equal(nearestTopics('v2.user.{id}.presense', 3)[0], 'v2.users.{id}.presence')
  assert.equal(nearestTopics(`v2.detail.event.conversation.${UUID}.acd.strat`, 2)[0], 'v2.detail.events.conversation.{id}.acd.start')
  const first = (typed: string): string => nearestTopics(typed, 1)[0] ?? ''
  assert.equal(first('acd.end'), 'v2.detail.events.conversation.{id}.acd.end')
  assert.equal(first('conversation.acd.ned'), 'v2.detail.events.conversation.{id}.acd.end')
  assert.equal(first('presense'), 'v2.users.{id}.presence')
  assert.equal(first('V2.USERS.{ID}.PRESENCE'), 'v2.users.{id}.presence')
  for (const topic of nearestTopics('v2.detail.evnts.*', 5)) assert.match(topic, /^v2\.detail\.events\./)
  for (const topic of nearestTopics('v2.detail.evnts.conversation.*', 5)) assert.match(topic, /^v2\.detail\.events\.conversation\./)
  assert.deepEqual(nearestTopics('members', 1, ['v2.chats.{id}.members', 'v2.users.{id}.presence']), ['v2.chats.{id}.members'])
  assert.equal(isKnownTopic('v2.users.{id}.presence'), true)
  assert.equal(isKnownTopic('v2.user.{id}.presence'), false)
})
