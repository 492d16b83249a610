import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate } from '../../scripts/gen-carried.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { compileTopics } from '../pipeline/topic-pattern.ts'
import { carrierOf } from './carries.ts'
import type { Convenience, Translated } from './convenience.ts'
import { patternOf } from './convenience.ts'
import { compile } from './matcher.ts'
import { problemsOf } from './read-pattern.ts'

const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'
const CUSTOMER_END = 'v2.detail.events.conversation.{id}.customer.end'
const QUEUE_USERS = 'v2.routing.queues.{id}.users'
const USER_CONVERSATIONS = 'v2.users.{id}.conversations'
const PRESENCE = 'v2.users.{id}.presence'

const translate = (keys: Convenience): Translated => patternOf(keys, KNOWN_TOPICS)

/** An event of a topic, in the queue where the topic says one. */
function event(topic: string, queueId: string | null, more: object = {}): object {
  const carrier = carrierOf(topic, 'queue')
  const id = carrier !== null && 'id' in carrier ? queueId : null
  const body = topic === USER_CONVERSATIONS ? { participants: [{ purpose: 'customer' }, { queueId }] } : { queueId }
  return {
    source: 's',
    'detail-type': topic,
    detail: { topicName: topic.replace('{id}', id ?? 'some-id'), eventBody: { ...body, ...more } },
  }
}

const takes = (keys: Convenience, topic: string, queueId: string | null = null, more: object = {}): boolean => {
  const { pattern } = translate(keys)
  return pattern !== null && compile(pattern).matches(event(topic, queueId, more))
}

test('the table of what topics carry is what the generator makes of the schemas', () => {
  assert.equal(readFileSync(new URL('generated/carried.ts', import.meta.url), 'utf8'), generate())
})

test('topics carry a queue in the body, in the name, or not at all', () => {
  assert.deepEqual(carrierOf(ACD_END, 'queue'), { path: 'detail.eventBody.queueId' })
  assert.deepEqual(carrierOf(USER_CONVERSATIONS, 'queue'), { path: 'detail.eventBody.participants.queueId' })
  assert.deepEqual(carrierOf(QUEUE_USERS, 'queue'), { id: 0 })
  assert.equal(carrierOf(CUSTOMER_END, 'queue'), null)
  assert.deepEqual(carrierOf(CUSTOMER_END, 'division'), { path: 'detail.eventBody.divisionId' })
})

test('topics alone become exact values and prefixes', () => {
  assert.deepEqual(translate({ topics: [PRESENCE, 'v2.detail.events.*'] }).pattern, {
    'detail-type': [PRESENCE, { prefix: 'v2.detail.events.' }],
  })
  assert.deepEqual(translate({}).pattern, { 'detail-type': [{ prefix: '' }] })
  assert.deepEqual(translate({ topics: ['v2.nothing.*.here'] }), {
    pattern: null,
    without: { queues: [], mediaTypes: [], divisions: [] },
    unmatched: ['v2.nothing.*.here'],
    newTopics: 'pass',
  })
})

test('one place of the queue is one plain pattern', () => {
  assert.deepEqual(translate({ topics: [ACD_END], queues: ['Q1', 'Q2'] }).pattern, {
    'detail-type': [ACD_END],
    detail: { eventBody: { queueId: ['Q1', 'Q2'] } },
  })
  assert.deepEqual(translate({ topics: [QUEUE_USERS], queues: ['Q1'] }).pattern, {
    'detail-type': [QUEUE_USERS],
    detail: { topicName: ['v2.routing.queues.Q1.users'] },
  })
})

test('topics that carry no queue are said, and dropped or passed as asked', () => {
  const keys = { topics: [ACD_END, CUSTOMER_END, QUEUE_USERS, USER_CONVERSATIONS], queues: ['Q1'] }
  assert.deepEqual(translate(keys).without, { queues: [CUSTOMER_END], mediaTypes: [], divisions: [] })
  for (const topic of [ACD_END, QUEUE_USERS, USER_CONVERSATIONS]) {
    assert.deepEqual([takes(keys, topic, 'Q1'), takes(keys, topic, 'Q2')], [true, false], topic)
  }
  assert.deepEqual(
    [
      takes(keys, CUSTOMER_END),
      takes({ ...keys, otherTopics: 'drop' }, CUSTOMER_END),
      takes({ ...keys, otherTopics: 'pass' }, CUSTOMER_END),
    ],
    [false, false, true],
  )
  assert.equal(takes({ ...keys, otherTopics: 'pass' }, PRESENCE), false)
  assert.equal(takes({ ...keys, otherTopics: 'pass' }, ACD_END, null), false)
})

