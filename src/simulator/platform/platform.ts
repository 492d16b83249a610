/**
 * A fake Genesys Cloud on this machine: OAuth, the Platform API and the notification WebSocket of a simulated contact
 * centre, on one address. All its time is that of the clock handed in, so a fast clock plays everything fast: tokens,
 * rate windows, heartbeats, channels, the centre. It fails as planned, and knows exactly what a client must have got.
 */
import { createServer } from 'node:http'
import type { Clock } from '../../pipeline/clock.ts'
import type { Emission, Simulation } from '../simulation.ts'
import { availableTopicsRoute } from './available-topics.ts'
import { Channels } from './channels.ts'
import { conversationRoutes } from './conversations.ts'
import { Deliveries, type Counts, type Delivery, type Outage } from './deliveries.ts'
import { directoryRoutes } from './directory.ts'
import type { Fault } from './fault-plan.ts'
import { runFaults } from './fault-run.ts'
import { HttpApi } from './http-api.ts'
import { HttpFaults } from './http-faults.ts'
import { integrationRoutes } from './integrations.ts'
import { GENESYS_LIMITS, type Limits } from './limits.ts'
import { Listener } from './listener.ts'
import { notificationRoutes } from './notifications.ts'
import { Streaming } from './streaming.ts'
import { Tokens, type Credentials } from './tokens.ts'
import { topicJudge } from './topics.ts'
import { Withheld } from './withheld.ts'

export type PlatformOptions = {
  /** Its time must be that of the clock. */
  readonly simulation: Simulation
  readonly clock: Clock
  /** The clock of the machine, where the other is faster: how long the network may take. */
  readonly wall?: Clock
  /** From 0 up to, not including, 1: decides ids, and whom and how faults hit. */
  readonly random: () => number
  /** Otherwise 127.0.0.1. */
  readonly host?: string
  /** 0 or nothing for a free one. */
  readonly port?: number
  readonly credentials: Credentials
  readonly plan?: readonly Fault[]
  readonly limits?: Partial<Limits>
  /** Called as soon as the truth about an emission is settled. */
  readonly onRecord?: (delivery: Delivery) => void
}

export type PlatformTruth = {
  readonly startedAtMs: number
  readonly atMs: number
  /** How many emissions ended how; `pending` are under way. */
  readonly counts: Counts
  readonly http: { readonly requests: number; readonly throttled: number; readonly spoilt: number }
  /** Emissions that were not published on purpose, and the first of the conversations and users they tell of. */
  readonly withheld: { readonly events: number; readonly ids: readonly string[] }
  readonly outages: readonly Outage[]
  /** Every emission that somebody had subscribed to. */
  readonly deliveries: readonly Delivery[]
}

/** What it is doing, for a line of progress. */
export type PlatformStatus = Omit<PlatformTruth, 'deliveries' | 'outages'> & { readonly channels: number; readonly sockets: number }

export interface FakePlatform {
  /** Base address of login and API. */
  readonly url: string
  /** Base address of the sockets. */
  readonly wsUrl: string
  status(): PlatformStatus
  truth(): PlatformTruth
  /** Resolves when the simulation has ended. */
  readonly played: Promise<void>
  /** Ends everything; the truth can still be asked for. */
  stop(): Promise<void>
}

export async function startPlatform(options: PlatformOptions): Promise<FakePlatform> {
  const { simulation, clock, random, host = '127.0.0.1' } = options
  const wall = options.wall ?? clock
  const limits: Limits = { ...GENESYS_LIMITS, ...options.limits }
  const startedAtMs = clock.nowMs()
  const stopping = new AbortController()
  const newId = (): string => uuid(random)
  const deliveries = new Deliveries(limits.maxDeliveries, options.onRecord ?? null)
  const tokens = new Tokens({ clock, credentials: options.credentials, limits, newId })
  const channels = new Channels({ clock, limits, deliveries, newId })
  const judge = topicJudge(simulation.centre, limits.forbiddenTopics)
  const httpFaults = new HttpFaults(clock, random)
  const withheld = new Withheld(clock, (topicName) => channels.subscribers(topicName).size > 0)
  const streaming = new Streaming({ clock, wall, limits, deliveries, channels, judge, newId })
  let wsUrl = ''
  const api = new HttpApi({
    clock,
    random,
    limits,
    tokens,
    faults: httpFaults,
    newId,
    signal: stopping.signal,
    routes: [
      ...directoryRoutes(simulation, limits.maxPageSize),
      ...conversationRoutes(simulation),
      ...notificationRoutes({ channels, judge, connectUri: (id) => `${wsUrl}/channels/${id}` }),
      ...integrationRoutes(clock, newId),
      availableTopicsRoute(limits.forbiddenTopics),
    ],
  })
  const server = createServer((request, response) => void api.handle(request, response))
  server.on('upgrade', (request, socket, head) => streaming.upgrade(request, socket, head))
  server.on('clientError', (_, socket) => socket.destroy())
  const listener = new Listener(server, host, wall, stopping.signal)
  const authority = await listener.start(options.port ?? 0)
  wsUrl = `ws://${authority}`
  const run = {
    clock,
    random,
    limits,
    channels,
    deliveries,
    streaming,
    httpFaults,
    withheld,
    tokens,
    listener,
    newId,
    signal: stopping.signal,
  }
  const faults = runFaults(options.plan ?? [], run)
  const publish = (emission: Emission): void => {
    if (!withheld.takes(emission)) streaming.publish(emission)
  }
  const played = play(simulation, clock, stopping.signal, publish, channels)
  let stopped: Promise<void> | null = null

  const facts = (): Omit<PlatformTruth, 'deliveries' | 'outages'> => ({
    startedAtMs,
    atMs: clock.nowMs(),
    counts: deliveries.counts(),
    http: { ...api.counts(), spoilt: httpFaults.hits },
    withheld: { events: withheld.events, ids: withheld.ids },
  })
  return {
    url: `http://${authority}`,
    wsUrl,
    played,
    status: () => ({ ...facts(), channels: channels.all().length, sockets: streaming.sockets }),
    truth: () => ({ ...facts(), outages: deliveries.outages(), deliveries: deliveries.records() }),
    stop: () => (stopped ??= stop()),
  }

  async function stop(): Promise<void> {
    stopping.abort()
    await Promise.all([played, streaming.stop()])
    await faults
    await listener.stop()
  }
}

/** Publishes what the centre emits, each at its time; resolves when it is over. */
async function play(
  simulation: Simulation,
  clock: Clock,
  signal: AbortSignal,
  publish: (emission: Emission) => void,
  channels: Channels,
): Promise<void> {
  let inOneTurn = 0
  while (!signal.aborted) {
    const atMs = simulation.peekAtMs()
    if (atMs === null) return
    const aheadMs = atMs - clock.nowMs()
    if (aheadMs > 0) {
      inOneTurn = 0
      channels.expire()
      await clock.wait(Math.min(aheadMs, LOOK_MS), signal)
      continue
    }
    const emission = simulation.next()
    if (emission !== null) publish(emission)
    // Sockets and requests get their turn, however much is due.
    if (++inOneTurn % EMISSIONS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Attributes set over REST may move the next emission to an earlier time. */
const LOOK_MS = 1000
const EMISSIONS_A_TURN = 200

function uuid(random: () => number): string {
  const word = (): string =>
    Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0')
  const hex = word() + word() + word() + word()
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}
