import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { LimitConfig } from '../config/config.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import { breaksLaw } from '../testing/rate-law.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { eventOf, eventsOf } from '../testing/event-of.ts'
import { type Held, PRESENCE, inQueue, limitConfig, resumedOf, rig } from '../testing/limit-rig.ts'
import type { LimitOverride } from './rates.ts'

const a = inQueue('a')

describe('above the rate', () => {
  test('drop: each key by itself, counted by it, and a token later the next one passes', async () => {
    const { run, clock } = rig()
    assert.deepEqual(await run(a, a, a, a, inQueue('b'), a), ['keep', 'keep', 'keep', 'drop limit.rate a', 'keep', 'drop limit.rate a'])
    clock.nowMs += 199
    assert.deepEqual(await run(a), ['drop limit.rate a'])
    clock.nowMs += 1
    assert.deepEqual(await run(a, a), ['keep', 'drop limit.rate a'])
  })

  test('delay: each has its own time, and is admitted then; those that come late queue', async () => {
    const { run, resume, outcomes, clock } = rig({ overflow: 'delay' })
    assert.deepEqual(await run(a, a, a, a, a), ['keep', 'keep', 'keep', 'limit.delayed a +200', 'limit.delayed a +400'])
    const [outcome] = await outcomes([a])
    clock.nowMs += 600
    assert.deepEqual(await resume({ event: a, outcome: outcome! }), ['keep'])
    assert.deepEqual(await run(a), ['limit.delayed a +200'])
    clock.nowMs += 1_000
    assert.deepEqual(await resume({ event: a, outcome: outcome! }), ['keep'], 'a second late is no matter')
    clock.nowMs += 1
    const late = Array.from({ length: 5 }, () => ({ event: a, outcome: outcome! }))
    assert.deepEqual(
      await resume(...late),
      ['keep', 'keep', 'limit.delayed a +199', 'limit.delayed a +399', 'limit.delayed a +599'],
      'two, with the one of a moment ago, are all that the burst leaves; the others queue',
    )
  })

  test('sample: one in four of the overflow passes, and is told', async () => {
    const { run } = rig({ overflow: 'sample' })
    const seen = await run(...Array.from({ length: 12 }, () => a))
    assert.deepEqual(seen.slice(0, 3), ['keep', 'keep', 'keep'])
    assert.deepEqual(
      seen.slice(3).map((word) => word === 'keep limit.sampled a'),
      [false, false, false, true, false, false, false, true, false],
    )
  })

  test('latest: one slot for each entity and topic, with a token of its own; a second event of the slot takes none', async () => {
    const { run, outcomes, clock } = rig({ overflow: 'latest' })
    const presence = (user: string): typeof a => eventOf({ queueId: 'a', topic: PRESENCE, entity: { kind: 'user', id: user } })
    await run(a, a, a)
    const [x, y, x2] = await outcomes([presence('x'), presence('y'), presence('x')])
    assert.deepEqual(
      [x, y, x2].map((o) => o?.type === 'hold' && [o.untilMs - clock.nowMs, o.slot]),
      [
        [200, `a ${PRESENCE} user:x`],
        [400, `a ${PRESENCE} user:y`],
        [200, `a ${PRESENCE} user:x`],
      ],
    )
    clock.nowMs += 100
    assert.deepEqual(await run(presence('x'), presence('z')), ['limit.latest a +100', 'limit.latest a +500'])
    clock.nowMs += 100
    assert.deepEqual(await run(presence('x')), ['limit.latest a +600'], 'the slot is free again when its event is due')
  })

  test('the rates of keys: their own, none, the default; at run time and until they expire', async () => {
    let overrides = new Map<string | null, LimitOverride>()
    const limit = limitConfig({ limits: { vip: null, slow: { perSecond: 0.1 } }, burst: 1 })
    const { run, clock } = rig({}, { terms: () => ({ limit, sinceMs: 0, overrides }) })
    const twice = (id: string): Promise<string[]> => run(inQueue(id), inQueue(id))
    assert.deepEqual(await twice('vip'), ['keep', 'keep'])
    assert.deepEqual(await twice('slow'), ['keep', 'drop limit.rate slow'])
    assert.deepEqual(await twice('unknown'), ['keep', 'drop limit.rate unknown'])
    const times = { sinceMs: clock.nowMs, untilMs: clock.nowMs + 5_000 }
    overrides = new Map([
      ['vip', { rate: { perSecond: 1, burst: 1 }, ...times }],
      [null, { rate: null, ...times }],
    ])
    clock.nowMs += 4_999
    assert.deepEqual(await twice('vip'), ['keep', 'drop limit.rate vip'])
    assert.deepEqual(await twice('unknown'), ['keep', 'keep'])
    assert.deepEqual(await twice('slow'), ['drop limit.rate slow', 'drop limit.rate slow'])
    clock.nowMs += 1
    assert.deepEqual([await twice('vip'), await twice('unknown')].flat(), ['keep', 'keep', 'keep', 'drop limit.rate unknown'])
  })

  test('a rate that changes counts from then on: what was booked of the future is not in its way', async () => {
    const overrides = new Map<string | null, LimitOverride>()
    const limit = limitConfig({ overflow: 'delay', perSecond: 1, burst: 1 })
    const { run, clock } = rig({}, { terms: () => ({ limit, sinceMs: 0, overrides }) })
    await run(...Array.from({ length: 1_000 }, () => a))
    overrides.set('a', { rate: { perSecond: 100, burst: 1 }, sinceMs: clock.nowMs, untilMs: null })
    assert.deepEqual(await run(a, a), ['limit.delayed a +10', 'limit.delayed a +20'])
  })

  test('priorities: below one dropped, from another on free, without one limited', async () => {
    const { run } = rig({ burst: 1, priority: { of: { low: 1, mid: 5, top: 9 }, rules: [], dropBelow: 2, unlimitedFrom: 9 } })
    const seen = await run(...['low', 'mid', 'mid', 'top', 'top', 'unknown', 'unknown'].map((id) => inQueue(id)))
    assert.deepEqual(seen, ['drop limit.priority low', 'keep', 'drop limit.rate mid', 'keep', 'keep', 'keep', 'drop limit.rate unknown'])
    const byOther = rig(
      { priority: { of: {}, rules: [], dropBelow: 2, unlimitedFrom: null } },
      { priorityOf: (event) => (event.queueId === 'a' ? 1 : null) },
    )
    assert.deepEqual(await byOther.run(a, inQueue('b')), ['drop limit.priority a', 'keep'])
  })
})

