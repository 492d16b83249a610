import assert from 'node:assert/strict'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch, Row } from '../state/state.ts'
import { tempDir } from '../testing/route-harness.ts'
import { type StateMeta, StateRows, type StateRowsOptions } from './state-rows.ts'

const noWarnings = (code: string, message: string): void => assert.fail(`${code}: ${message}`)

function opened(path = join(tempDir(), 'state.db'), more: Partial<StateRowsOptions> = {}): StateRows {
  return new StateRows({ path, warn: noWarnings, ...more })
}

const whole = (...rows: readonly Row[]): Pick<Batch, 'rows' | 'facts' | 'pending'> => ({ rows, facts: null, pending: 0 })

const row = (id: string, chunk: string, more: Partial<Row> = {}): Row => ({
  kind: 'conversation',
  id,
  chunk,
  version: 1,
  startedAtMs: 1,
  endedAtMs: null,
  newestAtMs: 1_000,
  frozen: false,
  ...more,
})

const meta = (position: number): StateMeta => ({ position, newestAtMs: 1_000 + position, completeSinceMs: -Infinity })

test('rows and their position are there together, also after a restart; an instant that is none stays none', () => {
  const path = join(tempDir(), 'state.db')
  const first = opened(path)
  assert.deepEqual([first.meta, first.base], [null, null])
  first.write(whole(row('a', 'A'), row('b', 'B', { kind: 'agent' })), { position: 7, newestAtMs: -Infinity, completeSinceMs: -Infinity })
  first.close()
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const second = opened(path)
  assert.deepEqual(second.meta, { position: 7, newestAtMs: -Infinity, completeSinceMs: -Infinity })
  assert.deepEqual([second.chunk('conversation', 'a'), second.chunk('agent', 'a'), second.chunk('agent', 'b')], ['A', null, 'B'])
  assert.deepEqual([...second.unfrozen()], ['A', 'B'])
  second.close()
})

test('a write that fails writes nothing', () => {
  const rows = opened()
  rows.write(whole(row('a', 'A')), meta(1))
  assert.throws(() => rows.write(whole(row('a', 'A2'), row('b', 3 as unknown as string, { id: null as unknown as string })), meta(2)))
  assert.deepEqual([rows.chunk('conversation', 'a'), rows.meta?.position], ['A', 1])
  rows.close()
})

/** What is done to a store of rows, and to a model of it: plain maps. */
type Step =
  | { readonly write: readonly (readonly [id: string, chunk: string])[] }
  | 'rebase'
  | 'restart'
  | { readonly adopt: readonly string[] }

const id = fc.constantFrom('a', 'b', 'c', 'd')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ write: fc.array(fc.tuple(id, fc.string({ minLength: 1, maxLength: 3 })), { maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.constant<Step>('rebase') },
  { weight: 1, arbitrary: fc.constant<Step>('restart') },
  { weight: 1, arbitrary: fc.record({ adopt: fc.array(id, { maxLength: 3 }) }) },
)

test('the base is what was stored when it was made, whatever is written since; adopting puts what was made on top of it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const path = join(tempDir(), 'state.db')
      let rows = opened(path)
      let live = new Map<string, string>()
      let base = new Map<string, string>()
      rows.write(whole(), meta(1))
      rows.rebase()
      steps.forEach((one, n) => {
        if (one === 'rebase') {
          rows.rebase()
          base = new Map(live)
        } else if (one === 'restart') {
          rows.close()
          rows = opened(path)
        } else if ('write' in one) {
          rows.write(whole(...one.write.map(([name, chunk]) => row(name, chunk))), meta(n))
          for (const [name, chunk] of one.write) live.set(name, chunk)
        } else {
          const made = one.adopt.map((name) => row(name, `made ${n}`))
          rows.make(made)
          for (const { id: name, chunk } of made) assert.equal(rows.madeChunk('conversation', name), chunk)
          rows.adopt(meta(n))
          live = new Map([...base, ...made.map((one) => [one.id, one.chunk] as const)])
        }
        for (const name of ['a', 'b', 'c', 'd']) {
          assert.equal(rows.chunk('conversation', name), live.get(name) ?? null)
          assert.equal(rows.madeChunk('conversation', name), base.get(name) ?? null)
        }
        assert.deepEqual(new Set(rows.baseIds().map((entity) => entity.id)), new Set(base.keys()))
        assert.deepEqual([...rows.unfrozen()].sort(), [...live.values()].sort())
      })
      rows.close()
    }),
    { numRuns: 60 },
  )
})

