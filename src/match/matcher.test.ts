import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Chance, MAKERS, pairFor } from '../../test/match/_pairs.ts'
import { envelopeOf } from '../event/document.ts'
import { eventOf } from '../testing/event-of.ts'
import { parseEnvelope } from './exact-numbers.ts'
import { compile, compileAll } from './matcher.ts'
import { problemsOf } from './read-pattern.ts'

/** Among the generated ones are a few that are refused. */
const isPattern = ({ pattern }: { readonly pattern: string }): boolean =>
  problemsOf(JSON.parse(pattern)).every(({ kind }) => kind === 'limit')
const is = (pattern: unknown, event: unknown): boolean => compile(pattern).matches(event)

test('a pattern without meaning is refused with its place', () => {
  assert.throws(() => compile({ source: [{ prefx: 'a' }] }), {
    code: 'match.bad_pattern',
    message: 'The pattern at source[0] has no operator "prefx".',
    hint: 'Did you mean "prefix"?',
  })
  assert.throws(() => compileAll([{ source: ['a'] }, {}]), { code: 'match.bad_pattern', message: 'Pattern 2 is an empty object.' })
})

test('a pattern longer than AWS takes is matched all the same', () => {
  assert.equal(is({ id: Array.from({ length: 10_000 }, (_, index) => `id ${index}`) }, { id: 'id 9999' }), true)
})

test('what is no object matches nothing', () => {
  for (const event of [null, undefined, 1, 'a', [], [{ a: 1 }]]) assert.equal(is({ a: [{ exists: false }] }, event), false)
})

test('null is a value, absent is none; objects and empty lists are no values', () => {
  const missing = { a: { b: [{ exists: false }] } }
  const there = { a: { b: [{ exists: true }] } }
  for (const [event, present] of [
    [{ a: { b: null } }, true],
    [{ a: { b: [0] } }, true],
    [{ a: {} }, false],
    [{}, false],
    [{ a: { b: {} } }, false],
    [{ a: { b: [] } }, false],
    [{ a: { b: [[], {}] } }, false],
  ] as const) {
    assert.deepEqual([is(there, event), is(missing, event)], [present, !present], JSON.stringify(event))
  }
})

test('several fields of an array hold in the same element', () => {
  const pattern = { p: { purpose: ['agent'], state: ['connected'] } }
  assert.equal(is(pattern, { p: [{ purpose: 'agent', state: 'connected' }] }), true)
  assert.equal(is(pattern, { p: [{ purpose: 'agent' }, { state: 'connected' }] }), false)
  assert.equal(is(pattern, { p: [[{ purpose: 'agent' }], [{ state: 'connected' }]] }), false)
  assert.equal(is(pattern, { p: [[{ purpose: 'x' }, { purpose: 'agent', state: 'connected' }]] }), true)
  assert.equal(
    is({ p: { purpose: ['agent'] }, q: { state: ['connected'] } }, { p: [{ purpose: 'agent' }, {}], q: [{}, { state: 'connected' }] }),
    true,
  )
})

test('a field that is missing, beside one that is there, is looked for in the same element', () => {
  const pattern = { p: { purpose: ['agent'], ended: [{ exists: false }] } }
  assert.equal(is(pattern, { p: [{ purpose: 'agent', ended: 1 }, { purpose: 'agent' }] }), false)
  const byName = { p: { a: ['agent'], ended: [{ exists: false }] } }
  assert.equal(is(byName, { p: [{ a: 'agent', ended: 1 }, { a: 'agent' }] }), true)
  assert.equal(is(byName, { p: [{ a: 'agent', ended: 1 }, { a: 'other' }] }), false)
})

test('keys with dots are the same field as nested ones', () => {
  assert.equal(is({ a: { b: { c: [1] } } }, { 'a.b': { c: 1 } }), true)
  assert.equal(is({ 'a.b.c': [1] }, { a: { 'b.c': 1 } }), true)
  assert.equal(is({ a: { b: [1], c: [2] } }, { 'a.b': 1, a: { c: 2 } }), true)
  const long = Array.from({ length: 30 }, (_, index) => `k${index}`)
  const nested = (keys: readonly string[], value: unknown): unknown => keys.reduceRight((inner, key) => ({ [key]: inner }), value)
  assert.equal(is(nested(long, [1]), nested([long.slice(0, 15).join('.'), long.slice(15).join('.')], 1)), true)
  assert.equal(is(nested(long, [1]), nested([...long.slice(0, 2), long.slice(2).join('.')], [0, 1])), true)
  assert.equal(is(nested(long, [1]), nested([long.slice(0, 15).join('.'), long.slice(16).join('.')], 1)), false)
})

