import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { TrunklineConfig } from '../../config/config.ts'
import { memoryStore } from '../../stores/memory.ts'
import type { Store } from '../../stores/store.ts'
import { handClock } from '../../testing/hand-clock.ts'
import { receiver, type Receiver } from '../../testing/receiver.ts'
import { bodyOf, conversationOf, sqsMessage } from '../../testing/sqs-event.ts'
import type { DeadVerdict, QuarantineReason, Settled, SqsBatchResponse, SqsEvent, SqsOptions } from './options.ts'
import { sqs } from './sqs.ts'

const toClose: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0)) await close()
})

const POISON = '{"detail-type": "v2.detail'
const failures = (...ids: string[]): SqsBatchResponse => ({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) })
const messages = (count: number, receiveCount = 1): SqsEvent['Records'] =>
  Array.from({ length: count }, (_, i) => sqsMessage(`m${i}`, bodyOf(i), receiveCount))

async function crm(answer?: Parameters<typeof receiver>[0]): Promise<Receiver> {
  const started = await receiver(answer)
  toClose.push(started.close)
  return started
}

type Route = NonNullable<TrunklineConfig['routes']>[string]
const configFor = (url: string, route: Partial<Route> = {}, sink: object = {}): TrunklineConfig => ({
  routes: { crm: { sink: { type: 'http', url, ...sink }, ...route } },
})

/** A function on its own environment, quiet, with what it reported. */
function lambda(url: string, given: Partial<SqsOptions> & { routeOptions?: Partial<Route>; sink?: object } = {}) {
  const { routeOptions, sink, ...options } = given
  const settled: Settled[] = []
  const warnings: string[] = []
  const handler = sqs({
    config: configFor(url, routeOptions, sink),
    store: memoryStore(),
    env: {},
    onSettled: (one) => settled.push(one),
    warn: (code) => warnings.push(code),
    ...options,
  })
  return { handler, settled, warnings }
}

const conversations = (at: Receiver): string[] => at.received.map(({ body }) => JSON.parse(body).detail.eventBody.conversationId)
const endings = (settled: readonly Settled[]): Record<string, string> =>
  Object.fromEntries(settled.map((one) => [one.messageId, one.ending]))

describe('ten messages, one poison and one refused by the receiver', () => {
  const refused = conversationOf(7)

  test('exactly those two come again; the other eight are delivered once, also when the two come again', async () => {
    let down = true
    const at = await crm(({ body }) => (down && body.includes(refused) ? 500 : 200))
    const { handler } = lambda(at.url)
    const records = messages(10).with(3, sqsMessage('m3', POISON))

    assert.deepEqual(await handler({ Records: records }), failures('m3', 'm7'))
    assert.equal(at.received.length, 9)

    const again = [sqsMessage('m3', POISON, 2), sqsMessage('m7', bodyOf(7), 2)]
    assert.deepEqual(await handler({ Records: again }), failures('m3', 'm7'))
    down = false
    assert.deepEqual(await handler({ Records: again }), failures('m3'))
    // Had the first answer been lost, all ten would come again: nothing is delivered a second time.
    assert.deepEqual(await handler({ Records: records }), failures('m3'))

    const delivered = conversations(at)
    for (let i = 0; i < 10; i++) {
      const times = delivered.filter((conversation) => conversation === conversationOf(i)).length
      assert.equal(times, i === 3 ? 0 : i === 7 ? 3 : 1, `event ${i}`)
    }
    assert.equal(new Set(at.received.filter(({ body }) => body.includes(refused)).map((one) => one.idempotencyKey)).size, 1)
  })

  test('a failure of every message is told as every message, and an empty batch as success', async () => {
    const at = await crm(() => 503)
    const { handler } = lambda(at.url)
    assert.deepEqual(await handler({ Records: messages(10) }), failures(...Array.from({ length: 10 }, (_, i) => `m${i}`)))
    assert.deepEqual(await handler({ Records: [] }), failures())
  })
})

