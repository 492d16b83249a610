import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesOf, envelope } from '../../test/fixtures/genesys/samples.ts'
import { type EventQuery, search } from './search.ts'
import { columnsPath } from './segment-file.ts'
import { TestLog, folder, testLog } from './_log.ts'

const T0 = 1_774_000_000_000
const TOPICS = ['v2.detail.events.conversation.{id}.acd.end', 'v2.detail.events.conversation.{id}.customer.end'] as const

type Shape = {
  readonly topic: number
  readonly conversation: number
  readonly queue: number
  readonly user: number
  readonly envelope: number
  readonly afterMs: number
}

const shape: fc.Arbitrary<Shape> = fc.record({
  topic: fc.nat(1),
  conversation: fc.nat(3),
  queue: fc.nat(2),
  user: fc.nat(2),
  envelope: fc.nat(4),
  afterMs: fc.nat(50),
})
const some = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arb, { nil: undefined, freq: 2 })
const question = fc.record({
  topic: some(fc.constantFrom(...TOPICS, 'v2.users.{id}.presence')),
  conversation: some(fc.nat(4).map((n) => `c-${n}`)),
  queue: some(fc.nat(2).map((n) => `q-${n}`)),
  user: some(fc.nat(2).map((n) => `u-${n}`)),
  envelopeId: some(fc.nat(4).map((n) => `e-${n}`)),
  fromMs: some(fc.nat(1_000).map((n) => T0 + n)),
  toMs: some(fc.nat(1_000).map((n) => T0 + n)),
})
const range = fc.record({
  order: fc.constantFrom('asc' as const, 'desc' as const),
  afterSeq: some(fc.nat(40)),
  beforeSeq: some(fc.nat(45)),
})

describe('search', () => {
  it('property: finds what a look at every record finds, in order, over sealed segments and the one being written', async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(shape, { minLength: 1, maxLength: 30 }),
        fc.array(fc.tuple(question, range), { minLength: 5, maxLength: 10 }),
        fc.boolean(),
        async (shapes, asked, columns) => {
          const log = new TestLog(folder(t), { segmentBytes: 6_000 })
          let atMs = T0
          for (const one of shapes) {
            atMs += one.afterMs
            await log.append(bytesOf(envelopeOf(one)), { receivedAtMs: atMs })
          }
          if (!columns) for (const { path } of log.events.sealed) rmSync(columnsPath(path))
          for (const [query, where] of asked) {
            const wanted = defined(query) as EventQuery
            const bounds = defined(where) as Parameters<typeof search>[2]
            assert.deepEqual(await found(log, wanted, bounds), await naive(log, wanted, bounds), JSON.stringify([wanted, bounds]))
          }
          await log.close()
        },
      ),
      { numRuns: 20 },
    )
  })

  it('finds what came after the last look, by time too', async (t) => {
    const log = testLog(t)
    for (let i = 0; i < 3; i++)
      await log.append(bytesOf(envelopeOf({ topic: 0, conversation: i, queue: 0, user: 0, envelope: i, afterMs: 0 })), {
        receivedAtMs: T0 + i * 1_000,
      })
    assert.deepEqual(await found(log, { fromMs: T0 + 2_000 }, { order: 'desc' }), [3])
    assert.deepEqual(await found(log, { toMs: T0 }, { order: 'asc' }), [1])
  })

  it('finds every receipt of an event by its key', async (t) => {
    const log = testLog(t)
    const one = { topic: 0, conversation: 1, queue: 1, user: 1, envelope: 1, afterMs: 0 }
    await log.append(bytesOf(envelopeOf(one)))
    await log.append(bytesOf(envelopeOf({ ...one, conversation: 2 })))
    await log.append(bytesOf(envelopeOf({ ...one, envelope: 2 })))
    const key = log.reader.event((await log.reader.record(1)) ?? assert.fail()).key
    assert.ok(key)
    assert.deepEqual(await found(log, { key }, { order: 'asc' }), [1, 3])
  })
})

function envelopeOf({ topic, conversation, queue, user, envelope: id }: Shape): object {
  const template = TOPICS[topic] ?? TOPICS[0]
  return envelope({
    id: `e-${id}`,
    topic: template,
    topicName: template.replace('{id}', `c-${conversation}`),
    body: { eventTime: T0, conversationId: `c-${conversation}`, queueId: `q-${queue}`, userId: `u-${user}`, answeredUserId: `u-${user}` },
  })
}

async function found(log: TestLog, query: EventQuery, bounds: Parameters<typeof search>[2]): Promise<number[]> {
  const seqs: number[] = []
  for await (const { record } of search(log.reader, query, bounds)) seqs.push(record.seq)
  return seqs
}

/** The answer by definition. */
async function naive(log: TestLog, query: EventQuery, bounds: Parameters<typeof search>[2]): Promise<number[]> {
  const seqs: number[] = []
  for (let seq = 1; seq < log.reader.nextSeq; seq++) {
    if (seq <= (bounds.afterSeq ?? 0) || seq >= (bounds.beforeSeq ?? Infinity)) continue
    const event = log.reader.event((await log.reader.record(seq)) ?? assert.fail())
    const fits =
      (query.topic ?? event.topic) === event.topic &&
      (query.conversation ?? event.conversationId) === event.conversationId &&
      (query.queue ?? event.queueId) === event.queueId &&
      (query.user ?? event.userId) === event.userId &&
      (query.envelopeId ?? event.envelopeId) === event.envelopeId &&
      event.receivedAtMs >= (query.fromMs ?? 0) &&
      event.receivedAtMs <= (query.toMs ?? Infinity)
    if (fits) seqs.push(seq)
  }
  return bounds.order === 'asc' ? seqs : seqs.toReversed()
}

const defined = (record: object): object => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
