import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { frameHead } from '../log/frame.ts'
import type { LogRecord } from '../log/reader.ts'
import { someEvents } from '../testing/route-harness.ts'
import { MemoryLog, framesOf } from '../testing/route-harness.ts'
import { Kept, type Keeping } from './kept.ts'
import { compacted, recordsOf } from './records.ts'

/** Records of events numbered from `firstSeq`, all in one buffer. */
function recordsIn(count: number, firstSeq: number): LogRecord[] {
  const buffer = framesOf(someEvents(count, {}, firstSeq), firstSeq)
  const records: LogRecord[] = []
  for (let at = 0; records.length < count; at += frameHead(buffer, at).length) {
    const { seq, receivedAtMs, firstSeq: first } = frameHead(buffer, at)
    records.push({ seq, receivedAtMs, firstSeq: first, buffer, at })
  }
  return records
}

test('what is kept is given once; above the bound the buffer that came first goes, with all its records', () => {
  const [a, b, c] = [1, 4, 7].map((seq) => recordsIn(3, seq).map((record): Keeping => ({ record })))
  const kept = new Kept(a![0]!.record!.buffer.buffer.byteLength * 2)
  for (const one of [...a!, ...b!]) kept.keep(one)
  assert.equal(kept.take(a![1]!)?.seq, 2)
  assert.equal(kept.take(a![1]!), null)
  for (const one of c!) kept.keep(one)
  assert.deepEqual(
    [a![0]!, a![2]!, ...b!, ...c!].map((one) => kept.take(one)?.seq ?? null),
    [null, null, 4, 5, 6, 7, 8, 9],
  )
  const more = recordsIn(3, 10).map((record): Keeping => ({ record }))
  for (const one of more) kept.keep(one)
  assert.equal(kept.take(more[0]!)?.seq, 10, 'a buffer all of whose records were taken weighs nothing')
})

test('few records out of a large buffer get one of their own, with the same bytes; most of one stay', () => {
  const records = recordsIn(40, 1)
  assert.equal(compacted(records), records)
  const few = compacted([records[3]!, records[17]!])
  assert.deepEqual(
    few.map(({ seq }) => seq),
    [4, 18],
  )
  assert.ok(few[0]!.buffer.buffer.byteLength < records[0]!.buffer.buffer.byteLength / 4)
  const log = new MemoryLog().reader
  for (const [i, record] of few.entries()) assert.deepEqual(log.event(record), log.event(records[[3, 17][i]!]!))
  assert.deepEqual(compacted([]), [])
})

test('property: the records of any numbers are found, whatever lies between', async () => {
  const log = new MemoryLog()
  for (let group = 0; group < 10; group++) log.append(someEvents(30, {}, group * 30))
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: 320 })), async (seqs) => {
      const found = await recordsOf(log.reader, seqs)
      assert.deepEqual(
        [...found].map(([seq, record]) => [seq, record.seq]).sort(([x], [y]) => x! - y!),
        seqs
          .filter((seq) => seq <= 300)
          .sort((x, y) => x - y)
          .map((seq) => [seq, seq]),
      )
    }),
    { numRuns: 100 },
  )
})
