import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteConfig } from '../config/config.ts'
import { KEEP, type Outcome, dead, drop, hold, retry } from '../pipeline/outcome.ts'
import { redrive } from '../recovery/dead-letters.ts'
import { turns } from '../testing/virtual-clock.ts'
import { eventOf } from '../testing/event-of.ts'
import { type RouteHistory, explainOnRoute } from './explain.ts'
import { IN_ARRIVAL, Life, ScriptedSink, type World, someEvents, world } from '../testing/route-harness.ts'

const NEVER = (): Promise<readonly Outcome[]> => new Promise(() => undefined)
const PRESENCE = 'v2.users.{id}.presence'

async function explain(at: World, life: Life, seq: number, name = 'crm'): Promise<RouteHistory> {
  return explainOnRoute(life.ledger, name, life.routes.get(name) ?? null, seq, await at.log.event(seq))
}

/** A route that has settled everything it was given. */
async function settledRoute(at: World, sink: ScriptedSink, config: Partial<RouteConfig> = {}): Promise<Life> {
  const life = new Life(at)
  const route = await life.route(sink, config)
  await at.clock.until('settled', () => life.ledger.route(route.name)?.position === at.log.reader.nextSeq && route.status().retrying === 0)
  return life
}

test('delivered: every stage kept it, and nothing of it had to be stored', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const life = await settledRoute(at, new ScriptedSink({}), { topics: ['v2.detail.*'] })
  const told = await explain(at, life, 1)
  assert.equal(told.outcome, 'delivered')
  assert.deepEqual(
    told.stages.map(({ stage, outcome, derived }) => [stage, outcome, derived]),
    [
      ['match', 'keep', true],
      ['dedupe', 'keep', true],
      ['deliver', 'keep', true],
    ],
  )
  assert.deepEqual(told.history, [])
  life.crash()
})

test('duplicate: names the first; a route that asks for no dedupe delivers it', async () => {
  const at = world()
  at.log.append(someEvents(2), [null, 1])
  const life = await settledRoute(at, new ScriptedSink({}))
  const raw = await life.route(new ScriptedSink({}), { name: 'raw', dedupe: false })
  await at.clock.until('settled', () => life.ledger.route(raw.name)?.position === 3)
  const first = (await at.log.event(1)).id
  assert.deepEqual([(await explain(at, life, 2)).outcome, (await explain(at, life, 2)).reason], ['duplicate', `duplicate of ${first}`])
  assert.equal((await explain(at, life, 2, 'raw')).outcome, 'delivered')
  life.crash()
})

test('not matched by a pattern: names the clause, and no value of the event', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const life = await settledRoute(at, new ScriptedSink({}), { patterns: [{ detail: { eventBody: { queueId: ['sales'] } } }] })
  const told = await explain(at, life, 1)
  assert.deepEqual([told.outcome, told.reason], ['not_matched', 'match.pattern'])
  assert.match(told.stages[0]?.reason ?? '', /^match\.pattern: detail\.eventBody\.queueId .*; asked for \["sales"\]$/)
  life.crash()
})

test('changes of the state and events are each on their own routes, and why is said in words', async () => {
  const at = world()
  at.log.append([eventOf({}, 0), eventOf({ format: 'change' }, 1)])
  const life = await settledRoute(at, new ScriptedSink({}))
  const crm = await life.route(new ScriptedSink({}), { name: 'finished', changes: 'conversation' })
  await at.clock.until('settled', () => life.ledger.route(crm.name)?.position === 3)
  const told = async (seq: number, name: string): Promise<unknown> => {
    const { outcome, reason, stages } = await explain(at, life, seq, name)
    return [outcome, reason, stages[0]?.reason]
  }
  assert.deepEqual(await told(1, 'crm'), ['delivered', null, null])
  assert.deepEqual(await told(2, 'crm'), [
    'not_matched',
    'match.changes',
    'match.changes: it is a finished conversation, which only routes with changes take',
  ])
  assert.deepEqual(await told(1, 'finished'), [
    'not_matched',
    'match.changes',
    'match.changes: the route takes finished conversations (changes) and nothing else',
  ])
  assert.deepEqual(await told(2, 'finished'), ['delivered', null, null])
  life.crash()
})

