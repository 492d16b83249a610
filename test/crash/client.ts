/**
 * An at-least-once client: several senders, each with one request under way. What was not acknowledged (connection
 * lost, 503, no answer in time) is sent again, first of all, when the service is back.
 */
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { Oracle, Shipment } from './traffic.ts'
import { Traffic } from './traffic.ts'

/** Between two requests of a sender, so that the routes can keep up over hundreds of lives. */
const MOST_PAUSE_MS = 40

export class Client {
  readonly #random: () => number
  readonly #oracle: Oracle
  readonly #senders: { traffic: Traffic; unacknowledged: Shipment | null }[]
  #agent = new Agent({ keepAlive: true })

  constructor(oracle: Oracle, senders: number, random: () => number) {
    this.#oracle = oracle
    this.#random = random
    this.#senders = Array.from({ length: senders }, (_, i) => ({ traffic: new Traffic(oracle, `s${i}`, random), unacknowledged: null }))
  }

  get unacknowledged(): number {
    return this.#senders.filter((sender) => sender.unacknowledged !== null).length
  }

  /** Sends until `stop` aborts or the service is gone. With `onlyRest`, only what is still not acknowledged. */
  async run(url: string, stop: AbortSignal, onlyRest: boolean = false): Promise<void> {
    this.#agent = new Agent({ keepAlive: true })
    await Promise.all(
      this.#senders.map(async (sender) => {
        while (!stop.aborted) {
          if (sender.unacknowledged === null && onlyRest) return
          sender.unacknowledged ??= sender.traffic.next()
          const shipment = sender.unacknowledged
          shipment.firstSentAtMs ??= Date.now()
          const answer = await this.#post(url, shipment)
          if (answer === 'gone') return
          if (answer === 'busy') continue
          this.#check(shipment, answer)
          this.#oracle.acknowledge(shipment, Date.now())
          sender.unacknowledged = null
          await pause(this.#random() * MOST_PAUSE_MS)
        }
      }),
    )
    this.#agent.destroy()
  }

  #check(shipment: Shipment, answer: { readonly status: number; readonly body: string }): void {
    const told = JSON.parse(answer.body) as { accepted: number; quarantined: number; ids: unknown[]; errors: { index: number }[] }
    const bad = shipment.lines.flatMap((line, index) => (line.number === null ? [index] : []))
    assert.equal(answer.status, bad.length === shipment.lines.length ? 400 : 202, answer.body)
    assert.equal(told.accepted, shipment.lines.length - bad.length, answer.body)
    assert.deepEqual(
      told.errors.map((e) => e.index),
      bad,
      answer.body,
    )
    assert.equal(told.ids.length, shipment.lines.length, answer.body)
  }

  #post(url: string, shipment: Shipment): Promise<{ status: number; body: string } | 'gone' | 'busy'> {
    const body = shipment.lines.map((line) => line.text).join('\n')
    const type = shipment.batch ? 'application/x-ndjson' : 'application/json'
    return new Promise((resolve) => {
      const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) }
      const sent = request(`${url}/v1/events`, { method: 'POST', agent: this.#agent, headers, timeout: 5_000 }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', () => resolve('gone'))
        response.on('close', () => {
          if (!response.complete) resolve('gone')
          else if (response.statusCode === 503) resolve('busy')
          else resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
        })
      })
      sent.on('timeout', () => sent.destroy())
      sent.on('error', () => resolve('gone'))
      sent.end(body)
    })
  }
}
