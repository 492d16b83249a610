import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { MAX_RECORDS_PER_BODY, splitBody } from './split.ts'
import type { BodyKind } from './split.ts'

const split = (text: string, kind: BodyKind): string[] => splitBody(Buffer.from(text), kind).map((record) => Buffer.from(record).toString())

test('one document is one record, pretty-printed or not, with or without a final line break', () => {
  for (const kind of ['json', 'auto'] as const) {
    assert.deepEqual(split('{"a":1}', kind), ['{"a":1}'])
    assert.deepEqual(split('{\n  "a": {\n    "b": "}\\""\n  }\n}\n', kind), ['{\n  "a": {\n    "b": "}\\""\n  }\n}'])
  }
})

test('an array gives its elements with their exact bytes', () => {
  for (const kind of ['json', 'auto'] as const) {
    assert.deepEqual(split('[{"a":1.0},\n {"b":"],[\\"{"}  , [1,2], 7,"x" ]\n', kind), [
      '{"a":1.0}',
      '{"b":"],[\\"{"}',
      '[1,2]',
      '7',
      '"x"',
    ])
    assert.deepEqual(split('[]', kind), [])
    assert.deepEqual(split('[ ]', kind), [])
  }
})

test('a broken element is only its own error', () => {
  assert.deepEqual(split('[{"a":1},{oops},{"c":3}]', 'json'), ['{"a":1}', '{oops}', '{"c":3}'])
  assert.deepEqual(split('[{"a":1},{"b":2}},{"c":3}]', 'json'), ['{"a":1}', '{"b":2}}', '{"c":3}'])
  assert.deepEqual(split('[{"a":1},,{"c":3}]', 'json'), ['{"a":1}', '', '{"c":3}'])
  assert.deepEqual(split('[{"a":1},\n{"b":"x},\n{"c":3}]', 'json'), ['{"a":1}', '{"b":"x},', '{"c":3}'])
  assert.deepEqual(split('[\n  {\n    "a": "x,\n    "b": {"c": 1}\n  },\n  {\n    "d": 1\n  }\n]', 'json').length, 2)
})

test('an array cut off keeps its whole elements, and what follows an array is a record', () => {
  assert.deepEqual(split('[{"a":1},{"b":2},{"c', 'json'), ['{"a":1}', '{"b":2}', '{"c'])
  assert.deepEqual(split('[{"a":1}] junk', 'json'), ['{"a":1}', 'junk'])
})

test('lines: blank ones skipped, CRLF and a missing last line break tolerated, a half line is a record', () => {
  assert.deepEqual(split('{"a":1}\r\n\r\n  \n{"b":2}\n{"c":', 'ndjson'), ['{"a":1}', '{"b":2}', '{"c":'])
})

test('auto takes lines for lines even when one of them is broken', () => {
  assert.deepEqual(split('{"a":1}\n{"b":2}\n', 'auto'), ['{"a":1}', '{"b":2}'])
  assert.deepEqual(split('{"a":"cut\n{"b":2}\n{"c":3}', 'auto'), ['{"a":"cut', '{"b":2}', '{"c":3}'])
  assert.deepEqual(split('{"a":{"cut":1\n{"b":2}\n{"c":3}', 'auto'), ['{"a":{"cut":1', '{"b":2}', '{"c":3}'])
  assert.deepEqual(split('oops\n{"b":2}', 'auto'), ['oops', '{"b":2}'])
})

test('auto keeps a broken pretty-printed document in one piece', () => {
  const text = '{\n  "a": {},\n  "b": {\n    "c": 1\n}'
  assert.deepEqual(split(text, 'auto'), [text])
})

test('a byte order mark is no part of a record, and white space is no body', () => {
  for (const kind of ['json', 'ndjson', 'auto'] as const) {
    assert.deepEqual(split('\ufeff{"a":1}', kind), ['{"a":1}'])
    assert.deepEqual(split('', kind), [])
    assert.deepEqual(split(' \r\n\t', kind), [])
  }
})

test('a body of millions of crumbs gives a bounded number of records, and loses none of it', () => {
  for (const [body, kind] of [
    [Buffer.from('1\n'.repeat(700_000)), 'ndjson'],
    [Buffer.from('[' + '1,'.repeat(700_000) + '1]'), 'json'],
  ] as const) {
    const records = splitBody(body, kind)
    assert.equal(records.length, MAX_RECORDS_PER_BODY + 1)
    assert.equal(records.at(-1)!.length > 100_000, true)
  }
})

test('time grows with the length, whatever the body', () => {
  for (const part of ['[', '{', '"', '\\', ',', '\n', '{"a\n', '{}\n', '[1,\n']) {
    const body = Buffer.from(part.repeat(Math.floor(1_000_000 / part.length)))
    for (const kind of ['json', 'ndjson', 'auto'] as const) splitBody(body, kind)
    for (const kind of ['json', 'auto'] as const) splitBody(Buffer.concat([Buffer.from('['), body]), kind)
  }
})

test('what was joined is what is split', () => {
  const values = fc.array(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(values, (list) => {
      const texts = list.map((value) => JSON.stringify(value))
      assert.deepEqual(split(texts.join('\n'), 'ndjson'), texts)
      assert.deepEqual(split(texts.join('\r\n') + '\n', 'ndjson'), texts)
      assert.deepEqual(split(`[${texts.join(',')}]`, 'auto'), texts)
      assert.deepEqual(
        split(JSON.stringify(list, null, 2), 'json').map((text) => JSON.parse(text)),
        JSON.parse(JSON.stringify(list)),
      )
    }),
  )
})

test('an object body is one record to auto exactly as its writer meant it', () => {
  fc.assert(
    fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 1, maxLength: 5 }), fc.boolean(), (list, pretty) => {
      const texts = list.map((value) => JSON.stringify(value))
      if (pretty) assert.equal(split(JSON.stringify(list[0], null, 2), 'auto').length, 1)
      else assert.deepEqual(split(texts.join('\n'), 'auto'), texts)
    }),
  )
})
