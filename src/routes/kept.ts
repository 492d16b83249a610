/**
 * Events that wait in order for a moment, kept so that they need not be read again. A record is a view into the buffer it was read
 * with, so what counts is the buffers: at most so many bytes of them are held on to, and the one that came first goes first, with all
 * its events. Of a few thousand the parsed event is kept too. What is not here is in the log.
 */
import type { Event } from '../event/event.ts'
import type { LogRecord } from '../log/reader.ts'

export type KeptEvent = { readonly record: LogRecord; readonly event: Event | null }

/** What waits, with its event as long as there is room. */
export type Keeping = { kept: KeptEvent | null }

type Pinned = { readonly keeping: Keeping[]; live: number }

const MAX_BYTES = 32 * 1024 * 1024
/** A parsed event is some kilobytes of small objects. */
const MAX_EVENTS = 8_192

export class Kept {
  readonly #maxBytes: number
  readonly #maxEvents: number
  readonly #buffers = new Map<ArrayBufferLike, Pinned>()
  #bytes = 0
  #events = 0

  constructor(maxBytes: number = MAX_BYTES, maxEvents: number = MAX_EVENTS) {
    this.#maxBytes = maxBytes
    this.#maxEvents = maxEvents
  }

  keep(one: Keeping, { record, event }: KeptEvent): void {
    one.kept = { record, event: this.#events < this.#maxEvents ? event : null }
    if (one.kept.event !== null) this.#events++
    const { buffer } = record.buffer
    let pinned = this.#buffers.get(buffer)
    if (pinned === undefined) {
      pinned = { keeping: [], live: 0 }
      this.#buffers.set(buffer, pinned)
      this.#bytes += buffer.byteLength
    }
    pinned.keeping.push(one)
    pinned.live++
    for (const [oldest, { keeping }] of this.#buffers) {
      if (this.#bytes <= this.#maxBytes) break
      for (const other of keeping) if (other.kept?.record.buffer.buffer === oldest) this.take(other)
    }
  }

  /** Gives the event and keeps it no longer; null when it is not here. */
  take(one: Keeping): KeptEvent | null {
    const { kept } = one
    if (kept === null) return null
    one.kept = null
    if (kept.event !== null) this.#events--
    const { buffer } = kept.record.buffer
    const pinned = this.#buffers.get(buffer)
    if (pinned !== undefined && --pinned.live === 0) {
      this.#buffers.delete(buffer)
      this.#bytes -= buffer.byteLength
    }
    return kept
  }
}