describe('duplicates', () => {
  test('inside a batch: delivered once, and every copy leaves the queue', async () => {
    const at = await crm()
    const { handler, settled } = lambda(at.url)
    const Records = ['a', 'b', 'c'].map((id) => sqsMessage(id, bodyOf(0)))
    assert.deepEqual(await handler({ Records }), failures())
    assert.equal(at.received.length, 1)
    assert.deepEqual(endings(settled), { a: 'delivered', b: 'duplicate', c: 'duplicate' })
    assert.equal(settled[1]?.detail, settled[0]?.event?.id)
  })

  test('inside a batch whose first copy fails: no copy leaves the queue', async () => {
    const at = await crm(() => 500)
    const { handler } = lambda(at.url)
    assert.deepEqual(await handler({ Records: ['a', 'b'].map((id) => sqsMessage(id, bodyOf(0))) }), failures('a', 'b'))
    assert.equal(at.received.length, 1)
  })

  test('across environments that share a store, with another message and another envelope id', async () => {
    const at = await crm()
    const store = memoryStore()
    const resent = bodyOf(0).replace(/"id":"[^"]+"/, '"id":"11111111-2222-4333-8444-555555555555"')
    assert.notEqual(resent, bodyOf(0))
    assert.deepEqual(await lambda(at.url, { store }).handler({ Records: [sqsMessage('a', bodyOf(0))] }), failures())
    const second = lambda(at.url, { store })
    assert.deepEqual(await second.handler({ Records: [sqsMessage('b', resent)] }), failures())
    assert.deepEqual([at.received.length, endings(second.settled)], [1, { b: 'duplicate' }])
  })

  test('are delivered when the route asks for them', async () => {
    const at = await crm()
    const { handler } = lambda(at.url, { routeOptions: { dedupe: false } })
    assert.deepEqual(await handler({ Records: ['a', 'b'].map((id) => sqsMessage(id, bodyOf(0))) }), failures())
    assert.equal(at.received.length, 2)
  })
})

test('what a concurrent invocation works on comes again, and is delivered if that one fails', async () => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<number>()
  let first = true
  const at = await crm(() => {
    if (!first) return 200
    first = false
    asked.resolve()
    return answer.promise
  })
  // One environment, two invocations at once.
  const { handler, settled } = lambda(at.url)
  const slow = handler({ Records: [sqsMessage('a', bodyOf(0))] })
  await asked.promise
  assert.deepEqual(await handler({ Records: [sqsMessage('b', bodyOf(0)), sqsMessage('c', bodyOf(1))] }), failures('b'))
  assert.deepEqual(
    settled.map(({ reason }) => reason),
    ['dedupe.leased', null],
  )
  answer.resolve(500)
  assert.deepEqual(await slow, failures('a'))
  assert.deepEqual(await handler({ Records: [sqsMessage('b', bodyOf(0), 2)] }), failures())
  assert.deepEqual(await handler({ Records: [sqsMessage('a', bodyOf(0), 2)] }), failures())
  assert.deepEqual(conversations(at), [conversationOf(0), conversationOf(1), conversationOf(0)])
})

describe('a message with several events', () => {
  const several = (...indexes: number[]): string => `[${indexes.map((index) => bodyOf(index)).join(',')}]`

  test('comes again when one of them fails, and the others are not delivered again', async () => {
    let down = true
    const at = await crm(({ body }) => (down && body.includes(conversationOf(1)) ? 500 : 200))
    const { handler } = lambda(at.url)
    const Records = [sqsMessage('a', several(0, 1, 2)), sqsMessage('b', several(3, 4))]
    assert.deepEqual(await handler({ Records }), failures('a'))
    down = false
    assert.deepEqual(await handler({ Records: [sqsMessage('a', several(0, 1, 2), 2)] }), failures())
    assert.deepEqual(conversations(at).toSorted(), [0, 1, 1, 2, 3, 4].map(conversationOf).toSorted())
  })

  test('with a broken one among them: the good ones are delivered, the message stays', async () => {
    const at = await crm()
    const { handler } = lambda(at.url)
    const body = `${bodyOf(0)}\n${POISON}\n${bodyOf(1)}\n`
    assert.deepEqual(await handler({ Records: [sqsMessage('a', body)] }), failures('a'))
    assert.deepEqual(conversations(at).toSorted(), [0, 1].map(conversationOf).toSorted())
  })
})

describe('dead events', () => {
  const taken: { id: string; verdict: DeadVerdict }[] = []
  const deadLetter: SqsOptions['deadLetter'] = async (event, verdict) => void taken.push({ id: event.id, verdict })
  afterEach(() => void taken.splice(0))

  test('refused for good: handed over, and the message leaves the queue', async () => {
    const at = await crm(({ body }) => (body.includes(conversationOf(1)) ? 400 : 200))
    const { handler, settled } = lambda(at.url, { deadLetter })
    assert.deepEqual(await handler({ Records: messages(3) }), failures())
    assert.deepEqual(endings(settled), { m0: 'delivered', m1: 'dead', m2: 'delivered' })
    assert.deepEqual(
      taken.map(({ id, verdict }) => [id, verdict.stage, verdict.attempts]),
      [[settled[1]?.event?.id, 'deliver', 1]],
    )
  })

  test('nobody takes them, or the taker fails: the message stays for the redrive policy', async () => {
    const at = await crm(() => 400)
    assert.deepEqual(await lambda(at.url).handler({ Records: messages(1) }), failures('m0'))
    const failing = lambda(at.url, { deadLetter: () => Promise.reject(new Error('no room')) })
    assert.deepEqual(await failing.handler({ Records: messages(1) }), failures('m0'))
    assert.ok(failing.warnings.includes('lambda.dead_letter_failed'))
  })

  test('the attempt limit counts receipts: the last attempt is made, and then it is over', async () => {
    const at = await crm(() => 500)
    const { handler } = lambda(at.url, { deadLetter, routeOptions: { retry: { maxAttempts: 3 } } })
    assert.deepEqual(await handler({ Records: messages(1, 2) }), failures('m0'))
    assert.deepEqual(await handler({ Records: messages(1, 3) }), failures())
    assert.deepEqual([at.received.length, taken.map(({ verdict }) => verdict.attempts)], [2, [3]])
  })

  test('a dead event can be sent again: it does not pass for a duplicate', async () => {
    let down = true
    const at = await crm(() => (down ? 400 : 200))
    const { handler, settled } = lambda(at.url, { deadLetter })
    await handler({ Records: messages(1) })
    down = false
    assert.deepEqual(await handler({ Records: [sqsMessage('redriven', bodyOf(0))] }), failures())
    assert.equal(settled[1]?.ending, 'delivered')
  })
})

