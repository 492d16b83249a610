import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LimitConfig } from '../config/config.ts'
import { parseEventId } from '../log/event-id.ts'
import type { LimitOverride } from '../limit/rates.ts'
import { limitStage } from '../limit/limit.ts'
import { KEEP, type Stage, dead, retry } from '../pipeline/outcome.ts'
import { redrive } from '../recovery/dead-letters.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { Event } from '../event/event.ts'
import { eventOf } from '../testing/event-of.ts'
import { limitConfig } from '../testing/limit-rig.ts'
import { breaksLaw } from '../testing/rate-law.ts'
import { LOG_ID, Life, ScriptedSink, type World, someEvents, tempDir, world } from '../testing/route-harness.ts'
import { seededRandom, turns } from '../testing/virtual-clock.ts'
import { explainOnRoute } from './explain.ts'

type Overrides = Map<string | null, LimitOverride>

function limit(at: World, path: string, more: Partial<LimitConfig>, overrides: Overrides = new Map()): Stage {
  const store = sqliteStore({ path })
  const config = limitConfig(more)
  return limitStage({
    terms: () => ({ limit: config, sinceMs: 0, overrides }),
    topics: null,
    name: 'crm',
    dedupe: true,
    store,
    clock: at.clock,
    leaseMs: 0,
    warn: (code) => assert.fail(code),
  })
}

test('attempts after the first, and what a person asked for again, pass the limit untouched', async () => {
  const at = world()
  at.log.append(someEvents(3, { queueId: 'q' }))
  const path = join(tempDir(), 'limits.db')
  let dying = true
  const sink = new ScriptedSink({
    deliver: (events) =>
      events.map((e) => (e.id.endsWith('1') && dying ? dead('http.400') : e.redelivered || !dying ? KEEP : retry('http.500'))),
  })
  const life = new Life(at)
  const route = await life.route(sink, {}, { shaping: [limit(at, path, { perSecond: 0.001, burst: 3, overflow: 'drop' })] })
  await at.clock.until('settled', () => route.status().counts['delivered'] === 2)
  dying = false
  redrive(life.ledger, life.routes, {}, at.clock.nowMs(), 'anna')
  await at.clock.until('redriven', () => route.status().counts['redelivered'] === 1)
  assert.deepEqual(
    Object.keys(route.status().counts).filter((name) => name.includes('limit')),
    [],
  )
  life.crash()
})

test('explain says of each event what the limit did: delayed, sampled, dropped, and by which key', async () => {
  const at = world()
  at.log.append(someEvents(6, { queueId: 'q' }))
  const sampling = new Life(at)
  const path = join(tempDir(), 'limits.db')
  const route = await sampling.route(
    new ScriptedSink({}),
    {},
    { shaping: [limit(at, path, { burst: 1, overflow: 'sample', sampleOneIn: 3 })] },
  )
  await at.clock.until('settled', () => sampling.ledger.route('crm')?.position === 7)
  const told = async (life: Life, seq: number): Promise<(string | null | undefined)[]> => {
    const { outcome, reason, stages, history } = explainOnRoute(life.ledger, 'crm', life.routes.get('crm')!, seq, await at.log.event(seq))
    return [outcome, reason, stages.find((s) => s.stage === 'limit')?.reason, history.at(-1)?.detail]
  }
  assert.deepEqual(await told(sampling, 2), ['dropped', 'limit.rate', 'limit.rate', 'q'])
  assert.deepEqual(await told(sampling, 4), ['delivered', null, 'limit.sampled', 'q'])
  assert.deepEqual({ ...route.status().counts }, { delivered: 2, 'dropped|limit.rate|q': 4, 'noted|limit.sampled|q': 1 })
  sampling.crash()

  const delayed = { ...world(), log: at.log, clock: at.clock }
  const life = new Life(delayed)
  const slow = await life.route(
    new ScriptedSink({}),
    {},
    { shaping: [limit(delayed, join(tempDir(), 'limits.db'), { perSecond: 1, burst: 1, overflow: 'delay' })] },
  )
  await turns(30)
  assert.deepEqual(await told(life, 2), ['held', 'limit.delayed', 'limit.delayed', 'q'])
  await at.clock.until('settled', () => slow.status().held === 0 && slow.status().lag === 0)
  assert.deepEqual(await told(life, 2), ['delivered', null, 'limit.delayed', 'q'])
  assert.deepEqual(slow.status().counts, { delivered: 6, 'held|limit.delayed|q': 5 })
  life.crash()
})

