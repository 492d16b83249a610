/**
 * Identity, resolved once at the log: which record first carried a key. Keys are added as records are prepared, before
 * they are durable; when a group fails, the index is opened anew and learns from the log what is really there.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { ROW_BYTES } from './columns.ts'
import { FRAME_HEADER_BYTES, frameEnvelopeKey, frameHead, frameKey } from './frame.ts'
import { KeyIndex } from './keys/key-index.ts'
import { COLUMNS_HEADER_BYTES, columnsPath } from './segment-file.ts'
import type { SegmentWriter } from './segment-writer.ts'

const MAX_OPEN_SEGMENTS = 64

export type KnownKeysOptions = {
  readonly dir: string
  readonly events: SegmentWriter
  /** How long a key is remembered, ms; null: as long as the log. */
  readonly windowMs: number | null
  /** See KeyIndexOptions. */
  readonly memoryKeys?: number | undefined
  /** Calls `each` for every event record of the log from `fromSeq` on: how forgotten keys are learnt again. */
  readonly replay: (fromSeq: number, each: (frames: Buffer, at: number) => void) => void
}

export class KnownKeys {
  readonly #options: KnownKeysOptions
  #index: KeyIndex
  readonly #head = Buffer.alloc(FRAME_HEADER_BYTES)
  readonly #offset = Buffer.alloc(4)
  #open: OpenSegment[] = []

  constructor(options: KnownKeysOptions) {
    this.#options = options
    this.#index = this.#openIndex()
    this.#relearn()
  }

  /** Seq of the record that first carried the key (within the window), or -1. */
  firstOf(key: Uint8Array, receivedAtMs: number): number {
    const seq = this.#mended(() => this.#index.find(key))
    if (seq < 0 || this.#options.windowMs === null || this.#isPending(seq)) return seq
    return this.#readHead(seq) && this.#head.readDoubleLE(24) >= receivedAtMs - this.#options.windowMs ? seq : -1
  }

  /** Some milliseconds of housekeeping; true when more is to do. */
  tidy(budgetMs: number, nowMs: () => number): boolean {
    return this.#mended(() => this.#index.mergeSome(budgetMs, nowMs))
  }

  /** The record `seq` carries the key. Throws `keys.full` when the disk takes no more: the record must be refused. */
  add(key: Uint8Array, seq: number): void {
    this.#index.add(key, seq)
  }

  /** Records that were prepared did not become durable: know only what the log holds. */
  forget(): void {
    this.#index.close()
    this.#index = this.#openIndex()
    this.#relearn()
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

  /** A run that turns out damaged has been dropped when the index says so: its keys are learnt again from the log. */
  #mended<T>(ask: () => T): T {
    for (;;)
      try {
        return ask()
      } catch (error) {
        if (codeOf(error) !== 'keys.damaged') throw error
        this.#relearn()
      }
  }

  #openIndex(): KeyIndex {
    const { dir, events, memoryKeys } = this.#options
    return KeyIndex.open({ dir, ...(memoryKeys === undefined ? {} : { memoryKeys }), startSeq: events.firstSeq, endSeq: events.nextSeq, verify: (seq, key) => this.#carries(seq, key) })
  }

  /** Adds the keys of all records that the sealed runs do not cover. */
  #relearn(): void {
    this.#options.replay(this.#index.coveredThroughSeq, (frames, at) => {
      const head = frameHead(frames, at)
      const key = frameKey(frames, at)
      const envelopeKey = frameEnvelopeKey(frames, at)
      if (key !== null && head.firstSeq < 0) this.#index.add(key, head.seq)
      if (envelopeKey !== null) this.#index.add(envelopeKey, head.seq)
    })
  }

  /** Prepared, not committed: not in the log to be read. */
  #isPending(seq: number): boolean {
    return seq >= this.#options.events.nextSeq
  }

  #carries(seq: number, key: Uint8Array): boolean {
    // The index has compared 64 bits of a cryptographic hash; for the blink until the record can be read that is enough.
    if (this.#isPending(seq)) return true
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

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

function same(head: Buffer, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (head[at + i] !== key[i]) return false
  return true
}
