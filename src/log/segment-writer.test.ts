import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Rows } from './columns.ts'
import { FrameBuilder, KIND_QUARANTINE } from './frame.ts'
import { SEGMENT_HEADER_BYTES, columnsPath } from './segment-file.ts'
import { type Group, SegmentWriter, type SegmentWriterOptions } from './segment-writer.ts'
import { damage, folder, segmentFiles, writerOptions } from './_log.ts'

describe('segment writer', () => {
  it('goes on after a restart where it stopped, with a torn tail cut at any offset', async (t) => {
    const dir = folder(t)
    await filled(dir, [3])
    const [path = ''] = segmentFiles(dir)
    const end = statSync(path).size
    for (const cut of [1, 5, 79, 80, 100]) {
      const writer = new SegmentWriter(writerOptions(dir))
      await put(writer, 1, 4)
      writer.close()
      truncateSync(path, statSync(path).size - cut)
      const again = new SegmentWriter(writerOptions(dir))
      assert.equal(again.nextSeq, 4, `cut by ${cut}`)
      assert.ok(again.recovery.tornBytes > 0)
      assert.deepEqual(again.recovery.damage, [])
      again.close()
      assert.equal(statSync(path).size, end)
    }
  })

  it('keeps every record but the damaged ones of a segment without its columns', async (t) => {
    const dir = folder(t)
    await filled(dir, [3, 3], { segmentBytes: 1 })
    const [first = ''] = segmentFiles(dir)
    rmSync(columnsPath(first))
    damage(first, SEGMENT_HEADER_BYTES + 10)
    const writer = new SegmentWriter(writerOptions(dir))
    assert.equal(
      writer.recovery.damage.reduce((n, d) => n + d.records, 0),
      1,
    )
    assert.equal(writer.nextSeq, 7)
    assert.ok(existsSync(columnsPath(first)))
    writer.close()
  })

  it('reports the records of a segment that is gone from between two others', async (t) => {
    const dir = folder(t)
    await filled(dir, [3, 4, 2], { segmentBytes: 1 })
    const [first = '', middle = ''] = segmentFiles(dir)
    rmSync(middle)
    rmSync(columnsPath(middle))
    const writer = new SegmentWriter(writerOptions(dir))
    assert.deepEqual(
      writer.recovery.damage.map(({ path, records }) => ({ path, records })),
      [{ path: first, records: 4 }],
    )
    assert.equal(writer.nextSeq, 10)
    writer.close()
  })

  it('does not lose a segment whose header is damaged: the records are still there', async (t) => {
    const dir = folder(t)
    await filled(dir, [3, 3], { segmentBytes: 1 })
    for (const path of segmentFiles(dir)) damage(path, 9)
    const writer = new SegmentWriter(writerOptions(dir))
    assert.equal(writer.nextSeq, 7)
    assert.equal(writer.sealed.reduce((n, s) => n + s.count, 0) + (writer.active?.count ?? 0), 6)
    assert.ok(writer.recovery.damage.length > 0, 'the damage is reported')
    writer.close()
    assert.deepEqual(new SegmentWriter(writerOptions(dir)).recovery.damage, [], 'and mended')
  })

  it('removes a segment that was never finished being created', async (t) => {
    const dir = folder(t)
    await filled(dir, [2])
    writeFileSync(join(dir, '0000000000000003.log'), Buffer.alloc(10))
    const writer = new SegmentWriter(writerOptions(dir))
    assert.equal(writer.nextSeq, 3)
    await put(writer, 2)
    writer.close()
    assert.equal(new SegmentWriter(writerOptions(dir)).nextSeq, 5)
  })

  it('after a failed write leaves nothing, and numbers on from the last committed record, also after a restart', async (t) => {
    const dir = folder(t)
    const writer = new SegmentWriter(writerOptions(dir))
    await put(writer, 3)
    const [path = ''] = segmentFiles(dir)
    const good = statSync(path).size
    // Written and perhaps on disk, but never committed: as after a failed sync.
    await writer.write([groupOf(4, 2)])
    writer.abandon()
    assert.equal(statSync(path).size, good)
    assert.equal(writer.nextSeq, 4)
    await put(writer, 2)
    assert.equal(segmentFiles(dir).length, 2)
    writer.close()
    const again = new SegmentWriter(writerOptions(dir))
    assert.equal(again.nextSeq, 6)
    assert.deepEqual(again.recovery, { segments: 2, tornBytes: 0, damage: [] })
    again.close()
  })

  it('knows frames a failed write left behind by the numbers of the next segment', async (t) => {
    const dir = folder(t)
    await filled(dir, [3])
    const [first = ''] = segmentFiles(dir)
    const leftover = groupOf(4, 2)
    writeFileSync(first, leftover.frames, { flag: 'a' })
    rmSync(columnsPath(first))
    const other = folder(t)
    await filled(other, [3], {}, 4)
    const [next = ''] = segmentFiles(other)
    execFileSync('cp', [next, dir])
    const writer = new SegmentWriter(writerOptions(dir))
    assert.equal(writer.nextSeq, 7)
    assert.deepEqual(
      writer.sealed.map((s) => s.count),
      [3],
    )
    assert.deepEqual(writer.recovery.damage, [])
    writer.close()
  })

  it('deletes what is released and old or too much, oldest first, and never what is not released', async (t) => {
    const clock = { nowMs: 1_000 }
    const options = { segmentBytes: 1, maxAgeMs: 500, nowMs: () => clock.nowMs }
    const writer = new SegmentWriter(writerOptions(folder(t), options))
    for (const receivedAtMs of [1_000, 1_200, 1_400]) await put(writer, 2, undefined, receivedAtMs)
    clock.nowMs = 1_600
    assert.deepEqual(writer.retain(), [], 'nothing is released')
    writer.release(2)
    assert.deepEqual(writer.retain(), [], 'record 2 is still wanted')
    writer.release(1_000)
    assert.deepEqual(
      writer.retain().map((s) => s.firstSeq),
      [1],
      'the second is young enough',
    )
    assert.equal(writer.firstSeq, 3)
    assert.equal(writer.goneRecords, 2)
    clock.nowMs = 9_000
    assert.deepEqual(
      writer.retain().map((s) => s.firstSeq),
      [3],
      'the one being written stays',
    )
    writer.close()
  })

  it('refuses at the byte cap what retention cannot make room for, and goes on when it may', async (t) => {
    const writer = new SegmentWriter(writerOptions(folder(t), { segmentBytes: 1, maxBytes: 1_000 }))
    await put(writer, 2)
    await put(writer, 2)
    assert.throws(() => writer.admit(900), { code: 'log.full' })
    writer.release(1_000)
    writer.admit(900 - writer.totalBytes / 2)
    assert.equal(writer.firstSeq, 3)
    writer.close()
  })

  it('lets the oldest go for the newest when it is to evict', async (t) => {
    const writer = new SegmentWriter({ ...writerOptions(folder(t), { segmentBytes: 300, maxBytes: 1_500 }), atCap: 'evict' })
    writer.release(Infinity)
    for (let i = 0; i < 20; i++) {
      writer.admit(200)
      await put(writer, 1)
    }
    assert.ok(writer.totalBytes <= 1_500)
    assert.equal(writer.goneRecords, writer.firstSeq - 1)
    assert.equal(writer.nextSeq, 21)
    writer.close()
  })

  it('keeps a reserve of disk space, and goes on by itself when there is room again', { skip: canMount() }, async (t) => {
    const dir = tmpfs(t, '4m')
    const writer = new SegmentWriter(writerOptions(join(dir, 'log'), { minFreeBytes: 1024 * 1024 }))
    await put(writer, 1)
    const ballast = join(dir, 'ballast')
    writeFileSync(ballast, Buffer.alloc(3 * 1024 * 1024))
    // The free space is asked for at most twice a second.
    const later = new SegmentWriter({ ...writerOptions(join(dir, 'log2'), { minFreeBytes: 1024 * 1024 }), nowMs: () => 1_000 })
    assert.throws(() => later.admit(100), { code: 'log.disk_full' })
    rmSync(ballast)
    later.admit(100)
    later.close()
    writer.close()
  })

  it('on a disk that is really full loses nothing committed, and goes on when there is room', { skip: canMount() }, async (t) => {
    const dir = tmpfs(t, '1m')
    const writer = new SegmentWriter(writerOptions(dir))
    await put(writer, 2)
    const big = groupOf(3, 1, 0, 2 * 1024 * 1024)
    await assert.rejects(writer.write([big]), { code: 'ENOSPC' })
    writer.abandon()
    assert.equal(writer.nextSeq, 3)
    await put(writer, 2)
    writer.close()
    const again = new SegmentWriter(writerOptions(dir))
    assert.equal(again.nextSeq, 5)
    assert.deepEqual(again.recovery.damage, [])
    again.close()
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.endsWith('.tmp')),
      [],
    )
  })
})

