import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { frameHead } from '../log/frame.ts'
import type { LogRecord } from '../log/reader.ts'
import { someEvents } from '../testing/route-harness.ts'
import { LOG_ID, MemoryLog, framesOf } from '../testing/route-harness.ts'
import { Kept, type KeptEvent, type Keeping } from './kept.ts'
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
  const [a, b, c, d] = [1, 4, 7, 10].map((seq) => recordsIn(3, seq)) as [LogRecord[], LogRecord[], LogRecord[], LogRecord[]]
  const kept = new Kept(a[0]!.buffer.buffer.byteLength * 2, 5)
  const places = new Map<number, Keeping>()
  const keep = (records: readonly LogRecord[]): void => {
    for (const record of records) {
      const place: Keeping = { kept: null }
      places.set(record.seq, place)
      kept.keep(place, { record, event: log.event(record) })
    }
  }
  const take = (seq: number): KeptEvent | null => kept.take(places.get(seq)!)
  keep(a)
  keep(b)
  assert.equal(take(2)?.event?.id, `${LOG_ID}-00000002`)
  assert.equal(take(2), null)
  assert.equal(places.get(6)!.kept?.event, null, 'parsed events are few')
  keep(c)
  assert.deepEqual(
    [1, 3, 4, 5, 6, 7, 8, 9].map((seq) => take(seq)?.record.seq ?? null),
    [null, null, 4, 5, 6, 7, 8, 9],
  )
  keep(d)
  assert.deepEqual([take(10)?.record.seq, take(11)?.event?.id], [10, `${LOG_ID}-0000000b`], 'what was taken weighs nothing')
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
