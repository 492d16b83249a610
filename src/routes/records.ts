import type { LogReader, LogRecord } from '../log/reader.ts'

/** Records wanted within so many numbers of each other are read at once. */
const NEAR = 128
const ALONE_BYTES = 8 * 1024
const TOGETHER_BYTES = 256 * 1024

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
