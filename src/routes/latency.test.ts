import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Latency } from './latency.ts'

test('nothing delivered has no percentiles', () => {
  assert.deepEqual(new Latency().summary(), { events: 0, p50Ms: null, p99Ms: null, maxMs: 0 })
})

test('an event from a clock that ran ahead counts as at once', () => {
  const latency = new Latency()
  latency.add(-5)
  assert.equal(latency.percentileMs(0.5), 0)
})

test('property: a percentile is right to a tenth, from a millisecond to a month of backlog', () => {
  const times = fc.array(fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 31 * 86_400_000 })), {
    minLength: 1,
    maxLength: 60,
  })
  fc.assert(
    fc.property(times, fc.constantFrom(0.5, 0.9, 0.99, 1), (all, p) => {
      const latency = new Latency()
      for (const ms of all) latency.add(ms)
      const exact = all.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(all.length * p - 1e-9) - 1)]!
      const told = latency.percentileMs(p)!
      assert.ok(told >= exact * 0.95 - 0.1 && told <= exact * 1.1 + 0.1, `${told} for ${exact}`)
      assert.equal(latency.summary().maxMs, Math.max(...all))
      assert.equal(latency.summary().events, all.length)
    }),
  )
})
