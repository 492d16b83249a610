import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Chance, MAKERS, pairFor } from '../../test/match/_pairs.ts'
import { parseEnvelope } from './exact-numbers.ts'
import { eventOf } from '../testing/event-of.ts'
import { compile } from './matcher.ts'
import { describeMismatch, mismatchOf } from './mismatch.ts'
import { problemsOf } from './read-pattern.ts'

const SECRET = 'value-of-the-event'

test('names the clause that failed and what is there, never a value of the event', () => {
  for (const [pattern, event, path, why] of [
    [{ source: ['a'] }, { source: SECRET }, 'source', 'is a text that this does not take'],
    [{ source: ['a', { prefix: 'b' }] }, { source: 5 }, 'source', 'is a number that none of these takes'],
    [{ source: ['a'], x: ['b'] }, { source: 'a', x: ['c', null] }, 'x', 'has 2 values (a text, null), none of which this takes'],
    [{ d: { q: ['a'] } }, { d: { r: SECRET } }, 'd.q', 'has no value in the event: d has no "q"'],
    [{ d: { q: ['a'] } }, { d: SECRET }, 'd.q', 'has no value in the event: d is a text'],
    [{ d: ['a'] }, {}, 'd', 'has no value in the event'],
    [
      { d: [{ exists: true }] },
      { d: { q: 1 } },
      'd',
      'has no value in the event: it is an object, and patterns compare only texts, numbers, true, false and null',
    ],
    [{ d: [{ exists: false }] }, { d: SECRET }, 'd', 'has a value in the event'],
    [{ d: [{ exists: false }] }, { d: [1, 2] }, 'd', 'has 2 values in the event'],
    [{ p: { a: [1], b: [2] } }, { p: [{ a: 1 }, { b: 2 }] }, 'p.b', 'holds, but not in the same element of an array as p.a'],
    [{ a: [1] }, 'text', '', 'the event is no object'],
  ] as const) {
    const found = mismatchOf(pattern, event)
    assert.deepEqual([found?.path, found?.why], [path, why])
    assert.equal(JSON.stringify(found).includes(SECRET), false)
  }
})

test('shows what was asked, and of alternatives the one that most of holds', () => {
  const pattern = {
    $or: [
      { a: [1], b: [{ prefix: 'x' }, null] },
      { a: [2], b: ['y'], c: ['z'] },
    ],
  }
  assert.deepEqual(mismatchOf(pattern, { a: 1, b: 'y' }), {
    path: 'b',
    asked: '[{"prefix":"x"}, null]',
    why: 'is a text that none of these takes',
    alternatives: 2,
  })
  assert.equal(mismatchOf(pattern, { a: 2, b: 'y' })?.path, 'c')
  assert.equal(mismatchOf(pattern, { a: 1, b: null }), null)
})

test('property: there is a mismatch exactly when the event does not match', () => {
  const operators = [...MAKERS.keys(), '$or', 'arrays']
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const chance = new Chance(seed)
      const { pattern, events } = pairFor(chance, chance.one(operators), 4)
      const read = JSON.parse(pattern) as unknown
      if (problemsOf(read).some(({ kind }) => kind === 'invalid')) return
      for (const text of events) {
        const event = parseEnvelope(text, true)
        assert.equal(mismatchOf(read, event) === null, compile(read).matches(event), `${pattern} ${text}`)
      }
    }),
    { numRuns: 500 },
  )
})

test('says in one line what a route did not take, also of long lists and of what only decoding knows', () => {
  const raw = Buffer.from(JSON.stringify({ topicName: 'x', eventBody: { queueId: SECRET } }))
  const event = eventOf({ format: 'notification', source: 'genesys.notifications', topic: 'v2.a', raw })
  const queues = Array.from({ length: 300 }, (_, index) => `queue-${index}`)
  assert.equal(describeMismatch([{ source: ['genesys.notifications'] }, { 'detail-type': ['v2.a'] }], event), null)
  const line = describeMismatch([{ source: ['genesys.notifications'] }, { detail: { eventBody: { queueId: queues } } }], event) ?? ''
  assert.match(line, /^detail\.eventBody\.queueId is a text that none of these takes; asked for \["queue-0", .*\.\.\.$/)
  assert.ok(line.length < 300 && !line.includes(SECRET))
  const either = { $or: [{ source: ['a'] }, { 'detail-type': ['b'] }] }
  assert.match(describeMismatch([either], event) ?? '', / in the nearest of 2 alternatives$/)
  // An envelope of a bus of one's own may lack what decoding has found.
  const bare = eventOf({ source: 'custom-bus', topic: 'v2.b', raw: Buffer.from('{"detail":{"big":123456789012345678901}}') })
  assert.equal(describeMismatch([{ source: ['custom-bus'], 'detail-type': ['v2.b'] }], bare), null)
  const number = { detail: { big: [{ numeric: ['=', 123456789012345680000] }] } }
  assert.equal(compile(number).matchesEvent(bare), false)
  assert.match(describeMismatch([number], bare) ?? '', /^detail\.big is a number that this does not take/)
})
