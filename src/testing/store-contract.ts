import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Store } from '../stores/store.ts'

/*
 * What every store must do. An adapter's test file calls `storeContract` with a way to open stores on empty, shared
 * memory. Time is only ever a number handed in.
 */

/** How the suite gets at one adapter. */
export type StoreHarness = {
  /** Opens a store over fresh, empty memory. */
  open(): Promise<Store>
  /** Opens another handle on the memory of the store that `open` gave last; null where there can be none. */
  openAgain: (() => Promise<Store>) | null
  /** Removes whatever was made. */
  cleanUp(): Promise<void>
}

const NOW = 1_774_000_000_000
const LEASE_END = NOW + 30_000
const EXPIRY = NOW + 3_600_000

/** Declares the tests that `harness` has to pass. */
export function storeContract(name: string, harness: StoreHarness): void {
  describe(`${name} keeps the store contract`, () => {
    const opened: Store[] = []
    const open = async (): Promise<Store> => {
      const store = await harness.open()
      opened.push(store)
      return store
    }
    after(async () => {
      for (const store of opened) await store.close()
      await harness.cleanUp()
    })
    const claim = async (store: Store, key: string, owner: string, nowMs = NOW, untilMs = LEASE_END) =>
      (await store.claim([{ key, eventId: `event of ${owner}` }], owner, nowMs, untilMs))[0]

    test('an unknown key is claimed, and then leased to everybody, its owner included', async () => {
      const store = await open()
      const key = keyOf(1)
      assert.deepEqual(await claim(store, key, 'a'), { state: 'claimed' })
      assert.deepEqual(await claim(store, key, 'b'), { state: 'leased', untilMs: LEASE_END })
      assert.deepEqual(await claim(store, key, 'a'), { state: 'leased', untilMs: LEASE_END })
    })

    test('answers are aligned by index, and the second of two equal keys in one call is leased', async () => {
      const store = await open()
      await claim(store, keyOf(2), 'other')
      await store.complete([keyOf(2)], 'other', EXPIRY)
      const requests = [keyOf(1), keyOf(2), keyOf(1), keyOf(3)].map((key, index) => ({ key, eventId: `e${index}` }))
      assert.deepEqual(await store.claim(requests, 'a', NOW, LEASE_END), [
        { state: 'claimed' },
        { state: 'done', eventId: 'event of other' },
        { state: 'leased', untilMs: LEASE_END },
        { state: 'claimed' },
      ])
      assert.deepEqual(await store.complete([keyOf(3), keyOf(9), keyOf(1)], 'a', EXPIRY), [true, false, true])
    })

    test('a completed key is done, and names the event that completed it, until it expires', async () => {
      const store = await open()
      await claim(store, keyOf(1), 'a')
      assert.deepEqual(await store.complete([keyOf(1)], 'a', EXPIRY), [true])
      assert.deepEqual(await claim(store, keyOf(1), 'b', EXPIRY - 1, EXPIRY + 10), { state: 'done', eventId: 'event of a' })
      assert.deepEqual(await claim(store, keyOf(1), 'b', EXPIRY, EXPIRY + 10), { state: 'claimed' })
      assert.deepEqual(await claim(store, keyOf(1), 'c', EXPIRY, EXPIRY + 10), { state: 'leased', untilMs: EXPIRY + 10 })
    })

    test('a lease in force cannot be taken over; a lapsed one can', async () => {
      const store = await open()
      await claim(store, keyOf(1), 'a')
      assert.deepEqual(await claim(store, keyOf(1), 'b', LEASE_END - 1), { state: 'leased', untilMs: LEASE_END })
      assert.deepEqual(await claim(store, keyOf(1), 'b', LEASE_END, LEASE_END + 30_000), { state: 'claimed' })
    })

    test('a slow first owner can neither complete nor release what the second has taken over', async () => {
      const store = await open()
      await claim(store, keyOf(1), 'slow')
      await claim(store, keyOf(1), 'second', LEASE_END, LEASE_END + 30_000)
      assert.deepEqual(await store.complete([keyOf(1)], 'slow', EXPIRY), [false])
      assert.deepEqual(await store.release([keyOf(1)], 'slow'), [false])
      assert.deepEqual(await claim(store, keyOf(1), 'x', LEASE_END), { state: 'leased', untilMs: LEASE_END + 30_000 })
      assert.deepEqual(await store.complete([keyOf(1)], 'second', EXPIRY), [true])
      assert.deepEqual(await claim(store, keyOf(1), 'x'), { state: 'done', eventId: 'event of second' })
    })

    test('a slow owner whose lapsed lease nobody took still completes', async () => {
      const store = await open()
      await claim(store, keyOf(1), 'a')
      await claim(store, keyOf(2), 'b', LEASE_END + 1, LEASE_END + 2)
      assert.deepEqual(await store.complete([keyOf(1)], 'a', EXPIRY), [true])
    })

    test('a released key is free at once; what was never or is no longer leased cannot be released', async () => {
      const store = await open()
      await claim(store, keyOf(1), 'a')
      assert.deepEqual(await store.release([keyOf(1), keyOf(2)], 'a'), [true, false])
      assert.deepEqual(await store.release([keyOf(1)], 'a'), [false])
      assert.deepEqual(await store.complete([keyOf(1)], 'a', EXPIRY), [false])
      assert.deepEqual(await claim(store, keyOf(1), 'b'), { state: 'claimed' })
    })

    test('completing again says true to its owner and false to others; done is never undone by a release', async () => {
      const store = await open()
      await claim(store, keyOf(1), 'a')
      await store.complete([keyOf(1)], 'a', EXPIRY)
      assert.deepEqual(await store.complete([keyOf(1)], 'a', EXPIRY), [true])
      assert.deepEqual(await store.complete([keyOf(1)], 'b', EXPIRY), [false])
      assert.deepEqual(await store.release([keyOf(1)], 'a'), [false])
      assert.deepEqual(await claim(store, keyOf(1), 'b'), { state: 'done', eventId: 'event of a' })
    })

    test('keys of any length of hex stay apart', async () => {
      const store = await open()
      const keys = ['a', '0a', '00', '0000', 'ab', 'abc', 'ab0c', 'f'.repeat(64), 'f'.repeat(128)]
      const requests = keys.map((key) => ({ key, eventId: key }))
      const claims = await store.claim(requests, 'a', NOW, LEASE_END)
      assert.deepEqual(
        claims.map((answer) => answer.state),
        keys.map(() => 'claimed'),
      )
    })

    test('empty batches are answered empty', async () => {
      const store = await open()
      assert.deepEqual(await store.claim([], 'a', NOW, LEASE_END), [])
      assert.deepEqual(await store.complete([], 'a', EXPIRY), [])
      assert.deepEqual(await store.release([], 'a'), [])
    })

    test('batches of 10,000 keys', async () => {
      const store = await open()
      const keys = Array.from({ length: 10_000 }, (_, index) => keyOf(index))
      const requests = keys.map((key, index) => ({ key, eventId: `e${index}` }))
      const first = await store.claim(requests, 'a', NOW, LEASE_END)
      assert.equal(first.filter((answer) => answer.state === 'claimed').length, 10_000)
      assert.equal((await store.complete(keys, 'a', EXPIRY)).filter(Boolean).length, 10_000)
      const again = await store.claim(requests, 'b', NOW, LEASE_END)
      assert.deepEqual(
        again,
        keys.map((_, index) => ({ state: 'done', eventId: `e${index}` })),
      )
    })

    test('of racing claims exactly one wins each key', { skip: harness.openAgain === null && 'one handle only' }, async () => {
      const stores = [await open()]
      for (let count = 1; count < 4; count += 1) {
        const another = await harness.openAgain?.()
        if (another === undefined) return
        opened.push(another)
        stores.push(another)
      }
      const keys = Array.from({ length: 400 }, (_, index) => keyOf(index))
      const wins = new Map<string, number>()
      // Each handle starts elsewhere in the list, so that their batches cross.
      const race = stores.map(async (store, number) => {
        const mine = [...keys.slice(number * 100), ...keys.slice(0, number * 100)]
        for (let start = 0; start < mine.length; start += 10) {
          const batch = mine.slice(start, start + 10)
          const answers = await store.claim(
            batch.map((key) => ({ key, eventId: `${number}` })),
            `owner ${number}`,
            NOW,
            LEASE_END,
          )
          for (const [index, key] of batch.entries()) {
            if (answers[index]?.state === 'claimed') wins.set(key, (wins.get(key) ?? 0) + 1)
          }
        }
      })
      await Promise.all(race)
      assert.deepEqual(
        keys.filter((key) => wins.get(key) !== 1),
        [],
      )
    })

    const take = async (
      store: Store,
      tokens: number,
      nowMs: number,
      more: { ahead?: boolean; perSecond?: number; key?: string; givenBackAtMs?: number } = {},
    ) => (await store.takeTokens([{ key: 'k', perSecond: 5, burst: 3, tokens, ahead: false, ...more }], nowMs))[0]

    test('a bucket gives its burst, then a token an interval, and says when the next is there', async () => {
      const store = await open()
      assert.deepEqual(await take(store, 2, NOW), { atMs: [NOW, NOW], nextAtMs: NOW })
      assert.deepEqual(await take(store, 2, NOW), { atMs: [NOW], nextAtMs: NOW + 200 })
      assert.deepEqual(await take(store, 1, NOW + 199), { atMs: [], nextAtMs: NOW + 200 })
      assert.deepEqual(await take(store, 9, NOW + 450), { atMs: [NOW + 450, NOW + 450], nextAtMs: NOW + 600 })
      assert.deepEqual(await take(store, 9, NOW + 9_000), { atMs: [NOW + 9_000, NOW + 9_000, NOW + 9_000], nextAtMs: NOW + 9_200 })
    })

    test('tokens of the future are given once each, at their time, and come before those asked for later', async () => {
      const store = await open()
      assert.deepEqual((await take(store, 5, NOW, { ahead: true }))?.atMs, [NOW, NOW, NOW, NOW + 200, NOW + 400])
      assert.deepEqual((await take(store, 1, NOW + 10, { ahead: true }))?.atMs, [NOW + 600])
      assert.deepEqual(await take(store, 1, NOW + 300), { atMs: [], nextAtMs: NOW + 800 })
      const slower = { ahead: true, perSecond: 2, givenBackAtMs: NOW + 300 }
      assert.deepEqual((await take(store, 2, NOW + 300, slower))?.atMs, [NOW + 800, NOW + 1_300], 'the future begins anew, at another rate')
      assert.deepEqual((await take(store, 1, NOW + 400, slower))?.atMs, [NOW + 1_800], 'once')
      assert.deepEqual((await take(store, 1, NOW + 400, { ahead: true }))?.atMs, [NOW + 1_160], 'not by who knows of no change')
    })

    test('a changed rate begins with the tokens that are left: what was used stays used', async () => {
      const store = await open()
      const since = (givenBackAtMs: number, perSecond: number): object => ({ givenBackAtMs, perSecond })
      await take(store, 2, NOW)
      assert.deepEqual(await take(store, 0, NOW, since(NOW, 1)), { atMs: [], nextAtMs: NOW })
      assert.deepEqual(await take(store, 2, NOW, since(NOW, 1)), { atMs: [NOW], nextAtMs: NOW + 1_000 })
      assert.deepEqual(await take(store, 2, NOW, since(NOW + 1, 100)), { atMs: [], nextAtMs: NOW + 10 })
      assert.deepEqual(await take(store, 2, NOW, { perSecond: 1 }), { atMs: [], nextAtMs: NOW + 1_000 }, 'another process, as it was')
    })

    test('a clock that was set back closes no bucket until it is where it was', async () => {
      const store = await open()
      assert.equal((await take(store, 9, NOW))?.atMs.length, 3)
      const back = NOW - 3_600_000
      assert.deepEqual(await take(store, 1, back), { atMs: [], nextAtMs: back + 200 })
      assert.deepEqual((await take(store, 9, back + 450))?.atMs, [back + 450, back + 450])
      assert.equal((await take(store, 9, back + 450, { key: 'booked', ahead: true }))?.atMs.at(-1), back + 1_650)
      assert.deepEqual((await take(store, 1, back - 86_400_000, { key: 'booked', ahead: true }))?.atMs, [back - 86_400_000 + 1_400])
    })

    test('buckets are one by one, also within a call', async () => {
      const store = await open()
      const request = { perSecond: 1, burst: 1, tokens: 1, ahead: false }
      const keys = ['a', 'b', 'a', 'ü\u0000"', 'a'.repeat(400)]
      const taken = await store.takeTokens(
        keys.map((key) => ({ ...request, key })),
        NOW,
      )
      assert.deepEqual(
        taken.map(({ atMs }) => atMs.length),
        [1, 1, 0, 1, 1],
      )
      assert.deepEqual(await store.takeTokens([], NOW), [])
    })

    test('handles on one memory share the tokens', { skip: harness.openAgain === null && 'one handle only' }, async () => {
      const first = await open()
      const second = await harness.openAgain?.()
      if (second === undefined) return
      opened.push(second)
      assert.equal((await take(first, 2, NOW))?.atMs.length, 2)
      assert.equal((await take(second, 2, NOW))?.atMs.length, 1)
      assert.deepEqual(await first.remember([{ key: 'c', value: 'kept' }], NOW, EXPIRY), ['kept'])
      assert.deepEqual(await second.remember([{ key: 'c', value: 'dropped' }], NOW, EXPIRY), ['kept'])
    })

    test('the first value stays until it expires; looking leaves nothing behind', async () => {
      const store = await open()
      const remember = async (key: string, value: string | null, nowMs: number) =>
        (await store.remember([{ key, value }], nowMs, nowMs + 1_000))[0]
      assert.equal(await remember('a', null, NOW), null)
      assert.equal(await remember('a', 'x', NOW), 'x')
      assert.equal(await remember('a', 'y', NOW + 999), 'x')
      assert.equal(await remember('a', null, NOW + 999), 'x')
      assert.equal(await remember('a', null, NOW + 1_000), null)
      assert.equal(await remember('a', 'z', NOW + 1_000), 'z')
      const replace = async (instead: string) => (await store.remember([{ key: 'a', value: 'y', instead }], NOW + 1_000, EXPIRY))[0]
      assert.deepEqual([await replace('x'), await replace('z'), await remember('a', 'z', NOW + 1_000)], ['z', 'y', 'y'])
      const entries = [
        { key: 'b', value: '1' },
        { key: 'a', value: null },
        { key: 'b', value: '2' },
        { key: 'c', value: null },
      ]
      assert.deepEqual(await store.remember(entries, NOW + 1_000, EXPIRY), ['1', 'y', '1', null])
      assert.deepEqual(await store.remember([], NOW, EXPIRY), [])
    })

    test('close is idempotent', async () => {
      const store = await open()
      await store.close()
      await store.close()
    })
  })
}

function keyOf(index: number): string {
  // An odd factor keeps them different; 16 bytes like a real key.
  return BigInt.asUintN(128, BigInt(index + 1) * 0x9e3779b97f4a7c15f39cc0605cedc835n)
    .toString(16)
    .padStart(32, '0')
}
