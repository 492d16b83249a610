/**
 * The one writer of a directory of segments. Appends groups of frames at a known offset, syncs, and only then calls
 * them committed. After a failed write or sync nothing of the group counts: the segment is cut back to the last
 * committed byte and closed, and the next group begins a new one (after a failed sync nobody knows what the disk holds).
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  statfsSync,
  unlinkSync,
  write,
  writeSync,
} from 'node:fs'
import { step } from '../diagnostics/step.ts'
import { COLUMN, COLUMN_COUNT, Columns, type Rows } from './columns.ts'
import { TrunklineError } from '../errors.ts'
import { appendRow, firstSeqOfPath, keepDamaged, mendHeader } from './mending.ts'
import { type Damage, scanSegment } from './scan.ts'
import {
  SEGMENT_HEADER_BYTES,
  type SegmentInfo,
  columnsPath,
  encodeSegmentHeader,
  listSegments,
  readColumns,
  readSegmentHeader,
  segmentPath,
  writeColumns,
} from './segment-file.ts'

const MAX_ROWS = 1_000_000
const THREAD_POOL_FROM_BYTES = 256 * 1024

export type SegmentWriterOptions = {
  readonly dir: string
  readonly segmentBytes: number
  /** Oldest segments go when the directory is over it, as far as `release` allows. */
  readonly maxBytes: number
  readonly maxAgeMs: number
  /** Writing stops while the disk has less left, so that progress and sinks can still be stored. */
  readonly minFreeBytes: number
  /** At the byte cap: refuse new records, or let the oldest go for them (quarantine), settled or not. */
  readonly atCap: 'refuse' | 'evict'
  /** Records below this are known to have been committed, whatever the files say: their numbers are never given out again. */
  readonly minNextSeq?: number
  readonly nowMs: () => number
}

export type Recovery = {
  readonly segments: number
  readonly tornBytes: number
  readonly damage: readonly (Damage & { readonly path: string })[]
}

/** Frames prepared together, numbered without gaps from `firstSeq`. */
export type Group = {
  readonly frames: Buffer
  readonly rows: Rows
  readonly firstSeq: number
  readonly minReceivedAtMs: number
  readonly maxReceivedAtMs: number
}

export class SegmentWriter {
  readonly #options: SegmentWriterOptions
  readonly sealed: SegmentInfo[] = []
  readonly recovery: Recovery
  #fd = -1
  #path = ''
  #firstSeq = 1
  #createdAtMs = 0
  #bytes = 0
  #count = 0
  #min = Infinity
  #max = 0
  #columns = new Columns()
  #sealedBytes = 0
  #releaseSeq = 0
  #freeCheckedAtMs = 0
  #freeBytes = Infinity
  nextSeq = 1
  /** Records that retention has taken since start. */
  goneRecords = 0

  constructor(options: SegmentWriterOptions) {
    this.#options = options
    mkdirSync(options.dir, { recursive: true, mode: 0o700 })
    this.recovery = this.#recover()
  }

