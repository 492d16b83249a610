/**
 * Writes one run: entries in order, then the tail in pieces, then the header, then the rename that makes it exist.
 * Until that rename there is only a `.tmp` file, which the next open deletes. Nothing is synced: a run that a power
 * cut tore fails its checksums and is rebuilt from the log.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { filterAdd, filterBlocks, filterOf, type Filter } from './filter.ts'
import {
  encodeRunHeader,
  ENTRY_WORDS,
  PAGE_BYTES,
  PAGE_ENTRIES,
  PAGE_WORDS,
  runFileName,
  type RunHeader,
  type RunSpan,
} from './run-format.ts'
import { pageBuffer, runOf, type PageBuffer, type Run } from './run.ts'

const BUFFER_PAGES = 16
const BUFFER_WORDS = BUFFER_PAGES * PAGE_WORDS
const TAIL_PIECE_BYTES = 256 * 1024
const TWO_32 = 2 ** 32

export class RunWriter {
  readonly #span: RunSpan
  readonly #path: string
  readonly #filter: Filter
  readonly #blocks: number
  readonly #fences: Uint32Array
  readonly #pageCrcs: Uint32Array
  readonly #buffer: PageBuffer = pageBuffer(BUFFER_PAGES)
  /** The entry appended last; at first one that no entry equals (no sequence number has such a high word). */
  readonly #last = Uint32Array.of(0, 0, 0, 0xffffffff)
  #fd: number
  #filled = 0
  #pages = 0
  #entries = 0
  #minSeq = -1
  #maxSeq = -1
  #tail: Uint8Array[] | null = null
  #tailDone = 0
  #tailCrc = 0

  /** `maxEntries` sizes filter and fences; never more may be appended. */
  constructor(dir: string, span: RunSpan, maxEntries: number) {
    this.#span = span
    this.#path = join(dir, runFileName(span))
    this.#blocks = filterBlocks(maxEntries)
    this.#filter = filterOf(this.#blocks)
    const pages = Math.ceil(maxEntries / PAGE_ENTRIES)
    this.#fences = new Uint32Array(pages)
    this.#pageCrcs = new Uint32Array(pages)
    this.#fd = openSync(`${this.#path}.tmp`, 'w', 0o600)
  }

  /** Bytes of memory held while writing. */
  get bytes(): number {
    return this.#filter.filter.byteLength + this.#fences.byteLength * 2 + this.#buffer.bytes.byteLength
  }

  /** Appends the entry at `from` of `source`: by prefix ascending, newest first among equals; one equal to the one before is left out. */
  append(source: Uint32Array, from: number): void {
    const hi = source[from] as number
    const lo = source[from + 1] as number
    const seqLo = source[from + 2] as number
    const seqHi = source[from + 3] as number
    const last = this.#last
    if (lo === last[1] && hi === last[0] && seqLo === last[2] && seqHi === last[3]) return
    last[0] = hi
    last[1] = lo
    last[2] = seqLo
    last[3] = seqHi
    const seq = seqHi * TWO_32 + seqLo
    if (this.#entries++ === 0 || seq < this.#minSeq) this.#minSeq = seq
    if (seq > this.#maxSeq) this.#maxSeq = seq
    const at = this.#filled
    const words = this.#buffer.words
    if (at % PAGE_WORDS === 0) this.#fences[this.#pages + at / PAGE_WORDS] = hi
    words[at] = hi
    words[at + 1] = lo
    words[at + 2] = seqLo
    words[at + 3] = seqHi
    filterAdd(this.#filter.filter, this.#filter.scale, hi | 0, lo | 0)
    this.#filled = at + ENTRY_WORDS
    if (this.#filled === BUFFER_WORDS) this.#flush()
  }

  /** Writes the next piece of the tail; true while there is more. Call until false, then `finish`. */
  writeTailSome(): boolean {
    this.#tail ??= this.#beginTail()
    const piece = this.#tail.shift()
    if (piece === undefined) return false
    writeAll(this.#fd, piece, PAGE_BYTES * (1 + this.#pages) + this.#tailDone)
    this.#tailCrc = crc32(piece, this.#tailCrc)
    this.#tailDone += piece.length
    return this.#tail.length > 0
  }

  /** Writes the header and gives the file its name. Entries below `boundSeq` were left out: the run answers for none of them. */
  finish(boundSeq: number): Run {
    const header: RunHeader = {
      ...this.#span,
      fromSeq: Math.max(this.#span.fromSeq, boundSeq),
      entries: this.#entries,
      minSeq: this.#minSeq,
      maxSeq: this.#maxSeq,
      pages: this.#pages,
      filterBlocks: this.#blocks,
      tailCrc: this.#tailCrc,
    }
    writeAll(this.#fd, encodeRunHeader(header), 0)
    this.#close()
    renameSync(`${this.#path}.tmp`, this.#path)
    return runOf(this.#path, header, {
      filter: this.#filter.filter,
      // A copy, so that room for entries that were left out is given back.
      fences: this.#fences.slice(0, this.#pages),
      pageCrcs: this.#pageCrcs.slice(0, this.#pages),
    })
  }

  /** Forgets the half-written run. */
  abort(): void {
    this.#close()
    rmSync(`${this.#path}.tmp`, { force: true })
  }

  #beginTail(): Uint8Array[] {
    this.#flush()
    const pieces: Uint8Array[] = []
    for (const part of [this.#filter.filter, this.#fences.subarray(0, this.#pages), this.#pageCrcs.subarray(0, this.#pages)]) {
      const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
      for (let at = 0; at < bytes.length; at += TAIL_PIECE_BYTES) pieces.push(bytes.subarray(at, at + TAIL_PIECE_BYTES))
    }
    return pieces
  }

  #flush(): void {
    const pages = Math.ceil(this.#filled / PAGE_WORDS)
    if (pages === 0) return
    this.#buffer.words.fill(0, this.#filled, pages * PAGE_WORDS)
    for (let i = 0; i < pages; i++) this.#pageCrcs[this.#pages + i] = crc32(this.#buffer.pages[i] as Uint8Array)
    writeAll(this.#fd, this.#buffer.bytes.subarray(0, pages * PAGE_BYTES), PAGE_BYTES * (1 + this.#pages))
    this.#pages += pages
    this.#filled = 0
  }

  #close(): void {
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
  }
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  let done = 0
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}
