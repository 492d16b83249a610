import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { virtualClock } from '../testing/virtual-clock.ts'
import { scaledClock } from './scaled-clock.ts'

test('a scaled clock begins where it is told, and runs as many times as fast', async () => {
  const base = virtualClock(5000)
  const clock = scaledClock(base, 1_000_000, 144)
  assert.equal(clock.nowMs(), 1_000_000)
  await base.advance(600_000)
  assert.equal(clock.nowMs(), 1_000_000 + 86_400_000)
})

test('a wait takes as long as it says on the clock itself', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 0, max: 1_000_000 }), async (speed, ms) => {
      const base = virtualClock(0)
      const clock = scaledClock(base, 0, speed)
      const woken = clock.wait(ms).then(() => clock.nowMs())
      await base.advance(Math.ceil(ms / speed) + 1)
      const late = (await woken) - ms
      assert.ok(late > -1.5 && late <= speed, `${late} ms`)
    }),
    { numRuns: 30 },
  )
})

test('a wait ends with its signal; a speed that is none is refused', async () => {
  const stop = new AbortController()
  const wait = scaledClock(virtualClock(), 0, 2).wait(1e9, stop.signal)
  stop.abort()
  await wait
  for (const speed of [0, -1, NaN, Infinity]) assert.throws(() => scaledClock(virtualClock(), 0, speed), RangeError)
})
