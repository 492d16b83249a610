import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SeqSet, isWithin, rangesOf } from './seq-set.ts'

const change = fc.record({
  what: fc.constantFrom('add', 'add', 'addRange', 'delete', 'forget'),
  at: fc.integer({ min: 0, max: 6_000 }),
  length: fc.oneof(fc.nat(5), fc.nat(3_000)),
})

test('property: it says the same as a plain set, and what is written down says the same again', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 60, size: 'max' }),
      fc.integer({ min: 0, max: 6_000 }),
      fc.boolean(),
      (changes, from, sparse) => {
        // Beyond 32 bits, where shifts of whole numbers would go wrong.
        const base = 2 ** 33 + 1_000
        let bits = new SeqSet()
        const plain = new Set<number>()
        if (sparse)
          for (let i = 0; i < 6_000; i += 3) {
            bits.add(base + i)
            plain.add(base + i)
          }
        for (const { what, at, length } of changes) {
          const seq = base + at
          if (what === 'add') assert.equal(bits.add(seq), !plain.has(seq))
          if (what === 'add') plain.add(seq)
          if (what === 'delete') assert.equal(bits.delete(seq), plain.delete(seq))
          if (what === 'addRange') bits.addRange(seq, seq + length)
          if (what === 'addRange') for (let i = 0; i <= length; i++) plain.add(seq + i)
          if (what !== 'forget') continue
          const again = new SeqSet(bits.stretches(seq))
          for (const one of plain) if (one < seq) plain.delete(one)
          bits = again
          bits.forgetBefore(seq)
        }
        assert.equal(bits.size, plain.size)
        const stretches = bits.stretches(base + from)
        for (let i = 0; i < 9_500; i++) {
          const seq = base + i
          assert.equal(bits.has(seq), plain.has(seq))
          if (i >= from) assert.equal(isWithin(stretches, seq), plain.has(seq))
          else assert.equal(isWithin(stretches, seq), false)
        }
        let missing = base + from
        while (plain.has(missing)) missing++
        assert.equal(bits.firstMissing(base + from, base + 20_000), missing)
        const inside = bits.ranges(base + from, base + from + 700)
        assert.deepEqual(inside, rangesOf([...plain].filter((seq) => seq >= base + from && seq <= base + from + 700)))
        const gaps = bits.gaps(base + from, base + from + 700)
        assert.equal(
          [...inside, ...gaps].reduce((sum, [a, b]) => sum + b - a + 1, 0),
          701,
        )
      },
    ),
    { numRuns: 200 },
  )
})

test('a million that come and go one behind the other cost next to nothing, and are written down in a few bytes', () => {
  const set = new SeqSet()
  for (let seq = 1; seq <= 1_000_000; seq++) {
    set.add(seq)
    if (seq % 2 === 0 && seq > 10_000) set.delete(seq - 10_000)
  }
  set.forgetBefore(990_000)
  assert.ok(JSON.stringify(set.stretches(990_000)).length < 10_000 / 4)
  const full = new SeqSet([[1, 10_000_000]])
  assert.deepEqual([full.size, JSON.stringify(full.stretches(5))], [10_000_000, '[[5,10000000]]'])
})
