/**
 * What limit and order cost a route: `node bench/shape.bench.ts [thousand events] [thousand keys]` (default 200 and 1,000), alone on the machine.
 *
 * A whole route on SQLite, with a sink that takes everything at once: the same events through a bare route, one with a limit, one that
 * orders within a window, and one with both; what a stage costs is the difference. The limit is never reached but for one case. The clock
 * of the route stands, and the records say how time passes, as when a route catches up. Figures are processor time.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LimitConfig, OrderConfig, RouteConfig } from '../src/config/config.ts'
import type { Event } from '../src/event/event.ts'
import { limitStage } from '../src/limit/limit.ts'
import { fixedTerms } from '../src/limit/rates.ts'
import { KEEP, type Stage } from '../src/pipeline/outcome.ts'
import { Rows } from '../src/log/columns.ts'
import { LogReader } from '../src/log/reader.ts'
import { SegmentWriter } from '../src/log/segment-writer.ts'
import { Ledger } from '../src/routes/ledger.ts'
import { Route } from '../src/routes/route.ts'
import type { Sink } from '../src/sinks/sink.ts'
import { sqliteStore } from '../src/stores/sqlite.ts'
import { eventOf } from '../src/testing/event-of.ts'
import { LOG_ID, framesOf, routeConfig } from '../src/testing/route-harness.ts'

const count = Number(process.argv[2] ?? 200) * 1_000
const ACTIVE = 2_000
const keys = Number(process.argv[3] ?? 1_000) * 1_000
const dir = mkdtempSync(join(tmpdir(), 'trunkline-shape-'))
const startMs = 1_774_000_000_000

const LIMIT: LimitConfig = {
  topics: null,
  per: 'queue',
  perSecond: 1_000_000,
  burst: 1_000_000,
  overflow: 'drop',
  sampleOneIn: 10,
  limits: {},
  priority: null,
}
const WINDOW: OrderConfig = { by: 'conversation', windowMs: 5_000, late: 'deliver' }

const RAW = new TextEncoder().encode('{"detail":{}}')
const log = await logOf(count)
let runs = 0
process.stdout.write(`${count} events, ${process.version}\n`)

try {
  await measure('warming up', {}, [])
  const bare = await measure('bare', {}, [])
  const shapes: readonly [string, Partial<RouteConfig>, LimitConfig | null][] = [
    ['limit, never reached', {}, LIMIT],
    ['limit, most dropped', {}, { ...LIMIT, perSecond: 1, burst: 1 }],
    ['limit, most delayed (booked and stored, not delivered)', {}, { ...LIMIT, perSecond: 1, burst: 1, overflow: 'delay' }],
    ['order, window of 5 s at 1,000 events/s', { order: WINDOW }, null],
    ['order of arrival', { order: { ...WINDOW, windowMs: null } }, null],
    ['limit and order', { order: WINDOW }, LIMIT],
  ]
  for (const [name, config, limit] of shapes) {
    const us = await measure(name, config, limit === null ? [] : [stageOf(limit, name)])
    process.stdout.write(`  costs ${(us - bare).toFixed(2)} us an event\n`)
  }
  await manyKeys()
} finally {
  rmSync(dir, { recursive: true, force: true })
}

/** Microseconds an event through a whole route. */
async function measure(name: string, config: Partial<RouteConfig>, shaping: readonly Stage[]): Promise<number> {
  const ledger = new Ledger(join(dir, `ledger-${(runs += 1)}.db`))
  ledger.createRoute('crm', 1)
  let delivered = 0
  const sink: Sink = {
    kind: 'bench',
    maxBatch: 500,
    concurrency: 4,
    open: async () => {},
    deliver: async (events) => ((delivered += events.length), events.map(() => KEEP)),
    position: () => null,
    close: async () => {},
  }
  const whole = routeConfig(config)
  const clock = {
    nowMs: () => startMs + count + 60_000,
    wait: (ms: number) => (ms === 0 ? Promise.resolve() : new Promise<void>(() => undefined)),
  }
  const route = new Route({
    config: whole,
    ledger,
    log,
    sink,
    shaping,
    clock,
    random: () => 0.5,
    warn: (code) => process.stdout.write(`${code}\n`),
  })
  const beganUs = cpuUs()
  await route.start()
  const settled = (): boolean => {
    const { lag, inFlight, held } = route.status()
    return lag === 0 && inFlight === 0 && (held === 0 || whole.order === null)
  }
  while (!settled()) await new Promise((resolve) => setImmediate(resolve))
  const us = (cpuUs() - beganUs) / count
  await route.stop(0)
  const { held, counts } = route.status()
  process.stdout.write(
    `${name}: ${us.toFixed(2)} us an event; ${delivered} delivered, ${held} held, ${counts['noted|order.late|'] ?? 0} late\n`,
  )
  ledger.close()
  return us
}