test('names that every object inherits are fields like others', () => {
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length']) {
    const pattern = JSON.parse(`{"a":{"${key}":[{"exists":true}]}}`) as unknown
    assert.equal(is(pattern, JSON.parse('{"a":{}}')), false, key)
    assert.equal(is(JSON.parse(`{"a":{"${key}":[{"exists":false}]}}`), JSON.parse('{"a":{"b":1}}')), true, key)
    assert.equal(is(pattern, JSON.parse('{"a":"text"}')), false, key)
    assert.equal(is(pattern, JSON.parse('{"a":[1]}')), false, key)
    assert.equal(is(pattern, JSON.parse(`{"a":{"${key}":1}}`)), true, key)
    assert.equal(is(JSON.parse(`{"a":{"${key}":{"x":[1]}}}`), JSON.parse(`{"a":{"${key}":{"x":1}}}`)), true, key)
  }
})

test('events a thousand levels deep, and arrays made to be slow', { timeout: 60_000 }, () => {
  const deep = JSON.parse(`${'{"a":'.repeat(999)}1${'}'.repeat(999)}`) as unknown
  const lists = JSON.parse(`{"a":${'['.repeat(998)}{"b":1,"c":2}${']'.repeat(998)}}`) as unknown
  assert.equal(is({ a: { a: { a: [1] } } }, deep), false)
  assert.equal(is({ a: { b: [1], c: [2] } }, lists), true)
  const many = { a: Array.from({ length: 20_000 }, (_, index) => ({ x: 1, y: index === 19_999 ? 2 : 1, z: 1 })) }
  assert.equal(is({ a: { x: [1], y: [2], z: [1] } }, many), true)
  assert.equal(is({ a: { x: [1], y: [3] } }, many), false)
  const apart = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => [key, Array.from({ length: 300 }, () => ({ x: 1, y: 2 }))]))
  const pattern = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => [key, { x: [1], y: [key === 'f' ? 3 : 2] }]))
  assert.equal(is(pattern, apart), false)
})

test('an event that could make the ways multiply is given up within the bound', { timeout: 60_000 }, () => {
  const array = (): unknown => Array.from({ length: 2_000 }, (_, index) => ({ w: 1, x: 1, y: 1, z: index === 7 ? 2 : 1 }))
  const event = { 'a.b.c': array(), 'a.b': { c: array() }, a: { 'b.c': array(), b: { c: array() } } }
  assert.equal(is({ a: { b: { c: { w: [1], x: [1], y: [1], z: [2] } } } }, event), false)
})

test('numbers no double holds are not taken for those beside them', () => {
  const matcher = compile({ n: [9007199254740992] })
  assert.equal(matcher.matches(parseEnvelope('{"n":9007199254740992}', true)), true)
  assert.equal(matcher.matches(parseEnvelope('{"n":9007199254740993}', true)), false)
  for (const [text, n] of [
    ['1.0', 1],
    ['100e-2', 1],
    ['0.000000000000000000001', 1e-21],
    ['-0.0', 0],
    ['12345678901234567000', 12345678901234567000],
    ['0.30000000000000004', 0.30000000000000004],
  ] as const) {
    assert.equal(compile({ n: [n] }).matches(parseEnvelope(`{"n":${text}}`, true)), true, text)
  }
  for (const text of ['1.00000000000000000001', '0.1000000000000000055511151231257827']) {
    for (const n of [1, 0, 0.1]) assert.equal(compile({ n: [n] }).matches(parseEnvelope(`{"n":${text}}`, true)), false, text)
  }
  parseEnvelope(`{"n":1e-${'9'.repeat(1_000_000)},"m":${'1'.repeat(1_000_000)}}`, true)
})

test('an event is parsed only when its source and topic leave the question open', () => {
  const closed = eventOf({ raw: new TextEncoder().encode('not JSON') })
  const matcher = compile({
    source: [{ prefix: 'aws.partner/genesys.com' }],
    'detail-type': ['v2.users.{id}.presence', { suffix: '.acd.end' }],
  })
  assert.equal(matcher.matchesEvent(closed), true)
  assert.equal(compile({ 'detail-type': ['x'], detail: { a: [1] } }).matchesEvent(closed), false)
  assert.deepEqual(
    compileAll([{ 'detail-type': [{ prefix: 'v2.' }] }, { 'detail-type': ['x'], detail: { a: [1] } }]).matchingEvent(closed),
    [0],
  )
  assert.throws(() => compile({ detail: { a: [1] } }).matchesEvent(closed), SyntaxError)
})

