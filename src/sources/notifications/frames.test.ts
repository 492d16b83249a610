/** What a frame is, with the frames Genesys sends and with garbage. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { readFrame } from './frames.ts'

const SAMPLES = new URL('../../../test/fixtures/genesys/websocket/', import.meta.url)
const kindOf = (text: string): string => readFrame(Buffer.from(text), false).kind

test('the sample frames are recognised', () => {
  const expected = new Map([
    ['channel_gone.json', 'answer'],
    ['channel_metadata_heartbeat.json', 'heartbeat'],
    ['channel_metadata_pong.json', 'pong'],
    ['chat_member.json', 'event'],
    ['client_ping.json', 'foreign'],
    ['client_subscribe.json', 'foreign'],
    ['subscribe_ok.json', 'answer'],
    ['system_socket_closing.json', 'closing'],
    ['users_activity.json', 'event'],
  ])
  const files = readdirSync(SAMPLES).filter((file) => file.endsWith('.json'))
  assert.deepEqual(
    files.map((file) => [file, kindOf(readFileSync(new URL(file, SAMPLES), 'utf8'))]),
    [...expected],
  )
})

test('notices are told by their topic alone', () => {
  assert.equal(kindOf('{"topicName":"v2.system.token_revoked.1"}'), 'revoked')
  assert.equal(kindOf('{"topicName":"v2.subscription.updated","eventBody":1}'), 'notice')
  assert.deepEqual(
    readFrame(Buffer.from('{"topicName":"v2.system.no_longer_subscribed.1","eventBody":{"data":{"topics":["v2.a.b","no"]}}}'), false),
    {
      kind: 'unsubscribed',
      topics: ['v2.a.b'],
    },
  )
  assert.equal(kindOf('{"topicName":"v2.system.something_new.1","eventBody":{}}'), 'event', 'what is not known goes on')
})

test('an answer needs no more than a status', () => {
  assert.deepEqual(readFrame(Buffer.from('{"result":404,"new":"field"}'), false), { kind: 'answer', status: 404, correlationId: null })
  assert.equal(kindOf('{"result":"fine"}'), 'foreign')
})

test('anything else is foreign, and nothing throws', () => {
  for (const text of [
    '',
    ' ',
    'x',
    'null',
    '[]',
    '1',
    '{}',
    '{"topicName":"v2.users.u.presence"}',
    '{"topicName":3}',
    '['.repeat(100_000),
  ]) {
    assert.equal(kindOf(text), 'foreign', text.slice(0, 40))
  }
  assert.equal(readFrame(Buffer.from('{"topicName":"v2.a.b","eventBody":{}}'), true).kind, 'foreign', 'binary')
  fc.assert(fc.property(fc.json(), (text) => typeof kindOf(text) === 'string'))
  fc.assert(fc.property(fc.uint8Array(), (bytes) => typeof readFrame(bytes, false).kind === 'string'))
})
