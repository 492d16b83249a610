import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handClock } from '../testing/hand-clock.ts'
import { reportSlowStop } from './reports.ts'

test('a stop of two seconds says what it waits for, a shorter one nothing', async () => {
  const status = { position: 1, lag: 0, retrying: 0, held: 0, breaker: 'closed', paused: false, counts: {}, sinkError: null }
  const latency = { events: 0, p50Ms: null, p99Ms: null, maxMs: 0 }
  const route = (inFlight: number) => ({ status: () => ({ ...status, latency, inFlight }) })
  const routes = new Map([
    ['crm', route(1)],
    ['out', route(0)],
  ])
  const said: string[] = []
  const logger = { info: (about: object, text?: string) => said.push(`${JSON.stringify(about)} ${text}`) }
  for (const [endsAfterMs, lines] of [
    [1_999, 0],
    [2_000, 1],
  ] as const) {
    const clock = handClock()
    const over = new AbortController()
    const reported = reportSlowStop({ routes, logger, clock, signal: over.signal })
    clock.pass(endsAfterMs)
    if (endsAfterMs < 2_000) over.abort()
    await reported
    assert.equal(said.length, lines)
  }
  assert.match(said.join(), /"routes":\["crm"\].*still stopping: waits for deliveries under way of crm;/)
})
