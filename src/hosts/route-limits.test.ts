import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LimitConfig } from '../config/config.ts'
import type { FlagValue } from '../flags/flags.ts'
import { Flags } from '../flags/flags.ts'
import { sqliteFlags } from '../flags/sqlite-flags.ts'
import { limitStage } from '../limit/limit.ts'
import { parseEventId } from '../log/event-id.ts'
import type { Event } from '../event/event.ts'
import type { Outcome, Stage } from '../pipeline/outcome.ts'
import type { Route } from '../routes/route.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { eventOf } from '../testing/event-of.ts'
import { PRESENCE, limitConfig } from '../testing/limit-rig.ts'
import { LOG_ID, Life, ScriptedSink, type World, someEvents, tempDir, world } from '../testing/route-harness.ts'
import { turns } from '../testing/virtual-clock.ts'
import { RouteLimits } from './route-limits.ts'

/** A process with flags, limits and one route; `at` outlives it. */
type Running = {
  readonly life: Life
  readonly flags: Flags
  readonly route: Route
  /** When each event was admitted first, by its number. */
  readonly admitted: Map<number, number>
  set(key: string | null, value: FlagValue, untilMs?: number | null): void
  end(): void
}

async function begin(at: World, path: string, config: Partial<LimitConfig>, admitted = new Map<number, number>()): Promise<Running> {
  const life = new Life(at)
  const flags = new Flags(sqliteFlags(life.ledger, (code) => assert.fail(code)))
  const warn = (code: string): void => assert.fail(code)
  const limits = new RouteLimits({ flags, ledger: life.ledger, clock: at.clock, warn })
  limits.configure('crm', limitConfig(config), 1)
  const store = sqliteStore({ path })
  const stage = limitStage({ terms: limits.termsOf('crm'), topics: null, name: 'crm', store, clock: at.clock, leaseMs: 0, warn })
  const sink = new ScriptedSink({ maxBatch: 16 })
  // At the stage, and at what it took for the time: what it lets through is delivered a little later.
  const noting = async (events: readonly Event[], run: () => ReturnType<Stage['run']>): Promise<readonly Outcome[]> => {
    const nowMs = at.clock.nowMs()
    const outcomes = await run()
    for (const [i, { id }] of events.entries()) {
      const seq = parseEventId(LOG_ID, id)!
      if (!life.dead && outcomes[i]?.type === 'keep' && !admitted.has(seq)) admitted.set(seq, nowMs)
    }
    return outcomes
  }
  const watched: Stage = {
    name: stage.name,
    run: (events, signal) => noting(events, () => stage.run(events, signal)),
    resume: (held, signal) =>
      noting(
        held.map(({ event }) => event),
        () => stage.resume!(held, signal),
      ),
  }
  const began = life.route(sink, {}, { shaping: [watched], beforeStart: (routes) => limits.start(routes) })
  const ended = new AbortController()
  void limits.run(ended.signal)
  const route = await began
  return {
    life,
    flags,
    route,
    admitted,
    set: (key, value, untilMs = null) =>
      void flags.set({ flag: 'route.limit', route: 'crm', key }, value, 'ann', at.clock.nowMs(), untilMs),
    end: () => {
      ended.abort()
      life.crash()
      void store.close()
    },
  }
}

const times = (admitted: ReadonlyMap<number, number>, sinceMs: number): number[] =>
  [...admitted.values()].map((atMs) => atMs - sinceMs).sort((a, b) => a - b)

const rate = (perSecond: number): { perSecond: number; burst: number } => ({ perSecond, burst: 1 })

test('raised, lowered, without end and with one: what waits goes at the rate of its time, in its order', async () => {
  const at = world()
  const startMs = at.clock.nowMs()
  at.log.append(someEvents(200, { queueId: 'q' }))
  const { flags, admitted, set, end } = await begin(at, join(tempDir(), 'l.db'), { ...rate(1), overflow: 'delay' })
  await at.clock.advance(10_000)
  assert.equal(admitted.size, 11)
  set('q', rate(10))
  await at.clock.advance(5_000)
  assert.equal(admitted.size, 61)
  set('q', rate(2), at.clock.nowMs() + 20_000)
  await at.clock.advance(20_500)
  assert.equal(admitted.size, 100, 'at its end the configuration holds again, to the millisecond')
  await at.clock.advance(10_000)
  assert.equal(admitted.size, 110)
  assert.deepEqual(
    [...admitted.keys()],
    Array.from({ length: 110 }, (_, i) => i + 1),
  )
  assert.deepEqual(times(admitted, startMs).slice(10, 13), [10_000, 10_100, 10_200])
  assert.deepEqual(times(admitted, startMs).slice(98, 102), [34_000, 34_500, 36_000, 37_000])
  assert.deepEqual(flags.list(), [])
  assert.deepEqual(
    flags.changes(10).map(({ from, to, by, atMs }) => [from, to, by, atMs - startMs]),
    [
      [rate(2), null, 'expiry', 35_000],
      [rate(10), rate(2), 'ann', 15_000],
      [null, rate(10), 'ann', 10_000],
    ],
  )
  end()
})