test('below an open entry new topics pass when others do', () => {
  const keys = { topics: ['v2.detail.events.conversation.*'], queues: ['Q1'] }
  const fresh = 'v2.detail.events.conversation.{id}.robot.end'
  assert.deepEqual([translate({ ...keys, otherTopics: 'pass' }).newTopics, translate(keys).newTopics], ['pass', 'drop'])
  assert.deepEqual([takes({ ...keys, otherTopics: 'pass' }, fresh), takes(keys, fresh)], [true, false])
  assert.equal(takes({ ...keys, otherTopics: 'pass' }, 'v2.users.{id}.robot'), false)
  assert.equal(takes({ queues: ['Q1'], otherTopics: 'pass' }, 'v2.users.{id}.robot'), true)
  assert.equal(takes({ topics: ['v2.users.{id}.*'], queues: ['Q1'], otherTopics: 'pass' }, 'v2.users.{id}.robot'), true)
})

test('media in any case, divisions, and all of it together', () => {
  const keys = { topics: ['v2.detail.events.conversation.*'], queues: ['Q1'], mediaTypes: ['voice'], divisions: ['D1'] }
  const fits = { mediaType: 'VOICE', divisionId: 'D1' }
  assert.equal(takes(keys, ACD_END, 'Q1', fits), true)
  for (const miss of [{ mediaType: 'CHAT' }, { divisionId: 'D2' }]) assert.equal(takes(keys, ACD_END, 'Q1', { ...fits, ...miss }), false)
  assert.equal(takes(keys, ACD_END, 'Q2', fits), false)
  assert.equal(takes({ ...keys, otherTopics: 'pass' }, CUSTOMER_END, null, fits), true)
  assert.equal(takes({ ...keys, otherTopics: 'pass' }, CUSTOMER_END, null, { ...fits, mediaType: 'CHAT' }), false)
  assert.deepEqual(translate(keys).without.divisions.includes('v2.detail.events.conversation.{id}.acw'), true)
})

test('an empty list is no pattern', () => {
  assert.match(problemsOf(translate({ topics: [ACD_END], queues: [] }).pattern)[0]?.what ?? '', /is an empty array/)
})

test('property: a translation is a pattern AWS takes (its length aside), and takes the topics asked for', () => {
  const entry = fc.oneof(
    fc.constantFrom(...KNOWN_TOPICS),
    fc
      .constantFrom(...KNOWN_TOPICS)
      .chain((topic) => fc.nat({ max: topic.length }).map((cut) => `${topic.slice(0, cut).replace(/\{(?:id?)?$/, '')}*`)),
  )
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 4 }), fc.constantFrom('pass', 'drop'), (topics, otherTopics) => {
      const asked = compileTopics(topics, KNOWN_TOPICS)
      const { pattern } = translate({ topics, queues: ['Q1'], otherTopics })
      assert.deepEqual(
        pattern === null ? [] : problemsOf(pattern).filter(({ kind, what }) => kind === 'invalid' || !what.includes('characters')),
        [],
      )
      const matcher = pattern === null ? { matches: () => false } : compile(pattern)
      for (const topic of KNOWN_TOPICS) {
        const carries = carrierOf(topic, 'queue') !== null && topic !== 'v2.outbound.campaigns.{id}'
        if (topic === 'v2.outbound.campaigns.{id}' || topic === 'v2.routing.queues.{id}.conversations') continue
        const inQueue = matcher.matches(event(topic, 'Q1'))
        assert.equal(inQueue, asked.matches(topic) && (carries || otherTopics === 'pass'), `${topic} of ${topics.join(' ')}`)
        if (carries) assert.equal(matcher.matches(event(topic, 'Q2')), false, topic)
      }
    }),
    { numRuns: 60 },
  )
})
