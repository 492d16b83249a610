import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker } from './breaker.ts'

/** A breaker that has just opened at 0. */
function opened(): Breaker {
  const breaker = new Breaker()
  for (let i = 0; i < 10; i++) breaker.failed(0)
  return breaker
}

test('opens at the tenth failure in a row, not before, and a success between begins again', () => {
  const breaker = new Breaker()
  for (let i = 0; i < 9; i++) breaker.failed(0)
  assert.equal(breaker.state(0), 'closed')
  breaker.succeeded()
  for (let i = 0; i < 9; i++) breaker.failed(0)
  assert.equal(breaker.readyAtMs(0), 0)
  breaker.failed(0)
  assert.equal(breaker.state(0), 'open')
  assert.equal(breaker.readyAtMs(0), 1_000)
})

test('after its wait one attempt goes out, and none beside it', () => {
  const breaker = opened()
  assert.equal(breaker.readyAtMs(999), 1_000)
  assert.equal(breaker.readyAtMs(1_000), 0)
  breaker.attempt()
  assert.equal(breaker.state(1_000), 'probing')
  assert.equal(breaker.readyAtMs(1_000), Infinity)
})

test('each failed probe doubles the wait, up to half a minute', () => {
  const breaker = opened()
  let atMs = 0
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    waits.push(breaker.readyAtMs(atMs) - atMs)
    atMs = breaker.readyAtMs(atMs)
    breaker.attempt()
    breaker.failed(atMs)
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
})

test('a successful probe closes it, and it takes ten failures again', () => {
  const breaker = opened()
  breaker.attempt()
  breaker.succeeded()
  assert.equal(breaker.state(1_000), 'closed')
  breaker.failed(1_000)
  assert.equal(breaker.state(1_000), 'closed')
})

test('what was under way when it opened does not make the wait longer', () => {
  const breaker = opened()
  breaker.failed(500)
  assert.equal(breaker.readyAtMs(500), 1_000)
})

test('an attempt that says nothing about the sink lets another one go', () => {
  const breaker = opened()
  breaker.attempt()
  breaker.abandoned()
  assert.equal(breaker.readyAtMs(1_000), 0)
})
