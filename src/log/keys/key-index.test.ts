import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { keyOf, Owner, runFiles } from './_owner.ts'
import { KeyIndex } from './key-index.ts'

function owner(t: TestContext, memoryKeys: number): Owner {
  const made = new Owner(memoryKeys)
  t.after(() => made.dispose())
  return made
}

const keys = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => keyOf(i, i))

describe('key index', () => {
  it('answers the newest sequence, in memory and in runs, and -1 for a key never added', (t) => {
    const o = owner(t, 8)
    const key = keyOf(1, 1)
    assert.equal(o.find(key), -1)
    o.append([key])
    o.append([key])
    assert.equal(o.find(key), 1)
    o.index.seal()
    assert.equal(o.find(key), 1)
    o.append([key])
    assert.equal(o.find(key), 2)
    o.index.seal()
    assert.equal(o.find(key), 2)
    assert.equal(o.find(keyOf(1, 2)), -1)
  })

  it('tells keys apart that share their first eight bytes, in one run, across runs and after merges', (t) => {
    const o = owner(t, 16)
    const twins = Array.from({ length: 600 }, (_, i) => keyOf(7, i))
    for (const key of twins) o.append([key])
    o.check([...twins, keyOf(7, 600), keyOf(6, 0), keyOf(8, 0)])
    while (o.merge(10));
    // More than a page of equal prefixes in one run.
    o.check([...twins, keyOf(7, 600)])
    assert.ok(o.index.stats().collisions > 0)
  })

  it('keeps sequence numbers beyond 32 bits', (t) => {
    const o = owner(t, 1)
    o.nextSeq = 2 ** 32 - 4
    for (let i = 0; i < 8; i++) o.append([keyOf(1, 1)])
    o.index.seal()
    o.append([keyOf(2, 2)])
    while (o.merge(10));
    assert.equal(o.index.stats().merges, 1)
    assert.equal(o.find(keyOf(1, 1)), 2 ** 32 + 3)
    o.restart()
    assert.equal(o.find(keyOf(1, 1)), 2 ** 32 + 3)
    assert.equal(o.find(keyOf(2, 2)), 2 ** 32 + 4)
  })

  it('finds every key of runs of many pages, and no other', (t) => {
    const o = owner(t, 3000)
    o.index.close()
    const index = KeyIndex.open({
      dir: o.dir,
      memoryKeys: 3000,
      endSeq: 0,
      verify: (seq, key) => Buffer.compare(keyOf(seq, seq), key) === 0,
    })
    t.after(() => index.close())
    for (let seq = 0; seq < 9001; seq++) index.add(keyOf(seq, seq), seq)
    assert.equal(index.stats().runs, 3)
    for (let seq = 0; seq < 9001; seq++) assert.equal(index.find(keyOf(seq, seq)), seq)
    for (let i = 9001; i < 12_000; i++) assert.equal(index.find(keyOf(i, i)), -1)
  })

  it('seals by itself when the table is full, and covers all records before the one being added', (t) => {
    const o = owner(t, 4)
    for (const key of keys(4)) o.append([key])
    assert.equal(o.index.stats().runs, 0)
    assert.equal(o.index.coveredThroughSeq, 0)
    o.append([keyOf(9, 9)], 10)
    assert.equal(o.index.stats().runs, 1)
    assert.equal(o.index.coveredThroughSeq, 14)
  })

  it('after a seal between two keys of one record, has that record added again', (t) => {
    const o = owner(t, 100)
    o.append([keyOf(1, 1), keyOf(2, 2)])
    o.append([keyOf(3, 3)])
    o.index.seal()
    assert.equal(o.index.coveredThroughSeq, 1)
    o.index.seal()
    assert.equal(o.index.stats().runs, 1, 'an empty table makes no run')
  })

  it('has eight runs of a level merged into one of the next, and then nothing more to do', (t) => {
    const o = owner(t, 4)
    const some = keys(4 * 64 + 1)
    for (const key of some) {
      o.append([key])
      while (o.merge(10));
    }
    assert.equal(o.index.stats().runs, 1)
    assert.equal(runFiles(o.dir).length, 1)
    assert.equal(o.merge(10), false)
    o.check(some)
  })

  it('does one step of merging at a time when the budget is nothing', (t) => {
    const o = owner(t, 4)
    for (const key of keys(33)) o.append([key])
    let steps = 1
    while (o.merge(0)) steps++
    assert.ok(steps > 8)
    assert.equal(o.index.stats().runs, 1)
  })

  it('never answers below the retention bound, and deletes runs that are wholly below it', (t) => {
    const o = owner(t, 4)
    const some = keys(20)
    for (const key of some) o.append([key])
    o.drop(10)
    o.check(some)
    o.merge(10)
    assert.equal(runFiles(o.dir).length, 2)
    o.restart()
    o.check(some)
    assert.equal(o.index.stats().droppedRuns, 0, 'dropped runs do not look like lost ones')
    o.drop(100)
    assert.equal(o.index.stats().runs, 0)
    assert.equal(o.index.coveredThroughSeq, 100)
    o.check(some)
  })

  it('never answers below the retention bound even where the log still has the record', (t) => {
    const o = owner(t, 4)
    const some = keys(6)
    for (const key of some) o.append([key])
    o.index.dropBefore(2)
    assert.deepEqual(
      some.map((key) => o.index.find(key)),
      [-1, -1, 2, 3, 4, 5],
    )
    o.index.dropBefore(5)
    assert.deepEqual(
      some.map((key) => o.index.find(key)),
      [-1, -1, -1, -1, -1, 5],
    )
  })

  it('forgets entries below the bound at merges', (t) => {
    const o = owner(t, 4)
    for (const key of keys(33)) o.append([key])
    o.drop(3)
    while (o.merge(10));
    assert.equal(o.index.stats().keys, 33 - 3)
  })

  it('starts empty when the window was made longer than what it kept', (t) => {
    const some = keys(33)
    // The first bound drops whole runs, the other lets entries vanish at a merge.
    for (const bound of [20, 2]) {
      const o = owner(t, 4)
      for (const key of some) o.append([key])
      o.index.dropBefore(bound)
      while (o.merge(10));
      o.restart()
      assert.ok(o.index.stats().droppedRuns > 0)
      o.check(some)
    }
  })

  it('covers only what the log still has when a power cut took its end', (t) => {
    const o = owner(t, 4)
    const some = keys(17)
    for (const key of some) o.append([key])
    o.crash(() => {}, 9)
    assert.equal(o.index.coveredThroughSeq, 8)
    o.check(some)
    o.restart()
    const others = Array.from({ length: 6 }, (_, i) => keyOf(i, 1000 + i))
    for (const key of others) o.append([key])
    o.crash()
    o.check([...some, ...others])
  })

  it('finds the older record of a key again when a power cut took the newer one', (t) => {
    const o = owner(t, 4)
    const key = keyOf(1, 1)
    o.append([key])
    o.append([key])
    o.index.seal()
    o.crash(() => {}, 1)
    assert.equal(o.find(key), 0)
  })

  it('keeps working over a full disk until the table is half over, then refuses and keeps what it has', (t) => {
    const o = owner(t, 4)
    const some = keys(8)
    mkdirSync(join(o.dir, '0-0.run.tmp'))
    for (const key of some.slice(0, 6)) o.append([key])
    assert.throws(() => o.index.add(some[6] as Uint8Array, 6), { code: 'keys.full' })
    assert.throws(() => o.index.seal(), { code: 'keys.write-failed' })
    o.check(some)
    assert.ok(o.index.stats().writeFailures > 0)
    rmSync(join(o.dir, '0-0.run.tmp'), { recursive: true })
    for (const key of some.slice(6)) o.append([key])
    o.check(some)
    assert.equal(o.index.stats().runs, 1)
  })

  it('puts merging off when a merged run cannot be written, and answers all the same', (t) => {
    const o = owner(t, 4)
    const some = keys(33)
    for (const key of some) o.append([key])
    mkdirSync(join(o.dir, '0-7.run.tmp'))
    assert.equal(o.merge(10), false)
    o.check(some)
    rmSync(join(o.dir, '0-7.run.tmp'), { recursive: true })
    o.index.seal()
    while (o.merge(10));
    assert.equal(o.index.stats().merges, 1)
    o.check(some)
  })

  it('holds few descriptors however many runs there are', (t) => {
    const o = owner(t, 1)
    const some = keys(150)
    for (const key of some) o.append([key])
    o.check(some)
    assert.ok(o.index.stats().runs > 100)
    assert.ok(o.index.stats().openFiles <= 64)
  })

  it('refuses a key of another length and a falling sequence number', (t) => {
    const o = owner(t, 4)
    o.append([keyOf(1, 1)], 5)
    assert.throws(() => o.index.add(keyOf(1, 2), 4), { code: 'keys.misuse' })
    assert.throws(() => o.index.add(new Uint8Array(15), 9), { code: 'keys.misuse' })
    assert.throws(() => o.index.find(new Uint8Array(17)), { code: 'keys.misuse' })
  })

  it('leaves files alone that are not its own', (t) => {
    const o = owner(t, 4)
    mkdirSync(join(o.dir, 'other'))
    o.restart()
    assert.deepEqual(readdirSync(o.dir), ['other'])
  })

  it('passes on what verify throws', (t) => {
    const o = owner(t, 4)
    o.append([keyOf(1, 1)])
    o.index.close()
    const index = KeyIndex.open({
      dir: o.dir,
      endSeq: 1,
      verify: () => {
        throw new Error('log unreadable')
      },
    })
    t.after(() => index.close())
    assert.throws(() => index.find(keyOf(1, 1)), { message: 'log unreadable' })
  })
})
