/** The load: HTTP/1.1 over plain sockets, one request under way per connection, every answer checked. */
import { connect } from 'node:net'
import type { NumberedEvents } from './numbered-events.ts'

export type Load = {
  readonly host: string
  readonly port: number
  readonly token: string
  readonly events: NumberedEvents
  readonly from: number
  readonly count: number
  /** Events a request: 1 sends application/json, more send NDJSON. */
  readonly perRequest: number
  readonly connections: number
  /** Requests a second over all connections; null: as fast as they are answered. */
  readonly requestsPerSecond: number | null
}

export type LoadResult = { readonly accepted: number; readonly answerMs: Float64Array; readonly errors: readonly string[] }

/** Sends everything once; resolves when all is answered. */
export function send(load: Load): Promise<LoadResult> {
  const end = load.from + load.count
  const answerMs: number[] = []
  const errors: string[] = []
  let next = load.from
  let accepted = 0
  const startedAt = performance.now()
  let requests = 0

  const head = (bytes: number): Buffer =>
    Buffer.from(
      `POST /v1/events HTTP/1.1\r\nhost: ${load.host}:${load.port}\r\nauthorization: Bearer ${load.token}\r\n` +
        `content-type: ${load.perRequest === 1 ? 'application/json' : 'application/x-ndjson'}\r\ncontent-length: ${bytes}\r\n\r\n`,
    )

  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(load.port, load.host)
      socket.setNoDelay(true)
      let sentAt = 0
      let expected = 0
      let pending = Buffer.alloc(0)
      const request = (): void => {
        if (next >= end) {
          socket.end()
          resolve()
          return
        }
        if (load.requestsPerSecond !== null) {
          const dueMs = (requests / load.requestsPerSecond) * 1000 - (performance.now() - startedAt)
          if (dueMs > 1) {
            setTimeout(request, dueMs)
            return
          }
        }
        requests++
        const first = next
        const count = Math.min(load.perRequest, end - first)
        next += count
        expected = count
        const body = bodyOf(load, first, count)
        sentAt = performance.now()
        socket.write(Buffer.concat([head(body.length), body]))
      }
      socket.on('connect', request)
      socket.on('data', (chunk) => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
        const answer = readAnswer(pending)
        if (answer === null) return
        pending = pending.subarray(answer.bytes)
        answerMs.push(performance.now() - sentAt)
        if (answer.status === 202 && answer.accepted === expected) accepted += expected
        else if (errors.length < 5) errors.push(`${answer.status}: ${answer.text.slice(0, 300)}`)
        request()
      })
      socket.on('error', reject)
      socket.on('close', () => resolve())
    })

  return Promise.all(Array.from({ length: load.connections }, one)).then(() => ({
    accepted,
    answerMs: Float64Array.from(answerMs).sort(),
    errors,
  }))
}

function bodyOf(load: Load, first: number, count: number): Buffer {
  const { events } = load
  const line = events.bytes + (load.perRequest === 1 ? 0 : 1)
  const body = Buffer.allocUnsafe(line * count)
  for (let i = 0; i < count; i++) {
    events.write(body, i * line, first + i)
    if (load.perRequest > 1) body[i * line + events.bytes] = 10
  }
  return body
}

function readAnswer(b: Buffer): { status: number; bytes: number; accepted: number; text: string } | null {
  const headEnd = b.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const head = b.toString('latin1', 0, headEnd)
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
  const bytes = headEnd + 4 + length
  if (b.length < bytes) return null
  const text = b.toString('utf8', headEnd + 4, bytes)
  return { status: Number(head.slice(9, 12)), bytes, accepted: Number(/"accepted":(\d+)/.exec(text)?.[1] ?? -1), text }
}
