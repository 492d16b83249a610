import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeContract } from '../testing/store-contract.ts'
import { memoryStore } from './memory.ts'

storeContract('the memory store', { open: async () => memoryStore(), openAgain: null, cleanUp: async () => {} })

const requestOf = (key: string) => ({ key, eventId: `event ${key}` })

test('above maxKeys expired done keys go first, and nobody needs to be told', async () => {
  const forgotten: number[] = []
  const store = memoryStore({ maxKeys: 3, onForget: (count) => forgotten.push(count) })
  await store.claim(['a1', 'b2', 'c3'].map(requestOf), 'owner', 0, 1000)
  await store.complete(['a1'], 'owner', 100)
  await store.complete(['b2', 'c3'], 'owner', 9000)
  await store.claim([requestOf('d4')], 'owner', 500, 1500)
  assert.deepEqual(forgotten, [])
  const claims = await store.claim(['b2', 'c3'].map(requestOf), 'other', 600, 1600)
  assert.deepEqual(
    claims.map((claim) => claim.state),
    ['done', 'done'],
  )
})

test('when none has expired the oldest done key goes, and it is told', async () => {
  const forgotten: number[] = []
  const store = memoryStore({ maxKeys: 2, onForget: (count) => forgotten.push(count) })
  await store.claim(['a1', 'b2'].map(requestOf), 'owner', 0, 1000)
  await store.complete(['b2', 'a1'], 'owner', 9000)
  await store.claim([requestOf('c3')], 'owner', 1, 1000)
  assert.deepEqual(forgotten, [1])
  const states = async (key: string) => (await store.claim([requestOf(key)], 'other', 2, 1000))[0]?.state
  assert.equal(await states('a1'), 'done')
  assert.equal(await states('b2'), 'claimed')
})

test('a lease in force is never evicted', async () => {
  const store = memoryStore({ maxKeys: 2 })
  const keys = ['a1', 'b2', 'c3', 'd4']
  await store.claim(keys.map(requestOf), 'owner', 0, 1000)
  const claims = await store.claim(keys.map(requestOf), 'other', 1, 1000)
  assert.deepEqual(
    claims.map((claim) => claim.state),
    keys.map(() => 'leased'),
  )
  assert.deepEqual(
    await store.complete(keys, 'owner', 9000),
    keys.map(() => true),
  )
})

test('buckets and values are bounded: full and expired ones go unsaid, others are told', async () => {
  const forgotten: number[] = []
  const store = memoryStore({ maxKeys: 2, onForget: (count) => forgotten.push(count) })
  const take = (key: string, nowMs: number) => store.takeTokens([{ key, perSecond: 1, burst: 1, tokens: 1, ahead: false }], nowMs)
  await take('a', 0)
  await take('b', 1_500)
  await take('c', 1_600)
  assert.deepEqual(forgotten, [])
  await take('d', 1_700)
  assert.deepEqual(forgotten, [1])
  assert.equal((await take('c', 1_800))[0]?.atMs.length, 0, 'what is not full is kept while there is room')
  await store.remember([{ key: 'a', value: '1' }], 0, 100)
  for (const key of ['b', 'c', 'd']) await store.remember([{ key, value: '1' }], 200, 900)
  assert.deepEqual(forgotten, [1, 1])
})
