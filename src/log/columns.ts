/**
 * Seven 32-bit numbers per record of a segment: where it is, and hashes of what people search by. A list or search
 * walks these columns (28 bytes an event) and reads only the records that may match; the hash is a filter, the record
 * decides. Derived from the segment: a missing or damaged column file is made anew by reading the segment.
 */
import type { DecodedEvent } from '../event/event.ts'

export const COLUMN_COUNT = 7
export const ROW_BYTES: number = COLUMN_COUNT * 4

export const COLUMN = {
  /** Offset of the frame in the segment; 0 = the record is damaged (a frame never stands at 0: the header does). */
  offset: 0,
  topic: 1,
  conversation: 2,
  queue: 3,
  user: 4,
  envelopeId: 5,
  key: 6,
} as const

export type ColumnName = Exclude<keyof typeof COLUMN, 'offset'>

/** FNV-1a over UTF-16 code units; 0 is kept for "none". */
export function hash32(text: string | null): number {
  if (text === null) return 0
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0 || 1
}

/** First word of the identity key; 0 is kept for "none". */
export function keyWord(key: Uint8Array | null): number {
  if (key === null) return 0
  return (key[0]! | (key[1]! << 8) | (key[2]! << 16) | (key[3]! << 24)) >>> 0 || 1
}

/**
 * The columns of one segment in memory. Backed by a growable SharedArrayBuffer: the writer thread appends, the main
 * thread reads what has been committed, nobody copies.
 */
export class Columns {
  readonly shared: SharedArrayBuffer
  #words: Uint32Array

  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(64 * 1024, { maxByteLength: 64 * 1024 * 1024 })
    this.#words = new Uint32Array(this.shared)
  }

  /** Copies rows made by `Rows` to `row`, moving their offsets by `offset`. */
  append(row: number, rows: Rows, offset: number): void {
    const words = rows.words
    const needed = row * ROW_BYTES + words.byteLength
    if (needed > this.shared.byteLength) this.shared.grow(Math.min(this.shared.maxByteLength, needed * 2))
    const at = row * COLUMN_COUNT
    this.#words.set(words, at)
    for (let i = 0; i < words.length; i += COLUMN_COUNT) this.#words[at + i]! += offset
  }

  words(): Uint32Array {
    return this.#words
  }
}

/** The rows of a group, gathered while it is prepared. Offsets count from the start of the group's frames. */
export class Rows {
  #words = new Uint32Array(64 * COLUMN_COUNT)
  #count = 0

  get count(): number {
    return this.#count
  }

  get words(): Uint32Array {
    return this.#words.subarray(0, this.#count * COLUMN_COUNT)
  }

  add(event: DecodedEvent | null, offset: number): void {
    const at = this.#count * COLUMN_COUNT
    if (at === this.#words.length) {
      const grown = new Uint32Array(this.#words.length * 2)
      grown.set(this.#words)
      this.#words = grown
    }
    const w = this.#words
    w[at] = offset
    if (event !== null) {
      w[at + COLUMN.topic] = hash32(event.topic)
      w[at + COLUMN.conversation] = hash32(event.conversationId)
      w[at + COLUMN.queue] = hash32(event.queueId)
      w[at + COLUMN.user] = hash32(event.userId)
      w[at + COLUMN.envelopeId] = hash32(event.envelopeId)
      w[at + COLUMN.key] = keyWord(event.key)
    }
    this.#count++
  }
}
