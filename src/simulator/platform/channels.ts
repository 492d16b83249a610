/**
 * The notification channels of the fake platform: who subscribed to what, until when, on which socket. A topic that
 * its client lost through no doing of its own is remembered until it is subscribed to again, so that what is published
 * meanwhile is known to be missed. Bounded: 20 channels a client, 1,000 topics a channel.
 */
import type { Clock } from '../../pipeline/clock.ts'
import type { ChannelSocket } from './channel-socket.ts'
import type { Deliveries } from './deliveries.ts'
import type { Limits } from './limits.ts'

export type Channel = {
  readonly id: string
  readonly clientId: string
  /** Topic as the client wrote it -> the names it stands for. */
  readonly topics: Map<string, readonly string[]>
  expiresAtMs: number
  /** Order of last use; larger is later. */
  used: number
  socket: ChannelSocket | null
  /** The fault that keeps it without a working socket; null when there is none. */
  down: string | null
}

export type Subscription = { readonly topic: string; readonly names: readonly string[] }

export class Channels {
  readonly #clock: Clock
  readonly #limits: Limits
  readonly #deliveries: Deliveries
  readonly #newId: () => string
  readonly #channels = new Map<string, Channel>()
  /** Topic name -> the channels that have it. */
  readonly #byName = new Map<string, Set<Channel>>()
  /** Topic name -> the fault it was lost to. */
  readonly #lost = new Map<string, string>()
  #uses = 0

  constructor(options: { readonly clock: Clock; readonly limits: Limits; readonly deliveries: Deliveries; readonly newId: () => string }) {
    this.#clock = options.clock
    this.#limits = options.limits
    this.#deliveries = options.deliveries
    this.#newId = options.newId
  }

  /** Opens a channel; one too many evicts the least recently used of the client, unconnected first. */
  create(clientId: string): Channel {
    const own = this.of(clientId)
    if (own.length >= this.#limits.channelsPerClient) {
      const idle = own.filter(({ socket }) => socket === null)
      const [victim] = (idle.length > 0 ? idle : own).toSorted((a, b) => a.used - b.used)
      this.remove(victim!, 'limit')
    }
    const channel: Channel = {
      id: `streaming-${this.#newId()}`,
      clientId,
      topics: new Map(),
      expiresAtMs: this.#clock.nowMs() + this.#limits.channelLifeMs,
      used: ++this.#uses,
      socket: null,
      down: null,
    }
    this.#channels.set(channel.id, channel)
    return channel
  }

  get topicsPerChannel(): number {
    return this.#limits.topicsPerChannel
  }

  find(id: string): Channel | null {
    this.expire()
    return this.#channels.get(id) ?? null
  }

  of(clientId: string): readonly Channel[] {
    this.expire()
    return [...this.#channels.values()].filter((channel) => channel.clientId === clientId)
  }

  all(): readonly Channel[] {
    return [...this.#channels.values()]
  }

  /** Channels whose socket takes messages. */
  connected(): readonly Channel[] {
    return this.all().filter(({ socket }) => socket?.healthy === true)
  }

  /** Adds topics and prolongs the channel; false, and nothing done, when they are too many. */
  subscribe(channel: Channel, subscriptions: readonly Subscription[]): boolean {
    const added = new Set(subscriptions.map(({ topic }) => topic).filter((topic) => !channel.topics.has(topic)))
    if (channel.topics.size + added.size > this.#limits.topicsPerChannel) return false
    this.use(channel)
    channel.expiresAtMs = this.#clock.nowMs() + this.#limits.channelLifeMs
    for (const { topic, names } of subscriptions) {
      channel.topics.set(topic, names)
      for (const name of names) {
        const channels = this.#byName.get(name) ?? new Set()
        this.#byName.set(name, channels.add(channel))
        const lostTo = this.#lost.get(name)
        if (lostTo === undefined) continue
        this.#lost.delete(name)
        // Until its socket is open, what is published is still missed through that fault.
        if (channel.socket === null) channel.down ??= lostTo
      }
    }
    return true
  }

  /** Takes topics from the channel: all, or those not among `kept`. */
  unsubscribe(channel: Channel, kept: ReadonlySet<string> = NONE): void {
    const gone = [...channel.topics].filter(([topic]) => !kept.has(topic))
    for (const [topic] of gone) channel.topics.delete(topic)
    const stay = new Set([...channel.topics.values()].flat())
    for (const name of gone.flatMap(([, names]) => names)) if (!stay.has(name)) this.#drop(name, channel)
  }

  /** As `unsubscribe`, but by a fault: the client still wants them. */
  lose(channel: Channel, fault: string): void {
    const names = [...channel.topics.values()].flat()
    this.unsubscribe(channel)
    for (const name of names) {
      if (this.#byName.has(name)) continue
      this.#lost.set(name, fault)
      if (this.#lost.size > MAX_LOST) this.#lost.delete(this.#lost.keys().next().value!)
    }
  }

  /** The channels that have the topic. */
  subscribers(name: string): ReadonlySet<Channel> {
    return this.#byName.get(name) ?? NO_CHANNELS
  }

  /** The fault through which nobody gets the topic now; null when nobody wants it, or the client itself is the cause. */
  lostTo(name: string): string | null {
    const down = [...this.subscribers(name)].filter((channel) => channel.down !== null)
    // A channel given up long ago says less than the one used last.
    const [last] = down.sort((a, b) => Number(b.socket !== null) - Number(a.socket !== null) || b.used - a.used)
    return last?.down ?? this.#lost.get(name) ?? null
  }

  use(channel: Channel): void {
    channel.used = ++this.#uses
  }

  /** Gives the channel its socket; the one before is closed. */
  connect(channel: Channel, socket: ChannelSocket, silentBy: string | null): void {
    this.use(channel)
    const before = channel.socket
    channel.socket = socket
    channel.down = silentBy
    if (before !== null) void before.close(1001, 'Another connection was opened for this channel')
  }

  /** The socket of a channel has ended. */
  disconnected(channel: Channel, socket: ChannelSocket): void {
    if (channel.socket === socket) channel.socket = null
  }

  /** The channel is gone, with its topics; `fault` says why. Its socket is told, or cut off without a word. */
  remove(channel: Channel, fault: string, told = true): void {
    const nowMs = this.#clock.nowMs()
    this.#channels.delete(channel.id)
    const { socket, down } = channel
    // One that was cut off before loses nothing by this: what it misses, it misses through what cut it off.
    if (socket !== null && down === null) this.#deliveries.outage(fault, nowMs, channel.id).toMs = nowMs
    this.lose(channel, down ?? fault)
    if (socket === null) return
    if (!told) return void socket.cut()
    socket.tell({ result: '404' })
    void socket.close(1000, 'Channel is gone')
  }

  /** Removes the channels whose life is over. */
  expire(): void {
    const nowMs = this.#clock.nowMs()
    for (const channel of this.#channels.values()) if (channel.expiresAtMs <= nowMs) this.remove(channel, 'expiry')
  }

  #drop(name: string, channel: Channel): void {
    const channels = this.#byName.get(name)
    if (channels?.delete(channel) === true && channels.size === 0) this.#byName.delete(name)
  }
}

const NONE: ReadonlySet<string> = new Set()
const NO_CHANNELS: ReadonlySet<Channel> = new Set()
/** Topic names remembered as lost; a client has at most 20,000 topics, a few names each. */
const MAX_LOST = 100_000
