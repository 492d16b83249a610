import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { flipByte, keyOf, Owner, runFiles } from './_owner.ts'
import { KeyIndex } from './key-index.ts'

const some = Array.from({ length: 90 }, (_, i) => keyOf(i % 60, i))

/** Two levels of runs: one of eight seals, and a few small ones. */
function grown(): Owner {
  const o = new Owner(6)
  for (const key of some) o.append([key, keyOf(1000 + (key[15] ?? 0), 1)])
  while (o.merge(10));
  return o
}

describe('key index after damage', () => {
  it('answers rightly whichever byte of whichever run changed', () => {
    const o = grown()
    try {
      for (const name of runFiles(o.dir)) {
        for (let place = 0; place < 1; place += 0.043) {
          o.crash((dir) => flipByte(join(dir, name), place, 0x10))
          o.check(some)
          while (o.merge(10));
        }
      }
    } finally {
      o.dispose()
    }
  })

  it('answers rightly wherever a run was cut off, or grew', () => {
    const o = grown()
    try {
      for (const name of runFiles(o.dir)) {
        for (const bytes of [0, 1, 4095, 4096, 8191, 8192, 8200, 100_000]) {
          o.crash((dir) => truncateSync(join(dir, name), bytes))
          o.check(some)
          while (o.merge(10));
        }
      }
    } finally {
      o.dispose()
    }
  })

  it('answers rightly when any one run is missing, and drops what is newer than the gap', () => {
    const o = grown()
    try {
      const names = runFiles(o.dir)
      assert.ok(names.length > 3)
      const whole = o.copyOfFiles()
      for (const [i, name] of names.entries()) {
        o.crash((dir) => {
          for (const file of runFiles(dir)) rmSync(join(dir, file))
          for (const file of names) if (file !== name) copyFileSync(join(whole, file), join(dir, file))
        })
        assert.equal(o.index.stats().droppedRuns, names.length - 1 - i)
        o.check(some)
      }
      rmSync(whole, { recursive: true })
    } finally {
      o.dispose()
    }
  })

  it('notices a page that changes while it is in use, has its keys added again, and goes on', () => {
    const o = grown()
    try {
      const [oldest] = runFiles(o.dir)
      flipByte(join(o.dir, oldest ?? ''), 0.6, 1)
      o.check(some)
      assert.equal(o.repairs, 1)
      while (o.merge(10));
      o.check(some)
      o.restart()
      o.check(some)
      assert.equal(o.index.stats().damagedRuns, 0)
    } finally {
      o.dispose()
    }
  })

  it('notices a changed page while merging', () => {
    const o = new Owner(4)
    try {
      for (const key of some.slice(0, 33)) o.append([key])
      flipByte(join(o.dir, '3-3.run'), 0.6, 1)
      while (o.merge(10));
      assert.equal(o.repairs, 1)
      o.check(some.slice(0, 33))
    } finally {
      o.dispose()
    }
  })

  it('reads every page at open when asked to', () => {
    const o = grown()
    const dir = o.copyOfFiles()
    try {
      const [oldest] = runFiles(dir)
      flipByte(join(dir, oldest ?? ''), 0.6, 1)
      const index = KeyIndex.open({ dir, verify: () => true, endSeq: 1000, checkPages: true })
      assert.equal(index.coveredThroughSeq, 0)
      assert.equal(index.stats().damagedRuns, 1)
      index.close()
    } finally {
      rmSync(dir, { recursive: true })
      o.dispose()
    }
  })

  it('does not take a run for the next one when it begins later than the last one ended', () => {
    const [o, other] = [new Owner(3), new Owner(4)]
    try {
      for (const key of some.slice(0, 20)) {
        o.append([key])
        other.append([key])
      }
      o.crash((dir) => {
        for (const name of runFiles(dir).slice(3)) rmSync(join(dir, name))
        copyFileSync(join(other.dir, '3-3.run'), join(dir, '3-3.run'))
      })
      assert.equal(o.index.stats().droppedRuns, 1)
      o.check(some.slice(0, 20))
    } finally {
      o.dispose()
      other.dispose()
    }
  })

  it('does not take one run for another when files are swapped or renamed', () => {
    const o = grown()
    try {
      o.crash((dir) => {
        const [first, second] = runFiles(dir)
        renameSync(join(dir, first ?? ''), join(dir, 'x'))
        renameSync(join(dir, second ?? ''), join(dir, first ?? ''))
        renameSync(join(dir, 'x'), join(dir, second ?? ''))
      })
      assert.equal(o.index.stats().damagedRuns, 2)
      o.check(some)
    } finally {
      o.dispose()
    }
  })
})

describe('key index after a crash', () => {
  it('goes on from the files as they are between any two steps of sealing and merging', () => {
    const o = new Owner(4)
    const copies: { dir: string; records: number }[] = []
    try {
      const many = some.slice(0, 4 * 16 + 1)
      for (const [i, key] of many.entries()) {
        o.append([key])
        const last = i === many.length - 1
        // Every state of the files from here to the end of all merging.
        while (o.merge(0) && (last || i % 7 !== 0)) if (last) copies.push({ dir: o.copyOfFiles(), records: i })
      }
      assert.ok(copies.length > 8)
      for (const copy of copies) {
        o.adopt(copy.dir)
        o.check(many)
        assert.equal(o.index.stats().damagedRuns + o.index.stats().droppedRuns, 0)
        while (o.merge(10));
        o.check(many)
      }
    } finally {
      o.dispose()
    }
  })

  it('deletes half-written runs, whether they stand beside their inputs or are whole but not yet named', () => {
    const o = new Owner(4)
    try {
      const many = some.slice(0, 33)
      for (const key of many) o.append([key])
      const inputs = o.copyOfFiles()
      while (o.merge(10));
      const [merged] = runFiles(o.dir)
      assert.equal(merged, '0-7.run')
      const bytes = readFileSync(join(o.dir, '0-7.run'))
      for (const length of [0, 4096, 5000, bytes.length]) {
        o.crash((dir) => {
          rmSync(join(dir, '0-7.run'), { force: true })
          for (const name of runFiles(inputs)) copyFileSync(join(inputs, name), join(dir, name))
          writeFileSync(join(dir, '0-7.run.tmp'), bytes.subarray(0, length))
          writeFileSync(join(dir, '8-8.run.tmp'), bytes.subarray(0, length))
        })
        assert.equal(runFiles(o.dir).length, 8)
        o.check(many)
      }
      rmSync(inputs, { recursive: true })
    } finally {
      o.dispose()
    }
  })

  it('uses the merged run when inputs are left over, and the inputs when the merged run is damaged', () => {
    const o = new Owner(4)
    try {
      const many = some.slice(0, 33)
      for (const key of many) o.append([key])
      const inputs = o.copyOfFiles()
      while (o.merge(10));
      const withInputs = (dir: string): void => {
        for (const name of runFiles(inputs)) copyFileSync(join(inputs, name), join(dir, name))
      }
      o.crash(withInputs)
      assert.deepEqual(runFiles(o.dir), ['0-7.run'])
      assert.equal(o.index.stats().droppedRuns, 0)
      o.check(many)
      o.crash((dir) => {
        withInputs(dir)
        flipByte(join(dir, '0-7.run'), 0.01, 1)
      })
      assert.equal(runFiles(o.dir).length, 8)
      assert.equal(o.index.coveredThroughSeq, 32)
      o.check(many)
      rmSync(inputs, { recursive: true })
    } finally {
      o.dispose()
    }
  })
})
