import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { complexityOf } from './complexity.ts'
import { MAX_CHARACTERS, problemsOf, readPattern } from './read-pattern.ts'

function problem(pattern: unknown): string {
  const [first] = problemsOf(pattern)
  return first === undefined ? '' : `${first.kind} ${first.path}: ${first.what}. ${first.hint}`
}

test('each refusal names the place, the fault and the way out', () => {
  for (const [pattern, expected] of [
    [null, /^invalid : is null, not an object/],
    [{}, /is an empty object/],
    [{ source: 'x' }, /^invalid source: is a text, not an array or an object\. Put it in an array/],
    [
      { detail: { id: { prefix: 'x' } } },
      /^invalid detail\.id\.prefix: .*An operator stands in the array of its field: "field": \[\{"prefix"/,
    ],
    [{ source: [] }, /^invalid source: is an empty array/],
    [{ source: [['x']] }, /^invalid source\[0\]: is an array in an array/],
    [{ source: [undefined] }, /^invalid source\[0\]: is no JSON/],
    [{ source: [NaN] }, /JSON has no text for/],
    [{ source: [{ prefx: 'x' }] }, /^invalid source\[0\]: has no operator "prefx"\. Did you mean "prefix"\?/],
    [{ source: [{ zzzzzz: 'x' }] }, /Known here: prefix, suffix/],
    [{ source: [{ prefix: 'a', suffix: 'b' }] }, /has 2 keys where one operator is expected/],
    [{ source: [{ prefix: 1 }] }, /^invalid source\[0\]\.prefix: is a number, not a text/],
    [{ source: [{ prefix: { suffix: 'x' } }] }, /not \{"equals-ignore-case": text\}/],
    [{ source: [{ wildcard: 'a**b' }] }, /^invalid source\[0\]\.wildcard: has two "\*" in a row, at character 2/],
    [{ source: [{ wildcard: 'a\\b' }] }, /has a "\\" before something else/],
    [{ source: [{ numeric: ['<', 5, '>', 1] }] }, /begins with its lower end/],
    [{ source: [{ numeric: ['>', 5, '<', 5] }] }, /is empty: 5 is not below 5/],
    [{ source: [{ numeric: ['~', 5] }] }, /does not begin with one of/],
    [{ source: [{ numeric: ['=', '5'] }] }, /has a text where a finite number/],
    [{ source: [{ cidr: '10.0.0.0/33' }] }, /has 33 bits after the "\/"; for this kind of address 0 to 31 are taken/],
    [{ source: [{ cidr: 'x/8' }] }, /no IP address before/],
    [{ source: [{ exists: 'yes' }] }, /not true or false/],
    [{ source: [{ 'anything-but': ['a', 1] }] }, /mixes texts, numbers/],
    [{ source: [{ 'anything-but': [true] }] }, /only texts or numbers/],
    [{ source: [{ 'anything-but': { prefix: '' } }] }, /is empty, which would leave nothing/],
    [{ source: [{ 'anything-but': { cidr: 'x' } }] }, /^invalid source\[0\]\.anything-but: has no operator "cidr"/],
    [{ $or: { a: [1] } }, /^invalid \$or: is an object, not an array/],
    [{ detail: { $or: [{ a: [1] }] } }, /^invalid detail\.\$or: lists 1 objects; at least 2/],
    [{ $or: [{ a: [1] }, 'b'] }, /^invalid \$or\[1\]: is a text, not an object/],
    [{ $or: [{ a: [1] }, { prefix: ['x'] }] }, /is a word of the pattern language/],
  ] as const) {
    assert.match(problem(pattern), expected)
  }
})

test('limits of AWS: characters, combinations, wildcards', () => {
  const ids = (count: number): unknown => ({ id: Array.from({ length: count }, (_, index) => `${index}`.padStart(8, '0')) })
  assert.equal(problem(ids(180)), '')
  assert.match(problem(ids(190)), new RegExp(`^limit : is \\d+ characters of JSON; a rule on AWS may have ${MAX_CHARACTERS}`))
  const or = (fields: number): unknown =>
    Object.fromEntries(Array.from({ length: fields }, (_, index) => [`f${index}`, { $or: [{ a: [1] }, { b: [1] }] }]))
  assert.equal(problem(or(9)), '')
  assert.match(problem(or(10)), /^invalid f9\.\$or: makes 1024 combinations .* AWS takes 1000/)
  assert.match(problem({ a: [{ wildcard: '*a*a*a*a*a*a*a*a*a*a*a*' }] }), /^limit a: has wildcards of a complexity above 10/)
  assert.equal(problem({ a: [{ wildcard: '*/lib/*.jar' }] }), '')
  assert.equal(complexityOf(['a*b'], 10), 2)
})

test('$or multiplies; a field named again is the later one', () => {
  const names = (pattern: unknown): unknown =>
    readPattern(pattern).alternatives.map((clauses) => clauses.map(({ name, rules }) => `${name}=${rules[0]?.written}`))
  assert.deepEqual(names({ a: [1], $or: [{ a: [2] }, { b: [3] }] }), [['a=2'], ['a=1', 'b=3']])
  assert.deepEqual(names({ d: { $or: [{ a: [1] }, { b: [2] }] }, $or: [{ c: [3] }, { e: [4] }] }), [
    ['c=3', 'd.a=1'],
    ['c=3', 'd.b=2'],
    ['d.a=1', 'e=4'],
    ['d.b=2', 'e=4'],
  ])
  assert.deepEqual(names({ 'a.b': [1], a: { b: [2] } }), [['a.b=2']])
})

test('property: never throws, never hangs, whatever it is given', () => {
  const key = fc.constantFrom(
    '$or',
    'a',
    'detail',
    'prefix',
    'anything-but',
    'numeric',
    'exists',
    '__proto__',
    'constructor',
    'wildcard',
    '',
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'medium' },
      fc.jsonValue(),
      fc.constantFrom(undefined, NaN, 10n, Symbol('x')),
      fc.array(tie('value'), { maxLength: 4 }),
      tie('object'),
    ),
    object: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  }))
  fc.assert(
    fc.property(value, (pattern) => assert.ok(Array.isArray(problemsOf(pattern)))),
    { numRuns: 2_000 },
  )
})

test('deep, wide and self-repeating patterns end soon', () => {
  let deep: unknown = [1]
  for (let level = 0; level < 100_000; level++) deep = { a: deep }
  assert.match(problem(deep), /nests deeper than 1000 levels/)
  let lists: unknown = []
  for (let level = 0; level < 100_000; level++) lists = [lists]
  assert.match(problem({ a: lists }), /nests deeper/)
  const round: Record<string, unknown> = {}
  round['a'] = round
  round['b'] = round
  assert.match(problem(round), /nests deeper/)
  assert.match(problem({ $or: Array.from({ length: 100_000 }, () => ({ a: [1] })) }), /combinations/)
  assert.match(problem(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`f${index}`, [1]]))), /is field 257/)
  assert.equal(problemsOf(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`f${index}`, 1]))).length, 20)
})
