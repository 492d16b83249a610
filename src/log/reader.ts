/**
 * Reads committed records from memory (what was just written) or from the segment files. One bad record is reported
 * and stepped over, never more. Reading never blocks the writer.
 */
import { open, readFile } from 'node:fs/promises'
import type { DecodedEvent, Event } from '../event/event.ts'
import { COLUMN, COLUMN_COUNT, ROW_BYTES } from './columns.ts'
import { eventId } from './event-id.ts'
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES, checkFrame, frameEvent, frameHead } from './frame.ts'
import type { SegmentsView } from './messages.ts'
import { scanSegment } from './scan.ts'
import { COLUMNS_HEADER_BYTES, SEGMENT_HEADER_BYTES, type SegmentInfo, columnsPath, parseColumns } from './segment-file.ts'

/** One record, as a view into the buffer it was read with. */
export type LogRecord = {
  readonly seq: number
  readonly receivedAtMs: number
  /** Seq of the first receipt when this record repeats one, else -1. */
  readonly firstSeq: number
  readonly buffer: Buffer
  readonly at: number
}

export type ReadResult = {
  readonly records: readonly LogRecord[]
  /** Where to read on; greater than `fromSeq` unless there is nothing new. */
  readonly nextSeq: number
  /** Seqs stepped over because they are damaged. */
  readonly damaged: readonly number[]
}

type Recent = { readonly firstSeq: number; readonly lastSeq: number; readonly records: readonly LogRecord[]; readonly bytes: number }

/** What changes of the segment being written as it grows. */
export type Growth = Pick<SegmentInfo, 'count' | 'bytes' | 'minReceivedAtMs' | 'maxReceivedAtMs'>

const RECENT_BYTES = 4 * 1024 * 1024

export class LogReader {
  readonly #logId: string
  #sealed: readonly SegmentInfo[] = []
  #active: (SegmentInfo & { readonly shared: SharedArrayBuffer }) | null = null
  #nextSeq = 1
  #recent: Recent[] = []
  #recentBytes = 0
  /** Offsets of the one segment without columns that was read last. */
  #scanned: { readonly path: string; readonly offsets: Uint32Array } | null = null

  constructor(logId: string) {
    this.#logId = logId
  }

  /** Seq of the next record to be committed. */
  get nextSeq(): number {
    return this.#nextSeq
  }

  /** Oldest seq still in the log (= nextSeq when it is empty). */
  get firstSeq(): number {
    return this.#sealed[0]?.firstSeq ?? this.#active?.firstSeq ?? this.#nextSeq
  }

  get segments(): readonly SegmentInfo[] {
    return this.#active === null || this.#active.count === 0 ? this.#sealed : [...this.#sealed, this.#active]
  }

  update(view: SegmentsView): void {
    this.#sealed = view.sealed
    this.#active = view.active
    this.#nextSeq = Math.max(this.#nextSeq, view.nextSeq)
  }

