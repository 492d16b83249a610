/**
 * Plays the planned faults. Before a socket is harmed, what was sent on it has arrived: so the truth about an event is
 * never a guess. Whom a fault hits is drawn from the channels connected at that moment; when there is none, the fault
 * waits for one.
 */
import type { Clock } from '../../pipeline/clock.ts'
import type { Channel, Channels } from './channels.ts'
import type { Deliveries, Outage } from './deliveries.ts'
import type { Fault } from './fault-plan.ts'
import type { HttpFaults } from './http-faults.ts'
import type { Limits } from './limits.ts'
import type { Listener } from './listener.ts'
import type { Streaming } from './streaming.ts'
import type { Tokens } from './tokens.ts'
import type { Withheld } from './withheld.ts'

export type FaultRunOptions = {
  readonly clock: Clock
  readonly random: () => number
  readonly limits: Limits
  readonly channels: Channels
  readonly deliveries: Deliveries
  readonly streaming: Streaming
  readonly httpFaults: HttpFaults
  readonly withheld: Withheld
  readonly tokens: Tokens
  readonly listener: Listener
  readonly newId: () => string
  readonly signal: AbortSignal
}

/** Resolves when every fault is over or the signal aborts. */
export async function runFaults(plan: readonly Fault[], options: FaultRunOptions): Promise<void> {
  const { clock, signal } = options
  const running = new Set<Promise<void>>()
  for (const fault of plan.toSorted((a, b) => a.atMs - b.atMs)) {
    await until(clock, fault.atMs, signal)
    if (signal.aborted) break
    const run = play(fault, options).finally(() => running.delete(run))
    running.add(run)
  }
  await Promise.all(running)
}

async function play(fault: Fault, options: FaultRunOptions): Promise<void> {
  const { clock, signal, deliveries } = options
  const toMs = clock.nowMs() + fault.durationMs
  /** A fault whose end is planned. */
  const span = async (during: () => void | Promise<void>, after: () => void | Promise<void>): Promise<void> => {
    const outage = deliveries.outage(fault.kind, clock.nowMs(), null)
    await during()
    await until(clock, toMs, signal)
    await after()
    outage.toMs = clock.nowMs()
  }
  switch (fault.kind) {
    case 'throttle':
    case 'unavailable':
    case 'slow':
    case 'html':
    case 'truncated':
    case 'redirect': {
      const { kind } = fault
      return span(
        () => options.httpFaults.begin(kind, toMs),
        () => undefined,
      )
    }
    // No outage: nobody is owed what is not published.
    case 'withheld-end':
    case 'withheld-status':
      return options.withheld.begin(fault.kind, toMs)
    case 'revocation':
      return span(
        () => options.tokens.revokeAll(),
        () => undefined,
      )
    case 'outage':
      return span(
        async () => {
          await options.streaming.refuse('outage')
          await options.listener.stop()
        },
        async () => {
          await options.listener.startAgain()
          options.streaming.admit()
        },
      )
    case 'streaming':
      return span(
        () => options.streaming.refuse('streaming'),
        () => options.streaming.admit(),
      )
    case 'eviction':
    case 'closing':
    case 'termination':
    case 'silence':
    case 'mute':
    case 'unsubscription': {
      const channel = await connectedChannel(options)
      return channel === null ? undefined : harm(fault.kind, channel, clock.nowMs() + fault.durationMs, options)
    }
  }
}

type Harm = 'eviction' | 'closing' | 'termination' | 'silence' | 'mute' | 'unsubscription'

async function harm(kind: Harm, channel: Channel, toMs: number, options: FaultRunOptions): Promise<void> {
  const { clock, channels, deliveries, limits, signal, random } = options
  const socket = channel.socket!
  /** From now on the channel misses what is published. */
  const begin = (): Outage => {
    channel.down = kind
    return deliveries.outage(kind, clock.nowMs(), channel.id)
  }
  const end = (outage: Outage): void => {
    outage.toMs = clock.nowMs()
  }
  switch (kind) {
    case 'eviction':
      return channels.remove(channel, kind, random() < 0.5)
    case 'termination': {
      const outage = begin()
      await socket.cut()
      return end(outage)
    }
    case 'closing': {
      const outage = deliveries.outage(kind, clock.nowMs(), channel.id)
      socket.tell(
        systemMessage('v2.system.socket_closing', channel, { message: 'The socket will be closed for maintenance in one minute.' }),
      )
      await clock.wait(limits.closingNoticeMs, AbortSignal.any([signal, socket.ended]))
      // A client that has heeded the notice is on another socket by now.
      if (channel.socket === socket && socket.healthy) {
        channel.down = kind
        await socket.close(1001, 'Maintenance')
      }
      return end(outage)
    }
    case 'silence': {
      const outage = begin()
      await socket.silence()
      await ended(socket.ended, signal)
      return end(outage)
    }
    case 'mute': {
      const outage = begin()
      options.streaming.muteUntil(toMs)
      await socket.cut()
      await until(clock, toMs, signal)
      return end(outage)
    }
    case 'unsubscription': {
      const nowMs = clock.nowMs()
      deliveries.outage(kind, nowMs, channel.id).toMs = nowMs
      channels.lose(channel, kind)
      const details = {
        systemTopicType: 'no_longer_subscribed',
        reason: 'another_channel_subscribed',
        message: 'Subscriptions were removed.',
      }
      return socket.tell(systemMessage(`v2.system.no_longer_subscribed.${channel.id}`, channel, details))
    }
  }

  function systemMessage(topicName: string, { id, clientId }: Channel, details: object): object {
    return {
      topicName,
      version: '2',
      eventBody: { channelId: id, oauthClientId: clientId, ...details },
      metadata: { CorrelationId: options.newId() },
    }
  }
}

/** One of the connected channels, drawn by chance; null when none connects for a while. */
async function connectedChannel({ clock, random, channels, signal }: FaultRunOptions): Promise<Channel | null> {
  const patienceMs = clock.nowMs() + MAX_WAIT_MS
  for (;;) {
    const connected = channels.connected().filter(({ topics }) => topics.size > 0)
    if (connected.length > 0) return connected[Math.floor(random() * connected.length)] ?? null
    if (signal.aborted || clock.nowMs() >= patienceMs) return null
    await clock.wait(1000, signal)
  }
}

const MAX_WAIT_MS = 3_600_000

async function until(clock: Clock, atMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && clock.nowMs() < atMs) await clock.wait(Math.min(atMs - clock.nowMs(), MAX_WAIT_MS), signal)
}

function ended(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals])
  if (any.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    any.addEventListener('abort', () => resolve(), { once: true })
  })
}
