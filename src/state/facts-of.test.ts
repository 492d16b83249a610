import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import { eventWith, START_MS, told, type Body } from '../testing/state-events.ts'
import { compareFacts, type Fact } from './fact.ts'
import { factsOf, foldedTopics } from './facts-of.ts'

const HOUR_MS = 3_600_000
const CUSTOMER_START = 'v2.detail.events.conversation.{id}.customer.start'
const PRESENCE = 'v2.users.{id}.presence'

const atOf = (topic: string, body: Body, publishedAtMs: number | null, receivedAtMs?: number): number | undefined =>
  factsOf(eventWith(topic, 'c1', body, publishedAtMs, receivedAtMs), body)[0]?.atMs

test('every detail topic and every topic of users gives facts', () => {
  const topics = foldedTopics()
  assert.equal(topics.filter((topic) => topic.startsWith('v2.detail.events.conversation.{id}.')).length, 16)
  for (const topic of ['agent.{id}.state'].map((name) => `v2.detail.events.${name}`)) assert.ok(topics.includes(topic))
  for (const name of ['presence', 'routingStatus', 'activity', 'conversationsummary']) assert.ok(topics.includes(`v2.users.{id}.${name}`))
  assert.ok(topics.includes('v2.routing.queues.{id}.users'))
  assert.deepEqual(factsOf(eventWith('v2.audits.entitytype.{id}.entityid.{id}', 'x', {}, START_MS), {}), [])
})

test('the real samples give facts', () => {
  const folder = fileURLToPath(new URL('../../test/fixtures/genesys/eventbridge/', import.meta.url))
  const kinds = new Set<string>()
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const [decoded] = decode(readFileSync(folder + file), { maxBytes: DEFAULT_MAX_BYTES })
    if (decoded?.ok !== true) continue
    const event = { ...decoded.event, id: file, receivedAtMs: Date.UTC(2026, 5, 1), duplicateOf: null, redelivered: false }
    const { detail } = JSON.parse(Buffer.from(event.raw).toString()) as { readonly detail: { readonly eventBody: unknown } }
    for (const fact of factsOf(event, detail.eventBody)) {
      kinds.add(fact.kind)
      assert.equal(fact.of, event.conversationId ?? event.userId)
    }
  }
  for (const kind of ['started', 'ended', 'attribute', 'contact']) assert.ok(kinds.has(kind), `${kind} in ${[...kinds].join()}`)
})

test('the presence topic and activity say the same fact', () => {
  const presence = { presenceDefinition: { id: 'd', systemPresence: 'On Queue' }, primary: true, modifiedDate: '2026-03-02T08:00:00.000Z' }
  const [one] = factsOf(eventWith(PRESENCE, 'u1', presence, START_MS), presence)
  const activity = {
    id: 'u1',
    presence: { ...presence, presenceDefinition: { id: 'd', systemPresence: 'ON_QUEUE' }, presenceMessage: '' },
    routingStatus: { status: 'IDLE', startTime: '2026-03-02T08:00:01.000Z' },
    outOfOffice: { active: false, modifiedDate: '2026-01-01T00:00:00.000Z' },
    activeQueueIds: ['q2', 'q1', 'q1', 7],
    dateActiveQueuesChanged: '2026-03-02T07:00:00.000Z',
  }
  const all = factsOf(eventWith('v2.users.{id}.activity', 'u1', activity, START_MS), activity)
  assert.deepEqual(
    all.map(({ kind }) => kind),
    ['presence', 'routing', 'outOfOffice', 'queues'],
  )
  assert.equal(compareFacts(one!, all[0]!), 0)
  assert.equal((all[3] as Extract<Fact, { kind: 'queues' }>).queueIds, 'q1 q2')
  assert.deepEqual(factsOf(eventWith(PRESENCE, 'u1', presence, START_MS), { ...presence, primary: false }), [])
})

