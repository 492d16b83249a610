import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { clip, escapeText, safe, toJson } from './text.ts'

/** Everything a terminal could act on, or that hides what is written; named here again on purpose. */
const DANGEROUS = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  0x061c,
  0x200e,
  0x200f,
  ...range(0x2028, 0x202e),
  ...range(0x2066, 0x2069),
  0xfeff,
  ...range(0xd800, 0xdfff),
  ...range(0xe0000, 0xe007f),
].map((code) => String.fromCodePoint(code))

const units = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom(...DANGEROUS),
      fc.string({ unit: 'grapheme' }),
    ),
  )
  .map((parts) => parts.join(''))

test('each dangerous character is escaped, alone and inside a text', () => {
  for (const character of DANGEROUS) {
    assert.match(escapeText(character), /^(?:\\u[0-9a-f]{4}|\\[nrt])+$/)
    assert.ok(escapeText(`a${character}b`).startsWith('a\\'))
  }
  assert.equal(escapeText('a\u001b[31mb\nc\u202ed'), 'a\\u001b[31mb\\nc\\u202ed')
})

test('escaped text holds nothing dangerous, and escaping it again changes nothing', () => {
  fc.assert(
    fc.property(units, (text) => {
      const escaped = escapeText(text)
      // By code point, so that whole surrogate pairs are not taken for halves.
      for (const character of escaped) assert.ok(!DANGEROUS.includes(character), JSON.stringify(escaped))
      assert.equal(escapeText(escaped), escaped)
    }),
    { numRuns: 3000 },
  )
})

test('what is harmless stays as it is, in every script', () => {
  for (const text of ['', 'v2.users.{id}.presence', 'Zürich – 東京 👩‍💻 שלום \\n "x"', 'a\u00a0b']) assert.equal(escapeText(text), text)
})

test('inserted values are escaped, the text round them is not', () => {
  assert.equal(safe`a\n${'b\n'}\t${7}${null}`, 'a\n' + 'b\\n' + '\t7null')
})

test('JSON for a terminal is safe and means the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), units, fc.constantFrom(undefined, 2), (value, text, indent) => {
      const both = { value, [text]: text }
      const json = toJson(both, { terminal: true, ...(indent === undefined ? {} : { indent }) })
      for (const character of json) assert.ok(character === '\n' || !DANGEROUS.includes(character), JSON.stringify(json))
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(both)))
      if (indent === undefined) assert.ok(!json.includes('\n'))
    }),
    { numRuns: 1000 },
  )
  assert.equal(toJson({ a: '\u202e' }, { terminal: false }), '{"a":"\u202e"}')
})

test('clipping counts characters and never cuts one in half', () => {
  assert.equal(clip('abc', 3), 'abc')
  assert.equal(clip('👍👍👍👍', 3), '👍👍…')
  assert.equal(clip('abc', 0), '…')
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
