import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { bodyFor } from './_bodies.ts'
import { differences, MAX_FINDINGS } from './differences.ts'
import type { Finding } from './finding.ts'
import { SHIPPED } from './generated/shipped-validators.ts'
import { Registry } from './registry.ts'
import { strictOf } from './strict.ts'
import { validatorOf } from './validator.ts'

const registry = new Registry()
const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'
const judge = (topic: string, body: unknown): readonly Finding[] => registry.find(topic).validator(body)

test('a body with every field fits; without any, and with every field null, too', () => {
  for (const topic of registry.topics()) {
    const { schema } = registry.find(topic)
    for (const variant of [0, 1, 2, 7]) assert.deepEqual(judge(topic, bodyFor(schema, variant)), [], topic)
    assert.deepEqual(judge(topic, {}), [], topic)
    assert.deepEqual(judge(topic, Object.fromEntries(Object.keys(schema.properties ?? {}).map((name) => [name, null]))), [], topic)
  }
})

test('each class of difference, with path and detail', () => {
  const cases: [string, unknown, Finding[]][] = [
    [ACD_END, { newThing: 1 }, [{ class: 'new_field', path: 'newThing', detail: null }]],
    [ACD_END, { mediaType: 'HOLOGRAM' }, [{ class: 'new_value', path: 'mediaType', detail: 'HOLOGRAM' }]],
    [ACD_END, { eventTime: '2026' }, [{ class: 'changed_type', path: 'eventTime', detail: 'integer -> string' }]],
    [ACD_END, { eventTime: 1.5 }, [{ class: 'changed_type', path: 'eventTime', detail: 'integer -> number' }]],
    [ACD_END, { queueId: 7 }, [{ class: 'changed_type', path: 'queueId', detail: 'string -> number' }]],
    [ACD_END, { queueId: {} }, [{ class: 'changed_type', path: 'queueId', detail: 'string -> object' }]],
    [ACD_END, { requestedRoutings: ['A', 2] }, [{ class: 'changed_type', path: 'requestedRoutings[]', detail: 'string -> number' }]],
    [ACD_END, [], [{ class: 'changed_type', path: '', detail: 'object -> array' }]],
    [ACD_END, 'text', [{ class: 'changed_type', path: '', detail: 'object -> string' }]],
    [
      'v2.users.{id}.activity',
      { presence: { presenceDefinition: { mood: 'x' } } },
      [{ class: 'new_field', path: 'presence.presenceDefinition.mood', detail: null }],
    ],
    [
      'v2.detail.events.conversation.{id}.attributes',
      { attributes: { 'Caller 5551234': 5 } },
      [{ class: 'changed_type', path: 'attributes.*', detail: 'string -> number' }],
    ],
    [
      'v2.users.{id}.conversations',
      { participants: [{ calls: [{ state: 'floating' }] }] },
      [{ class: 'new_value', path: 'participants[].calls[].state', detail: 'floating' }],
    ],
  ]
  for (const [topic, body, expected] of cases) assert.deepEqual(judge(topic, body), expected, JSON.stringify(body))
})

test('one finding however often it occurs; no more than the bound, whatever comes', () => {
  const participants = Array.from({ length: 500 }, () => ({ brandNew: 1 }))
  assert.deepEqual(judge('v2.users.{id}.conversations', { participants }), [
    { class: 'new_field', path: 'participants[].brandNew', detail: null },
  ])
  const fields = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`field_${letters(i)}`, 1]))
  assert.equal(judge(ACD_END, fields).length, MAX_FINDINGS)
})

