/**
 * A stretch of a contact centre's life, played fast in this process: the fake platform on one side, the client and the
 * notification source on the other, real HTTP and real WebSockets between them. What came out is handed back to be judged.
 */
import { hostsAt } from '../../src/genesys/regions.ts'
import { platformClient } from '../../src/genesys/platform-client.ts'
import { simulation } from '../../src/simulator/model/simulation.ts'
import type { Fault } from '../../src/simulator/platform/fault-plan.ts'
import { startPlatform, type PlatformTruth } from '../../src/simulator/platform/platform.ts'
import { scaledClock } from '../../src/simulator/scaled-clock.ts'
import type { Emission, Simulation } from '../../src/simulator/simulation.ts'
import { notificationSource } from '../../src/sources/notifications/notifications.ts'
import type { LiveEvent } from '../../src/sources/notifications/match-live.ts'
import type { Gap } from '../../src/sources/source.ts'
import { seededRandom } from '../../src/testing/virtual-clock.ts'
import { steadyClock } from './_steady-clock.ts'

export type DayOptions = {
  readonly hours: number
  readonly speed: number
  readonly plan: (span: { readonly fromMs: number; readonly toMs: number }) => readonly Fault[]
  readonly channelLifeMs: number
  readonly agents: number
  /** Told now and then how it fares. */
  readonly say: (line: string) => void
}

/** A record the source gave, read. */
export type Given = {
  readonly topicName: string
  readonly topic: string
  readonly correlationId: string | null
  readonly reconstructed: boolean
  readonly body: Readonly<Record<string, unknown>>
}

export type Day = {
  readonly startAtMs: number
  readonly endAtMs: number
  readonly truth: PlatformTruth
  readonly given: readonly Given[]
  readonly gaps: readonly Gap[]
  readonly warnings: readonly string[]
  readonly status: object
  /** Everything the centre published about conversations. */
  readonly details: readonly Emission[]
  readonly wallMs: number
  readonly lostMs: number
}

export const DETAIL = 'v2.detail.events.conversation.{id}.'

export const TOPICS: readonly string[] = [
  'v2.users.{id}.presence',
  'v2.users.{id}.routingStatus',
  'v2.users.{id}.activity',
  'v2.routing.queues.{id}.users',
  'v2.routing.queues.{id}.conversations',
  `${DETAIL}*`,
]

/** When everything begins: Monday morning. */
export const START_MS: number = Date.UTC(2026, 2, 2, 8)

export async function playDay(options: DayOptions): Promise<Day> {
  const base = steadyClock(0)
  const clock = scaledClock(base, START_MS, options.speed)
  const endAtMs = START_MS + options.hours * 3_600_000
  const beganMs = performance.now()
  const details: Emission[] = []
  const platform = await startPlatform({
    simulation: overheard(
      simulation({
        seed: 'day',
        startAtMs: START_MS,
        agents: options.agents,
        queues: 5,
        snapshots: true,
        keepEndedMs: 6 * 3_600_000,
        keepEndedMax: 100_000,
      }),
      (emission) => {
        if (emission.topic.startsWith(DETAIL)) details.push(emission)
      },
    ),
    clock,
    wall: base,
    random: seededRandom(1),
    credentials: { clientId: 'day', clientSecret: 'night' },
    plan: options.plan({ fromMs: START_MS, toMs: endAtMs }),
    limits: { channelLifeMs: options.channelLifeMs },
  })
  const given: Given[] = []
  const live = new Map<string, LiveEvent[]>()
  const gaps: Gap[] = []
  const warnings: string[] = []
  let state: unknown
  const ended = new AbortController()
  const client = platformClient({
    hosts: hostsAt(platform.url),
    clientId: 'day',
    clientSecret: 'night',
    clock,
    random: seededRandom(2),
    fetch,
    userAgent: 'trunkline/test',
    signal: ended.signal,
  })
  const source = notificationSource({
    settings: { topics: TOPICS },
    platform: client,
    clock,
    random: seededRandom(3),
    output: {
      async accept(records) {
        for (const { bytes } of records) {
          const record = readRecord(bytes)
          given.push(record)
          const event = liveEventOf(record)
          if (event === null) continue
          const events = live.get(event.conversationId)
          if (events === undefined) live.set(event.conversationId, [event.event])
          else events.push(event.event)
        }
      },
      gap: (gap) => void gaps.push(gap),
      info: () => undefined,
      warn: (code, message) => void warnings.push(`${new Date(clock.nowMs()).toISOString()} ${code}: ${message}`),
    },
    memory: {
      recall: async () => state,
      remember: async (next) => void (state = next),
      lastRecordMs: async () => null,
    },
    liveEventsOf: async (conversationId) => live.get(conversationId) ?? [],
  })
  await source.start()
  let saidMs = performance.now()
  while (clock.nowMs() < endAtMs) {
    await clock.wait(60_000)
    if (performance.now() - saidMs < 10_000) continue
    saidMs = performance.now()
    const { counts, http, sockets, channels } = platform.status()
    options.say(
      `${new Date(clock.nowMs()).toISOString()} ${counts.emitted} published, ${counts.owed} owed, ${counts.missed} missed, ${given.length} given, ${gaps.length} gaps, ${channels} channels, ${sockets} sockets, ${http.requests} calls`,
    )
  }
  const status = source.status()
  // What is published while the source stops is nobody's loss.
  const truth = platform.truth()
  await source.stop()
  ended.abort()
  await platform.stop()
  base.stop()
  return {
    startAtMs: START_MS,
    endAtMs,
    truth,
    given,
    gaps,
    warnings,
    status,
    details,
    wallMs: performance.now() - beganMs,
    lostMs: base.lostMs(),
  }
}

function readRecord(bytes: Uint8Array): Given {
  const message = JSON.parse(Buffer.from(bytes).toString()) as {
    topicName: string
    eventBody: Readonly<Record<string, unknown>>
    metadata?: { CorrelationId?: string }
    origin?: string
  }
  const kind = /^v2\.detail\.events\.conversation\.[^.]+\.(.+)$/.exec(message.topicName)?.[1]
  return {
    topicName: message.topicName,
    topic: kind === undefined ? message.topicName.replace(/[0-9a-f-]{36}/, '{id}') : DETAIL + kind,
    correlationId: message.metadata?.CorrelationId ?? null,
    reconstructed: message.origin === 'backfill',
    body: message.eventBody,
  }
}

function liveEventOf({ topic, body }: Given): { readonly conversationId: string; readonly event: LiveEvent } | null {
  if (!topic.startsWith(DETAIL)) return null
  const text = (key: string): string | null => (typeof body[key] === 'string' ? body[key] : null)
  return {
    conversationId: String(body['conversationId']),
    event: {
      kind: topic.slice(DETAIL.length),
      participantId: text('participantId'),
      sessionId: text('sessionId'),
      occurredAtMs: Number(body['eventTime']),
    },
  }
}

/** The same simulation; somebody hears what it says. */
function overheard(inner: Simulation, hear: (emission: Emission) => void): Simulation {
  return {
    centre: inner.centre,
    get nowMs() {
      return inner.nowMs
    },
    next() {
      const emission = inner.next()
      if (emission !== null) hear(emission)
      return emission
    },
    peekAtMs: () => inner.peekAtMs(),
    conversation: (id) => inner.conversation(id),
    conversationsBetween: (fromMs, toMs) => inner.conversationsBetween(fromMs, toMs),
    user: (id) => inner.user(id),
    setAttributes: (conversationId, participantId, attributes) => inner.setAttributes(conversationId, participantId, attributes),
    truth: () => inner.truth(),
  }
}
