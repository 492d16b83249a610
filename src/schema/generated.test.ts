import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { generate } from '../../scripts/gen-validators.ts'

const GENERATED = new URL('generated/', import.meta.url)

test('what is committed is what the script makes of the schemas', () => {
  const made = generate()
  assert.equal(made.size, 38, '37 topics and their index')
  assert.deepEqual(readdirSync(GENERATED).toSorted(), [...made.keys()].toSorted())
  for (const [name, text] of made)
    assert.ok(readFileSync(new URL(name, GENERATED), 'utf8') === text, `${name} is out of date: node scripts/gen-validators.ts`)
})

test('generated code stands alone: it loads nothing, compiles nothing, and is of a bounded size', () => {
  let bytes = 0
  for (const [name, text] of generate()) {
    bytes += text.length
    if (name === 'shipped-validators.ts') continue
    assert.deepEqual(text.match(/\bimport\b.*/g), ["import type { JsonSchema } from '../json-schema.ts'"], name)
    assert.doesNotMatch(text, /\brequire\s*\(|\beval\b|\bFunction\s*\(/, name)
  }
  assert.ok(bytes < 450_000, `${bytes} bytes`)
})
