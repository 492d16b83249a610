/**
 * `trunkline simulate --platform`: the fake Genesys Cloud as a process. Says how to configure Trunkline against it, how
 * it fares now and then, and at the end writes what a client must have got. The first signal stops it in order, the
 * second at once.
 */
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Simulation } from '../simulator/simulation.ts'
import { spanMs, type Fault } from '../simulator/platform/fault-plan.ts'
import type { FakePlatform, PlatformTruth } from '../simulator/platform/platform.ts'
import { note, paintFor, print, type Context } from './context.ts'
import { FAILED, usageError } from './failure.ts'
import { count, instant } from './format.ts'
import { wholeNumber } from './options.ts'
import { safe } from './text.ts'
import { TruthFile } from './truth-file.ts'

/** Values of the options that `addPlatformOptions` adds. */
export type PlatformFlags = {
  readonly platform?: true
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly clientSecret: string
  readonly faults: string
  readonly rateLimit: number
  readonly channelLife: number
  readonly truth?: string
}

/** What the rest of the command line says about the simulation. */
export type PlatformPlay = {
  /** How many times as fast as the machine's clock the platform lives. */
  readonly speed: number
  /** Null without end. */
  readonly durationMs: number | null
  readonly seed: string
  /** Opens the centre at an instant; it ends by itself after `durationMs`. */
  open(startAtMs: number): Simulation
}

/** Adds the options that only matter with `--platform`. */
export function addPlatformOptions(command: Command): Command {
  return command
    .option('--platform', 'be a fake Genesys Cloud: OAuth, API and notification WebSocket, on this machine')
    .addOption(new Option('--host <host>', 'with --platform: address to listen on').default('127.0.0.1'))
    .addOption(new Option('--port <port>', 'with --platform: port, 0 for a free one').argParser(wholeNumber(0, 65_535)).default(4690))
    .addOption(new Option('--client-id <id>', 'with --platform: OAuth client it knows').default('simulated-client'))
    .addOption(new Option('--client-secret <secret>', 'with --platform: its secret').default(DEFAULT_SECRET))
    .addOption(
      new Option('--faults <list>', 'with --platform: none, some, many, or a list such as eviction@2h,closing@3h,outage@5h+10m').default(
        'none',
      ),
    )
    .addOption(
      new Option('--rate-limit <calls>', 'with --platform: API calls a minute and token').argParser(wholeNumber(1, 1_000_000)).default(300),
    )
    .addOption(
      new Option('--channel-life <span>', 'with --platform: life of a notification channel').argParser(span).default(86_400_000, '24h'),
    )
}

/** Those of them that were given. */
export function platformOptionsIn(command: Command): readonly string[] {
  const given = PLATFORM_ONLY.filter((name) => command.getOptionValueSource(name) === 'cli')
  return command.options.filter((option) => given.includes(option.attributeName())).map((option) => option.long ?? option.flags)
}

const PLATFORM_ONLY: readonly string[] = ['host', 'port', 'clientId', 'clientSecret', 'faults', 'rateLimit', 'channelLife']

/** Runs the platform until its time is over or a signal comes. */
export async function runPlatform(context: Context, flags: PlatformFlags, play: PlatformPlay): Promise<void> {
  const { io } = context
  context.outlivesOutput = true
  const stop = new AbortController()
  const removeInterrupt = io.onInterrupt(() => {
    if (stop.signal.aborted) io.exitNow(FAILED)
    note(context, 'stopping (again to stop at once)')
    stop.abort()
  })
  const truth = flags.truth === undefined ? null : new TruthFile(context, flags.truth)
  try {
    const { startPlatform } = await import('../simulator/platform/platform.ts')
    const { scaledClock } = await import('../simulator/scaled-clock.ts')
    const { Seed } = await import('../simulator/model/chance.ts')
    const startAtMs = io.clock.nowMs()
    const clock = scaledClock(io.clock, startAtMs, play.speed)
    const chance = Seed.of(`platform ${play.seed}`)
    const plan = await planned(flags.faults, startAtMs, play, chance.branch('faults').stream())
    const simulation = play.open(startAtMs)
    const draw = chance.stream()
    const platform = await startPlatform({
      simulation,
      clock,
      wall: io.clock,
      random: () => draw.word() / 0x1_0000_0000,
      host: flags.host,
      port: flags.port,
      credentials: { clientId: flags.clientId, clientSecret: flags.clientSecret },
      plan,
      limits: { requestsPerMinute: flags.rateLimit, channelLifeMs: flags.channelLife },
    })
    try {
      announce(context, platform, { flags, play, simulation, plan, startAtMs })
      const reporting = report(context, platform, stop.signal)
      const overAtMs = play.durationMs === null ? Infinity : startAtMs + play.durationMs
      while (!stop.signal.aborted && clock.nowMs() < overAtMs) await clock.wait(Math.min(overAtMs - clock.nowMs(), HOUR_MS), stop.signal)
      stop.abort()
      await reporting
    } finally {
      await platform.stop()
    }
    note(context, line(platform))
    truth?.write(textOf(platform.truth()))
  } finally {
    removeInterrupt()
  }
}

