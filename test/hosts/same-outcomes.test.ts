import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { receiver, type Receiver } from '../../src/testing/receiver.ts'
import { bodyOf, conversationOf } from '../../src/testing/sqs-event.ts'
import { lambdaHost, serviceHost, type HostConfig, type HostHarness, type HostOutcome } from './harness.ts'

/*
 * One definition, two homes: the same records must end the same way on one machine and in a function, and the same
 * events must reach the receiver, with the same keys.
 */

const HOSTS = [lambdaHost, serviceHost]
const FIXTURES = join(import.meta.dirname, '../fixtures/genesys')
const OTHER_TOPIC = 'v2.users.{id}.presence'

const toClose: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close()
})

type Home = { readonly host: HostHarness; readonly crm: Receiver }

/** A host of its own, with a receiver of its own that treats conversations as their records need. */
async function home(start: (typeof HOSTS)[number], topics: readonly string[] | null = null): Promise<Home> {
  const failedOnce = new Set<string>()
  const crm = await receiver(({ body }) => {
    const conversation: unknown = JSON.parse(body).detail?.eventBody?.conversationId
    const kind = typeof conversation === 'string' ? KIND_OF.get(conversation) : undefined
    if (kind === 'refused') return 400
    if (kind === 'broken') return 500
    if (kind !== 'flaky' || typeof conversation !== 'string' || failedOnce.has(conversation)) return 200
    failedOnce.add(conversation)
    return 503
  })
  const config: HostConfig = {
    routes: { crm: { topics, from: 'earliest', sink: { type: 'http', url: crm.url }, retry: { maxAttempts: 3, baseMs: 1, maxMs: 2 } } },
  }
  const host = await start(config)
  toClose.push(crm.close, host.close)
  return { host, crm }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The kinds of records, ten different ones of each. The receiver knows those it has to treat in its way by conversation. */
const KINDS = ['plain', 'flaky', 'refused', 'broken', 'keyless', 'poison', 'other-topic'] as const
type Kind = (typeof KINDS)[number]
const indexOf = (kind: Kind, n: number): number => 100 * KINDS.indexOf(kind) + n
const KIND_OF = new Map(KINDS.flatMap((kind) => Array.from({ length: 10 }, (_, n) => [conversationOf(indexOf(kind, n)), kind] as const)))

function recordOf(kind: Kind, n: number): Uint8Array {
  if (kind === 'poison') return bytes(`{"n": ${n}, "detail-type"`)
  if (kind === 'keyless')
    return bytes(JSON.stringify({ topicName: `v2.users.${conversationOf(n)}.station`, eventBody: { associatedStation: null, n } }))
  return bytes(bodyOf(indexOf(kind, n), kind === 'other-topic' ? OTHER_TOPIC : undefined))
}

/** What reached the receiver, without what belongs to the receipt. */
function deliveries(crm: Receiver): string[] {
  return crm.received.map(({ body, topic }) => `${topic} ${JSON.stringify(JSON.parse(body).detail)}`).toSorted()
}

describe('the same records end the same way in both homes', { timeout: 120_000 }, () => {
  test('every kind of end', async () => {
    const records: [Uint8Array, readonly HostOutcome[]][] = [
      [recordOf('plain', 0), ['delivered']],
      [recordOf('plain', 1), ['delivered']],
      [recordOf('plain', 0), ['duplicate']],
      [bytes(bodyOf(indexOf('plain', 1)).replace(/"id":"[^"]+"/, '"id":"11111111-2222-4333-8444-555555555555"')), ['duplicate']],
      [recordOf('flaky', 0), ['delivered']],
      [recordOf('refused', 0), ['dead']],
      [recordOf('broken', 0), ['dead']],
      [recordOf('poison', 0), ['quarantined']],
      [bytes('42'), ['quarantined']],
      [recordOf('keyless', 0), ['delivered']],
      [recordOf('keyless', 0), ['delivered']],
      [recordOf('other-topic', 0), ['not_matched']],
      [
        bytes(`[${bodyOf(indexOf('plain', 2))},${bodyOf(indexOf('flaky', 3))},${bodyOf(indexOf('plain', 0))}]`),
        ['delivered', 'delivered', 'duplicate'],
      ],
    ]
    const got = new Map<string, string[]>()
    for (const start of HOSTS) {
      const { host, crm } = await home(start, ['v2.detail.events.conversation.*', 'v2.users.{id}.station'])
      const outcomes = await host.process(records.map(([record]) => record))
      assert.deepEqual(
        outcomes,
        records.map(([, expected]) => expected),
        host.name,
      )
      got.set(host.name, deliveries(crm))
    }
    assert.deepEqual(got.get('lambda'), got.get('service'))
  })

  test('real Genesys events, each twice', async () => {
    const files = await Promise.all(
      ['eventbridge', 'websocket'].map(async (dir) => (await readdir(join(FIXTURES, dir))).map((name) => join(FIXTURES, dir, name))),
    )
    const records = await Promise.all(
      files
        .flat()
        .toSorted()
        .map((file) => readFile(file)),
    )
    assert.ok(records.length > 15)
    const homes = await Promise.all(HOSTS.map((start) => home(start)))
    const [lambda, service] = await Promise.all(homes.map(({ host }) => host.process([...records, ...records])))
    assert.deepEqual(lambda, service)
    assert.deepEqual(new Set(lambda?.slice(0, records.length).flat()), new Set(['delivered', 'quarantined']))
    const [first, second] = homes.map(({ crm }) => deliveries(crm))
    assert.deepEqual(first, second)
    // A receiver may see both homes, and has to know an event again.
    const keys = homes.map(({ crm }) =>
      crm.received
        .filter(({ body }) => /"format":"eventbridge"/.test(body))
        .map((one) => one.idempotencyKey)
        .toSorted(),
    )
    assert.deepEqual(keys[0], keys[1])
  })

  test('property: any mix of records, copies included', async () => {
    const pick = fc.tuple(fc.constantFrom(...KINDS), fc.nat({ max: 3 }))
    await fc.assert(
      fc.asyncProperty(fc.array(pick, { minLength: 1, maxLength: 30 }), async (drawn) => {
        const picks = drawn.filter(
          ([kind, n], i) => !isDeadKind(kind) || drawn.findIndex((other) => other[0] === kind && other[1] === n) === i,
        )
        const ends = await Promise.all(
          HOSTS.map(async (start) => {
            const { host } = await home(start, ['v2.detail.events.conversation.*', 'v2.users.{id}.station'])
            const outcomes = await host.process(picks.map(([kind, n]) => recordOf(kind, n)))
            // Which of two copies arrives first is chance; how the copies of an event end is not.
            return picks.map(([kind, n], i) => `${kind} ${n} ${outcomes[i]?.join()}`).toSorted()
          }),
        )
        assert.deepEqual(ends[0], ends[1])
      }),
      { numRuns: 6 },
    )
  })
})

test(
  'the one difference: a copy of a dead event is a duplicate on one machine, and tried again by a function',
  { timeout: 60_000 },
  async () => {
    const copies = [recordOf('refused', 0), recordOf('refused', 0)]
    const outcomes = await Promise.all(HOSTS.map(async (start) => (await (await home(start)).host.process(copies)).flat()))
    assert.deepEqual(outcomes, [
      ['dead', 'dead'],
      ['dead', 'duplicate'],
    ])
  },
)

function isDeadKind(kind: Kind): boolean {
  return kind === 'refused' || kind === 'broken'
}
