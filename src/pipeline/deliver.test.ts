import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Event } from '../event/event.ts'
import type { Sink } from '../sinks/sink.ts'
import { eventsOf } from '../testing/event-of.ts'
import { deliverStage } from './deliver.ts'
import { KEEP, dead, type Outcome } from './outcome.ts'

const running = (): AbortSignal => new AbortController().signal

/** A sink whose calls end when the test says so. */
function handSink(maxBatch: number, concurrency: number) {
  const calls: { readonly events: readonly Event[]; answer(outcomes: readonly Outcome[]): void; fail(error: unknown): void }[] = []
  let open = 0
  let most = 0
  const sink: Sink = {
    kind: 'hand',
    maxBatch,
    concurrency,
    open: async () => {},
    deliver(events) {
      const { promise, resolve, reject } = Promise.withResolvers<readonly Outcome[]>()
      open += 1
      most = Math.max(most, open)
      calls.push({ events, answer: resolve, fail: reject })
      return promise.finally(() => (open -= 1))
    },
    position: () => null,
    close: async () => {},
  }
  return { sink, calls, most: () => most }
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('property: outcomes are aligned, every event is given once, and never more calls than allowed are under way', async () => {
  const shape = fc.record({
    count: fc.integer({ min: 0, max: 40 }),
    maxBatch: fc.integer({ min: 1, max: 7 }),
    concurrency: fc.integer({ min: 1, max: 5 }),
    picks: fc.infiniteStream(fc.nat()),
  })
  await fc.assert(
    fc.asyncProperty(shape, async ({ count, maxBatch, concurrency, picks }) => {
      const { sink, calls, most } = handSink(maxBatch, concurrency)
      const events = eventsOf(count)
      const run = Promise.resolve(deliverStage(sink).run(events, running()))
      const given: Event[] = []
      for (await settle(); calls.length > 0; await settle()) {
        const [call] = calls.splice((picks.next().value ?? 0) % calls.length, 1)
        given.push(...(call?.events ?? []))
        call?.answer(call.events.map((event) => dead(event.id)))
      }
      assert.deepEqual(
        await run,
        events.map((event) => dead(event.id)),
      )
      assert.deepEqual(given.map(({ id }) => id).toSorted(), events.map(({ id }) => id).toSorted())
      assert.equal(most(), Math.min(concurrency, Math.ceil(count / maxBatch)))
    }),
    { numRuns: 60 },
  )
})

describe('a piece that goes wrong', () => {
  test('is retried alone when the sink rejects', async () => {
    const { sink, calls } = handSink(2, 3)
    const run = Promise.resolve(deliverStage(sink).run(eventsOf(5), running()))
    calls[0]?.answer([KEEP, KEEP])
    calls[1]?.fail(new Error('a defect'))
    calls[2]?.answer([KEEP])
    const reasons = (await run).map((outcome) => (outcome.type === 'retry' ? outcome.reason : outcome.type))
    assert.deepEqual(reasons, ['keep', 'keep', 'sink.threw', 'sink.threw', 'keep'])
  })

  test('is filled up when the sink answers too shortly, so that nothing moves to a neighbour', async () => {
    const { sink, calls } = handSink(2, 2)
    const run = Promise.resolve(deliverStage(sink).run(eventsOf(4), running()))
    calls[0]?.answer([KEEP])
    calls[1]?.answer([KEEP, KEEP])
    const reasons = (await run).map((outcome) => (outcome.type === 'retry' ? outcome.reason : outcome.type))
    assert.deepEqual(reasons, ['keep', 'sink.no_outcome', 'keep', 'keep'])
  })
})

describe('after the signal', () => {
  test('nothing begins, and what was not begun is retried', async () => {
    const { sink, calls } = handSink(1, 2)
    const stop = new AbortController()
    const run = Promise.resolve(deliverStage(sink).run(eventsOf(4), stop.signal))
    stop.abort()
    for (const call of calls) call.answer([KEEP])
    assert.deepEqual(
      (await run).map(({ type }) => type),
      ['keep', 'keep', 'retry', 'retry'],
    )
    assert.equal(calls.length, 2)
  })

  test('a caller does not wait for the calls of another', async () => {
    const { sink, calls } = handSink(1, 1)
    const stage = deliverStage(sink)
    const stop = new AbortController()
    const busy = Promise.resolve(stage.run(eventsOf(1), running()))
    const stopped = Promise.resolve(stage.run(eventsOf(2), stop.signal))
    stop.abort()
    assert.deepEqual(
      (await stopped).map(({ type }) => type),
      ['retry', 'retry'],
    )
    calls[0]?.answer([KEEP])
    assert.deepEqual(await busy, [KEEP])
    const after = Promise.resolve(stage.run(eventsOf(1), running()))
    calls[1]?.answer([KEEP])
    assert.deepEqual(await after, [KEEP])
  })
})
