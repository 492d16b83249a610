/**
 * One WebSocket, by `ws`: frames bounded in size, handshake bounded in time, never a redirect, reading can be paused. A text
 * frame that is no UTF-8 is handed over like any other, since one bad frame is no reason to lose the connection.
 */
import { Buffer } from 'node:buffer'
import { WebSocket } from 'ws'
import type { Clock } from '../../pipeline/clock.ts'
import { TrunklineError } from '../../errors.ts'

export type SocketOptions = {
  readonly uri: string
  readonly clock: Clock
  readonly connectTimeoutMs: number
  readonly maxFrameBytes: number
  readonly signal: AbortSignal
  readonly onFrame: (bytes: Buffer, binary: boolean) => void
  /** Called once, after the last frame. */
  readonly onClose: (why: SocketEnd) => void
}

export type SocketEnd = 'closed' | 'frame.too_large'

export interface Socket {
  send(text: string): void
  pause(): void
  resume(): void
  /** Closes in order, still giving frames; resolves when it is closed, or the other side took too long. */
  finish(signal: AbortSignal): Promise<void>
  /** No frame is given after this. */
  close(): void
}

/** Connects; rejects with a coded error when there is no open socket in time. */
export async function openSocket(o: SocketOptions): Promise<Socket> {
  const ws = connect(o)
  let open = false
  let end: SocketEnd = 'closed'
  let failure = 'the connection was closed before it was open'
  let silent = false
  const settled = Promise.withResolvers<void>()
  ws.on('open', () => {
    open = true
    settled.resolve()
  })
  ws.on('message', (data, binary) => {
    if (!silent) o.onFrame(bytesOf(data), binary)
  })
  ws.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') end = 'frame.too_large'
    failure = error.message
  })
  ws.on('close', () => {
    settled.resolve()
    if (open) o.onClose(end)
  })
  const inTime = new AbortController()
  const signal = AbortSignal.any([o.signal, inTime.signal])
  await Promise.race([settled.promise, o.clock.wait(o.connectTimeoutMs, signal)])
  inTime.abort()
  if (!open || o.signal.aborted) {
    ws.terminate()
    throw connectFailed(ws.readyState === WebSocket.CONNECTING ? `no answer within ${o.connectTimeoutMs} ms` : failure)
  }
  return {
    send: (text) => ws.send(text, () => undefined),
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    finish: async (signal) => {
      ws.close(1000)
      await o.clock.wait(CLOSE_MS, signal)
    },
    close: () => {
      silent = true
      ws.close(1000)
      void o.clock.wait(CLOSE_MS, o.signal).then(() => ws.terminate())
    },
  }
}

/** Real milliseconds, as a last resort beneath the handed-in clock. */
const HANDSHAKE_TIMEOUT_MS = 60_000
const CLOSE_MS = 2_000

function connect(o: SocketOptions): WebSocket {
  const url = URL.parse(o.uri)
  const encrypted = url?.protocol === 'wss:' || (url?.protocol === 'ws:' && LOOPBACK.has(url.hostname))
  if (url === null || !encrypted) {
    throw new TrunklineError(
      'notifications.bad_uri',
      'Genesys gave a channel whose address is no wss:// URI.',
      'Check the region of the Platform API, and that nothing between here and Genesys rewrites answers.',
    )
  }
  return new WebSocket(url, {
    maxPayload: o.maxFrameBytes,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    followRedirects: false,
  })
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]'])

function connectFailed(why: string): TrunklineError {
  return new TrunklineError(
    'notifications.connect_failed',
    `The notification WebSocket could not be opened: ${why}.`,
    'It is tried again. If it lasts: outgoing WebSockets (wss, port 443) to streaming.<region> must be allowed.',
  )
}

function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data)
}
