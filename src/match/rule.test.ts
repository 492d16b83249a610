import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressDigits, readBlock } from './address.ts'
import { ignoreCase } from './ignore-case.ts'
import { readRule } from './read-rule.ts'
import type { Scalar } from './rule.ts'
import { anyOf, textTest } from './rule.ts'
import { wildcardOf, wildcardProblem } from './wildcard.ts'

/** The test of an entry as a pattern has it. */
function takes(entry: unknown, value: Scalar): boolean {
  const rule = readRule(entry, 'x', (path, what) => assert.fail(`${path} ${what}`))
  assert.ok(rule !== null)
  return rule.test(value)
}

test('values are of one kind: a text is no number, null is a value', () => {
  assert.equal(takes('1', '1'), true)
  assert.equal(takes('1', 1), false)
  assert.equal(takes(1, '1'), false)
  assert.equal(takes(null, null), true)
  assert.equal(takes(null, 'null'), false)
  assert.equal(takes(true, 'true'), false)
  assert.equal(takes(-0, 0), true)
})

test('a number that no double holds is there, but equals nothing and is in no range', () => {
  assert.equal(takes(5, NaN), false)
  assert.equal(takes({ numeric: ['<=', 5] }, NaN), false)
  assert.equal(takes({ numeric: ['>', 5] }, Infinity), false)
  assert.equal(takes({ 'anything-but': 5 }, NaN), true)
  assert.equal(takes({ exists: true }, NaN), true)
})

test('anything-but takes every value that is there and not named, whatever its kind', () => {
  for (const value of ['b', 1, null, true]) assert.equal(takes({ 'anything-but': 'a' }, value), true)
  assert.equal(takes({ 'anything-but': ['a', 'b'] }, 'b'), false)
  assert.equal(takes({ 'anything-but': { prefix: 'a' } }, 5), true)
  assert.equal(takes({ 'anything-but': { wildcard: ['a*', '*z'] } }, 'buzz'), false)
})

test('ends of ranges are in or out as asked', () => {
  const range = { numeric: ['>', 0, '<=', 5] }
  assert.deepEqual(
    [-1, 0, 0.001, 5, 5.001].map((value) => takes(range, value)),
    [false, false, true, true, false],
  )
})

test('a quote at the end of a prefix can be the one that ends the text, as in the official library', () => {
  assert.deepEqual(
    ['ab', 'ab"c', 'abc'].map((value) => takes({ prefix: 'ab"' }, value)),
    [true, true, false],
  )
  assert.deepEqual(
    ['ab', 'c"ab', 'cab'].map((value) => takes({ suffix: '"ab' }, value)),
    [true, true, false],
  )
})

test('property: anything-but is the negation of its operators on texts', () => {
  const operators = ['prefix', 'suffix', 'equals-ignore-case', 'wildcard'] as const
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'A', 'é', '"'), maxLength: 4 })
  fc.assert(
    fc.property(
      fc.constantFrom(...operators),
      fc.array(
        text.filter((one) => one !== ''),
        { minLength: 1, maxLength: 3 },
      ),
      text,
      (operator, list, value) => {
        const but = takes({ 'anything-but': { [operator]: list } }, value)
        assert.equal(but, !list.some((one) => takes({ [operator]: one }, value)))
      },
    ),
  )
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), text, (list, value) =>
      assert.equal(takes({ 'anything-but': list }, value), !list.includes(value)),
    ),
  )
})

test('property: a clause takes what any of its entries takes', () => {
  const entries: readonly unknown[] = ['a', 'b', 1, null, { prefix: 'a' }, { numeric: ['>', 0] }, { 'anything-but': 'a' }, '10.0.0.1']
  fc.assert(
    fc.property(
      fc.subarray([...entries], { minLength: 1 }),
      fc.constantFrom<Scalar>('a', 'ab', 'b', 1, 0, null, true, '10.0.0.01'),
      (chosen, value) => {
        const rules = chosen.map((entry) => readRule(entry, '', () => assert.fail())!)
        assert.equal(
          anyOf(rules)(value),
          rules.some((rule) => rule.test(value)),
        )
      },
    ),
  )
})

test('property: wildcards take what a naive reading takes', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 7 }).map((text) => text.replaceAll(/\*+/g, '*'))
  fc.assert(
    fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 }), (text, value) => {
      assert.equal(wildcardProblem(text), null)
      assert.equal(wildcardOf(text)(value), naive(text, value), `${text} ${value}`)
    }),
    { numRuns: 2_000 },
  )
})

