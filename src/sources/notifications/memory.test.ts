/** What is remembered over restarts, read with suspicion. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readState, wholeOf } from './memory.ts'

const GAP = { shard: 'topics-0', fromMs: 1, toMs: 2, reason: 'channel.closed', topics: ['v2.users.{id}.presence'] }

test('what was written is read, and a time to come is cut back to now', () => {
  const state = {
    version: 1,
    shards: [
      { key: 'topics-0', wholeMs: 5 },
      { key: 'topics-1', wholeMs: 900 },
    ],
    gaps: [GAP],
  }
  const read = { ...state, shards: [state.shards[0], { key: 'topics-1', wholeMs: 100 }] }
  assert.deepEqual(readState(state, 100), { state: read, damaged: false })
  assert.deepEqual(readState(undefined, 100), { state: null, damaged: false }, 'a first run')
})

test('anything else is damage, and loses what is broken in it', () => {
  for (const value of [null, 1, 'x', [], {}, { version: 2, shards: [], gaps: [] }]) {
    assert.deepEqual(readState(value, 100), { state: null, damaged: true })
  }
  for (const shard of [null, { key: 1, wholeMs: 1 }, { key: 'topics-1', wholeMs: NaN }, { key: 'topics-1', wholeMs: 100 + 60_001 }]) {
    const state = { version: 1, shards: [{ key: 'topics-0', wholeMs: 5 }, shard], gaps: [GAP] }
    assert.deepEqual(readState(state, 100), { state: { version: 1, shards: [], gaps: [GAP] }, damaged: true })
  }
  const broken = [null, { ...GAP, fromMs: NaN }, { ...GAP, toMs: 0 }, { ...GAP, topics: [1] }, GAP]
  assert.deepEqual(readState({ version: 1, shards: [], gaps: broken }, 100), {
    state: { version: 1, shards: [], gaps: [GAP] },
    damaged: true,
  })
  fc.assert(fc.property(fc.jsonValue(), (value) => readState(value, 1).damaged))
})

test('a shard that had another number before is as old as the oldest of its like', () => {
  const state = {
    version: 1 as const,
    shards: [
      { key: 'topics-0', wholeMs: 5 },
      { key: 'topics-1', wholeMs: 3 },
      { key: 'conversations-0', wholeMs: 1 },
    ],
    gaps: [],
  }
  assert.deepEqual([wholeOf(state, 'topics-0'), wholeOf(state, 'topics-7'), wholeOf(state, 'conversations-4')], [5, 3, 1])
  assert.equal(wholeOf({ ...state, shards: [] }, 'topics-0'), null)
  assert.equal(wholeOf(null, 'topics-0'), null)
})
