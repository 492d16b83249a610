import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { storeContract } from '../testing/store-contract.ts'
import { memoryStore } from './memory.ts'
import { sqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'

const dir = await mkdtemp(join(tmpdir(), 'trunkline-store-'))
let count = 0
const newPath = (): string => join(dir, `store-${(count += 1)}.db`)
const lastPath = (): string => join(dir, `store-${count}.db`)

storeContract('the sqlite store', {
  open: async () => sqliteStore({ path: newPath() }),
  openAgain: async () => sqliteStore({ path: lastPath() }),
  cleanUp: async () => {},
})
after(() => rm(dir, { recursive: true, force: true }))

test('what was claimed and completed is known after closing and opening again', async () => {
  const path = newPath()
  const first = sqliteStore({ path })
  await first.claim(
    [
      { key: 'aa', eventId: 'e1' },
      { key: 'bb', eventId: 'e2' },
    ],
    'a',
    0,
    1000,
  )
  await first.complete(['aa'], 'a', 9000)
  await first.close()
  const second = sqliteStore({ path })
  const claims = await second.claim(
    [
      { key: 'aa', eventId: 'x' },
      { key: 'bb', eventId: 'x' },
    ],
    'b',
    1,
    1000,
  )
  assert.deepEqual(claims, [
    { state: 'done', eventId: 'e1' },
    { state: 'leased', untilMs: 1000 },
  ])
  await second.close()
})

test("the file is its owner's alone to read", { skip: process.platform === 'win32' && 'no file modes' }, async () => {
  const path = newPath()
  const store = sqliteStore({ path })
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  await store.close()
})

test('threads with a handle each on a new file: exactly one wins each key', async () => {
  const path = newPath()
  const workerCount = 3
  const keyCount = 300
  // All threads open the new file, then meet, then race over the same keys in small batches.
  const source = `
    import { parentPort, workerData } from 'node:worker_threads'
    const { path, owner, keyCount, module } = workerData
    const { sqliteStore } = await import(module)
    const store = sqliteStore({ path, busyTimeoutMs: 20000 })
    await new Promise((resolve) => { parentPort.once('message', resolve); parentPort.postMessage('ready') })
    const won = []
    for (let start = 0; start < keyCount; start += 5) {
      const keys = Array.from({ length: 5 }, (_, index) => (start + index).toString(16).padStart(32, '0'))
      const claims = await store.claim(keys.map((key) => ({ key, eventId: owner })), owner, 0, 1000)
      claims.forEach((claim, index) => { if (claim.state === 'claimed') won.push(keys[index]) })
    }
    await store.close()
    parentPort.postMessage(won)`
  const workers = Array.from({ length: workerCount }, (_, index) => {
    const workerData = { path, owner: `owner ${index}`, keyCount, module: new URL('./sqlite.ts', import.meta.url).href }
    return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData })
  })
  const message = (worker: Worker): Promise<unknown> =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  await Promise.all(workers.map(message))
  const results = Promise.all(workers.map(message))
  for (const worker of workers) worker.postMessage('go')
  const won = ((await results) as string[][]).flat()
  assert.equal(won.length, keyCount)
  assert.equal(new Set(won).size, keyCount)
})

test('long expired rows are removed, in slices, by later claims; rows in force stay', async () => {
  const path = newPath()
  const store = sqliteStore({ path })
  const keys = Array.from({ length: 1000 }, (_, index) => ({ key: index.toString(16).padStart(8, '0'), eventId: 'e' }))
  await store.claim(keys, 'a', 0, 1000)
  await store.complete(
    keys.slice(0, 900).map(({ key }) => key),
    'a',
    2000,
  )
  await store.complete(
    keys.slice(900).map(({ key }) => key),
    'a',
    1e12,
  )
  const rows = (): number => {
    const db = new DatabaseSync(path, { readOnly: true })
    const found = db.prepare('SELECT count(*) AS n FROM trunkline_claims_1').get() as { n: number }
    db.close()
    return found.n
  }
  await store.claim([{ key: 'ff', eventId: 'e' }], 'a', 10_000_000, 1e12)
  const afterOne = rows()
  assert.ok(afterOne > 500 && afterOne < 1000, `one claim removes a small slice, here ${1001 - afterOne} rows`)
  for (let round = 0; round < 40; round += 1) await store.claim([{ key: 'ff', eventId: 'e' }], 'a', 10_000_000, 1e12)
  assert.equal(rows(), 101)
  await store.close()
})

test('full buckets are removed in slices, those that are not stay', async () => {
  const path = newPath()
  const store = sqliteStore({ path })
  const request = { perSecond: 1, burst: 1, tokens: 1, ahead: false }
  await store.takeTokens(
    Array.from({ length: 1_000 }, (_, i) => ({ ...request, key: `k${i}` })),
    0,
  )
  await store.takeTokens([{ ...request, key: 'slow', perSecond: 0.000_001 }], 0)
  const keys = (): number => {
    const db = new DatabaseSync(path, { readOnly: true })
    const found = db.prepare('SELECT count(*) AS n FROM trunkline_buckets_2').get() as { n: number }
    db.close()
    return found.n
  }
  for (let round = 0; round < 40; round += 1) await store.takeTokens([{ ...request, key: 'now' }], 10_000_000 + round * 2_000)
  assert.equal(keys(), 2)
  await store.close()
})

test('a file locked for longer than the busy timeout rejects the call, and the next one works', async () => {
  const path = newPath()
  const store = sqliteStore({ path, busyTimeoutMs: 1 })
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(store.claim([{ key: 'aa', eventId: 'e' }], 'a', 0, 1000))
  other.exec('ROLLBACK')
  other.close()
  assert.deepEqual(await store.claim([{ key: 'aa', eventId: 'e' }], 'a', 0, 1000), [{ state: 'claimed' }])
  await store.close()
})

test('answers exactly as the memory store does, whatever is asked', async () => {
  const key = fc.constantFrom('00', '01', '02', '03')
  const keys = fc.array(key, { maxLength: 5 })
  const owner = fc.constantFrom('a', 'b', 'c')
  const call = fc.oneof(
    fc.record({ type: fc.constant('claim' as const), keys, owner, leaseMs: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ type: fc.constant('complete' as const), keys, owner, leaseMs: fc.integer({ min: -5, max: 60 }) }),
    fc.record({ type: fc.constant('release' as const), keys, owner, leaseMs: fc.constant(0) }),
  )
  const timed = fc.record({ call, passedMs: fc.integer({ min: 0, max: 15 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(timed, { maxLength: 40 }), async (calls) => {
      const stores: Store[] = [memoryStore(), sqliteStore({ path: ':memory:' })]
      let nowMs = 0
      for (const [index, { call: asked, passedMs }] of calls.entries()) {
        nowMs += passedMs
        const [expected, actual] = await Promise.all(
          stores.map((store): Promise<readonly unknown[]> => {
            const requests = asked.keys.map((name) => ({ key: name, eventId: `e${index}` }))
            if (asked.type === 'claim') return store.claim(requests, asked.owner, nowMs, nowMs + asked.leaseMs)
            if (asked.type === 'complete') return store.complete(asked.keys, asked.owner, nowMs + asked.leaseMs)
            return store.release(asked.keys, asked.owner)
          }),
        )
        assert.deepEqual(actual, expected)
      }
      for (const store of stores) await store.close()
    }),
    { numRuns: 200 },
  )
})