test('a limit that is raised lets what waits go at the new rate, in its order', async () => {
  const at = world()
  at.log.append(someEvents(600, { queueId: 'q' }))
  const overrides: Overrides = new Map()
  const sink = new ScriptedSink({})
  const life = new Life(at)
  const stage = limit(at, join(tempDir(), 'limits.db'), { perSecond: 0.1, burst: 1, overflow: 'delay' }, overrides)
  const route = await life.route(sink, {}, { shaping: [stage] })
  await turns(60)
  assert.equal(route.status().held, 599)
  const changedMs = at.clock.nowMs()
  void route.changeLimit('q', () => overrides.set('q', { rate: { perSecond: 100, burst: 1 }, sinceMs: changedMs, untilMs: null }))
  await at.clock.until('all', () => sink.delivered.length === 600)
  assert.equal(at.clock.nowMs() - changedMs, 599 * 10)
  assert.deepEqual(
    sink.delivered.map((e) => parseEventId(LOG_ID, e.id)),
    Array.from({ length: 600 }, (_, i) => i + 1),
  )
  assert.equal(route.status().counts['held|limit.delayed|q'], 599, 'told once')
  life.crash()
})

test('after a long stop what was due is let go at the rate, not all at once', async () => {
  const at = world()
  at.log.append(someEvents(100, { queueId: 'q' }))
  const path = join(tempDir(), 'limits.db')
  const config = { perSecond: 5, burst: 5, overflow: 'delay' } as const
  const first = new Life(at)
  await first.route(new ScriptedSink({}), {}, { shaping: [limit(at, path, config)] })
  await turns(60)
  first.crash()
  await at.clock.advance(3_600_000)
  const times: number[] = []
  const second = new Life(at)
  const sink = new ScriptedSink({ deliver: (events) => events.map(() => (times.push(at.clock.nowMs()), KEEP)) })
  const route = await second.route(sink, {}, { shaping: [limit(at, path, config)] })
  await at.clock.until('all', () => route.status().counts['delivered'] === 100)
  assert.equal(breaksLaw(times, { perSecond: 5, burst: 5 }), null)
  second.crash()
})

test('after a restart a backlog goes on at its rate at once, what is overdue and what is not', async () => {
  const at = world()
  at.log.append(someEvents(2_000, { queueId: 'q' }))
  const path = join(tempDir(), 'limits.db')
  const config = { perSecond: 200, burst: 1, overflow: 'delay' } as const
  const first = new Life(at)
  const before = new ScriptedSink({ maxBatch: 100 })
  await first.route(before, {}, { shaping: [limit(at, path, config)] })
  await at.clock.advance(2_000)
  first.crash()
  // More are overdue when it starts again than are taken up at once, the others have times up to some seconds ahead.
  await at.clock.advance(3_000)
  const times: number[] = []
  const second = new Life(at)
  const sink = new ScriptedSink({ maxBatch: 100, deliver: (events) => events.map(() => (times.push(at.clock.nowMs()), KEEP)) })
  await second.route(sink, {}, { shaping: [limit(at, path, config)] })
  const startedMs = at.clock.nowMs()
  await at.clock.until('five hundred', () => times.length >= 500)
  assert.ok((times[499] ?? Infinity) - startedMs <= 3_000, `${(times[499] ?? 0) - startedMs} ms for 500 at 200/s`)
  await at.clock.until('all', () => before.delivered.length + sink.delivered.length === 2_000)
  assert.equal(breaksLaw(times, config), null)
  second.crash()
})

test('the bound of another configuration holds for what has waited since before it, and nobody waits for what it does not ask for', async () => {
  for (const [before, after, delivered] of [
    [200, 1, 11],
    [1, 200, 500],
  ] as const) {
    const at = world()
    at.log.append(someEvents(500, { queueId: 'q' }))
    const path = join(tempDir(), 'limits.db')
    const first = new Life(at)
    await first.route(
      new ScriptedSink({}),
      { limit: limitConfig({ perSecond: before }) },
      {
        shaping: [limit(at, path, { perSecond: before, burst: 1, overflow: 'delay' })],
      },
    )
    await turns(60)
    first.crash()
    const times: number[] = []
    const second = new Life(at)
    const sink = new ScriptedSink({ deliver: (events) => events.map(() => (times.push(at.clock.nowMs()), KEEP)) })
    const route = await second.route(
      sink,
      { limit: limitConfig({ perSecond: after }) },
      {
        shaping: [limit(at, path, { perSecond: after, burst: 1, overflow: 'delay' })],
      },
    )
    await at.clock.advance(11_000)
    assert.equal(route.status().counts['delivered'], delivered + (after === 1 ? 1 : 0))
    assert.equal(breaksLaw(times, { perSecond: after, burst: 1 }), null)
    second.crash()
  }
})

