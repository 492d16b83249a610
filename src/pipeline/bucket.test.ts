import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { breaksLaw } from '../testing/rate-law.ts'
import { takeTokens } from './bucket.ts'
import { steadyClock } from './steady-clock.ts'

const T = 1_774_000_000_000

const calls = fc.array(fc.record({ gapMs: fc.nat(700), tokens: fc.integer({ min: 1, max: 6 }), ahead: fc.boolean() }), {
  minLength: 1,
  maxLength: 60,
})
const rates = fc.record({ perSecond: fc.double({ min: 0.5, max: 300, noNaN: true }), burst: fc.integer({ min: 1, max: 20 }) })

test('property: in any T seconds at most perSecond * T + burst, none before it was asked for, and no token lost that is due', () => {
  fc.assert(
    fc.property(calls, rates, (steps, rate) => {
      let full: number | null = null
      let nowMs = T
      const all: number[] = []
      for (const { gapMs, tokens, ahead } of steps) {
        nowMs += gapMs
        const taken = takeTokens(full, { ...rate, tokens, ahead, booked: true }, nowMs)
        full = taken.fullAtMs
        assert.ok(taken.atMs.every((at) => at >= nowMs && (ahead || at === nowMs)))
        assert.ok(ahead ? taken.atMs.length === tokens : taken.atMs.length === tokens || taken.nextAtMs > nowMs)
        all.push(...taken.atMs)
        if (taken.nextAtMs > nowMs && !ahead)
          assert.deepEqual(takeTokens(full, { ...rate, tokens: 1, ahead, booked: true }, taken.nextAtMs - 1).atMs, [])
        assert.equal(takeTokens(full, { ...rate, tokens: 1, ahead: false, booked: true }, taken.nextAtMs).atMs.length, 1)
      }
      assert.equal(breaksLaw(all, rate), null)
    }),
    { numRuns: 500 },
  )
})

test('a bucket that nothing was taken from is full again after burst intervals', () => {
  const rate = { perSecond: 5, burst: 4 }
  const { fullAtMs } = takeTokens(null, { ...rate, tokens: 9, ahead: false, booked: false }, T)
  assert.equal(takeTokens(fullAtMs, { ...rate, tokens: 9, ahead: false, booked: false }, T + 800).atMs.length, 4)
  assert.equal(takeTokens(fullAtMs, { ...rate, tokens: 9, ahead: false, booked: false }, T + 799).atMs.length, 3)
})

test('a clock that went back by an hour closes no bucket for an hour', () => {
  const rate = { perSecond: 5, burst: 5 }
  const { fullAtMs } = takeTokens(null, { ...rate, tokens: 9, ahead: false, booked: false }, T)
  const back = takeTokens(fullAtMs, { ...rate, tokens: 1, ahead: false, booked: false }, T - 3_600_000)
  assert.equal(back.nextAtMs, T - 3_600_000 + 200)
  const other = takeTokens(fullAtMs, { ...rate, tokens: 1, ahead: false, booked: false }, T - 5_000)
  assert.equal(other.nextAtMs, T + 200, 'a clock that is merely behind takes no more')
})

test('steady time goes on where the clock went back', () => {
  let nowMs = T
  const steady = steadyClock({ nowMs: () => nowMs })
  const at = (ms: number): number => {
    nowMs = T + ms
    return steady.nowMs() - T
  }
  assert.deepEqual([0, 100, 90, 200, -3_600_000, -3_599_000, -3_599_001].map(at), [0, 100, 100, 200, 200, 1_200, 1_200])
  assert.equal(steady.ahead(), 3_600_200)
})
