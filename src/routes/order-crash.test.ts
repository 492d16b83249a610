import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OrderConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import { parseEventId } from '../log/event-id.ts'
import { KEEP, type Stage, hold, keepNoted, retry } from '../pipeline/outcome.ts'
import { eventOf } from '../testing/event-of.ts'
import { IN_ARRIVAL, LOG_ID, Life, ScriptedSink, type World, world } from '../testing/route-harness.ts'
import { turns } from '../testing/virtual-clock.ts'
import { explainOnRoute } from './explain.ts'

/*
 * What waits in order has no row of its own: it keeps the watermark, and a restart reads it again. What must not be told or charged
 * twice, forgotten or turned round by that.
 */

const WINDOW: OrderConfig = { ...IN_ARRIVAL, windowMs: 1_000 }
const seqOf = (event: Event): number => parseEventId(LOG_ID, event.id)!
const rows = (life: Life): number => Number(life.ledger.get('SELECT count(*) AS n FROM held')?.['n'])

/** Events of one conversation that come now and happened so long ago. */
function arrive(at: World, agoMs: readonly (number | null)[], conversationId: string | null = 'a'): void {
  const nowMs = at.clock.nowMs()
  const keyless = { keyKind: 'none' as const }
  at.log.append(
    agoMs.map((ago, i) => ({
      ...eventOf(
        { occurredAtMs: ago === null ? null : nowMs - ago, receivedAtMs: nowMs, ...(ago === null ? keyless : {}) },
        at.log.reader.nextSeq + i,
      ),
      conversationId,
    })),
  )
}

/** A limit that notes what it admits, and writes down what it was asked. */
function charging() {
  const asked: string[] = []
  const stage: Stage = {
    name: 'limit',
    run: (events) =>
      events.map((event) => {
        asked.push(`${seqOf(event)}${event.redelivered ? ' again' : ''}`)
        return event.redelivered ? KEEP : keepNoted({ reason: 'limit.sampled', key: 'q' })
      }),
  }
  return { stage, asked }
}

test('a hold is no second write; after a crash it is taken up again, charged once and told once', async () => {
  const at = world()
  const limit = charging()
  const sink = new ScriptedSink({ maxBatch: 5 })
  const first = new Life(at)
  const before = await first.route(sink, { order: WINDOW }, { shaping: [limit.stage] })
  arrive(at, [300, 900, 100, 500])
  arrive(at, [0], null)
  before.wake()
  await at.clock.advance(150)
  assert.deepEqual([before.status().held, before.status().lag, rows(first)], [4, 0, 0])
  assert.deepEqual([sink.given.map(({ event }) => seqOf(event)), before.neededSeq], [[5], 1], 'the log keeps what waits')
  assert.equal(explainOnRoute(first.ledger, 'crm', before, 2, await at.log.event(2)).reason, 'order.window')
  first.crash()
  const second = new Life(at)
  const route = await second.route(sink, { order: WINDOW }, { shaping: [limit.stage] })
  arrive(at, [700])
  route.wake()
  await at.clock.until('all', () => route.status().counts['delivered'] === 6)
  assert.deepEqual(
    sink.given.map(({ event }) => seqOf(event)),
    [5, 2, 6, 4, 1, 3],
  )
  assert.deepEqual(limit.asked, ['1', '2', '3', '4', '5', '1 again', '2 again', '3 again', '4 again', '6'])
  assert.deepEqual({ ...route.status().counts }, { 'noted|limit.sampled|q': 6, delivered: 6 })
  for (const seq of [1, 5, 6]) assert.equal(second.ledger.history('crm', seq).length, 1)
  assert.ok(sink.given.every(({ event }) => !event.redelivered && event.marks.length === 0))
  second.crash()
})

test('an event in flight at a crash has been admitted: it is not limited again, and told once', async () => {
  const at = world()
  const limit = charging()
  const first = new Life(at)
  arrive(at, [0, 0])
  await first.route(new ScriptedSink({ deliver: () => new Promise(() => undefined) }), {}, { shaping: [limit.stage] })
  await at.clock.advance(1)
  first.crash()
  const second = new Life(at)
  const route = await second.route(new ScriptedSink({}), {}, { shaping: [limit.stage] })
  await at.clock.until('both', () => route.status().counts['delivered'] === 2)
  assert.deepEqual(limit.asked, ['1', '2', '1 again', '2 again'])
  assert.equal(route.status().counts['noted|limit.sampled|q'], 2)
  second.crash()
})

test('what is late, in flight or released at a crash is so after it; order and marks are as they were', async () => {
  const at = world()
  const first = new Life(at)
  const stuck = new ScriptedSink({ concurrency: 3, deliver: () => new Promise(() => undefined) })
  const before = await first.route(stuck, { order: WINDOW })
  arrive(at, [500, 600, null])
  before.wake()
  await at.clock.advance(1_001)
  // Released are 2, 1, 3; the first of them is in flight. Now a late one, and one that waits in the window.
  arrive(at, [5_000, 0])
  before.wake()
  await at.clock.advance(1)
  assert.equal(before.status().counts['noted|order.late|'], 1)
  first.crash()
  const sink = new ScriptedSink({})
  const second = new Life(at)
  const route = await second.route(sink, { order: WINDOW })
  await at.clock.until('all', () => route.status().counts['delivered'] === 5)
  const inTime = sink.given.filter(({ event }) => event.marks.length === 0)
  assert.deepEqual(
    inTime.map(({ event }) => seqOf(event)),
    [2, 1, 3, 5],
  )
  assert.deepEqual(
    sink.given.filter(({ event }) => event.marks.includes('order.late')).map(({ event }) => seqOf(event)),
    [4],
  )
  assert.equal(route.status().counts['noted|order.late|'], 1)
  await turns(5)
  assert.equal(rows(second), 0)
  second.crash()
})

