/**
 * The WebSocket side of the fake platform: who connects to which channel, the frames a client may send, and what is
 * published to whom. A message goes to the channels that subscribed to its topic, once each, and to nobody else.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Clock } from '../../pipeline/clock.ts'
import type { Emission } from '../simulation.ts'
import { objectOf } from './answer.ts'
import { ChannelSocket } from './channel-socket.ts'
import type { Channel, Channels, Subscription } from './channels.ts'
import type { Deliveries } from './deliveries.ts'
import type { Limits } from './limits.ts'
import type { Verdict } from './topics.ts'

export type StreamingOptions = {
  readonly clock: Clock
  readonly wall: Clock
  readonly limits: Limits
  readonly deliveries: Deliveries
  readonly channels: Channels
  readonly judge: (topic: string) => Verdict
  readonly newId: () => string
}

export class Streaming {
  readonly #options: StreamingOptions
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, autoPong: false })
  readonly #sockets = new Set<ChannelSocket>()
  #refusing = false
  #muteUntilMs = -Infinity

  constructor(options: StreamingOptions) {
    this.#options = options
  }

  /** Open sockets. */
  get sockets(): number {
    return this.#sockets.size
  }

  /** Takes an upgrade of the HTTP server over. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined)
    const [, channelId] = /^\/channels\/([\w-]{1,200})$/.exec((request.url ?? '').split('?')[0] ?? '') ?? []
    if (this.#refusing) return void socket.destroy()
    if (channelId === undefined) return void socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    this.#server.handleUpgrade(request, socket, head, (client) => this.#connect(client, channelId))
  }

  /** Publishes one emission to its subscribers, and keeps the truth about it. */
  publish(emission: Emission): void {
    const { clock, deliveries, channels, newId } = this.#options
    const { topicName } = emission
    deliveries.emitted()
    const subscribers = [...channels.subscribers(topicName)]
    const sockets = subscribers.flatMap(({ socket }) => (socket?.healthy === true ? [socket] : []))
    const fault = sockets.length === 0 ? channels.lostTo(topicName) : null
    if (subscribers.length === 0 && fault === null) return deliveries.unsubscribed()
    const what = { correlationId: newId(), topicName, publishedAtMs: clock.nowMs() }
    if (sockets.length === 0) return deliveries.unsent(what, fault)
    const sent = deliveries.sent(what, sockets.length)
    const metadata = `"metadata":{"CorrelationId":"${what.correlationId}"}`
    const text = `{"topicName":${JSON.stringify(topicName)},"version":"2","eventBody":${emission.bodyText},${metadata}}`
    for (const socket of sockets) socket.send(text, sent)
  }

  /** New sockets are accepted, and stay silent, until then. */
  muteUntil(atMs: number): void {
    this.#muteUntilMs = Math.max(this.#muteUntilMs, atMs)
  }

  /** No socket can be had any more; those open are cut off once what was sent has arrived. */
  async refuse(fault: string): Promise<void> {
    this.#refusing = true
    for (const channel of this.#options.channels.all()) channel.down = fault
    await Promise.all([...this.#sockets].map((socket) => socket.cut()))
  }

  /** Sockets can be had again. */
  admit(): void {
    this.#refusing = false
  }

  /** Ends every socket and the server. */
  async stop(): Promise<void> {
    this.#refusing = true
    await Promise.all([...this.#sockets].map((socket) => socket.close(1001, 'The platform stops')))
    this.#server.close()
  }

  #connect(client: WebSocket, channelId: string): void {
    const { channels, clock, wall, limits, deliveries } = this.#options
    const channel = channels.find(channelId)
    if (channel === null) {
      client.on('error', () => undefined)
      client.send(JSON.stringify({ result: '404' }))
      return client.close(1000, 'Channel is gone')
    }
    const silent = clock.nowMs() < this.#muteUntilMs
    const socket: ChannelSocket = new ChannelSocket(
      client,
      {
        clock,
        wall,
        heartbeatMs: limits.heartbeatMs,
        maxBufferedBytes: limits.maxBufferedBytes,
        deliveries,
        onFrame: (frame) => socket.tell(this.#answer(channel, frame)),
        onEnd: () => {
          this.#sockets.delete(socket)
          channels.disconnected(channel, socket)
        },
      },
      silent,
    )
    this.#sockets.add(socket)
    channels.connect(channel, socket, silent ? 'mute' : null)
  }

  /** Answers a command that came through the socket. */
  #answer(channel: Channel, frame: unknown): object {
    const { channels, judge } = this.#options
    const { message, topics, correlationId } = objectOf(frame) ?? {}
    const about = typeof correlationId === 'string' && correlationId.length <= 200 ? { correlationId } : {}
    if (channels.find(channel.id) === null) return { result: '404', ...about }
    if (message !== 'subscribe' || !Array.isArray(topics)) return { result: '400', status: 'error', ...about }
    const judged = topics.map((topic: unknown): Subscription | null => {
      const verdict = typeof topic === 'string' ? judge(topic) : null
      return verdict?.ok === true ? { topic: topic as string, names: verdict.names } : null
    })
    const accepted = judged.filter((subscription) => subscription !== null)
    if (accepted.length < judged.length || !channels.subscribe(channel, accepted)) return { result: '400', status: 'failure', ...about }
    return { result: '200', status: 'subscribed', ...about }
  }
}

const MAX_FRAME_BYTES = 262_144
