/** What can never match is said with what was likely meant; what may match is never doubted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TrunklineConfig } from '../config/config.ts'
import { resolveConfig } from '../config/resolve.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { nearestTopics, templateOf } from '../event/topics.ts'
import { Registry } from '../schema/registry.ts'
import { bodyFor } from '../schema/_bodies.ts'
import { doubtsOf } from './match-doubts.ts'

const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'
const ACD_START = 'v2.detail.events.conversation.{id}.acd.start'
const ATTRIBUTES = 'v2.detail.events.conversation.{id}.attributes'
/** Has no shipped schema. */
const CALLBACK = 'v2.users.{id}.conversations.callbacks'
const UUID = '2f9e3a52-9d0e-4c38-8a53-6a1ba3ecd8f1'
const registry = new Registry()

function doubts(route: object, known: Registry = registry): readonly (readonly [string, string, string])[] {
  const input: TrunklineConfig = { routes: { r: { sink: { type: 'file', dir: '/out' }, ...route } } }
  const result = resolveConfig(input, {
    file: '/proj/trunkline.config.ts',
    cwd: '/proj',
    env: {},
    readFile: () => assert.fail('reads no file'),
    knownTopics: KNOWN_TOPICS,
    nearestTopics,
    topicTemplateOf: (name) => templateOf(name).topic,
  })
  assert.ok('config' in result, JSON.stringify(result))
  return doubtsOf(result.config, known).map(({ code, path, message, hint }) => [
    code,
    path.replace(/^routes\.r\.?/, ''),
    `${message} ${hint}`,
  ])
}

/** The one doubt there is: its place, and that it says all this. */
function only(route: object, place: string, ...says: readonly (string | RegExp)[]): void {
  const found = doubts(route)
  assert.deepEqual(
    found.map(([, path]) => path),
    [place],
    JSON.stringify(found),
  )
  for (const part of says) assert.match(found[0]?.[2] ?? '', part instanceof RegExp ? part : new RegExp(RegExp.escape(part)))
}

const body = (eventBody: object, ...topics: readonly string[]): object => ({
  match: { ...(topics.length === 0 ? {} : { 'detail-type': topics }), detail: { eventBody } },
})

test('keys that no envelope has are said with the likely one', () => {
  only({ match: { detailType: [ACD_END] } }, 'match.detailType', 'Did you mean "detail-type"?')
  only({ match: { 'detail-typ': [ACD_END] } }, 'match.detail-typ', 'Did you mean "detail-type"?')
  only({ match: { eventBody: { mediaType: ['VOICE'], direction: ['INBOUND'] } } }, 'match.eventBody', 'Did you mean "detail.eventBody"?')
  only({ match: { mediaType: ['VOICE'] } }, 'match.mediaType', 'Did you mean "detail.eventBody.mediaType"?')
  only(
    { match: { 'detail-type': [ACD_END], detail: { queueId: [UUID] } } },
    'match.detail.queueId',
    'Did you mean "detail.eventBody.queueId"?',
  )
  only({ match: { detail: { eventbody: { mediaType: ['VOICE'] } } } }, 'match.detail.eventbody', 'Did you mean "detail.eventBody"?')
  only({ match: { $or: [{ sourc: ['a'] }, { source: ['b'] }] } }, 'match.sourc', 'Did you mean "source"?')
  only({ changes: 'conversation', match: { eventBody: { outcome: ['abandoned'] } } }, 'match.eventBody', '"detail.eventBody"')
})

test('topics that none has: a star is only a star, an id is only an id', () => {
  const typed = (...topics: readonly unknown[]): object => ({ match: { 'detail-type': topics } })
  only(
    typed('v2.detail.events.conversation.*'),
    'match.detail-type[0]',
    'no more than a star',
    '{ prefix: "v2.detail.events.conversation." }',
    'topics',
  )
  only(
    typed(ACD_END, 'v2.detail.events.conversation.*.acd.end'),
    'match.detail-type[1]',
    'topics: ["v2.detail.events.conversation.*.acd.end"]',
  )
  only(typed('v2.detail.events.conversation.{id}.acd.ends'), 'match.detail-type[0]', `Nearest known topics: ${ACD_END}`)
  only(typed(ACD_END.replace('{id}', UUID)), 'match.detail-type[0]', `Write the template: "${ACD_END}"`)
  only(typed({ prefix: 'v2.detail.event.' }), 'match.detail-type[0]', 'fits none of the known topics', 'Nearest known topics: v2.')
  only({ topics: [ACD_START], ...typed(ACD_END) }, 'match.detail-type', 'none of the topics of the route')
  for (const good of [
    { prefix: 'v2.detail.events.' },
    { wildcard: 'v2.*.acd.end' },
    { 'anything-but': ACD_END },
    { exists: true },
    ACD_END,
  ])
    assert.deepEqual(doubts(typed(good)), [])
})

