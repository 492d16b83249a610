/**
 * The truth about every emission that somebody had subscribed to: `owed` when it surely arrived at an open socket,
 * `missed` when a planted fault stood in the way, `unconnected` when the client had no socket by its own doing,
 * `unsure` when a socket ended before the client's answer to a ping proved what was sent. Owed is exact: a client that
 * lacks such an event has lost it.
 */

export type Outcome = 'owed' | 'missed' | 'unconnected' | 'unsure'

export type Delivery = {
  /** Unique to the emission. */
  readonly correlationId: string
  readonly topicName: string
  /** When it was in fact published; a hair later than the centre meant to. */
  readonly publishedAtMs: number
  readonly outcome: Outcome
  /** What made the client miss it: the kind of a planted fault, `expiry` or `limit` (an eviction by the client's own channels). */
  readonly fault: string | null
  /** Channels it surely arrived on. */
  readonly copies: number
}

/** A time in which some channel, or all, could not get everything. */
export type Outage = {
  readonly kind: string
  readonly fromMs: number
  /** When the platform was able to serve again; null while it is not. */
  toMs: number | null
  readonly channelId: string | null
}

/** An emission on its way to one or more sockets. */
export type Sent = {
  readonly correlationId: string
  readonly topicName: string
  readonly publishedAtMs: number
  open: number
  copies: number
}

export type Counts = Readonly<Record<Outcome | 'pending' | 'unsubscribed' | 'emitted' | 'unrecorded', number>>

export class Deliveries {
  readonly #max: number
  readonly #onRecord: ((delivery: Delivery) => void) | null
  readonly #records: Delivery[] = []
  readonly #pending = new Set<Sent>()
  readonly #outages: Outage[] = []
  readonly #counts = { owed: 0, missed: 0, unconnected: 0, unsure: 0, unsubscribed: 0, emitted: 0, unrecorded: 0 }

  constructor(max: number, onRecord: ((delivery: Delivery) => void) | null) {
    this.#max = max
    this.#onRecord = onRecord
  }

  emitted(): void {
    this.#counts.emitted++
  }

  /** Nobody had subscribed to it. */
  unsubscribed(): void {
    this.#counts.unsubscribed++
  }

  /** It goes to `sockets` sockets; each then says `arrived` or `ended`. */
  sent(what: { readonly correlationId: string; readonly topicName: string; readonly publishedAtMs: number }, sockets: number): Sent {
    const sent = { ...what, open: sockets, copies: 0 }
    this.#pending.add(sent)
    return sent
  }

  /** It went to no socket. */
  unsent(what: { readonly correlationId: string; readonly topicName: string; readonly publishedAtMs: number }, fault: string | null): void {
    this.#record({ ...what, outcome: fault === null ? 'unconnected' : 'missed', fault, copies: 0 })
  }

  /** A socket proved that it has it. */
  arrived(sent: Sent): void {
    sent.open--
    sent.copies++
    this.#settle(sent)
  }

  /** A socket ended without proof that it had it. */
  ended(sent: Sent): void {
    sent.open--
    this.#settle(sent)
  }

  /** A fault begins; the caller ends it by setting `toMs`. */
  outage(kind: string, fromMs: number, channelId: string | null): Outage {
    const outage: Outage = { kind, fromMs, toMs: null, channelId }
    if (this.#outages.length < MAX_OUTAGES) this.#outages.push(outage)
    return outage
  }

  counts(): Counts {
    return { ...this.#counts, pending: this.#pending.size }
  }

  /** What is settled, in the order it was settled. */
  records(): readonly Delivery[] {
    return [...this.#records]
  }

  outages(): readonly Outage[] {
    return this.#outages.map((outage) => ({ ...outage }))
  }

  #settle(sent: Sent): void {
    if (sent.open > 0) return
    this.#pending.delete(sent)
    const { correlationId, topicName, publishedAtMs, copies } = sent
    this.#record({ correlationId, topicName, publishedAtMs, outcome: copies > 0 ? 'owed' : 'unsure', fault: null, copies })
  }

  #record(delivery: Delivery): void {
    this.#counts[delivery.outcome]++
    if (this.#records.length < this.#max) this.#records.push(delivery)
    else this.#counts.unrecorded++
    this.#onRecord?.(delivery)
  }
}

const MAX_OUTAGES = 100_000
