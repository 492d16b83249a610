import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KEEP, type Outcome, dead, hold, retry } from '../pipeline/outcome.ts'
import { turns } from '../testing/virtual-clock.ts'
import { Life, ScriptedSink, someEvents, world } from '../testing/route-harness.ts'

const FAIL = retry('http.503', 'down')

describe('a sink that is down', () => {
  test('costs an event few attempts, and when it is back the backlog drains', async () => {
    const at = world()
    at.log.append(someEvents(300))
    let down = true
    const sink = new ScriptedSink({ concurrency: 4, deliver: (events) => events.map(() => (down ? FAIL : KEEP)) })
    const life = new Life(at)
    const route = await life.route(sink, { retry: { maxAttempts: 16, baseMs: 500, maxMs: 300_000 } })
    await at.clock.advance(1)
    assert.equal(route.status().breaker, 'open')
    assert.equal(route.status().sinkError, 'http.503')
    await at.clock.advance(2 * 3_600_000)
    const attempts = new Map<string, number>()
    for (const { event } of sink.given) attempts.set(event.id, (attempts.get(event.id) ?? 0) + 1)
    assert.ok(Math.max(...attempts.values()) <= 2, `an event had ${Math.max(...attempts.values())} attempts in two hours`)
    assert.ok(sink.given.length <= 10 + 4 + 2 * 120 + 5, `${sink.given.length} attempts were made`)

    down = false
    await at.clock.until('the backlog drains', () => route.status().counts['delivered'] === 300, 600_000)
    assert.equal(route.status().breaker, 'closed')
    assert.equal(route.status().sinkError, null)
    assert.equal(route.status().retrying, 0)
    assert.equal(route.status().counts['dead'], undefined)
    life.crash()
  })

  test('does not slow another route: a sink that never answers holds only its own', async () => {
    const at = world()
    at.log.append(someEvents(500))
    const quick = new ScriptedSink({ maxBatch: 50 })
    const stuck = new ScriptedSink({ maxBatch: 50, deliver: () => new Promise<readonly Outcome[]>(() => undefined) })
    const life = new Life(at)
    const slow = await life.route(stuck, { name: 'slow' })
    const fast = await life.route(quick, { name: 'fast' })
    const beganMs = at.clock.nowMs()
    await turns(200)
    assert.equal(fast.status().lag, 0)
    at.log.append(someEvents(500, {}, 500))
    for (const route of life.routes.values()) route.wake()
    await turns(200)
    assert.equal(fast.status().counts['delivered'], 1_000)
    assert.equal(at.clock.nowMs(), beganMs, 'no time passed for it')
    assert.equal(slow.status().lag, 1_000)
    assert.equal(slow.neededSeq, 1, 'and the log keeps what the slow one needs')
    assert.equal(fast.neededSeq, 1_001)
    life.crash()
  })
})

test('an event is never out of sight between its wait and its next attempt', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const config = { retry: { maxAttempts: 9, baseMs: 1_000, maxMs: 1_000 } }
  const first = new Life(at)
  await first.route(new ScriptedSink({ deliver: (events) => events.map(() => FAIL) }), config)
  await at.clock.advance(1)
  first.crash()
  await at.clock.advance(60_000)
  const second = new Life(at)
  const route = await second.route(new ScriptedSink({}), config)
  for (let microtasks = 0; route.status().counts['delivered'] !== 1; microtasks++) {
    const { retrying, inFlight } = route.status()
    assert.ok(retrying + inFlight > 0, `after ${microtasks} it is nowhere`)
    await (microtasks < 200 ? Promise.resolve() : turns(1))
  }
  second.crash()
})

test('an event past its attempts is dead with every attempt on record, and its neighbours are delivered', async () => {
  const at = world()
  at.log.append(someEvents(5))
  const poison = (await at.log.event(3)).id
  const sink = new ScriptedSink({ maxBatch: 5, deliver: (events) => events.map((e) => (e.id === poison ? retry('http.500', 'no') : KEEP)) })
  const life = new Life(at)
  const route = await life.route(sink)
  await at.clock.until('it is dead', () => life.ledger.get('SELECT 1 FROM dead_letters') !== undefined)
  assert.deepEqual({ ...route.status().counts }, { delivered: 4, attempt_failed: 3, dead: 1 })
  assert.deepEqual(
    life.ledger.history('crm', 3).map(({ what, attempt, reason, detail, origin }) => ({ what, attempt, reason, detail, origin })),
    [1, 2, 3]
      .map((attempt) => ({ what: 'attempt_failed', attempt, reason: 'http.500', detail: 'no', origin: 'live' }))
      .concat([{ what: 'dead', attempt: 3, reason: 'http.500', detail: 'no', origin: 'live' }]),
  )
  assert.deepEqual(
    sink.given.filter((g) => g.event.id === poison).map((g) => g.event.redelivered),
    [false, true, true],
  )
  life.crash()
})