describe('not limited', () => {
  test('topics it is not for, what was admitted before, and what has no key; it is said when nothing has one', async () => {
    const { run, warnings } = rig({ burst: 1 }, { topics: { matches: (topic) => topic !== PRESENCE } })
    const presence = inQueue('a', 0, { topic: PRESENCE })
    assert.deepEqual(await run(a, presence, presence, { ...a, redelivered: true }, inQueue(null), inQueue(null)), Array(6).fill('keep'))
    const lost = rig({ per: 'detail.eventBody.noSuchField' })
    for (let n = 0; n < 3; n++) await lost.run(...eventsOf(500))
    assert.deepEqual([warnings, lost.warnings], [[], ['limit.no_key']])
  })
})

test('any path of the envelope may be the key', async () => {
  const { run } = rig({ per: 'detail.eventBody.mediaType', burst: 1 })
  assert.deepEqual(await run(...eventsOf(2)), ['keep', 'drop limit.rate VOICE'])
  const number = rig({ per: 'detail.eventBody.routingPriority', burst: 1 })
  assert.deepEqual(await number.run(...eventsOf(2)), ['keep', 'drop limit.rate 40'])
  const hostile = rig({ per: 'detail.__proto__.x', burst: 1 })
  assert.deepEqual(await hostile.run(...eventsOf(2)), ['keep', 'keep'])
  const long = rig({ burst: 1 })
  const [key] = (await long.run(inQueue('x'.repeat(5_000)), inQueue('x'.repeat(5_000)))).slice(1)
  assert.ok(key!.startsWith('drop limit.rate xxx') && key!.length < 220)
  assert.deepEqual(await long.run(inQueue(`${'x'.repeat(5_000)}y`)), ['keep'], 'another that begins alike has its own bucket')
})

