import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '../event/event.ts'
import { parseEventId } from '../log/event-id.ts'
import { KEEP, dead, retry } from '../pipeline/outcome.ts'
import { redrive } from '../recovery/dead-letters.ts'
import { eventOf } from '../testing/event-of.ts'
import { turns } from '../testing/virtual-clock.ts'
import { IN_ARRIVAL, LOG_ID, Life, ScriptedSink, someEvents, world } from '../testing/route-harness.ts'

const BY_CONVERSATION = { order: IN_ARRIVAL }
const seqOf = (event: Event): number => parseEventId(LOG_ID, event.id)!

test('while one event is retried its successors wait, and others go on', async () => {
  const at = world()
  at.log.append([
    ...someEvents(3, { conversationId: 'a' }),
    ...someEvents(2, { conversationId: 'b' }, 3),
    ...someEvents(2, { conversationId: null }, 5),
  ])
  let failing = true
  const sink = new ScriptedSink({
    maxBatch: 10,
    deliver: (events) => events.map((e) => (seqOf(e) === 1 && failing ? retry('http.500') : KEEP)),
  })
  const life = new Life(at)
  const route = await life.route(sink, { ...BY_CONVERSATION, retry: { maxAttempts: 1_000, baseMs: 100, maxMs: 100 } })
  await at.clock.advance(2_000)
  assert.deepEqual(
    sink.delivered.map(seqOf).toSorted((a, b) => a - b),
    [4, 5, 6, 7],
  )
  assert.deepEqual([route.status().held, route.status().retrying], [2, 1])
  failing = false
  await at.clock.until('the rest', () => sink.delivered.length === 7)
  assert.deepEqual(sink.delivered.slice(4).map(seqOf), [1, 2, 3])
  life.crash()
})

test('a redriven event is marked late and redriven, waits for nobody, and nobody waits for it over a restart', async () => {
  const at = world()
  at.log.append(someEvents(1, { conversationId: 'a' }))
  let redriven = false
  const sink = new ScriptedSink({
    deliver: (events) => events.map((e) => (seqOf(e) === 1 ? (redriven ? retry('http.500') : dead('http.400')) : KEEP)),
  })
  const config = { ...BY_CONVERSATION, retry: { maxAttempts: 50, baseMs: 3_600_000, maxMs: 3_600_000 } }
  const first = new Life(at)
  await first.route(sink, config)
  await at.clock.until('dead', () => first.ledger.get('SELECT 1 FROM dead_letters') !== undefined)
  redriven = true
  redrive(first.ledger, first.routes, {}, at.clock.nowMs(), 'test')
  await at.clock.until('attempted again', () => sink.given.length === 2 && first.ledger.history('crm', 1).length === 4)
  assert.deepEqual(sink.given[1]?.event.marks, ['redriven', 'order.late'])
  first.crash()

  at.log.append(someEvents(3, { conversationId: 'a' }, 1))
  const second = new Life(at)
  await second.route(sink, config)
  await turns(60)
  assert.deepEqual(sink.delivered.map(seqOf), [2, 3, 4], 'before any time has passed')
  second.crash()
})

test('an event whose predecessor was in flight at the crash waits for it', async () => {
  const at = world()
  at.log.append(someEvents(3, { conversationId: 'a' }))
  const first = new Life(at)
  const before = await first.route(new ScriptedSink({ deliver: () => new Promise(() => undefined) }), BY_CONVERSATION)
  await at.clock.advance(10)
  assert.equal(before.status().held, 2)
  first.crash()

  const sink = new ScriptedSink({})
  const second = new Life(at)
  await second.route(sink, BY_CONVERSATION)
  await at.clock.until('all', () => sink.delivered.length === 3)
  assert.deepEqual(
    sink.given.map(({ event }) => seqOf(event)),
    [1, 2, 3],
  )
  second.crash()
})

test('an event whose predecessor is no longer for the route goes on its own', async () => {
  const at = world()
  at.log.append([eventOf({ conversationId: 'a', topic: 'v2.users.{id}.presence' }), eventOf({ conversationId: 'a' }, 1)])
  const first = new Life(at)
  await first.route(new ScriptedSink({ deliver: () => new Promise(() => undefined) }), BY_CONVERSATION)
  await at.clock.advance(10)
  first.crash()
  const sink = new ScriptedSink({})
  const second = new Life(at)
  await second.route(sink, { ...BY_CONVERSATION, topics: ['v2.detail.*'] })
  await at.clock.until('delivered', () => sink.delivered.length === 1)
  assert.equal(seqOf(sink.delivered[0]!), 2)
  second.crash()
})

test('held events are delivered when the route asks for no order any more', async () => {
  const at = world()
  at.log.append(someEvents(3, { conversationId: 'a' }))
  const first = new Life(at)
  await first.route(new ScriptedSink({ deliver: () => new Promise(() => undefined) }), BY_CONVERSATION)
  await at.clock.advance(10)
  first.crash()
  const sink = new ScriptedSink({})
  const second = new Life(at)
  const route = await second.route(sink)
  await at.clock.until('all', () => route.status().held === 0 && sink.delivered.length === 3)
  second.crash()
})

test('held events are delivered when the route orders by something else than before', async () => {
  const at = world()
  at.log.append(someEvents(3, { conversationId: 'a', userId: 'u' }))
  const config = { retry: { maxAttempts: 9, baseMs: 100_000, maxMs: 100_000 } }
  const first = new Life(at)
  const failing = new ScriptedSink({ deliver: (events) => events.map(() => retry('http.500')) })
  const before = await first.route(failing, { ...config, ...BY_CONVERSATION })
  await at.clock.advance(10)
  assert.deepEqual([first.ledger.route('crm')?.pending.map((p) => p.seq), before.status().held], [[1], 2])
  first.crash()
  const sink = new ScriptedSink({})
  const second = new Life(at)
  await second.route(sink, { ...config, order: { ...IN_ARRIVAL, by: 'user' } })
  await at.clock.until('all', () => sink.delivered.length === 3)
  assert.deepEqual(sink.delivered.map(seqOf), [2, 3, 1], 'the one in retry stands in the line that it stood in before')
  second.crash()
})

test(
  'more held events than memory has room for, their predecessor in flight at the crash: the route goes on',
  { timeout: 60_000 },
  async () => {
    const at = world()
    const small = someEvents(1, { conversationId: 'a' })[0]!
    const bare = { ...small, raw: new TextEncoder().encode('{}') }
    at.log.append(Array.from({ length: 10_500 }, () => bare))
    const first = new Life(at)
    const stuck = await first.route(new ScriptedSink({ concurrency: 2, deliver: () => new Promise(() => undefined) }), BY_CONVERSATION)
    await at.clock.until('many are held', () => stuck.status().held >= 10_000)
    await at.clock.advance(1)
    first.crash()
    const sink = new ScriptedSink({})
    const second = new Life(at)
    await second.route(sink, BY_CONVERSATION)
    await turns(50)
    assert.deepEqual(sink.delivered.slice(0, 3).map(seqOf), [1, 2, 3])
    second.crash()
  },
)
