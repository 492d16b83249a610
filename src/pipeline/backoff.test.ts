import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { backoffMs } from './backoff.ts'

const policy = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 1_000 }),
  baseMs: fc.integer({ min: 1, max: 60_000 }),
  maxMs: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
})
const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('property: full jitter, from at once to the doubled base, never above the most', () => {
  fc.assert(
    fc.property(policy, fc.integer({ min: 1, max: 1_000 }), unit, (p, attempt, random) => {
      const ms = backoffMs(p, attempt, random, null)
      assert.ok(Number.isSafeInteger(ms) && ms >= 0 && ms <= Math.min(p.maxMs, Math.ceil(p.baseMs * 2 ** Math.min(attempt - 1, 60))))
      assert.ok(backoffMs(p, attempt, random, null) <= backoffMs(p, attempt + 1, random, null), 'waits do not get shorter')
      assert.equal(backoffMs(p, attempt, 0, null), 0)
    }),
  )
})

test('the span doubles with each attempt', () => {
  const p = { maxAttempts: 16, baseMs: 500, maxMs: 300_000 }
  assert.deepEqual(
    [1, 2, 3, 4, 10, 11, 12].map((attempt) => backoffMs(p, attempt, 0.5, null)),
    [250, 500, 1_000, 2_000, 128_000, 150_000, 150_000],
  )
})

test('property: never before the receiver asked to be left alone', () => {
  fc.assert(
    fc.property(policy, fc.integer({ min: 1, max: 100 }), unit, fc.nat(86_400_000), (p, attempt, random, afterMs) => {
      assert.equal(backoffMs(p, attempt, random, afterMs), Math.max(afterMs, backoffMs(p, attempt, random, null)))
    }),
  )
})
