import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { bytesOf, envelope } from '../../test/fixtures/genesys/samples.ts'
import type { Event } from '../event/event.ts'
import { findQuarantined, listQuarantine } from '../recovery/quarantine.ts'
import { eventOf } from '../testing/event-of.ts'
import { LOG_ID, MAX_BODY_BYTES, TestLog, folder, segmentFiles, testLog } from './_log.ts'

const acdEnd = (id: string, at = 1): Record<string, unknown> =>
  envelope({
    id,
    topic: 'v2.detail.events.conversation.{id}.acd.end',
    topicName: 'v2.detail.events.conversation.c-1.acd.end',
    body: { eventTime: 1_774_000_000_000 + at, conversationId: 'c-1' },
  })
const lines = (...values: unknown[]): string => values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join('\n')

describe('answers', () => {
  it('name each record by its place: an id, null where quarantined, a list where a record wraps several', async (t) => {
    const log = testLog(t)
    const wrapped = { Records: [sqs(acdEnd('w-1', 11)), sqs('no event'), sqs(acdEnd('w-2', 12))] }
    const answer = await log.append(lines(acdEnd('a', 1), '{"half', wrapped, acdEnd('b', 2)), { kind: 'ndjson' })
    assert.equal(answer.status, 202)
    assert.deepEqual([answer.accepted, answer.quarantined], [4, 2])
    assert.deepEqual(answer.ids, [id(1), null, [id(2), id(3)], id(4)])
    assert.deepEqual(
      answer.errors.map((e) => [e.index, e.code]),
      [
        [1, 'decode.not_json'],
        [2, 'decode.not_json'],
      ],
    )
  })

  it('leave the ids out above 100 records unless asked', async (t) => {
    const log = testLog(t)
    const body = (from: number, count: number): string =>
      lines(...Array.from({ length: count }, (_, i) => acdEnd(`e-${from + i}`, from + i)))
    assert.equal((await log.append(body(0, 100))).ids?.length, 100)
    assert.equal((await log.append(body(100, 101))).ids, undefined)
    assert.equal((await log.append(body(300, 101), { wantIds: true })).ids?.length, 101)
  })

  it('are 400 when nothing decodes, and 413 for what was too large', async (t) => {
    const log = testLog(t)
    assert.equal((await log.append('nothing')).status, 400)
    assert.deepEqual(
      (await log.append('   ')).errors.map((e) => e.code),
      ['decode.empty'],
    )
    const large = await log.append('head', { oversize: { sizeBytes: 50_000_000, sha256: 'ab' } })
    assert.deepEqual([large.status, large.ids, large.errors[0]?.code], [413, [null], 'intake.too_large'])
  })

  it('unpack gzip, and keep what does not unpack as it came', async (t) => {
    const log = testLog(t)
    const packed = gzipSync(JSON.stringify(acdEnd('a')))
    assert.deepEqual((await log.append(packed, { gzip: true })).ids, [id(1)])
    const cut = packed.subarray(0, packed.length - 9)
    const torn = await log.append(cut, { gzip: true })
    assert.equal(torn.status, 400)
    assert.deepEqual(await quarantinedBytes(log, torn.errors[0]?.quarantineId), Buffer.from(cut))
    const bomb = await log.append(gzipSync(Buffer.alloc(MAX_BODY_BYTES * 20, ' ')), { gzip: true })
    assert.deepEqual([bomb.status, bomb.errors[0]?.code], [400, 'decode.too_large'])
  })

  it('come for each of many requests written together, each its own', async (t) => {
    const log = testLog(t)
    const answers = await Promise.all(
      log.appendAll([{ body: bytesOf(acdEnd('a', 1)) }, { body: 'garbage' }, { body: bytesOf(acdEnd('b', 2)) }]),
    )
    assert.deepEqual(
      answers.map((a) => [a.status, a.ids?.[0]]),
      [
        [202, id(1)],
        [400, null],
        [202, id(2)],
      ],
    )
    assert.equal(log.log.counters.groups, 1)
  })
})

describe('a body of garbage', () => {
  it('is kept whole but bounded: a thousand records apart, the rest together, and the answer stays small', async (t) => {
    const log = testLog(t)
    const body = Array.from({ length: 5_000 }, (_, i) => (i === 4_500 ? JSON.stringify(acdEnd('a')) : `bad ${i}`))
    const answer = await log.append(body.join('\n'), { kind: 'ndjson' })
    assert.deepEqual([answer.status, answer.accepted, answer.quarantined, answer.errors.length], [202, 1, 4_999, 1_001])
    const last = answer.errors.at(-1)
    assert.deepEqual([last?.index, last?.code], [1_000, 'decode.more_failures'])
    const rest = body.slice(1_000).filter((line) => line.startsWith('bad'))
    assert.equal((await quarantinedBytes(log, last?.quarantineId)).toString(), rest.join('\n'))
    assert.deepEqual([log.log.counters.quarantined, log.quarantine.nextSeq], [4_999, 1_002])
  })

  it('cannot unpack to much more than a body may have', async (t) => {
    const log = testLog(t)
    const event = JSON.stringify({ ...acdEnd('a'), pad: 'x'.repeat(2_000) })
    const packed = gzipSync(Array.from({ length: 400 }, () => event).join('\n')).toString('base64')
    const answer = await log.append(Array.from({ length: 20 }, () => packed).join('\n'), { kind: 'ndjson' })
    assert.ok(answer.accepted * 2_000 <= MAX_BODY_BYTES * 6, `${answer.accepted} events`)
    assert.ok(answer.accepted >= 400)
    assert.ok(answer.errors.every((e) => e.code === 'decode.too_large'))
  })
})