test('a definition stored before there were patterns matches by its topics', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const life = await settledRoute(at, new ScriptedSink({}))
  life.ledger.revise('crm', 1, 'older', '{"topics":null,"dedupe":true,"backfill":false,"validate":false}', at.clock.nowMs())
  assert.equal((await explain(at, life, 1)).outcome, 'delivered')
  life.crash()
})

test('not matched, and not offered to a route that began later', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const life = new Life(at)
  const late = await life.route(new ScriptedSink({}), { from: 'latest', topics: [PRESENCE] })
  at.log.append(someEvents(1, {}, 1))
  late.wake()
  await at.clock.until('settled', () => life.ledger.route('crm')?.position === 3)
  assert.deepEqual([(await explain(at, life, 1)).outcome, (await explain(at, life, 1)).reason], ['not_offered', 'route.began_later'])
  assert.deepEqual([(await explain(at, life, 2)).outcome, (await explain(at, life, 2)).reason], ['not_matched', 'match.topic'])
  assert.equal((await explain(at, life, 1, 'never-was')).outcome, 'not_offered')
  life.crash()
})

test('dropped by a stage with a reason of its own', async () => {
  const at = world()
  at.log.append(someEvents(2))
  const life = new Life(at)
  const limit = {
    name: 'limit',
    run: (events: readonly unknown[]): readonly Outcome[] => events.map((_, i) => (i === 0 ? drop('limit.over', 'acme') : KEEP)),
  }
  await life.route(new ScriptedSink({}), {}, { shaping: [limit] })
  await at.clock.until('settled', () => life.ledger.route('crm')?.position === 3)
  const told = await explain(at, life, 1)
  assert.deepEqual([told.outcome, told.reason], ['dropped', 'limit.over'])
  assert.deepEqual(
    told.history.map(({ what, stage, detail }) => [what, stage, detail]),
    [['dropped', 'limit', 'acme']],
  )
  assert.deepEqual(life.ledger.route('crm')?.counts, { 'dropped|limit.over|acme': 1, delivered: 1 })
  life.crash()
})

test('waiting: in flight, behind, and on a route that is not configured any more', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const life = new Life(at)
  const route = await life.route(new ScriptedSink({ deliver: NEVER }))
  await turns(10)
  at.log.append(someEvents(1, {}, 1))
  assert.deepEqual([(await explain(at, life, 1)).outcome, (await explain(at, life, 1)).reason], ['waiting', 'route.in_flight'])
  assert.deepEqual([(await explain(at, life, 2)).outcome, (await explain(at, life, 2)).reason], ['waiting', 'route.behind'])
  life.routes.delete(route.name)
  assert.deepEqual([(await explain(at, life, 1)).outcome, (await explain(at, life, 1)).reason], ['waiting', 'route.not_configured'])
  life.crash()
})

test('held by the sink, and why, until it says otherwise', async () => {
  const at = world()
  at.log.append(someEvents(2))
  const life = new Life(at)
  let works = false
  const sink = new ScriptedSink({
    deliver: ([event]) => (!works ? [hold('sink.function_load', at.clock.nowMs() + 30_000)] : event?.id.endsWith('1') ? [KEEP] : NEVER()),
  })
  await life.route(sink)
  await turns(20)
  const held = { outcome: 'held', reason: 'sink.function_load' }
  for (const seq of [1, 2]) {
    const { outcome, reason } = await explain(at, life, seq)
    assert.deepEqual({ outcome, reason }, held)
  }
  works = true
  await at.clock.advance(30_000)
  assert.equal((await explain(at, life, 1)).outcome, 'delivered')
  assert.equal((await explain(at, life, 2)).reason, 'route.in_flight')
  life.crash()
})

test('retrying and held, with their reasons', async () => {
  const at = world()
  at.log.append(someEvents(2, { conversationId: 'a' }))
  const life = new Life(at)
  await life.route(new ScriptedSink({ deliver: () => [retry('http.500', 'oops')] }), {
    order: IN_ARRIVAL,
    retry: { maxAttempts: 5, baseMs: 3_600_000, maxMs: 3_600_000 },
  })
  await turns(20)
  const first = await explain(at, life, 1)
  assert.deepEqual([first.outcome, first.reason], ['retrying', 'http.500'])
  assert.deepEqual(
    first.history.map(({ what, attempt, detail }) => [what, attempt, detail]),
    [['attempt_failed', 1, 'oops']],
  )
  assert.deepEqual([(await explain(at, life, 2)).outcome, (await explain(at, life, 2)).reason], ['held', 'order.predecessor'])
  life.crash()
})

