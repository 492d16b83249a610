import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DueQueue } from './due-queue.ts'

type Step = { readonly type: 'set' | 'take' | 'delete'; readonly seq: number; readonly atMs: number }
const step = fc.record({ type: fc.constantFrom<Step['type']>('set', 'set', 'take', 'delete'), seq: fc.nat(15), atMs: fc.nat(30) })

test('property: gives what a sorted list gives', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const queue = new DueQueue()
      const model = new Map<number, number>()
      const sorted = (): [number, number][] => [...model].sort(([a, dueA], [b, dueB]) => dueA - dueB || a - b)
      for (const { type, seq, atMs } of steps) {
        if (type === 'set') {
          queue.set(seq, atMs)
          model.set(seq, atMs)
        } else if (type === 'delete') {
          queue.delete(seq)
          model.delete(seq)
        } else {
          const head = sorted()[0]
          const expected = head !== undefined && head[1] <= atMs ? head[0] : null
          assert.equal(queue.take(atMs), expected)
          if (expected !== null) model.delete(expected)
        }
        assert.equal(queue.size, model.size)
        assert.equal(queue.has(seq), model.has(seq))
        assert.equal(queue.nextAtMs(), sorted()[0]?.[1] ?? Infinity)
      }
      const rest: number[] = []
      for (let seq = queue.take(1_000); seq !== null; seq = queue.take(1_000)) rest.push(seq)
      assert.deepEqual(
        rest,
        sorted().map(([seq]) => seq),
      )
    }),
  )
})