test('no personal data: keys and values are shown only when they look like names', () => {
  const secrets = [
    '+15555550955',
    'Jane Doe',
    'jane@example.com',
    'card4111111111111111',
    '3f0c1d6e-52f4-4d7e-9a53-6c3b8f1f2a10',
    'a3f0c1d652f44d7e9a53',
    '',
    'x'.repeat(65),
  ]
  for (const secret of secrets) {
    assert.deepEqual(judge(ACD_END, { [secret]: 1 }), [{ class: 'new_field', path: '{key}', detail: null }], secret)
    assert.deepEqual(judge(ACD_END, { mediaType: secret }), [{ class: 'new_value', path: 'mediaType', detail: null }], secret)
  }
  assert.deepEqual(judge(ACD_END, JSON.parse('{"__proto__":{"a":1},"constructor":2}')), [
    { class: 'new_field', path: '__proto__', detail: null },
    { class: 'new_field', path: 'constructor', detail: null },
  ])
})

test('never throws: deep bodies, and schemas that refer to themselves', () => {
  for (const depth of [1_000, 200_000]) {
    let nested: unknown = 1
    for (let i = 0; i < depth; i++) nested = i % 2 === 0 ? [nested] : { a: nested }
    assert.ok(judge(ACD_END, { queueId: nested, deep: nested }).length > 0)
    assert.ok(judge('v2.users.{id}.conversations', nested).length > 0)
  }
  const tree = strictOf({ type: 'object', properties: { next: { $ref: '#' }, name: { type: 'string' } } }, { formats: 'drop' })
  const validator = validatorOf({ strict: tree, fits: new Ajv({ allowUnionTypes: true }).compile(tree) })
  let list: Record<string, unknown> = { name: 1 }
  for (let i = 0; i < 999; i++) list = { next: list }
  const [found] = validator(list)
  assert.ok(found !== undefined && found.class === 'changed_type' && found.path.length <= 256, JSON.stringify(found))
  for (let i = 0; i < 200_000; i++) list = { next: list }
  assert.deepEqual(validator(list), [{ class: 'changed_type', path: '', detail: 'nests too deep' }])
})

test('property: for any topic and any body, the generated code, ajv itself and the listing of differences agree', () => {
  const byAjv = new Map([...SHIPPED].map(([topic, { schema }]) => [topic, new Ajv({ allowUnionTypes: true }).compile(schema)]))
  const anything = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom<unknown>(null, 0, 1.5, '', 'VOICE', [], {}, true, [null], [{}]))
  const change = fc.record({ at: fc.nat(1_000), what: anything, key: fc.constantFrom('', 'newField', '__proto__', 'constructor', 'id') })
  fc.assert(
    fc.property(fc.constantFrom(...SHIPPED.keys()), fc.nat(40), fc.array(change, { maxLength: 3 }), (topic, variant, changes) => {
      const { schema, fits } = SHIPPED.get(topic)!
      const body = changes.reduce<unknown>((now, one) => changed(now, one), bodyFor(schema, variant))
      const fit = fits(body)
      assert.equal(fit, byAjv.get(topic)!(body), 'generated code and ajv')
      assert.equal(fit, differences(schema, body).length === 0, 'generated code and the listing of differences')
    }),
    { numRuns: 2_000 },
  )
})

/** Puts a value in place of one inside, or adds a field to an object inside. */
function changed(body: unknown, change: { at: number; what: unknown; key: string }): unknown {
  const places: { holder: Record<string, unknown>; key: string }[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const holder = value as Record<string, unknown>
    if (change.key !== '' && !Array.isArray(value)) places.push({ holder, key: change.key })
    for (const key of Object.keys(holder)) {
      if (change.key === '') places.push({ holder, key })
      visit(holder[key])
    }
  }
  visit(body)
  // A copy: the same value put in twice could come to hold itself.
  const what: unknown = JSON.parse(JSON.stringify(change.what))
  const place = places[change.at % Math.max(1, places.length)]
  if (place === undefined) return what
  Object.defineProperty(place.holder, place.key, { value: what, enumerable: true, configurable: true, writable: true })
  return body
}

function letters(number: number): string {
  return number.toString(26).replaceAll(/\d/g, (digit) => 'ABCDEFGHIJ'[Number(digit)]!)
}
