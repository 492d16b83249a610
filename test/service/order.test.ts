/**
 * Simulated traffic with 30 s of disorder and 5 % duplicates through the whole service: what a window of 60 s lets go is in order and none of
 * it is late, and what is late in one of 5 s is what the oracle says. All comes at once, as of a centre whose clock runs fast: then it is the
 * business times that decide, and the rest waits for as long as its window is.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { DEFAULT_MAX_BYTES, decode } from '../../src/event/decode.ts'
import type { Event } from '../../src/event/event.ts'
import { byTimeAndKey, lateBy } from '../../src/testing/order-oracle.ts'
import { playedDay } from './_state.ts'
import { type Json, linesIn, running, until } from './_service.ts'

const NARROW_MS = 5_000
const WIDE_MS = 60_000

type Counts = { readonly counts: Readonly<Record<string, number>>; readonly held: number; readonly lag: number; readonly inFlight: number }

test('a wide window leaves nothing late, a narrow one marks and counts what comes too late for it', async (t) => {
  const route = (name: string, windowMs: number | null): object => ({
    from: 'earliest',
    sink: { type: 'file', dir: `data/${name}` },
    ...(windowMs === null ? {} : { order: { by: 'conversation', windowMs } }),
  })
  const service = await running(t, {
    config: { routes: { all: route('all', null), wide: route('wide', WIDE_MS), narrow: route('narrow', NARROW_MS) } } as never,
  })
  const day = playedDay({
    durationMs: 15 * 60_000,
    brisk: 3,
    conversationsPerHour: 900,
    wants: (topic) => topic.startsWith('v2.detail.events.conversation.'),
  })
  const sent = new Map<string, Event>()
  for (const body of day.requests) {
    const { json } = await service.send(body, { 'content-type': 'application/x-ndjson' }, '?ids=1')
    for (const [i, line] of body.split('\n').entries()) {
      const [decoded] = decode(Buffer.from(line), { maxBytes: DEFAULT_MAX_BYTES })
      assert.ok(decoded?.ok)
      const id = json.ids[i]!
      sent.set(id, { ...decoded.event, id, receivedAtMs: 0, duplicateOf: null, redelivered: false })
    }
  }
  const status = async (name: string): Promise<Counts> =>
    ((await service.get('/v1/stats')).routes as unknown as Readonly<Record<string, Counts>>)[name]!
  const lines = (name: string): readonly Json['trunkline'][] => linesIn(join(service.dataDir, name), name).map(({ trunkline }) => trunkline)
  for (const name of ['all', 'narrow'])
    await until(`all has its end on ${name}`, async () => {
      const { counts, held } = await status(name)
      return held === 0 && (counts['delivered'] ?? 0) === day.distinct && counts['duplicate'] === day.duplicates
    })

  const arrived = lines('all').map(({ id, receivedAtMs }): Event => ({ ...sent.get(id)!, receivedAtMs }))
  assert.equal(arrived.length, day.distinct)
  assert.ok(day.duplicates > 20)
  const late = new Set([...lateBy(arrived, NARROW_MS)].map(({ id }) => id))
  t.diagnostic(`${day.distinct} events, ${late.size} late by ${NARROW_MS} ms`)
  assert.ok(late.size > 50)

  const narrow = lines('narrow')
  const marked = narrow.filter((line) => isLate(line)).map(({ id }) => id)
  assert.deepEqual(marked.toSorted(), [...late].toSorted())
  assert.equal((await status('narrow')).counts['noted|order.late|'], late.size)
  const metrics = await (await fetch(`${service.url}/metrics`)).text()
  assert.match(metrics, new RegExp(`route="narrow",outcome="noted",reason="order.late",key=""} ${late.size}\n`))
  assertInOrder(narrow.filter((line) => !isLate(line)).map(({ id }) => sent.get(id)!))

  // Most of it has gone on already; the last minute of each conversation waits.
  const { counts, held } = await status('wide')
  assert.deepEqual([counts['noted|order.late|'], counts['duplicate']], [undefined, day.duplicates])
  assert.equal((counts['delivered'] ?? 0) + held, day.distinct)
  const wide = lines('wide')
  assert.ok(wide.length > day.distinct / 4 && !wide.some(isLate), `${wide.length} of ${day.distinct}`)
  assertInOrder(wide.map(({ id }) => sent.get(id)!))
})

const isLate = (line: Json['trunkline']): boolean => (line as unknown as { marks?: string[] }).marks?.includes('order.late') === true

function assertInOrder(events: readonly Event[]): void {
  for (const [conversation, mine] of Map.groupBy(events, ({ conversationId }) => conversationId))
    assert.deepEqual(
      mine.map(({ id }) => id),
      mine.toSorted(byTimeAndKey).map(({ id }) => id),
      String(conversation),
    )
}