test('fields that no schema of the topics has', () => {
  only(
    body({ mediatype: ['VOICE'] }, ACD_END),
    'match.detail.eventBody.mediatype',
    `the schema of ${ACD_END}`,
    '"detail.eventBody.mediaType"',
  )
  only(
    { topics: [ACD_END, ACD_START], ...body({ queue: [UUID] }) },
    'match.detail.eventBody.queue',
    'its 2 topics',
    '"detail.eventBody.queueId"',
  )
  only(body({ queueId: { id: [UUID] } }, ACD_END), 'match.detail.eventBody.queueId.id')
  // A list is no step of a path.
  only(
    body({ communications: { ids: ['x'] } }, ATTRIBUTES),
    'match.detail.eventBody.communications.ids',
    '"detail.eventBody.communications.id"',
  )
  assert.deepEqual(doubts(body({ communications: { id: ['x'] } }, ATTRIBUTES)), [])
  // One of the topics has it.
  assert.deepEqual(doubts(body({ acdOutcome: ['ABANDON'] }, ACD_END, ACD_START)), [])
  // What is in an object with any keys is not known, and what is in a list is.
  assert.deepEqual(doubts(body({ attributes: { 'any.key': ['x'] } }, ATTRIBUTES)), [])
  assert.deepEqual(doubts(body({ callbackNumbers: ['+49'] }, ACD_END)), [])
})

test('fields are not doubted where a topic may have any', () => {
  const odd = { nosuch: ['x'], mediaType: ['Voice'] }
  assert.deepEqual(doubts(body(odd)), [])
  assert.deepEqual(doubts(body(odd, ACD_END, CALLBACK)), [])
  assert.deepEqual(doubts({ topics: [ACD_END, 'my.own.topic'], ...body(odd) }), [])
  assert.deepEqual(doubts({ topics: ['my.own.*'], ...body(odd) }), [])
  assert.deepEqual(doubts({ match: { detail: { kind: ['order'] } } }), [], 'a record without an envelope')
  assert.deepEqual(
    doubts(body(odd, ACD_END, 'my.own.topic')).map(([, path]) => path),
    ['match.detail-type[1]'],
  )
})

test('values that no schema has', () => {
  only(
    body({ mediaType: ['VOICE', 'Voice'] }, ACD_END),
    'match.detail.eventBody.mediaType[1]',
    'is "Voice"',
    'Did you mean "VOICE"?',
    'CALLBACK',
  )
  only(body({ mediaType: [{ prefix: 'voi' }] }, ACD_END), 'match.detail.eventBody.mediaType[0]')
  for (const good of ['VOICE', null, { 'equals-ignore-case': 'voice' }, { 'anything-but': 'VOICE' }, { exists: false }])
    assert.deepEqual(doubts(body({ mediaType: [good] }, ACD_END)), [], JSON.stringify(good))
  assert.deepEqual(doubts(body({ provider: ['anybody'] }, ACD_END)), [])
})

test('a schema of your own may list numbers, and say things that only ajv reads', () => {
  const schema = { properties: { level: { enum: [1, 2, { odd: true }] }, any: { patternProperties: { '^x': {} } }, of: { anyOf: [{}] } } }
  const own = { topic: 'my.topic', version: '1', file: 'my.schema.json', schema, strict: schema, validator: registry.validatorOf(ACD_END)! }
  const mine = new Registry([own])
  const [[, path, text] = []] = doubts(body({ level: [5] }, 'my.topic'), mine)
  assert.deepEqual([path, /is 5, .*Known values: 1, 2\./.test(text ?? '')], ['match.detail.eventBody.level[0]', true], text)
  assert.deepEqual(doubts(body({ level: [2], any: { x1: ['a'] }, of: { these: ['a'] } }, 'my.topic'), mine), [])
})

test('media that there are not', () => {
  const media = (...mediaTypes: readonly string[]): object => ({ topics: [ACD_END], mediaTypes })
  const found = doubts(media('voices', 'Call', 'Voice', 'EMAIL'))
  assert.deepEqual(
    found.map(([code, path]) => [code, path]),
    [
      ['config.match_unknown', 'mediaTypes[0]'],
      ['config.match_unknown', 'mediaTypes[1]'],
    ],
  )
  assert.match(found[0]?.[2] ?? '', /Did you mean "voice"\? Known media: .*email/)
})

test('however much is wrong, a route has 20 doubts at most', () => {
  const keys = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`key${index}`, ['x']]))
  assert.equal(doubts({ match: keys }).length, 20)
  const branches = Array.from({ length: 900 }, (_, index) => ({
    'detail-type': [ACD_END],
    detail: { eventBody: { [`odd${index}`]: ['x'] } },
  }))
  assert.equal(doubts({ match: { $or: branches } }).length, 20)
})

test('what an event of a schema has is never doubted, anywhere in it', () => {
  for (const topic of registry.topics())
    for (const variant of [0, 1, 2]) {
      const fields = chunked(leavesOf(bodyFor(registry.strictOf(topic) ?? assert.fail(), variant)), 200)
      assert.ok(fields.length > 0)
      for (const some of fields) assert.deepEqual(doubts(body(some, topic)), [], topic)
    }
})

/** The leaves by path as a pattern takes them: dots for depth, lists left out, all values of a path in one clause. */
function leavesOf(value: unknown, path = '', leaves = new Map<string, unknown[]>()): Map<string, unknown[]> {
  if (Array.isArray(value)) for (const item of value) leavesOf(item, path, leaves)
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) leavesOf(inner, path === '' ? key : `${path}.${key}`, leaves)
  else leaves.set(path, [...(leaves.get(path) ?? []), value])
  return leaves
}

function chunked(leaves: ReadonlyMap<string, unknown[]>, size: number): readonly object[] {
  const all = [...leaves]
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => Object.fromEntries(all.slice(index * size, (index + 1) * size)))
}