describe('bytes that are no event', () => {
  test('are handed over exactly, and the message leaves the queue', async () => {
    const at = await crm()
    const kept: [string, QuarantineReason][] = []
    const quarantine: SqsOptions['quarantine'] = async (bytes, reason) => void kept.push([new TextDecoder().decode(bytes), reason])
    const { handler } = lambda(at.url, { quarantine })
    assert.deepEqual(await handler({ Records: [sqsMessage('a', POISON), sqsMessage('b', bodyOf(0))] }), failures())
    assert.deepEqual(
      kept.map(([text, { messageId }]) => [text, messageId]),
      [[POISON, 'a']],
    )
    assert.match(kept[0]?.[1].code ?? '', /^decode\./)
    assert.equal(at.received.length, 1)
  })

  test('stay in the queue when nobody can take them', async () => {
    const at = await crm()
    const { handler } = lambda(at.url, { quarantine: () => Promise.reject(new Error('no room')) })
    assert.deepEqual(await handler({ Records: [sqsMessage('a', POISON)] }), failures('a'))
  })
})

describe('near the end of the invocation', () => {
  test('open deliveries are stopped, the rest is not begun, and all of it comes again without counting as an attempt', async () => {
    const clock = handClock()
    const asked = Promise.withResolvers<void>()
    const at = await crm(({ body }) => {
      if (!body.includes(conversationOf(1))) return 200
      asked.resolve()
      return new Promise<never>(() => {})
    })
    const { handler, settled } = lambda(at.url, {
      clock,
      sink: { concurrency: 1 },
      routeOptions: { retry: { maxAttempts: 1 } },
      deadLetter: async () => {},
    })
    const answered = handler({ Records: messages(4) }, { getRemainingTimeInMillis: () => 8_000 })
    await asked.promise
    clock.pass(6_999)
    assert.equal(clock.waiting(), 2)
    clock.pass(1)
    assert.deepEqual(await answered, failures('m1', 'm2', 'm3'))
    assert.deepEqual(
      settled.map(({ reason }) => reason),
      [null, 'sink.stopped', 'sink.stopped', 'sink.stopped'],
    )
    assert.equal(at.received.length, 2)
    assert.equal(clock.waiting(), 0)
  })

  test('claims are given back, so the next receipt delivers', async () => {
    const at = await crm()
    const { handler } = lambda(at.url)
    assert.deepEqual(await handler({ Records: messages(2) }, { getRemainingTimeInMillis: () => 900 }), failures('m0', 'm1'))
    assert.equal(at.received.length, 0)
    assert.deepEqual(await handler({ Records: messages(2, 2) }, { getRemainingTimeInMillis: () => 60_000 }), failures())
    assert.equal(at.received.length, 2)
  })

  test('a claim lasts no longer than the invocation that made it', async () => {
    const clock = handClock()
    const untilMs: number[] = []
    const store = memoryStore()
    const spied: Store = {
      ...store,
      claim: (requests, owner, nowMs, until) => (untilMs.push(until - nowMs), store.claim(requests, owner, nowMs, until)),
    }
    const { handler } = lambda((await crm()).url, { clock, store: spied })
    await handler({ Records: messages(1) }, { getRemainingTimeInMillis: () => 30_000 })
    assert.deepEqual(untilMs, [30_000])
  })
})

