import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Params } from './params.ts'

const instant = (from: unknown): number | undefined => new Params({ from }, ['from']).instant('from')

test('an instant is epoch milliseconds or an ISO time; nothing else is taken for one', () => {
  assert.equal(instant('1773957888000'), 1_773_957_888_000)
  assert.equal(instant(1_773_957_888_000), 1_773_957_888_000)
  assert.equal(instant('2026-11-20T16:00:00Z'), Date.UTC(2026, 10, 20, 16))
  assert.equal(instant('2026-11-20'), Date.UTC(2026, 10, 20))
  assert.equal(instant(undefined), undefined)
  for (const bad of ['-1', '7 days', 'now', 'March 7', '2026-13-40', '99999999999999999999', true, {}])
    assert.throws(() => instant(bad), /is no time/, String(bad))
})
