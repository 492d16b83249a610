import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handClock } from '../testing/hand-clock.ts'
import { retry } from '../pipeline/outcome.ts'
import { eventOf } from '../testing/event-of.ts'
import { IN_ARRIVAL, Life, ScriptedSink, world } from '../testing/route-harness.ts'
import { reportSlowStop, warnOfLeftRoutes } from './reports.ts'

test('a stop of two seconds says what it waits for, a shorter one nothing', async () => {
  const status = { position: 1, lag: 0, retrying: 0, held: 0, breaker: 'closed', paused: false, blocked: null, counts: {}, sinkError: null }
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

test('of a route that is not configured any more everything that waits is told, also what a stage holds', async () => {
  const at = world()
  const life = new Life(at)
  const told = (routes: ReadonlyMap<string, unknown>): unknown[] => {
    const warnings: unknown[] = []
    const logger = { warn: (about: object) => void warnings.push(about) }
    warnOfLeftRoutes(life.ledger, routes, { events: at.log.reader }, logger as never)
    return warnings
  }
  const sink = new ScriptedSink({ deliver: (events) => events.map(() => retry('http.500')) })
  const route = await life.route(sink, { order: { ...IN_ARRIVAL, windowMs: 60_000 }, retry: { maxAttempts: 9, baseMs: 1e6, maxMs: 1e6 } })
  const nowMs = at.clock.nowMs()
  const event = (conversationId: string | null, i: number): Parameters<typeof at.log.append>[0][number] => ({
    ...eventOf({ conversationId, occurredAtMs: nowMs, receivedAtMs: nowMs }, i),
    conversationId,
  })
  // Three wait in the window, one for its next attempt, one has not been read.
  at.log.append([event('a', 0), event('a', 1), event('b', 2), event(null, 3)])
  route.wake()
  await at.clock.until('all of it waits', () => route.status().held === 3 && route.status().retrying === 1 && route.status().lag === 0)
  await at.clock.advance(10)
  at.log.append([event('c', 4)])
  assert.deepEqual(told(new Map([['crm', route]])), [])
  assert.deepEqual(told(new Map()), [{ code: 'route.not_configured', route: 'crm', unsettled: 5, deadLetters: 0 }])
  life.crash()
})
