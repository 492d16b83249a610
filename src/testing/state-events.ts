/** For tests: events by hand, without envelope and bytes, and hostile ones by fast-check. */
import fc from 'fast-check'
import type { Event } from '../event/event.ts'
import { readIds } from '../event/entities.ts'
import { occurredAtMs } from '../event/times.ts'
import { topicFactsOf } from '../event/topic-facts.ts'
import type { Fact } from '../state/fact.ts'
import { factsOf, foldedTopics } from '../state/facts-of.ts'

export type Body = Readonly<Record<string, unknown>>

/** 2 March 2026, 09:00 UTC. */
export const START_MS: number = Date.UTC(2026, 2, 2, 9)

/** An event as decode gives it, read from its topic and body by decode's own rules. */
export function eventWith(
  topic: string,
  id: string,
  body: Body,
  publishedAtMs: number | null,
  receivedAtMs: number = (publishedAtMs ?? START_MS) + 400,
): Event {
  const { ids, time } = topicFactsOf(topic)
  const params = [id]
  return {
    id: 'x',
    receivedAtMs,
    duplicateOf: null,
    redelivered: false,
    format: 'eventbridge',
    layers: [],
    source: 'aws.partner/genesys.com/cloud/org/test',
    orgId: 'org',
    envelopeId: null,
    topic,
    topicName: topic.replace('{id}', id),
    params,
    ...readIds(ids, params, body),
    occurredAtMs: occurredAtMs(time, body),
    publishedAtMs,
    marks: [],
    failure: null,
    key: null,
    keyKind: 'none',
    envelopeKey: null,
    raw: new Uint8Array(),
  }
}

/** Facts of a detail event of conversation `c1`, so many ms after START_MS. */
export function told(kind: string, atMs: number, body: Body = {}, id = 'c1'): readonly Fact[] {
  const topic = kind === 'state' ? 'v2.detail.events.agent.{id}.state' : `v2.detail.events.conversation.{id}.${kind}`
  const times = kind === 'state' ? { currentStateStart: START_MS + atMs } : { eventTime: START_MS + atMs }
  const whole = { conversationId: id, ...times, ...body }
  const of = kind === 'state' ? String(whole['userId' as keyof typeof whole] ?? 'u1') : id
  return factsOf(eventWith(topic, of, whole, START_MS + atMs + 300), whole)
}

/** A few ids and instants, so that facts meet; and now and then something that is no such thing. */
const word = (...words: readonly string[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...words) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(null, 7, '', true, [], {}, 'x'.repeat(300)) },
  )
const instant: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 14, arbitrary: fc.integer({ min: 0, max: 6 }).map((n) => START_MS + n * 1000) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(0, -1, Date.UTC(2099, 0, 1), 'soon', null, {}, 1e300) },
)
const duration = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 9 }).map((n) => n * 500) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>('1500', -1, null, [], 1e18) },
)
const iso = instant.map((value) => (typeof value === 'number' && value > 0 && value < 1e14 ? new Date(value).toISOString() : value))

