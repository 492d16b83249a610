/** On a Node that is too old the command says so before it reads anything that Node could not. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../../bin/trunkline.js', import.meta.url))
const old = olderNode()

test('an older Node is refused with exit code 2', { skip: old === null ? 'this machine has no Node older than 24' : false }, () => {
  const { path = '', version = '' } = old ?? {}
  const run = spawnSync(path, [BIN, '--version'], { encoding: 'utf8' })
  assert.deepEqual({ status: run.status, stdout: run.stdout }, { status: 2, stdout: '' })
  assert.equal(run.stderr.split(' (')[0], `trunkline needs Node.js 24 or newer; this is ${version}`)
  assert.match(run.stderr, /https:\/\/nodejs\.org/)
})

test('this Node is not refused', () => {
  const run = spawnSync(process.execPath, [BIN, '--version'], { encoding: 'utf8' })
  assert.deepEqual({ status: run.status, stderr: run.stderr }, { status: 0, stderr: '' })
})

function olderNode(): { path: string; version: string } | null {
  const folders = new Set([...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin'])
  for (const folder of folders) {
    const path = join(folder, 'node')
    if (folder === '' || !existsSync(path)) continue
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.trim()
    if (Number(/^v(\d+)\./.exec(version)?.[1]) < 24) return { path, version }
  }
  return null
}
