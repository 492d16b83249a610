/**
 * Against the official library: the same patterns and events, no unexplained difference. 12,000 pairs here, 120,000 in CI
 * (TRUNKLINE_MATCH_PAIRS says otherwise). Where the library cannot be had, the recorded cases stand for it.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Chance, MAKERS, pairFor } from './_pairs.ts'
import { oddPattern } from './_odd-patterns.ts'
import { compare, matches, tryCompile } from './_compare.ts'
import { openOracle } from './oracle/oracle.ts'

const EVENTS = 6
const pairs = Number(process.env['TRUNKLINE_MATCH_PAIRS'] ?? (process.env['CI'] === undefined ? 12_000 : 120_000))
const seed = Number(process.env['TRUNKLINE_MATCH_SEED'] ?? 20_261_130)
const oracle = openOracle()
const skip = typeof oracle === 'string' ? `no live oracle: ${oracle}; the recorded cases stand for it` : false
const OPERATORS = [...MAKERS.keys(), '$or', 'arrays']

test(`${pairs} generated pairs, judged by the official library and by us`, { skip, timeout: 600_000 }, async (t) => {
  if (typeof oracle === 'string') return
  const chance = new Chance(seed)
  const each = Math.ceil(pairs / EVENTS / OPERATORS.length)
  const found = await compare(
    oracle,
    OPERATORS.flatMap((operator) => Array.from({ length: each }, () => pairFor(chance, operator, EVENTS))),
  )
  assert.deepEqual(found.differences, [])
  assert.ok(found.pairs >= pairs)
  // What is explained stays rare, or the comparison would say little.
  const explained = [...found.explained.values()].reduce((sum, count) => sum + count, 0)
  assert.ok(explained < found.pairs / 200, `${explained} of ${found.pairs} only explained`)
  const least = pairs >= 100_000 ? 1_000 : 100
  for (const operator of OPERATORS) {
    const { matching = 0, other = 0 } = found.counts.get(operator) ?? {}
    assert.ok(matching >= least && other >= least, `${operator}: ${matching} matching, ${other} others`)
  }
  t.diagnostic(`${found.pairs} pairs; ${JSON.stringify([...found.explained])}`)
})

test('odd patterns: what the library refuses we refuse, what it takes we take', { skip, timeout: 300_000 }, async (t) => {
  if (typeof oracle === 'string') return
  const chance = new Chance(seed + 1)
  const questions = Array.from({ length: 6_000 }, () => ({ pattern: JSON.stringify(oddPattern(chance)), operators: [], events: [] }))
  const found = await compare(oracle, questions)
  assert.deepEqual(found.differences, [])
  const taken = questions.filter(({ pattern }) => tryCompile(pattern) !== null).length
  t.diagnostic(`${taken} of ${questions.length} taken`)
  assert.ok(taken > 500 && taken < 5_500, `${taken} taken`)
})

test('the recorded cases', () => {
  type Case = {
    readonly pattern: string
    readonly taken: boolean
    readonly matching: readonly string[]
    readonly others: readonly string[]
  }
  const cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8')) as readonly Case[]
  assert.ok(cases.length > 150)
  for (const { pattern, taken, matching, others } of cases) {
    const matcher = tryCompile(pattern)
    assert.equal(matcher !== null, taken, pattern)
    if (matcher === null) continue
    for (const event of matching) assert.equal(matches(matcher, event), true, `${pattern} takes ${event}`)
    for (const event of others) assert.equal(matches(matcher, event), false, `${pattern} does not take ${event}`)
  }
})