test('a business time that is absurd is not believed; the time of publishing is, and of receipt at last', () => {
  const published = START_MS + 300
  assert.equal(atOf(CUSTOMER_START, { eventTime: START_MS }, published), START_MS)
  for (const eventTime of [
    0,
    1,
    Date.UTC(1970, 0, 2),
    Date.UTC(2099, 0, 1),
    'yesterday',
    null,
    undefined,
    published + 2 * HOUR_MS,
    published - 48 * HOUR_MS,
  ])
    assert.equal(atOf(CUSTOMER_START, { eventTime }, published), published, String(eventTime))
  assert.equal(atOf(CUSTOMER_START, { eventTime: 0 }, null, 5 + START_MS), START_MS + 5)
  assert.equal(
    atOf(CUSTOMER_START, { eventTime: START_MS }, Date.UTC(2099, 0, 1), START_MS),
    START_MS,
    'published in 2099 is absurd itself',
  )
  // Told a week late, it happened when it did.
  assert.equal(atOf(CUSTOMER_START, { eventTime: START_MS }, published, START_MS + 168 * HOUR_MS), START_MS)
})

test('a presence may have been so for weeks', () => {
  const since = START_MS - 30 * 24 * HOUR_MS
  const body = { presenceDefinition: { systemPresence: 'OFFLINE' }, modifiedDate: new Date(since).toISOString() }
  assert.equal(atOf(PRESENCE, body, START_MS), since)
  assert.equal(atOf(PRESENCE, { ...body, modifiedDate: '2099-01-01T00:00:00Z' }, START_MS), START_MS)
  assert.equal(atOf(PRESENCE, { ...body, modifiedDate: '1970-01-01T00:00:00Z' }, START_MS), START_MS)
})

test('names of attributes are data, values are cut, and numbers are text', () => {
  const attributes = JSON.parse('{"__proto__":"p","  Case":7,"flag":true,"none":null,"list":[1],"constructor":"c"}') as Body
  const facts = told('attributes', 0, { participantId: 'p1', attributes: { ...attributes, ['__proto__']: 'p', long: 'x'.repeat(5_000) } })
  const values = facts.map((fact) =>
    fact.kind === 'attribute' ? [fact.name, fact.value.length > 9 ? fact.value.length : fact.value] : null,
  )
  assert.deepEqual(
    values.filter((value) => value![0] !== '__proto__'),
    [
      ['  Case', '7'],
      ['flag', 'true'],
      ['constructor', 'c'],
      ['long', 1_000],
    ],
  )
  assert.ok(values.some((value) => value![0] === '__proto__'))
  const many = told('attributes', 0, { attributes: Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`a${n}`, '1'])) })
  assert.equal(many.length, 200)
})

test('durations may come as text; what is none is unknown', () => {
  const spent = (interactingDurationMs: unknown): unknown =>
    (told('user.end', 0, { userId: 'u1', interactingDurationMs })[0] as { talkMs?: unknown }).talkMs
  assert.equal(spent(1500.7), 1500)
  assert.equal(spent('1500'), 1500)
  for (const odd of [-1, 1e15, NaN, Infinity, '1.5', 'x', null, {}, []]) assert.equal(spent(odd), null, String(odd))
})

test('anything at all: never throws, the same every time, small', () => {
  fc.assert(
    fc.property(fc.constantFrom(...foldedTopics()), fc.jsonValue({ maxDepth: 4 }), fc.option(fc.integer()), (topic, body, published) => {
      const event = eventWith(topic, 'x', typeof body === 'object' && body !== null ? (body as Body) : {}, published)
      const facts = factsOf(event, body)
      assert.deepEqual(facts, factsOf(event, structuredClone(body)))
      assert.ok(JSON.stringify(facts).length < 500_000)
      for (const { atMs } of facts) assert.ok(Number.isFinite(atMs))
    }),
    { numRuns: 2_000 },
  )
})
