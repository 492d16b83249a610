/**
 * What recovery does to files that a crash or a bad disk left behind: headers given back, damaged bytes kept for a
 * person to look at, columns made anew.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Columns, Rows } from './columns.ts'
import { type FrameHead, KIND_EVENT, frameEvent, frameHead } from './frame.ts'
import { scanSegment } from './scan.ts'
import { SEGMENT_HEADER_BYTES, type SegmentHeader, type SegmentInfo, encodeSegmentHeader, writeColumns } from './segment-file.ts'

/** First seq of a segment by its name; Infinity without one. A frame numbered from the next segment's first seq on is what a failed write left behind. */
export const firstSeqOfPath = (path: string | undefined): number => (path === undefined ? Infinity : Number(basename(path, '.log')))

/**
 * Gives a segment whose first 64 bytes are damaged its header back: the name says where it begins, the frames speak for
 * themselves. Null, and nothing written, when no frame in it is good.
 */
export function mendHeader(path: string, endSeq: number): SegmentHeader | null {
  const firstSeq = firstSeqOfPath(path)
  let createdAtMs = -1
  scanSegment(path, firstSeq, endSeq, (b, at) => {
    if (createdAtMs < 0) createdAtMs = frameHead(b, at).receivedAtMs
  })
  if (createdAtMs < 0) return null
  keepDamaged(path, 0, SEGMENT_HEADER_BYTES)
  const header = { firstSeq, createdAtMs }
  const fd = openSync(path, 'r+')
  try {
    writeSync(fd, encodeSegmentHeader(header), 0, SEGMENT_HEADER_BYTES, 0)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  return header
}

/** Adds the row of the frame at `at` to the columns of its segment; answers its head. */
export function appendRow(columns: Columns, firstSeq: number, b: Buffer, at: number, offset: number): FrameHead {
  const head = frameHead(b, at)
  const rows = new Rows()
  rows.add(head.kind === KIND_EVENT ? frameEvent(b, at).event : null, 0)
  columns.append(head.seq - firstSeq, rows, offset)
  return head
}

/** Makes the columns of a sealed segment that could not be written when it was sealed. Throws when the disk still refuses. */
export function mendColumns(info: SegmentInfo): void {
  const columns = new Columns()
  scanSegment(info.path, info.firstSeq, info.firstSeq + info.count, (b, at, offset) => appendRow(columns, info.firstSeq, b, at, offset))
  writeColumns(info, columns.words())
}

/** Torn bytes were never acknowledged, but a person may want to look at them: at most 1 MiB of each is kept. */
export function keepDamaged(path: string, from: number, to: number): void {
  const bytes = Math.min(to - from, 1024 * 1024)
  if (bytes <= 0) return
  const b = Buffer.alloc(bytes)
  const fd = openSync(path, 'r')
  try {
    readSync(fd, b, 0, bytes, from)
  } finally {
    closeSync(fd)
  }
  if (b.every((byte) => byte === 0)) return
  const kept = join(dirname(path), 'damaged')
  mkdirSync(kept, { recursive: true, mode: 0o700 })
  writeFileSync(join(kept, `${basename(path)}.${from}`), b, { mode: 0o600 })
}
