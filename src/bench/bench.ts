/**
 * `trunkline bench`: what this machine does, end to end, with real processes: HTTP in, fsync before the 202, identity,
 * route, file sink with fsync. Fails when a single event is lost, doubled or altered. The load generator shares the
 * machine with the service.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:net'
import { type LoadResult, send } from './load.ts'
import { type MeasuredService, type Stats, startMeasured } from './measured-service.ts'
import { NumberedEvents } from './numbered-events.ts'
import { type Verdict, verify } from './verify.ts'

export type BenchOptions = {
  /** Events of each throughput scenario; default 200,000. */
  readonly events?: number
  /** One scenario instead of all: `batch`, `single`, `latency`, `known-keys`, `backlog`. */
  readonly scenario?: string
  readonly json: boolean
  /** Keys known before the `known-keys` scenario measures; default 3,000,000. */
  readonly knownKeys?: number
  /** Runs of each scenario; the median is reported. Default 3 (the long ones run once). */
  readonly runs?: number
  /** Folder for the data; default the system's temp folder. */
  readonly dir?: string
}

export type Measured = {
  readonly scenario: string
  readonly run: number
  readonly events: number
  /** From the first byte sent until every event is committed at the file sink. */
  readonly eventsPerSecond: number
  /** Answer times of requests, ms. */
  readonly answerP50Ms: number
  readonly answerP99Ms: number
  /** Receipt to synced at the file sink, ms (10 % buckets, whole milliseconds at the source). */
  readonly deliveryP50Ms: number | null
  readonly deliveryP99Ms: number | null
  /** Processor time of the service per event, microseconds; the load generator's own is not in it. */
  readonly cpuUs: number | null
  readonly rssMiB: number | null
  readonly peakMiB: number | null
  readonly readyMs: number
  readonly exact: boolean
  readonly verdict: Verdict
  readonly errors: readonly string[]
}

const SCENARIOS = ['batch', 'single', 'latency', 'known-keys', 'backlog'] as const
const BATCH = 1_000
/** Clients that post one event at a time and wait for its answer. */
const SINGLE_CONNECTIONS = 128
const DURABILITY =
  'log: fdatasync before each 202 (group commit); file sink: fdatasync before an event counts as delivered; ledger: SQLite WAL, synchronous=NORMAL'

