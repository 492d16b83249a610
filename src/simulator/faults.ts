/**
 * From emissions to the copies that arrive: written, repeated, delayed, damaged. Pure, and exact in its counts: copies =
 * distinct + duplicates + malformed, where nothing malformed takes the place of an event. Every fault draws from a stream of
 * its own. The first copy is always an event, since who reads lines judges them by the first one.
 */
import { drifted, malformed, oversized, type DriftKind } from './damage.ts'
import type { Writer } from './envelope.ts'
import { Seed, type Chance } from './model/chance.ts'
import { TimeQueue } from './model/time-queue.ts'
import type { Emission, Simulation } from './simulation.ts'

/** Shares are 0..1. */
export type Faults = {
  /** Events that arrive twice: half of them as the same record, half published again under a new envelope id. */
  readonly duplicates: number
  /** Every copy is delayed by a random time up to this, so that their order changes. */
  readonly disorderMs: number
  readonly drift: number
  readonly oversize: number
  /** Records, beside the events, that are no events. */
  readonly malformed: number
}

export const NO_FAULTS: Faults = { duplicates: 0, disorderMs: 0, drift: 0, oversize: 0, malformed: 0 }

export type Copy = {
  /** When it arrives; never falls from one copy to the next. */
  readonly atMs: number
  readonly kind: 'event' | 'duplicate' | 'malformed'
  readonly record: string | Uint8Array
  readonly topic: string
}

/** What came out so far. */
export type Emitted = {
  copies: number
  distinct: number
  duplicates: number
  malformed: number
  oversize: number
  drifted: Record<DriftKind, number>
  /** Distinct events by topic template. */
  readonly byTopic: Map<string, number>
}

/** A duplicate comes up to so much after the original. */
const DUPLICATE_WITHIN_MS = 10_000

export class Traffic {
  readonly emitted: Emitted = {
    copies: 0,
    distinct: 0,
    duplicates: 0,
    malformed: 0,
    oversize: 0,
    drifted: { field: 0, value: 0, type: 0 },
    byTopic: new Map(),
  }
  readonly #simulation: Simulation
  readonly #write: Writer
  readonly #faults: Faults
  readonly #on: Readonly<Record<keyof Faults, Chance>>
  readonly #arriving = new TimeQueue<Copy>()
  #eventsLeft: number
  #oversizeDue = 0
  #begun = false

  /** `limit`: the most events that are taken from the simulation. */
  constructor(options: {
    readonly simulation: Simulation
    readonly write: Writer
    readonly faults: Faults
    readonly seed: string
    readonly limit: number | null
  }) {
    this.#simulation = options.simulation
    this.#write = options.write
    this.#faults = options.faults
    this.#eventsLeft = options.limit ?? Infinity
    const seed = Seed.of(`trunkline ${options.seed}`).branch('faults')
    const stream = (name: keyof Faults): Chance => seed.branch(name).stream()
    this.#on = {
      duplicates: stream('duplicates'),
      disorderMs: stream('disorderMs'),
      drift: stream('drift'),
      oversize: stream('oversize'),
      malformed: stream('malformed'),
    }
  }

  /** When the next copy arrives; null at the end. */
  peekAtMs(): number | null {
    this.#fill()
    const atMs = this.#arriving.nextAtMs
    return atMs === Infinity ? null : atMs
  }

  /** The next copy, or null at the end. */
  next(): Copy | null {
    this.#fill()
    const copy = this.#arriving.take()
    if (copy === undefined) return null
    if (!this.#begun && copy.kind === 'malformed') return this.#afterFirst(copy)
    this.#begun = true
    const { emitted } = this
    emitted.copies++
    if (copy.kind === 'event') {
      emitted.distinct++
      emitted.byTopic.set(copy.topic, (emitted.byTopic.get(copy.topic) ?? 0) + 1)
    } else if (copy.kind === 'duplicate') emitted.duplicates++
    else emitted.malformed++
    return copy
  }

  /** Lets an event go first. There is one: what is malformed comes beside an event. */
  #afterFirst(early: Copy): Copy | null {
    const first = this.next()
    if (first !== null) this.#arriving.add(first.atMs, { ...early, atMs: first.atMs })
    return first
  }

  /** Takes emissions until none can arrive before what is there. */
  #fill(): void {
    while (this.#eventsLeft > 0) {
      const atMs = this.#simulation.peekAtMs()
      if (atMs === null || atMs > this.#arriving.nextAtMs) return
      const emission = this.#simulation.next()
      if (emission === null) return
      this.#eventsLeft--
      this.#add(emission)
    }
  }

  #add(emission: Emission): void {
    const { duplicates, malformed: share } = this.#faults
    const bodyText = this.#bodyOf(emission)
    const record = this.#write(emission, bodyText, false)
    const atMs = emission.publishedAtMs
    const { topic } = emission
    this.#arrive(atMs, { kind: 'event', topic, record })
    if (duplicates > 0 && this.#on.duplicates.happens(duplicates)) {
      const republished = this.#on.duplicates.happens(0.5)
      const lateMs = this.#on.duplicates.below(DUPLICATE_WITHIN_MS)
      this.#arrive(atMs + lateMs, { kind: 'duplicate', topic, record: republished ? this.#write(emission, bodyText, true) : record })
    }
    if (share > 0 && this.#on.malformed.happens(share)) {
      this.#arrive(atMs, { kind: 'malformed', topic, record: malformed(record, emission, this.#on.malformed) })
    }
  }

  #bodyOf(emission: Emission): string {
    const { drift, oversize } = this.#faults
    if (oversize > 0 && this.#on.oversize.happens(oversize)) this.#oversizeDue++
    if (this.#oversizeDue > 0) {
      // Not every topic has room for it; then the next one grows.
      const text = oversized(emission, this.#on.oversize)
      if (text !== null) {
        this.#oversizeDue--
        this.emitted.oversize++
        return text
      }
    }
    if (drift === 0 || !this.#on.drift.happens(drift)) return emission.bodyText
    const { bodyText, kind } = drifted(emission.bodyText, this.#on.drift)
    this.emitted.drifted[kind]++
    return bodyText
  }

  #arrive(atMs: number, copy: Pick<Copy, 'kind' | 'topic' | 'record'>): void {
    const { disorderMs } = this.#faults
    const arrivesMs = disorderMs > 0 ? atMs + this.#on.disorderMs.below(disorderMs + 1) : atMs
    this.#arriving.add(arrivesMs, { atMs: arrivesMs, ...copy })
  }
}