describe('when the store fails', () => {
  const broken = (which: 'claim' | 'complete' | 'release'): Store => ({
    ...memoryStore(),
    [which]: () => Promise.reject(new Error('store is away')),
  })
  /** An event without any time has an identity only by its envelope; without that too it has none. */
  const keyless = JSON.stringify({
    topicName: 'v2.users.6a1f0f3c-52c5-4d2b-9a51-3f1f0d9b7c10.station',
    eventBody: { associatedStation: null },
  })

  test('claiming: everything that needed a claim comes again, what needed none is delivered, poison is poison', async () => {
    const at = await crm()
    const { handler, settled } = lambda(at.url, {
      store: broken('claim'),
      routeOptions: { retry: { maxAttempts: 1 } },
      deadLetter: async () => {},
    })
    const Records = [...messages(2), sqsMessage('keyless', keyless), sqsMessage('other', POISON)]
    assert.deepEqual(await handler({ Records }), failures('m0', 'm1', 'other'))
    assert.equal(settled[2]?.event?.keyKind, 'none')
    assert.deepEqual(endings(settled), { m0: 'returned', m1: 'returned', keyless: 'delivered', other: 'returned' })
  })

  test('completing: what is delivered is not sent again for it, and the trouble is told', async () => {
    const at = await crm()
    const { handler, warnings } = lambda(at.url, { store: broken('complete') })
    assert.deepEqual(await handler({ Records: messages(2) }), failures())
    assert.deepEqual(warnings, ['lambda.claims_unsettled'])
  })

  test('giving back: the message still comes again', async () => {
    const at = await crm(() => 500)
    const { handler, warnings } = lambda(at.url, { store: broken('release') })
    assert.deepEqual(await handler({ Records: messages(1) }), failures('m0'))
    assert.deepEqual(warnings, ['lambda.claims_unsettled', 'lambda.returned'])
  })
})

test('topics of the route are matched, and what matches none leaves the queue, named by its topic', async () => {
  const at = await crm()
  const { handler, settled } = lambda(at.url, { routeOptions: { topics: ['v2.detail.events.conversation.{id}.acd.*'] } })
  const other = 'v2.detail.events.conversation.{id}.customer.end'
  assert.deepEqual(await handler({ Records: [sqsMessage('a', bodyOf(0)), sqsMessage('b', bodyOf(1, other))] }), failures())
  assert.deepEqual(endings(settled), { a: 'delivered', b: 'not_matched' })
  assert.equal(settled[1]?.detail, other)
})

test('a paused route keeps its messages in the queue and asks nobody', async () => {
  const at = await crm()
  const { handler } = lambda(at.url, { routeOptions: { paused: true } })
  assert.deepEqual(await handler({ Records: messages(2, 99) }), failures('m0', 'm1'))
  assert.equal(at.received.length, 0)
})

test('as many requests are under way as the sink allows, over all invocations of an environment', async () => {
  const open = Promise.withResolvers<void>()
  let count = 0
  const at = await crm(async () => {
    count += 1
    if (count === 3) open.resolve()
    await open.promise
    return 200
  })
  const { handler } = lambda(at.url, { sink: { concurrency: 3 } })
  const second = Array.from({ length: 10 }, (_, i) => sqsMessage(`n${i}`, bodyOf(100 + i)))
  assert.deepEqual(await Promise.all([handler({ Records: messages(10) }), handler({ Records: second })]), [failures(), failures()])
  assert.deepEqual([at.received.length, at.open.most], [20, 3])
})

test('the events carry what the queue knows of them', async () => {
  const { handler, settled } = lambda((await crm()).url)
  await handler({ Records: [sqsMessage('a', bodyOf(0)), sqsMessage('b', bodyOf(1), 2)] })
  assert.deepEqual(
    settled.map(({ event }) => [event?.redelivered, event?.receivedAtMs]),
    [
      [false, 1_774_000_000_000],
      [true, 1_774_000_000_000],
    ],
  )
  assert.match(settled[0]?.event?.id ?? '', /^[0-9a-f]{32}$/)
})

describe('never a success for what was not judged', () => {
  test('an invocation that is none of SQS rejects', async () => {
    const { handler } = lambda('http://127.0.0.1:9/')
    for (const event of [undefined, null, {}, { Records: null }, { Records: [null] }, { Records: [{ body: '{}' }] }]) {
      await assert.rejects(handler(event as never), { code: 'lambda.not_sqs_event' })
    }
  })

  test('a configuration that cannot be used rejects, and is looked at again', async () => {
    const at = await crm()
    const env: Record<string, string> = {}
    const { handler } = lambda('env:CRM_URL', { env })
    await assert.rejects(handler({ Records: messages(1) }), { code: 'lambda.config', message: /CRM_URL/ })
    env['CRM_URL'] = at.url
    assert.deepEqual(await handler({ Records: messages(1) }), failures())
  })
})

test('an observer that throws changes nothing', async () => {
  const { handler, warnings } = lambda((await crm()).url, { onSettled: () => assert.fail('on purpose') })
  assert.deepEqual(await handler({ Records: messages(1) }), failures())
  assert.deepEqual(warnings, ['lambda.observer_threw'])
})