test('taken off and on again, for one key and for all; a neighbour keeps its own tokens', async () => {
  const at = world()
  const startMs = at.clock.nowMs()
  at.log.append(Array.from({ length: 60 }, (_, i) => eventOf({ queueId: i % 2 === 0 ? 'q' : 'other' }, i)))
  const { admitted, set, route, end } = await begin(at, join(tempDir(), 'l.db'), { ...rate(1), overflow: 'delay' })
  await at.clock.advance(5_000)
  assert.equal(admitted.size, 12)
  set('q', 'unlimited')
  await at.clock.advance(10)
  assert.equal(admitted.size, 36)
  await at.clock.advance(5_000)
  const others = [...admitted].filter(([seq]) => seq % 2 === 0).map(([, atMs]) => atMs - startMs)
  assert.deepEqual(
    others,
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((s) => s * 1_000),
  )
  set(null, rate(4))
  await at.clock.until('all', () => route.status().held === 0)
  assert.equal(at.clock.nowMs() - startMs, 10_010 + 19 * 250)
  set('q', null)
  at.log.append(someEvents(3, { queueId: 'q' }, 100))
  route.wake()
  await at.clock.until('all', () => admitted.size === 63)
  assert.equal(at.clock.nowMs() - startMs, 10_010 + 19 * 250 + 750, 'q has the default, which is still the changed one')
  end()
})

test('of what waits as latest the newest goes when the changed rate lets it', async () => {
  const at = world()
  const startMs = at.clock.nowMs()
  const presence = (user: string, i: number): ReturnType<typeof eventOf> =>
    eventOf({ queueId: 'q', topic: PRESENCE, entity: { kind: 'user', id: user } }, i)
  const { admitted, set, route, end } = await begin(at, join(tempDir(), 'l.db'), { ...rate(0.1), overflow: 'latest' })
  at.log.append([presence('a', 0), presence('b', 1), presence('c', 2)])
  route.wake()
  await at.clock.advance(1_000)
  set('q', rate(0.01))
  at.log.append([presence('b', 3)])
  route.wake()
  await at.clock.advance(30_000)
  assert.deepEqual([...admitted.keys()], [1], 'the token of the old rate is no longer good')
  set('q', rate(2), at.clock.nowMs() + 60_000)
  await at.clock.advance(1_000)
  assert.deepEqual(
    [...admitted.keys()].sort((a, b) => a - b),
    [1, 3, 4],
  )
  assert.ok(times(admitted, startMs).every((ms) => ms <= 32_000))
  end()
})

test('per conversation: those whose time had not come are planned anew, whole; those that were let through stay so', async () => {
  const at = world()
  const startMs = at.clock.nowMs()
  const of = (id: string, i: number): ReturnType<typeof eventOf> => eventOf({ conversationId: id }, i)
  const { admitted, set, route, end } = await begin(at, join(tempDir(), 'l.db'), { ...rate(0.1), per: 'conversation', overflow: 'delay' })
  at.log.append(Array.from({ length: 12 }, (_, i) => of(`c-${i % 6}`, i)))
  route.wake()
  await at.clock.advance(15_000)
  const seconds = (): Record<number, number> => Object.fromEntries([...admitted].map(([seq, atMs]) => [seq, (atMs - startMs) / 1_000]))
  assert.deepEqual(seconds(), { 1: 0, 7: 0, 2: 10, 8: 10 })
  set(null, rate(1), at.clock.nowMs() + 2_500)
  await at.clock.advance(2_500)
  at.log.append([of('c-0', 12)])
  route.wake()
  await at.clock.until('all', () => admitted.size === 13)
  const { 3: third, 5: fifth, 6: sixth, 12: twelfth, 13: last } = seconds()
  assert.ok(third! > 15 && third! <= 17.5 && last === 17.5, `${third} ${last}`)
  assert.ok(fifth! > 17.5 && sixth! - fifth! >= 9.9 && sixth === twelfth, `${fifth} ${sixth} ${twelfth}`)
  end()
})

test('an override that ends while nothing runs is over at once, on record, and what waited by it is planned anew', async () => {
  const at = world()
  const path = join(tempDir(), 'l.db')
  const config = { ...rate(1), overflow: 'delay' } as const
  at.log.append(someEvents(300, { queueId: 'q' }))
  const first = await begin(at, path, config)
  first.set('q', rate(100), at.clock.nowMs() + 1_000)
  await turns(100)
  await at.clock.advance(500)
  assert.ok(first.admitted.size >= 50 && first.admitted.size <= 52, `${first.admitted.size}`)
  first.end()
  await at.clock.advance(1_500)
  const backMs = at.clock.nowMs()
  const second = await begin(at, path, config)
  await turns(100)
  assert.deepEqual(second.flags.list(), [])
  assert.deepEqual([second.flags.changes(1)[0]?.by, second.flags.changes(1)[0]?.atMs], ['expiry', backMs - 1_000])
  await at.clock.advance(10_000)
  assert.ok(second.admitted.size >= 10 && second.admitted.size <= 12, `${second.admitted.size} in ten seconds`)
  second.end()
})