test('while the store cannot be had events wait, and nothing is admitted on suspicion', async () => {
  let down = true
  const memory = memoryStore()
  const store: Store = {
    ...memory,
    takeTokens: async (...asked) => (down ? Promise.reject(new Error('locked')) : memory.takeTokens(...asked)),
  }
  for (const overflow of ['delay', 'drop', 'latest'] as const) {
    down = true
    const { run, outcomes, resume, warnings, clock } = rig({ overflow, burst: 1 }, { store, name: overflow })
    assert.deepEqual(await run(a, inQueue(null)), ['limit.unavailable a +1000', 'keep'])
    assert.equal(warnings[0], 'limit.unavailable')
    const held = await outcomes([a, a])
    clock.nowMs += 1_000
    down = false
    const again = await resume(...held.map((outcome) => ({ event: a, outcome })))
    assert.equal(again[0], 'keep')
    assert.notEqual(again[1], 'keep')
  }
})

test('a clock that goes back makes nobody wait for it', async () => {
  const { run, outcomes, clock, resume } = rig({ overflow: 'delay' })
  await run(a, a, a)
  clock.nowMs -= 3_600_000
  const [held] = await outcomes([a])
  assert.equal(held?.type === 'hold' && held.untilMs - clock.nowMs, 200)
  clock.nowMs += 200
  assert.deepEqual(await resume({ event: a, outcome: held! }), ['keep'])
})

test('per conversation: conversations are counted, and each is kept or dropped whole, in all processes', async () => {
  const store = memoryStore()
  const at = { nowMs: 1_774_000_000_000 }
  const first = rig({ per: 'conversation', perSecond: 1, burst: 2 }, { store, at })
  const second = rig({ per: 'conversation', perSecond: 1, burst: 2 }, { store, at })
  const of = (id: string): typeof a => eventOf({ conversationId: id })
  assert.deepEqual(await first.run(of('x'), of('y'), of('z'), of('x')), ['keep', 'keep', 'drop limit.rate z', 'keep'])
  at.nowMs += 60_000
  assert.deepEqual(await second.run(of('z'), of('y'), of('z')), ['drop limit.rate z', 'keep', 'drop limit.rate z'])
  assert.deepEqual(await second.run(of('v'), of('w'), of('u'), eventOf({ conversationId: null })), [
    'keep',
    'keep',
    'drop limit.rate u',
    'keep',
  ])
  const delaying = rig({ per: 'conversation', perSecond: 1, burst: 1, overflow: 'delay' })
  assert.deepEqual(await delaying.run(of('x'), of('y'), of('y')), ['keep', 'limit.delayed * +1000', 'limit.delayed * +1000'])
  delaying.clock.nowMs += 400
  const [held] = await delaying.outcomes([of('y')])
  assert.equal(held?.type === 'hold' && held.untilMs - delaying.clock.nowMs, 600, 'later events of it wait as well')
  delaying.clock.nowMs += 600
  assert.deepEqual(await delaying.resume({ event: of('y'), outcome: held! }), ['keep'])
  const sampling = rig({ per: 'conversation', perSecond: 1, burst: 1, overflow: 'sample', sampleOneIn: 2 })
  const seen = await sampling.run(of('x'), of('y'), of('z'), of('z'), of('y'))
  assert.deepEqual(seen, ['keep', 'drop limit.rate y', 'keep limit.sampled *', 'keep limit.sampled *', 'drop limit.rate y'])
})

