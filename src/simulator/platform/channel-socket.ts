/**
 * One WebSocket of a channel. What was sent counts as arrived only when the client has answered a ping that followed
 * it, so nothing is owed that could have been lost on the way. A socket that is silent, or being closed, takes nothing.
 */
import type { WebSocket } from 'ws'
import type { Clock } from '../../pipeline/clock.ts'
import type { Deliveries, Sent } from './deliveries.ts'

export type SocketOptions = {
  readonly clock: Clock
  /** Measures the network rather than the play: how long an answer to a ping is waited for. */
  readonly wall: Clock
  readonly heartbeatMs: number
  readonly maxBufferedBytes: number
  readonly deliveries: Deliveries
  /** Text frames of the client that are no ping. */
  readonly onFrame: (frame: unknown) => void
  readonly onEnd: () => void
}

export class ChannelSocket {
  readonly #socket: WebSocket
  readonly #options: SocketOptions
  readonly #ended = new AbortController()
  /** Sent and not proven, oldest first. */
  readonly #unproven: Sent[] = []
  readonly #proofs = new Set<{ readonly number: number; readonly done: (arrived: boolean) => void }>()
  #sent = 0
  #proven = 0
  #pinged = 0
  #silent = false
  #closing = false
  #slow = false

  constructor(socket: WebSocket, options: SocketOptions, silent: boolean) {
    this.#socket = socket
    this.#options = options
    this.#silent = silent
    socket.on('message', (data, binary) => this.#read(binary ? null : (data as Buffer).toString()))
    socket.on('ping', (data) => {
      if (!this.#silent) socket.pong(data)
    })
    socket.on('pong', (data) => this.#prove(Number(data.toString())))
    // What is wrong with a frame closes the socket; the close event follows.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#end())
    void this.#beat()
  }

  /** Whether it takes messages. */
  get healthy(): boolean {
    return this.#socket.readyState === this.#socket.OPEN && !this.#silent && !this.#closing
  }

  /** Whether it was closed for reading too slowly. */
  get slow(): boolean {
    return this.#slow
  }

  /** Aborts when the socket is closed. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** Sends one message; the caller has seen that the socket is healthy. */
  send(text: string, sent: Sent): void {
    this.#sent++
    this.#unproven.push(sent)
    this.#socket.send(text)
    if (this.#pinged === this.#proven) this.#ping()
    if (this.#socket.bufferedAmount <= this.#options.maxBufferedBytes && this.#unproven.length < MAX_UNPROVEN) return
    this.#slow = true
    this.#socket.terminate()
  }

  /** Sends a frame of the protocol, unless the socket is silent. */
  tell(frame: object): void {
    if (this.#silent || this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#socket.bufferedAmount > this.#options.maxBufferedBytes) this.#socket.terminate()
    else this.#socket.send(JSON.stringify(frame))
  }

  /** Takes no more messages; true when everything sent so far is known to have arrived. */
  async settle(): Promise<boolean> {
    this.#closing = true
    return this.#proof()
  }

  /** True when everything sent so far is known to have arrived; the socket goes on. */
  async #proof(): Promise<boolean> {
    if (this.#sent === this.#proven) return true
    if (this.#ended.signal.aborted || this.#silent) return false
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const proof = { number: this.#sent, done: resolve }
    this.#proofs.add(proof)
    this.#ping()
    const given = new AbortController()
    const patience = this.#options.wall.wait(PATIENCE_MS, given.signal).then(() => false)
    const arrived = await Promise.race([promise, patience])
    this.#proofs.delete(proof)
    given.abort()
    return arrived
  }

  /** From now on it is open, and says nothing. What was sent is proven first. */
  async silence(): Promise<void> {
    await this.settle()
    this.#silent = true
  }

  /** Closes it in order, once everything sent has arrived. */
  async close(code: number, reason: string): Promise<void> {
    await this.settle()
    this.#socket.close(code, reason)
    await this.#options.wall.wait(PATIENCE_MS, this.#ended.signal)
    this.#socket.terminate()
  }

  /** Cuts it off, once everything sent has arrived. */
  async cut(): Promise<void> {
    await this.settle()
    this.#socket.terminate()
  }

  /** Cuts it off now. */
  terminate(): void {
    this.#socket.terminate()
  }

  #read(text: string | null): void {
    const frame = text === null ? undefined : parsed(text)
    if (typeof frame === 'object' && frame !== null && 'message' in frame && frame.message === 'ping') this.tell(metadata('pong'))
    else this.#options.onFrame(frame)
  }

  async #beat(): Promise<void> {
    for (;;) {
      await this.#options.clock.wait(this.#options.heartbeatMs, this.#ended.signal)
      if (this.#ended.signal.aborted) return
      this.tell(metadata('WebSocket Heartbeat'))
    }
  }

  #ping(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#pinged = this.#sent
    this.#socket.ping(String(this.#sent))
  }

  #prove(number: number): void {
    // A pong that nobody asked for proves nothing.
    if (!(number > this.#proven && number <= this.#pinged)) return
    for (const sent of this.#unproven.splice(0, number - this.#proven)) this.#options.deliveries.arrived(sent)
    this.#proven = number
    for (const proof of this.#proofs) if (proof.number <= number) proof.done(true)
    if (this.#sent > this.#pinged) this.#ping()
  }

  #end(): void {
    this.#ended.abort()
    for (const sent of this.#unproven.splice(0)) this.#options.deliveries.ended(sent)
    for (const proof of this.#proofs) proof.done(false)
    this.#options.onEnd()
  }
}

/** How long a client may take to answer a ping. */
const PATIENCE_MS = 5000
const MAX_UNPROVEN = 20_000

function metadata(message: string): object {
  return { topicName: 'channel.metadata', eventBody: { message } }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
