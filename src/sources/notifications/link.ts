/**
 * One notification channel with its WebSocket, from creation to close. It knows up to which moment it has certainly given
 * everything: a pong answers a ping, and frames come in order, so what was sent before that ping was handled has arrived. It
 * says once, in `attention`, why a successor is needed; it never replaces itself, and a doubtful link stays open until then.
 */
import type { Buffer } from 'node:buffer'
import type { Clock } from '../../pipeline/clock.ts'
import type { Channel, Platform, TopicState } from '../../genesys/platform.ts'
import { TrunklineError } from '../../errors.ts'
import { PING_COMMAND, readFrame, subscribeCommand } from './frames.ts'
import type { Frame } from './frames.ts'
import type { NotificationSettings } from './settings.ts'
import { openSocket } from './socket.ts'
import type { Socket } from './socket.ts'

/** Why a link needs a successor. Codes of gaps, but for `due` (nothing is wrong). */
export type Attention =
  | 'due'
  | 'channel.closing'
  | 'channel.closed'
  | 'channel.evicted'
  | 'channel.silent'
  | 'token.revoked'
  | 'topic.unsubscribed'
  | 'frame.too_large'

export type LinkOptions = {
  readonly platform: Platform
  readonly clock: Clock
  readonly settings: NotificationSettings
  readonly signal: AbortSignal
  /** Of the channel's life, the part after which it is to be renewed. */
  readonly renewAfter: number
  readonly onFrame: (link: Link, frame: Frame, bytes: Buffer) => void
  /** Its topics were confirmed, wholeness moved on, or the link ended. */
  readonly onChange: () => void
}

/** A channel that was never connected to. */
export type FreshChannel = { readonly channel: Channel; readonly createdAtMs: number }

export class Link {
  readonly #o: LinkOptions
  readonly #channel: Channel
  readonly #onServer = new Set<string>()
  readonly #attention = Promise.withResolvers<Attention>()
  readonly #firstProof = Promise.withResolvers<boolean>()
  readonly #ended = new AbortController()
  readonly #answers = new Map<string, (status: number) => void>()
  /** When pings without a pong were sent, oldest first. */
  #pingsAtMs: number[] = []
  #ponged = false
  #socket: Socket | null = null
  #subscribedAtMs: number | null = null
  #openedAtMs = 0
  #provenMs: number | null = null
  #lastFrameAtMs = 0
  #lastHeartbeatAtMs: number | null = null
  /** When it was found silent. */
  #silentAtMs: number | null = null
  #lastEventAtMs: number | null = null
  #resumedAtMs: number | null = null
  #paused = false
  #broken = false
  #evicted = false
  #commands = 0

