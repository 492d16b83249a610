import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventOf } from '../testing/event-of.ts'
import { EntityLines } from './entity-lines.ts'

test('the line is named by what the route orders by', () => {
  const event = eventOf({ conversationId: 'c', userId: 'u', queueId: 'q', entity: { kind: 'conversation', id: 'c' } })
  assert.equal(new EntityLines('conversation').entityOf(event), 'c')
  assert.equal(new EntityLines('user').entityOf(event), 'u')
  assert.equal(new EntityLines('queue').entityOf(event), 'q')
  assert.equal(new EntityLines('entity').entityOf(event), 'conversation:c')
})

test('an event without such an entity is in no line', () => {
  const event = { ...eventOf(), queueId: null, userId: null, conversationId: null, entity: null }
  for (const by of ['conversation', 'user', 'queue', 'entity'] as const) assert.equal(new EntityLines(by).entityOf(event), null)
})

test('who is nobody in the line, or not first, calls nobody when it leaves', () => {
  const lines = new EntityLines('conversation')
  assert.equal(lines.leave('c', 1), null)
  lines.enter('c', 1)
  lines.enter('c', 2)
  lines.enter('c', 3)
  assert.equal(lines.leave('c', 2), null)
  assert.equal(lines.leave('c', 9), null)
  assert.equal(lines.leave('c', 1), 3)
  assert.equal(lines.leave('c', 3), null)
  assert.equal(lines.enter('c', 4), true)
})

test('property: at any time the lowest of each line goes, and each is called exactly when it becomes the lowest', () => {
  const arrivals = fc.array(fc.record({ entity: fc.constantFrom('a', 'b'), seq: fc.nat(40), leave: fc.nat(3) }), { maxLength: 40 })
  fc.assert(
    fc.property(arrivals, (steps) => {
      const lines = new EntityLines('conversation')
      const model = new Map<string, Set<number>>([
        ['a', new Set()],
        ['b', new Set()],
      ])
      const lowest = (entity: string): number => Math.min(...model.get(entity)!)
      for (const { entity, seq, leave } of steps) {
        const line = model.get(entity)!
        if (leave === 0 && line.size > 0) {
          const who = [...line][seq % line.size]!
          const was = lowest(entity)
          line.delete(who)
          assert.equal(lines.leave(entity, who), who === was && line.size > 0 ? lowest(entity) : null)
        } else if (!line.has(seq)) {
          line.add(seq)
          assert.equal(lines.enter(entity, seq), lowest(entity) === seq)
        }
        for (const s of line) assert.equal(lines.isHead(entity, s), s === lowest(entity))
      }
    }),
  )
})
