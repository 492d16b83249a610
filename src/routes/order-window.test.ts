import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { OrderConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import { parseEventId } from '../log/event-id.ts'
import { isOlder, tieOf } from '../order/rank.ts'
import { KEEP, dead, retry } from '../pipeline/outcome.ts'
import { redrive } from '../recovery/dead-letters.ts'
import { eventOf } from '../testing/event-of.ts'
import { IN_ARRIVAL, LOG_ID, Life, ScriptedSink, type World, world } from '../testing/route-harness.ts'
import { seededRandom, turns } from '../testing/virtual-clock.ts'
import { explainOnRoute } from './explain.ts'

const ordered = (more: Partial<OrderConfig> = {}): { order: OrderConfig } => ({ order: { ...IN_ARRIVAL, windowMs: 1_000, ...more } })
const seqOf = (event: Event): number => parseEventId(LOG_ID, event.id)!

/** Appends events of one conversation, `agoMs` old when they come. */
function arrive(at: World, ...agoMs: readonly (number | null)[]): void {
  const nowMs = at.clock.nowMs()
  at.log.append(
    agoMs.map((ago, i) =>
      eventOf(
        {
          conversationId: 'a',
          occurredAtMs: ago === null ? null : nowMs - ago,
          receivedAtMs: nowMs,
          ...(ago === null ? { keyKind: 'none' } : {}),
        },
        at.log.reader.nextSeq + i,
      ),
    ),
  )
}

test('events are delivered in the order they happened; the late ones as the route says, counted and explained', async () => {
  for (const late of ['deliver', 'drop', 'deadletter'] as const) {
    const at = world()
    const sink = new ScriptedSink({ maxBatch: 2 })
    const life = new Life(at)
    const route = await life.route(sink, ordered({ late }))
    arrive(at, 100, 300, 200, null)
    route.wake()
    await at.clock.advance(999)
    assert.deepEqual([sink.given.length, route.status().held, route.status().lag], [0, 4, 0])
    assert.equal(explainOnRoute(life.ledger, 'crm', route, 1, await at.log.event(1)).reason, 'order.window')
    await at.clock.advance(2)
    arrive(at, 5_000)
    route.wake()
    await at.clock.until(
      'settled',
      () => route.status().inFlight === 0 && route.status().held === 0 && life.ledger.route('crm')?.position === 6,
    )
    const { outcome, reason, stages } = explainOnRoute(life.ledger, 'crm', route, 5, await at.log.event(5))
    assert.deepEqual(
      sink.given.map(({ event }) => seqOf(event)),
      late === 'deliver' ? [2, 3, 1, 4, 5] : [2, 3, 1, 4],
    )
    const { counts } = route.status()
    if (late === 'deliver') {
      assert.deepEqual([outcome, stages.find((s) => s.stage === 'order')?.reason], ['delivered', 'order.late'])
      assert.deepEqual([sink.given[4]!.event.marks, counts['noted|order.late|'], counts['delivered']], [['order.late'], 1, 5])
      assert.deepEqual(sink.given[0]!.event.marks, [])
    } else assert.deepEqual([outcome, reason], [late === 'drop' ? 'dropped' : 'dead', 'order.late'])
    if (late === 'drop') assert.equal(counts['dropped|order.late|'], 1)
    if (late === 'deadletter') {
      redrive(life.ledger, life.routes, {}, at.clock.nowMs(), 'anna')
      await at.clock.until('redriven', () => route.status().counts['redelivered'] === 1)
      assert.deepEqual(sink.given.at(-1)!.event.marks, ['redriven', 'order.late'])
    }
    life.crash()
  }
})

test('a late event keeps its mark over retries and a crash, and counts once', async () => {
  const at = world()
  arrive(at, 100)
  let failing = true
  const make = (): ScriptedSink =>
    new ScriptedSink({ deliver: (events) => events.map((e) => (failing && seqOf(e) === 2 ? retry('http.500') : KEEP)) })
  const first = new Life(at)
  const route = await first.route(make(), { ...ordered(), retry: { maxAttempts: 9, baseMs: 10_000, maxMs: 10_000 } })
  await at.clock.advance(1_001)
  arrive(at, 5_000)
  route.wake()
  await at.clock.advance(1)
  assert.equal(first.ledger.route('crm')?.pending.length, 1)
  first.crash()
  failing = false
  const sink = make()
  const second = new Life(at)
  const again = await second.route(sink, ordered())
  await at.clock.until('delivered', () => again.status().counts['delivered'] === 2)
  assert.deepEqual(
    sink.given.map(({ event }) => event.marks),
    [['order.late']],
  )
  assert.equal(again.status().counts['noted|order.late|'], 1)
  second.crash()
})

test('while one is retried its successors wait, also those that are due; its dead letter ends that', async () => {
  const at = world()
  arrive(at, 300, 200, 100)
  const sink = new ScriptedSink({ deliver: (events) => events.map((e) => (seqOf(e) === 1 ? retry('http.500') : KEEP)) })
  const life = new Life(at)
  const route = await life.route(sink, { ...ordered(), retry: { maxAttempts: 2, baseMs: 60_000, maxMs: 60_000 } }, { seed: 3 })
  await at.clock.advance(1_000)
  at.log.append([eventOf({ conversationId: 'b', occurredAtMs: at.clock.nowMs(), receivedAtMs: at.clock.nowMs() }, 50)])
  route.wake()
  await at.clock.advance(2_000)
  assert.deepEqual([sink.given.map(({ event }) => seqOf(event)), route.status().held], [[1, 4], 2])
  await at.clock.until('dead', () => route.status().counts['dead'] === 1 && route.status().counts['delivered'] === 3)
  assert.deepEqual(sink.delivered.map(seqOf), [4, 2, 3])
  life.crash()
})

test('a route that was stopped for long orders its backlog as it would have then', async () => {
  const at = world()
  for (let i = 0; i < 50; i++) {
    arrive(at, i % 2 === 0 ? 0 : 400)
    await at.clock.advance(300)
  }
  await at.clock.advance(3_600_000)
  const sink = new ScriptedSink({ maxBatch: 10 })
  const life = new Life(at)
  const route = await life.route(sink, ordered())
  await at.clock.until('all', () => route.status().counts['delivered'] === 50)
  const times = sink.delivered.map((e) => e.occurredAtMs!)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
  assert.equal(route.status().counts['noted|order.late|'], undefined)
  life.crash()
})

test(
  'ten thousand events of one conversation behind a failing one: others go on, and all come in order when it works',
  { timeout: 120_000 },
  async () => {
    const at = world()
    const count = 10_500
    const nowMs = at.clock.nowMs()
    const one = { ...eventOf({ conversationId: 'a' }), raw: new TextEncoder().encode('{}') }
    const other = { ...one, conversationId: 'b' }
    const events = Array.from({ length: count }, (_, i): Event => ({
      ...one,
      occurredAtMs: nowMs + (i % 2 === 0 ? i : i - 3),
      receivedAtMs: nowMs + i,
    }))
    at.log.append([...events, { ...other, occurredAtMs: nowMs + count, receivedAtMs: nowMs + count }])
    await at.clock.advance(count)
    let failing = true
    const order: number[] = []
    const make = (): ScriptedSink =>
      new ScriptedSink({
        maxBatch: 500,
        deliver: (given) =>
          given.map((e) => {
            if (failing && e.conversationId === 'a') return retry('http.500')
            order.push(e.occurredAtMs!)
            return KEEP
          }),
      })
    const retrying = { retry: { maxAttempts: 1_000, baseMs: 100, maxMs: 100 } }
    const first = new Life(at)
    const route = await first.route(make(), { ...ordered({ windowMs: 50 }), ...retrying })
    await at.clock.until('the other is delivered', () => order.length === 1, 60_000)
    await at.clock.advance(1_000)
    assert.deepEqual([route.status().held + route.status().retrying, route.status().lag], [count, 0])
    first.crash()
    failing = false
    order.length = 0
    const second = new Life(at)
    const again = await second.route(make(), { ...ordered({ windowMs: 50 }), ...retrying })
    await at.clock.until('all are delivered', () => order.length === count, 3_600_000)
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    )
    assert.equal(again.status().counts['noted|order.late|'], undefined)
    second.crash()
  },
)

