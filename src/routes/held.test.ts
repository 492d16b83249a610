import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { tempDir } from '../testing/route-harness.ts'
import { Held, type HeldRow } from './held.ts'
import { Ledger } from './ledger.ts'

const row = (seq: number, dueAtMs: number, more: Partial<HeldRow> = {}): HeldRow => ({
  seq,
  stage: 'limit',
  reason: 'limit.delayed',
  key: 'k',
  dueAtMs,
  atMs: seq,
  tie: 0,
  slot: null,
  stored: false,
  ...more,
})

function commit(ledger: Ledger, held: Held): void {
  ledger.transaction(() => held.write())
  held.written()
}

const step = fc.record({
  what: fc.constantFrom('put', 'put', 'put', 'due', 'due', 'settle', 'again', 'putBack', 'supersede', 'commit', 'restart', 'expire'),
  n: fc.nat(30),
})

test('property: with a memory of two rows it gives what a sorted list gives, over commits and crashes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
      const ledger = new Ledger(join(tempDir(), 'ledger.db'))
      let held = new Held(ledger, 'crm', 2)
      let rows = new Map<number, HeldRow>()
      let committed = new Map(rows)
      const taken = new Map<number, HeldRow>()
      let next = 1
      let nowMs = 0
      const sorted = (): HeldRow[] =>
        [...rows.values()].filter(({ seq }) => !taken.has(seq)).sort((a, b) => a.dueAtMs - b.dueAtMs || a.seq - b.seq)
      for (const { what, n } of steps) {
        const [aTaken] = taken.values()
        if (what === 'put') {
          const put = row(next++, nowMs + n, n % 3 === 0 ? { slot: `s${n % 2}` } : {})
          const other = put.slot === null ? null : held.inSlot(put.slot)
          if (put.slot !== null) assert.equal(other?.seq, [...rows.values()].find((r) => r.slot === put.slot)?.seq)
          if (other !== null) {
            taken.delete(other.seq)
            rows.delete(other.seq)
            assert.equal(held.remove(other.seq), true)
          }
          rows.set(put.seq, put)
          held.put(put)
        } else if (what === 'due') {
          nowMs += n
          const limit = 1 + (n % 4)
          const expected = sorted()
            .filter(({ dueAtMs }) => dueAtMs <= nowMs)
            .slice(0, limit)
          const due = held.due(nowMs, limit)
          assert.deepEqual(due, expected)
          for (const r of due) taken.set(r.seq, r)
        } else if (what === 'settle' && aTaken !== undefined) {
          taken.delete(aTaken.seq)
          rows.delete(aTaken.seq)
          held.remove(aTaken.seq)
        } else if (what === 'again' && aTaken !== undefined) {
          taken.delete(aTaken.seq)
          const later = { ...aTaken, dueAtMs: nowMs + n }
          rows.set(later.seq, later)
          held.put(later)
        } else if (what === 'putBack' && aTaken !== undefined) {
          taken.delete(aTaken.seq)
          held.putBack(aTaken)
        } else if (what === 'expire') {
          const below = Math.max(0, next - n)
          assert.deepEqual(
            held
              .before(below)
              .map(({ seq }) => seq)
              .sort((a, b) => a - b),
            [...rows.keys()].filter((seq) => seq < below).sort((a, b) => a - b),
          )
        } else if (what === 'commit') {
          commit(ledger, held)
          committed = new Map(rows)
        } else if (what === 'restart') {
          rows = new Map(committed)
          taken.clear()
          held = new Held(ledger, 'crm', 2)
        }
        assert.equal(held.size, rows.size)
        const [first] = sorted()
        if (first === undefined) assert.ok(held.nextAtMs === Infinity || held.nextAtMs === 0)
        else assert.ok(held.nextAtMs <= first.dueAtMs)
        for (const seq of [1, next - 1]) assert.deepEqual(held.get(seq), rows.get(seq) ?? null)
      }
      commit(ledger, held)
      assert.equal(held.neededSeq, Math.min(...rows.keys()))
      ledger.close()
    }),
    { numRuns: 60 },
  )
})

test('the rows of a long line come in their order, whether they are written or not', () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const held = new Held(ledger, 'crm')
  const put = (seq: number, atMs: number): void => held.put(row(seq, 0, { stage: 'order', key: 'c', atMs, stored: true }))
  for (const [seq, atMs] of [
    [1, 50],
    [2, 10],
    [3, 30],
  ] as const)
    put(seq, atMs)
  commit(ledger, held)
  put(4, 20)
  put(5, 40)
  held.put(row(6, 0, { stage: 'order', key: 'other', atMs: 25, stored: true }))
  held.put(row(7, 0, { stage: 'order', key: 'c', atMs: 35 }))
  assert.deepEqual(
    held.storedIn('c', null, 9).map(({ atMs }) => atMs),
    [10, 20, 30, 40, 50],
  )
  held.remove(3)
  held.put({ ...held.get(7)!, stored: true })
  assert.deepEqual(
    held.storedIn('c', { seq: 2, atMs: 10, tie: 0 }, 2).map(({ atMs }) => atMs),
    [20, 35],
  )
  commit(ledger, held)
  assert.deepEqual(held.storedLines(), [
    { entity: 'c', count: 5, last: { seq: 1, atMs: 50, tie: 0 } },
    { entity: 'other', count: 1, last: { seq: 6, atMs: 25, tie: 0 } },
  ])
  ledger.close()
})

test('who holds a slot is found without a look at all others', { timeout: 15_000 }, () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const held = new Held(ledger, 'crm')
  const slots = Array.from({ length: 20_000 }, (_, i) => `user:${i}`)
  for (const [i, slot] of slots.entries()) held.put(row(i + 1, i, { slot }))
  commit(ledger, held)
  for (const [i, slot] of slots.entries()) assert.equal(held.inSlot(slot)?.seq, i + 1)
  assert.equal(held.inSlot('nobody'), null)
  ledger.close()
})
