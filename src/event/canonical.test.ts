import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { canonical, canonicalExact } from './canonical.ts'
import { parseExact } from './json.ts'

const of = (text: string): string | null => canonical(JSON.parse(text))
const exactOf = (text: string): string | null => canonicalExact(JSON.parse(text), () => parseExact(text))

test('the example of RFC 8785, section 3.2.2, comes out as section 3.2.3 prints it', () => {
  const text = String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`
  const expected = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`
  assert.equal(of(text), expected)
})

test('keys are sorted by UTF-16 code units, as in section 3.2.3', () => {
  const text = String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`
  const values = [...of(text)!.matchAll(/:"([^"]+)"/g)].map((match) => match[1])
  assert.deepEqual(values, [
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ])
})

test('integer-like keys are ordered as text, not as numbers', () => {
  assert.equal(of('{"9":1,"10":2,"1":3,"a":4}'), '{"1":3,"10":2,"9":1,"a":4}')
})

test('__proto__ and constructor are keys like any other', () => {
  assert.equal(of('{"a":1,"__proto__":{"b":2},"constructor":3}'), '{"__proto__":{"b":2},"a":1,"constructor":3}')
  assert.notEqual(of('{"__proto__":{"b":2}}'), of('{}'))
})

test('lone surrogates are escaped, pairs are not', () => {
  assert.equal(of(String.raw`["\ud800","\udc00x","\ud83d\ude00"]`), String.raw`["\ud800","\udc00x","😀"]`)
})

test('minus zero is zero, and an infinite number stays a number', () => {
  assert.equal(of('[-0,0.0,1e400,-1e400]'), '[0,0,1e999,-1e999]')
})

test('a thousand levels are written, one more is refused', () => {
  assert.equal(of('['.repeat(1_000) + ']'.repeat(1_000)), '['.repeat(1_000) + ']'.repeat(1_000))
  assert.equal(of('['.repeat(1_001) + ']'.repeat(1_001)), null)
  assert.equal(of('['.repeat(20_000) + ']'.repeat(20_000)), null)
})

test('for identity, numbers a double cannot hold keep their digits', () => {
  const text = '{"contactId":12345678901234567890,"n":1.5,"big":1e400}'
  assert.equal(exactOf(text), '{"big":1e400,"contactId":12345678901234567890,"n":1.5}')
  assert.notEqual(exactOf('{"id":12345678901234567890}'), exactOf('{"id":12345678901234567891}'))
  assert.equal(exactOf('{"n":1.50}'), exactOf('{"n":1.5}'))
})

test('key order and white space do not change the canonical text, and it parses to the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer(), (value, seed) => {
      const text = canonical(value)
      assert.ok(text !== null)
      assert.equal(canonical(JSON.parse(shuffledText(value, seed))), text)
      assert.equal(canonical(JSON.parse(text)), text)
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
    }),
  )
})

/** The value as JSON with its keys in another order and white space between. */
function shuffledText(value: unknown, seed: number): string {
  if (Array.isArray(value)) return `[ ${value.map((item) => shuffledText(item, seed)).join(' ,\n')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value)
  const shift = entries.length === 0 ? 0 : Math.abs(seed) % entries.length
  const turned = [...entries.slice(shift), ...entries.slice(0, shift)].reverse()
  return `{ ${turned.map(([key, item]) => `${JSON.stringify(key)}: ${shuffledText(item, seed + 1)}`).join(',\t')} }`
}
