import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')

test('no file has the marks of a merge that was not finished', () => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0')
  const texts = files.filter(
    (file) => /\.(?:ts|js|md|json|yml)$/.test(file) && statSync(join(root, file), { throwIfNoEntry: false })?.isFile(),
  )
  assert.ok(texts.length > 500, `only ${texts.length} files found`)
  const marked = texts.filter((file) => /^(?:<{7}|>{7}) /m.test(readFileSync(join(root, file), 'utf8')))
  assert.deepEqual(marked, [])
})