const scenario = fc.record({
  configured: fc.integer({ min: 1, max: 30 }),
  burst: fc.integer({ min: 1, max: 6 }),
  overflow: fc.constantFrom('delay', 'drop', 'latest'),
  steps: fc.array(
    fc.record({
      events: fc.nat(25),
      waitMs: fc.nat(3_000),
      what: fc.constantFrom('nothing', 'key', 'all', 'unset', 'crash'),
      perSecond: fc.integer({ min: 1, max: 60 }),
      forMs: fc.option(fc.integer({ min: 1, max: 4_000 })),
    }),
    { minLength: 1, maxLength: 10 },
  ),
})

test('property: whatever is changed, ends or crashes: in any stretch at most what the rates of it give, and the burst; every event ends once', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ configured, burst, overflow, steps }) => {
      const at = world()
      const path = join(tempDir(), 'l.db')
      const limit = { perSecond: configured, burst, overflow }
      const admitted = new Map<number, number>()
      /** Changes as the law sees them: of the key, of the default. */
      const said: { readonly key: string | null; readonly perSecond: number | null; readonly fromMs: number; readonly untilMs: number }[] =
        []
      let run = await begin(at, path, limit, admitted)
      const offered: number[] = []
      let count = 0
      for (const { events, waitMs, what, perSecond, forMs } of steps) {
        at.log.append(
          Array.from({ length: events }, () =>
            eventOf({ queueId: 'q', topic: PRESENCE, entity: { kind: 'user', id: `${count % 4}` } }, count++),
          ),
        )
        if (events > 0) offered.push(at.clock.nowMs())
        run.route.wake()
        await at.clock.advance(waitMs)
        const nowMs = at.clock.nowMs()
        if (what === 'key' || what === 'all') {
          const key = what === 'key' ? 'q' : null
          const untilMs = forMs === null ? null : nowMs + forMs
          run.set(key, { perSecond, burst }, untilMs)
          said.push({ key, perSecond, fromMs: nowMs, untilMs: untilMs ?? Infinity })
        }
        if (what === 'unset') {
          run.set('q', null)
          said.push({ key: 'q', perSecond: null, fromMs: nowMs, untilMs: Infinity })
        }
        if (what === 'crash') {
          run.end()
          await at.clock.advance(forMs ?? 10)
          run = await begin(at, path, limit, admitted)
        }
        await turns(20)
      }
      await at.clock.until('settled', () => run.route.status().held === 0 && run.life.ledger.route('crm')?.position === count + 1)
      const { counts } = run.route.status()
      const ended = Object.entries(counts).filter(([name]) => name === 'delivered' || name.startsWith('dropped|'))
      assert.equal(
        ended.reduce((sum, [, n]) => sum + n, 0),
        count,
      )
      run.end()

      // What comes back a moment after its time keeps its token; after a start that may be a second.
      const fastest = Math.max(configured, ...said.map((one) => one.perSecond ?? 0))
      const late = fastest * (steps.some(({ what }) => what === 'crash') ? 1 : 0.01)
      const inForce = (key: string | null, atMs: number): number | null => {
        const last = said.findLast((one) => one.key === key && one.fromMs <= atMs)
        return last !== undefined && atMs < last.untilMs ? last.perSecond : null
      }
      const rateAt = (atMs: number): number => inForce('q', atMs) ?? inForce(null, atMs) ?? configured
      const edges = said.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]).filter(Number.isFinite)
      // Of rates that came and went while nothing came nothing is known; a burst is the most that can add.
      const changes = edges.toSorted((a, b) => a - b)
      const isForgotten = changes.some((edge, i) => i > 0 && !offered.some((offeredMs) => offeredMs >= changes[i - 1]! && offeredMs < edge))
      const slack = late + (isForgotten ? burst : 0)
      const atMs = [...admitted.values()].sort((a, b) => a - b)
      for (const [i, from] of atMs.entries())
        for (const [j, to] of atMs.entries()) {
          if (j < i) continue
          const points = [from, ...edges.filter((edge) => edge > from && edge < to).sort((a, b) => a - b), to]
          const given = points.slice(1).reduce((sum, end, n) => sum + (rateAt(points[n]!) * (end - points[n]!)) / 1_000, 0)
          assert.ok(j - i + 1 <= given + burst + slack + 1e-3, `${j - i + 1} within ${to - from} ms, ${given} + ${burst} are allowed`)
        }
    }),
    { numRuns: 60 },
  )
})
