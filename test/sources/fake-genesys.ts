/**
 * Genesys as far as the notification source sees it, for its tests: the port in this process, and a real WebSocket server that
 * misbehaves on request. It keeps the truth: which events were sent on an open, subscribed, healthy socket.
 */
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import type { Channel, ConversationDetail, Platform, TopicState, UserStatus } from '../../src/genesys/platform.ts'
import type { Clock } from '../../src/pipeline/clock.ts'
import { turns } from '../../src/testing/virtual-clock.ts'

export type FakeChannel = {
  readonly id: string
  readonly topics: Set<string>
  socket: WebSocket | null
  silent: boolean
  expiresAtMs: number
}

export type Truth = { readonly text: string; readonly atMs: number; readonly sent: boolean }

export class FakeGenesys implements Platform {
  readonly #clock: Clock
  readonly #server: WebSocketServer
  readonly channels: Map<string, FakeChannel> = new Map()
  /** Every event published, and whether somebody got it. */
  readonly truth: Truth[] = []
  readonly calls: string[] = []
  connections = 0
  userIds: readonly string[] = ['u1']
  queueIds: readonly string[] = ['q1']
  queueName: (id: string) => string = (id) => id
  details: readonly ConversationDetail[] = []
  /** What new sockets do. */
  mode: 'good' | 'silent' | 'close' | 'no-pong' | 'refuse' | 'close-at-ping' | 'gone' | 'gone-after-pong' = 'good'
  /** API calls with these names fail. */
  readonly failing: Set<string> = new Set()
  inSocket: 'yes' | 'no' = 'yes'
  rejects: (topic: string) => boolean = () => false
  #ids = 0

