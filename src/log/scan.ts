/**
 * Reads a segment from end to end: every good frame, every damaged stretch, and where the good data ends. Damage in
 * the middle is skipped to the next good frame; damage with nothing good behind it is the tail.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { FRAME_MAGIC, checkFrame, frameHead } from './frame.ts'
import { SEGMENT_HEADER_BYTES } from './segment-file.ts'

export type Damage = {
  readonly offset: number
  readonly bytes: number
  /** Records lost with it, known from the numbers of the good records round it. */
  readonly records: number
}

export type ScanResult = {
  /** End of the last good frame: what follows is torn. */
  readonly goodBytes: number
  readonly fileBytes: number
  readonly nextSeq: number
  readonly damage: readonly Damage[]
}

const CHUNK_BYTES = 4 * 1024 * 1024
/** No segment has more: bytes in a torn record that happen to look like a frame must not stretch the numbering. */
const MAX_SEGMENT_RECORDS = 2_000_000

/**
 * Calls `onFrame(buffer, offsetInBuffer, offsetInFile)` for each good frame, in order. The buffer is reused: copy what
 * you keep. Frames numbered `endSeq` or above are not this segment's.
 */
export function scanSegment(
  path: string,
  firstSeq: number,
  endSeq: number,
  onFrame: (buffer: Buffer, at: number, fileOffset: number) => void,
): ScanResult {
  const fd = openSync(path, 'r')
  try {
    const fileBytes = fstatSync(fd).size
    const damage: Damage[] = []
    let buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(fileBytes, 1)))
    let base = SEGMENT_HEADER_BYTES
    let filled = readFull(fd, buffer, 0, base)
    let at = 0
    let good = SEGMENT_HEADER_BYTES
    let expected = firstSeq
    let badFrom = -1
    const limit = Math.min(endSeq, firstSeq + MAX_SEGMENT_RECORDS)
    for (;;) {
      const view = buffer.subarray(0, filled)
      const length = at < filled ? checkFrame(view, at) : 0
      if (length > 0) {
        const head = frameHead(view, at)
        if (head.seq >= expected && head.seq < limit && Number.isSafeInteger(head.seq)) {
          if (badFrom >= 0 || head.seq > expected) {
            const from = badFrom >= 0 ? badFrom : base + at
            damage.push({ offset: from, bytes: base + at - from, records: head.seq - expected })
            badFrom = -1
          }
          onFrame(view, at, base + at)
          expected = head.seq + 1
          at += length
          good = base + at
          continue
        }
      }
      if (length === 0 && base + filled < fileBytes) {
        // More bytes are on disk: move the rest to the front and read on, growing for a frame larger than the buffer.
        const rest = filled - at
        if (at === 0 && rest === buffer.length) {
          const grown = Buffer.allocUnsafe(buffer.length * 2)
          buffer.copy(grown, 0, 0, rest)
          buffer = grown
        } else buffer.copyWithin(0, at, filled)
        base += at
        at = 0
        filled = rest + readFull(fd, buffer, rest, base + rest)
        continue
      }
      // A frame that claims more bytes than the file has, or no frame at all: look for the next good one.
      if (at >= filled) break
      if (badFrom < 0) badFrom = base + at
      at = nextMagic(view, at + 1)
    }
    // A later segment says how many records this one had: what its end lacks is lost, not torn.
    if (endSeq !== Infinity && expected < endSeq) damage.push({ offset: good, bytes: fileBytes - good, records: endSeq - expected })
    return { goodBytes: good, fileBytes, nextSeq: expected, damage }
  } finally {
    closeSync(fd)
  }
}

const MAGIC_BYTES: Buffer = Buffer.alloc(4)
MAGIC_BYTES.writeUInt32LE(FRAME_MAGIC)

function nextMagic(b: Buffer, from: number): number {
  const found = b.indexOf(MAGIC_BYTES, from)
  // The magic may straddle the end of what was read: keep the last three bytes in play.
  return found >= 0 ? found : Math.max(from, b.length - 3)
}

function readFull(fd: number, buffer: Buffer, at: number, position: number): number {
  let total = 0
  while (at + total < buffer.length) {
    const n = readSync(fd, buffer, at + total, buffer.length - at - total, position + total)
    if (n === 0) break
    total += n
  }
  return total
}
