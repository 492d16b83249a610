import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '../event/event.ts'
import { parseEventId } from '../log/event-id.ts'
import { KEEP, type Outcome, type Resumed, type Stage, dead, drop, hold } from '../pipeline/outcome.ts'
import { eventOf } from '../testing/event-of.ts'
import { turns } from '../testing/virtual-clock.ts'
import { LOG_ID, Life, ScriptedSink, someEvents, world } from '../testing/route-harness.ts'
import { explainOnRoute } from './explain.ts'

const seqOf = (event: Event): number => parseEventId(LOG_ID, event.id)!

/** A stage that answers as it is told, and writes down what it was asked. */
function scripted(name: string, run: (event: Event) => Outcome, resume?: (held: Resumed) => Outcome) {
  const asked: string[] = []
  const stage: Stage = {
    name,
    run: (events) => events.map((event) => (asked.push(`run ${seqOf(event)}`), run(event))),
    ...(resume === undefined
      ? {}
      : {
          resume: (held: readonly Resumed[]) =>
            held.map((one) => {
              asked.push(`resume ${seqOf(one.event)} ${one.key}`)
              return resume(one)
            }),
        }),
  }
  return { stage, asked }
}

test('a held event comes back to the stage that held it: those before are not asked again, those after are asked then', async () => {
  const at = world()
  const beganMs = at.clock.nowMs()
  at.log.append(someEvents(2))
  const before = scripted('before', () => KEEP)
  const limit = scripted(
    'limit',
    (event) => (seqOf(event) === 1 ? hold('limit.delayed', beganMs + 60_000, { key: 'q' }) : KEEP),
    () => KEEP,
  )
  const after = scripted('validate', (event) => (seqOf(event) === 1 ? dead('validate.quarantined') : KEEP))
  const sink = new ScriptedSink({})
  const life = new Life(at)
  const route = await life.route(sink, {}, { shaping: [before.stage, limit.stage, after.stage] })
  await at.clock.advance(59_999)
  assert.deepEqual([after.asked, route.status().held, route.status().lag], [['run 2'], 1, 0])
  const told = explainOnRoute(life.ledger, 'crm', route, 1, await at.log.event(1))
  assert.deepEqual([told.outcome, told.reason, told.stages.at(-1)?.stage], ['held', 'limit.delayed', 'limit'])
  await at.clock.advance(1)
  assert.deepEqual(before.asked, ['run 1', 'run 2'])
  assert.deepEqual(limit.asked, ['run 1', 'run 2', 'resume 1 q'])
  assert.deepEqual(after.asked, ['run 2', 'run 1'])
  assert.deepEqual({ ...route.status().counts }, { 'held|limit.delayed|q': 1, delivered: 1, attempt_failed: 1, dead: 1 })
  assert.deepEqual(life.ledger.all('SELECT * FROM held'), [])
  life.crash()
})

test('what is held survives the process, in its place, and is told once', async () => {
  const at = world()
  const beganMs = at.clock.nowMs()
  at.log.append(someEvents(3))
  const make = () =>
    scripted(
      'limit',
      (event) => hold('limit.delayed', beganMs + 10_000 * seqOf(event), { key: 'q' }),
      ({ event, dueAtMs }) =>
        seqOf(event) === 2 && dueAtMs === beganMs + 20_000 ? hold('limit.delayed', beganMs + 40_000, { key: 'q' }) : KEEP,
    )
  const first = new Life(at)
  await first.route(new ScriptedSink({ deliver: () => new Promise(() => undefined) }), {}, { shaping: [make().stage] })
  await at.clock.advance(15_000)
  first.crash()
  const limit = make()
  const sink = new ScriptedSink({})
  const second = new Life(at)
  const route = await second.route(sink, {}, { shaping: [limit.stage] })
  await at.clock.advance(30_000)
  assert.deepEqual(sink.delivered.map(seqOf), [1, 3, 2])
  assert.deepEqual(limit.asked, ['resume 1 q', 'resume 2 q', 'resume 3 q', 'resume 2 q'])
  assert.deepEqual({ ...route.status().counts }, { 'held|limit.delayed|q': 3, delivered: 3 })
  assert.equal(second.ledger.history('crm', 2).length, 1)
  second.crash()
})

