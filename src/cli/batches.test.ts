import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitBody } from '../event/split.ts'
import { bodyOf, halvesOf, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, NDJSON, Packer, type Batch } from './batches.ts'
import { recordsOf, type InputRecord } from './input.ts'

const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }))
/** What splitting a body can give: no blank at either end, and at least one byte. */
const record = fc.oneof(
  object.map((value) => JSON.stringify(value)),
  object.map((value) => JSON.stringify(value, null, 2)),
  object.map((value) =>
    JSON.stringify({ ...value, a: 1 }, null, 2)
      .slice(0, -1)
      .trimEnd(),
  ),
  fc.constantFrom('nope', '{"a":', '"}{"', '[1,2', '{\n  "a": tru\n}', '{\r\n"a":1\r\n}'),
)

test('the service finds in the bodies exactly the records that went in, in their order', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), (texts) => {
      const arrived = packed(texts.map(toRecord)).flatMap((batch) => {
        const body = bodyOf(batch)
        return splitBody(body.bytes, body.type === NDJSON ? 'ndjson' : 'auto').map((bytes) => Buffer.from(bytes).toString())
      })
      assert.deepEqual(arrived, texts)
    }),
    { numRuns: 1000 },
  )
})

test('no batch holds more records or bytes than allowed, but for a record that is larger by itself', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(10), fc.integer({ min: 1, max: MAX_BATCH_BYTES + 10 })), { maxLength: 40 }), (sizes) => {
      for (const batch of packed(sizes.map((size, index) => ({ source: 'x', index, bytes: new Uint8Array(size).fill(0x61) })))) {
        assert.ok(bodyOf(batch).bytes.length <= MAX_BATCH_BYTES + 1 || batch.records.length === 1)
      }
    }),
    { numRuns: 30 },
  )
  const many = packed(Array.from({ length: 2500 }, (_, index) => toRecord('{}', index)))
  assert.deepEqual(
    many.map((batch) => batch.records.length),
    [MAX_BATCH_RECORDS, MAX_BATCH_RECORDS, 500],
  )
})

test('halves of a batch are the batch; one record cannot be halved', () => {
  const [batch] = packed(['{}', '{}', '{}'].map(toRecord))
  const halves = halvesOf(batch ?? assert.fail())
  assert.deepEqual(
    halves?.flatMap((half) => half.records),
    batch?.records,
  )
  assert.equal(halvesOf(halves?.[0] ?? assert.fail()), null)
})

test('a source is cut into the same records however its bytes arrive', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(object, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('lines', 'array', 'pretty'),
      fc.integer({ min: 1, max: 40 }),
      async (values, form, step) => {
        const text =
          form === 'lines'
            ? values.map((value) => JSON.stringify(value)).join('\n')
            : form === 'array'
              ? JSON.stringify(values, null, 1)
              : JSON.stringify(values[0], null, 2)
        const bytes = Buffer.from(text)
        const chunks = Array.from({ length: Math.ceil(bytes.length / step) }, (_, index) =>
          bytes.subarray(index * step, (index + 1) * step),
        )
        const found: InputRecord[] = []
        for await (const group of recordsOf({
          name: 'x.json',
          open: () =>
            (async function* () {
              yield* chunks
            })(),
        }))
          found.push(...group)
        assert.deepEqual(
          found.map((one) => JSON.parse(Buffer.from(one.bytes).toString()) as unknown),
          JSON.parse(JSON.stringify(form === 'pretty' ? values.slice(0, 1) : values)),
        )
        assert.deepEqual(
          found.map((one) => one.index),
          found.map((_, index) => index),
        )
      },
    ),
    { numRuns: 200 },
  )
})

function toRecord(text: string, index = 0): InputRecord {
  return { source: 'x', index, bytes: Buffer.from(text) }
}

function packed(records: readonly InputRecord[]): Batch[] {
  const packer = new Packer()
  return [...records.flatMap((one) => packer.add(one) ?? []), ...[packer.close()].flatMap((batch) => batch ?? [])]
}