  /** Takes freshly committed frames. */
  committed(frames: Buffer | null, firstSeq: number, lastSeq: number, active: Growth): void {
    if (this.#active !== null) this.#active = { ...this.#active, ...active }
    this.#nextSeq = Math.max(this.#nextSeq, lastSeq + 1)
    if (frames === null) return
    const records: LogRecord[] = []
    for (let at = 0; at < frames.length;) {
      const head = frameHead(frames, at)
      records.push({ seq: head.seq, receivedAtMs: head.receivedAtMs, firstSeq: head.firstSeq, buffer: frames, at })
      at += head.length
    }
    const bytes = frames.buffer.byteLength
    this.#recent.push({ firstSeq, lastSeq, records, bytes })
    this.#recentBytes += bytes
    while (this.#recentBytes > RECENT_BYTES && this.#recent.length > 1) this.#recentBytes -= this.#recent.shift()!.bytes
  }

  /** Records from `fromSeq` on, in order: some of them, at most about `maxBytes` unless one alone is larger. */
  async read(fromSeq: number, maxBytes: number = 1024 * 1024): Promise<ReadResult> {
    if (fromSeq >= this.#nextSeq) return { records: [], nextSeq: fromSeq, damaged: [] }
    const recent = this.#fromRecent(fromSeq, maxBytes)
    if (recent !== null) return recent
    const segment = this.segments.find((s) => fromSeq < s.firstSeq + s.count)
    const begin = segment?.firstSeq ?? this.#nextSeq
    // No segment holds these numbers (any more): damaged files, found at start.
    if (segment === undefined || fromSeq < begin) return { records: [], nextSeq: begin, damaged: range(fromSeq, begin) }
    return this.#fromFile(segment, fromSeq, maxBytes)
  }

  /** The record, or null when it is not in the log (any more) or damaged. */
  async record(seq: number): Promise<LogRecord | null> {
    if (seq < this.firstSeq || seq >= this.#nextSeq) return null
    const { records } = this.#fromRecent(seq, 1) ?? (await this.read(seq, FRAME_HEADER_BYTES * 64))
    return records.find((r) => r.seq === seq) ?? null
  }

  /** Column words of a segment and how many rows count, or null when there are none to be had now. */
  async columns(segment: SegmentInfo): Promise<Uint32Array | null> {
    if (this.#active !== null && segment.firstSeq === this.#active.firstSeq) return new Uint32Array(this.#active.shared)
    try {
      return parseColumns(await readFile(columnsPath(segment.path)), segment.bytes)?.words ?? null
    } catch {
      return null
    }
  }

  /** The event of a record. */
  event(record: LogRecord): Event {
    return toEvent(frameEvent(record.buffer, record.at).event, this.#logId, record)
  }

  #fromRecent(fromSeq: number, maxBytes: number): ReadResult | null {
    const groups = this.#recent
    if (groups.length === 0 || fromSeq < groups[0]!.firstSeq) return null
    let low = 0
    let high = groups.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (groups[middle]!.firstSeq <= fromSeq) low = middle
      else high = middle - 1
    }
    if (fromSeq > groups[low]!.lastSeq) return null
    const records: LogRecord[] = []
    let bytes = 0
    let nextSeq = fromSeq
    for (; low < groups.length && (records.length === 0 || bytes < maxBytes); low++) {
      const group = groups[low]!
      if (group.firstSeq > nextSeq) break
      for (let i = nextSeq - group.firstSeq; i < group.records.length && (records.length === 0 || bytes < maxBytes); i++) {
        const record = group.records[i]!
        records.push(record)
        bytes += frameHead(record.buffer, record.at).length
        nextSeq = record.seq + 1
      }
    }
    return { records, nextSeq, damaged: [] }
  }

  async #fromFile(segment: SegmentInfo, fromSeq: number, maxBytes: number): Promise<ReadResult> {
    const end = segment.firstSeq + segment.count
    let file
    try {
      file = await open(segment.path, 'r')
    } catch (error) {
      // Retention took it between the look and the read: what was there is gone for every route that settled it.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { records: [], nextSeq: end, damaged: [] }
      throw error
    }
    try {
      const start = await this.#offsetOf(segment, fromSeq)
      if (start === 0) return { records: [], nextSeq: fromSeq + 1, damaged: [fromSeq] }
      let chunk = Buffer.allocUnsafe(Math.max(0, Math.min(Math.max(maxBytes, FRAME_HEADER_BYTES), segment.bytes - start)))
      await fill(file, chunk, start)
      if (checkFrame(chunk, 0) === 0 && chunk.length >= FRAME_HEADER_BYTES) {
        const length = chunk.readUInt32LE(4)
        if (length <= MAX_FRAME_BYTES && start + length <= segment.bytes) {
          chunk = Buffer.allocUnsafe(length)
          await fill(file, chunk, start)
        }
      }
      return parseChunk(chunk, fromSeq, end)
    } finally {
      await file.close()
    }
  }

  /** Offset of a record in its segment; 0 when it is known to be damaged. Without columns the segment is read for it. */
  async #offsetOf(segment: SegmentInfo, seq: number): Promise<number> {
    const row = seq - segment.firstSeq
    if (this.#active !== null && segment.firstSeq === this.#active.firstSeq)
      return new Uint32Array(this.#active.shared)[row * COLUMN_COUNT + COLUMN.offset] ?? 0
    if (row === 0) return SEGMENT_HEADER_BYTES
    try {
      const file = await open(columnsPath(segment.path), 'r')
      try {
        const b = Buffer.alloc(4)
        const { bytesRead } = await file.read(b, 0, 4, COLUMNS_HEADER_BYTES + row * ROW_BYTES)
        return bytesRead === 4 ? b.readUInt32LE(0) : this.#scannedOffset(segment, row)
      } finally {
        await file.close()
      }
    } catch {
      return this.#scannedOffset(segment, row)
    }
  }

  #scannedOffset(segment: SegmentInfo, row: number): number {
    if (this.#scanned?.path !== segment.path) {
      const offsets = new Uint32Array(segment.count)
      scanSegment(segment.path, segment.firstSeq, segment.firstSeq + segment.count, (b, at, offset) => {
        offsets[frameHead(b, at).seq - segment.firstSeq] = offset
      })
      this.#scanned = { path: segment.path, offsets }
    }
    return this.#scanned.offsets[row] ?? 0
  }
}

/** An Event out of what was decoded, with the id and receipt the log gave it. */
export function toEvent(decoded: DecodedEvent, logId: string, record: LogRecord): Event {
  return {
    ...decoded,
    id: eventId(logId, record.seq),
    receivedAtMs: record.receivedAtMs,
    duplicateOf: record.firstSeq < 0 ? null : eventId(logId, record.firstSeq),
    redelivered: false,
  }
}

function parseChunk(chunk: Buffer, fromSeq: number, endSeq: number): ReadResult {
  const records: LogRecord[] = []
  let expected = fromSeq
  for (let at = 0; at < chunk.length;) {
    const length = checkFrame(chunk, at)
    if (length <= 0) {
      // Cut off by the chunk's end: the next read begins there. Bad: step over exactly this record.
      if (length < 0) return { records, nextSeq: expected + 1, damaged: [expected] }
      break
    }
    const head = frameHead(chunk, at)
    if (head.seq > expected && records.length === 0 && at === 0) {
      return { records, nextSeq: head.seq, damaged: range(expected, head.seq) }
    }
    if (head.seq > expected) return { records, nextSeq: expected, damaged: [] }
    if (head.seq === expected) {
      records.push({ seq: head.seq, receivedAtMs: head.receivedAtMs, firstSeq: head.firstSeq, buffer: chunk, at })
      expected++
    }
    at += length
  }
  if (records.length === 0) return { records, nextSeq: Math.min(expected + 1, endSeq), damaged: [expected] }
  return { records, nextSeq: expected, damaged: [] }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

async function fill(
  file: { read(b: Buffer, o: number, l: number, p: number): Promise<{ bytesRead: number }> },
  b: Buffer,
  from: number,
): Promise<void> {
  let done = 0
  while (done < b.length) {
    const { bytesRead } = await file.read(b, done, b.length - done, from + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  b.fill(0, done)
}
