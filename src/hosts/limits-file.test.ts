import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { LimitsFile } from './limits-file.ts'

test('a file that is damaged is moved aside and said, and limits begin full; a good one is left alone', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-limits-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'limits.db')
  const take = async (file: LimitsFile): Promise<number | undefined> =>
    (await file.store.takeTokens([{ key: 'q', perSecond: 1, burst: 1, tokens: 1, ahead: false }], 1_000))[0]?.atMs.length
  const warnings: string[] = []
  const open = (): LimitsFile => new LimitsFile(path, (code) => warnings.push(code))
  const first = open()
  assert.equal(await take(first), 1)
  await first.close()
  const again = open()
  assert.equal(await take(again), 0, 'what was taken is taken')
  await again.close()
  assert.deepEqual(warnings, [])
  writeFileSync(path, 'no database at all, for more than a hundred bytes '.repeat(40))
  const anew = open()
  assert.equal(await take(anew), 1)
  await anew.close()
  assert.deepEqual(warnings, ['limit.store_damaged'])
  assert.ok(existsSync(`${path}.damaged`))
})
