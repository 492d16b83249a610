/**
 * A segment on disk: `<first seq, 16 digits>.log` beside its columns `<first seq>.idx`. The segment is the truth, the
 * columns are derived from it and carry a checksum of their own.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ROW_BYTES } from './columns.ts'
import { TrunklineError } from '../errors.ts'

export const SEGMENT_HEADER_BYTES = 64
export const LOG_FORMAT_VERSION = 1
const SEGMENT_MAGIC = 'TRUNKLOG'
const COLUMNS_MAGIC = 'TRUNKIDX'
export const COLUMNS_HEADER_BYTES = 64

export type SegmentInfo = {
  readonly path: string
  /** Seq of the first record; records are numbered without gaps inside a segment. */
  readonly firstSeq: number
  readonly createdAtMs: number
  readonly count: number
  readonly bytes: number
  readonly minReceivedAtMs: number
  readonly maxReceivedAtMs: number
}

export type SegmentHeader = { readonly firstSeq: number; readonly createdAtMs: number }

export const segmentPath = (dir: string, firstSeq: number): string => join(dir, `${String(firstSeq).padStart(16, '0')}.log`)
export const columnsPath = (segment: string): string => segment.replace(/\.log$/, '.idx')

/** Paths of the segments of a directory, oldest first. */
export function listSegments(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => /^\d{16}\.log$/.test(name))
    .sort()
    .map((name) => join(dir, name))
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const b = Buffer.alloc(SEGMENT_HEADER_BYTES)
  b.write(SEGMENT_MAGIC, 0, 'latin1')
  b.writeUInt32LE(LOG_FORMAT_VERSION, 8)
  b.writeDoubleLE(header.firstSeq, 16)
  b.writeDoubleLE(header.createdAtMs, 24)
  b.writeUInt32LE(crc32(b.subarray(0, 60)), 60)
  return b
}

/** Reads a segment's header; null when it is short or damaged. A version newer than ours is an error, not damage. */
export function readSegmentHeader(path: string): SegmentHeader | null {
  const b = Buffer.alloc(SEGMENT_HEADER_BYTES)
  const fd = openSync(path, 'r')
  try {
    if (readSync(fd, b, 0, SEGMENT_HEADER_BYTES, 0) < SEGMENT_HEADER_BYTES) return null
  } finally {
    closeSync(fd)
  }
  if (b.toString('latin1', 0, 8) !== SEGMENT_MAGIC || crc32(b.subarray(0, 60)) !== b.readUInt32LE(60)) return null
  const version = b.readUInt32LE(8)
  if (version > LOG_FORMAT_VERSION)
    throw new TrunklineError(
      'log.newer_format',
      `${path} has log format ${version}; this version reads up to ${LOG_FORMAT_VERSION}`,
      'Start it with the version of trunkline that wrote it, or a newer one.',
    )
  return { firstSeq: b.readDoubleLE(16), createdAtMs: b.readDoubleLE(24) }
}

/** Writes the columns of a sealed segment. Not synced: they are made anew when the checksum does not fit. */
export function writeColumns(info: SegmentInfo, words: Uint32Array): void {
  const rows = Buffer.from(words.buffer, words.byteOffset, info.count * ROW_BYTES)
  const out = Buffer.alloc(COLUMNS_HEADER_BYTES + rows.length)
  rows.copy(out, COLUMNS_HEADER_BYTES)
  out.write(COLUMNS_MAGIC, 0, 'latin1')
  out.writeUInt32LE(LOG_FORMAT_VERSION, 8)
  out.writeUInt32LE(info.count, 12)
  out.writeDoubleLE(info.bytes, 16)
  out.writeDoubleLE(info.minReceivedAtMs, 24)
  out.writeDoubleLE(info.maxReceivedAtMs, 32)
  out.writeUInt32LE(crc32(rows), 56)
  out.writeUInt32LE(crc32(out.subarray(0, 60)), 60)
  const path = columnsPath(info.path)
  writeFileSync(`${path}.tmp`, out, { mode: 0o600 })
  renameSync(`${path}.tmp`, path)
}

/** Row words and figures of a sealed segment from its column file, or null when it is missing, damaged or does not fit `bytes`. */
export function readColumns(
  path: string,
  bytes: number,
): { count: number; minReceivedAtMs: number; maxReceivedAtMs: number; words: Uint32Array } | null {
  let b: Buffer
  try {
    b = readFileSync(columnsPath(path))
  } catch {
    return null
  }
  return parseColumns(b, bytes)
}

export function parseColumns(
  b: Buffer,
  bytes: number,
): { count: number; minReceivedAtMs: number; maxReceivedAtMs: number; words: Uint32Array } | null {
  if (b.length < COLUMNS_HEADER_BYTES || b.toString('latin1', 0, 8) !== COLUMNS_MAGIC) return null
  if (crc32(b.subarray(0, 60)) !== b.readUInt32LE(60) || b.readUInt32LE(8) !== LOG_FORMAT_VERSION) return null
  const count = b.readUInt32LE(12)
  if (b.readDoubleLE(16) !== bytes || b.length !== COLUMNS_HEADER_BYTES + count * ROW_BYTES) return null
  const rows = b.subarray(COLUMNS_HEADER_BYTES)
  if (crc32(rows) !== b.readUInt32LE(56)) return null
  const words = new Uint32Array(rows.length / 4)
  Buffer.from(words.buffer).set(rows)
  return { count, minReceivedAtMs: b.readDoubleLE(24), maxReceivedAtMs: b.readDoubleLE(32), words }
}
