/**
 * Identity, resolved once at the log: which record first carried a key. Keys are added as records are prepared, before
 * they are durable; when a group fails, the index is opened anew and learns from the log what is really there.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { ROW_BYTES } from './columns.ts'
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES, checkFrame, frameEnvelopeKey, frameHead, frameKey } from './frame.ts'
import { KeyIndex } from './keys/key-index.ts'
import { mendColumns } from './mending.ts'
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
  #lastAdded = -1
  /** Why the index has forgotten keys that the log has; null when it has not. */
  #damage: Error | null = null
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
    const seq = this.#find(key)
    if (seq < 0 || this.#options.windowMs === null || this.#isPending(seq)) return seq
    return this.#readHead(seq) && this.#head.readDoubleLE(24) >= receivedAtMs - this.#options.windowMs ? seq : -1
  }

  /** Some milliseconds of housekeeping; true when more is to do. */
  tidy(budgetMs: number, nowMs: () => number): boolean {
    try {
      return this.#index.mergeSome(budgetMs, nowMs)
    } catch (error) {
      this.#noteDamage(error)
      return false
    }
  }

  /** The record `seq` carries the key. Throws `keys.full` when the disk takes no more: the record must be refused. */
  add(key: Uint8Array, seq: number): void {
    this.#index.add(key, seq)
    this.#lastAdded = seq
  }

  /** Records that were prepared did not become durable: know only what the log holds. */
  forget(): void {
    this.#index.close()
    this.#index = this.#openIndex()
    this.#lastAdded = -1
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

  /**
   * A run that turns out damaged has been dropped when the index says so, and with it what the memory table held: all is
   * learnt again from the log. Keys of records that are not in the log yet would stay forgotten, so while there are any
   * this throws: their group is refused, and `forget` begins anew.
   */
  #find(key: Uint8Array): number {
    for (;;) {
      if (this.#damage !== null) {
        if (this.#isPending(this.#lastAdded)) throw this.#damage
        this.#relearn()
      }
      try {
        return this.#index.find(key)
      } catch (error) {
        this.#noteDamage(error)
      }
    }
  }

  #noteDamage(error: unknown): void {
    if (!(error instanceof Error) || codeOf(error) !== 'keys.damaged') throw error
    this.#damage = error
  }

  #openIndex(): KeyIndex {
    const { dir, events, memoryKeys } = this.#options
    return KeyIndex.open({
      dir,
      ...(memoryKeys === undefined ? {} : { memoryKeys }),
      startSeq: events.firstSeq,
      endSeq: events.nextSeq,
      verify: (seq, key) => this.#carries(seq, key),
    })
  }

  /** Adds the keys of all records that the sealed runs do not cover. */
  #relearn(): void {
    this.#damage = null
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
    return read === FRAME_HEADER_BYTES && this.#head.readDoubleLE(16) === seq && isWhole(segment.frames, this.#head, offset)
  }

  /** Open files of a sealed segment; those opened last are kept. */
  #sealed(seq: number): OpenSegment | null {
    const hit = this.#open.find((s) => seq >= s.firstSeq && seq < s.endSeq)
    if (hit !== undefined) return hit
    const { events } = this.#options
    const info = events.sealed.find((s) => seq >= s.firstSeq && seq < s.firstSeq + s.count)
    if (info === undefined) return null
    if (!existsSync(columnsPath(info.path))) mendColumns(info)
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

/** A repetition of a record that is damaged behind its head must not be dropped: nobody can give the first one any more. */
function isWhole(fd: number, head: Buffer, offset: number): boolean {
  const length = head.readUInt32LE(4)
  if (length < FRAME_HEADER_BYTES || length > MAX_FRAME_BYTES) return false
  const frame = Buffer.allocUnsafe(length)
  return readSync(fd, frame, 0, length, offset) === length && checkFrame(frame, 0) === length
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

function same(head: Buffer, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (head[at + i] !== key[i]) return false
  return true
}
