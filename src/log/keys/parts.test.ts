import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { filterAdd, filterBlocks, filterOf, lastMaybe } from './filter.ts'
import { MemoryTable } from './memory-table.ts'
import { decodeRunHeader, encodeRunHeader, isRunFileName, runFileName } from './run-format.ts'

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

describe('filter', () => {
  it('never denies a prefix that was added', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 300 }), (prefixes) => {
        const one = filterOf(filterBlocks(prefixes.length))
        for (const [hi, lo] of prefixes) filterAdd(one.filter, one.scale, hi, lo)
        for (const [hi, lo] of prefixes) assert.equal(lastMaybe([one], 0, hi, lo), 0)
      }),
    )
  })

  it('wrongly says maybe for less than one prefix in a hundred', () => {
    const one = filterOf(filterBlocks(50_000))
    let state = 1
    const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) | 0)
    const mixed = (): number => Math.imul(next() ^ (next() >>> 15), 0x2c1b3c6d)
    for (let i = 0; i < 50_000; i++) filterAdd(one.filter, one.scale, mixed(), mixed())
    let wrong = 0
    for (let i = 0; i < 50_000; i++) if (lastMaybe([one], 0, mixed(), mixed()) === 0) wrong++
    assert.ok(wrong < 500, `${wrong} of 50000`)
  })
})

describe('memory table', () => {
  it('holds what a Map would, newest sequence winning, and gives it out in run order', () => {
    const key = fc.tuple(fc.constantFrom(0, 1, -1, 77), fc.constantFrom(0, -1, 5), fc.nat(3), word)
    fc.assert(
      fc.property(fc.array(key, { maxLength: 200 }), (keys) => {
        const table = new MemoryTable(200)
        const model = new Map<string, number>()
        keys.forEach((k, i) => {
          const seq = 2 ** 31 + i * 2 ** 29
          table.put(...k, seq)
          model.set(k.join(), seq)
        })
        assert.equal(table.count, model.size)
        for (const k of keys) assert.equal(table.find(...k), model.get(k.join()))
        assert.equal(table.find(9, 9, 9, 9), -1)
        const rows = rowsOf(table.sortedEntries())
        const expected = [...model].map(([text, seq]) => {
          const [hi = 0, lo = 0] = text.split(',').map((part) => Number(part) >>> 0)
          return [hi, lo, seq] as const
        })
        expected.sort((a, b) => a[0] - b[0] || a[1] - b[1] || b[2] - a[2])
        assert.deepEqual(rows, expected)
        table.clear()
        for (const k of keys) assert.equal(table.find(...k), -1)
      }),
    )
  })
})

describe('run header', () => {
  const header = {
    level: 2,
    firstSeal: 64,
    lastSeal: 127,
    fromSeq: 2 ** 50,
    coveredSeq: 2 ** 50 + 9,
    entries: 1000,
    minSeq: 2 ** 50,
    maxSeq: 2 ** 50 + 8,
    pages: 4,
    filterBlocks: 47,
    tailCrc: 0xfedcba98,
  }

  it('reads back as written, and as nothing when any byte changed', () => {
    const bytes = encodeRunHeader(header)
    assert.deepEqual(decodeRunHeader(bytes), header)
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = (bytes[i] ?? 0) ^ 0x40
      assert.equal(decodeRunHeader(bytes), null)
      bytes[i] = (bytes[i] ?? 0) ^ 0x40
    }
  })

  it('names a file that is recognised again, and no half-written one', () => {
    assert.ok(isRunFileName(runFileName(header)))
    assert.ok(!isRunFileName(`${runFileName(header)}.tmp`))
  })
})

function rowsOf(entries: Uint32Array): (readonly [number, number, number])[] {
  const rows = []
  for (let at = 0; at < entries.length; at += 4) {
    rows.push([entries[at] ?? 0, entries[at + 1] ?? 0, (entries[at + 3] ?? 0) * 2 ** 32 + (entries[at + 2] ?? 0)] as const)
  }
  return rows
}