describe('identity', () => {
  it('calls a repetition a duplicate of the first, also inside one group, and under another envelope id', async (t) => {
    const log = testLog(t)
    await log.append(lines(acdEnd('a'), acdEnd('a'), acdEnd('other')))
    await log.append(bytesOf(acdEnd('a')))
    const events = await all(log)
    assert.deepEqual(
      events.map((e) => e.duplicateOf),
      [null, id(1), id(1), id(1)],
    )
    assert.deepEqual(log.log.counters, { ...log.log.counters, accepted: 4, duplicates: 3, idsReused: 0, quarantined: 0 })
  })

  it('marks an envelope id that comes again with other content, and delivers it', async (t) => {
    const log = testLog(t)
    await log.append(lines(acdEnd('a', 1), acdEnd('a', 2)))
    await log.append(bytesOf(acdEnd('a', 3)))
    const events = await all(log)
    assert.deepEqual(
      events.map((e) => [e.duplicateOf, e.marks]),
      [
        [null, []],
        [null, ['id.reused']],
        [null, ['id.reused']],
      ],
    )
    assert.equal(log.log.counters.idsReused, 2)
  })

  it('knows a repetition within the window only, counted from the newest first receipt', async (t) => {
    const log = testLog(t, { windowMs: 1_000 })
    const send = async (afterMs: number): Promise<void> => {
      log.nowMs += afterMs
      await log.append(bytesOf(acdEnd('a')))
    }
    await send(0)
    await send(1_000)
    await send(1)
    await send(999)
    assert.deepEqual(
      (await all(log)).map((e) => e.duplicateOf),
      [null, id(1), null, id(3)],
    )
  })

  it('is the same after a restart, in the segment being written and in sealed ones, with and without their columns', async (t) => {
    const dir = folder(t)
    const first = testLog(t, { segmentBytes: 2_000 }, dir)
    for (let i = 0; i < 6; i++) await first.append(eventOf({}, i).raw)
    await first.close()
    for (const path of segmentFiles(join(dir, 'log'), '.idx')) rmSync(path)
    const second = testLog(t, { segmentBytes: 2_000 }, dir)
    for (const path of segmentFiles(join(dir, 'log'), '.idx')) rmSync(path)
    for (let i = 0; i < 6; i++) await second.append(eventOf({}, i).raw)
    assert.deepEqual(
      (await all(second)).slice(6).map((e) => e.duplicateOf),
      [1, 2, 3, 4, 5, 6].map(id),
    )
  })

  it('forgets what retention has taken', async (t) => {
    const log = testLog(t, { segmentBytes: 1, maxAgeMs: 10, nowMs: () => 1_774_000_000_000 + 1_000 })
    await log.append(bytesOf(acdEnd('a')))
    log.nowMs += 1_000
    await log.append(bytesOf(acdEnd('b', 2)))
    log.events.release(100)
    assert.equal(log.events.retain().length, 1)
    log.keys.dropBefore(log.events.firstSeq)
    await log.append(bytesOf(acdEnd('a')))
    log.refresh()
    assert.deepEqual(
      (await all(log)).map((e) => e.duplicateOf),
      [null, null],
    )
  })

  it('property: the verdicts are those of a list kept by hand, however records are grouped', async (t) => {
    const record = fc.record({ event: fc.nat(4), envelopeId: fc.nat(3) })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(record, { minLength: 1, maxLength: 4 }), { maxLength: 5 }), async (groups) => {
        const log = new TestLog(folder(t))
        const firsts = new Map<number, string>()
        const ids = new Set<number>()
        const expected: unknown[] = []
        let seq = 0
        for (const group of groups) {
          for (const { event, envelopeId } of group) {
            const first = firsts.get(event) ?? null
            expected.push([first, first === null && ids.has(envelopeId) ? ['id.reused'] : []])
            ids.add(envelopeId)
            if (first === null) firsts.set(event, id(seq + 1))
            seq++
          }
          await log.append(lines(...group.map((r) => acdEnd(`id-${r.envelopeId}`, r.event))), { kind: 'ndjson' })
        }
        assert.deepEqual(
          (await all(log)).map((e) => [e.duplicateOf, e.marks]),
          expected,
        )
        await log.close()
      }),
      { numRuns: 25 },
    )
  })
})

