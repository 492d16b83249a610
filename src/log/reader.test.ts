import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { eventOf } from '../testing/event-of.ts'
import { frameRaw } from './frame.ts'
import { type Growth, LogReader, type ReadResult } from './reader.ts'
import { LOG_ID, damage, segmentFiles, testLog, view, type TestLog } from './_log.ts'
import { columnsPath } from './segment-file.ts'

describe('log reader', () => {
  it('reads every record once, from memory and from files, whatever the size of a read', async (t) => {
    const log = testLog(t, { segmentBytes: 5_000 })
    await fill(log, 30)
    assert.ok(log.reader.segments.length > 3)
    for (const maxBytes of [1, 2_000, 1e6]) assert.deepEqual((await all(log.reader, 1, maxBytes)).seqs, numbers(1, 30))
    assert.deepEqual((await all(log.reader, 17, 3_000)).seqs, numbers(17, 30))
    assert.deepEqual(await log.reader.read(31), { records: [], nextSeq: 31, damaged: [] })
  })

  it('goes from files over to memory where the memory begins', async (t) => {
    const log = testLog(t, { segmentBytes: 15_500 })
    await fill(log, 12)
    const reader = new LogReader(LOG_ID)
    reader.update(view(log.events))
    const before = log.events.nextSeq
    const frames = await framesOf(log, async () => {
      for (let i = 12; i < 16; i++) await log.append(eventOf({}, i).raw)
    })
    reader.update(view(log.events))
    reader.committed(frames, before, before + 3, activeOf(log))
    assert.deepEqual((await all(reader, 1, 1e6)).seqs, numbers(1, 16))
    const inMemory = await reader.read(14)
    assert.equal(inMemory.records[0]?.buffer, frames, 'not read from the file')
  })

  it('reads every record of a segment that has no columns, near its end too', async (t) => {
    const log = testLog(t, { segmentBytes: 100_000 })
    await fill(log, 200)
    const [path = ''] = segmentFiles(log.events.active?.path.replace(/\/[^/]*$/, '') ?? '')
    rmSync(columnsPath(path))
    for (const maxBytes of [1, 5_000, 1e6]) {
      const read = await all(log.reader, 50, maxBytes)
      assert.deepEqual(read.damaged, [])
      assert.deepEqual(read.seqs, numbers(50, 200))
    }
    assert.equal((await log.reader.record(60))?.seq, 60)
  })

  it('steps over exactly the damaged record, also the first and the last of a segment, with and without columns', async (t) => {
    for (const columns of [true, false]) {
      const log = testLog(t, { segmentBytes: 15_000 })
      await fill(log, 25)
      const [sealed] = log.events.sealed
      assert.ok(sealed !== undefined && sealed.count > 5)
      const last = sealed.firstSeq + sealed.count - 1
      const whole = readFileSync(sealed.path)
      if (!columns) rmSync(columnsPath(sealed.path))
      for (const seq of [1, 4, last]) {
        const record = await log.reader.record(seq)
        assert.ok(record)
        damage(sealed.path, whole.indexOf(frameRaw(record.buffer, record.at)) + 20)
        for (const maxBytes of [1, 4_000, 1e6]) {
          const read = await all(log.reader, 1, maxBytes)
          assert.deepEqual(read.damaged, [seq], `record ${seq}, columns ${columns}, reads of ${maxBytes}`)
          assert.deepEqual(
            read.seqs,
            numbers(1, 25).filter((n) => n !== seq),
          )
        }
        assert.equal(await log.reader.record(seq), null)
        writeFileSync(sealed.path, whole)
      }
    }
  })

  it('answers what is left when retention takes a segment away under it', async (t) => {
    const log = testLog(t, { segmentBytes: 5_000 })
    await fill(log, 20)
    const [gone] = log.events.sealed
    assert.ok(gone !== undefined)
    rmSync(gone.path)
    const { seqs } = await all(log.reader, 1, 1e6)
    assert.deepEqual(seqs, numbers(gone.firstSeq + gone.count, 20))
    assert.equal(await log.reader.record(1), null)
  })

  it('gives an event back as it was decoded, with its id, receipt and first receipt', async (t) => {
    const log = testLog(t)
    const event = eventOf()
    await log.append(event.raw)
    log.nowMs += 5_000
    await log.append(event.raw)
    const [first, second] = await Promise.all([1, 2].map(async (seq) => log.reader.event((await log.reader.record(seq)) ?? assert.fail())))
    assert.ok(first !== undefined && second !== undefined)
    assert.equal(first.id, `${LOG_ID}-00000001`)
    assert.equal(first.duplicateOf, null)
    assert.equal(second.duplicateOf, first.id)
    assert.equal(second.receivedAtMs, first.receivedAtMs + 5_000)
    assert.equal(first.topic, event.topic)
    assert.equal(first.conversationId, event.conversationId)
    assert.ok(Buffer.from(first.raw).equals(event.raw))
  })
})

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

async function fill(log: TestLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await log.append(eventOf({}, i).raw)
}

async function all(reader: LogReader, fromSeq: number, maxBytes: number): Promise<{ seqs: number[]; damaged: number[] }> {
  const seqs: number[] = []
  const damaged: number[] = []
  for (let at = fromSeq; ;) {
    const read: ReadResult = await reader.read(at, maxBytes)
    if (read.nextSeq === at) return { seqs, damaged }
    assert.ok(read.nextSeq > at)
    seqs.push(...read.records.map((r) => r.seq))
    damaged.push(...read.damaged)
    at = read.nextSeq
  }
}

/** The bytes that `work` adds to the segment being written. */
async function framesOf(log: TestLog, work: () => Promise<void>): Promise<Buffer> {
  const before = log.events.active?.bytes ?? 0
  const path = log.events.active?.path
  await work()
  assert.equal(log.events.active?.path, path, 'the test needs one segment')
  return readFileSync(path ?? '').subarray(before, log.events.active?.bytes)
}

function activeOf(log: TestLog): Growth {
  return log.events.active ?? assert.fail('nothing was written')
}
