import { frameHead } from '../log/frame.ts'
import type { LogReader, LogRecord } from '../log/reader.ts'

/** Records wanted within so many numbers of each other are read at once. */
const NEAR = 128
const ALONE_BYTES = 8 * 1024
const TOGETHER_BYTES = 256 * 1024
/** Records are copied out of buffers of which they are less than this part. */
const MOSTLY_OTHERS = 4

/** The records of these numbers, read in order, neighbours together. Those that are not in the log (any more) are missing. */
export async function recordsOf(log: LogReader, seqs: readonly number[]): Promise<ReadonlyMap<number, LogRecord>> {
  const found = new Map<number, LogRecord>()
  const wanted = seqs.toSorted((a, b) => a - b)
  for (let at = 0; at < wanted.length;) {
    const seq = wanted[at]!
    at++
    if (seq < log.firstSeq) continue
    const next = wanted[at]
    const { records } = await log.read(seq, next !== undefined && next - seq <= NEAR ? TOGETHER_BYTES : ALONE_BYTES)
    const first = records[0]
    if (first?.seq !== seq) continue
    found.set(seq, first)
    for (const record of records) {
      if (record.seq < (wanted[at] ?? Infinity)) continue
      if (record.seq === wanted[at]) {
        found.set(record.seq, record)
        at++
      }
    }
  }
  return found
}

/** The same records in a buffer of their own, when they are a small part of those they are in: they will be held on to. */
export function compacted(records: readonly LogRecord[]): readonly LogRecord[] {
  const lengths = records.map(({ buffer, at }) => frameHead(buffer, at).length)
  const bytes = lengths.reduce((sum, length) => sum + length, 0)
  let around = 0
  for (const buffer of new Set(records.map((record) => record.buffer.buffer))) around += buffer.byteLength
  if (bytes * MOSTLY_OTHERS > around) return records
  const own = Buffer.allocUnsafeSlow(bytes)
  let end = 0
  return records.map((record, i) => {
    const at = end
    end += record.buffer.copy(own, at, record.at, record.at + lengths[i]!)
    return { ...record, buffer: own, at }
  })
}