  private constructor(clock: Clock, server: WebSocketServer) {
    this.#clock = clock
    this.#server = server
    server.on('connection', (socket, request) => this.#connected(socket, (request.url ?? '').slice(1)))
  }

  static async start(clock: Clock): Promise<FakeGenesys> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, verifyClient: () => fake.mode !== 'refuse' })
    await new Promise((resolve) => server.once('listening', resolve))
    const fake = new FakeGenesys(clock, server)
    return fake
  }

  async stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get live(): readonly FakeChannel[] {
    return [...this.channels.values()].filter(({ socket }) => socket?.readyState === 1)
  }

  count(call: string): number {
    return this.calls.filter((name) => name === call).length
  }

  /** Publishes an event to all that have its topic. Each copy gets its own CorrelationId where `distinct`. */
  publish(topicName: string, eventBody: object, distinct = false): void {
    const text = (mark: string): string => JSON.stringify({ topicName, version: '2', eventBody, metadata: { CorrelationId: mark } })
    const to = this.live.filter(({ topics, silent }) => !silent && isSubscribed(topics, topicName))
    const number = this.truth.length
    for (const { socket, id } of to) socket?.send(text(distinct ? `${number} ${id}` : `${number}`))
    this.truth.push({ text: text(`${number}`), atMs: this.#clock.nowMs(), sent: to.length > 0 })
  }

  /** Sends a frame as it is to every healthy socket. */
  raw(frame: string | Buffer): void {
    for (const { socket } of this.live) socket?.send(frame)
  }

  notice(channel: FakeChannel, topicName: string, eventBody: object = {}): void {
    channel.socket?.send(JSON.stringify({ topicName, eventBody, metadata: {} }))
  }

  /** Cuts the socket off, once what was sent has arrived. */
  async cut(channel: FakeChannel): Promise<void> {
    await turns(10)
    channel.socket?.terminate()
  }

  async evict(channel: FakeChannel, told: boolean): Promise<void> {
    await turns(10)
    this.channels.delete(channel.id)
    if (told) channel.socket?.send(GONE)
    channel.socket?.close(1000)
  }

  async closing(channel: FakeChannel, inMs: number): Promise<void> {
    this.notice(channel, 'v2.system.socket_closing')
    await this.#clock.wait(inMs)
    await turns(10)
    channel.socket?.close(1001)
  }

  async createChannel(): Promise<Channel> {
    await this.#call('createChannel')
    const id = `c${++this.#ids}`
    const expiresAtMs = this.#clock.nowMs() + 86_400_000
    this.channels.set(id, { id, topics: new Set(), socket: null, silent: false, expiresAtMs })
    const idle = [...this.channels.values()].find(({ socket }) => socket === null || socket.readyState !== 1)
    if (this.channels.size > 20 && idle !== undefined) this.channels.delete(idle.id)
    return { id, connectUri: `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${id}`, expiresAtMs }
  }

  async conversationDetail(id: string): Promise<ConversationDetail | null> {
    await this.#call('conversationDetail')
    return this.details.find(({ conversationId }) => conversationId === id) ?? null
  }

  async userStatuses(): Promise<readonly UserStatus[]> {
    await this.#call('userStatuses')
    return []
  }

  async channelExists(id: string): Promise<boolean> {
    await this.#call('channelExists')
    return this.channels.has(id)
  }

  async addTopics(id: string, topics: readonly string[]): Promise<readonly TopicState[]> {
    await this.#call('addTopics')
    return this.#subscribe(id, topics)
  }

  async replaceTopics(id: string, topics: readonly string[]): Promise<readonly TopicState[]> {
    await this.#call('replaceTopics')
    this.channels.get(id)?.topics.clear()
    return this.#subscribe(id, topics)
  }

  async users(): Promise<readonly { id: string; name: string; email: null; divisionId: null; state: null }[]> {
    await this.#call('users')
    return this.userIds.map((id) => ({ id, name: id, email: null, divisionId: null, state: null }))
  }

  async queues(): Promise<readonly { id: string; name: string; divisionId: null; serviceGoals: [] }[]> {
    await this.#call('queues')
    return this.queueIds.map((id) => ({ id, name: this.queueName(id), divisionId: null, serviceGoals: [] }))
  }

  async *conversationDetails(range: { readonly fromMs: number; readonly toMs: number }): AsyncIterable<ConversationDetail> {
    await this.#call('conversationDetails')
    for (const detail of this.details) {
      const startMs = Date.parse(detail.conversationStart ?? '1970-01-01T00:00:00Z')
      if (startMs <= range.toMs && !(Date.parse(detail.conversationEnd ?? '2999-01-01T00:00:00Z') < range.fromMs)) yield detail
    }
  }

  readonly organization: () => Promise<never> = notAsked
  readonly divisions: () => Promise<never> = notAsked
  readonly wrapupCodes: () => Promise<never> = notAsked
  readonly flows: () => Promise<never> = notAsked
  readonly conversation: () => Promise<never> = notAsked
  readonly patchAttributes: () => Promise<never> = notAsked
  readonly availableTopics: () => Promise<never> = notAsked

  async #call(name: string): Promise<void> {
    this.calls.push(name)
    await turns(1)
    if (this.failing.has(name) || this.failing.has('all')) throw new Error(`${name} is out of order`)
  }

  #subscribe(id: string, topics: readonly string[]): readonly TopicState[] {
    const channel = this.channels.get(id)
    if (channel === undefined) throw new Error('no such channel')
    return topics.map((topic) => {
      const permitted = !this.rejects(topic)
      if (permitted) channel.topics.add(topic)
      return { topic, permitted, reason: permitted ? null : 'forbidden', missingPermissions: permitted ? [] : ['some:thing:view'] }
    })
  }

  #connected(socket: WebSocket, id: string): void {
    this.connections++
    socket.on('error', () => undefined)
    const channel = this.channels.get(id)
    if (channel === undefined) {
      socket.send(GONE)
      return socket.close(1000)
    }
    if (this.mode === 'close') return socket.close(1000)
    const told = this.mode
    if (told === 'gone') socket.send(GONE)
    channel.socket?.close(1001)
    channel.socket = socket
    channel.silent = this.mode === 'silent'
    const pongs = this.mode !== 'no-pong'
    socket.on('message', (data) => {
      const frame = JSON.parse((data as Buffer).toString()) as { message?: string; topics?: string[]; correlationId?: string }
      if (channel.silent) return
      if (frame.message === 'ping' && told === 'close-at-ping') return socket.close(1000)
      if (frame.message === 'ping' && pongs) socket.send('{"topicName":"channel.metadata","eventBody":{"message":"pong"}}')
      if (frame.message === 'ping' && told === 'gone-after-pong') socket.send(GONE)
      if (frame.message !== 'subscribe') return
      this.calls.push('in-socket')
      const fine = this.inSocket === 'yes' && !frame.topics!.some((topic) => this.rejects(topic))
      if (fine) this.#subscribe(id, frame.topics!)
      socket.send(
        JSON.stringify({ result: fine ? '200' : '400', status: fine ? 'subscribed' : 'failure', correlationId: frame.correlationId }),
      )
    })
    void this.#beat(channel, socket)
  }

  async #beat(channel: FakeChannel, socket: WebSocket): Promise<void> {
    while (socket.readyState <= 1) {
      await this.#clock.wait(30_000)
      if (!channel.silent && socket.readyState === 1) {
        socket.send('{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}')
      }
    }
  }
}

const GONE = '{"result":"404"}'

function isSubscribed(topics: ReadonlySet<string>, topicName: string): boolean {
  if (topics.has(topicName)) return true
  for (const topic of topics) {
    const [start, kinds] = topic.split('?')
    if (kinds === undefined || start === undefined || !topicName.startsWith(`${start}.`)) continue
    if (kinds.split('&').includes(topicName.slice(start.length + 1))) return true
  }
  return false
}

function notAsked(): Promise<never> {
  return Promise.reject(new Error('not asked'))
}
