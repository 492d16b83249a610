import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareVersions } from './versions.ts'

test('versions are ordered as people count; what was made of the content is oldest', () => {
  const sorted = ['content-00ff00ff', 'content-ff00ff00', '9', '10', '257.1.0', '2026-02-01', '2026-02-01.2', '2026-11-20', 'a']
  assert.deepEqual(sorted.toReversed().toSorted(compareVersions), sorted)
})

test('property: it is an order', () => {
  const version = fc.oneof(fc.stringMatching(/^[\w.+-]{1,8}$/), fc.stringMatching(/^content-[0-9a-f]{2}$/))
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(Math.sign(compareVersions(a, b)), 0 - Math.sign(compareVersions(b, a)))
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) assert.ok(compareVersions(a, c) <= 0)
      assert.equal(compareVersions(a, b) === 0, a === b)
    }),
  )
})
