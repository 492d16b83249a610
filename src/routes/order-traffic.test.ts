/**
 * The events of a simulated contact centre, up to 30 s out of order and 5 % of them twice, through two routes of one service: a window of
 * 60 s repairs all of it, one of 5 s repairs some and says of the rest that it is late. What is late an oracle finds out for itself, from
 * nothing but the order of arrival.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MAX_BYTES, decode } from '../event/decode.ts'
import type { Event } from '../event/event.ts'
import { Traffic } from '../simulator/faults.ts'
import { writerOf } from '../simulator/envelope.ts'
import { simulation } from '../simulator/model/simulation.ts'
import { byTimeAndKey, lateBy } from '../testing/order-oracle.ts'
import { IN_ARRIVAL, Life, ScriptedSink, world } from '../testing/route-harness.ts'
import type { Route } from './route.ts'

const DISORDER_MS = 30_000
const WIDE_MS = 60_000
const NARROW_MS = 5_000

/** What arrives, in order; the second receipt of an event names the first one. */
function arrivals(startAtMs: number, durationMs: number): readonly { readonly event: Event; readonly first: number | null }[] {
  const centre = simulation({ seed: '21', startAtMs, durationMs, flat: true, brisk: 3, conversationsPerHour: 900 })
  const write = writerOf('eventbridge', { seed: '21', source: centre.centre.source })
  const faults = { duplicates: 0.05, disorderMs: DISORDER_MS, drift: 0, oversize: 0, malformed: 0 }
  const traffic = new Traffic({ simulation: centre, write, faults, seed: '21', limit: null })
  const firstOf = new Map<string, number>()
  const all: { readonly event: Event; readonly first: number | null }[] = []
  for (let copy = traffic.next(); copy !== null; copy = traffic.next()) {
    const [decoded] = decode(Buffer.from(copy.record as string), { maxBytes: DEFAULT_MAX_BYTES })
    assert.ok(decoded?.ok)
    const { event } = decoded
    const seq = all.length + 1
    const key = event.key === null ? null : Buffer.from(event.key).toString('hex')
    const first = key === null ? null : (firstOf.get(key) ?? null)
    if (key !== null && first === null) firstOf.set(key, seq)
    all.push({ event: { ...event, id: `a-${seq}`, receivedAtMs: copy.atMs, duplicateOf: null, redelivered: false }, first })
  }
  return all
}

test('30 s out of order and 5 % twice: none is late in a window of 60 s, in one of 5 s those that must be, and all is in order', async (t) => {
  const at = world()
  const life = new Life(at)
  const all = arrivals(at.clock.nowMs(), 8 * 60_000)
  const sinks = { wide: new ScriptedSink({ maxBatch: 50 }), narrow: new ScriptedSink({ maxBatch: 50 }) }
  const routes = {
    wide: await life.route(sinks.wide, { name: 'wide', order: { ...IN_ARRIVAL, windowMs: WIDE_MS } }),
    narrow: await life.route(sinks.narrow, { name: 'narrow', order: { ...IN_ARRIVAL, windowMs: NARROW_MS } }),
  }
  for (const { event, first } of all) {
    await at.clock.advance(event.receivedAtMs - at.clock.nowMs())
    at.log.append([event], [first])
    for (const route of Object.values(routes)) route.wake()
  }
  const done = (route: Route): boolean => route.status().lag === 0 && route.status().held === 0 && route.status().inFlight === 0
  await at.clock.until('everything is delivered', () => Object.values(routes).every(done))
  await at.clock.advance(10)

  const distinct = all.filter(({ first }) => first === null).map(({ event }) => event)
  assert.ok(distinct.length > 2_500 && all.length - distinct.length > 100)
  const own = distinct.filter(({ conversationId }) => conversationId !== null)
  const late = lateBy(own, NARROW_MS)
  assert.ok(late.size > 100 && late.size < own.length / 2, `${late.size} of ${own.length} are late`)
  assert.equal(lateBy(own, WIDE_MS).size, 0)
  t.diagnostic(`${all.length} arrivals of ${distinct.length} events, ${own.length} of conversations, ${late.size} late by ${NARROW_MS} ms`)

  // To the same event by other ids: the log gives its own.
  const name = ({ topicName, key, raw }: Event): string =>
    `${topicName} ${key === null ? Buffer.from(raw).toString() : Buffer.from(key).toString('hex')}`
  for (const [window, { delivered }] of Object.entries(sinks)) {
    const { counts } = routes[window as keyof typeof routes].status()
    assert.deepEqual([counts['delivered'], counts['duplicate']], [distinct.length, all.length - distinct.length], window)
    assert.deepEqual(delivered.map(name).toSorted(), distinct.map(name).toSorted(), 'each event once')
    const marked = delivered.filter(({ marks }) => marks.includes('order.late'))
    const expected = window === 'wide' ? [] : own.filter((event) => late.has(event))
    assert.deepEqual(marked.map(name).toSorted(), expected.map(name).toSorted(), window)
    assert.equal(counts['noted|order.late|'] ?? 0, expected.length, window)
    for (const [conversation, mine] of Map.groupBy(delivered, (event) => event.conversationId)) {
      if (conversation === null) continue
      const kept = mine.filter((event) => !event.marks.includes('order.late'))
      assert.deepEqual(kept.map(name), kept.toSorted(byTimeAndKey).map(name), `${conversation} ${window}`)
    }
  }
  life.crash()
})