test('a wildcard made to be slow is not', () => {
  assert.equal(wildcardOf(`${'a*'.repeat(1_000)}b`)('a'.repeat(1_000_000)), false)
  assert.equal(textTest('wildcard', `*${'ab*'.repeat(5_000)}c`)('ab'.repeat(200_000)), false)
})

test('escapes stand for themselves', () => {
  assert.equal(wildcardOf('\\*a\\\\*')('*a\\b'), true)
  assert.equal(wildcardOf('\\*a\\\\*')('xa\\b'), false)
  for (const text of ['**', 'a**', '\\', '\\a', '*\\**', 'a\\']) assert.equal(wildcardProblem(text) === null, text === '*\\**', text)
})

test('case: unit by unit, with forms that are longer than one', () => {
  assert.deepEqual(['STRASSE', 'strasse', 'Straße', 'STRAssE'].map(ignoreCase('straße').equals), [true, false, true, false])
  assert.equal(ignoreCase('k').equals('\u212a'), false)
  assert.deepEqual([ignoreCase('é').starts('ÉTÉ'), ignoreCase('ß').ends('MASS'), ignoreCase('abc').ends('c')], [true, true, false])
  assert.deepEqual([ignoreCase('😀').equals('😀'), ignoreCase('😀').equals('??')], [false, true])
})

test('law that the walk of ignore-case rests on: no form of a unit begins or ends with its other form', () => {
  for (let code = 0; code < 0x1_0000; code++) {
    const [lower, upper] = [String.fromCharCode(code).toLowerCase(), String.fromCharCode(code).toUpperCase()]
    if (lower === upper) continue
    const nested = lower.startsWith(upper) || upper.startsWith(lower) || lower.endsWith(upper) || upper.endsWith(lower)
    assert.equal(nested, false, code.toString(16))
  }
})

test('addresses: every way to write one is the same; what is none is a text', () => {
  for (const [text, digits] of [
    ['10.0.0.1', '0A000001'],
    ['010.00.0.1', '0A000001'],
    ['::ffff:a00:1', '0A000001'],
    ['::1', `${'0'.repeat(31)}1`],
    ['2001:DB8::', `20010DB8${'0'.repeat(24)}`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['256.0.0.1', null],
    ['10.0.0', null],
    ['1.2.3.4.5', null],
    ['0000000000.0.0.1', null],
    ['1:2:3', null],
    ['1::2::3', null],
    [':1', null],
    ['1:2:3:4:5:6:7:8:9', null],
    ['1::2:3:4:5:6:7:8', null],
    ['12345::', null],
    ['::ffff:1.2.3.4', null],
    ['a.b.c.d', null],
    ['', null],
  ] as const) {
    assert.equal(addressDigits(text), digits, text)
  }
  assert.equal(takes('10.0.0.1', '10.0.0.01'), true)
  assert.equal(takes({ exactly: '10.0.0.1' }, '10.0.0.01'), false)
  assert.equal(takes('1:2:3', '1:2:3'), true)
})

test('property: an IPv4 block takes an address exactly when the fixed bits agree', () => {
  const bits32 = fc.integer({ min: 0, max: 0xffff_ffff })
  const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
  fc.assert(
    fc.property(bits32, bits32, fc.integer({ min: 0, max: 31 }), (base, other, bits) => {
      const near = (base ^ (other & (0xffff_ffff >>> Math.max(0, bits - 1)))) >>> 0
      const same = bits === 0 || base >>> (32 - bits) === near >>> (32 - bits)
      assert.equal(takes({ cidr: `${dotted(base)}/${bits}` }, dotted(near)), same)
    }),
  )
  assert.deepEqual(readBlock('10.1.2.3/12'), { low: '0A000000', high: '0A0FFFFF' })
  assert.equal(typeof readBlock('10.0.0.1/32'), 'string')
  // As in the official library: digits from the left, as far as they decide.
  assert.deepEqual(
    [takes({ cidr: '10.0.0.0/8' }, 'a00::1'), takes({ cidr: '2001::/16' }, '32.1.13.184'), takes({ cidr: '2001:db8::/32' }, '32.1.13.184')],
    [true, true, false],
  )
})

function naive(pattern: string, value: string): boolean {
  if (pattern === '') return value === ''
  if (pattern[0] === '*') return naive(pattern.slice(1), value) || (value !== '' && naive(pattern, value.slice(1)))
  return pattern[0] === value[0] && naive(pattern.slice(1), value.slice(1))
}