/** Runs the bench; answers the exit code. */
export async function runBench(options: BenchOptions): Promise<number> {
  if (options.scenario !== undefined && !SCENARIOS.includes(options.scenario as (typeof SCENARIOS)[number])) {
    process.stderr.write(`there is no scenario ${JSON.stringify(options.scenario)}; known are ${SCENARIOS.join(', ')}\n`)
    return 2
  }
  const names = options.scenario === undefined ? SCENARIOS : [options.scenario as (typeof SCENARIOS)[number]]
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}`
  say(`machine: ${machine}`)
  say(`durability: ${DURABILITY}`)
  const all: Measured[] = []
  for (const name of names) {
    const runs = name === 'known-keys' || name === 'backlog' ? 1 : (options.runs ?? 3)
    for (let run = 1; run <= runs; run++)
      for (const measured of await scenario(name, run, options, say)) {
        all.push(measured)
        say(line(measured))
      }
  }
  const medians = medianOf(all)
  if (options.json) process.stdout.write(`${JSON.stringify({ machine, durability: DURABILITY, medians, runs: all })}\n`)
  else process.stdout.write(`${table(medians)}\n`)
  return all.every((m) => m.exact) ? 0 : 1
}

async function scenario(
  name: (typeof SCENARIOS)[number],
  run: number,
  options: BenchOptions,
  say: (line: string) => void,
): Promise<Measured[]> {
  const root = mkdtempSync(join(options.dir ?? tmpdir(), 'trunkline-bench-'))
  try {
    const count = options.events ?? 200_000
    if (name === 'batch') return [await throughput({ name, run, root, count, perRequest: BATCH, connections: 4 })]
    if (name === 'single') return [await throughput({ name, run, root, count, perRequest: 1, connections: SINGLE_CONNECTIONS })]
    if (name === 'latency')
      return [
        await throughput({ name, run, root, count: Math.min(count, 20_000), perRequest: 1, connections: 16, requestsPerSecond: 1_000 }),
      ]
    if (name === 'known-keys') return await knownKeys(root, count, options.knownKeys ?? 3_000_000, say)
    return [await throughput({ name, run, root, count: count * 5, perRequest: BATCH, connections: 4, deadRoute: true })]
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

type Run = {
  readonly name: string
  readonly run: number
  readonly root: string
  readonly count: number
  readonly perRequest: number
  readonly connections: number
  readonly requestsPerSecond?: number
  /** Adds a route whose receiver refuses every connection, so that its backlog grows to everything. */
  readonly deadRoute?: boolean
}

async function throughput(r: Run): Promise<Measured> {
  const service = await startMeasured(r.root, config(r.root, r.deadRoute === true), await freePort())
  try {
    const events = new NumberedEvents(String(r.run))
    return await measure(service, events, r, 0)
  } finally {
    await service.stop()
  }
}

/** The same two figures with millions of keys known: real events, sent the same way. */
async function knownKeys(root: string, count: number, known: number, say: (line: string) => void): Promise<Measured[]> {
  const service = await startMeasured(root, config(root, false), await freePort())
  try {
    const events = new NumberedEvents('9')
    say(`known-keys: sending ${known.toLocaleString('en')} events first`)
    await load(service, events, { from: 0, count: known, perRequest: BATCH, connections: 4 })
    await delivered(service, known)
    const batch = await measure(
      service,
      events,
      { name: 'known-keys batch', run: 1, root, count, perRequest: BATCH, connections: 4 },
      known,
    )
    const single = await measure(
      service,
      events,
      { name: 'known-keys single', run: 1, root, count, perRequest: 1, connections: SINGLE_CONNECTIONS },
      known + count,
    )
    return [batch, single]
  } finally {
    await service.stop()
  }
}

/** Sends `count` events after the first `before`, waits until all is delivered, and checks everything that arrived. */
async function measure(service: MeasuredService, events: NumberedEvents, r: Run, before: number): Promise<Measured> {
  const cpuBefore = service.cpuSeconds()
  const startedAt = performance.now()
  const result = await load(service, events, { ...r, from: before })
  const stats = await delivered(service, before + r.count)
  const seconds = (performance.now() - startedAt) / 1000
  const cpuAfter = service.cpuSeconds()
  const memory = service.memory()
  const verdict = await verify(join(r.root, 'out'), events, 0, before + r.count)
  const { lost, doubled, altered, foreign } = verdict
  const latency = stats.routes['bench']?.latency
  return {
    scenario: r.name,
    run: r.run,
    events: r.count,
    eventsPerSecond: Math.round(r.count / seconds),
    answerP50Ms: round(percentile(result.answerMs, 0.5)),
    answerP99Ms: round(percentile(result.answerMs, 0.99)),
    deliveryP50Ms: latency?.p50Ms ?? null,
    deliveryP99Ms: latency?.p99Ms ?? null,
    cpuUs: cpuBefore === null || cpuAfter === null ? null : round(((cpuAfter - cpuBefore) / r.count) * 1e6),
    rssMiB: memory?.rssMiB ?? null,
    peakMiB: memory?.peakMiB ?? null,
    readyMs: Math.round(service.readyMs),
    exact: result.accepted === r.count && lost + doubled + altered + foreign === 0 && result.errors.length === 0,
    verdict,
    errors: result.errors,
  }
}

const load = (
  service: MeasuredService,
  events: NumberedEvents,
  r: { from: number; count: number; perRequest: number; connections: number; requestsPerSecond?: number },
): Promise<LoadResult> =>
  send({
    host: '127.0.0.1',
    port: service.port,
    token: service.token,
    events,
    from: r.from,
    count: r.count,
    perRequest: r.perRequest,
    connections: r.connections,
    requestsPerSecond: r.requestsPerSecond ?? null,
  })

async function delivered(service: MeasuredService, count: number): Promise<Stats> {
  const giveUpAt = performance.now() + 120_000
  for (;;) {
    const stats = await service.stats()
    if ((stats.routes['bench']?.counts['delivered'] ?? 0) >= count) return stats
    if (performance.now() > giveUpAt)
      throw new Error(`only ${JSON.stringify(stats.routes['bench']?.counts)} of ${count} events were delivered`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function config(root: string, deadRoute: boolean): object {
  const out = join(root, 'out')
  mkdirSync(out, { recursive: true })
  return {
    dataDir: join(root, 'data'),
    log: { maxBytes: 64 * 2 ** 30 },
    routes: {
      bench: { from: 'earliest', sink: { type: 'file', dir: out } },
      ...(deadRoute ? { down: { from: 'earliest', sink: { type: 'http', url: 'http://127.0.0.1:9/nobody' } } } : {}),
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function medianOf(all: readonly Measured[]): Measured[] {
  const names = [...new Set(all.map((m) => m.scenario))]
  return names.map((name) => {
    const runs = all.filter((m) => m.scenario === name).sort((a, b) => a.eventsPerSecond - b.eventsPerSecond)
    return runs[Math.floor(runs.length / 2)] as Measured
  })
}

function table(rows: readonly Measured[]): string {
  const head = [
    'scenario',
    'events',
    'events/s',
    'answer p50',
    'answer p99',
    'delivery p50',
    'delivery p99',
    'CPU us/event',
    'RSS MiB',
    'peak MiB',
    'ready ms',
    'exact',
  ]
  const cells = rows.map((m) => [
    m.scenario,
    String(m.events),
    String(m.eventsPerSecond),
    `${m.answerP50Ms} ms`,
    `${m.answerP99Ms} ms`,
    `${m.deliveryP50Ms ?? '-'} ms`,
    `${m.deliveryP99Ms ?? '-'} ms`,
    String(m.cpuUs ?? '-'),
    String(m.rssMiB ?? '-'),
    String(m.peakMiB ?? '-'),
    String(m.readyMs),
    m.exact ? 'yes' : 'NO',
  ])
  const widths = head.map((h, i) => Math.max(h.length, ...cells.map((c) => c[i]!.length)))
  return [head, ...cells]
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n')
}

const line = (m: Measured): string =>
  `${m.scenario} #${m.run}: ${m.eventsPerSecond} events/s, answer p50 ${m.answerP50Ms} p99 ${m.answerP99Ms} ms, delivery p50 ${m.deliveryP50Ms} p99 ${m.deliveryP99Ms} ms, cpu ${m.cpuUs} us/event, rss ${m.rssMiB} peak ${m.peakMiB} MiB, ready ${m.readyMs} ms, ${m.exact ? 'exact' : `NOT EXACT ${JSON.stringify(m.verdict)} ${m.errors.join('; ')}`}`

const percentile = (sorted: Float64Array, p: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0
const round = (ms: number): number => Math.round(ms * 10) / 10