  /** The segment being written, or null before the first record. */
  get active(): (SegmentInfo & { readonly shared: SharedArrayBuffer }) | null {
    if (this.#fd < 0) return null
    return { ...this.#info(), shared: this.#columns.shared }
  }

  get totalBytes(): number {
    return this.#sealedBytes + this.#bytes
  }

  /** Smallest seq still in the log. */
  get firstSeq(): number {
    return this.sealed[0]?.firstSeq ?? (this.#fd < 0 ? this.nextSeq : this.#firstSeq)
  }

  /** Records below `seq` are settled everywhere: segments wholly below it may go when a cap asks for it. */
  release(seq: number): void {
    this.#releaseSeq = seq
  }

  /** Throws a coded TrunklineError when the next `bytes` must not be written now. Frees what retention allows first. */
  admit(bytes: number): void {
    if (this.totalBytes + bytes > this.#options.maxBytes) this.retain(bytes)
    if (this.totalBytes + bytes > this.#options.maxBytes && this.#options.atCap === 'evict' && this.#fd >= 0) {
      this.#seal()
      this.retain(bytes)
    }
    if (this.totalBytes + bytes > this.#options.maxBytes && this.#options.atCap === 'refuse')
      throw new TrunklineError(
        'log.full',
        `the log holds ${this.totalBytes} of at most ${this.#options.maxBytes} bytes and none of it may go yet`,
        'Let the lagging route catch up, give it a backlog policy, or raise log.maxBytes.',
      )
    const now = this.#options.nowMs()
    if (now - this.#freeCheckedAtMs > 500 || now < this.#freeCheckedAtMs || this.#freeBytes < this.#options.minFreeBytes * 2) {
      const fs = statfsSync(this.#options.dir)
      this.#freeBytes = fs.bavail * fs.bsize
      this.#freeCheckedAtMs = now
    }
    if (this.#freeBytes - bytes < this.#options.minFreeBytes)
      throw new TrunklineError(
        'log.disk_full',
        `only ${this.#freeBytes} bytes are free on the disk of ${this.#options.dir}; ${this.#options.minFreeBytes} are kept in reserve`,
        'Free space on the disk; intake goes on by itself.',
      )
    this.#freeBytes -= bytes
  }

  /**
   * Writes whole groups of frames at the end, in order, and syncs. They count only once they are committed. Rolls to a
   * new segment first when this one is full. Large groups run in the thread pool, and the next are prepared meanwhile;
   * for small ones the way there and back would cost more than the write.
   */
  async write(groups: readonly Group[]): Promise<void> {
    if (this.#fd >= 0 && (this.#bytes >= this.#options.segmentBytes || this.#count >= MAX_ROWS)) this.#seal()
    const first = groups[0]
    if (first === undefined) return
    if (this.#fd < 0) this.#create(first.firstSeq)
    const fd = this.#fd
    if (groups.reduce((total, g) => total + g.frames.length, 0) < THREAD_POOL_FROM_BYTES) {
      let at = this.#bytes
      for (const { frames } of groups) {
        for (let done = 0; done < frames.length;) done += writeSync(fd, frames, done, frames.length - done, at + done)
        at += frames.length
      }
      step('log.written')
      fdatasyncSync(fd)
      return
    }
    let position = this.#bytes
    for (const { frames } of groups) {
      for (let done = 0; done < frames.length;) done += await writeAt(fd, frames, done, position + done)
      position += frames.length
    }
    step('log.written')
    await new Promise<void>((resolve, reject) => {
      fdatasync(fd, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  /** Makes written and synced groups part of the log. */
  commit(groups: readonly Group[]): void {
    for (const { frames, rows, firstSeq, minReceivedAtMs, maxReceivedAtMs } of groups) {
      if (rows.count === 0) continue
      this.#columns.append(firstSeq - this.#firstSeq, rows, this.#bytes)
      this.#bytes += frames.length
      this.#count = firstSeq - this.#firstSeq + rows.count
      this.nextSeq = firstSeq + rows.count
      this.#received(minReceivedAtMs)
      this.#received(maxReceivedAtMs)
    }
    step('log.committed')
  }

  /** After a failed write or sync: cut back to what is committed and leave the segment. */
  abandon(): void {
    if (this.#fd < 0) return
    try {
      ftruncateSync(this.#fd, this.#bytes)
      fdatasyncSync(this.#fd)
    } catch {
      // The tail stays torn: its frames carry numbers the next segment has too, by which recovery knows them.
    }
    this.#seal()
  }

  /** Unlinks the oldest released segments that age or size condemns; answers them. */
  retain(bytesToCome = 0): SegmentInfo[] {
    const gone: SegmentInfo[] = []
    const oldest = this.#options.nowMs() - this.#options.maxAgeMs
    for (;;) {
      const head = this.sealed[0]
      if (head === undefined) break
      const overSize = this.totalBytes + bytesToCome > this.#options.maxBytes
      if (!overSize && head.maxReceivedAtMs >= oldest) break
      if (head.firstSeq + head.count > this.#releaseSeq) break
      unlinkSync(head.path)
      if (existsSync(columnsPath(head.path))) unlinkSync(columnsPath(head.path))
      this.sealed.shift()
      this.#sealedBytes -= head.bytes
      gone.push(head)
      this.goneRecords += head.count
      step('log.segment_unlinked')
    }
    return gone
  }

  /** File, offset and length bound of a committed record, or null when it is not (or no longer) there. */
  locate(seq: number): { path: string; offset: number } | null {
    if (this.#fd >= 0 && seq >= this.#firstSeq) {
      const row = seq - this.#firstSeq
      if (row >= this.#count) return null
      const offset = this.#columns.words()[row * COLUMN_COUNT + COLUMN.offset]!
      return offset === 0 ? null : { path: this.#path, offset }
    }
    return null
  }

  /** Reads the first `bytes` of the record `seq` of the active segment into `into`; false when it is elsewhere. */
  readActive(seq: number, into: Buffer): boolean {
    const place = this.locate(seq)
    return place !== null && readSync(this.#fd, into, 0, into.length, place.offset) === into.length
  }

  close(): void {
    if (this.#fd < 0) return
    this.#seal()
  }

  #info(): SegmentInfo {
    return {
      path: this.#path,
      firstSeq: this.#firstSeq,
      createdAtMs: this.#createdAtMs,
      count: this.#count,
      bytes: this.#bytes,
      minReceivedAtMs: this.#min,
      maxReceivedAtMs: this.#max,
    }
  }

  #create(firstSeq: number): void {
    const path = segmentPath(this.#options.dir, firstSeq)
    const createdAtMs = this.#options.nowMs()
    const fd = openSync(path, 'wx+', 0o600)
    try {
      writeSync(fd, encodeSegmentHeader({ firstSeq, createdAtMs }), 0, SEGMENT_HEADER_BYTES, 0)
      fsyncSync(fd)
      syncDir(this.#options.dir)
    } catch (error) {
      closeSync(fd)
      try {
        unlinkSync(path)
      } catch {
        // An empty segment is skipped and removed at the next start.
      }
      throw error
    }
    this.#use(fd, path, { firstSeq, createdAtMs })
    step('log.segment_created')
  }

  #use(fd: number, path: string, header: { firstSeq: number; createdAtMs: number }): void {
    this.#fd = fd
    this.#path = path
    this.#firstSeq = header.firstSeq
    this.#createdAtMs = header.createdAtMs
    this.#bytes = SEGMENT_HEADER_BYTES
    this.#count = 0
    this.#min = Infinity
    this.#max = 0
    this.#columns = new Columns()
  }

  #received(atMs: number): void {
    if (atMs < this.#min) this.#min = atMs
    if (atMs > this.#max) this.#max = atMs
  }

  #seal(): void {
    closeSync(this.#fd)
    this.#fd = -1
    if (this.#count === 0) {
      unlinkSync(this.#path)
      this.#bytes = 0
      return
    }
    const info = this.#info()
    step('log.segment_sealed')
    try {
      writeColumns(info, this.#columns.words())
      step('log.columns_written')
    } catch {
      // Derived data: made anew when somebody needs it. Those of an earlier stop would be taken for them.
      rmSync(columnsPath(info.path), { force: true })
    }
    this.sealed.push(info)
    this.#sealedBytes += info.bytes
    this.#bytes = 0
    this.#count = 0
  }

  #recover(): Recovery {
    const damage: (Damage & { path: string })[] = []
    let tornBytes = 0
    const paths = listSegments(this.#options.dir)
    for (const [i, path] of paths.entries()) {
      const last = i === paths.length - 1
      const size = statSync(path).size
      const endSeq = firstSeqOfPath(paths[i + 1])
      let header = readSegmentHeader(path)
      if (header === null) {
        header = mendHeader(path, endSeq)
        if (header !== null) damage.push({ path, offset: 0, bytes: SEGMENT_HEADER_BYTES, records: 0 })
      }
      if (header === null) {
        // Never finished being created, or nothing in it can be read: keep what is there out of the way.
        if (size > SEGMENT_HEADER_BYTES || !last)
          damage.push({ path, offset: 0, bytes: size, records: last ? 0 : endSeq - firstSeqOfPath(path) })
        keepDamaged(path, 0, size)
        unlinkSync(path)
        continue
      }
      const columns = last ? null : readColumns(path, size)
      if (columns !== null) {
        this.#pushSealed({ path, ...header, bytes: size, ...columns })
        const records = endSeq - header.firstSeq - columns.count
        if (records > 0) damage.push({ path, offset: size, bytes: 0, records })
        continue
      }
      this.#use(-1, path, header)
      const scan = scanSegment(path, header.firstSeq, endSeq, (b, at, offset) => {
        const head = appendRow(this.#columns, header.firstSeq, b, at, offset)
        this.#count = head.seq - this.#firstSeq + 1
        this.#received(head.receivedAtMs)
      })
      for (const d of scan.damage) damage.push({ ...d, path })
      this.#bytes = scan.goodBytes
      if (scan.fileBytes > scan.goodBytes) {
        if (scan.damage.at(-1)?.offset !== scan.goodBytes) tornBytes += scan.fileBytes - scan.goodBytes
        keepDamaged(path, scan.goodBytes, scan.fileBytes)
      }
      this.#fd = openSync(path, 'r+')
      if (scan.fileBytes > scan.goodBytes) {
        ftruncateSync(this.#fd, scan.goodBytes)
        fsyncSync(this.#fd)
      }
      if (!last || this.#count === 0) this.#seal()
    }
    const end = this.sealed.at(-1)
    this.nextSeq = this.#fd >= 0 ? this.#firstSeq + this.#count : end === undefined ? 1 : end.firstSeq + end.count
    const lost = (this.#options.minNextSeq ?? 0) - this.nextSeq
    if (lost > 0) {
      damage.push({ path: paths.at(-1) ?? this.#options.dir, offset: this.#bytes, bytes: 0, records: lost })
      if (this.#fd >= 0) this.#seal()
      this.nextSeq += lost
    }
    return { segments: paths.length, tornBytes, damage }
  }

  #pushSealed(info: SegmentInfo & { words?: Uint32Array }): void {
    const { path, firstSeq, createdAtMs, count, bytes, minReceivedAtMs, maxReceivedAtMs } = info
    this.sealed.push({ path, firstSeq, createdAtMs, count, bytes, minReceivedAtMs, maxReceivedAtMs })
    this.#sealedBytes += bytes
  }
}

function writeAt(fd: number, b: Buffer, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, b, offset, b.length - offset, position, (error, written) => (error === null ? resolve(written) : reject(error)))
  })
}

export function syncDir(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