/** Why tests on a small disk of their own are left out, or false. */
function canMount(): string | false {
  return process.getuid?.() === 0 && process.platform === 'linux' ? false : 'mounting a small disk takes root'
}

function tmpfs(t: TestContext, size: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir])
  t.after(() => {
    execFileSync('umount', ['-l', dir])
    rmSync(dir, { recursive: true })
  })
  return dir
}

function groupOf(firstSeq: number, count: number, receivedAtMs = 0, rawBytes = 40): Group {
  const frames = new FrameBuilder()
  const rows = new Rows()
  for (let i = 0; i < count; i++)
    rows.add(
      null,
      frames.add({
        kind: KIND_QUARANTINE,
        seq: firstSeq + i,
        receivedAtMs,
        firstSeq: -1,
        key: null,
        semantic: false,
        envelopeKey: null,
        meta: '{}',
        raw: Buffer.alloc(rawBytes, 'r'),
      }),
    )
  return { frames: frames.finish(), rows, firstSeq, minReceivedAtMs: receivedAtMs, maxReceivedAtMs: receivedAtMs }
}

async function put(writer: SegmentWriter, count: number, firstSeq = writer.nextSeq, receivedAtMs = 0): Promise<void> {
  const group = groupOf(firstSeq, count, receivedAtMs)
  await writer.write([group])
  writer.commit([group])
}

/** A directory with groups of so many records, closed. */
async function filled(dir: string, counts: readonly number[], options: Partial<SegmentWriterOptions> = {}, firstSeq = 1): Promise<void> {
  const writer = new SegmentWriter({ ...writerOptions(dir), ...options })
  let seq = firstSeq
  for (const count of counts) {
    await put(writer, count, seq)
    seq += count
  }
  writer.close()
}