test('what was promised by a clock that has been set back since does not wait until the clock is there again', async () => {
  const ahead = world()
  ahead.log.append(someEvents(5, { queueId: 'q' }))
  await ahead.clock.advance(365 * 86_400_000)
  const path = join(tempDir(), 'limits.db')
  const first = new Life(ahead)
  await first.route(new ScriptedSink({}), {}, { shaping: [limit(ahead, path, { perSecond: 1, burst: 1, overflow: 'delay' })] })
  await turns(60)
  first.crash()
  const at = { ...ahead, clock: world().clock }
  const second = new Life(at)
  const sink = new ScriptedSink({})
  await second.route(sink, {}, { shaping: [limit(at, path, { perSecond: 1, burst: 1, overflow: 'delay' })] })
  await at.clock.advance(60_000)
  assert.equal(sink.delivered.length, 4, 'the fifth went before')
  second.crash()
})

test('latest: a repetition of the newest takes nothing from it, and what is overdue is not delivered behind a newer one', async () => {
  const at = world()
  const of = (n: number, user = 'u'): Event => eventOf({ queueId: 'q', entity: { kind: 'user', id: user }, occurredAtMs: 1_000 * n }, n)
  const sink = new ScriptedSink({})
  const life = new Life(at)
  const stage = limit(at, join(tempDir(), 'limits.db'), { perSecond: 1, burst: 1, overflow: 'latest' })
  const route = await life.route(sink, {}, { shaping: [stage] })
  const times = (): (number | null)[] => sink.delivered.map((e) => e.occurredAtMs)
  at.log.append([of(1), of(2), of(2)], [null, null, 2])
  route.wake()
  await at.clock.advance(1_500)
  assert.deepEqual(times(), [1_000, 2_000])
  assert.equal(route.status().counts['duplicate'], 1)

  at.log.append([of(3), of(4)])
  route.wake()
  await turns(40)
  route.paused = true
  at.log.append([of(5)])
  await at.clock.advance(10_000)
  route.paused = false
  await at.clock.advance(10_000)
  assert.deepEqual(
    times()
      .slice(2)
      .toSorted((x, y) => (x ?? 0) - (y ?? 0)),
    times().slice(2),
    'never an older one behind a newer one',
  )
  assert.equal(times().at(-1), 5_000)
  life.crash()
})

test('latest: of more overdue ones than are taken up at once none is delivered behind a newer one that was read first', async () => {
  const at = world()
  const users = Array.from({ length: 700 }, (_, i) => `u-${i}`)
  const of = (n: number): Event[] =>
    users.map((id, i) => eventOf({ userId: id, entity: { kind: 'user', id }, occurredAtMs: 1_000 * n }, n * 1_000 + i))
  const sink = new ScriptedSink({ maxBatch: 100 })
  const life = new Life(at)
  const stage = limit(at, join(tempDir(), 'limits.db'), { per: 'user', perSecond: 1, burst: 1, overflow: 'latest' })
  const route = await life.route(sink, {}, { shaping: [stage] })
  at.log.append([...of(1), ...of(2)])
  route.wake()
  await turns(300)
  route.paused = true
  await at.clock.advance(10_000)
  at.log.append(of(3))
  route.paused = false
  await at.clock.until('all', () => route.status().held === 0 && route.status().lag === 0)
  const stale = users.filter((id) => sink.delivered.filter((event) => event.userId === id).at(-1)?.occurredAtMs !== 3_000)
  assert.deepEqual(stale, [])
  life.crash()
})