test('property: however late what was booked comes back, the bound holds for the times at which it goes, and all of it goes', async () => {
  const scenario = fc.record({
    stalls: fc.array(fc.integer({ min: 1, max: 990 }), { minLength: 1, maxLength: 40 }),
    count: fc.integer({ min: 1, max: 150 }),
    more: fc.nat(3),
    perSecond: fc.integer({ min: 20, max: 200 }),
    burst: fc.integer({ min: 1, max: 20 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ stalls, count, more, perSecond, burst }) => {
      const { clock, outcomes, stage } = rig({ perSecond, burst, overflow: 'delay' })
      const times: number[] = []
      let held: Held[] = []
      const settle = (events: readonly (typeof a)[], said: readonly Outcome[]): void => {
        for (const [i, outcome] of said.entries())
          if (outcome.type === 'keep') times.push(clock.nowMs)
          else held.push({ event: events[i]!, outcome })
      }
      const come = async (n: number): Promise<void> => {
        const events = Array.from({ length: n }, (_, i) => inQueue('a', i))
        settle(events, await outcomes(events))
      }
      await come(count)
      for (let n = 0; held.length > 0; n++) {
        assert.ok(n < 5_000, `${held.length} of ${count} still wait`)
        clock.nowMs += stalls[n % stalls.length] ?? 1
        const isDue = ({ outcome }: Held): boolean => outcome.type === 'hold' && outcome.untilMs <= clock.nowMs
        const due = held.filter(isDue)
        held = held.filter((one) => !isDue(one))
        const said = await stage.resume!(due.map(resumedOf), new AbortController().signal)
        settle(
          due.map(({ event }) => event),
          said,
        )
        if (n < stalls.length) await come(more)
      }
      assert.equal(breaksLaw(times, { perSecond, burst }), null)
    }),
    { numRuns: 200 },
  )
})

test('per conversation: those that could not go in their time book another, each once, and the bound holds', async () => {
  const of = (id: string): typeof a => eventOf({ conversationId: id })
  const { clock, outcomes, resume } = rig({ per: 'conversation', perSecond: 1, burst: 1, overflow: 'delay' })
  const ids = ['v', 'w', 'x', 'y', 'z']
  const held = await outcomes(ids.map(of))
  clock.nowMs += 60_000
  const late = ids.slice(1).map((id, i) => ({ event: of(id), outcome: held[i + 1]! }))
  assert.deepEqual(await resume(...late.slice(0, 2)), ['keep', 'limit.delayed * +1000'])
  assert.deepEqual(await resume(late[1]!, late[2]!), ['limit.delayed * +1000', 'limit.delayed * +2000'], 'x waits for the time it has')
  clock.nowMs += 1_000
  assert.deepEqual(await resume(late[1]!), ['keep'])
})

const load = fc.record({
  overflow: fc.constantFrom('delay', 'drop', 'sample', 'latest'),
  perSecond: fc.double({ min: 0.5, max: 40, noNaN: true }),
  burst: fc.integer({ min: 1, max: 30 }),
  leaseMs: fc.constantFrom(1, 250, 1_000),
  steps: fc.oneof(
    fc.array(fc.record({ gapMs: fc.nat(400), noisy: fc.nat(12), at: fc.nat(1) }), { minLength: 1, maxLength: 60, size: 'max' }),
    // Demand near the rate, then a crowd: what was taken ahead is used late, beside a full bucket.
    fc.array(fc.record({ gapMs: fc.nat(80), noisy: fc.constantFrom(0, 1, 1, 2, 30), at: fc.nat(1) }), {
      minLength: 50,
      maxLength: 150,
      size: 'max',
    }),
  ),
})

