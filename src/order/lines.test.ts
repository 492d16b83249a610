import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventOf } from '../testing/event-of.ts'
import { entityOf } from './entity.ts'
import { type InLine, Lines } from './lines.ts'
import { compareRanked, type Ranked } from './rank.ts'

const none = { load: () => [] }
const at = (entity: string, seq: number, atMs = seq): InLine => ({ entity, seq, atMs, tie: 0 })

test('the line is named by what the route orders by', () => {
  const event = eventOf({ conversationId: 'c', userId: 'u', queueId: 'q', entity: { kind: 'conversation', id: 'c' } })
  assert.deepEqual(
    (['conversation', 'user', 'queue', 'entity'] as const).map((by) => entityOf(event, by)),
    ['c', 'u', 'q', 'conversation:c'],
  )
})

test('an event without such an entity is in no line', () => {
  const event = { ...eventOf(), queueId: null, userId: null, conversationId: null, entity: null }
  for (const by of ['conversation', 'user', 'queue', 'entity'] as const) assert.equal(entityOf(event, by), null)
})

test('who is nobody in the line, or not first, calls nobody when it leaves', () => {
  const lines = new Lines<InLine>(none)
  assert.equal(lines.leave('c', 1), null)
  assert.deepEqual(
    [1, 2, 3].map((seq) => lines.enter(at('c', seq))),
    ['goes', 'waits', 'waits'],
  )
  assert.equal(lines.leave('c', 2), null)
  lines.remove('c', at('c', 2), false)
  assert.deepEqual(lines.leave('c', 1), at('c', 3))
  assert.equal(lines.leave('c', 3), null)
  assert.equal(lines.enter(at('c', 4)), 'goes')
})

test('after a restart the first of each line goes, unless one of it is being attempted again', () => {
  const lines = new Lines<InLine>(none)
  lines.restore(at('a', 5))
  lines.restore(at('b', 6))
  lines.restore(at('b', 2))
  lines.restore(at('c', 20))
  lines.restoreHead('c', 11)
  assert.deepEqual(
    lines.restored().map(({ seq }) => seq),
    [5, 2],
  )
  assert.deepEqual(lines.leave('b', 2), at('b', 6))
  assert.deepEqual(lines.leave('c', 11), at('c', 20))
})

test('property: one at a time, always the first by rank of those that wait; what is stored comes back from the rows, over restarts too', () => {
  const step = fc.record({
    entity: fc.constantFrom('a', 'b'),
    atMs: fc.nat(30),
    what: fc.constantFrom('enter', 'enter', 'enter', 'leave', 'remove', 'restart'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), fc.integer({ min: 1, max: 4 }), (steps, kept) => {
      /** The rows: what has entered and not been settled. */
      const rows = new Map<number, { entity: string; item: InLine; stored: boolean }>()
      const load = (entity: string, after: Ranked | null, limit: number): InLine[] =>
        [...rows.values()]
          .filter((row) => row.entity === entity && row.stored && (after === null || compareRanked(row.item, after) > 0))
          .map(({ item }) => item)
          .sort(compareRanked)
          .slice(0, limit)
      let lines = new Lines<InLine>({ load, kept, maxEmpty: 1 })
      const under = new Map<string, number>()
      const lowest = (entity: string): Ranked | undefined =>
        [...rows.values()]
          .filter((row) => row.entity === entity && under.get(entity) !== row.item.seq)
          .map(({ item }) => item)
          .sort(compareRanked)[0]
      const goes = (entity: string, item: Ranked | null): void => {
        assert.equal(item?.seq, lowest(entity)?.seq)
        if (item === null) under.delete(entity)
        else under.set(entity, item.seq)
      }
      for (const [seq, { entity, atMs, what }] of steps.entries()) {
        if (what === 'enter') {
          const item = { entity, seq, atMs, tie: 0 }
          const place = lines.enter(item)
          assert.equal(place === 'goes', !under.has(entity))
          rows.set(seq, { entity, item, stored: place === 'stored' })
          if (place === 'goes') under.set(entity, seq)
        } else if (what === 'leave' && under.has(entity)) {
          const head = under.get(entity)!
          rows.delete(head)
          under.delete(entity)
          goes(entity, lines.leave(entity, head))
        } else if (what === 'remove') {
          const waiting = [...rows.values()].filter((row) => row.entity === entity && under.get(entity) !== row.item.seq)
          const row = waiting[atMs % Math.max(1, waiting.length)]
          if (row === undefined) continue
          rows.delete(row.item.seq)
          lines.remove(entity, row.item, row.stored)
        } else if (what === 'restart') {
          lines = new Lines({ load, kept, maxEmpty: 1 })
          for (const [name, seqUnder] of under) lines.restoreHead(name, seqUnder)
          for (const row of rows.values()) {
            if (under.get(row.entity) === row.item.seq) row.stored = false
            else if (row.stored) lines.restoreStored(row.entity, 1)
            else lines.restore(row.item)
          }
          for (const item of lines.restored()) goes(item.entity, item)
        }
      }
      for (const entity of ['a', 'b'])
        while (under.has(entity)) {
          const head = under.get(entity)!
          rows.delete(head)
          under.delete(entity)
          goes(entity, lines.leave(entity, head))
        }
      assert.equal(rows.size, 0)
    }),
    { numRuns: 1_000 },
  )
})