type Started = {
  readonly flags: PlatformFlags
  readonly play: PlatformPlay
  readonly simulation: Simulation
  readonly plan: readonly Fault[]
  readonly startAtMs: number
}

function announce(context: Context, platform: FakePlatform, { flags, play, simulation, plan, startAtMs }: Started): void {
  const paint = paintFor(context)
  const row = (name: string, value: string): void => print(context, `  ${paint('dim', name.padEnd(8))} ${value}`)
  const { organization, users, queues } = simulation.centre
  // A secret that somebody chose is not repeated.
  const secret = flags.clientSecret === DEFAULT_SECRET ? safe`'${DEFAULT_SECRET}'` : 'the one given'
  print(context, `fake Genesys Cloud: ready on ${paint('cyan', safe`${platform.url}`)}`)
  row('config', `${safe`genesys: { baseUrl: '${platform.url}', clientId: '${flags.clientId}'`}, clientSecret: ${secret} }`)
  row('centre', safe`${organization.name}: ${count(users.length, 'agent')}, ${count(queues.length, 'queue')}`)
  row(
    'time',
    `from ${instant(startAtMs)}${play.speed === 1 ? '' : `, ${play.speed} times as fast as the clock: so are tokens, rates, channels`}`,
  )
  const [first] = plan
  row('faults', first === undefined ? 'none' : `${plan.length}, the first (${first.kind}) at ${instant(first.atMs)}`)
  if (context.io.stdout.isTTY) print(context, paint('dim', '  Ctrl-C stops it'))
}

async function report(context: Context, platform: FakePlatform, signal: AbortSignal): Promise<void> {
  for (;;) {
    await context.io.clock.wait(REPORT_EVERY_MS, signal)
    if (signal.aborted) return
    note(context, line(platform))
  }
}

function line(platform: FakePlatform): string {
  const { atMs, counts, http, channels, sockets, withheld } = platform.status()
  const ends = `${counts.owed} arrived, ${counts.missed} missed by faults, ${counts.unconnected} without a socket, ${counts.unsure} unsure`
  const calls = `${http.requests} calls (${http.throttled} over the rate, ${http.spoilt} spoilt)`
  const kept = withheld.events === 0 ? '' : `; ${withheld.events} withheld of ${withheld.ids.slice(0, 3).join(', ')}`
  return `${instant(atMs)}  ${counts.emitted} published: ${ends}; ${channels} channels, ${sockets} sockets, ${calls}${kept}`
}

async function planned(list: string, startAtMs: number, play: PlatformPlay, chance: { word(): number }): Promise<readonly Fault[]> {
  const { drawFaults, readFaults, FAULT_KINDS, describeFault } = await import('../simulator/platform/fault-plan.ts')
  if (list === 'none') return []
  if (list === 'some' || list === 'many')
    return drawFaults(list, { fromMs: startAtMs, toMs: startAtMs + (play.durationMs ?? WEEK_MS) }, () => chance.word() / 0x1_0000_0000)
  const faults = readFaults(list, startAtMs)
  if (typeof faults !== 'string') return faults
  const kinds = FAULT_KINDS.map((kind) => `${kind} (${describeFault(kind)})`).join(', ')
  throw usageError(`${faults}.`, `Known are ${kinds}.`)
}

/** Piece by piece: a day of a large centre is larger than the longest text there can be. */
function* textOf({ deliveries, ...rest }: PlatformTruth): Generator<string> {
  yield `${JSON.stringify(rest).slice(0, -1)},"deliveries":[`
  for (let from = 0; from < deliveries.length; from += 1000) {
    const lines = deliveries.slice(from, from + 1000).map((delivery) => JSON.stringify(delivery))
    yield `${from === 0 ? '\n' : ',\n'}${lines.join(',\n')}`
  }
  yield '\n]}\n'
}

function span(text: string): number {
  const ms = spanMs(text) ?? 0
  if (!(ms >= 1000 && ms <= 30 * 24 * HOUR_MS)) throw new InvalidArgumentError('Write a span such as 90s, 15m, 2h or 1d.')
  return ms
}

const DEFAULT_SECRET = 'simulated-secret'
const REPORT_EVERY_MS = 10_000
const HOUR_MS = 3_600_000
const WEEK_MS = 7 * 24 * HOUR_MS