test('property: by arrival, or within a window, under failures and crashes: the sink has each entity in order, and nothing is late', async () => {
  const scenario = fc.record({
    seed: fc.nat(),
    count: fc.integer({ min: 2, max: 40 }),
    entities: fc.integer({ min: 1, max: 4 }),
    maxBatch: fc.integer({ min: 1, max: 5 }),
    concurrency: fc.integer({ min: 1, max: 3 }),
    lives: fc.integer({ min: 1, max: 4 }),
    windowMs: fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 300 })),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async (s) => {
      const at = world()
      const random = seededRandom(s.seed)
      let happenedMs = at.clock.nowMs()
      const sent = Array.from({ length: s.count }, (_, i) => {
        happenedMs += Math.floor(random() * 60)
        const receivedAtMs = happenedMs + Math.floor(random() * ((s.windowMs ?? 100) + 1))
        return eventOf({ conversationId: `c-${Math.floor(random() * s.entities)}`, occurredAtMs: happenedMs, receivedAtMs }, i)
      }).sort((a, b) => a.receivedAtMs - b.receivedAtMs)
      const feed = (): void => {
        const nowMs = at.clock.nowMs()
        at.log.append(sent.slice(at.log.reader.nextSeq - 1).filter((e) => e.receivedAtMs <= nowMs))
      }
      const order: Event[] = []
      const make = (life: Life): ScriptedSink =>
        new ScriptedSink({
          maxBatch: s.maxBatch,
          concurrency: s.concurrency,
          deliver: async (events) => {
            await turns(Math.floor(random() * 4))
            if (life.dead) return []
            return events.map((e) => {
              if (random() < 0.3) return retry('http.500')
              if (!order.some(({ id }) => id === e.id)) order.push(e)
              return KEEP
            })
          },
        })
      for (let n = 1; n <= s.lives; n++) {
        const life = new Life(at)
        const retrying = { retry: { maxAttempts: 1_000, baseMs: 10, maxMs: 100 } }
        const route = await life.route(make(life), { ...ordered({ windowMs: s.windowMs }), ...retrying }, { seed: n })
        for (let steps = n < s.lives ? Math.floor(random() * 20) : 10_000; steps > 0 && order.length < s.count; steps--) {
          feed()
          route.wake()
          const nextMs = sent[at.log.reader.nextSeq - 1]?.receivedAtMs ?? Infinity
          await at.clock.advance(Math.min(Math.floor(random() * 40), nextMs - at.clock.nowMs()))
          await turns(Math.floor(random() * 5))
        }
        life.crash()
      }
      assert.equal(order.length, s.count)
      for (let entity = 0; entity < s.entities; entity++) {
        const mine = order.filter((e) => e.conversationId === `c-${entity}`)
        for (const [i, e] of mine.slice(1).entries()) {
          if (s.windowMs === null) assert.ok(seqOf(e) > seqOf(mine[i]!))
          else assert.ok(!isOlder({ atMs: e.occurredAtMs!, tie: tieOf(e) }, { atMs: mine[i]!.occurredAtMs!, tie: tieOf(mine[i]!) }))
        }
      }
      assert.ok(order.every((e) => !e.marks.includes('order.late')))
    }),
    { numRuns: 160 },
  )
})