const session = {
  eventTime: instant,
  conversationId: word('c1', 'c2'),
  participantId: word('p1', 'p2', 'p3'),
  sessionId: word('s1', 's2', 's3', 's4'),
  mediaType: word('VOICE', 'EMAIL', 'CALLBACK', 'CHAT'),
  userId: word('u1', 'u2'),
  queueId: word('q1', 'q2'),
}
const detail = fc.record(
  {
    ...session,
    disconnectType: word('PEER', 'CLIENT'),
    acdOutcome: word('ANSWERED', 'ABANDON', 'FLOW_OUT', 'TELEPORTED'),
    answeredUserId: word('u1', 'u2'),
    connectedDurationMs: duration,
    interactingDurationMs: duration,
    heldDurationMs: duration,
    alertingDurationMs: duration,
    wrapupDurationMs: duration,
    wrapupCode: word('w1', 'w2'),
    externalContactId: word('e1', 'e2'),
    flowId: word('f1', 'f2'),
    flowOutcomeId: word('o1', 'o2'),
    flowOutcomeValue: word('SUCCESS'),
    attributes: fc.oneof(
      {
        weight: 8,
        arbitrary: fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'toString'), fc.constantFrom('1', '2', '3'), { maxKeys: 3 }),
      },
      { weight: 1, arbitrary: fc.constantFrom<unknown>(null, 'x', [1], { a: {} }) },
    ),
  },
  { requiredKeys: ['eventTime', 'sessionId'] },
)
const state = fc.record({
  ...session,
  currentStateStart: instant,
  sessionStart: instant,
  currentState: word('ALERT', 'INTERACT', 'HOLD', 'WRAPUP', 'TERMINATED', 'BEAMED'),
})
const user = fc.record({
  id: word('u1', 'u2'),
  user: fc.record({ id: word('u1', 'u2') }),
  modifiedDate: iso,
  presenceDefinition: fc.record({ id: word('d1'), systemPresence: word('AVAILABLE', 'On Queue', 'MEAL') }),
  presence: fc.record({ presenceDefinition: fc.record({ id: word('d1'), systemPresence: word('ON_QUEUE', 'AWAY') }), modifiedDate: iso }),
  routingStatus: fc.record({ status: word('IDLE', 'INTERACTING', 'OFF_QUEUE'), startTime: iso }),
  outOfOffice: fc.record({ active: fc.boolean(), modifiedDate: iso }),
  activeQueueIds: fc.array(word('q1', 'q2'), { maxLength: 3 }),
  dateActiveQueuesChanged: iso,
  queueId: word('q1', 'q2'),
  joined: fc.boolean(),
  call: fc.record({ contactCenter: fc.record({ active: fc.integer({ min: -1, max: 3 }), acw: fc.constant(1) }) }),
})
const snapshot = fc.record({
  id: word('c1', 'c2'),
  participants: fc.array(
    fc.record({
      id: word('p1', 'p2'),
      purpose: word('customer', 'agent', 'acd', 'ivr', 'wizard'),
      userId: word('u1'),
      queueId: word('q1'),
      calls: fc.array(
        fc.record({
          id: word('s1', 's2'),
          state: word('connected', 'disconnected', 'alerting'),
          connectedTime: iso,
          disconnectedTime: iso,
        }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 3 },
  ),
})

function bodyFor(topic: string): fc.Arbitrary<Body> {
  if (topic.startsWith('v2.detail.events.agent')) return state
  if (topic.endsWith('.conversations')) return snapshot
  return (topic.startsWith('v2.detail.') ? detail : user) as fc.Arbitrary<Body>
}

const idFor = (topic: string): fc.Arbitrary<string> =>
  topic.startsWith('v2.detail.events.conversation')
    ? fc.constantFrom('c1', 'c2')
    : topic.startsWith('v2.routing')
      ? fc.constantFrom('q1', 'q2')
      : fc.constantFrom('u1', 'u2')

const eventOf = (topic: string): fc.Arbitrary<readonly Fact[]> =>
  fc
    .tuple(idFor(topic), bodyFor(topic), fc.integer({ min: 0, max: 8 }), fc.boolean())
    .map(([id, body, at, published]) =>
      factsOf(eventWith(topic, id, body, published ? START_MS + at * 1000 : null, START_MS + at * 1000 + 400), body),
    )

/** Facts of hostile events of a few topics: few, so that they meet. */
export const factsOfSomeTopics: fc.Arbitrary<readonly Fact[]> = fc
  .uniqueArray(fc.constantFrom(...foldedTopics()), { minLength: 1, maxLength: 6 })
  .chain((topics) => fc.array(fc.oneof(...topics.map(eventOf)), { minLength: 4, maxLength: 24, size: 'max' }))
  .map((events) => events.flat())