test('an outcome that must not be tried again makes one attempt', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const sink = new ScriptedSink({ deliver: () => [dead('http.400')] })
  const life = new Life(at)
  const route = await life.route(sink)
  await at.clock.until('it is dead', () => life.ledger.get('SELECT 1 FROM dead_letters') !== undefined)
  assert.equal(sink.given.length, 1)
  assert.equal(route.status().breaker, 'closed')
  life.crash()
})

test('a hold is no attempt: after an hour of it the event is delivered at its first', async () => {
  const at = world()
  at.log.append(someEvents(2))
  const readyMs = at.clock.nowMs() + 3_600_000
  const sink = new ScriptedSink({
    maxBatch: 2,
    deliver: (events) => events.map(() => (at.clock.nowMs() < readyMs ? hold('disk.full', at.clock.nowMs() + 1_000) : KEEP)),
  })
  const life = new Life(at)
  const route = await life.route(sink, { retry: { maxAttempts: 1, baseMs: 1, maxMs: 1 } })
  await at.clock.advance(1_800_000)
  assert.equal(route.status().sinkError, 'disk.full')
  await at.clock.until('delivered', () => route.status().lag === 0)
  assert.deepEqual({ ...route.status().counts }, { delivered: 2 })
  assert.deepEqual(life.ledger.all('SELECT * FROM history'), [])
  life.crash()
})

test('a stop waits for no hold, and gives a sink that cannot work nothing more', async () => {
  for (const startHeld of [true, false]) {
    const at = world()
    at.log.append(someEvents(50))
    const given = Promise.withResolvers<void>()
    const sink = new ScriptedSink({
      deliver: async (events) => {
        if (!startHeld) await given.promise
        return events.map(() => hold('disk.full', at.clock.nowMs() + 3_600_000))
      },
    })
    const life = new Life(at)
    const route = await life.route(sink)
    await turns(20)
    // The clock stands still: what waits for it would not end.
    const stopped = route.stop(10_000).then(() => 'stopped')
    given.resolve()
    assert.equal(await Promise.race([stopped, turns(2_000)]), 'stopped')
    assert.equal(sink.given.length, 1)
    life.crash()
    const again = new Life(at)
    const working = new ScriptedSink({})
    await again.route(working)
    await at.clock.until('delivered', () => working.delivered.length === 50)
    again.crash()
  }
})

test('the receiver says when: no attempt before Retry-After has passed', async () => {
  const at = world()
  at.log.append(someEvents(1))
  const times: number[] = []
  const sink = new ScriptedSink({
    deliver: () => {
      times.push(at.clock.nowMs())
      return [times.length === 1 ? retry('http.429', null, 90_000) : KEEP]
    },
  })
  const life = new Life(at)
  const route = await life.route(sink)
  await at.clock.until('delivered', () => route.status().lag === 0 && route.status().retrying === 0 && times.length === 2)
  assert.equal(times[1]! - times[0]!, 90_000)
  life.crash()
})

test('a paused route delivers nothing and goes on where it was', async () => {
  const at = world()
  at.log.append(someEvents(3))
  const sink = new ScriptedSink({})
  const life = new Life(at)
  const route = await life.route(sink, { paused: true })
  await at.clock.advance(600_000)
  assert.equal(sink.given.length, 0)
  assert.equal(route.status().paused, true)
  route.paused = false
  await at.clock.until('delivered', () => route.status().lag === 0)
  life.crash()
})

