/**
 * `trunkline simulate`: a made-up contact centre, whose events go to standard output, a file or a service, or which is
 * asked as if it were Genesys Cloud (`--platform`). All of it is synthetic. The same seed and options give the same bytes.
 */
import { Command } from 'commander'
import type { Copy, Emitted, Traffic } from '../../simulator/faults.ts'
import type { Simulation } from '../../simulator/simulation.ts'
import { note, printProblem, type Context } from '../context.ts'
import { exitCodeOf, problemOf, usageError } from '../failure.ts'
import { count, instant } from '../format.ts'
import { failureOf } from '../io.ts'
import { withExamples, type ClientOptions } from '../options.ts'
import type { SendCounts } from '../sending.ts'
import { addPlatformOptions, platformOptionsIn, runPlatform, type PlatformFlags } from '../simulate-platform.ts'
import { clip, safe, toJson } from '../text.ts'
import { addTrafficOptions, faultsOf, simulationOptions, type TrafficFlags } from '../traffic-options.ts'
import { file, service, standardOutput, type Target } from '../traffic-targets.ts'
import { TruthFile } from '../truth-file.ts'

type Flags = TrafficFlags &
  PlatformFlags &
  ClientOptions & {
    readonly out?: string
    readonly truth?: string
    readonly json?: true
  }

const PROGRESS_EVERY_MS = 200
/** The clock is looked at only so often. */
const LOOK_EVERY = 2_000
const LONGEST_WAIT_MS = 60_000
const SEND_TIMEOUT_MS = 60_000
/** How long a service may take for what was made before a signal came. */
const GRACE_MS = 2_000
const KEEP_ENDED_MS = 26 * 3_600_000

export function simulateCommand(context: Context): Command {
  const command = new Command('simulate')
    .description('play a made-up contact centre: synthetic events of the true topics in their true shapes')
    .option('--out <file>', 'write NDJSON to a file (otherwise to standard output)')
    .option('--url <url>', 'send to the service at this address')
    .option('--data-dir <folder>', 'with --url: data directory of the service, to find its token')
    .option('--truth <file>', 'write at the end, as JSON, what was emitted and the true state of the centre')
    .option('--json', 'the summary as JSON')
    .action((flags: Flags) => simulate(context, flags, platformOptionsIn(command)))
  return withExamples(
    addPlatformOptions(addTrafficOptions(command)),
    'trunkline simulate --duration 10m --speed max > events.ndjson',
    'trunkline simulate --duration 1h --speed max --duplicates 2% --disorder 30s --malformed 0.1% | trunkline send -',
    'trunkline simulate --speed 60 --url http://127.0.0.1:4680',
    'trunkline simulate --platform',
  )
}

async function simulate(context: Context, flags: Flags, platformOnly: readonly string[]): Promise<void> {
  const { simulation } = await import('../../simulator/model/simulation.ts')
  const options = simulationOptions(flags, context.io.clock.nowMs())
  if (flags.platform === true) {
    const { duration, seed, speed } = flags
    if (speed === Infinity) throw usageError('A platform cannot run as fast as can be.', 'Give --speed a number, such as 1 or 144.')
    refuseBesidePlatform(flags)
    // Who asks for the conversations of an outage asks for those of a day at most.
    const open = (startAtMs: number): Simulation => simulation({ ...options, startAtMs, snapshots: true, keepEndedMs: KEEP_ENDED_MS })
    return runPlatform(context, flags, { speed, durationMs: duration ?? null, seed, open })
  }
  if (platformOnly.length > 0)
    throw usageError(`Without --platform ${platformOnly.join(', ')} would have no effect.`, 'Add --platform, or leave it out.')
  refuseWhatNeverEnds(flags)
  const { Traffic } = await import('../../simulator/faults.ts')
  const { writerOf } = await import('../../simulator/envelope.ts')
  const truth = flags.truth === undefined ? null : new TruthFile(context, flags.truth)
  const play = new Play(
    context,
    flags,
    (centre) => {
      const write = writerOf(flags.format, { seed: flags.seed, source: centre.centre.source })
      return new Traffic({ simulation: centre, write, faults: faultsOf(flags), seed: flags.seed, limit: flags.limit ?? null })
    },
    simulation(options),
  )
  await play.toItsEnd()
  truth?.write([`${JSON.stringify({ emitted: plain(play.emitted), truth: play.centre.truth() })}\n`])
}

