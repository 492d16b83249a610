import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Rows } from '../log/columns.ts'
import { LogReader } from '../log/reader.ts'
import { type Group, SegmentWriter } from '../log/segment-writer.ts'
import { KEEP, type Outcome, retry } from '../pipeline/outcome.ts'
import { turns } from '../testing/virtual-clock.ts'
import { explainOnRoute } from './explain.ts'
import type { Route } from './route.ts'
import { IN_ARRIVAL, LOG_ID, Life, ScriptedSink, type World, framesOf, someEvents, tempDir, world } from '../testing/route-harness.ts'

const NEVER = (): Promise<readonly Outcome[]> => new Promise(() => undefined)

async function outcomes(at: World, life: Life, route: Route): Promise<string[]> {
  const all: string[] = []
  for (let seq = 1; seq < at.log.reader.nextSeq; seq++)
    all.push(explainOnRoute(life.ledger, 'crm', route, seq, await at.log.event(seq)).outcome)
  return all
}

test('what a paused route has not read is dropped, counted and explained, and what is newer is delivered', async () => {
  const at = world()
  at.log.append(someEvents(10))
  const sink = new ScriptedSink({ maxBatch: 10 })
  const life = new Life(at)
  const route = await life.route(sink, { paused: true })
  route.expireBefore(7)
  route.paused = false
  await at.clock.until('the rest is delivered', () => life.ledger.route('crm')?.position === 11)
  assert.deepEqual(life.ledger.route('crm')?.counts, { 'dropped|backlog.expired|': 6, delivered: 4 })
  assert.deepEqual(await outcomes(at, life, route), [...Array<string>(6).fill('dropped'), ...Array<string>(4).fill('delivered')])
  assert.equal(explainOnRoute(life.ledger, 'crm', route, 2, await at.log.event(2)).reason, 'backlog.expired')
  life.crash()
})

test('it cannot expire what is not there yet', async () => {
  const at = world()
  at.log.append(someEvents(2))
  const sink = new ScriptedSink({})
  const life = new Life(at)
  const route = await life.route(sink, { paused: true })
  route.expireBefore(100)
  at.log.append(someEvents(1, {}, 2))
  route.paused = false
  await at.clock.until('delivered', () => sink.delivered.length === 1)
  assert.deepEqual({ ...route.status().counts }, { 'dropped|backlog.expired|': 2, delivered: 1 })
  life.crash()
})

test('a sink that never answers keeps only what it has in hand: what was read for it expires too', async () => {
  const at = world()
  at.log.append(someEvents(20))
  const life = new Life(at)
  const route = await life.route(new ScriptedSink({ deliver: NEVER }))
  await turns(10)
  route.expireBefore(16)
  await turns(10)
  assert.deepEqual({ ...route.status().counts }, { 'dropped|backlog.expired|': 14 })
  assert.equal(route.neededSeq, 1, 'the one in hand')
  assert.deepEqual(await outcomes(at, life, route), ['waiting', ...Array<string>(14).fill('dropped'), ...Array<string>(5).fill('waiting')])
  life.crash()
})

test('what waits for its next attempt, and for its predecessor, expires too, so that the log may go on', async () => {
  const at = world()
  at.log.append([...someEvents(3, { conversationId: 'a' }), ...someEvents(2, { conversationId: 'b' }, 3)])
  const sink = new ScriptedSink({
    maxBatch: 5,
    deliver: (events) => events.map((e) => (e.conversationId === 'a' ? retry('http.500') : KEEP)),
  })
  const life = new Life(at)
  const route = await life.route(sink, { order: IN_ARRIVAL, retry: { maxAttempts: 9, baseMs: 3_600_000, maxMs: 3_600_000 } })
  await turns(30)
  assert.equal(route.neededSeq, 1)
  route.expireBefore(3)
  await turns(30)
  assert.equal(sink.given.filter(({ event }) => event.conversationId === 'a').length, 2, 'the third has its turn now')
  assert.deepEqual(await outcomes(at, life, route), ['dropped', 'dropped', 'retrying', 'delivered', 'delivered'])
  assert.equal(route.neededSeq, 3)
  assert.deepEqual(
    life.ledger.route('crm')?.pending.map((p) => p.seq),
    [3],
  )
  assert.equal(route.status().counts['dropped|backlog.expired|'], 2)
  life.crash()
})

