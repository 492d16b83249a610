/** Links between pages lead somewhere, and paths of the tree that pages name exist. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT, anchorsOf, linksOf, pages, read } from './_pages.ts'

for (const page of pages()) {
  test(page, () => {
    for (const { target, anchor } of linksOf(page)) {
      assert.ok(existsSync(join(ROOT, target)), `${page} links to ${target}, which is not there`)
      if (anchor !== null) assert.ok(anchorsOf(target).has(anchor), `${page} links to ${target}#${anchor}, which has no such heading`)
    }
    for (const [, path = ''] of read(page).matchAll(/`((?:src|test|scripts|docs|bin|bench)\/[\w./-]+)`/g)) {
      assert.ok(existsSync(join(ROOT, path)), `${page} names ${path}, which is not there`)
    }
  })
}

test('every page of docs is reached from the README', () => {
  const reached = new Set(['README.md'])
  for (const page of reached) for (const { target } of linksOf(page)) if (target.endsWith('.md')) reached.add(target)
  const lost = pages().filter((page) => !reached.has(page))
  assert.deepEqual(lost, [], 'no page links to these')
})
