import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fitsPattern } from './topic-pattern.ts'

test('stars stand for anything, also for nothing', () => {
  for (const [pattern, topic, fits] of [
    ['v2.users.{id}.presence', 'v2.users.{id}.presence', true],
    ['v2.users.{id}.presence', 'v2.users.{id}.presences', false],
    ['v2.users.*', 'v2.users.{id}.presence', true],
    ['*presence', 'v2.users.{id}.presence', true],
    ['v2.*.acd.*t', 'v2.detail.events.conversation.{id}.acd.start', true],
    ['ab*ba', 'aba', false],
    ['a*b*c*', 'a.c.b', false],
    ['***', '', true],
    ['', '', true],
    ['v2.users?', 'v2.users.', false],
  ] as const)
    assert.equal(fitsPattern(pattern, topic), fits, `${pattern} ${topic}`)
})

test('it says what a regular expression says', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 })
  fc.assert(
    fc.property(patterns, texts, (pattern, text) => {
      assert.equal(fitsPattern(pattern, text), new RegExp(`^${pattern.replaceAll(/\*+/g, '.*')}$`).test(text))
    }),
    { numRuns: 2_000 },
  )
})

test('ten thousand stars take no time', () => {
  assert.equal(fitsPattern(`${'*a'.repeat(10_000)}x`, 'a'.repeat(10_000)), false)
})
