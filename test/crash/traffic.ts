/**
 * What the client sends: numbered events in conversations, alone and in NDJSON batches, with exact repetitions,
 * repetitions under a new envelope id, and lines that are no event. The ledger of a test: everything sent, everything
 * acknowledged.
 */

export type Line = { readonly text: string; readonly number: number | null }

export type Shipment = { readonly lines: readonly Line[]; readonly batch: boolean; firstSentAtMs: number | null }

/** What was sent and what was acknowledged. */
export class Oracle {
  /** Every text sent for a number: the envelope id may differ, the rest does not. */
  readonly sent: Map<number, string[]> = new Map()
  readonly conversationOf: Map<number, string> = new Map()
  readonly acknowledged: Set<number> = new Set()
  readonly quarantined: Set<string> = new Set()
  /** Records acknowledged as accepted, repetitions included. */
  receipts = 0
  /** Longest time between the first sending of a shipment and its acknowledgement. */
  longestMs = 0
  #next = 1

  number(): number {
    return this.#next++
  }

  acknowledge(shipment: Shipment, nowMs: number): void {
    this.longestMs = Math.max(this.longestMs, nowMs - (shipment.firstSentAtMs ?? nowMs))
    for (const line of shipment.lines)
      if (line.number === null) this.quarantined.add(line.text)
      else {
        this.acknowledged.add(line.number)
        this.receipts++
      }
  }
}

/** Makes the shipments of one sender. Conversations are its own, so its order is the order of arrival. */
export class Traffic {
  readonly #oracle: Oracle
  readonly #random: () => number
  readonly #name: string
  #recent: number[] = []
  #garbage = 0

  constructor(oracle: Oracle, name: string, random: () => number) {
    this.#oracle = oracle
    this.#name = name
    this.#random = random
  }

  next(): Shipment {
    const batch = this.#random() < 0.3
    const size = batch ? 2 + Math.floor(this.#random() * 20) : 1
    return { lines: Array.from({ length: size }, () => this.#line(batch)), batch, firstSentAtMs: null }
  }

  #line(batch: boolean): Line {
    const dice = this.#random()
    const old = this.#recent[Math.floor(this.#random() * this.#recent.length)]
    if (dice < 0.05 && batch) return { text: this.#junk(), number: null }
    if (dice < 0.13 && old !== undefined) return { text: this.#oracle.sent.get(old)?.[0] ?? '', number: old }
    if (dice < 0.2 && old !== undefined) return this.#event(old)
    return this.#event(this.#oracle.number())
  }

  #event(number: number): Line {
    const { sent, conversationOf } = this.#oracle
    const conversation = conversationOf.get(number) ?? `conv-${this.#name}-${number % 3}`
    conversationOf.set(number, conversation)
    const variants = sent.get(number) ?? []
    sent.set(number, variants)
    const text = eventText(number, conversation, variants.length)
    variants.push(text)
    this.#recent.push(number)
    if (this.#recent.length > 40) this.#recent.shift()
    return { text, number }
  }

  #junk(): string {
    const mark = `${this.#name}-${this.#garbage++}`
    return this.#random() < 0.5 ? `{"cut":"${mark}","detail":{` : `no json at all ${mark}`
  }
}

const EPOCH_MS = 1_765_551_865_126

/** One event of the partner bus, about 1 KB; equal for equal arguments, another envelope for another `variant`. */
export function eventText(number: number, conversationId: string, variant = 0): string {
  const template = 'v2.detail.events.conversation.{id}.acd.end'
  return JSON.stringify({
    version: '0',
    id: `env-${number}-${variant}`,
    'detail-type': template,
    source: 'aws.partner/genesys.com/cloud/00000000-0000-0000-0000-000000000000/genesys_acme',
    account: '123456789012',
    time: '2025-12-12T15:04:25Z',
    region: 'us-east-1',
    resources: [],
    detail: {
      topicName: template.replace('{id}', conversationId),
      version: '2',
      eventBody: {
        eventTime: EPOCH_MS + number,
        conversationId,
        participantId: `n-${number}`,
        sessionId: `session-${number}`,
        disconnectType: 'TRANSFER',
        mediaType: 'VOICE',
        queueId: `queue-${number % 7}`,
        note: 'x'.repeat(200 + (number % 5) * 60),
      },
      metadata: { CorrelationId: `correlation-${number}` },
      timestamp: new Date(EPOCH_MS + number).toISOString(),
    },
  })
}