describe('a group that cannot be made durable', () => {
  it('leaves no trace: the same records are first receipts when they come again, and nothing was counted', async (t) => {
    const log = testLog(t)
    await log.append(bytesOf(acdEnd('before', 1)))
    failOnce(log)
    await assert.rejects(log.append(lines(acdEnd('a', 2), acdEnd('a', 2), 'garbage', acdEnd('before', 1))), { code: 'EIO' })
    assert.deepEqual(log.log.counters, { ...log.log.counters, accepted: 1, duplicates: 0, quarantined: 0, idsReused: 0 })
    const again = await log.append(lines(acdEnd('a', 2), acdEnd('a', 2), 'garbage'), { kind: 'ndjson' })
    assert.deepEqual(again.ids, [id(2), id(3), null])
    assert.deepEqual(
      (await all(log)).map((e) => e.duplicateOf),
      [null, null, id(2)],
    )
    assert.equal((await listQuarantine(log.quarantined, LOG_ID, { limit: 10 })).records.length, 1)
  })

  it('takes with it what was prepared behind it, which may lean on it', async (t) => {
    const log = testLog(t)
    failOnce(log)
    const first = log.append(bytesOf(acdEnd('a')))
    // In the next turn: the first group is being written, this one is prepared behind it as its duplicate.
    const second = new Promise((resolve) => setImmediate(() => setImmediate(() => resolve(null)))).then(() =>
      log.append(bytesOf(acdEnd('a'))),
    )
    const ends = await Promise.allSettled([first, second])
    assert.equal(ends[0].status, 'rejected')
    const third = await log.append(bytesOf(acdEnd('a')))
    const events = await all(log)
    assert.equal(events[0]?.duplicateOf, null, 'no acknowledged record is the duplicate of a lost one')
    assert.equal(third.status, 202)
  })

  it('does so again after a restart', async (t) => {
    const dir = folder(t)
    const log = testLog(t, {}, dir)
    await log.append(bytesOf(acdEnd('before', 1)))
    failOnce(log)
    await assert.rejects(log.append(bytesOf(acdEnd('a', 2))))
    await log.close()
    const next = testLog(t, {}, dir)
    assert.deepEqual((await next.append(bytesOf(acdEnd('a', 2)))).ids, [id(2)])
    assert.equal((await all(next)).at(-1)?.duplicateOf, null)
  })
})

describe('quarantine', () => {
  it('keeps bytes exactly as they came, newest first, in pages without gaps or doubles', async (t) => {
    const log = testLog(t)
    const bodies = [
      Buffer.from([0xff, 0xfe, 0x80]),
      Buffer.from('{"a":'),
      Buffer.alloc(200_000, 'x'),
      Buffer.from('7'),
      Buffer.from('"\\ud800"'),
    ]
    for (const body of bodies) await log.append(body)
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await listQuarantine(log.quarantined, LOG_ID, { limit: 2, ...(cursor === null ? {} : { cursor: Number(cursor) }) })
      seen.push(...page.records.map((r) => r.id))
      cursor = page.cursor
    } while (cursor !== null)
    assert.equal(new Set(seen).size, bodies.length)
    for (const [i, one] of seen.toReversed().entries()) assert.deepEqual(await quarantinedBytes(log, one), bodies[i])
  })

  it('lets the oldest go at its cap, and counts them', async (t) => {
    const log = testLog(t, { quarantineBytes: 20_000, quarantineSegmentBytes: 2_500 })
    for (let i = 0; i < 60; i++) await log.append(`${i} `.padEnd(1_000, 'x'))
    assert.ok(log.quarantine.totalBytes <= 20_000)
    const { records } = await listQuarantine(log.quarantined, LOG_ID, { limit: 100 })
    assert.equal(records.length + log.quarantine.goneRecords, 60)
    assert.match(Buffer.from(records[0]?.bytesBase64 ?? '', 'base64').toString(), /^59 /)
  })
})

const id = (seq: number): string => `${LOG_ID}-${seq.toString(36).padStart(8, '0')}`
const sqs = (body: unknown): object => ({
  messageId: 'm',
  eventSource: 'aws:sqs',
  receiptHandle: 'r',
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

async function all(log: TestLog): Promise<Event[]> {
  const events: Event[] = []
  for (let seq = log.reader.firstSeq; seq < log.reader.nextSeq; seq++) {
    const record = await log.reader.record(seq)
    if (record !== null) events.push(log.reader.event(record))
  }
  return events
}

async function quarantinedBytes(log: TestLog, id: string | undefined): Promise<Buffer> {
  const record = await findQuarantined(log.quarantined, LOG_ID, id ?? '')
  return Buffer.from(record?.bytesBase64 ?? assert.fail('not in quarantine'), 'base64')
}

/** The next group is written, but its sync fails: nobody knows what the disk holds. */
function failOnce(log: TestLog): void {
  const { events } = log
  const write = events.write.bind(events)
  events.write = async (groups) => {
    events.write = write
    await write(groups)
    throw Object.assign(new Error('the disk failed'), { code: 'EIO' })
  }
}
