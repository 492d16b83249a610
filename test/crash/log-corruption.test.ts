/**
 * A disk that lies: every byte of two frames, of a segment header and of a column file flipped, files cut at every
 * length, sectors zeroed, key files damaged. The log opens, gives back every other record exactly, says how many are
 * lost, and takes repetitions of lost records as new.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Log } from '../../src/log/log.ts'
import { type Opened, type Sample, append, makeSample, openAll, openKeys, openWriter, place, writerData } from './damaged-log.ts'

const HEADER_BYTES = 64
const SECTOR_BYTES = 512

describe('a damaged log', () => {
  let sample: Sample
  let dir: string
  before(async () => {
    sample = await makeSample()
    dir = mkdtempSync(join(tmpdir(), 'trunkline-damage-'))
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  const segments = (): string[] => [...sample.files.keys()].filter((name) => /^log\/.*\.log$/.test(name)).sort()
  const framesOf = (file: string) => sample.frames.filter((frame) => frame.file === file)
  const bytesOf = (file: string): Buffer => sample.files.get(file) as Buffer

  /** Opens the log with `changed` in place of `file`, of which the bytes from `from` to `to` are not what they were. */
  async function check(
    file: string,
    changed: Buffer | null,
    from: number,
    to: number,
    options: { chunkBytes?: number; keys?: boolean } = {},
  ): Promise<Opened> {
    const where = `${file} ${from}..${to}${changed === null ? ' (gone)' : ` of ${changed.length} bytes`}`
    place(sample, dir, file, changed)
    const opened = await openAll(sample, dir, { chunkBytes: 2048, ...options })
    const lost = new Set(sample.frames.filter((f) => f.file === file && f.from < to && f.to > from).map((f) => f.seq))
    for (const frame of sample.frames)
      if (lost.has(frame.seq)) assert.ok(!opened.read.has(frame.seq), `${where}: record ${frame.seq} cannot be whole`)
      else assert.deepEqual(opened.read.get(frame.seq), frame.raw, `${where}: record ${frame.seq} is there`)
    assert.equal(opened.read.size, sample.frames.length - lost.size, where)
    // What the log still numbers and cannot give is reported, each record once.
    assert.deepEqual(
      [...opened.damaged].sort((a, b) => a - b),
      [...lost].filter((seq) => seq < opened.nextSeq).sort((a, b) => a - b),
      where,
    )
    if ([...lost].some((seq) => seq >= opened.nextSeq))
      assert.ok(opened.tornBytes > 0 || changed === null || changed.length <= from, `${where}: the torn end is noticed`)
    if (options.keys === true)
      assert.deepEqual(
        opened.known,
        sample.frames.map((f) => (lost.has(f.seq) ? -1 : f.seq)),
        `${where}: known keys`,
      )
    return opened
  }

  test('the sample has several segments and is whole', async () => {
    assert.ok(segments().length >= 3)
    assert.equal(sample.frames.length, 30)
    const [first = ''] = segments()
    const opened = await check(first, bytesOf(first), 0, 0, { keys: true })
    assert.equal(opened.damagedRecords + opened.tornBytes, 0)
  })

  test('any byte of two frames flipped costs that frame alone, in a sealed segment and in the last one', async () => {
    for (const file of [segments()[1] ?? '', segments().at(-1) ?? '']) {
      const [a, b] = framesOf(file).slice(1, 3)
      assert.ok(a !== undefined && b !== undefined)
      for (let at = a.from; at < b.to; at++) await check(file, flipped(bytesOf(file), at), at, at + 1, { keys: at % 40 === 0 })
    }
  })

  test('the same without column files: the segment is read from end to end', async () => {
    const file = segments()[1] ?? ''
    const frame = framesOf(file)[2]
    assert.ok(frame !== undefined)
    for (let at = frame.from; at < frame.to; at += 3) {
      const withoutColumns = { files: new Map([...sample.files].filter(([name]) => !name.endsWith('.idx'))), frames: sample.frames }
      place(withoutColumns, dir, file, flipped(bytesOf(file), at))
      const opened = await openAll(sample, dir, { chunkBytes: 2048 })
      assert.equal(opened.read.size, sample.frames.length - 1)
      assert.deepEqual(opened.damaged, [frame.seq])
      assert.equal(opened.damagedRecords, 1, 'recovery has counted it')
    }
  })

  test('any byte of a segment header flipped costs no record', async () => {
    for (const file of segments())
      for (let at = 0; at < HEADER_BYTES; at++) await check(file, flipped(bytesOf(file), at), at, at + 1, { keys: at % 16 === 0 })
  })

  test('a segment cut at any length keeps every record before the cut', async () => {
    const last = segments().at(-1) ?? ''
    const middle = segments()[1] ?? ''
    for (const file of [last, middle]) {
      const bytes = bytesOf(file)
      const from = framesOf(file).at(-2)?.from ?? 0
      const lengths = [0, 1, 63, 64, 65, ...Array.from({ length: bytes.length - from }, (_, i) => from + i)]
      for (const length of lengths) {
        const opened = await check(file, bytes.subarray(0, length), length, bytes.length, { keys: length % 100 === 0 })
        const whole = framesOf(file).filter((f) => f.to > length).length
        if (file === middle) assert.equal(opened.damagedRecords, whole, `cut at ${length}: the loss is counted`)
      }
    }
  })

  test('a zeroed sector costs the records it touches', async () => {
    for (const file of segments()) {
      const bytes = bytesOf(file)
      for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
        const zeroed = Buffer.from(bytes)
        zeroed.fill(0, at, Math.min(at + SECTOR_BYTES, bytes.length))
        await check(file, zeroed, at, Math.min(at + SECTOR_BYTES, bytes.length), { keys: true })
      }
    }
  })

  test('garbage behind the end is cut, also when it begins like a record', async () => {
    const file = segments().at(-1) ?? ''
    const frame = framesOf(file)[0]
    assert.ok(frame !== undefined)
    const bytes = bytesOf(file)
    const old = bytes.subarray(frame.from, frame.to)
    for (const tail of [
      Buffer.alloc(4096),
      Buffer.from('TRL1'),
      old,
      old.subarray(0, 100),
      Buffer.concat([Buffer.from('TRL1'), Buffer.alloc(3), old]),
    ]) {
      const opened = await check(file, Buffer.concat([bytes, tail]), bytes.length, bytes.length + tail.length)
      assert.equal(opened.tornBytes, tail.length)
    }
  })

  test('a damaged, cut or missing column file costs nothing', async () => {
    const file = (segments()[1] ?? '').replace('.log', '.idx')
    const bytes = bytesOf(file)
    for (let at = 0; at < bytes.length; at++) await check(file, flipped(bytes, at), 0, 0, { keys: at % 64 === 0 })
    for (let length = 0; length < bytes.length; length += 7) await check(file, bytes.subarray(0, length), 0, 0)
    await check(file, null, 0, 0, { keys: true })
  })

  test('a missing segment is counted, record by record', async () => {
    const file = segments()[1] ?? ''
    const opened = await check(file, null, 0, Infinity, { keys: true })
    assert.equal(opened.damaged.length, framesOf(file).length)
  })

  test('numbers that a route has seen are not given out again when the end of the log is lost', async () => {
    const file = segments().at(-1) ?? ''
    const bytes = bytesOf(file)
    for (const [i, frame] of framesOf(file).entries()) {
      place(sample, dir, file, bytes.subarray(0, frame.from))
      const opened = await openAll(sample, dir, { chunkBytes: 2048, minNextSeq: sample.frames.length + 1 })
      assert.equal(opened.nextSeq, sample.frames.length + 1)
      assert.equal(opened.damagedRecords, framesOf(file).length - i)
      assert.deepEqual(
        opened.damaged,
        sample.frames.filter((f) => f.seq >= frame.seq).map((f) => f.seq),
      )
    }
  })

  test('a damaged key file changes no answer', async () => {
    const runs = [...sample.files.keys()].filter((name) => name.endsWith('.run'))
    assert.ok(runs.length > 0)
    for (const file of runs) {
      const bytes = bytesOf(file)
      const dense = [...Array.from({ length: 128 }, (_, i) => i), ...Array.from({ length: Math.ceil(bytes.length / 61) }, (_, i) => i * 61)]
      for (const at of dense) await check(file, flipped(bytes, at), 0, 0, { keys: true })
      for (let length = 0; length < bytes.length; length += 509) await check(file, bytes.subarray(0, length), 0, 0, { keys: true })
    }
  })

  test('a key file found damaged while records are not yet in the log refuses them, and knows everything afterwards', () => {
    const file = [...sample.files.keys()].find((name) => name.endsWith('.run')) ?? ''
    // The first page of entries; it is read only when a key is looked for.
    place(sample, dir, file, flipped(bytesOf(file), 4096 + 5))
    const events = openWriter(dir)
    const keys = openKeys(dir, events)
    const prepared = Buffer.alloc(16, 7)
    const all = sample.frames.map((f) => f.key)
    keys.add(prepared, events.nextSeq)
    assert.throws(() => all.map((key) => keys.firstOf(key, 0)), { code: 'keys.damaged' })
    assert.throws(() => keys.firstOf(prepared, 0), { code: 'keys.damaged' }, 'never answers that a prepared record is new')
    keys.forget()
    assert.deepEqual(
      all.map((key) => keys.firstOf(key, 0)),
      sample.frames.map((f) => f.seq),
    )
    assert.equal(keys.firstOf(prepared, 0), -1)
    keys.close()
    events.close()
  })

  test('the real writer takes repetitions of lost records as new and those of others as duplicates', async (t) => {
    const file = segments()[1] ?? ''
    const frame = framesOf(file)[1]
    assert.ok(frame !== undefined)
    place(sample, dir, file, flipped(bytesOf(file), frame.from + 90))
    const log = await Log.open({ ...writerData(dir), onFatal: (error) => assert.fail(error) })
    t.after(() => log.close())
    for (const { seq } of sample.frames) await append(log, seq)
    assert.equal(log.counters.duplicates, sample.frames.length - 1)
    const { accepted, ids } = await append(log, frame.seq)
    assert.deepEqual([accepted, ids.length], [1, 1])
    assert.equal(log.counters.duplicates, sample.frames.length, 'the second repetition of the lost record repeats the first')
  })
})

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ (1 << (at % 8))
  return copy
}
