import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { isSelfImport, selfImport } from './self-import.ts'

test('in a clone an export is the source file, in the published package the built one', (t) => {
  const root = packageIn(t)
  const url = (path: string): string => pathToFileURL(join(root, path)).href
  assert.equal(selfImport('trunkline', url('src/config/import-file.ts')), url('src/index.ts'))
  assert.equal(selfImport('trunkline/lambda', url('src/config/import-file.ts')), url('src/lambda.ts'))
  assert.equal(selfImport('trunkline', url('dist/config/import-file.js')), url('dist/index.js'))
  assert.equal(selfImport('trunkline/lambda', url('dist/config/import-file.js')), url('dist/lambda.js'))
})

test('what the package does not export stays unknown', (t) => {
  const here = pathToFileURL(join(packageIn(t), 'src/config/import-file.ts')).href
  assert.deepEqual(
    ['trunkline/config/load', 'trunkline/package.json', 'trunkline/constructor'].map((specifier) => selfImport(specifier, here)),
    [null, null, null],
  )
})

test('only this package is meant', () => {
  assert.deepEqual(['trunkline', 'trunkline/lambda', 'trunkline-x', './trunkline'].map(isSelfImport), [true, true, false, false])
})

function packageIn(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'trunkline-self-'))
  t.after(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'src/config'), { recursive: true })
  const exports = {
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './lambda': './dist/lambda.js',
    './package.json': './package.json',
  }
  writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'trunkline', exports }))
  return root
}