describe('a stop', () => {
  test('lets what is under way finish, and repeats nothing of it', async () => {
    const at = world()
    at.log.append(someEvents(4))
    const open = Promise.withResolvers<void>()
    const sink = new ScriptedSink({
      maxBatch: 2,
      deliver: async (events) => {
        await open.promise
        return events.map(() => KEEP)
      },
    })
    const first = new Life(at)
    await first.route(sink)
    await turns(5)
    const stopped = first.stop(10_000)
    await turns(5)
    open.resolve()
    await stopped
    const second = new Life(at)
    const route = await second.route(sink)
    await at.clock.until('the rest', () => route.status().lag === 0)
    assert.deepEqual(
      sink.given.map(({ event }) => event.id.slice(-1)),
      ['1', '2', '3', '4'],
    )
    second.crash()
  })

  test('gives up after its time, and what it cut short is no attempt', async () => {
    const at = world()
    at.log.append(someEvents(1))
    const sink = new ScriptedSink({
      deliver: (events, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(events.map(() => retry('sink.stopped'))))),
    })
    const life = new Life(at)
    const route = await life.route(sink)
    await turns(5)
    const stopped = route.stop(2_000)
    await at.clock.advance(2_000)
    await stopped
    assert.deepEqual(life.ledger.all('SELECT * FROM history'), [])
    assert.equal(life.ledger.route('crm')?.position, 1)
    life.crash()
  })

  test('waits for no call after one that hung; that attempt counts', async () => {
    const at = world()
    at.log.append(someEvents(9))
    const hung = Promise.withResolvers<void>()
    const sink = new ScriptedSink({
      deliver: async (events) => {
        await hung.promise
        return events.map(() => retry('sink.function_timeout'))
      },
    })
    const life = new Life(at)
    const route = await life.route(sink)
    await turns(5)
    // The clock stands still: what waits for it would not end.
    const stopped = route.stop(10_000).then(() => 'stopped')
    hung.resolve()
    assert.equal(await Promise.race([stopped, turns(2_000)]), 'stopped')
    assert.equal(sink.given.length, 1)
    assert.deepEqual({ ...route.status().counts }, { attempt_failed: 1 })
    life.crash()
  })

  test('ends also while the disk takes no commit, and what was not committed is repeated', async () => {
    const at = world()
    at.log.append(someEvents(1))
    const sink = new ScriptedSink({})
    const life = new Life(at)
    const route = await life.route(sink, { paused: true })
    life.ledger.db.exec("CREATE TRIGGER full BEFORE UPDATE ON routes BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END")
    route.paused = false
    await at.clock.until('the commit is refused', () => at.warnings.length > 0)
    let ended = false
    const stopped = route.stop(1_000).then(() => (ended = true))
    await at.clock.advance(60_000)
    assert.ok(ended, 'the route has stopped')
    await stopped
    assert.equal(at.clock.waiting(), 0, 'and nothing of it goes on')
    assert.equal(life.ledger.route('crm')?.position, 1)
    life.crash()
  })
})

test('a full disk at the commit is tried again, and nothing is lost or doubled', async () => {
  const at = world()
  at.log.append(someEvents(400))
  // Every event leaves history, so that the ledger has to grow.
  const failed = new Set<string>()
  const sink = new ScriptedSink({
    maxBatch: 20,
    deliver: (events) =>
      events.map((e, i) => (i === 0 || failed.has(e.id) ? KEEP : (failed.add(e.id), retry('http.500', 'x'.repeat(500))))),
  })
  const life = new Life(at)
  const route = await life.route(sink, { paused: true })
  const pages = Number(life.ledger.get('PRAGMA page_count')?.['page_count'])
  life.ledger.db.exec(`PRAGMA max_page_count = ${pages + 4}`)
  route.paused = false
  await at.clock.until('the disk is full', () => at.warnings.some((w) => w.includes('full')), 60_000)
  const stuckAt = life.ledger.route('crm')?.position
  await at.clock.advance(10_000)
  assert.equal(life.ledger.route('crm')?.position, stuckAt, 'the ledger is as it was')
  life.ledger.db.exec('PRAGMA max_page_count = 100000')
  await at.clock.until('all are delivered', () => (life.ledger.route('crm')?.counts['delivered'] ?? 0) === 400, 600_000)
  assert.equal(new Set(sink.delivered.map((e) => e.id)).size, 400)
  assert.equal(sink.delivered.length, 400)
  assert.equal(Number(life.ledger.get('SELECT count(*) AS n FROM history')?.['n']), failed.size)
  life.crash()
})

test('a full disk at the very moment of a crash leaves the last commit, from which the next life goes on', async () => {
  const at = world()
  at.log.append(someEvents(50))
  const sink = new ScriptedSink({ maxBatch: 10, deliver: (events) => events.map((e) => dead('x'.repeat(2_000) + e.id)) })
  const first = new Life(at)
  const route = await first.route(sink, { paused: true })
  first.ledger.db.exec(`PRAGMA max_page_count = ${Number(first.ledger.get('PRAGMA page_count')?.['page_count']) + 10}`)
  route.paused = false
  await at.clock.until('the disk is full', () => at.warnings.length > 0, 60_000)
  first.crash()
  const second = new Life(at)
  await second.route(sink)
  await at.clock.until('all are dead', () => Number(second.ledger.get('SELECT count(*) AS n FROM dead_letters')?.['n']) === 50)
  assert.equal(second.ledger.route('crm')?.counts['dead'], 50)
  second.crash()
})