  private constructor(o: LinkOptions, channel: Channel) {
    this.#o = o
    this.#channel = channel
    o.signal.addEventListener('abort', () => this.close(), { once: true, signal: this.#ended.signal })
  }

  /**
   * Connects to a fresh channel and subscribes; `subscribed` gets what Genesys said of each topic. Connected before it is
   * subscribed, because Genesys evicts channels without a connection first. `begun` gets the link when it is connected,
   * before any topic is on it.
   */
  static async open(
    o: LinkOptions,
    { channel, createdAtMs }: FreshChannel,
    topics: readonly string[],
    begun: (link: Link) => void,
    subscribed: (states: readonly TopicState[]) => void,
  ): Promise<Link> {
    const link = new Link(o, channel)
    try {
      await link.#connect()
      if (!link.live) throw closedAtOnce(link.evicted)
      begun(link)
      subscribed(await link.#addByRest(topics))
    } catch (error) {
      const closed = !link.live
      link.#end('channel.closed')
      throw closed ? closedAtOnce(link.evicted) : error
    }
    if (!link.live) throw closedAtOnce(link.evicted)
    link.#subscribedAtMs = link.#lastFrameAtMs = o.clock.nowMs()
    o.onChange()
    link.ping()
    const life = channel.expiresAtMs - createdAtMs
    void link.#watch(createdAtMs + (life >= MIN_LIFE_MS ? life : DAY_MS) * o.renewAfter)
    return link
  }

  /** The first reason why a successor is needed. */
  get attention(): Promise<Attention> {
    return this.#attention.promise
  }

  /** True with the first proof that it works, false when it ends or falls silent before that. */
  get working(): Promise<boolean> {
    return this.#firstProof.promise
  }

  get live(): boolean {
    return !this.#ended.signal.aborted
  }

  get channelId(): string {
    return this.#channel.id
  }

  /** Whether Genesys said that there is no such channel. */
  get evicted(): boolean {
    return this.#evicted
  }

  /** Whether it may still prove more: it is open, and has all its topics. */
  get trusted(): boolean {
    return this.live && !this.#broken
  }

  /** Whether nothing speaks against it. */
  get hopeful(): boolean {
    return this.trusted && (this.#silentAtMs === null || this.#lastFrameAtMs > this.#silentAtMs)
  }

  /** Whether it gives what it should, as far as can be seen. */
  get healthy(): boolean {
    return this.hopeful && this.#provenMs !== null
  }

  /** When Genesys had confirmed the topics; null before. */
  get subscribedAtMs(): number | null {
    return this.#subscribedAtMs
  }

  /** Up to when everything has certainly come; null before the first proof. */
  get provenMs(): number | null {
    return this.#provenMs
  }

  /** Topics the channel has, whether or not they are still wanted. */
  get topics(): ReadonlySet<string> {
    return this.#onServer
  }

  /** Whether reading was stopped so lately that a loss has to do with it. */
  get heldBack(): boolean {
    return this.#paused || (this.#resumedAtMs !== null && (this.#provenMs ?? 0) < this.#resumedAtMs)
  }

  status(): object {
    return {
      channel: this.#channel.id,
      connectedSinceMs: this.#openedAtMs,
      expiresAtMs: this.#channel.expiresAtMs,
      topics: this.#onServer.size,
      lastEventAtMs: this.#lastEventAtMs,
      lastHeartbeatAtMs: this.#lastHeartbeatAtMs,
      wholeUntilMs: this.#provenMs,
      paused: this.#paused,
    }
  }

  /** Asks for a proof of wholeness. */
  ping(): void {
    const nowMs = this.#o.clock.nowMs()
    this.#pingsAtMs = this.#pingsAtMs.filter((atMs) => nowMs - atMs < UNANSWERED_MS)
    if (!this.live || this.#paused || this.#pingsAtMs.length >= MAX_PINGS) return
    this.#pingsAtMs.push(nowMs)
    this.#socket?.send(PING_COMMAND)
  }

  /** Adds topics, in the socket, which costs no request; by REST where that is refused. Gives what REST said. */
  async add(topics: readonly string[]): Promise<readonly TopicState[]> {
    const refused: string[] = []
    for (let at = 0; at < topics.length && this.live; at += TOPICS_PER_COMMAND) {
      const some = topics.slice(at, at + TOPICS_PER_COMMAND)
      if ((await this.#command(some)) === 200) for (const topic of some) this.#onServer.add(topic)
      else refused.push(...some)
    }
    return refused.length === 0 || !this.live ? [] : this.#addByRest(refused)
  }

  /** Makes `topics` the only topics of the channel. */
  async replace(topics: readonly string[]): Promise<readonly TopicState[]> {
    const states = await this.#o.platform.replaceTopics(this.#channel.id, topics, this.#signal())
    this.#onServer.clear()
    for (const topic of topics) this.#onServer.add(topic)
    return states
  }

  /** Stops or begins reading the socket. A socket that is not read is not judged. */
  pause(paused: boolean): void {
    if (paused === this.#paused || this.#socket === null) return
    this.#paused = paused
    if (paused) return this.#socket.pause()
    this.#resumedAtMs = this.#lastFrameAtMs = this.#o.clock.nowMs()
    this.#socket.resume()
    this.ping()
  }

  /** Ends the link; no frame is given after this. */
  close(): void {
    this.#end('channel.closed')
  }

  /** Asks the other side to close, and takes what is still on the way; then ends the link. */
  async finish(): Promise<void> {
    if (!this.#paused) await this.#socket?.finish(this.#signal())
    this.close()
  }

  async #connect(): Promise<void> {
    const { clock, settings, signal } = this.#o
    this.#socket = await openSocket({
      uri: this.#channel.connectUri,
      clock,
      signal,
      connectTimeoutMs: settings.timing.connectTimeoutMs,
      maxFrameBytes: settings.maxFrameBytes,
      onFrame: (bytes, binary) => this.#read(bytes, binary),
      onClose: (why) => this.#end(why === 'closed' ? 'channel.closed' : why),
    })
    this.#openedAtMs = this.#lastFrameAtMs = clock.nowMs()
    // A frame that came with the handshake may have ended the link when there was no socket to close yet.
    if (!this.live) this.#socket.close()
  }

  async #addByRest(topics: readonly string[]): Promise<readonly TopicState[]> {
    if (topics.length === 0) return []
    const states = await this.#o.platform.addTopics(this.#channel.id, topics, this.#signal())
    for (const topic of topics) this.#onServer.add(topic)
    return states
  }

  #signal(): AbortSignal {
    return AbortSignal.any([this.#o.signal, this.#ended.signal])
  }

  /** Sends a subscribe command and waits for the answer: its status, or 0 when none came. */
  async #command(topics: readonly string[]): Promise<number> {
    if (this.#socket === null || this.#paused) return 0
    const id = `subscribe-${++this.#commands}`
    const answer = Promise.withResolvers<number>()
    const inTime = new AbortController()
    this.#answers.set(id, answer.resolve)
    this.#socket.send(subscribeCommand(topics, id))
    const late = this.#o.clock.wait(this.#o.settings.timing.pongTimeoutMs, AbortSignal.any([this.#signal(), inTime.signal])).then(() => 0)
    const status = await Promise.race([answer.promise, late])
    this.#answers.delete(id)
    inTime.abort()
    return status
  }

  #read(bytes: Buffer, binary: boolean): void {
    const nowMs = this.#o.clock.nowMs()
    this.#lastFrameAtMs = nowMs
    const frame = readFrame(bytes, binary)
    if (frame.kind === 'pong') this.#prove(this.#pingsAtMs.shift() ?? null, true)
    else if (!this.#ponged && nowMs - (this.#pingsAtMs[0] ?? nowMs) > this.#o.settings.timing.pongTimeoutMs) {
      // A server that does not answer pings: its frames have to do, less a while for what may be on the way.
      this.#prove(nowMs - this.#o.settings.timing.pongTimeoutMs, false)
    }
    if (frame.kind === 'heartbeat') this.#lastHeartbeatAtMs = nowMs
    else if (frame.kind === 'event') this.#lastEventAtMs = nowMs
    else if (frame.kind === 'answer') this.#answered(frame.status, frame.correlationId)
    else if (frame.kind === 'closing') this.#attention.resolve('channel.closing')
    else if (frame.kind === 'revoked') this.#attention.resolve('token.revoked')
    else if (frame.kind === 'unsubscribed') this.#unsubscribed()
    this.#o.onFrame(this, frame, bytes)
  }

  #answered(status: number, correlationId: string | null): void {
    if (status === 404) return this.#end('channel.evicted')
    // An answer that names no command belongs to the oldest.
    const id = correlationId ?? this.#answers.keys().next().value
    if (id !== undefined) this.#answers.get(id)?.(status)
  }

  /** What it proves from here on says nothing of the topics it no longer has. */
  #unsubscribed(): void {
    this.#broken = true
    this.#attention.resolve('topic.unsubscribed')
    this.#firstProof.resolve(false)
    this.#o.onChange()
  }

  #prove(untilMs: number | null, byPong: boolean): void {
    this.#ponged ||= byPong
    if (untilMs === null || this.#subscribedAtMs === null || this.#broken) return
    if (untilMs < this.#subscribedAtMs) untilMs = this.#subscribedAtMs
    if (untilMs <= (this.#provenMs ?? -1)) return
    this.#provenMs = untilMs
    this.#firstProof.resolve(true)
    this.#o.onChange()
  }

  #end(why: Attention): void {
    if (!this.live) return
    this.#evicted = why === 'channel.evicted'
    this.#ended.abort()
    this.#socket?.close()
    this.#attention.resolve(why)
    this.#firstProof.resolve(false)
    this.#o.onChange()
  }

  /** Pings, notices silence, and says when the channel is to be renewed; until the link ends. */
  async #watch(renewAtMs: number): Promise<void> {
    const { clock } = this.#o
    const { pingEveryMs, heartbeatTimeoutMs } = this.#o.settings.timing
    const signal = this.#signal()
    let pingAtMs = clock.nowMs() + pingEveryMs
    while (!signal.aborted) {
      const silentAtMs = this.#silentAtMs !== null ? Infinity : this.#lastFrameAtMs + heartbeatTimeoutMs
      const untilMs = this.#paused ? clock.nowMs() + pingEveryMs : Math.min(pingAtMs, silentAtMs)
      await clock.wait(Math.max(1, untilMs - clock.nowMs()), signal)
      if (signal.aborted) return
      if (clock.nowMs() >= renewAtMs) this.#attention.resolve('due')
      if (this.#paused) continue
      if (this.#silentAtMs === null && clock.nowMs() - this.#lastFrameAtMs >= heartbeatTimeoutMs && !(await this.#isAlive())) {
        this.#silentAtMs = clock.nowMs()
        this.#attention.resolve('channel.silent')
        this.#firstProof.resolve(false)
      } else if (clock.nowMs() >= pingAtMs) {
        pingAtMs = clock.nowMs() + pingEveryMs
        this.ping()
      }
    }
  }

  /**
   * Whether anything comes after a ping. When the wait took much longer than asked, this process itself stood still, and
   * what the other side sent may not have been read yet: it is asked once more.
   */
  async #isAlive(): Promise<boolean> {
    const { clock } = this.#o
    const { pongTimeoutMs } = this.#o.settings.timing
    for (let attempt = 0; attempt < 2; attempt++) {
      const askedAtMs = clock.nowMs()
      this.ping()
      await clock.wait(pongTimeoutMs, this.#signal())
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
      if (this.#paused || this.#lastFrameAtMs >= askedAtMs || !this.live) return true
      if (clock.nowMs() - askedAtMs < 2 * pongTimeoutMs) return false
    }
    return false
  }
}

const TOPICS_PER_COMMAND = 100
const MAX_PINGS = 16
/** A ping this old is not answered any more. */
const UNANSWERED_MS = 60_000
const DAY_MS = 86_400_000
/** A channel said to end sooner was given no time worth believing. */
const MIN_LIFE_MS = 600_000

/** What to say of a socket that was closed before it proved anything; `evicted`: with the word that there is no such channel. */
export function closedAtOnce(evicted: boolean): TrunklineError {
  return new TrunklineError(
    evicted ? 'notifications.channel_gone' : 'notifications.connect_failed',
    evicted ? 'Genesys has removed the channel.' : 'Genesys closed the notification WebSocket as soon as it was open.',
    'It is tried again, ever more slowly. If it lasts: another program may be using the same OAuth client, which allows 20 channels.',
  )
}
