/**
 * One sealed run on disk, all little-endian (on a big-endian machine the magic does not match and the index is rebuilt):
 *
 *     header      4096 bytes, its checksum in the last four
 *     entries     pages of 256 x 16 bytes: prefix (2 words), sequence (low word, high word); the last page zero-filled
 *     filter      32-byte blocks        \
 *     fences      first word per page    | the tail: one checksum in the header
 *     page sums   crc32 per entry page  /
 *
 * Header and tail are checked when a run is loaded, an entry page each time it is read: so opening is fast, and a
 * byte that changed anywhere is still noticed before it can make an answer.
 */
import { crc32 } from 'node:zlib'

export const PAGE_BYTES = 4096
export const PAGE_WORDS: number = PAGE_BYTES / 4
export const ENTRY_WORDS = 4
export const PAGE_ENTRIES: number = PAGE_WORDS / ENTRY_WORDS

/** Bump when the layout changes: runs of another version are dropped and rebuilt from the log. */
const FORMAT_VERSION = 1
/** "TLKEYRUN" as two little-endian words. */
const MAGIC = [0x454b4c54, 0x4e555259] as const
const CRC_AT = PAGE_BYTES - 4

/** What a run stands for. Seals are numbered 0, 1, 2...; a merged run stands for a stretch of them. */
export type RunSpan = {
  readonly level: number
  readonly firstSeal: number
  readonly lastSeal: number
  /** Every key of log records from `fromSeq` up to, not including, `coveredSeq` is in the run. */
  readonly fromSeq: number
  /**
   * Adding again begins here when this run is the newest. Some keys of that record may be in the run: the next run is
   * whole from here on when keys were added again in between, else from the record after.
   */
  readonly coveredSeq: number
}

export type RunHeader = RunSpan & {
  readonly entries: number
  /** Lowest and highest sequence number in the run, -1 when it is empty. */
  readonly minSeq: number
  readonly maxSeq: number
  readonly pages: number
  readonly filterBlocks: number
  readonly tailCrc: number
}

/** Size of the file with that header, to the byte. */
export function runFileBytes(header: RunHeader): number {
  return PAGE_BYTES * (1 + header.pages) + tailBytes(header)
}

/** Size of filter, fences and page sums together. */
export function tailBytes(header: RunHeader): number {
  return header.filterBlocks * 32 + header.pages * 8
}

export function runFileName(span: RunSpan): string {
  return `${span.firstSeal}-${span.lastSeal}.run`
}

/** True for names this index gives to its runs (not to half-written ones). */
export function isRunFileName(name: string): boolean {
  return /^\d{1,15}-\d{1,15}\.run$/.test(name)
}

export function encodeRunHeader(header: RunHeader): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES)
  const view = new DataView(bytes.buffer)
  const native = new Uint32Array(bytes.buffer)
  native[0] = MAGIC[0]
  native[1] = MAGIC[1]
  view.setUint32(8, FORMAT_VERSION, true)
  view.setUint32(12, header.level, true)
  view.setUint32(16, header.pages, true)
  view.setUint32(20, header.filterBlocks, true)
  view.setUint32(24, header.tailCrc, true)
  const floats = [header.firstSeal, header.lastSeal, header.fromSeq, header.coveredSeq, header.entries, header.minSeq, header.maxSeq]
  for (const [i, value] of floats.entries()) view.setFloat64(32 + i * 8, value, true)
  view.setUint32(CRC_AT, crc32(bytes.subarray(0, CRC_AT)), true)
  return bytes
}

/** The header, or null when the bytes are not a whole header of this format and version. */
export function decodeRunHeader(bytes: Uint8Array): RunHeader | null {
  if (bytes.length !== PAGE_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_BYTES)
  if (view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(0, CRC_AT))) return null
  if (view.getUint32(0, true) !== MAGIC[0] || view.getUint32(4, true) !== MAGIC[1]) return null
  if (view.getUint32(8, true) !== FORMAT_VERSION) return null
  const float = (i: number): number => view.getFloat64(32 + i * 8, true)
  return {
    level: view.getUint32(12, true),
    pages: view.getUint32(16, true),
    filterBlocks: view.getUint32(20, true),
    tailCrc: view.getUint32(24, true),
    firstSeal: float(0),
    lastSeal: float(1),
    fromSeq: float(2),
    coveredSeq: float(3),
    entries: float(4),
    minSeq: float(5),
    maxSeq: float(6),
  }
}
