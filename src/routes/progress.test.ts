import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Progress, type Range } from './progress.ts'

const inRanges = (ranges: readonly Range[], seq: number): boolean => ranges.some(([from, to]) => seq >= from && seq <= to)

test('one record in flight keeps the watermark, what is done beside it lies above', () => {
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

test('what was settled above the watermark before a restart is known again, and the rest is not', () => {
  const progress = new Progress(5, [
    [7, 9],
    [12, 12],
  ])
  assert.deepEqual(
    [5, 6, 7, 9, 10, 12, 13].map((seq) => progress.isSettled(seq)),
    [false, false, true, true, false, true, false],
  )
  assert.deepEqual(progress.unsettled(5, 14), [
    [5, 6],
    [10, 11],
    [13, 14],
  ])
  assert.deepEqual(progress.unsettled(8, 12), [[10, 11]])
  assert.deepEqual(progress.unsettled(7, 9), [])
})

type Step = { readonly type: 'take' | 'skip' | 'done' | 'restart'; readonly pick: number }
const step = fc.record({ type: fc.constantFrom<Step['type']>('take', 'take', 'take', 'skip', 'done', 'done', 'restart'), pick: fc.nat() })

test('property: watermark and ranges say the same as a plain set of settled records, over restarts', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      let progress = new Progress(1)
      const settled = new Set<number>()
      let taken: number[] = []
      for (const { type, pick } of steps) {
        if (type === 'restart') {
          progress = new Progress(progress.position, JSON.parse(JSON.stringify(progress.above())) as Range[])
          taken = []
        } else if (type === 'done') {
          const seq = taken.splice(taken.length === 0 ? 0 : pick % taken.length, 1)[0]
          if (seq === undefined) continue
          settled.add(seq)
          progress.done(seq)
        } else {
          const seq = progress.frontier
          // As a route does: what was settled before a restart is stepped over.
          if (progress.isSettled(seq)) progress.skipTo(seq + 1)
          else if (type === 'take') {
            progress.take(seq)
            taken.push(seq)
          } else {
            settled.add(seq)
            progress.skipTo(seq + 1)
          }
        }
        const highest = Math.max(0, ...settled, ...taken, progress.frontier)
        const above = progress.above()
        for (let seq = 1; seq <= highest + 1; seq++) {
          const known = seq < progress.position || inRanges(above, seq)
          assert.equal(known, settled.has(seq), `record ${seq}`)
          if (seq >= progress.frontier) assert.equal(progress.isSettled(seq), settled.has(seq))
          assert.equal(progress.isTaken(seq), taken.includes(seq))
        }
        assert.ok(
          above.every(([from, to], i) => from <= to && from >= progress.position && (i === 0 || from > above[i - 1]![1])),
          'ranges are ordered and do not touch',
        )
        assert.equal(progress.inFlight, taken.length)
      }
    }),
    { numRuns: 300 },
  )
})