test('property: two limiters on one store admit of a key, in any T seconds, at most perSecond * T + burst; sampled ones besides', async () => {
  await fc.assert(
    fc.asyncProperty(load, async ({ overflow, perSecond, burst, leaseMs, steps }) => {
      const store = memoryStore()
      const at = { nowMs: 1_774_000_000_000 }
      const rigs = [0, 1].map(() => rig({ overflow, perSecond, burst, sampleOneIn: 3 }, { store, at, leaseMs }))
      const admitted: number[] = []
      let sampled = 0
      let dropped = 0
      let held: {
        readonly by: number
        readonly event: typeof a
        readonly untilMs: number
        readonly outcome: Held['outcome']
      }[] = []
      const due = async (): Promise<void> => {
        for (const one of held.filter((h) => h.untilMs <= at.nowMs)) {
          held = held.filter((h) => h !== one)
          const [outcome] = await rigs[one.by]!.resume({ event: one.event, outcome: one.outcome })
          assert.equal(outcome, 'keep')
          admitted.push(at.nowMs)
        }
      }
      for (const step of steps) {
        const endMs = at.nowMs + step.gapMs
        for (;;) {
          const next = Math.min(...held.map((h) => h.untilMs))
          if (next > endMs) break
          at.nowMs = Math.max(at.nowMs, next)
          await due()
        }
        at.nowMs = endMs
        const events = Array.from({ length: step.noisy }, (_, i) =>
          eventOf({ queueId: 'q', topic: PRESENCE, entity: { kind: 'user', id: `${i % 3}` } }, i),
        )
        const outcomes = await rigs[step.at]!.outcomes(events)
        for (const [i, outcome] of outcomes.entries()) {
          if (outcome.type === 'keep' && outcome.note === undefined) admitted.push(at.nowMs)
          else if (outcome.type === 'keep') sampled++
          else if (outcome.type === 'drop') dropped++
          else if (outcome.type === 'hold') {
            assert.ok(outcome.untilMs > at.nowMs)
            // The route keeps one event a slot.
            if (outcome.slot !== undefined)
              held = held.filter((h) => h.by !== step.at || h.outcome.type !== 'hold' || h.outcome.slot !== outcome.slot)
            held.push({ by: step.at, event: events[i]!, untilMs: outcome.untilMs, outcome })
          }
        }
      }
      assert.equal(breaksLaw(admitted, { perSecond, burst }), null)
      assert.ok(sampled <= (sampled + dropped) / 3)
    }),
    { numRuns: 120 },
  )
})

test('property: a key whose demand stays well below its rate is never limited, however tokens are leased and shared', async () => {
  const quiet = fc.record({
    leaseMs: fc.constantFrom(1, 250, 1_000),
    gaps: fc.array(fc.integer({ min: 400, max: 1_200 }), { minLength: 1, maxLength: 80 }),
  })
  await fc.assert(
    fc.asyncProperty(quiet, async ({ leaseMs, gaps }) => {
      const at = { nowMs: 1_774_000_000_000 }
      const store = memoryStore()
      const rigs = [0, 1].map(() => rig({ perSecond: 5, burst: 5 }, { store, at, leaseMs }))
      for (const [i, gapMs] of gaps.entries()) {
        at.nowMs += gapMs
        assert.deepEqual(await rigs[i % 2]!.run(a), ['keep'])
      }
    }),
  )
})

test('most events of a busy key cost no call of the store', async () => {
  let calls = 0
  const memory = memoryStore()
  const store: Store = { ...memory, takeTokens: async (...asked) => (calls++, memory.takeTokens(...asked)) }
  const count = async (limit: Partial<LimitConfig>, gapMs: number): Promise<number> => {
    calls = 0
    const { run, clock } = rig(limit, { store, leaseMs: 1_000 })
    for (let n = 0; n < 2_000; n++) {
      clock.nowMs += gapMs
      await run(a)
    }
    return calls / 2_000
  }
  assert.ok((await count({ perSecond: 400, burst: 400 }, 5)) < 0.1, 'half of what it may')
  assert.ok((await count({ perSecond: 5, burst: 10, overflow: 'drop' }, 5)) < 0.1, 'forty times what it may, dropped')
  assert.ok((await count({ perSecond: 5, burst: 10, overflow: 'delay' }, 5)) < 0.35, 'forty times what it may, delayed')
})
