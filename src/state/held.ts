/**
 * One entity in memory: its facts, or, when it has been quiet for long, the same as text, which takes a fraction of the room. What the
 * facts add up to is worked out when somebody asks, and kept until a fact is added.
 */
import { asFrozen, fromChunk, toChunk, type Kept } from './chunk.ts'
import { figuresOf, type Figures } from './conversation-state.ts'
import type { EntityKind, Fact } from './fact.ts'
import { addFact, bounded, type FactLimits } from './fact-set.ts'

/** Facts that come one by one are bounded now and then: it makes no difference when. */
const BOUND_EVERY = 64

export class Held {
  readonly kind: EntityKind
  readonly id: string
  /** Time of the newest fact. */
  newestAtMs: number = -Infinity
  /** Counts changes, so that a row written is known to be the newest. */
  version = 0
  /** The row that a store has is older, or there is none: since this batch. */
  unwritten = false
  changedIn = 0
  /** Not told in `State.changes`. */
  untold = false
  /** Used since room was last made. */
  touched = true
  frozen = false
  /** Figures that were told last: what queues and agents looked like before. */
  told: Figures | null = null
  #facts: Fact[] | null
  #packed: string | null = null
  #gaveUp: boolean
  #figures: Figures | null = null
  #boundAt = BOUND_EVERY
  #isBounded = false
  #customerCame = false
  #customerMayHaveGone = false
  readonly #limits: FactLimits

  constructor(kind: EntityKind, id: string, limits: FactLimits, kept: Kept | null = null) {
    this.kind = kind
    this.id = id
    this.#limits = limits
    this.#facts = []
    this.#gaveUp = kept?.gaveUp ?? false
    if (kept === null) return
    this.frozen = kept.frozen
    for (const fact of kept.facts) this.#put(fact)
  }

  /** Adds a fact; false when it is there already. */
  add(fact: Fact): boolean {
    if (!this.#put(fact)) return false
    this.#figures = null
    this.touched = true
    this.version++
    return true
  }

  /** Adds what a chunk has of the same entity. */
  join(kept: Kept): void {
    for (const fact of kept.facts) this.add(fact)
    if (!kept.gaveUp || this.#gaveUp) return
    this.#unpacked()
    this.#gaveUp = true
    this.version++
  }

  /** In order, and bounded. Looking at a packed entity leaves it packed. */
  get facts(): readonly Fact[] {
    return this.#packed === null ? this.#bound() : (fromChunk(this.#packed)?.facts ?? [])
  }

  /** More than history was given up, as far as has been looked (`facts` looks). */
  get gaveUp(): boolean {
    return this.#gaveUp
  }

  /** For conversations. */
  get figures(): Figures {
    this.#figures ??= figuresOf(this.facts)
    return this.#figures
  }

  /** The customer is in it still, for all that was told: known without working out `figures`. */
  get isOpenForSure(): boolean {
    return this.#customerCame && !this.#customerMayHaveGone
  }

  get isPacked(): boolean {
    return this.#packed !== null
  }

  /** The entity as text, for a store. */
  chunk(): string {
    const text = this.#packed ?? this.#text()
    return this.frozen ? asFrozen(text) : text
  }

  /** Keeps text instead of facts; figures stay. */
  pack(): void {
    if (this.#packed !== null) return
    if (this.kind === 'conversation') this.#figures = this.figures
    this.#packed = this.#text()
    this.#facts = null
  }

  /** No change any more. */
  freeze(): void {
    this.frozen = true
    this.version++
  }

  #text(): string {
    const { facts } = this
    return toChunk({ kind: this.kind, id: this.id, facts, gaveUp: this.#gaveUp, frozen: false })
  }

  #put(fact: Fact): boolean {
    const facts = this.#unpacked()
    shareWords(fact, this.id, facts)
    if (!addFact(facts, fact)) return false
    if ('side' in fact && fact.side === 'customer') {
      if (fact.kind === 'started') this.#customerCame = true
      else this.#customerMayHaveGone = true
    }
    if (fact.atMs > this.newestAtMs) this.newestAtMs = fact.atMs
    this.#isBounded = false
    if (facts.length > this.#boundAt) this.#bound()
    return true
  }

  #bound(): readonly Fact[] {
    const facts = this.#unpacked()
    if (this.#isBounded) return facts
    const { facts: kept, gaveUp } = bounded(facts, this.#limits)
    this.#facts = kept
    this.#gaveUp ||= gaveUp
    this.#isBounded = true
    this.#boundAt = 2 * kept.length + BOUND_EVERY
    return kept
  }

  #unpacked(): Fact[] {
    if (this.#facts !== null) return this.#facts
    this.#facts = [...(fromChunk(this.#packed ?? '')?.facts ?? [])]
    this.#packed = null
    return this.#facts
  }
}

/** How far back a fact of the same session is looked for. */
const LOOK_BACK = 8

type Shared = {
  of: string
  sessionId?: string
  participantId?: string | null | undefined
  userId?: string | null | undefined
  queueId?: string | null | undefined
}

/** Ids repeat from fact to fact, each time as a text of its own: the same text is kept once. Half of the memory of a conversation. */
function shareWords(fact: Fact, of: string, facts: readonly Fact[]): void {
  const own: Shared = fact
  own.of = of
  if (own.sessionId === undefined) return
  for (let i = facts.length - 1; i >= 0 && i >= facts.length - LOOK_BACK; i--) {
    const other: Shared = facts[i]!
    if (other.sessionId !== own.sessionId) continue
    own.sessionId = other.sessionId
    if (own.participantId === other.participantId) own.participantId = other.participantId
    if (own.userId === other.userId) own.userId = other.userId
    if (own.queueId === other.queueId) own.queueId = other.queueId
    return
  }
}
