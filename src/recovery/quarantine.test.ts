import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quarantineId } from '../log/event-id.ts'
import { FrameBuilder, KIND_QUARANTINE } from '../log/frame.ts'
import { LogReader } from '../log/reader.ts'
import { LOG_ID } from '../testing/route-harness.ts'
import { findQuarantined, listQuarantine } from './quarantine.ts'

/** A quarantine of these bytes, in memory. */
function quarantineOf(all: readonly Uint8Array[]): LogReader {
  const reader = new LogReader(LOG_ID)
  const shared = new SharedArrayBuffer(28)
  reader.update({
    sealed: [],
    active: { path: '/nowhere/0.log', firstSeq: 1, createdAtMs: 0, count: 0, bytes: 64, minReceivedAtMs: 0, maxReceivedAtMs: 0, shared },
    nextSeq: 1,
  })
  const frames = new FrameBuilder()
  for (const [i, raw] of all.entries()) {
    const meta = JSON.stringify({ code: 'decode.not_json', message: 'no', via: 'http', index: i, sizeBytes: raw.length, sha256: null })
    frames.add({
      kind: KIND_QUARANTINE,
      seq: i + 1,
      receivedAtMs: 1_000 + i,
      firstSeq: -1,
      key: null,
      semantic: false,
      envelopeKey: null,
      meta,
      raw,
    })
  }
  reader.committed(frames.finish(), 1, all.length, { count: all.length, bytes: frames.length, minReceivedAtMs: 0, maxReceivedAtMs: 0 })
  return reader
}

const bytes = (i: number): Uint8Array => Uint8Array.from([0, 255, 0xc3, 0x28, i])

test('lists newest first, in pages, each record once, with its exact bytes', async () => {
  const log = quarantineOf(Array.from({ length: 5 }, (_, i) => bytes(i)))
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page = await listQuarantine(log, LOG_ID, { limit: 2, ...(cursor === null ? {} : { cursor: Number(cursor) }) })
    seen.push(...page.records.map((r) => r.bytesBase64))
    cursor = page.cursor
  } while (cursor !== null)
  assert.deepEqual(
    seen,
    [4, 3, 2, 1, 0].map((i) => Buffer.from(bytes(i)).toString('base64')),
  )
})

test('an empty quarantine is an empty page', async () => {
  assert.deepEqual(await listQuarantine(new LogReader(LOG_ID), LOG_ID, { limit: 10 }), { records: [], cursor: null })
})

test('a list shows the head of a long record and says so; asked for by id it comes whole', async () => {
  const long = Buffer.alloc(200_000, 'x')
  const log = quarantineOf([long])
  const [listed] = (await listQuarantine(log, LOG_ID, { limit: 1 })).records
  assert.deepEqual(
    [listed?.truncated, listed?.storedBytes, Buffer.from(listed?.bytesBase64 ?? '', 'base64').length],
    [true, 200_000, 65_536],
  )
  const whole = await findQuarantined(log, LOG_ID, quarantineId(LOG_ID, 1))
  assert.equal(whole?.truncated, false)
  assert.deepEqual(Buffer.from(whole?.bytesBase64 ?? '', 'base64'), long)
})

test('an id of another log, of no record, or of no such form finds nothing', async () => {
  const log = quarantineOf([bytes(0)])
  for (const id of [quarantineId('another1', 1), quarantineId(LOG_ID, 2), `${LOG_ID}-00000001`, 'x', ''])
    assert.equal(await findQuarantined(log, LOG_ID, id), null)
})
