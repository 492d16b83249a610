import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rateFactsOf, refusalWaitMs, retryAfterMs } from './rate-headers.ts'

const facts = (count: string, allowed: string, reset: string): Headers =>
  new Headers({ 'inin-ratelimit-count': count, 'inin-ratelimit-allowed': allowed, 'inin-ratelimit-reset': reset })

test('the three headers of a captured answer are read', () => {
  assert.deepEqual(rateFactsOf(facts('1', '180', '61')), { count: 1, allowed: 180, resetMs: 61_000 })
})

test('headers that make no sense count as absent', () => {
  assert.equal(rateFactsOf(new Headers()), null)
  for (const [count, allowed, reset] of [
    ['', '180', '61'],
    ['1', '0', '61'],
    ['1', '-5', '61'],
    ['1', '180', 'soon'],
    ['1e9', '180', '61'],
    ['1', '99999999999999999999', '61'],
    ['NaN', 'Infinity', '1.5'],
  ] as const)
    assert.equal(rateFactsOf(facts(count, allowed, reset)), null, `${count} ${allowed} ${reset}`)
})

test('after a 429 Retry-After comes first, then the reset, then a minute', () => {
  const nowMs = Date.UTC(2026, 7, 14, 9, 30)
  assert.equal(refusalWaitMs(new Headers({ 'retry-after': '7', 'inin-ratelimit-reset': '30' }), nowMs), 7_000)
  assert.equal(refusalWaitMs(new Headers({ 'inin-ratelimit-reset': '30' }), nowMs), 31_000)
  assert.equal(refusalWaitMs(new Headers({ 'retry-after': 'whenever' }), nowMs), 60_000)
  assert.equal(retryAfterMs(new Headers({ 'retry-after': 'Fri, 14 Aug 2026 09:30:20 GMT' }), nowMs), 20_000)
  assert.equal(retryAfterMs(new Headers({ 'retry-after': 'Fri, 14 Aug 2020 09:30:20 GMT' }), nowMs), 0)
  for (const bad of ['-1', '1.5', 'x', '999999999999999']) assert.equal(retryAfterMs(new Headers({ 'retry-after': bad }), nowMs), null, bad)
})
