import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KEEP, dead, drop, hold, retry, type Outcome } from '../../pipeline/outcome.ts'
import { eventOf } from '../../testing/event-of.ts'
import type { Settled } from './options.ts'
import type { Batch } from './records.ts'
import { settle } from './settle.ts'

/*
 * The law of the answer, over any mix of ends: a message is named exactly when some part of it has no end that is kept
 * somewhere. Parts are drawn, and the law is said over the drawn parts, not over what settle makes of them.
 */

const MAX_ATTEMPTS = 4

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant(KEEP),
  fc.constant(drop('match.topic', 'v2.x')),
  fc.constant(drop('duplicate', 'first')),
  fc.constant(hold('dedupe.leased', 1)),
  fc.constantFrom(retry('sink.http_status', 'HTTP 500'), retry('sink.stopped')),
  fc.constant(dead('sink.http_status', 'HTTP 400')),
)
const verdict = fc.option(fc.record({ stage: fc.constantFrom('match', 'dedupe', 'deliver'), outcome }), { nil: undefined, freq: 10 })
const part = fc.oneof(
  { weight: 5, arbitrary: fc.record({ poison: fc.constant(false), verdict }) },
  { weight: 1, arbitrary: fc.record({ poison: fc.constant(true), verdict }) },
)
const message = fc.record({
  messageId: fc.integer({ min: 0, max: 8 }).map((n) => `m${n}`),
  receiveCount: fc.integer({ min: 1, max: 6 }),
  parts: fc.array(part, { minLength: 1, maxLength: 4 }),
})
const taker = fc.constantFrom('absent', 'works', 'fails')

test('property: a message is named, once and in order, exactly when a part of it is not at an end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 12 }), taker, taker, async (messages, deadLetter, quarantine) => {
      const parts = messages.flatMap(({ parts, ...rest }) => parts.map((one) => ({ ...rest, ...one })))
      const items = parts.filter((one) => !one.poison)
      const batch: Batch = {
        messageIds: messages.map(({ messageId }) => messageId),
        items: items.map(({ messageId, receiveCount }, i) => ({ messageId, receiveCount, event: eventOf({}, i) })),
        poison: parts
          .filter((one) => one.poison)
          .map(({ messageId }) => ({ messageId, failure: { code: 'decode.json', message: 'no', bytes: new Uint8Array() } })),
      }
      const settled: Settled[] = []
      let taken = 0
      const take = (how: string): (() => Promise<void>) | undefined =>
        how === 'absent' ? undefined : async () => (how === 'works' ? void (taken += 1) : Promise.reject(new Error('no room')))
      const response = await settle(
        batch,
        items.map((one) => one.verdict),
        {
          maxAttempts: MAX_ATTEMPTS,
          deadLetter: take(deadLetter),
          quarantine: take(quarantine),
          onSettled: (one) => settled.push(one),
          warn: () => {},
        },
      )

      const isOver = (one: (typeof parts)[number]): boolean => {
        if (one.poison) return quarantine === 'works'
        const end = one.verdict?.outcome
        if (end?.type === 'keep' || end?.type === 'drop') return true
        const attempted = end?.type === 'retry' && one.verdict?.stage === 'deliver' && end.reason !== 'sink.stopped'
        return deadLetter === 'works' && (end?.type === 'dead' || (attempted && one.receiveCount >= MAX_ATTEMPTS))
      }
      const expected = [...new Set(messages.map(({ messageId }) => messageId))].filter((id) =>
        parts.some((one) => one.messageId === id && !isOver(one)),
      )
      assert.deepEqual(response, { batchItemFailures: expected.map((itemIdentifier) => ({ itemIdentifier })) })
      assert.equal(settled.length, parts.length)
      assert.equal(settled.filter(({ ending }) => ending === 'dead' || ending === 'quarantined').length, taken)
    }),
    { numRuns: 500 },
  )
})
