/** A source file that does not fit in one head is two files. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))
const MAX_LINES = 400

test(`no file of src is longer than ${MAX_LINES} lines`, () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  assert.ok(files.length > 50, 'the sources were found')
  const sizes = files.map((file) => ({ file, lines: readFileSync(join(SRC, file), 'utf8').trimEnd().split('\n').length }))
  assert.deepEqual(
    sizes.filter(({ lines }) => lines > MAX_LINES),
    [],
  )
})