test('dead, then redriven: every step in order, nothing rewritten', async () => {
  const at = world()
  at.log.append(someEvents(1))
  let works = false
  const life = await settledRoute(at, new ScriptedSink({ deliver: () => [works ? KEEP : dead('http.400', 'bad')] }))
  const before = await explain(at, life, 1)
  assert.deepEqual([before.outcome, before.reason], ['dead', 'http.400'])
  works = true
  redrive(life.ledger, life.routes, {}, at.clock.nowMs(), 'anna')
  assert.equal((await explain(at, life, 1)).outcome, 'retrying')
  await at.clock.until('delivered', () => life.ledger.get(`SELECT 1 FROM dead_letters WHERE state = 'redriven'`) !== undefined)
  const after = await explain(at, life, 1)
  assert.equal(after.outcome, 'delivered')
  assert.deepEqual(after.history.slice(0, before.history.length), before.history)
  assert.deepEqual(
    after.history.map(({ what, origin }) => [what, origin]),
    [
      ['attempt_failed', 'live'],
      ['dead', 'live'],
      ['redrive_requested', 'redrive'],
      ['delivered', 'redrive'],
    ],
  )
  assert.equal(after.stages.at(-1)?.derived, false)
  life.crash()
})

test('each event is explained by the definition it met, also one that was settled ahead of the watermark', async () => {
  const at = world()
  at.log.append([eventOf(), eventOf({ topic: PRESENCE }, 1), eventOf({}, 2), eventOf({ topic: PRESENCE }, 3)])
  // The first stays in flight: 2 and 4 do not match, 3 is delivered above the watermark.
  const first = new Life(at)
  const sink = new ScriptedSink({ concurrency: 2, deliver: (events) => (events[0]!.id.endsWith('1') ? NEVER() : [KEEP]) })
  await first.route(sink, { topics: ['v2.detail.*'] })
  await turns(20)
  assert.equal(first.ledger.route('crm')?.position, 1)
  first.crash()

  at.log.append([eventOf({ topic: PRESENCE }, 4), eventOf({}, 5)])
  const again = new ScriptedSink({})
  const second = await settledRoute(at, again, { topics: [PRESENCE] })
  assert.deepEqual(
    again.delivered.map((e) => e.id.slice(-1)),
    ['5'],
  )
  const told = await Promise.all([1, 2, 3, 4, 5, 6].map((seq) => explain(at, second, seq)))
  assert.deepEqual(
    told.map((t) => t.outcome),
    ['not_matched', 'not_matched', 'delivered', 'not_matched', 'delivered', 'not_matched'],
  )
  const [now, old] = [told[4]!.revision, told[2]!.revision]
  assert.notEqual(now, old)
  assert.deepEqual(
    told.map((t) => t.revision),
    [now, old, old, old, now, now],
  )
  second.crash()
})

test('a record that can no longer be read is no delivery', async () => {
  const at = world()
  at.log.append(someEvents(2))
  const event = await at.log.event(1)
  const config = { retry: { maxAttempts: 9, baseMs: 10, maxMs: 10 } }
  const first = new Life(at)
  await first.route(
    new ScriptedSink({ maxBatch: 2, deliver: (events) => events.map((e) => (e.id === event.id ? retry('http.500') : KEEP)) }),
    config,
  )
  await turns(20)
  first.crash()
  // The log still begins at 1, but the record is gone from it: damaged on disk.
  const reader = at.log.beginningAt(1)
  const second = new Life(at)
  const sink = new ScriptedSink({})
  const route = await second.route(sink, config, { reader })
  await at.clock.until('it is given up', () => second.ledger.route('crm')?.pending.length === 0)
  assert.deepEqual(
    [explainOnRoute(second.ledger, 'crm', route, 1, event).outcome, explainOnRoute(second.ledger, 'crm', route, 1, event).reason],
    ['dropped', 'log.record_lost'],
  )
  assert.equal(route.status().counts['damaged'], 1)
  assert.ok(at.warnings.some((w) => w.startsWith('log.record_lost')))
  second.crash()
})
