/**
 * What a store has not been given yet. A fact is given with the next batch, as part of its text; the row of its entity, which is far
 * more, only `rowsAfterBatches` later, so that an entity that changes often is written seldom. Rows and the facts of the
 * last batches together are the state at every batch. Bounded: where rows wait in too great a number, the oldest go at once;
 * where too many facts wait, because nobody could store them, they go as rows.
 */
import { toText } from './chunk.ts'
import type { Fact } from './fact.ts'
import { FactWriter } from './fact-text.ts'
import type { Held } from './held.ts'
import type { Batch, Row } from './state.ts'

export type UnwrittenOptions = {
  readonly rowsAfterBatches: number
  /** Entities whose rows may wait. */
  readonly max: number
}

/** Facts of more than one batch that wait: then none are kept. */
const MAX_FACTS = 50_000

export class Unwritten {
  readonly #options: UnwrittenOptions
  /** In the order in which they first changed, and those that are written with the next batch. */
  readonly #waiting = new Set<Held>()
  readonly #due = new Set<Held>()
  #facts = new FactWriter()
  #hasAllFacts = true
  /** The number of the next batch. */
  #next = 1

  constructor(options: UnwrittenOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#waiting.size + this.#due.size
  }

  /** A fact came to an entity. */
  add(held: Held, fact: Fact): void {
    this.wait(held)
    if (this.#facts.size < MAX_FACTS) this.#facts.add(fact)
    else this.#hasAllFacts = false
  }

  /** An entity has what its row has not, and what an earlier batch has the facts of. */
  wait(held: Held): void {
    if (held.unwritten) return
    held.unwritten = true
    held.changedIn = this.#next
    this.#waiting.add(held)
  }

  /** A row that must be written with the next batch. */
  hurry(held: Held): void {
    this.wait(held)
    this.#waiting.delete(held)
    this.#due.add(held)
  }

  forget(held: Held): void {
    this.#waiting.delete(held)
    this.#due.delete(held)
  }

  /** Goes on to the next batch. */
  pass(): void {
    this.#next++
  }

  /** What to store now; `whole` is all rows. */
  batch(rowOf: (held: Held) => Row, whole: boolean): Batch {
    const { rowsAfterBatches, max } = this.#options
    for (const held of this.#waiting) {
      const isDue = whole || !this.#hasAllFacts || this.#waiting.size > max || held.changedIn <= this.#next - rowsAfterBatches
      if (!isDue) break
      this.#waiting.delete(held)
      this.#due.add(held)
    }
    const [oldest] = this.#waiting
    const pending = oldest === undefined ? 0 : this.#next - oldest.changedIn + 1
    return {
      rows: [...this.#due].map(rowOf),
      facts: pending === 0 ? null : toText(this.#facts),
      factCount: this.#facts.size,
      pending,
    }
  }

  /** The batch is stored; the entity of each of its rows is looked up. */
  stored({ rows, factCount }: Batch, heldOf: (row: Row) => Held | undefined): void {
    for (const row of rows) {
      const held = heldOf(row)
      if (held === undefined) continue
      this.#due.delete(held)
      held.unwritten = false
      // Changed since.
      if (held.version !== row.version) this.hurry(held)
    }
    // Where more have come since, all go again: told twice is told once.
    if (this.#facts.size === factCount) this.#facts = new FactWriter()
    if (this.#waiting.size === 0) this.#hasAllFacts = true
    this.pass()
  }
}
