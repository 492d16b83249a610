import assert from 'node:assert/strict'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { FrameBuilder, KIND_EVENT, frameHead, frameRaw } from './frame.ts'
import { scanSegment, type ScanResult } from './scan.ts'
import { SEGMENT_HEADER_BYTES, encodeSegmentHeader } from './segment-file.ts'
import { damage, folder } from './_log.ts'

describe('scan', () => {
  it('finds every record of a good segment, larger than its buffer ones included', (t) => {
    const big = Buffer.alloc(9 * 1024 * 1024, 'x')
    const { path } = segment(t, [Buffer.from('a'), big, Buffer.from('c')])
    const { seqs, result, raws } = scanned(path)
    assert.deepEqual(seqs, [1, 2, 3])
    assert.ok(raws[1]?.equals(big))
    assert.deepEqual({ ...result, fileBytes: 0 }, { goodBytes: result.fileBytes, fileBytes: 0, nextSeq: 4, damage: [] })
  })

  it('cuts a torn last record at every offset, and keeps what is before it', (t) => {
    const { path, ends } = segment(
      t,
      ['one', 'two', 'three'].map((s) => Buffer.from(s)),
    )
    const [, second = 0, third = 0] = ends
    for (let size = third - 1; size > second; size--) {
      truncateSync(path, size)
      const { seqs, result } = scanned(path)
      assert.deepEqual(seqs, [1, 2], `cut at ${size}`)
      assert.deepEqual(result, { goodBytes: second, fileBytes: size, nextSeq: 3, damage: [] })
    }
  })

  it('steps over damage in the middle, wherever it is, and counts one record lost', (t) => {
    const { path, ends } = segment(
      t,
      ['one', 'two', 'three'].map((s) => Buffer.from(s)),
    )
    const [first = 0, second = 0] = ends
    const whole = readFileSync(path)
    for (let at = first; at < second; at++) {
      damage(path, at)
      const { seqs, result } = scanned(path)
      assert.deepEqual(seqs, [1, 3], `byte ${at}`)
      assert.deepEqual(result.damage, [{ offset: first, bytes: second - first, records: 1 }])
      writeFileSync(path, whole)
    }
  })

  it('does not take for its own what a failed write left behind the numbers of the next segment', (t) => {
    const { path, ends } = segment(
      t,
      ['one', 'two', 'three'].map((s) => Buffer.from(s)),
    )
    const seqs: number[] = []
    const result = scanSegment(path, 1, 3, (b, at) => seqs.push(frameHead(b, at).seq))
    assert.deepEqual(seqs, [1, 2])
    assert.equal(result.goodBytes, ends[1])
    assert.deepEqual(result.damage, [])
  })

  it('counts what is lost at the end of a segment that another follows', (t) => {
    const { path, ends } = segment(
      t,
      ['one', 'two', 'three'].map((s) => Buffer.from(s)),
    )
    damage(path, (ends[1] ?? 0) + 30)
    const result = scanSegment(path, 1, 4, () => {})
    assert.deepEqual(result.damage, [{ offset: ends[1], bytes: (ends[2] ?? 0) - (ends[1] ?? 0), records: 1 }])
  })

  it('is not led astray by record bytes that look like a frame', (t) => {
    const inner = frames([Buffer.from('inner')], 2)
    const { path } = segment(t, [inner, Buffer.from('after')])
    assert.deepEqual(scanned(path).seqs, [1, 2])
    // Even when the record round it is damaged, what is inside it is found with its number only if it fits.
    damage(path, SEGMENT_HEADER_BYTES + 20)
    const { seqs } = scanned(path)
    assert.equal(new Set(seqs).size, seqs.length)
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => a - b),
    )
  })

  it('property: with any bytes overwritten, never throws and answers only whole records in order', (t) => {
    const bodies = Array.from({ length: 12 }, (_, i) => Buffer.alloc(20 + i * 7, `${i}`))
    const { path } = segment(t, bodies)
    const whole = readFileSync(path)
    fc.assert(
      fc.property(fc.nat(whole.length - SEGMENT_HEADER_BYTES - 1), fc.uint8Array({ minLength: 1, maxLength: 300 }), (at, bytes) => {
        const bent = Buffer.from(whole)
        bent.set(bytes.subarray(0, bent.length - SEGMENT_HEADER_BYTES - at), SEGMENT_HEADER_BYTES + at)
        writeFileSync(path, bent)
        const { seqs, raws, result } = scanned(path)
        assert.deepEqual(
          seqs,
          [...new Set(seqs)].toSorted((a, b) => a - b),
        )
        for (const [i, seq] of seqs.entries()) assert.ok(raws[i]?.equals(bodies[seq - 1] ?? Buffer.alloc(0)))
        const lost = result.damage.reduce((n, d) => n + d.records, 0)
        assert.equal(seqs.length + lost, result.nextSeq - 1)
      }),
      { numRuns: 200 },
    )
  })
})

function frames(bodies: readonly Uint8Array[], firstSeq = 1): Buffer {
  const builder = new FrameBuilder()
  for (const [i, raw] of bodies.entries())
    builder.add({
      kind: KIND_EVENT,
      seq: firstSeq + i,
      receivedAtMs: 0,
      firstSeq: -1,
      key: null,
      semantic: false,
      envelopeKey: null,
      meta: '[]',
      raw,
    })
  return builder.finish()
}

/** A segment with these records; `ends` are the offsets after each. */
function segment(t: TestContext, bodies: readonly Uint8Array[]): { path: string; ends: number[] } {
  const path = join(folder(t), '0000000000000001.log')
  writeFileSync(path, Buffer.concat([encodeSegmentHeader({ firstSeq: 1, createdAtMs: 0 }), frames(bodies)]))
  const ends: number[] = []
  scanSegment(path, 1, Infinity, (b, at, offset) => ends.push(offset + frameHead(b, at).length))
  return { path, ends }
}

function scanned(path: string): { seqs: number[]; raws: Buffer[]; result: ScanResult } {
  const seqs: number[] = []
  const raws: Buffer[] = []
  const result = scanSegment(path, 1, Infinity, (b, at) => {
    seqs.push(frameHead(b, at).seq)
    raws.push(Buffer.from(frameRaw(b, at)))
  })
  return { seqs, raws, result }
}
