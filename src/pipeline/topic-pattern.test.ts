import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { compileTopics, topicPatternProblem } from './topic-pattern.ts'

test('an entry without * takes exactly that topic, known or not, with {id} as text', () => {
  const topics = compileTopics(['v2.users.{id}.presence', 'InteractionEvent'], KNOWN_TOPICS)
  assert.deepEqual(topics.exact, ['InteractionEvent', 'v2.users.{id}.presence'])
  assert.deepEqual([topics.prefixes, topics.unmatched], [[], []])
  assert.equal(topics.matches('v2.users.{id}.presence'), true)
  assert.equal(topics.matches('v2.users.7.presence'), false)
  assert.equal(topics.matches('v2.users.id.presence'), false)
  assert.equal(topics.matches('InteractionEvent'), true)
})

test('a * at the end takes the rest of the topic, new topics included', () => {
  const topics = compileTopics(['v2.detail.events.conversation.*'], KNOWN_TOPICS)
  assert.deepEqual([topics.exact, topics.prefixes], [[], ['v2.detail.events.conversation.']])
  assert.equal(topics.matches('v2.detail.events.conversation.{id}.user.end'), true)
  assert.equal(topics.matches('v2.detail.events.conversation.{id}.invented.tomorrow'), true)
  assert.equal(topics.matches('v2.detail.events.agent.{id}.state'), false)
})

test('a * before the end is the rest of one segment, expanded to known topics', () => {
  const topics = compileTopics(['v2.detail.events.conversation.{id}.*.end'], KNOWN_TOPICS)
  const ends = ['acd', 'customer', 'flow', 'user', 'voicemail'].map((part) => `v2.detail.events.conversation.{id}.${part}.end`)
  assert.deepEqual([topics.exact, topics.prefixes, topics.unmatched], [ends, [], []])
  assert.equal(topics.matches('v2.detail.events.conversation.{id}.robot.end'), false)
  assert.deepEqual(compileTopics(['v2.detail.events.conversation.{id}.cust*.end'], KNOWN_TOPICS).exact, [
    'v2.detail.events.conversation.{id}.customer.end',
  ])
})

test('an entry with an inner * that fits nothing is listed as it was given', () => {
  const topics = compileTopics(['v2.nothing.*.here', 'v2.users.{id}.presence'], KNOWN_TOPICS)
  assert.deepEqual(topics.unmatched, ['v2.nothing.*.here'])
  assert.equal(topics.matches('v2.nothing.x.here'), false)
})

test('what a prefix covers is not said twice', () => {
  const topics = compileTopics(['v2.users.*', 'v2.users.{id}.presence', 'v2.users.{id}.*', 'v2.users.*'], KNOWN_TOPICS)
  assert.deepEqual([topics.exact, topics.prefixes], [[], ['v2.users.']])
  assert.deepEqual(compileTopics(['*', 'v2.users.*'], KNOWN_TOPICS).prefixes, [''])
})

test('* alone takes everything, an empty list nothing', () => {
  assert.equal(compileTopics(['*'], KNOWN_TOPICS).matches(''), true)
  assert.equal(compileTopics([], KNOWN_TOPICS).matches('v2.users.{id}.presence'), false)
})

test('says what is wrong with an entry', () => {
  assert.equal(topicPatternProblem('v2.users.{id}.*'), null)
  assert.equal(topicPatternProblem('v2.us*.{id}.pres*'), null)
  assert.match(topicPatternProblem('') ?? '', /empty/)
  assert.match(topicPatternProblem('v2.users .x') ?? '', /space/)
  assert.match(topicPatternProblem('v2.u*s.x') ?? '', /middle of a segment/)
  assert.match(topicPatternProblem('v2.**') ?? '', /middle of a segment/)
})

test('property: a compiled list takes the known topics that a naive reading of its entries takes', () => {
  const entry = fc
    .tuple(fc.constantFrom(...KNOWN_TOPICS), fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 3 }))
    .map(([topic, cuts]) => {
      const segments = topic.split('.')
      for (const [which, length] of cuts) {
        const index = which % segments.length
        segments[index] = `${(segments[index] ?? '').replaceAll('*', '').slice(0, length % 4)}*`
      }
      return segments.join('.')
    })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 4 }), fc.boolean(), (entries, open) => {
      const patterns = open ? entries.map((pattern) => `${pattern.split('.').slice(0, 4).join('.')}.*`) : entries
      const compiled = compileTopics(patterns, KNOWN_TOPICS)
      for (const topic of [...KNOWN_TOPICS, ...KNOWN_TOPICS.slice(0, 5)]) {
        assert.equal(
          compiled.matches(topic),
          patterns.some((pattern) => naive(pattern, topic)),
          `${topic} with ${patterns.join(' ')}`,
        )
      }
    }),
    { numRuns: 200 },
  )
})

test('the memory of a route stays bounded and right under endless new topics', () => {
  const { matches } = compileTopics(['v2.a.*'], [])
  for (let index = 0; index < 10_000; index++) assert.equal(matches(index % 2 === 0 ? `v2.a.${index}` : `v2.b.${index}`), index % 2 === 0)
})

/** Character by character: a * takes any run without a dot, or at the very end any run at all. */
function naive(pattern: string, topic: string): boolean {
  if (pattern === '') return topic === ''
  if (pattern === '*') return true
  if (pattern[0] !== '*') return pattern[0] === topic[0] && naive(pattern.slice(1), topic.slice(1))
  return naive(pattern.slice(1), topic) || (topic !== '' && topic[0] !== '.' && naive(pattern, topic.slice(1)))
}