/** A limit on a key that nearly every event has for itself. */
async function manyKeys(): Promise<void> {
  const store = sqliteStore({ path: join(dir, 'keys.db') })
  const clock = { nowMs: startMs }
  const stage = limitStage({
    terms: fixedTerms({ ...LIMIT, per: 'user', perSecond: 5, burst: 5 }),
    topics: null,
    name: 'crm',
    store,
    clock: { nowMs: () => clock.nowMs },
    leaseMs: 1_000,
    warn: (code) => process.stdout.write(`${code}\n`),
  })
  const base = eventOf()
  const signal = new AbortController().signal
  const beganUs = cpuUs()
  for (let at = 0; at < keys; at += 1_000) {
    clock.nowMs += 100
    await stage.run(
      Array.from({ length: 1_000 }, (_, i) => ({ ...base, userId: `user-${at + i}` })),
      signal,
    )
  }
  const us = (cpuUs() - beganUs) / keys
  const { rss, heapUsed } = process.memoryUsage()
  process.stdout.write(`limit, ${keys} different keys: ${us.toFixed(2)} us an event; rss ${mb(rss)}, heap ${mb(heapUsed)}\n`)
  await store.close()
}

/** A log on disk. */
async function logOf(events: number): Promise<LogReader> {
  const writer = new SegmentWriter({
    dir: join(dir, 'log'),
    segmentBytes: 64 * 1024 * 1024,
    maxBytes: 1e12,
    maxAgeMs: 1e15,
    minFreeBytes: 0,
    atCap: 'refuse',
    nowMs: () => startMs,
  })
  for (let at = 0; at < events; at += 500) {
    const rows = new Rows()
    let offset = 0
    const frames = framesOf(
      Array.from({ length: 500 }, (_, i) => shortEvent(at + i)),
      at + 1,
    )
    for (let i = 0; i < 500; i++) {
      rows.add(null, offset)
      offset += frames.readUInt32LE(offset + 4)
    }
    const group = { frames, rows, firstSeq: at + 1, minReceivedAtMs: startMs + at, maxReceivedAtMs: startMs + at + 499 }
    await writer.write([group])
    writer.commit([group])
  }
  writer.close()
  const reader = new LogReader(LOG_ID)
  reader.update({ sealed: writer.sealed, active: null, nextSeq: events + 1 })
  return reader
}

function stageOf(limit: LimitConfig, name: string): Stage {
  const store = sqliteStore({ path: join(dir, `limits-${runs}.db`) })
  const clock = { nowMs: () => startMs + count }
  return limitStage({
    terms: fixedTerms(limit),
    topics: null,
    name,
    store,
    clock,
    leaseMs: 0,
    warn: (code) => process.stdout.write(`${code}\n`),
  })
}

/** Fifteen events a conversation, so many of them at once, a thousand events a second, up to 3 s out of order; a small body. */
function shortEvent(i: number): Event {
  const conversation = Math.floor(i / (15 * ACTIVE)) * ACTIVE + (i % ACTIVE)
  const receivedAtMs = startMs + i
  return eventOf(
    {
      queueId: `queue-${conversation % 50}`,
      conversationId: `${String(conversation).padStart(8, '0')}-1111-4111-8111-111111111111`,
      occurredAtMs: receivedAtMs - ((i * 7919) % 3_000),
      receivedAtMs,
      raw: RAW,
    },
    i,
  )
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

/** Processor time of this process so far: what else the machine does is not in it. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