test('what a limit held and what waits after it comes back in its order over a crash', async () => {
  const at = world()
  const limit: Stage = {
    name: 'limit',
    run: (events) =>
      events.map((e) => (seqOf(e) === 1 && !e.redelivered ? hold('limit.delayed', at.clock.nowMs() + 200, { key: 'q' }) : KEEP)),
    resume: (held) => held.map(() => KEEP),
  }
  const first = new Life(at)
  const before = await first.route(new ScriptedSink({}), { order: WINDOW }, { shaping: [limit] })
  arrive(at, [300, 200])
  before.wake()
  await at.clock.advance(400)
  // Both wait in the window now; the one that was held had a row, and has one still.
  assert.deepEqual([before.status().held, rows(first)], [2, 1])
  first.crash()
  const sink = new ScriptedSink({})
  const second = new Life(at)
  const route = await second.route(sink, { order: WINDOW }, { shaping: [limit] })
  await at.clock.until('both', () => route.status().counts['delivered'] === 2)
  assert.deepEqual(sink.delivered.map(seqOf), [1, 2])
  assert.deepEqual({ ...route.status().counts }, { 'held|limit.delayed|q': 1, delivered: 2 })
  second.crash()
})

test(
  'what waits while the route reads on far past it gets a row, and the watermark goes on; a restart knows both kinds',
  { timeout: 120_000 },
  async () => {
    const at = world()
    const small = { ...eventOf({ conversationId: 'a' }), raw: new TextEncoder().encode('{}') }
    const other = { ...small, conversationId: null }
    const count = 70_000
    const failing = new ScriptedSink({
      maxBatch: 500,
      deliver: (events) => events.map((e) => (e.conversationId === 'a' ? retry('http.500') : KEEP)),
    })
    const config = { order: IN_ARRIVAL, retry: { maxAttempts: 9_999, baseMs: 3_600_000, maxMs: 3_600_000 } }
    at.log.append([small, small, ...Array.from({ length: count }, () => other), small])
    const first = new Life(at)
    const before = await first.route(failing, config)
    await at.clock.until('the others are delivered', () => before.status().counts['delivered'] === count, 60_000)
    await at.clock.advance(1)
    assert.deepEqual([before.status().held, before.status().retrying, rows(first)], [2, 1, 1])
    const state = first.ledger.route('crm')!
    assert.equal(state.position, count + 3, 'the last waits without a row')
    assert.equal(before.neededSeq, 1)
    first.crash()
    const sink = new ScriptedSink({ maxBatch: 500 })
    const second = new Life(at)
    const route = await second.route(sink, config)
    await at.clock.until('the rest', () => route.status().counts['delivered'] === count + 3)
    assert.deepEqual(sink.delivered.map(seqOf), [1, 2, count + 3])
    second.crash()
  },
)

test('what waits without a row is given up with the backlog, and its successors go', async () => {
  const at = world()
  const life = new Life(at)
  const sink = new ScriptedSink({})
  const route = await life.route(sink, { order: WINDOW })
  arrive(at, [300, 200, 100])
  arrive(at, [100], 'b')
  route.wake()
  await at.clock.advance(1)
  route.expireBefore(3)
  await at.clock.until('the rest', () => route.status().counts['delivered'] === 2)
  assert.deepEqual([sink.delivered.map(seqOf).toSorted((a, b) => a - b), route.status().counts['dropped|backlog.expired|']], [[3, 4], 2])
  await turns(5)
  assert.deepEqual([life.ledger.route('crm')?.position, route.status().held], [5, 0])
  life.crash()
})

test('what a due event took along stays in its place over a crash, also in a line too long for memory', async () => {
  const at = world()
  const first = new Life(at)
  const down = new ScriptedSink({ deliver: (events) => events.map(() => retry('http.503')) })
  const often = { maxAttempts: 50, baseMs: 20, maxMs: 100 }
  const route = await first.route(down, { order: WINDOW, retry: often })
  arrive(at, [0])
  route.wake()
  await at.clock.advance(500)
  arrive(
    at,
    Array.from({ length: 60 }, (_, i) => 900 - i),
  )
  route.wake()
  // Now the first is due, and everything that happened before it goes with it; those that came later are not due yet.
  await at.clock.advance(550)
  first.crash()
  await at.clock.advance(1)
  const second = new Life(at)
  const sink = new ScriptedSink({})
  const again = await second.route(sink, { order: WINDOW, retry: often })
  await at.clock.until('all', () => sink.delivered.length === 61)
  await at.clock.until('nothing held any more', () => again.status().held === 0 && rows(second) === 0)
  const times = sink.delivered.map((event) => event.occurredAtMs ?? 0)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
  second.crash()
})

test('an event that waits by a row and then in a line too long for memory has one row, and none when it has gone', async () => {
  const at = world()
  const life = new Life(at)
  let down = true
  const sink = new ScriptedSink({ deliver: (events) => events.map(() => (down ? retry('http.503') : KEEP)) })
  const route = await life.route(sink, { order: WINDOW, retry: { maxAttempts: 50, baseMs: 20, maxMs: 100 } })
  arrive(at, [0])
  // Without a time of their own they have a row from the beginning.
  arrive(
    at,
    Array.from({ length: 60 }, () => null),
  )
  route.wake()
  await at.clock.advance(3_000)
  // The first is in retry, not held.
  assert.deepEqual([route.status().held, rows(life)], [60, 60])
  down = false
  await at.clock.until('all', () => sink.delivered.length === 61)
  await at.clock.until('committed', () => rows(life) === 0)
  assert.equal(route.status().held, 0)
  life.crash()
})
