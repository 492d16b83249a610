import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventOf } from '../testing/event-of.ts'
import { entityOf } from './entity.ts'
import { Lines } from './lines.ts'
import { compareRanked, type Ranked } from './rank.ts'

const none = { load: () => [] }
const at = (seq: number, atMs = seq): Ranked => ({ seq, atMs, tie: 0 })

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
  const lines = new Lines(none)
  assert.equal(lines.leave('c', 1), null)
  assert.deepEqual(
    [1, 2, 3].map((seq) => lines.enter('c', at(seq))),
    ['goes', 'waits', 'waits'],
  )
  assert.equal(lines.leave('c', 2), null)
  lines.remove('c', at(2), false)
  assert.deepEqual(lines.leave('c', 1), at(3))
  assert.equal(lines.leave('c', 3), null)
  assert.equal(lines.enter('c', at(4)), 'goes')
})

test('what rested over a restart goes when the log has been read past it, or behind who is read before', () => {
  const lines = new Lines(none)
  lines.restore('a', at(5))
  lines.restore('b', at(6))
  lines.restore('c', at(20))
  assert.deepEqual(lines.wakeResting(5), [])
  assert.equal(lines.enter('b', at(2)), 'goes')
  assert.deepEqual(
    lines.wakeResting(7).map(({ item }) => item.seq),
    [5],
  )
  assert.deepEqual(lines.leave('b', 2), at(6))
  assert.equal(lines.hasResting, true)
  assert.deepEqual(
    lines.wakeResting(21).map(({ item }) => item.seq),
    [20],
  )
  assert.equal(lines.hasResting, false)
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
      const rows = new Map<number, { entity: string; item: Ranked; stored: boolean }>()
      const load = (entity: string, after: Ranked | null, limit: number): Ranked[] =>
        [...rows.values()]
          .filter((row) => row.entity === entity && row.stored && (after === null || compareRanked(row.item, after) > 0))
          .map(({ item }) => item)
          .sort(compareRanked)
          .slice(0, limit)
      let lines = new Lines({ load, kept })
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
          const item = { seq, atMs, tie: 0 }
          const place = lines.enter(entity, item)
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
          lines = new Lines({ load, kept })
          for (const [name, seqUnder] of under) lines.restoreHead(name, seqUnder)
          for (const row of rows.values()) {
            if (under.get(row.entity) === row.item.seq) row.stored = false
            else if (row.stored) lines.restoreStored(row.entity, 1)
            else lines.restore(row.entity, row.item)
          }
          lines.restored()
          for (const { entity: name, item } of lines.wakeResting(Infinity)) goes(name, item)
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
