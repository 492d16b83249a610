import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore } from '../stores/memory.ts'
import { eventOf } from '../testing/event-of.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { claimDedupe } from './dedupe.ts'
import { KEEP, drop, hold } from './outcome.ts'

const running = (): AbortSignal => new AbortController().signal

function two() {
  const clock = virtualClock(1_000_000)
  const store = memoryStore()
  const options = { store, clock, leaseMs: 1_000, windowMs: 60_000 }
  return { clock, a: claimDedupe({ ...options, owner: 'a' }), b: claimDedupe({ ...options, owner: 'b' }) }
}

test('what another run works on is held until its lease ends, and then ours', async () => {
  const { clock, a, b } = two()
  const event = eventOf()
  assert.deepEqual(await a.run([event], running()), [KEEP])
  assert.deepEqual(await b.run([event], running()), [hold('dedupe.leased', 1_001_000)])
  await clock.advance(1_001)
  assert.deepEqual(await b.run([event], running()), [KEEP])
})

test('what was delivered is a duplicate of the event that was first, until the window ends', async () => {
  const { clock, a, b } = two()
  const first = eventOf()
  const again = { ...first, id: 'k3v9qa7m-00000009' }
  await a.run([first], running())
  await a.complete([first])
  assert.deepEqual(await b.run([again], running()), [drop('duplicate', first.id)])
  await clock.advance(60_001)
  assert.deepEqual(await b.run([again], running()), [KEEP])
})

test('a failed delivery is no duplicate: released, it may be claimed again', async () => {
  const { a, b } = two()
  const event = eventOf()
  await a.run([event], running())
  await a.release([event])
  assert.deepEqual(await b.run([event], running()), [KEEP])
})

test('a slow first owner completes nothing of the second', async () => {
  const { clock, a, b } = two()
  const event = eventOf()
  await a.run([event], running())
  await clock.advance(1_001)
  await b.run([event], running())
  await a.complete([event])
  await b.release([event])
  assert.deepEqual(await a.run([event], running()), [KEEP])
})

test('events without a key are never duplicates, and outcomes stay aligned beside them', async () => {
  const { a, b } = two()
  const keyed = eventOf()
  const keyless = eventOf({ key: null, keyKind: 'none' }, 1)
  await a.run([keyed], running())
  await a.complete([keyed])
  assert.deepEqual(await b.run([keyless, keyed, keyless], running()), [KEEP, drop('duplicate', keyed.id), KEEP])
})
