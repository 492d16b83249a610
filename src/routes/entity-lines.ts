/**
 * Arrival order per entity: the first event of an entity goes, its successors stand in line until it is settled or
 * dead. Events without such an entity are in nobody's way.
 */
import type { OrderBy } from '../config/config.ts'
import type { Event } from '../event/event.ts'

export class EntityLines {
  readonly #by: OrderBy
  /** Entity to its line; the head is under way. */
  readonly #lines = new Map<string, number[]>()

  constructor(by: OrderBy) {
    this.#by = by
  }

  entityOf(event: Event): string | null {
    if (this.#by === 'conversation') return event.conversationId
    if (this.#by === 'user') return event.userId
    if (this.#by === 'queue') return event.queueId
    return event.entity === null ? null : `${event.entity.kind}:${event.entity.id}`
  }

  /** Joins the line of an entity, in order of arrival (`seq`); true when the event is first and may go at once. */
  enter(entity: string, seq: number): boolean {
    const line = this.#lines.get(entity)
    if (line === undefined) {
      this.#lines.set(entity, [seq])
      return true
    }
    let at = line.length
    while (at > 0 && line[at - 1]! > seq) at--
    line.splice(at, 0, seq)
    return at === 0
  }

  isHead(entity: string, seq: number): boolean {
    return this.#lines.get(entity)?.[0] === seq
  }

  /** The event is settled or given up; answers the next of its line, which may go now. */
  leave(entity: string, seq: number): number | null {
    const line = this.#lines.get(entity)
    if (line === undefined) return null
    const at = line.indexOf(seq)
    if (at < 0) return null
    line.splice(at, 1)
    if (line.length === 0) this.#lines.delete(entity)
    return at === 0 ? (line[0] ?? null) : null
  }
}
