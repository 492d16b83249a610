/**
 * A sealed run in use: its header, filter, fences and page sums in memory, its entries on disk.
 * Every page read is checked; one that is short or changed raises DamagedRun and never becomes an answer.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { FILTER_BLOCK_WORDS, filterOf, type Filter } from './filter.ts'
import { decodeRunHeader, PAGE_BYTES, PAGE_WORDS, runFileBytes, runFileName, tailBytes, type RunHeader } from './run-format.ts'

export type Run = Filter & {
  readonly header: RunHeader
  readonly path: string
  readonly fences: Uint32Array
  readonly pageCrcs: Uint32Array
}

/** Internal signal that a run's entries cannot be trusted; the index turns it into `keys.damaged`. */
export class DamagedRun extends Error {
  readonly run: Run

  constructor(run: Run, page: number) {
    super(`page ${page} of ${run.path} is short or fails its checksum`)
    this.run = run
  }
}

/** Open descriptors of run files, at most `cap`; the one opened first is given up first. */
export class OpenFiles {
  readonly #cap: number
  readonly #fds = new Map<string, number>()

  constructor(cap: number) {
    this.#cap = cap
  }

  get count(): number {
    return this.#fds.size
  }

  fd(path: string): number {
    const known = this.#fds.get(path)
    if (known !== undefined) return known
    for (const oldest of this.#fds.keys()) {
      if (this.#fds.size < this.#cap) break
      this.close(oldest)
    }
    const fd = openSync(path, 'r')
    this.#fds.set(path, fd)
    return fd
  }

  close(path: string): void {
    const fd = this.#fds.get(path)
    if (fd === undefined) return
    this.#fds.delete(path)
    closeSync(fd)
  }

  closeAll(): void {
    for (const path of this.#fds.keys()) this.close(path)
  }
}

/** A reusable buffer of so many pages, with the views that reading and checking need. */
export type PageBuffer = { readonly bytes: Uint8Array; readonly words: Uint32Array; readonly pages: readonly Uint8Array[] }

export function pageBuffer(pages: number): PageBuffer {
  const bytes = new Uint8Array(pages * PAGE_BYTES)
  return {
    bytes,
    words: new Uint32Array(bytes.buffer),
    pages: Array.from({ length: pages }, (_, i) => bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES)),
  }
}

/** Reads and checks `count` pages of a run into the buffer. */
export function readPages(files: OpenFiles, run: Run, page: number, count: number, into: PageBuffer): void {
  if (!fill(() => files.fd(run.path), into.bytes, count * PAGE_BYTES, PAGE_BYTES * (1 + page))) throw new DamagedRun(run, page)
  for (let i = 0; i < count; i++) {
    if (crc32(into.pages[i] as Uint8Array) !== run.pageCrcs[page + i]) throw new DamagedRun(run, page + i)
  }
}

/** Index of the first page that can hold a prefix beginning with `hi`. */
export function firstPageFor(run: Run, hi: number): number {
  const fences = run.fences
  let low = 0
  let high = fences.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((fences[middle] as number) < hi) low = middle + 1
    else high = middle
  }
  return low === 0 ? 0 : low - 1
}

/** Loads a run's header and tail; null when anything about the file is not exactly as it was written. */
export function loadRun(dir: string, name: string): Run | null {
  const path = join(dir, name)
  const fd = openSync(path, 'r')
  try {
    const head = new Uint8Array(PAGE_BYTES)
    const header = fill(() => fd, head, PAGE_BYTES, 0) ? decodeRunHeader(head) : null
    if (header === null || runFileName(header) !== name || fstatSync(fd).size !== runFileBytes(header)) return null
    const tail = new Uint8Array(tailBytes(header))
    if (!fill(() => fd, tail, tail.length, PAGE_BYTES * (1 + header.pages)) || crc32(tail) !== header.tailCrc) return null
    const words = new Uint32Array(tail.buffer)
    const fencesAt = header.filterBlocks * FILTER_BLOCK_WORDS
    return runOf(path, header, {
      filter: words.subarray(0, fencesAt),
      fences: words.subarray(fencesAt, fencesAt + header.pages),
      pageCrcs: words.subarray(fencesAt + header.pages),
    })
  } finally {
    closeSync(fd)
  }
}

/** Puts the parts together (always the same object shape: the probe loop depends on it for its speed). */
export function runOf(path: string, header: RunHeader, parts: { filter: Uint32Array; fences: Uint32Array; pageCrcs: Uint32Array }): Run {
  const { filter, scale } = filterOf(header.filterBlocks, parts.filter)
  return { filter, scale, header, path, fences: parts.fences, pageCrcs: parts.pageCrcs }
}

/** Bytes of memory the run holds. */
export function runMemoryBytes(run: Run): number {
  return run.filter.byteLength + run.fences.byteLength + run.pageCrcs.byteLength
}

/** Number of words of entries in a page of the run (all but the last are full). */
export function pageEntryWords(run: Run, page: number): number {
  return Math.min(PAGE_WORDS, run.header.entries * 4 - page * PAGE_WORDS)
}

/** Fills the buffer from the file; false when the file ends before, is gone, or the device cannot read it. */
function fill(fd: () => number, bytes: Uint8Array, length: number, position: number): boolean {
  try {
    let done = 0
    while (done < length) {
      const got = readSync(fd(), bytes, done, length - done, position + done)
      if (got === 0) return false
      done += got
    }
    return true
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null
    if (code === 'EIO' || code === 'ENOENT') return false
    throw cause
  }
}