/** One run, from the first copy to the summary. */
class Play {
  readonly centre: Simulation
  readonly #context: Context
  readonly #flags: Flags
  readonly #traffic: Traffic
  readonly #stop = new AbortController()
  /** Aborts a while after that, for what is still on its way to a service. */
  readonly #giveUp = new AbortController()
  readonly #startedAtMs: number
  readonly #firstAtMs: number
  #sent: SendCounts | null = null
  #shownAtMs = -Infinity

  constructor(context: Context, flags: Flags, trafficOf: (centre: Simulation) => Traffic, centre: Simulation) {
    this.#context = context
    this.#flags = flags
    this.centre = centre
    this.#traffic = trafficOf(centre)
    this.#startedAtMs = context.io.clock.nowMs()
    this.#firstAtMs = centre.nowMs
  }

  get emitted(): Emitted {
    return this.#traffic.emitted
  }

  async toItsEnd(): Promise<void> {
    const { io, signal } = this.#context
    const ended = new AbortController()
    const removeInterrupt = io.onInterrupt(() => {
      if (this.#stop.signal.aborted) return this.#giveUp.abort()
      this.#stop.abort()
      void io.clock.wait(GRACE_MS, ended.signal).then(() => this.#giveUp.abort())
    })
    const stopped = AbortSignal.any([signal, this.#stop.signal])
    const target = this.#target()
    try {
      await this.#run(target, stopped)
      await target.flush()
    } catch (error) {
      this.#context.exitCode = exitCodeOf(error)
      this.#clearProgress()
      printProblem(this.#context, problemOf(error))
    } finally {
      target.close()
      removeInterrupt()
      ended.abort()
      this.#clearProgress()
    }
    // What was written is not what was made.
    if (failureOf(this.#context.io.outputClosed) === null) this.#report()
  }

  async #run(target: Target, stopped: AbortSignal): Promise<void> {
    const { speed } = this.#flags
    while (!stopped.aborted) {
      if (speed !== Infinity && !(await this.#isDue(speed, target, stopped))) return
      const taken = this.#take(target, speed === Infinity ? LOOK_EVERY : 1)
      if (taken === 'end') return
      if (taken === 'full') await target.flush()
    }
  }

  /** Takes so many copies at most. A loop of its own, without anything to wait for in it: it runs a hundred thousand times a second. */
  #take(target: Target, most: number): 'end' | 'full' | 'more' {
    for (let n = 1; ; n++) {
      const copy: Copy | null = this.#traffic.next()
      if (copy === null) return 'end'
      const isFull = target.put(copy.record)
      if (!isFull && n < most) continue
      this.#showProgress(copy.atMs)
      return isFull ? 'full' : 'more'
    }
  }

  /** Waits until the next copy is due; false when stopped. What was taken before does not wait with it. */
  async #isDue(speed: number, target: Target, stopped: AbortSignal): Promise<boolean> {
    const { clock } = this.#context.io
    const atMs = this.#traffic.peekAtMs()
    if (atMs === null) return true
    const dueAtMs = this.#startedAtMs + (atMs - this.#firstAtMs) / speed
    if (dueAtMs <= clock.nowMs()) return true
    await target.flush()
    while (!stopped.aborted && clock.nowMs() < dueAtMs) {
      this.#showProgress(atMs)
      await clock.wait(Math.min(LONGEST_WAIT_MS, Math.ceil(dueAtMs - clock.nowMs())), stopped)
    }
    return !stopped.aborted
  }

  #target(): Target {
    const { out, url, dataDir } = this.#flags
    if (out !== undefined) return file(this.#context, out)
    if (url === undefined) return standardOutput(this.#context)
    const signal = AbortSignal.any([this.#context.signal, this.#giveUp.signal])
    const target = service(
      { ...this.#context, signal },
      {
        url,
        ...(dataDir === undefined ? {} : { dataDir }),
        timeoutMs: SEND_TIMEOUT_MS,
        onWaiting: (why) => {
          if (why !== null && !this.#context.io.stderr.isTTY) note(this.#context, safe`waiting: ${why}`)
        },
      },
    )
    this.#sent = target.counts
    return target
  }

  #showProgress(atMs: number): void {
    const { stderr, stdout, clock } = this.#context.io
    const toTerminal = this.#flags.out === undefined && this.#flags.url === undefined && stdout.isTTY
    const nowMs = clock.nowMs()
    if (!stderr.isTTY || toTerminal || nowMs - this.#shownAtMs < PROGRESS_EVERY_MS) return
    this.#shownAtMs = nowMs
    const line = `${instant(atMs)}  ${count(this.emitted.distinct, 'synthetic event')}`
    stderr.write(`\r\u001b[K${clip(line, (stderr.columns ?? 80) - 1)}`)
  }

  #clearProgress(): void {
    if (this.#shownAtMs !== -Infinity) this.#context.io.stderr.write('\r\u001b[K')
    this.#shownAtMs = -Infinity
  }

  /** To standard error while events are on standard output. */
  #report(): void {
    const { io } = this.#context
    const { emitted } = this
    const sent = this.#sent
    const tookMs = io.clock.nowMs() - this.#startedAtMs
    if (this.#flags.json === true) {
      const { out, url } = this.#flags
      const output = out === undefined && url === undefined ? io.stderr : io.stdout
      const counts = sent === null ? {} : { sent: { accepted: sent.accepted, quarantined: sent.quarantined, refused: sent.refused } }
      output.write(`${toJson({ ...plain(emitted), ...counts, tookMs }, { terminal: output.isTTY, indent: 2 })}\n`)
      return
    }
    const { copies, distinct, duplicates, malformed, oversize } = emitted
    const drifted = emitted.drifted.field + emitted.drifted.value + emitted.drifted.type
    const details = [`${duplicates} duplicates`, `${malformed} malformed`, `${oversize} oversize`, `${drifted} drifted`]
    note(
      this.#context,
      `${count(copies, 'copy').replace(/copys$/, 'copies')} of ${count(distinct, 'synthetic event')}: ${details.join(', ')}`,
    )
    if (sent !== null) note(this.#context, `accepted ${sent.accepted}, quarantined ${sent.quarantined}, refused ${sent.refused}`)
  }
}

/** As JSON has it. */
function plain({ drifted, byTopic, ...counts }: Emitted): object {
  const sorted = [...byTopic].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { ...counts, drifted: drifted.field + drifted.value + drifted.type, driftedBy: drifted, byTopic: Object.fromEntries(sorted) }
}

/** A platform publishes to who subscribes: what is said about records would go unheard. */
function refuseBesidePlatform(flags: Flags): void {
  const unheard = [
    ...(['duplicates', 'disorder', 'drift', 'oversize', 'malformed'] as const).filter((name) => flags[name] > 0),
    ...(['out', 'url', 'limit', 'topics', 'start'] as const).filter((name) => flags[name] !== undefined),
    ...(flags.format === 'notification' ? (['format'] as const) : []),
  ]
  if (unheard.length === 0) return
  throw usageError(
    `With --platform ${unheard.map((name) => `--${name}`).join(', ')} would have no effect.`,
    'Leave it out; what goes wrong at a platform is said with --faults.',
  )
}

function refuseWhatNeverEnds({ out, url, duration, limit, speed }: Flags): void {
  if (out !== undefined && url !== undefined) throw usageError('--out and --url exclude each other.', 'Leave one of them out.')
  if (out === undefined || speed !== Infinity || duration !== undefined || limit !== undefined) return
  throw usageError('This would write without end, as fast as can be.', 'Give --duration or --limit.')
}
