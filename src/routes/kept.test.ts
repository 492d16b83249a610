import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { frameHead } from '../log/frame.ts'
import type { LogRecord } from '../log/reader.ts'
import { someEvents } from '../testing/route-harness.ts'
import { LOG_ID, MemoryLog, framesOf } from '../testing/route-harness.ts'
import { Kept } from './kept.ts'
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

test('what is kept is given once; above the bound the buffer that came first goes, with all its events', () => {
  const log = new MemoryLog().reader
  const [a, b, c] = [recordsIn(3, 1), recordsIn(3, 4), recordsIn(3, 7)]
  const kept = new Kept(a[0]!.buffer.buffer.byteLength * 2)
  for (const record of [...a, ...b]) kept.keep(record.seq, { record, event: log.event(record) })
  assert.equal(kept.take(2)?.event.id, `${LOG_ID}-00000002`)
  assert.equal(kept.take(2), null)
  for (const record of c) kept.keep(record.seq, { record, event: log.event(record) })
  assert.deepEqual(
    [1, 3, 4, 5, 6, 7].map((seq) => kept.take(seq)?.record.seq ?? null),
    [null, null, 4, 5, 6, 7],
  )
  for (const record of a) kept.keep(record.seq, { record, event: log.event(record) })
  assert.deepEqual(
    [8, 9, 1].map((seq) => kept.take(seq)?.record.seq ?? null),
    [8, 9, 1],
    'a buffer all of whose events were taken weighs nothing',
  )
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