test('the facts of stores are there while they are pending, or were at the base', () => {
  const path = join(tempDir(), 'state.db')
  let rows = opened(path)
  const facts = (): readonly unknown[] => [[...rows.facts()], [...rows.baseFacts()]]
  const batch = (text: string, pending: number): Pick<Batch, 'rows' | 'facts' | 'pending'> => ({ rows: [], facts: text, pending })
  rows.write(batch('1', 1), meta(1))
  rows.write(batch('2', 2), meta(2))
  rows.rebase()
  assert.deepEqual(facts(), [
    ['1', '2'],
    ['1', '2'],
  ])
  rows.write(batch('3', 2), meta(3))
  rows.write(batch('4', 1), meta(4))
  rows.close()
  rows = opened(path)
  assert.deepEqual(facts(), [['4'], ['1', '2']])
  rows.rebase()
  rows.write(whole(), meta(5))
  assert.deepEqual(facts(), [[], ['4']])
  rows.write(batch('6', 1), meta(6))
  rows.adopt(meta(7))
  assert.deepEqual(facts(), [[], ['4']])
  rows.rebase()
  rows.write(whole(), meta(8))
  rows.close()
  assert.equal(new DatabaseSync(path).prepare('SELECT count(*) AS n FROM facts').get()?.['n'], 0)
})

test('a frozen row stays while facts of it are pending: it would come back as a stranger with nothing else', () => {
  const rows = opened(undefined, { frozenForMs: 1_000, trimEveryRows: 1 })
  const later = { position: 2, newestAtMs: 9_000, completeSinceMs: 0 }
  rows.write({ rows: [row('a', 'A', { frozen: true })], facts: 'of a, among others', pending: 1 }, later)
  rows.write({ rows: [row('b', 'B', { newestAtMs: 9_000 })], facts: '', pending: 2 }, later)
  assert.equal(rows.chunk('conversation', 'a'), 'A')
  rows.write({ rows: [row('b', 'B', { newestAtMs: 9_000 })], facts: '', pending: 2 }, later)
  assert.equal(rows.chunk('conversation', 'a'), null)
  rows.close()
})

test('frozen rows are no part of a restore, and go when they are too old or too many', () => {
  const frozen = (n: number): Row => row(`f${n}`, `F${n}`, { frozen: true, newestAtMs: n })
  const many = Array.from({ length: 6_000 }, (_, n) => frozen(n))
  const byAge = opened(undefined, { frozenForMs: 1_000 })
  byAge.write(whole(...many, row('open', 'O', { newestAtMs: 0 })), { position: 2, newestAtMs: 6_000, completeSinceMs: 0 })
  assert.deepEqual([...byAge.unfrozen()], ['O'])
  assert.deepEqual(
    [4_999, 5_000, 5_999].map((n) => byAge.chunk('conversation', `f${n}`)),
    [null, 'F5000', 'F5999'],
  )
  byAge.close()
  const byNumber = opened(undefined, { frozenRows: 10 })
  byNumber.write(whole(...many), { position: 2, newestAtMs: 6_000, completeSinceMs: 0 })
  assert.deepEqual(
    [5_989, 5_990, 5_999].map((n) => byNumber.chunk('conversation', `f${n}`)),
    [null, 'F5990', 'F5999'],
  )
  byNumber.close()
})

test('a file that is no database, or a damaged one, or one of another shape, is moved aside and begun anew, and that is said', () => {
  for (const content of ['no database, but long enough to be one'.repeat(40), 'SQLite format 3\u0000'.padEnd(5_000, 'x')]) {
    const path = join(tempDir(), 'state.db')
    writeFileSync(path, content)
    const warnings: string[] = []
    const rows = new StateRows({ path, warn: (code) => warnings.push(code) })
    assert.deepEqual([warnings, rows.meta, existsSync(`${path}.damaged`)], [['state.damaged'], null, true])
    rows.write(whole(row('a', 'A')), meta(1))
    rows.close()
  }
  assert.throws(() => opened(join(tempDir(), 'no such folder', 'state.db')))
})
