import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { Event } from '../event/event.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import type { Sink } from '../sinks/sink.ts'
import { eventOf, eventsOf } from './event-of.ts'

/*
 * What every sink must do. An adapter's test file calls `sinkContract` with a way to make sinks on one destination
 * and to read back, byte by byte, what arrived there.
 */

/** One destination under test; a new one for each test. */
export type SinkDestination = {
  /** A new, unopened sink on this destination, delivering what `document` makes of an event. */
  sink(document: (event: Event) => Uint8Array): Sink
  /** Every document that is at the destination now. */
  arrived(): Promise<readonly Uint8Array[]>
  /** Removes the destination. */
  cleanUp(): Promise<void>
}

const POISON = 'poison'
const encoder = new TextEncoder()
const running = (): AbortSignal => new AbortController().signal

/** Declares the tests that sinks on `newDestination` have to pass. */
export function sinkContract(name: string, newDestination: () => Promise<SinkDestination>): void {
  describe(`${name} keeps the sink contract`, () => {
    let destination: SinkDestination | null = null
    const sinks: Sink[] = []
    const start = async (): Promise<SinkDestination> => (destination = await newDestination())
    const open = async (at: SinkDestination, position: string | null = null): Promise<Sink> => {
      const sink = at.sink(documentOf)
      sinks.push(sink)
      await sink.open(position)
      return sink
    }
    afterEach(async () => {
      for (const sink of sinks.splice(0)) await sink.close()
      await destination?.cleanUp()
      destination = null
    })

    test('every document that is answered keep is there, byte by byte', async () => {
      const at = await start()
      const events = eventsOf(300)
      const outcomes = await deliverAll(await open(at), events)
      assert.deepEqual(
        typesOf(outcomes),
        events.map(() => 'keep'),
      )
      await assertArrived(at, events)
    })

    test('any text arrives unchanged', async () => {
      const at = await start()
      const texts = ['Grüße, 世界 🎧', '\u2028\u2029', '\\n\\u0000', '"', 'ﷺ'.repeat(300), '\u202eevil', ' ']
      const events = texts.map((text, index) => eventOf({ raw: encoder.encode(JSON.stringify({ text })) }, index))
      assert.deepEqual(
        typesOf(await deliverAll(await open(at), events)),
        texts.map(() => 'keep'),
      )
      await assertArrived(at, events)
    })

    test('documents of 1 MiB arrive among small ones', async () => {
      const at = await start()
      const big = encoder.encode(`{"text":"${'x'.repeat(1024 * 1024)}"}`)
      const events = Array.from({ length: 12 }, (_, index) => eventOf(index % 3 === 1 ? { raw: big } : {}, index))
      assert.deepEqual(
        typesOf(await deliverAll(await open(at), events)),
        events.map(() => 'keep'),
      )
      await assertArrived(at, events)
    })

    test('outcomes are aligned by index: one event without a document dies alone', async () => {
      const at = await start()
      const events = eventsOf(5).map((event, index) => (index === 2 ? { ...event, source: POISON } : event))
      const outcomes = await deliverAll(await open(at), events)
      assert.deepEqual(typesOf(outcomes), ['keep', 'keep', 'dead', 'keep', 'keep'])
      await assertArrived(
        at,
        events.filter((_, index) => index !== 2),
      )
    })

    test('an empty batch is answered empty', async () => {
      const sink = await open(await start())
      assert.deepEqual(await sink.deliver([], running()), [])
    })

    test('reopened at the committed position, what was committed is neither lost nor doubled', async () => {
      const at = await start()
      const events = eventsOf(60)
      const committed = events.slice(0, 20)
      const uncommitted = events.slice(20, 40)
      const first = await open(at)
      await deliverAll(first, committed)
      const position = first.position()
      await deliverAll(first, uncommitted)
      await first.close()
      const second = await open(at, position)
      if (position === null) {
        // A sink without a position cannot cut back; it must only lose nothing.
        await assertArrived(at, [...committed, ...uncommitted])
        return
      }
      await assertArrived(at, committed)
      await deliverAll(second, uncommitted)
      await deliverAll(second, events.slice(40))
      await assertArrived(at, events)
    })

    test('a sink that has a position has it from open on, and reopening there changes nothing', async () => {
      const at = await start()
      const first = await open(at)
      const position = first.position()
      await first.close()
      const second = await open(at, position)
      assert.equal(second.position(), position)
      await deliverAll(second, eventsOf(3))
      await assertArrived(at, eventsOf(3))
    })

    test('after an abort every event is answered retry, and nothing arrives', async () => {
      const at = await start()
      const sink = await open(at)
      const events = eventsOf(sink.maxBatch > 5 ? 5 : sink.maxBatch)
      const outcomes = await sink.deliver(events, AbortSignal.abort())
      assert.deepEqual(
        typesOf(outcomes),
        events.map(() => 'retry'),
      )
      await assertArrived(at, [])
    })

    test('close is idempotent, and nothing is delivered after it', async () => {
      const at = await start()
      const sink = await open(at)
      await deliverAll(sink, eventsOf(2))
      await Promise.all([sink.close(), sink.close()])
      await sink.close()
      assert.deepEqual(typesOf(await sink.deliver([eventOf({}, 9)], running())), ['retry'])
      await assertArrived(at, eventsOf(2))
    })
  })
}

/** Delivers as a route does: at most `maxBatch` events a call, at most `concurrency` calls at once. */
export async function deliverAll(sink: Sink, events: readonly Event[]): Promise<readonly Outcome[]> {
  const batches: (readonly Event[])[] = []
  for (let start = 0; start < events.length; start += sink.maxBatch) batches.push(events.slice(start, start + sink.maxBatch))
  const outcomes: (readonly Outcome[])[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < batches.length; index = next++) {
      const batch = batches[index] ?? []
      const answer = await sink.deliver(batch, running())
      assert.equal(answer.length, batch.length)
      outcomes[index] = answer
    }
  }
  await Promise.all(Array.from({ length: sink.concurrency }, worker))
  return outcomes.flat()
}

function documentOf(event: Event): Uint8Array {
  if (event.source === POISON) throw new TypeError('no document')
  return event.raw
}

function typesOf(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.map((outcome) => outcome.type)
}

/** The same documents, each as often, in any order (concurrent requests overtake each other). */
async function assertArrived(at: SinkDestination, events: readonly Event[]): Promise<void> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
  const arrived = (await at.arrived()).map(text).sort()
  const expected = events.map((event) => text(event.raw)).sort()
  assert.equal(arrived.length, expected.length, `${arrived.length} documents arrived, ${expected.length} were expected`)
  assert.ok(
    arrived.every((document, index) => document === expected[index]),
    'a document arrived altered',
  )
}
