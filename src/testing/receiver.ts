import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request as it came. */
export type Received = { readonly idempotencyKey: string; readonly body: string; readonly topic: string }

/** A real HTTP server in the part of a user's CRM. */
export type Receiver = {
  readonly url: string
  /** Whole requests, in the order they came. */
  readonly received: Received[]
  /** Requests that are not yet answered, now and at most. */
  readonly open: { now: number; most: number }
  close(): Promise<void>
}

/** Starts one. `answer` gives the status; while its promise is pending the request stays open. */
export async function receiver(answer: (received: Received) => number | Promise<number> = () => 200): Promise<Receiver> {
  const received: Received[] = []
  const open = { now: 0, most: 0 }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    open.now += 1
    open.most = Math.max(open.most, open.now)
    response.on('close', () => (open.now -= 1))
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const header = (name: string): string => String(request.headers[name] ?? '')
    const one = { idempotencyKey: header('idempotency-key'), topic: header('trunkline-topic'), body: Buffer.concat(chunks).toString() }
    received.push(one)
    response.statusCode = await answer(one)
    response.end()
  }
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    received,
    open,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