test('property: latest ends with the newest of each entity, and never delivers an older one behind it', async () => {
  const step = fc.record({
    events: fc.array(fc.record({ entity: fc.nat(2), again: fc.boolean() }), { maxLength: 6 }),
    gapMs: fc.constantFrom(0, 0, 100, 700, 4_000),
    pause: fc.boolean(),
    crash: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const at = world()
      const path = join(tempDir(), 'limits.db')
      const stage = (): Stage => limit(at, path, { perSecond: 2, burst: 1, overflow: 'latest' })
      const delivered: Event[] = []
      const sink = (life: Life): ScriptedSink =>
        new ScriptedSink({ maxBatch: 3, deliver: (events) => events.map((event) => (life.dead || delivered.push(event), KEEP)) })
      let life = new Life(at)
      let route = await life.route(sink(life), {}, { shaping: [stage()] })
      const newest = new Map<string, { readonly event: Event; readonly seq: number }>()
      for (const [n, { events, gapMs, pause, crash }] of steps.entries()) {
        for (const [k, { entity, again }] of events.entries()) {
          const id = `u-${entity}`
          const known = newest.get(id)
          if (again && known !== undefined) at.log.append([known.event], [known.seq])
          else {
            const event = eventOf({ queueId: 'q', entity: { kind: 'user', id }, occurredAtMs: 1_000 * n + k }, n * 10 + k)
            newest.set(id, { event, seq: at.log.append([event]) })
          }
        }
        if (crash) {
          life.crash()
          life = new Life(at)
          route = await life.route(sink(life), {}, { shaping: [stage()] })
        }
        route.paused = pause
        route.wake()
        await at.clock.advance(gapMs)
      }
      route.paused = false
      await at.clock.advance(60_000)
      assert.equal(route.status().held, 0)
      for (const [id, { event }] of newest) {
        const times = delivered.filter((one) => one.entity?.id === id).map((one) => one.occurredAtMs ?? 0)
        assert.equal(times.at(-1), event.occurredAtMs, `the newest of ${id}`)
        assert.deepEqual(
          times.toSorted((a, b) => a - b),
          times,
        )
      }
      life.crash()
    }),
    { numRuns: 60 },
  )
})

test('property: crash at any commit: the bound holds in each life, over all with a burst more for each, and every event ends once', async () => {
  const scenario = fc.record({
    seed: fc.nat(),
    count: fc.integer({ min: 1, max: 60 }),
    lives: fc.integer({ min: 1, max: 4 }),
    overflow: fc.constantFrom('delay', 'drop', 'latest'),
    perSecond: fc.integer({ min: 2, max: 50 }),
    burst: fc.integer({ min: 1, max: 8 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ seed, count, lives, overflow, perSecond, burst }) => {
      const at = world()
      const path = join(tempDir(), 'limits.db')
      const random = seededRandom(seed)
      const first = new Map<string, { readonly life: Life; readonly atMs: number }>()
      const make = (life: Life): ScriptedSink =>
        new ScriptedSink({
          maxBatch: 4,
          deliver: (events) => {
            if (!life.dead) for (const { id } of events) if (!first.has(id)) first.set(id, { life, atMs: at.clock.nowMs() })
            return events.map(() => KEEP)
          },
        })
      const events = Array.from({ length: count }, (_, i) =>
        eventOf({ queueId: 'q', conversationId: `c-${i % 5}`, entity: { kind: 'conversation', id: `c-${i % 5}` } }, i),
      )
      for (let n = 1; n <= lives; n++) {
        const life = new Life(at)
        const route = await life.route(make(life), {}, { shaping: [limit(at, path, { perSecond, burst, overflow })] })
        for (let steps = 6; steps > 0; steps--) {
          at.log.append(n === lives && steps === 1 ? events.splice(0) : events.splice(0, Math.floor(random() * 8)))
          route.wake()
          await turns(Math.floor(random() * 12))
          if (random() < 0.5) await at.clock.advance(Math.floor(random() * 300))
        }
        if (n === lives) {
          const done = (): boolean =>
            route.status().held === 0 && route.status().inFlight === 0 && life.ledger.route('crm')?.position === count + 1
          await at.clock.until('settled', done)
          for (let seq = 1; seq <= count; seq++) {
            const { outcome } = explainOnRoute(life.ledger, 'crm', route, seq, await at.log.event(seq))
            assert.ok(
              overflow === 'delay' ? outcome === 'delivered' : outcome === 'delivered' || outcome === 'dropped',
              `${seq} is ${outcome}`,
            )
          }
          const { counts } = route.status()
          const ended = Object.entries(counts).filter(([name]) => name === 'delivered' || name.startsWith('dropped|'))
          assert.equal(
            ended.reduce((sum, [, k]) => sum + k, 0),
            count,
          )
        }
        life.crash()
      }
      const times = (life: Life | null): number[] =>
        [...first.values()].filter((one) => life === null || one.life === life).map(({ atMs }) => atMs)
      for (const life of new Set([...first.values()].map((one) => one.life)))
        assert.equal(breaksLaw(times(life), { perSecond, burst }), null)
      // What went late just before a crash is not on record as late.
      assert.equal(breaksLaw(times(null), { perSecond, burst: burst * lives }), null)
    }),
    { numRuns: 80 },
  )
})