test('property: crash at any commit and start again: each event ends as it does without', async () => {
  const scenario = fc.record({
    seed: fc.nat(),
    count: fc.integer({ min: 2, max: 30 }),
    late: fc.constantFrom('deliver', 'drop', 'deadletter'),
    stops: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ seed, count, late, stops }) => {
      const play = async (crashes: readonly number[]): Promise<(string | null)[]> => {
        const at = world()
        const random = seededRandom(seed)
        let life = new Life(at)
        const start = (): ReturnType<Life['route']> =>
          life.route(
            new ScriptedSink({ maxBatch: 3, deliver: (events) => events.map((e) => (seqOf(e) % 7 === 0 ? dead('http.400') : KEEP)) }),
            ordered({ windowMs: 100, late }),
          )
        let route = await start()
        for (let i = 0; i < count; i++) {
          at.log.append([
            eventOf(
              {
                conversationId: `c-${Math.floor(random() * 2)}`,
                occurredAtMs: random() < 0.1 ? null : at.clock.nowMs() - Math.floor(random() * 300),
                receivedAtMs: at.clock.nowMs(),
              },
              i,
            ),
          ])
          route.wake()
          if (crashes.includes(i)) {
            await turns(i % 5)
            life.crash()
            life = new Life(at)
            route = await start()
          }
          await at.clock.advance(Math.floor(random() * 60))
        }
        await at.clock.until('settled', () => route.status().lag === 0 && route.status().held === 0 && route.status().inFlight === 0)
        await turns(20)
        const ends: (string | null)[] = []
        for (let seq = 1; seq <= count; seq++) {
          const { outcome, reason, stages } = explainOnRoute(life.ledger, 'crm', route, seq, await at.log.event(seq))
          ends.push(`${outcome} ${reason} ${stages.find((s) => s.stage === 'order')?.reason}`)
        }
        life.crash()
        return ends
      }
      assert.deepEqual(await play(stops), await play([]))
    }),
    { numRuns: 60 },
  )
})
