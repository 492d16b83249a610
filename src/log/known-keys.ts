/**
 * Identity, resolved once at the log: which record first carried a key. Keys of records that are not durable yet are
 * kept apart, so that a failed group leaves no trace.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { ROW_BYTES } from './columns.ts'
import { FRAME_HEADER_BYTES } from './frame.ts'
import { KeyIndex } from './keys/key-index.ts'
import { COLUMNS_HEADER_BYTES, columnsPath } from './segment-file.ts'
import type { SegmentWriter } from './segment-writer.ts'

const MAX_OPEN_SEGMENTS = 64

export type KnownKeysOptions = {
  readonly dir: string
  readonly events: SegmentWriter
  /** How long a key is remembered, ms; null: as long as the log. */
  readonly windowMs: number | null
}

export class KnownKeys {
  readonly #options: KnownKeysOptions
  readonly #index: KeyIndex
  readonly #expected = new Map<string, number>()
  readonly #head = Buffer.alloc(FRAME_HEADER_BYTES)
  readonly #offset = Buffer.alloc(4)
  #open: OpenSegment[] = []

  constructor(options: KnownKeysOptions) {
    this.#options = options
    this.#index = KeyIndex.open({ dir: options.dir, startSeq: options.events.firstSeq, endSeq: options.events.nextSeq, verify: (seq, key) => this.#carries(seq, key) })
  }

  get index(): KeyIndex {
    return this.#index
  }

  /** Seq of the record that first carried the key (within the window), or -1. */
  firstOf(key: Uint8Array, receivedAtMs: number): number {
    const expected = this.#expected.get(text(key))
    if (expected !== undefined) return expected
    const seq = this.#index.find(key)
    if (seq < 0 || this.#options.windowMs === null) return seq
    return this.#readHead(seq) && this.#head.readDoubleLE(24) >= receivedAtMs - this.#options.windowMs ? seq : -1
  }

  /** A key of a record that is written but not durable. */
  expect(key: Uint8Array, seq: number): void {
    this.#expected.set(text(key), seq)
  }

  /** The record is durable. */
  add(key: Uint8Array, seq: number): void {
    this.#expected.delete(text(key))
    this.#index.add(key, seq)
  }

  /** The records behind all expected keys are lost. */
  forget(): void {
    this.#expected.clear()
  }

  dropBefore(seq: number): void {
    this.#index.dropBefore(seq)
    this.#open = this.#open.filter((segment) => {
      if (segment.endSeq <= seq) closeSegment(segment)
      return segment.endSeq > seq
    })
  }

  close(): void {
    for (const segment of this.#open) closeSegment(segment)
    this.#open = []
    this.#index.close()
  }

  #carries(seq: number, key: Uint8Array): boolean {
    if (!this.#readHead(seq)) return false
    return same(this.#head, 40, key) || same(this.#head, 56, key)
  }

  #readHead(seq: number): boolean {
    const { events } = this.#options
    if (events.readActive(seq, this.#head)) return this.#head.readDoubleLE(16) === seq
    const segment = this.#sealed(seq)
    if (segment === null) return false
    const row = COLUMNS_HEADER_BYTES + (seq - segment.firstSeq) * ROW_BYTES
    if (readSync(segment.columns, this.#offset, 0, 4, row) < 4) return false
    const offset = this.#offset.readUInt32LE(0)
    if (offset === 0) return false
    const read = readSync(segment.frames, this.#head, 0, FRAME_HEADER_BYTES, offset)
    return read === FRAME_HEADER_BYTES && this.#head.readDoubleLE(16) === seq
  }

  /** Open files of a sealed segment; those opened last are kept. */
  #sealed(seq: number): OpenSegment | null {
    const hit = this.#open.find((s) => seq >= s.firstSeq && seq < s.endSeq)
    if (hit !== undefined) return hit
    const info = this.#options.events.sealed.find((s) => seq >= s.firstSeq && seq < s.firstSeq + s.count)
    if (info === undefined) return null
    const opened = {
      firstSeq: info.firstSeq,
      endSeq: info.firstSeq + info.count,
      frames: openSync(info.path, 'r'),
      columns: openSync(columnsPath(info.path), 'r'),
    }
    this.#open.push(opened)
    if (this.#open.length > MAX_OPEN_SEGMENTS) closeSegment(this.#open.shift()!)
    return opened
  }
}

type OpenSegment = {
  readonly firstSeq: number
  readonly endSeq: number
  readonly frames: number
  readonly columns: number
}

function closeSegment(segment: OpenSegment): void {
  closeSync(segment.frames)
  closeSync(segment.columns)
}

const text = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

function same(head: Buffer, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (head[at + i] !== key[i]) return false
  return true
}
