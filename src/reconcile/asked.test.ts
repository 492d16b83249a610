/** Who is asked for again when. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Asked } from './asked.ts'

test('the wait doubles up to its longest while nothing is heard, and begins anew when something is', () => {
  const asked = new Asked({ firstMs: 10, longestMs: 40, max: 100 })
  const waits: number[] = []
  let nowMs = 0
  for (let n = 0; n < 5; n++) {
    assert.ok(asked.isDue('c', 1, nowMs))
    asked.note('c', 1, nowMs)
    const fromMs = nowMs
    while (!asked.isDue('c', 1, nowMs)) nowMs++
    waits.push(nowMs - fromMs)
  }
  assert.deepEqual(waits, [10, 20, 40, 40, 40])
  asked.note('c', 1, nowMs)
  assert.ok(asked.isDue('c', 2, nowMs), 'something was heard of it')
  asked.note('c', 2, nowMs)
  assert.ok(!asked.isDue('c', 2, nowMs + 9) && asked.isDue('c', 2, nowMs + 10))
})

test('never asked is longest ago; no more are remembered than there is room for', () => {
  const asked = new Asked({ firstMs: 1, longestMs: 1, max: 3 })
  assert.equal(asked.askedAtMs('c'), -Infinity)
  for (let n = 0; n < 10; n++) asked.note(`c-${n % 5}`, 0, n)
  assert.equal(asked.size, 3)
  assert.deepEqual(
    ['c-1', 'c-2', 'c-3', 'c-4'].map((key) => asked.askedAtMs(key)),
    [-Infinity, 7, 8, 9],
  )
})
