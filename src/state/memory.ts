/**
 * The entities in memory, bounded in number. When there is no more room those go that were not used for longest, closed conversations
 * first. What a store has goes without loss and is recalled when a fact or a question comes; what no store has is lost,
 * and a later fact of it begins a new entity: both are counted.
 */
import { fromChunk } from './chunk.ts'
import type { EntityKind } from './fact.ts'
import type { FactLimits } from './fact-set.ts'
import { Held } from './held.ts'

/** Gives the chunk that a store has of an entity, or null. */
export type Recall = (kind: EntityKind, id: string) => string | null

export type MemoryOptions = {
  readonly entities: number
  readonly facts: FactLimits
  readonly recall: Recall | null
}

export class Memory {
  readonly conversations: Map<string, Held> = new Map()
  readonly agents: Map<string, Held> = new Map()
  /** Gone, but in the store; and gone for good. */
  evicted = 0
  lost = 0
  recalled = 0
  unreadable = 0
  /** Facts before this instant may belong to conversations that are no longer here. */
  completeSinceMs: number = -Infinity
  readonly #options: MemoryOptions
  readonly #forgotten: (held: Held) => void

  /** `forgotten` hears of every entity that goes. */
  constructor(options: MemoryOptions, forgotten: (held: Held) => void) {
    this.#options = options
    this.#forgotten = forgotten
  }

  get size(): number {
    return this.conversations.size + this.agents.size
  }

  /** The entity, if it is in memory. */
  here(kind: EntityKind, id: string): Held | undefined {
    return this.#of(kind).get(id)
  }

  /** The entity, recalled from the store when it is not here. A frozen one is shown, not taken back. */
  find(kind: EntityKind, id: string): Held | null {
    const held = this.#of(kind).get(id)
    if (held !== undefined) return held
    const chunk = this.#options.recall?.(kind, id) ?? null
    if (chunk === null) return null
    const kept = fromChunk(chunk)
    if (kept === null || kept.kind !== kind || kept.id !== id) {
      this.unreadable++
      return null
    }
    const recalled = new Held(kind, id, this.#options.facts, kept)
    this.recalled++
    if (!recalled.frozen) this.#admit(recalled)
    return recalled
  }

  /** A new entity. */
  open(kind: EntityKind, id: string): Held {
    const held = new Held(kind, id, this.#options.facts)
    this.#admit(held)
    return held
  }

  /** Takes in an entity from a snapshot, beside what is here of it; null when the text is none. */
  restore(chunk: string): Held | null {
    const kept = fromChunk(chunk)
    if (kept === null) {
      this.unreadable++
      return null
    }
    const here = this.#of(kept.kind).get(kept.id)
    if (here !== undefined) {
      here.join(kept)
      return here
    }
    const held = new Held(kept.kind, kept.id, this.#options.facts, kept)
    if (held.frozen) this.missing(held)
    else this.#admit(held)
    return held
  }

  /** Goes on with a frozen conversation. */
  thaw(held: Held): void {
    held.frozen = false
    if (this.#of(held.kind).get(held.id) !== held) this.#admit(held)
  }

  /** Takes an entity out. */
  forget(held: Held): void {
    if (!this.#of(held.kind).delete(held.id)) return
    this.#forgotten(held)
    this.missing(held)
  }

  /** The figures of queues are without this conversation. */
  missing(held: Held): void {
    if (held.kind === 'conversation') this.completeSinceMs = Math.max(this.completeSinceMs, held.newestAtMs + 1)
  }

  #of(kind: EntityKind): Map<string, Held> {
    return kind === 'agent' ? this.agents : this.conversations
  }

  #admit(held: Held): void {
    this.#of(held.kind).set(held.id, held)
    const { entities } = this.#options
    if (this.size > entities + (entities >> 4)) this.#makeRoom(this.size - entities, held)
  }

  /** Conversations go before agents, of whom there are few. */
  #makeRoom(surplus: number, but: Held): void {
    let left = surplus
    for (const goes of [isDone, isIdle, isWritten, () => true]) {
      for (const map of [this.conversations, this.agents]) {
        for (const held of map.values()) {
          if (left <= 0) return
          if (held === but || !goes(held)) continue
          if (held.unwritten || this.#options.recall === null) this.lost++
          else this.evicted++
          this.forget(held)
          left--
        }
      }
    }
  }
}

/** Packed: a closed conversation nobody has touched for long. */
function isDone(held: Held): boolean {
  return held.isPacked && !held.unwritten
}

/** Not used since the last time room was made. */
function isIdle(held: Held): boolean {
  const { touched } = held
  held.touched = false
  return !touched && !held.unwritten
}

function isWritten(held: Held): boolean {
  return !held.unwritten
}