test('no event expires and is delivered: a policy that strikes while records are read waits for the reading', async () => {
  const at = world()
  at.log.append(someEvents(10))
  const sink = new ScriptedSink({ maxBatch: 10 })
  const life = new Life(at)
  const gate = Promise.withResolvers<void>()
  const slow = {
    name: 'limit',
    run: async (events: readonly unknown[]): Promise<readonly Outcome[]> => (await gate.promise, events.map(() => KEEP)),
  }
  const route = await life.route(sink, {}, { shaping: [slow] })
  await turns(3)
  route.expireBefore(6)
  gate.resolve()
  await at.clock.until('settled', () => life.ledger.route('crm')?.position === 11)
  const { counts } = life.ledger.route('crm')!
  assert.equal((counts['delivered'] ?? 0) + (counts['dropped|backlog.expired|'] ?? 0), 10)
  assert.equal(sink.delivered.length, counts['delivered'])
  const all = await outcomes(at, life, route)
  assert.equal(all.filter((o) => o === 'delivered').length, counts['delivered'])
  life.crash()
})

test('what the log lost while a route was not configured is dropped, but not what the route had settled before', async () => {
  const at = world()
  at.log.append(someEvents(10))
  // 2 stays in flight at the crash, 4 waits for its next attempt, the others up to 6 are delivered.
  const first = new Life(at)
  const route = await first.route(
    new ScriptedSink({
      concurrency: 10,
      deliver: (events) => {
        const n = events[0]!.id.slice(-1)
        return n === '2' || n > '6' ? NEVER() : [n === '4' ? retry('http.500') : KEEP]
      },
    }),
    { retry: { maxAttempts: 9, baseMs: 3_600_000, maxMs: 3_600_000 } },
  )
  await at.clock.until('settled', () => route.status().counts['delivered'] === 4 && first.ledger.route('crm')?.position === 2)
  await turns(10)
  first.crash()

  const reader = at.log.beginningAt(9)
  const tail = framesOf(await Promise.all([9, 10].map((seq) => at.log.event(seq))), 9)
  reader.committed(tail, 9, 10, { count: 2, bytes: tail.length, minReceivedAtMs: 0, maxReceivedAtMs: 0 })
  const sink = new ScriptedSink({})
  const second = new Life(at)
  const again = await second.route(sink, {}, { reader })
  await at.clock.until('the rest is delivered', () => second.ledger.route('crm')?.position === 11)
  const { counts, pending } = second.ledger.route('crm')!
  assert.deepEqual(counts, { delivered: 6, attempt_failed: 1, 'dropped|backlog.retention|': 4 })
  assert.deepEqual(pending, [])
  assert.deepEqual(await outcomes(at, second, again), [
    'delivered',
    'dropped',
    'delivered',
    'dropped',
    'delivered',
    'delivered',
    'dropped',
    'dropped',
    'delivered',
    'delivered',
  ])
  assert.ok(at.warnings.some((w) => w.startsWith('backlog.retention')))
  second.crash()
})

test('a log file that cannot be read for a while loses no event that waits for its next attempt', async () => {
  const at = world()
  const dir = join(tempDir(), 'log')
  const writer = new SegmentWriter({
    dir,
    segmentBytes: 1,
    maxBytes: 1e9,
    maxAgeMs: 1e15,
    minFreeBytes: 0,
    atCap: 'refuse',
    nowMs: () => at.clock.nowMs(),
  })
  for (let seq = 1; seq <= 3; seq++) {
    const group = groupOf(seq)
    await writer.write([group])
    writer.commit([group])
  }
  writer.close()
  const reader = new LogReader(LOG_ID)
  reader.update({ sealed: writer.sealed, active: null, nextSeq: 4 })
  let failing = true
  const sink = new ScriptedSink({ maxBatch: 3, deliver: (events) => events.map(() => (failing ? retry('http.500') : KEEP)) })
  const life = new Life(at)
  const route = await life.route(sink, { retry: { maxAttempts: 9, baseMs: 60_000, maxMs: 60_000 } }, { reader })
  for (let i = 0; i < 5_000 && route.status().retrying < 3; i++) await turns(1)
  failing = false
  const path = writer.sealed[1]!.path
  renameSync(path, `${path}.away`)
  mkdirSync(path)
  await at.clock.until('the reading fails', () => at.warnings.some((w) => w.startsWith('route.failed')), 120_000)
  rmdirSync(path)
  renameSync(`${path}.away`, path)
  await at.clock.until('all are delivered', () => sink.delivered.length === 3, 600_000)
  await turns(20)
  assert.deepEqual({ ...route.status().counts }, { attempt_failed: 3, delivered: 3 })
  life.crash()
})

function groupOf(seq: number): Group {
  const rows = new Rows()
  rows.add(null, 0)
  return { frames: framesOf(someEvents(1, {}, seq), seq), rows, firstSeq: seq, minReceivedAtMs: 1, maxReceivedAtMs: 1 }
}
