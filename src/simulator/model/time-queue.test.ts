import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TimeQueue } from './time-queue.ts'

test('in any mixture of adding and taking: the earliest first, equals in the order they came', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(20), fc.constant(null)), { maxLength: 200 }), (steps) => {
      const queue = new TimeQueue<readonly [atMs: number, n: number]>()
      let expected: (readonly [number, number])[] = []
      steps.forEach((step, n) => {
        if (step !== null) {
          queue.add(step, [step, n])
          expected = [...expected, [step, n] as const].toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
          return
        }
        assert.equal(queue.nextAtMs, expected[0]?.[0] ?? Infinity)
        assert.deepEqual(queue.take(), expected.shift())
      })
      assert.equal(queue.size, expected.length)
      while (expected.length > 0) assert.deepEqual(queue.take(), expected.shift())
      assert.equal(queue.take(), undefined)
    }),
  )
})
