import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameReader, frameOf, partsOf } from './function-frames.ts'

test('frames come out whole and in order, however the bytes are cut', () => {
  const frame = fc.tuple(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 2_000 }))
  fc.assert(
    fc.property(fc.array(frame), fc.infiniteStream(fc.integer({ min: 1, max: 1_500 })), (sent, sizes) => {
      const all = Buffer.concat(sent.map(([text, bytes]) => frameOf(text, bytes)))
      const reader = new FrameReader(100_000)
      const got: Buffer[] = []
      for (let at = 0; at < all.length;) {
        const size = sizes.next().value ?? 1
        got.push(...(reader.push(all.subarray(at, at + size)) ?? assert.fail('none is too long')))
        at += size
      }
      assert.deepEqual(
        got.map((content) => partsOf(content)).map(({ text, bytes }) => [text, [...bytes]]),
        sent.map(([text, bytes]) => [Buffer.from(text).toString(), [...bytes]]),
      )
    }),
  )
})

test('any bytes are frames within the limit, or too long; reading them never throws', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => {
      const reader = new FrameReader(64)
      for (const chunk of chunks) {
        const frames = reader.push(chunk)
        if (frames === null) return
        for (const content of frames) {
          assert.ok(content.length <= 64)
          const { text, bytes } = partsOf(content)
          assert.ok(text.length + bytes.length <= 64)
        }
      }
    }),
  )
})

test('a frame at the limit is read, one above it is refused before its bytes are there', () => {
  const at = frameOf('', new Uint8Array(60))
  assert.equal(new FrameReader(64).push(at)?.length, 1)
  const above = frameOf('', new Uint8Array(61))
  assert.equal(new FrameReader(64).push(above.subarray(0, 4)), null)
})

test('an empty frame is one', () => {
  assert.deepEqual(new FrameReader(64).push(Buffer.alloc(8)), [Buffer.alloc(0), Buffer.alloc(0)])
  assert.deepEqual(partsOf(Buffer.alloc(0)), { text: '', bytes: Buffer.alloc(0) })
})
