/**
 * Records that wait in order for a moment, kept so that they need not be read again. A record is a view into the buffer it was read
 * with, so what counts is the buffers: at most so many bytes of them are held on to, and the one that came first goes first, with all
 * its records. What is not here is in the log. Events are not kept, they are made anew: a thousand small objects each second that
 * live for the length of a window cost the collector more than parsing them twice.
 */
import type { LogRecord } from '../log/reader.ts'

/** Something that waits, with its record as long as there is room. */
export type Keeping = { record: LogRecord | null }

type Pinned = { readonly keeping: Keeping[]; live: number }

const MAX_BYTES = 32 * 1024 * 1024

export class Kept {
  readonly #maxBytes: number
  readonly #buffers = new Map<ArrayBufferLike, Pinned>()
  #bytes = 0

  constructor(maxBytes: number = MAX_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** It has a record, which may be taken away again. */
  keep(one: Keeping): void {
    if (one.record === null) return
    const { buffer } = one.record.buffer
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
      for (const other of keeping) if (other.record?.buffer.buffer === oldest) other.record = null
      this.#letGo(oldest)
    }
  }

  /** Gives the record and keeps it no longer; null when it is not here. */
  take(one: Keeping): LogRecord | null {
    const { record } = one
    if (record === null) return null
    one.record = null
    const { buffer } = record.buffer
    const pinned = this.#buffers.get(buffer)
    if (pinned !== undefined && --pinned.live === 0) this.#letGo(buffer)
    return record
  }

  #letGo(buffer: ArrayBufferLike): void {
    this.#buffers.delete(buffer)
    this.#bytes -= buffer.byteLength
  }
}
