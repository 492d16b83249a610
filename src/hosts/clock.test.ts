import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { systemClock } from './clock.ts'
import { VERSION } from './version.ts'

test('a wait ends when its time is over, and at once when its signal aborts, before or during it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const ended: string[] = []
  const stop = new AbortController()
  const waits = [
    systemClock.wait(1000).then(() => ended.push('time')),
    systemClock.wait(1000, stop.signal).then(() => ended.push('abort')),
    systemClock.wait(1000, AbortSignal.abort()).then(() => ended.push('before')),
  ]
  await waits[2]
  stop.abort()
  await waits[1]
  assert.deepEqual(ended, ['before', 'abort'])
  t.mock.timers.tick(1000)
  await waits[0]
  assert.deepEqual(ended, ['before', 'abort', 'time'])
})

test('a wait for what is overdue ends at once, and nobody is warned', async (t) => {
  const warned: Error[] = []
  const listen = (warning: Error): number => warned.push(warning)
  process.on('warning', listen)
  t.after(() => process.off('warning', listen))
  await systemClock.wait(-8)
  assert.deepEqual(warned, [])
})

test('a wait that is over leaves no listener on its signal', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const stop = new AbortController()
  const waits = [1, 2, 3].map((ms) => systemClock.wait(ms, stop.signal))
  t.mock.timers.tick(3)
  await Promise.all(waits)
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
})

test('a wait longer than any timer does not end at once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let over = false
  void systemClock.wait(2 ** 40).then(() => (over = true))
  t.mock.timers.tick(1000)
  assert.equal(over, false)
})

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  assert.equal(VERSION, version)
})
