/**
 * Events that wait in order for a moment, kept so that they need not be read again. A record is a view into the buffer it was read
 * with, so what counts is the buffers: at most so many bytes of them are held on to, and the one that came first goes first, with all
 * its events. What is not here is in the log.
 */
import type { Event } from '../event/event.ts'
import type { LogRecord } from '../log/reader.ts'

export type KeptEvent = { readonly event: Event; readonly record: LogRecord }

const MAX_BYTES = 32 * 1024 * 1024

export class Kept {
  readonly #maxBytes: number
  readonly #events = new Map<number, KeptEvent>()
  readonly #buffers = new Map<ArrayBufferLike, Set<number>>()
  #bytes = 0

  constructor(maxBytes: number = MAX_BYTES) {
    this.#maxBytes = maxBytes
  }

  keep(seq: number, kept: KeptEvent): void {
    const { buffer } = kept.record.buffer
    let seqs = this.#buffers.get(buffer)
    if (seqs === undefined) {
      seqs = new Set()
      this.#buffers.set(buffer, seqs)
      this.#bytes += buffer.byteLength
    }
    seqs.add(seq)
    this.#events.set(seq, kept)
    for (const [oldest, its] of this.#buffers) {
      if (this.#bytes <= this.#maxBytes) break
      for (const one of its) this.#events.delete(one)
      this.#letGo(oldest)
    }
  }

  /** Gives the event and keeps it no longer; null when it is not here. */
  take(seq: number): KeptEvent | null {
    const kept = this.#events.get(seq)
    if (kept === undefined) return null
    this.#events.delete(seq)
    const { buffer } = kept.record.buffer
    const seqs = this.#buffers.get(buffer)
    seqs?.delete(seq)
    if (seqs?.size === 0) this.#letGo(buffer)
    return kept
  }

  #letGo(buffer: ArrayBufferLike): void {
    this.#buffers.delete(buffer)
    this.#bytes -= buffer.byteLength
  }
}
