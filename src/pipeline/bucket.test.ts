import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { breaksLaw } from '../testing/rate-law.ts'
import { type Bucket, takeTokens } from './bucket.ts'
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
      let full: Bucket | null = null
      let nowMs = T
      const all: number[] = []
      for (const { gapMs, tokens, ahead } of steps) {
        nowMs += gapMs
        const taken = takeTokens(full, { ...rate, tokens, ahead }, nowMs)
        full = taken.bucket
        assert.ok(taken.atMs.every((at) => at >= nowMs && (ahead || at === nowMs)))
        assert.ok(ahead ? taken.atMs.length === tokens : taken.atMs.length === tokens || taken.nextAtMs > nowMs)
        all.push(...taken.atMs)
        if (taken.nextAtMs > nowMs && !ahead) assert.deepEqual(takeTokens(full, { ...rate, tokens: 1, ahead }, taken.nextAtMs - 1).atMs, [])
        assert.equal(takeTokens(full, { ...rate, tokens: 1, ahead: false }, taken.nextAtMs).atMs.length, 1)
      }
      assert.equal(breaksLaw(all, rate), null)
    }),
    { numRuns: 500 },
  )
})

const changes = fc.array(fc.record({ rate: rates, steps: calls }), { minLength: 2, maxLength: 2 })

test('property: over a change of the rate at most what each gives in its time, and the larger burst', () => {
  fc.assert(
    fc.property(changes, (parts) => {
      let bucket: Bucket | null = null
      let nowMs = T
      const admitted: number[] = []
      const since: number[] = []
      for (const [part, { rate, steps }] of parts.entries()) {
        since.push(++nowMs)
        const booked: number[] = []
        for (const { gapMs, tokens, ahead } of steps) {
          nowMs += gapMs
          const taken = takeTokens(bucket, { ...rate, tokens, ahead, givenBackAtMs: since[part]! }, nowMs)
          bucket = taken.bucket
          booked.push(...taken.atMs)
        }
        // What was to come after the change is given back.
        admitted.push(...booked.filter((atMs) => atMs <= nowMs || part === parts.length - 1))
      }
      since.push(Infinity)
      admitted.sort((a, b) => a - b)
      for (const [i, first] of admitted.entries())
        for (const [j, last] of admitted.entries()) {
          if (j < i) continue
          const given = parts.map(({ rate }, part) => {
            const ms = Math.min(last, since[part + 1]!) - Math.max(first, since[part]!)
            return ms < 0 ? { tokens: 0, burst: 0 } : { tokens: (rate.perSecond * ms) / 1_000, burst: rate.burst }
          })
          const most = given.reduce((sum, { tokens }) => sum + tokens, 0) + Math.max(...given.map(({ burst }) => burst))
          assert.ok(j - i + 1 <= most + 1e-3, `${j - i + 1} of ${most}`)
        }
    }),
    { numRuns: 300 },
  )
})

test('a bucket that nothing was taken from is full again after burst intervals', () => {
  const rate = { perSecond: 5, burst: 4 }
  const { bucket } = takeTokens(null, { ...rate, tokens: 9, ahead: false }, T)
  assert.equal(takeTokens(bucket, { ...rate, tokens: 9, ahead: false }, T + 800).atMs.length, 4)
  assert.equal(takeTokens(bucket, { ...rate, tokens: 9, ahead: false }, T + 799).atMs.length, 3)
})

test('a clock that went back by an hour closes no bucket for an hour, also one of which the future was taken', () => {
  const rate = { perSecond: 5, burst: 5 }
  const { bucket } = takeTokens(null, { ...rate, tokens: 9, ahead: false }, T)
  const back = takeTokens(bucket, { ...rate, tokens: 1, ahead: false }, T - 3_600_000)
  assert.equal(back.nextAtMs, T - 3_600_000 + 200)
  const other = takeTokens(bucket, { ...rate, tokens: 1, ahead: false }, T - 5_000)
  assert.equal(other.nextAtMs, T + 200, 'a clock that is merely behind takes no more')
  const booked = takeTokens(bucket, { ...rate, tokens: 10, ahead: true }, T)
  const after = takeTokens(booked.bucket, { ...rate, tokens: 1, ahead: true }, T - 3_600_000)
  assert.deepEqual(after.atMs, [T - 3_600_000 + 2_200], 'behind those that were taken before, by as much as they were ahead')
})

test('a rate that changes finds as many tokens used as there were, those of the future only when nobody gave them back', () => {
  const { bucket } = takeTokens(null, { perSecond: 1, burst: 1, tokens: 1_000, ahead: true }, T)
  const faster = { perSecond: 100, burst: 2, tokens: 2, ahead: true }
  assert.deepEqual(takeTokens(bucket, { ...faster, givenBackAtMs: T + 500 }, T + 500).atMs, [T + 510, T + 520])
  assert.deepEqual(takeTokens(bucket, faster, T + 500).atMs, [T + 10_485, T + 10_495])
  const idle = takeTokens(null, { perSecond: 1, burst: 3, tokens: 1, ahead: false }, T).bucket
  assert.equal(takeTokens(idle, { perSecond: 1, burst: 9, tokens: 9, ahead: false }, T + 60_000).atMs.length, 9, 'a full one stays full')
})

test('tokens of the future that were given back count no more, once for all who give back', () => {
  const rate = { perSecond: 1, burst: 2 }
  const first = takeTokens(null, { ...rate, tokens: 100, ahead: true }, T)
  const again = takeTokens(first.bucket, { ...rate, tokens: 2, ahead: true, givenBackAtMs: T + 5 }, T + 10)
  assert.deepEqual(again.atMs, [T + 1_005, T + 2_005], 'from an empty bucket on, as of then')
  const later = takeTokens(again.bucket, { ...rate, tokens: 1, ahead: true, givenBackAtMs: T + 5 }, T + 20)
  assert.deepEqual(later.atMs, [T + 3_005], 'those that are booked again stay')
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
