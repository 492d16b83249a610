import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { factsOfSomeTopics } from '../testing/state-events.ts'
import { asFrozen, fromChunk, fromText, toChunk, toText, type Kept } from './chunk.ts'
import { FactWriter } from './fact-text.ts'
import { aboutOf, compareFacts, FIELDS, KINDS, type Fact } from './fact.ts'

const keptOf = (facts: readonly Fact[], kind: Kept['kind']): Kept => ({
  kind,
  id: 'the "id"',
  facts: facts.filter((fact) => aboutOf(fact.kind) === kind).map((fact) => ({ ...fact, of: 'the "id"' })),
  gaveUp: facts.length % 2 === 0,
  frozen: facts.length % 3 === 0,
})

test('what is written down is read back', () => {
  let facts = 0
  fc.assert(
    fc.property(factsOfSomeTopics, (some) => {
      for (const kind of ['conversation', 'agent'] as const) {
        const kept = keptOf(some, kind)
        facts += kept.facts.length
        const read = fromChunk(toChunk(kept))
        assert.deepEqual(read, kept)
        read.facts.forEach((fact, n) => assert.equal(compareFacts(fact, kept.facts[n]!), 0))
        if (!kept.frozen) assert.equal(asFrozen(toChunk(kept)), toChunk({ ...kept, frozen: true }))
      }
      const writer = new FactWriter()
      for (const fact of some) writer.add(fact)
      assert.deepEqual(fromText(toText(writer)), some)
    }),
    { numRuns: 500 },
  )
  assert.ok(facts > 1_000)
})

test('every field of a fact is in the list that is written down', () => {
  fc.assert(
    fc.property(factsOfSomeTopics, (facts) => {
      for (const fact of facts) {
        const { text, numbers } = FIELDS[fact.kind]
        assert.deepEqual(Object.keys(fact).sort(), ['kind', 'of', 'atMs', ...text, ...numbers].sort())
      }
    }),
    { numRuns: 300 },
  )
  assert.equal(KINDS.length, new Set(KINDS).size)
})

test('what is no chunk is null, however near it comes', () => {
  const good = toChunk({
    kind: 'agent',
    id: 'u',
    facts: [{ kind: 'routing', of: 'u', atMs: 5, status: 'IDLE' }],
    gaveUp: false,
    frozen: false,
  })
  assert.ok(fromChunk(good))
  for (const bad of [
    '',
    'null',
    '[]',
    '{}',
    good.slice(0, -1),
    good.replace('"v":2', '"v":1'),
    good.replace('"agent"', '"conversation"'),
    good.replace('"agent"', '"queue"'),
    good.replace('["u","IDLE"]', '["u",7]'),
    good.replace('["u","IDLE"]', '["u"]'),
    good.replace('["u","IDLE"]', '["w","IDLE"]'),
    good.replace('"id":"u"', '"id":7'),
    good.replace('"id":"u"', '"id":"w"'),
    good.replace(/\[\[\d+,/, '[[99,'),
    good.replace(/,1\]\]/, ',1,1]]'),
    good.replace(/,1\]\]/, ',"1"]]'),
    good.replace(/,0,1\]\]/, ',-1,1]]'),
    good.replace('"firstMs":5', '"firstMs":"5"'),
  ]) {
    assert.notEqual(bad, good)
    assert.equal(fromChunk(bad), null, bad)
  }
})

test('a cut or changed chunk never throws', () => {
  const chunk = toChunk(keptOf(fc.sample(factsOfSomeTopics, { numRuns: 1, seed: 7 })[0]!, 'conversation'))
  fc.assert(
    fc.property(fc.nat(chunk.length), fc.string({ maxLength: 3 }), (at, text) => {
      fromChunk(chunk.slice(0, at) + text + chunk.slice(at + text.length))
    }),
  )
})
