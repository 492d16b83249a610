import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { eventOf } from '../testing/event-of.ts'
import { fsck } from './fsck.ts'
import { SEGMENT_HEADER_BYTES } from './segment-file.ts'
import { TestLog, damage, folder, segmentFiles } from './_log.ts'

describe('fsck', () => {
  it('finds nothing wrong with a log that was closed, and changes nothing', async (t) => {
    const dir = await filled(t)
    const before = snapshot(dir)
    const report = fsck(dir, { repair: true })
    assert.deepEqual([report.ok, report.records, report.damagedRecords, report.tornBytes, report.repaired], [true, 13, 0, 0, false])
    assert.deepEqual(snapshot(dir), before)
  })

  it('names a damaged record and changes nothing unless asked', async (t) => {
    const dir = await filled(t)
    const [, second = ''] = segmentFiles(join(dir, 'log'))
    damage(second, SEGMENT_HEADER_BYTES + 90)
    const before = snapshot(dir)
    const report = fsck(dir, { repair: false })
    assert.deepEqual([report.ok, report.records, report.damagedRecords], [false, 12, 1])
    assert.deepEqual(
      report.segments.filter((s) => s.damage.length > 0).map((s) => s.path),
      [second],
    )
    assert.deepEqual(snapshot(dir), before)
  })

  it('cuts a torn tail when asked, keeps the bytes, and is content afterwards', async (t) => {
    const dir = await filled(t)
    const last = segmentFiles(join(dir, 'log')).at(-1) ?? ''
    appendFileSync(last, 'TRL1 torn')
    const report = fsck(dir, { repair: true })
    assert.deepEqual([report.ok, report.tornBytes, report.repaired, report.records], [false, 9, true, 13])
    const [kept = ''] = readdirSync(join(dir, 'log', 'damaged'))
    assert.equal(readFileSync(join(dir, 'log', 'damaged', kept), 'utf8'), 'TRL1 torn')
    assert.equal(fsck(dir, { repair: false }).ok, true)
  })

  it('makes damaged columns anew when asked', async (t) => {
    const dir = await filled(t)
    const [first = ''] = segmentFiles(join(dir, 'log'), '.idx')
    const good = readFileSync(first)
    damage(first, 100)
    assert.deepEqual(fsck(dir, { repair: true }).segments.filter((s) => s.columns === 'damaged').length, 1)
    assert.ok(readFileSync(first).equals(good))
    assert.equal(fsck(dir, { repair: false }).ok, true)
  })

  it('reports a segment it cannot read at all, and goes on with the others', async (t) => {
    const dir = await filled(t)
    const [first = ''] = segmentFiles(join(dir, 'log'))
    writeFileSync(first, 'x'.repeat(500))
    const report = fsck(dir, { repair: false })
    assert.equal(report.ok, false)
    assert.deepEqual(
      report.segments.filter((s) => !s.readable).map((s) => s.path),
      [first],
    )
  })
})

/** A data directory with ten events in several segments and three quarantined records. */
async function filled(t: TestContext): Promise<string> {
  const dir = folder(t)
  const log = new TestLog(dir, { segmentBytes: 5_000 })
  for (let i = 0; i < 10; i++) await log.append(eventOf({}, i).raw)
  for (let i = 0; i < 3; i++) await log.append(`garbage ${i}`)
  await log.close()
  return dir
}

const snapshot = (dir: string): object =>
  Object.fromEntries(
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()
      .map((path) => [path, readFileSync(path, 'base64')]),
  )