test('a route that lost the stage goes on behind its place', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const limit = scripted('limit', () => hold('limit.delayed', at.clock.nowMs() + 1_000))
  const first = new Life(at)
  await first.route(new ScriptedSink({}), {}, { shaping: [limit.stage] })
  await turns(20)
  first.crash()
  const validate = scripted('validate', () => drop('validate.no', 'k'))
  const second = new Life(at)
  const route = await second.route(new ScriptedSink({}), {}, { shaping: [validate.stage] })
  await at.clock.advance(1_000)
  assert.deepEqual([validate.asked, route.status().counts['dropped|validate.no|k']], [['run 1'], 1])
  second.crash()
})

test('of those that want one slot the newest by business time stays, from the time promised first; the others name it', async () => {
  const at = world()
  const beganMs = at.clock.nowMs()
  const times = [5_000, 9_000, 7_000]
  at.log.append(times.map((occurredAtMs, i) => eventOf({ conversationId: 'a', occurredAtMs }, i)))
  const limit = scripted(
    'limit',
    (event) => hold('limit.latest', beganMs + 1_000 * seqOf(event), { key: 'q', slot: 'a' }),
    () => KEEP,
  )
  const sink = new ScriptedSink({})
  const life = new Life(at)
  const route = await life.route(sink, {}, { shaping: [limit.stage] })
  await at.clock.advance(999)
  assert.equal(sink.given.length, 0)
  await at.clock.advance(1)
  assert.deepEqual(sink.delivered.map(seqOf), [2])
  assert.equal(route.status().counts['dropped|limit.superseded|q'], 2)
  const second = (await at.log.event(2)).id
  for (const seq of [1, 3]) {
    const { outcome, reason, history } = explainOnRoute(life.ledger, 'crm', route, seq, await at.log.event(seq))
    assert.deepEqual([outcome, reason, history.at(-1)?.detail], ['dropped', 'limit.superseded', `by ${second}`])
  }
  life.crash()
})

test('the log keeps what is held, and no more', async () => {
  const at = world()
  at.log.append(someEvents(10))
  const limit = scripted('limit', (event) => (seqOf(event) === 4 ? hold('limit.delayed', at.clock.nowMs() + 5_000) : KEEP))
  const life = new Life(at)
  const route = await life.route(new ScriptedSink({ maxBatch: 10 }), {}, { shaping: [limit.stage] })
  await turns(30)
  assert.equal(route.neededSeq, 4)
  limit.stage.run = (events) => events.map(() => KEEP)
  await at.clock.advance(5_000)
  await turns(30)
  assert.equal(route.neededSeq, 11)
  life.crash()
})

test('sixty thousand held events of one key hold up nobody, and a restart finds them all', { timeout: 120_000 }, async () => {
  const at = world()
  const noisy = { ...eventOf({ queueId: 'noisy' }), raw: new TextEncoder().encode('{}') }
  const quiet = { ...noisy, queueId: 'quiet' }
  const count = 60_000
  const beganMs = at.clock.nowMs()
  const make = () =>
    scripted(
      'limit',
      (event) => (event.queueId === 'quiet' ? KEEP : hold('limit.delayed', beganMs + 200 * seqOf(event), { key: 'noisy' })),
      () => KEEP,
    )
  const first = new Life(at)
  const sink = new ScriptedSink({ maxBatch: 100 })
  const route = await first.route(sink, {}, { shaping: [make().stage] })
  at.log.append(Array.from({ length: 6 }, () => [...Array.from({ length: count / 6 }, () => noisy), quiet]).flat())
  route.wake()
  // No time passes meanwhile.
  while (sink.delivered.length < 6) await turns(10)
  assert.ok(sink.delivered.every((e) => e.queueId === 'quiet'))
  await at.clock.advance(1_000)
  assert.deepEqual([route.status().lag, route.status().held, sink.delivered.length], [0, count - 5, 11])
  first.crash()
  const second = new Life(at)
  const again = await second.route(sink, {}, { shaping: [make().stage] })
  const before = sink.delivered.length
  await at.clock.advance(100 * 200)
  assert.equal(sink.delivered.length - before, 100)
  again.expireBefore(count - 10)
  await turns(50)
  assert.equal(again.status().held, 10 + 6)
  second.crash()
})
