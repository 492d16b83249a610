/**
 * What each entity released last, on disk, so that a restart knows who is late. It changes with nearly every event, so it is a log of
 * its own: a commit appends what has changed as one row, and as long as the rows have far more entries than there are entities, the
 * oldest is taken out and what of it still holds is written once more with the new. A commit costs one row, wherever its entities
 * stood before.
 */
import type { Ranked } from '../order/rank.ts'
import type { OrderWindow, WindowTime } from '../order/window.ts'
import type { Ledger } from './ledger.ts'

type Window = Pick<OrderWindow<never>, 'time' | 'entities' | 'changed' | 'lastOf' | 'restoreLast'>
type Entry = readonly [entity: string, seq: number, atMs: number, tie: number]

/** Rows that one commit takes out at most. */
const MAX_TAKEN = 8
const SPARE = 4_096
/** Entries for each entity, above which the oldest row is taken out. */
const MAX_ENTRIES = 4

export class Lasts {
  readonly #ledger: Ledger
  readonly #route: string
  /** Entries in the file, and as they will be when the commit holds. */
  #entries = 0
  #entriesNext = 0

  constructor(ledger: Ledger, route: string) {
    this.#ledger = ledger
    this.#route = route
  }

  /** The time of the window as of the last commit. */
  time(): WindowTime {
    const row = this.#ledger.get('SELECT order_at_ms, order_seen_ms FROM routes WHERE name = ?', this.#route)
    const [nowMs, seenMs] = [row?.['order_at_ms'], row?.['order_seen_ms']]
    return { nowMs: typeof nowMs === 'number' ? nowMs : -Infinity, seenMs: typeof seenMs === 'number' ? seenMs : null }
  }

  restore(window: Window): void {
    this.#entries = 0
    for (const { lasts } of this.#ledger.each('SELECT lasts FROM released WHERE route = ? ORDER BY id', this.#route)) {
      const entries = entriesOf(lasts)
      this.#entries += entries.length
      for (const [entity, seq, atMs, tie] of entries) window.restoreLast(entity, { seq, atMs, tie })
    }
  }

  /** Writes what changed; within the transaction of the route. */
  write(window: Window): void {
    const { nowMs, seenMs } = window.time
    this.#entriesNext = this.#entries
    if (nowMs === -Infinity) return
    const route = this.#route
    this.#ledger.run('UPDATE routes SET order_at_ms = ?, order_seen_ms = ? WHERE name = ?', nowMs, seenMs, route)
    const changed: Entry[] = []
    for (const { entity, last } of window.changed()) changed.push(entryOf(entity, last))
    if (changed.length === 0) return
    const again: Entry[] = []
    this.#entriesNext += changed.length
    for (let taken = 0; taken < MAX_TAKEN && this.#entriesNext > MAX_ENTRIES * window.entities + SPARE; taken++) {
      const oldest = this.#ledger.get('SELECT id, lasts FROM released WHERE route = ? ORDER BY id LIMIT 1', route)
      if (oldest === undefined) break
      for (const [entity, seq] of entriesOf(oldest['lasts'])) {
        const last = window.lastOf(entity)
        if (last?.seq === seq) again.push(entryOf(entity, last))
        else this.#entriesNext--
      }
      this.#ledger.run('DELETE FROM released WHERE id = ?', Number(oldest['id']))
    }
    this.#ledger.run('INSERT INTO released (route, lasts) VALUES (?, ?)', route, JSON.stringify([...again, ...changed]))
  }

  written(): void {
    this.#entries = this.#entriesNext
  }

  clear(): void {
    this.#ledger.run('DELETE FROM released WHERE route = ?', this.#route)
  }
}

const entryOf = (entity: string, { seq, atMs, tie }: Ranked): Entry => [entity, seq, atMs, tie]
const entriesOf = (lasts: unknown): Entry[] => JSON.parse(String(lasts)) as Entry[]
