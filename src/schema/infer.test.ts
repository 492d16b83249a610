import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { bodyFor } from './_bodies.ts'
import { diffSchemas } from './diff.ts'
import { refusalOf } from './guard.ts'
import { Inference } from './infer.ts'
import type { JsonSchema } from './json-schema.ts'
import { Registry } from './registry.ts'
import { strictOf } from './strict.ts'

const infer = (...bodies: readonly unknown[]): JsonSchema => {
  const inference = new Inference()
  for (const body of bodies) inference.add(body)
  return inference.schema('own.topic')
}
const properties = (...bodies: readonly unknown[]): unknown => infer(...bodies).properties

test('types, null, whole numbers, lists and nested objects', () => {
  assert.deepEqual(
    properties({ a: 1, b: 'x', c: null, d: [1, 2.5], e: { f: true } }, { a: 2.5, b: null, d: [], g: [{ h: 1 }, { i: 'x' }] }),
    {
      a: { type: 'number' },
      b: { type: ['string', 'null'] },
      c: {},
      d: { type: 'array', items: { type: 'number' } },
      e: { type: 'object', properties: { f: { type: 'boolean' } } },
      g: { type: 'array', items: { type: 'object', properties: { h: { type: 'integer' }, i: { type: 'string' } } } },
    },
  )
})

test('a format where all texts are date-times, known values where there are few upper-case words over many bodies', () => {
  const bodies = Array.from({ length: 40 }, (_, i) => ({
    at: '2026-03-19T22:04:48.128Z',
    mixed: i === 7 ? 'noon' : '2026-03-19T22:04:48Z',
    media: ['VOICE', 'CHAT', 'E_MAIL'][i % 3],
    code: `CODE${String.fromCharCode(65 + (i % 20))}`,
    name: i % 2 === 0 ? 'JANE' : 'Doe',
  }))
  assert.deepEqual(properties(...bodies), {
    at: { type: 'string', format: 'date-time' },
    mixed: { type: 'string' },
    media: { type: 'string', 'x-known-values': ['CHAT', 'E_MAIL', 'VOICE'] },
    code: { type: 'string' },
    name: { type: 'string' },
  })
  assert.deepEqual(properties({ media: 'VOICE' }), { media: { type: 'string' } }, 'one event says nothing')
})

test('keys that are data make a free map, and are nowhere in the schema', () => {
  const schema = infer(
    { attributes: { tier: 'gold' } },
    { attributes: { 'Jane Doe': 'x', n: 1 } },
    { counts: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${String.fromCharCode(97 + (i % 26))}${i}`, i])) },
  )
  assert.deepEqual(schema.properties, {
    attributes: { type: 'object', additionalProperties: { type: ['string', 'integer'] } },
    counts: { type: 'object', additionalProperties: { type: 'integer' } },
  })
  assert.doesNotMatch(JSON.stringify(schema), /Jane|tier|"k/)
})

test('what is inferred from bodies of a shipped schema differs from it only in what bodies cannot show', () => {
  const registry = new Registry()
  for (const topic of registry.topics()) {
    const { schema } = registry.find(topic)
    const inference = new Inference()
    for (let i = 0; i < 200; i++) inference.add(bodyFor(schema, i))
    const found = diffSchemas(schema, inference.schema(topic))
    // Recursion ends in made bodies, long enums are no short lists, and an empty object may hold anything.
    const wrong = found.filter(
      ({ kind, detail }) => kind === 'field_added' || (kind === 'type_changed' && !/object|anything|array|date-time/.test(detail)),
    )
    assert.deepEqual(wrong, [], topic)
  }
})

test('property: every body fits the schema that was inferred from it, strictly, and that schema may be loaded', () => {
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 3 })), { minLength: 1, maxLength: 8 }),
      (written) => {
        const bodies = written.map((body) => JSON.parse(JSON.stringify(body)) as unknown)
        const schema = infer(...bodies)
        assert.equal(refusalOf(schema), null)
        const fits = new Ajv({ allowUnionTypes: true, ownProperties: true }).compile(strictOf(schema, { formats: 'drop' }))
        for (const body of bodies) assert.ok(fits(body), JSON.stringify({ schema, body }))
      },
    ),
    { numRuns: 500 },
  )
})

test('bounded: many fields, deep bodies', () => {
  const wide = infer(
    Object.fromEntries(
      Array.from({ length: 120 }, (_, i) => [
        `f${letters(i)}`,
        Object.fromEntries(Array.from({ length: 120 }, (_, k) => [`g${letters(k)}`, 1])),
      ]),
    ),
  )
  assert.ok(JSON.stringify(wide).length < 300_000)
  let deep: unknown = 1
  for (let i = 0; i < 900; i++) deep = { a: [deep] }
  assert.ok(JSON.stringify(infer(deep)).length < 5_000)
})

function letters(number: number): string {
  return number.toString(26).replaceAll(/\d/g, (digit) => 'ABCDEFGHIJ'[Number(digit)]!)
}
