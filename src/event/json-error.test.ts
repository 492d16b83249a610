import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { jsonErrorAt } from './json-error.ts'

const at = (text: string): number => jsonErrorAt(Buffer.from(text))

test('the offset is that of the first byte that cannot be JSON', () => {
  const rows: [string, number][] = [
    ['hello', 0],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{a:1}', 1],
    ['[1,,2]', 3],
    ['[1 2]', 3],
    ['{"a":tru}', 8],
    ['{"a":01}', 6],
    ['{"a":-}', 6],
    ['{"a":1.}', 7],
    ['{"a":"\\x"}', 7],
    ['{"a":"\\u12g4"}', 10],
    ['{"a":"\n"}', 6],
    ['{} {}', 3],
    ['{"é":x}', 6],
    ["{'a':1}", 1],
    ['[1}', 2],
    ['{"a":1]', 6],
    ['1e+', 3],
  ]
  for (const [text, expected] of rows) assert.equal(at(text), expected, text)
})

test('a text that ends too early is wrong at its end', () => {
  for (const text of ['', ' ', '{', '{"a', '{"a"', '{"a":', '{"a":1', '{"a":1,', '[1', '"abc', '"ab\\', '"\\u00', 'tr', '-'])
    assert.equal(at(text), Buffer.byteLength(text), text)
})

test('it agrees with JSON.parse on what is JSON', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"',
    '\\',
    '\\u0041',
    '1',
    '-',
    '0',
    '.5',
    'e9',
    'true',
    'null',
    'fals',
    ' ',
    '\n',
    'é',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      ),
      (text) => {
        assert.equal(jsonErrorAt(Buffer.from(text)) === -1, parses(text))
      },
    ),
    { numRuns: 3_000 },
  )
})

test('a JSON text cut anywhere is wrong at the cut, unless what is left is whole', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(), (value, cut) => {
      const bytes = Buffer.from(JSON.stringify(value))
      const part = bytes.subarray(0, cut % bytes.length)
      const error = jsonErrorAt(part)
      assert.ok(error === part.length || error === -1)
    }),
  )
})

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