test('an event matches as its canonical envelope does, whatever format it came in', () => {
  const event = eventOf({ queueId: 'Q7' })
  const bare = eventOf({
    format: 'notification',
    source: 'genesys.notifications',
    raw: new TextEncoder().encode('{"topicName":"t","eventBody":{"queueId":"Q7"}}'),
  })
  const patterns = [
    { detail: { eventBody: { queueId: ['Q7'] } } },
    { detail: { eventBody: { queueId: ['Q8'] } } },
    { source: ['genesys.notifications'], detail: { topicName: ['t'] } },
    { 'detail-type': [{ suffix: '.acd.end' }], detail: { eventBody: { missing: [{ exists: false }] } } },
  ]
  const set = compileAll(patterns)
  for (const one of [event, bare]) assert.deepEqual(set.matchingEvent(one), set.matching(envelopeOf(one)))
  assert.deepEqual(
    [set.matchingEvent(event), set.matchingEvent(bare)],
    [
      [0, 3],
      [0, 2, 3],
    ],
  )
})

test('property: patterns side by side answer as each alone', () => {
  const operators = [...MAKERS.keys(), '$or', 'arrays']
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), (seed, count) => {
      const chance = new Chance(seed)
      const topics = ['t1', 't2', 't3']
      const pairs = Array.from({ length: count }, () => pairFor(chance, chance.one(operators), 3)).filter(isPattern)
      const patterns = pairs.map(({ pattern }) => {
        const read = JSON.parse(pattern) as object
        return chance.in(70)
          ? {
              'detail-type': chance.in(50) ? [chance.one(topics)] : [{ prefix: 't' }, null],
              ...(chance.in(50) ? { source: ['s'] } : {}),
              ...read,
            }
          : read
      })
      const set = compileAll(patterns)
      const alone = patterns.map((pattern) => compile(pattern))
      for (const text of pairs.flatMap(({ events }) => events)) {
        const heads = [
          {},
          { source: 's', 'detail-type': chance.one(topics) },
          { source: 's', 'detail-type': null },
          { source: 'r', 'detail-type': ['t1', 't9'] },
        ]
        const event = { ...chance.one(heads), ...parseEnvelope(text, true) }
        const expected = alone.flatMap((matcher, index) => (matcher.matches(event) ? [index] : []))
        assert.deepEqual(set.matching(event), expected)
      }
    }),
    { numRuns: 300 },
  )
})

test('property: $or takes what either branch takes', () => {
  const operators = [...MAKERS.keys(), 'arrays']
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const chance = new Chance(seed)
      const pairs = [pairFor(chance, chance.one(operators), 3), pairFor(chance, chance.one(operators), 3)].filter(isPattern)
      const branches = pairs.map(({ pattern }) => JSON.parse(pattern) as unknown)
      // The two together may make too many combinations.
      if (!isPattern({ pattern: JSON.stringify({ $or: branches }) })) return
      const either = compile({ $or: branches })
      for (const text of pairs.flatMap(({ events }) => events)) {
        const event = parseEnvelope(text, true)
        assert.equal(
          either.matches(event),
          branches.some((branch) => is(branch, event)),
        )
      }
    }),
    { numRuns: 300 },
  )
})

test('endless new topics and sources leave the answers right', () => {
  const set = compileAll([{ 'detail-type': [{ prefix: 'a' }] }, { source: ['s5'], detail: { x: [1] } }])
  for (let index = 0; index < 20_000; index++) {
    const event = { source: `s${index % 10}`, 'detail-type': `${index % 2 === 0 ? 'a' : 'b'}${index}`, detail: { x: 1 } }
    assert.deepEqual(set.matching(event), [...(index % 2 === 0 ? [0] : []), ...(index % 10 === 5 ? [1] : [])])
  }
})

test('twenty thousand elements that nearly match cost no more than looking at each', { timeout: 60_000 }, () => {
  const halves = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? { a: '1', b: '1', c: '0' } : { a: '0', b: '1', c: '9' }))
  const nested = halves.map(({ a, b }, i) => ({ in: [{ a, b }], c: String(i) }))
  const event = (list: readonly unknown[]): unknown => ({ source: 's', 'detail-type': 't', detail: { list } })
  const texts = compile({ detail: { list: { a: ['1'], b: ['1'], c: ['9'] } } })
  assert.equal(texts.matches(event(halves)), false)
  assert.equal(texts.matches(event([...halves, { a: '1', b: '1', c: '9' }])), true)
  const inner = compile({ detail: { list: { in: { a: ['1'], b: ['1'] }, c: ['nowhere', '19998'] } } })
  assert.equal(inner.matches(event(nested)), true)
  assert.equal(inner.matches(event(nested.slice(0, -2))), false)
  const many = compile({ detail: { list: { a: ['1'], $or: Array.from({ length: 500 }, (_, i) => ({ c: ['9', `x${i}`] })) } } })
  assert.equal(many.matches(event(halves)), false, 'the alternatives of a pattern have one bound together')
})
