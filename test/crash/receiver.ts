/**
 * A receiver in the part of somebody's CRM: answers 500 to a third of the requests, now and then never answers, and
 * keeps what it took (answered 200) and under which Idempotency-Key every request for an event came.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type FlakyReceiver = {
  readonly url: string
  /** Bodies answered 200, by the number in the event. */
  readonly taken: Map<number, string[]>
  /** Idempotency keys seen, by the number in the event, whatever the answer was. */
  readonly keys: Map<number, Set<string>>
  /** False while a test wants every request answered 200. */
  flaky: boolean
  close(): Promise<void>
}

export async function flakyReceiver(random: () => number): Promise<FlakyReceiver> {
  const taken = new Map<number, string[]>()
  const keys = new Map<number, Set<string>>()
  const self = { flaky: true }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const number = numberIn(body)
      const seen = keys.get(number) ?? new Set()
      keys.set(number, seen.add(String(request.headers['idempotency-key'])))
      const dice = self.flaky ? random() : 1
      if (dice < 0.005) return
      if (dice < 1 / 3) response.statusCode = 500
      else {
        const bodies = taken.get(number) ?? []
        taken.set(number, bodies)
        bodies.push(body)
      }
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(self, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    taken,
    keys,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
}

/** The number that the workload gave the event (see traffic.ts). */
export function numberIn(text: string): number {
  return Number(/"participantId":"n-(\d+)"/.exec(text)?.[1] ?? -1)
}
