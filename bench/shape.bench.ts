/**
 * What limit and order cost a route, and with them the state: `node bench/shape.bench.ts [thousand events] [thousand keys] [rounds]`
 * (default 200, 10,000 and 5), alone on the machine.
 *
 * A whole route on SQLite, with a sink that takes everything at once: the same events through a bare route, one with a limit, one that
 * orders within a window, and one with both; what a stage costs is the difference. The limit is never reached but for two cases. The clock
 * of the route stands, and the records say how time passes, as when a route catches up. Then the events of a simulated centre, up to 3 s
 * out of order: limit and order on a route, and beside it the state, read and parsed and stored as the service does it. Last the same
 * with ten million keys known. Figures are processor time of all threads, the median of the rounds and the best of them.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LimitConfig, OrderConfig, RouteConfig } from '../src/config/config.ts'
import type { Event } from '../src/event/event.ts'
import { limitStage } from '../src/limit/limit.ts'
import { fixedTerms } from '../src/limit/rates.ts'
import { Rows } from '../src/log/columns.ts'
import { LogReader, type LogRecord } from '../src/log/reader.ts'
import { SegmentWriter } from '../src/log/segment-writer.ts'
import { KEEP, type Stage } from '../src/pipeline/outcome.ts'
import { Held } from '../src/routes/held.ts'
import { Ledger } from '../src/routes/ledger.ts'
import { Ordering } from '../src/routes/ordering.ts'
import { Progress } from '../src/routes/progress.ts'
import { Route } from '../src/routes/route.ts'
import { simulation } from '../src/simulator/model/simulation.ts'
import type { Sink } from '../src/sinks/sink.ts'
import { factsOf } from '../src/state/facts-of.ts'
import { createState } from '../src/state/folded-state.ts'
import { sqliteStore } from '../src/stores/sqlite.ts'
import { StateRows } from '../src/stores/state-rows.ts'
import { eventOf } from '../src/testing/event-of.ts'
import { LOG_ID, framesOf, routeConfig } from '../src/testing/route-harness.ts'
import { receiver } from '../src/testing/simulated-state.ts'

const count = Number(process.argv[2] ?? 200) * 1_000
const keys = Number(process.argv[3] ?? 10_000) * 1_000
const rounds = Number(process.argv[4] ?? 5)
const ACTIVE = 2_000
/** As the service stores the state when events come fast. */
const STORE_EVERY = 4_000
const dir = mkdtempSync(join(tmpdir(), 'trunkline-shape-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
const startMs = 1_774_000_000_000
const signal = new AbortController().signal
const RAW = new TextEncoder().encode('{"detail":{}}')
let files = 0

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

type Shape = { readonly config: Partial<RouteConfig>; readonly limit: LimitConfig | null }

const BARE: Shape = { config: {}, limit: null }
const BOTH: Shape = { config: { order: WINDOW }, limit: LIMIT }
const SHAPES: ReadonlyMap<string, Shape> = new Map([
  ['bare', BARE],
  ['limit, never reached', { config: {}, limit: LIMIT }],
  ['limit, most dropped', { config: {}, limit: { ...LIMIT, perSecond: 1, burst: 1 } }],
  [
    'limit, most delayed (booked and stored, not delivered)',
    { config: {}, limit: { ...LIMIT, perSecond: 1, burst: 1, overflow: 'delay' } },
  ],
  ['order, window of 5 s at 1,000 events/s', { config: { order: WINDOW }, limit: null }],
  ['order of arrival', { config: { order: { ...WINDOW, windowMs: null } }, limit: null }],
  ['limit and order', BOTH],
])

line(`${count} events, ${rounds} rounds, ${process.version}`)
const short = await logOf(count, (i) => shortEvent(i))
await through(short, BARE)
const costs = new Map<string, number[]>()
for (let round = 0; round < rounds; round++)
  for (const [name, shape] of SHAPES) costs.set(name, [...(costs.get(name) ?? []), await through(short, shape)])
const bare = costs.get('bare')!
for (const [name, us] of costs)
  line(`${name}: ${shown(us)} us an event${us === bare ? '' : `; costs ${(median(us) - median(bare)).toFixed(2)}`}`)

await together()
await compared('limit', limiting)
await compared('order', orderingMany)

/** Microseconds an event through a whole route. */
async function through(log: LogReader, { config, limit }: Shape): Promise<number> {
  const ledger = new Ledger(file())
  ledger.createRoute('crm', 1)
  const nowMs = startMs + 30 * 86_400_000
  const route = new Route({
    config: routeConfig(config),
    ledger,
    log,
    sink: everything(),
    shaping: limit === null ? [] : [stageOf(limit, nowMs)],
    clock: { nowMs: () => nowMs, wait: (ms) => (ms === 0 ? Promise.resolve() : new Promise<void>(() => undefined)) },
    random: () => 0.5,
    warn: (code) => line(code),
  })
  const us = await measured(log.nextSeq - 1, async () => {
    await route.start()
    const settled = (): boolean => {
      const { lag, inFlight, held } = route.status()
      return lag === 0 && inFlight === 0 && (held === 0 || config.order === undefined)
    }
    while (!settled()) await new Promise((resolve) => setImmediate(resolve))
  })
  await route.stop(0)
  ledger.close()
  return us
}

/** Limit, order and state on the same events. */
async function together(): Promise<void> {
  const log = await simulatedLog()
  const [bare, shaped, read, folded]: [number[], number[], number[], number[]] = [[], [], [], []]
  for (let round = 0; round < rounds; round++) {
    bare.push(await through(log, BARE))
    shaped.push(await through(log, BOTH))
    read.push(await measured(count, () => follow(log, () => undefined)))
    folded.push(await measured(count, () => fold(log)))
  }
  const shaping = median(shaped) - median(bare)
  const state = median(folded) - median(read)
  line(`a simulated centre on a bare route: ${shown(bare)}, with limit and order ${shown(shaped)} us an event`)
  line(`... read from the log beside it: ${shown(read)}, parsed, folded and stored as state ${shown(folded)}`)
  line(`LIMIT + ORDER + STATE: ${(shaping + state).toFixed(2)} us an event (${shaping.toFixed(2)} and ${state.toFixed(2)})`)
}

/** As `src/hosts/state-keeper.ts` does it. */
async function fold(log: LogReader): Promise<void> {
  const rows = new StateRows({ path: file(), warn: line })
  const state = createState({ stored: true, recall: (kind, id) => rows.chunk(kind, id) })
  let unstored = 0
  const store = (position: number): void => {
    const batch = state.unstored(position > count)
    rows.write(batch, { position, newestAtMs: state.newestAtMs, completeSinceMs: state.completeSinceMs })
    state.stored(batch)
    unstored = 0
  }
  await follow(log, (event, seq) => {
    state.apply(factsOf(event, JSON.parse(Buffer.from(event.raw).toString('utf8'))), event.receivedAtMs)
    if (++unstored === STORE_EVERY) store(seq + 1)
  })
  store(log.nextSeq)
  rows.close()
}

async function follow(log: LogReader, take: (event: Event, seq: number) => void): Promise<void> {
  for (let seq = 1; seq < log.nextSeq;) {
    const { records, nextSeq } = await log.read(seq)
    for (const record of records) take(log.event(record), record.seq)
    seq = nextSeq
  }
}

/** Its events are not held on to: they would be in the way of the collector. */
async function simulatedLog(): Promise<LogReader> {
  const events = played(count)
  return logOf(count, (i) => events[i]!)
}

/** Events `from` to `to`, each with the key that is its own. */
type Run = (from: number, to: number, keyOf: (n: number) => number) => void | Promise<void>

/** A limit for each key. */
function limiting(): Run {
  let nowMs = startMs
  const stage = stageOf({ ...LIMIT, per: 'user', perSecond: 5, burst: 5 }, () => nowMs, 1_000)
  const base = eventOf()
  return async (from, to, keyOf) => {
    for (let at = from; at < to; at += 1_000) {
      nowMs += 100
      const events = Array.from({ length: 1_000 }, (_, i) => ({ ...base, userId: `user-${keyOf(at + i)}` }))
      await stage.run(events, signal)
    }
  }
}

/** What the order of a route has to do with each event, with its commits. */
function orderingMany(): Run {
  const ledger = new Ledger(file())
  ledger.createRoute('crm', 1)
  const held = new Held(ledger, 'crm')
  const progress = new Progress(1)
  const ordering = new Ordering({ order: WINDOW, route: 'crm', ledger, held, progress })
  ordering.restore(startMs)
  ordering.restored()
  const base = eventOf()
  return (from, to, keyOf) => {
    for (let at = from; at < to; at += 500) {
      // As many as are read at once share a buffer.
      const record: LogRecord = { seq: at + 1, receivedAtMs: startMs + at, firstSeq: -1, buffer: Buffer.alloc(256 * 1024), at: 0 }
      for (let seq = at + 1; seq <= at + 500; seq++) {
        const receivedAtMs = startMs + seq
        ordering.advance(receivedAtMs)
        progress.take(seq)
        const event: Event = {
          ...base,
          conversationId: `conversation-${keyOf(seq)}`,
          occurredAtMs: receivedAtMs - (seq % 3_000),
          receivedAtMs,
        }
        ordering.enter(seq, { event, record, again: false })
      }
      ordering.age(at + 501)
      for (const item of ordering.takeReady(1_000)) {
        ordering.keptOf(item)
        progress.done(item.seq)
        ordering.leave(item.entity, item.seq)
      }
      ledger.transaction(() => {
        held.write()
        ordering.write()
      })
      held.written()
      ordering.written()
    }
  }
}

/** Throughput of the same traffic when so many other keys are known against none, by itself and with the rest of a bare route. */
async function compared(what: string, make: () => Run): Promise<void> {
  const part = 200_000
  const own = (n: number): number => n
  // Fifteen events a key, so many keys at once.
  const traffic = (n: number): number => keys + Math.floor(n / (15 * ACTIVE)) * ACTIVE + (n % ACTIVE)
  const none: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const run = make()
    const us = await measured(part, () => run(0, part, traffic))
    // The first is for the compiler.
    if (round > 0) none.push(us)
  }
  const run = make()
  const each = await measured(keys, () => run(0, keys, own))
  const known: number[] = []
  for (let round = 0; round < rounds; round++)
    known.push(await measured(part, () => run(keys + round * part, keys + (round + 1) * part, traffic)))
  const { rss, heapUsed } = process.memoryUsage()
  const route = median(bare)
  const percent = (a: number, b: number): string => `${((100 * a) / b).toFixed(0)} %`
  line(`${what}: ${keys} keys that come once: ${each.toFixed(2)} us an event; rss ${mb(rss)}, heap ${mb(heapUsed)}`)
  line(
    `... traffic of ${ACTIVE} keys at once: ${shown(none)} with none known, ${shown(known)} with those: ` +
      `throughput ${percent(median(none), median(known))}, of the whole route ${percent(route + median(none), route + median(known))}`,
  )
}

/** A log on disk. */
async function logOf(events: number, eventAt: (i: number) => Event): Promise<LogReader> {
  const writer = new SegmentWriter({
    dir: file(),
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
    const group = Array.from({ length: 500 }, (_, i) => eventAt(at + i))
    const frames = framesOf(group, at + 1)
    for (let i = 0; i < 500; i++) {
      rows.add(null, offset)
      offset += frames.readUInt32LE(offset + 4)
    }
    const written = {
      frames,
      rows,
      firstSeq: at + 1,
      minReceivedAtMs: group[0]!.receivedAtMs,
      maxReceivedAtMs: group.at(-1)!.receivedAtMs,
    }
    await writer.write([written])
    writer.commit([written])
  }
  writer.close()
  const reader = new LogReader(LOG_ID)
  reader.update({ sealed: writer.sealed, active: null, nextSeq: events + 1 })
  return reader
}

function stageOf(limit: LimitConfig, nowMs: number | (() => number), leaseMs = 0): Stage {
  const store = sqliteStore({ path: file() })
  const clock = { nowMs: typeof nowMs === 'number' ? () => nowMs : nowMs }
  return limitStage({ terms: fixedTerms(limit), topics: null, name: 'crm', store, clock, leaseMs, warn: line })
}

function everything(): Sink {
  return {
    kind: 'bench',
    maxBatch: 500,
    concurrency: 4,
    open: async () => {},
    deliver: async (events) => events.map(() => KEEP),
    position: () => null,
    close: async () => {},
  }
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

/** The first events of a large centre, received up to 3 s after they were published. */
function played(events: number): Event[] {
  const centre = simulation({ agents: 6_000, queues: 50, conversationsPerHour: 60_000, flat: true })
  const receive = receiver(centre.centre.source)
  const all: Event[] = []
  for (let emission = centre.next(); emission !== null && all.length < events; emission = centre.next()) {
    const event = receive(emission)
    all.push({ ...event, receivedAtMs: emission.publishedAtMs + ((all.length * 7919) % 3_000) })
  }
  return all.sort((a, b) => a.receivedAtMs - b.receivedAtMs)
}

/** Microseconds of the processor an event: what else the machine does disturbs them less than those of the clock. */
async function measured(events: number, work: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / events
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1]!
}

function shown(samples: readonly number[]): string {
  return `${median(samples).toFixed(2)} (best ${Math.min(...samples).toFixed(2)})`
}

function file(): string {
  return join(dir, `${(files += 1)}`)
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

function line(text: string): void {
  process.stdout.write(`${text}\n`)
}
