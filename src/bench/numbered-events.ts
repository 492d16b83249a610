/**
 * Events for measuring: real-looking acd.end envelopes of about 1.3 KB, each made from its number alone, so that what
 * arrives can be compared byte for byte with what was sent without keeping it.
 */
const ORG = '00000000-0000-4000-8000-0000000000bb'
const BASE_MS = 1_765_551_865_000

/** Digits patched per event; wide enough for any run. */
const DIGITS = 12

export class NumberedEvents {
  readonly #template: Buffer
  readonly #idAt: readonly number[]
  readonly #timeAt: number
  /** Length of every event, bytes. */
  readonly bytes: number

  /** `series` tells the events of one run from those of another. */
  constructor(series: string) {
    const n = '#'.repeat(DIGITS)
    const conversation = `c0ffee00-${series.padStart(4, '0').slice(-4)}-4000-8000-${n}`
    const text = JSON.stringify({
      version: '0',
      id: `e0ffee00-${series.padStart(4, '0').slice(-4)}-4000-8000-${n}`,
      'detail-type': 'v2.detail.events.conversation.{id}.acd.end',
      source: `aws.partner/genesys.com/cloud/${ORG}/bench`,
      account: '123456789012',
      time: '2025-12-12T15:04:25Z',
      region: 'us-east-1',
      resources: [],
      detail: {
        topicName: `v2.detail.events.conversation.${conversation}.acd.end`,
        version: '2',
        eventBody: {
          eventTime: 1111111111111,
          conversationId: conversation,
          participantId: 'b7d4a9f0-1f1e-4b7e-9c55-2f9f3f1c6a01',
          sessionId: '3b7f0f6e-52a1-4b58-a0a7-7f4d9a1f2c02',
          disconnectType: 'TRANSFER',
          mediaType: 'VOICE',
          provider: 'Edge',
          direction: 'INBOUND',
          ani: 'tel:+15555550955',
          dnis: 'tel:+15555550000',
          queueId: '5a1e0000-0000-4000-8000-000000000001',
          divisionId: '00000000-0000-4000-8000-0000000000d1',
          acdOutcome: 'ANSWERED',
          answeredUserId: 'a6e70000-0000-4000-8000-000000000001',
          requestedRoutings: ['STANDARD'],
          usedRouting: 'STANDARD',
          routingPriority: 40,
          connectedDurationMs: 39674,
          conversationExternalContactIds: ['7d1f6a52-9b5e-4c5a-8a37-0e9f1a2b3c4d'],
          utilizationLabel: '0d9c8b7a-6f5e-4d3c-8b1a-09f8e7d6c5b4',
          flowType: 'inqueuecall',
        },
        metadata: { CorrelationId: '2f4e6d8c-0b1a-4d3c-9e5f-7a6b5c4d3e2f' },
        timestamp: '2025-12-12T15:04:25.431Z',
      },
    })
    this.#template = Buffer.from(text)
    this.bytes = this.#template.length
    const at: number[] = []
    for (let i = text.indexOf(n); i >= 0; i = text.indexOf(n, i + 1)) at.push(i)
    this.#idAt = at
    this.#timeAt = text.indexOf('1111111111111')
  }

  /** Writes event `number` at `offset`. */
  write(into: Buffer, offset: number, number: number): void {
    this.#template.copy(into, offset)
    for (const at of this.#idAt) writeDigits(into, offset + at, number, DIGITS)
    writeDigits(into, offset + this.#timeAt, BASE_MS + number, 13)
  }

  /** The number in a document that begins with an event of this series, or -1. */
  numberOf(document: Buffer): number {
    const at = this.#idAt[0]!
    let number = 0
    for (let i = 0; i < DIGITS; i++) {
      const digit = document[at + i]! - 48
      if (!(digit >= 0 && digit <= 9)) return -1
      number = number * 10 + digit
    }
    return number
  }
}

function writeDigits(into: Buffer, at: number, value: number, digits: number): void {
  let rest = value
  for (let i = digits - 1; i >= 0; i--) {
    const next = Math.floor(rest / 10)
    into[at + i] = 48 + (rest - next * 10)
    rest = next
  }
}
