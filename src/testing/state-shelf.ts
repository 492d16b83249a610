/** For tests: a store of the state as simple as can be, maps and lists. */
import assert from 'node:assert/strict'
import type { Recall } from '../state/memory.ts'
import type { Row, State } from '../state/state.ts'

export class Shelf {
  readonly rows: Map<string, Row> = new Map()
  /** The facts of the last batches that are pending. */
  facts: readonly string[] = []
  readonly recall: Recall = (kind, id) => this.rows.get(`${kind} ${id}`)?.chunk ?? null

  /** Takes what the state gives; says how many rows. */
  store(state: State, whole = false): number {
    const batch = state.unstored(whole)
    for (const row of batch.rows) this.rows.set(`${row.kind} ${row.id}`, row)
    this.facts = batch.pending === 0 ? [] : [...this.facts, batch.facts ?? assert.fail('facts are pending')].slice(-batch.pending)
    state.stored(batch)
    return batch.rows.length
  }

  /** Fills a new state with what is here. */
  restoreInto(state: State): void {
    for (const { frozen, chunk } of this.rows.values()) if (!frozen) assert.ok(state.restore(chunk))
    for (const text of this.facts) assert.ok(state.restoreFacts(text))
  }
}
