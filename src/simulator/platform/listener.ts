/** Where the platform listens. It can stop, so that connections are refused as in an outage, and come back on the same port. */
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { TrunklineError } from '../../errors.ts'
import type { Clock } from '../../pipeline/clock.ts'

export class Listener {
  readonly #server: Server
  readonly #host: string
  readonly #wall: Clock
  readonly #signal: AbortSignal
  readonly #connections = new Set<Socket>()
  #port = 0

  constructor(server: Server, host: string, wall: Clock, signal: AbortSignal) {
    this.#server = server
    this.#host = host
    this.#wall = wall
    this.#signal = signal
    server.maxConnections = MAX_CONNECTIONS
    server.on('connection', (socket) => {
      this.#connections.add(socket)
      socket.once('close', () => this.#connections.delete(socket))
    })
  }

  /** Listens, on a free port when it is 0; answers `host:port`. */
  async start(port: number): Promise<string> {
    this.#port = await this.#listen(port)
    return `${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.#port}`
  }

  /** Refuses connections, and cuts those there are. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#connections) socket.destroy()
    })
  }

  /** Listens again; the port may be in somebody else's hand for a moment. */
  async startAgain(): Promise<void> {
    while (!this.#signal.aborted && !this.#server.listening) {
      try {
        await this.#listen(this.#port)
      } catch {
        await this.#wall.wait(100, this.#signal)
      }
    }
  }

  #listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const failed = (cause: NodeJS.ErrnoException): void => {
        const inUse = cause.code === 'EADDRINUSE'
        const code = inUse ? 'http.port_in_use' : 'http.cannot_listen'
        const message = inUse ? `port ${port} on ${this.#host} is taken` : `cannot listen on ${this.#host}:${port}: ${cause.message}`
        reject(new TrunklineError(code, message, 'Choose another with --port (0 takes a free one).', { cause }))
      }
      this.#server.once('error', failed)
      this.#server.listen(port, this.#host, () => {
        this.#server.off('error', failed)
        resolve((this.#server.address() as AddressInfo).port)
      })
    })
  }
}

const MAX_CONNECTIONS = 1000
