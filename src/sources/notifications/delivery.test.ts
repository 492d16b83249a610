/** The buffer between sockets and log. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { turns, virtualClock } from '../../testing/virtual-clock.ts'
import { Delivery } from './delivery.ts'

function rig(accept: (texts: readonly string[]) => Promise<void>, limits = { maxBytes: 1_000_000, maxRecords: 100 }) {
  const clock = virtualClock()
  const stop = new AbortController()
  const pressure: boolean[] = []
  const warnings: string[] = []
  const delivery = new Delivery({
    output: {
      accept: async (records) => accept(records.map(({ bytes }) => Buffer.from(bytes).toString())),
      gap: () => undefined,
      warn: (code) => warnings.push(code),
      info: () => undefined,
    },
    clock,
    ...limits,
    signal: stop.signal,
    onPressure: (full) => pressure.push(full),
  })
  return { clock, stop, pressure, warnings, delivery, push: (text: string) => delivery.push(Buffer.from(text), 0) }
}

describe('delivery', () => {
  it('gives everything once and in order, whatever the log refuses for a while', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 20 }), fc.integer({ min: 1, max: 60 }), async (refusals, count) => {
        const taken: string[] = []
        const { clock, push, delivery } = rig(async (texts) => {
          await turns(1)
          if (refusals.shift() === true) throw new Error('full')
          taken.push(...texts)
        })
        for (let n = 0; n < count; n++) {
          push(`${n}`)
          if (n % 7 === 0) await turns(2)
        }
        await clock.until('all taken', () => delivery.accepted === count, 3_600_000)
        assert.deepEqual(
          taken,
          Array.from({ length: count }, (_, n) => `${n}`),
        )
      }),
      { numRuns: 30 },
    )
  })

  it('says when it is full and when there is room again, and not for every record', async () => {
    let open = false
    const { clock, push, pressure, delivery, warnings } = rig(async () => {
      if (!open) throw new Error('disk full')
    })
    for (let n = 0; n < 150; n++) push('x')
    let roomy = false
    void delivery.room().then(() => (roomy = true))
    await clock.advance(60_000)
    assert.deepEqual([pressure, roomy, warnings], [[true], false, ['notifications.not_accepted']])
    open = true
    await clock.until('room', () => roomy, 60_000)
    assert.deepEqual(pressure, [true, false])
  })

  it('keeps its own copy of what it was given', async () => {
    const taken: string[] = []
    const { clock, delivery } = rig(async (texts) => void taken.push(...texts))
    const buffer = Buffer.from('first')
    delivery.push(buffer, 0)
    buffer.write('other')
    await clock.until('taken', () => delivery.accepted === 1)
    assert.deepEqual(taken, ['first'])
  })

  it('lets go of who waits when it is stopped', async () => {
    const { push, delivery, stop } = rig(() => new Promise(() => undefined), { maxBytes: 10, maxRecords: 1 })
    push('x')
    const waiting = Promise.all([delivery.room(), delivery.settled()])
    stop.abort()
    await waiting
    assert.equal(delivery.accepted, 0)
  })
})
