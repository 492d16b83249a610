import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Progress } from './progress.ts'
import { type Stretch, isWithin } from './seq-set.ts'

test('one record that is open keeps the watermark, what is done beside it lies above', () => {
  const progress = new Progress(1)
  for (const seq of [1, 2, 3, 4]) progress.take(seq)
  progress.done(1)
  progress.done(3)
  assert.equal(progress.position, 2)
  assert.deepEqual(progress.above(), [[3, 3]])
  progress.done(2)
  assert.equal(progress.position, 4)
  assert.deepEqual(progress.above(), [])
})

test('what was settled above the watermark before a restart is known again, and so is what was read and is not', () => {
  const above: Stretch[] = [
    [7, 9],
    [12, 12],
  ]
  const progress = new Progress(5, above, 15)
  assert.deepEqual(
    [5, 6, 7, 9, 10, 12, 13].map((seq) => progress.isSettled(seq)),
    [false, false, true, true, false, true, false],
  )
  assert.deepEqual([progress.isAgain(14), progress.isAgain(15), progress.isCatchingUp], [true, false, true])
  assert.deepEqual(progress.unsettled(5, 14), [
    [5, 6],
    [10, 11],
    [13, 14],
  ])
  assert.deepEqual(progress.unsettled(8, 12), [[10, 11]])
  assert.deepEqual(progress.unsettled(7, 9), [])
  progress.take(5)
  progress.take(6)
  assert.deepEqual([progress.frontier, progress.nextOpen, progress.readTo], [7, 10, 15])
  progress.skipTo(15)
  assert.deepEqual([progress.isCatchingUp, progress.nextOpen, progress.position], [false, 15, 5])
})

type Step = { readonly type: 'take' | 'skip' | 'done' | 'restart' | 'far'; readonly pick: number }
const step = fc.record({
  type: fc.constantFrom<Step['type']>('take', 'take', 'take', 'take', 'skip', 'done', 'done', 'restart', 'far'),
  pick: fc.nat(),
})

test('property: watermark and what lies above say the same as a plain set of settled records, over restarts', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      let progress = new Progress(1)
      const settled = new Set<number>()
      let taken: number[] = []
      let readTo = 1
      for (const { type, pick } of steps) {
        if (type === 'restart') {
          progress = new Progress(progress.position, JSON.parse(JSON.stringify(progress.above())) as Stretch[], progress.readTo)
          taken = []
        } else if (type === 'done') {
          const seq = taken.splice(taken.length === 0 ? 0 : pick % taken.length, 1)[0]
          if (seq === undefined) continue
          settled.add(seq)
          progress.done(seq)
          progress.done(seq)
        } else {
          const seq = progress.frontier
          // As a route does: what was settled before a restart is stepped over.
          if (progress.isSettled(seq)) progress.skipTo(progress.nextOpen)
          else if (type === 'take') {
            progress.take(seq)
            taken.push(seq)
          } else {
            const to = seq + (type === 'far' ? pick % 3_000 : 1)
            for (let skipped = seq; skipped < to; skipped++) settled.add(skipped)
            progress.skipTo(to)
          }
        }
        readTo = Math.max(readTo, progress.frontier)
        assert.equal(progress.readTo, readTo)
        assert.equal(progress.open, taken.length)
      }
      const above = progress.above()
      for (let seq = 1; seq <= readTo + 1; seq++) {
        assert.equal(seq < progress.position || isWithin(above, seq), settled.has(seq), `record ${seq}`)
        assert.equal(progress.isSettled(seq), settled.has(seq))
        assert.equal(progress.isTaken(seq), taken.includes(seq))
      }
    }),
    { numRuns: 300 },
  )
})
