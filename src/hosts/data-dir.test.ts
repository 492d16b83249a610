import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { takeDataDir } from './data-dir.ts'

describe('data directory', () => {
  it('keeps its id', (t) => {
    const dir = folder(t)
    const first = takeDataDir(dir, 1)
    first.release()
    const again = takeDataDir(dir, 2)
    again.release()
    assert.equal(again.logId, first.logId)
  })

  it('is refused by code when trunkline.json is anything but what was written', (t) => {
    const dir = folder(t)
    takeDataDir(dir, 1).release()
    const file = join(dir, 'trunkline.json')
    const good = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    const versions = [0, -1.5, 1.5, '1', null].map((formatVersion) => JSON.stringify({ ...good, formatVersion }))
    for (const text of ['', 'null', '[]', '7', '"x"', '\0garbage', JSON.stringify({ ...good, logId: 'short' }), ...versions]) {
      writeFileSync(file, text)
      assert.throws(() => takeDataDir(dir, 2), { code: 'data_dir.damaged' }, text)
    }
    writeFileSync(file, JSON.stringify({ ...good, formatVersion: 2 }))
    assert.throws(() => takeDataDir(dir, 2), { code: 'log.newer_format' })
    rmSync(file)
    mkdirSync(file)
    assert.throws(() => takeDataDir(dir, 2), { code: 'data_dir.damaged' })
  })
})

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-data-dir-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
