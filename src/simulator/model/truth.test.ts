import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AgentTruth, ConversationTruth, Emission, Truth } from '../simulation.ts'
import { DEFAULT_START_MS, type SimulationOptions } from './options.ts'
import { simulation } from './simulation.ts'

const HOUR_MS = 3_600_000
const BUSY: Partial<SimulationOptions> = {
  agents: 40,
  queues: 4,
  conversationsPerHour: 260,
  durationMs: 3 * HOUR_MS,
  keepEndedMs: Infinity,
}
const CONVERSATION = 'v2.detail.events.conversation.{id}.'

type Body = Readonly<Record<string, unknown>>

test('in every queue, at every moment: entered = answered + abandoned + flowOut + waiting', () => {
  const centre = simulation({ ...BUSY, noisyQueuePerSecond: 2 })
  const outcomes = { answered: 0, abandoned: 0, flowOut: 0 }
  for (let n = 0; centre.next() !== null; n++) {
    if (n % 97 !== 0) continue
    for (const queue of centre.truth().queues) {
      assert.equal(queue.entered, queue.answered + queue.abandoned + queue.flowOut + queue.waiting, `after ${n} events`)
      assert.ok(queue.interacting >= 0 && (queue.waiting === 0) === (queue.longestWaitSinceMs === null))
    }
  }
  for (const queue of centre.truth().queues) for (const key of ['answered', 'abandoned', 'flowOut'] as const) outcomes[key] += queue[key]
  assert.ok(outcomes.answered > 300 && outcomes.abandoned > 5 && outcomes.flowOut > 100, JSON.stringify(outcomes))
})

test('what the events say is what is true, when everything is told', () => {
  const centre = simulation(BUSY)
  const emissions = [...all(centre)]
  const truth = centre.truth()
  assert.equal(truth.emitted, emissions.length)
  assert.ok(truth.atMs <= DEFAULT_START_MS + 3 * HOUR_MS, 'nothing happens after the end')
  assert.deepEqual(queuesFrom(emissions), queuesIn(truth))
  const told = conversationsFrom(emissions)
  assert.deepEqual(
    truth.conversations.map((conversation) => told.get(conversation.id)),
    truth.conversations.map(plain),
  )
  assert.equal(told.size, truth.conversations.length)
  for (const agent of truth.agents) assert.deepEqual(agentFrom(emissions, agent.userId), statusIn(agent))
})

test('agents make legal moves, and have one call or two written conversations', () => {
  const centre = simulation(BUSY)
  const emissions = [...all(centre)]
  const seen = new Set<string>()
  for (const { id } of centre.centre.users) {
    const of = (suffix: 'presence' | 'routingStatus'): Body[] => statesOf(emissions, id, suffix)
    const presences = of('presence').map(
      (body) => [Date.parse(text(body, 'modifiedDate')), text(body['presenceDefinition'], 'systemPresence')] as const,
    )
    let before = 'OFF_QUEUE'
    for (const body of of('routingStatus')) {
      const status = text(body['routingStatus'], 'status')
      const atMs = Date.parse(text(body['routingStatus'], 'startTime'))
      seen.add(`${before} > ${status}`)
      assert.ok(LEGAL.get(before)?.includes(status), `${before} > ${status}`)
      const presence = presences.findLast(([sinceMs]) => sinceMs <= atMs)?.[1]
      assert.equal(status === 'OFF_QUEUE', presence !== 'ON_QUEUE', `${status} while ${presence}`)
      before = status
    }
  }
  for (const move of ['IDLE > INTERACTING', 'IDLE > NOT_RESPONDING', 'IDLE > COMMUNICATING', 'INTERACTING > IDLE', 'IDLE > OFF_QUEUE'])
    assert.ok(seen.has(move), `${move} never happened`)
  const load = new Map<string, { voice: number; written: number }>()
  const ends = `${CONVERSATION}user.end`
  const legs = emissions.filter(({ topic }) => topic === ends || topic === `${CONVERSATION}user.start`)
  // At one instant the one leg ends before the next begins.
  for (const { topic, body } of legs.toSorted((a, b) => byTime(a.body, b.body) || Number(b.topic === ends) - Number(a.topic === ends))) {
    const own = load.get(text(body, 'userId')) ?? { voice: 0, written: 0 }
    load.set(text(body, 'userId'), own)
    own[['VOICE', 'CALLBACK'].includes(text(body, 'mediaType')) ? 'voice' : 'written'] += topic === ends ? -1 : 1
    assert.ok(own.voice <= 1 && own.written <= 2 && !(own.voice > 0 && own.written > 0), JSON.stringify(own))
  }
})

test('long after their end conversations are forgotten, and counted still', () => {
  const centre = simulation({ ...BUSY, durationMs: 10 * HOUR_MS, keepEndedMs: 60_000, transcribedShare: 0 })
  const ids = new Set<string>()
  let most = 0
  for (const { topic, body } of all(centre)) {
    if (topic === `${CONVERSATION}customer.start`) ids.add(text(body, 'conversationId'))
    if (ids.size % 100 === 0) most = Math.max(most, centre.truth().conversations.length)
  }
  assert.ok(ids.size > 2_000 && most < 300, `${most} of ${ids.size} known at once`)
  const [first = ''] = ids
  assert.equal(centre.conversation(first), null)
  assert.equal(centre.setAttributes(first, 'anybody', {}), false)
  const capped = simulation({ ...BUSY, keepEndedMax: 10 })
  while (capped.next() !== null);
  assert.equal(capped.truth().conversations.filter(({ endedAtMs }) => endedAtMs !== null).length < 30, true)
})

test('attributes written from outside are told, and are true', () => {
  const centre = simulation({ ...BUSY, keepEndedMs: Infinity })
  let start: Body = {}
  for (const { topic, body } of all(centre))
    if (topic === `${CONVERSATION}user.start`) {
      start = body
      break
    }
  const [conversationId, participantId] = [text(start, 'conversationId'), text(start, 'participantId')]
  const atMs = centre.nowMs
  const hostile = JSON.parse('{"__proto__":"x","a \\"b\\"":"ü"}') as Record<string, string>
  assert.equal(centre.setAttributes(conversationId, participantId, hostile), true)
  assert.equal(centre.setAttributes(conversationId, participantId, hostile), true)
  const told = [...all(centre)]
    .filter(({ topic, body }) => topic === `${CONVERSATION}attributes` && body['participantId'] === participantId)
    .slice(0, 2)
  assert.equal(told.length, 2)
  for (const { publishedAtMs, body } of told) {
    assert.ok(publishedAtMs > atMs && Number(body['eventTime']) >= atMs)
    assert.deepEqual(Object.entries(body['attributes'] as object), Object.entries(hostile))
  }
  assert.notEqual(told[0]?.body['eventTime'], told[1]?.body['eventTime'], 'two changes never look like one told twice')
  const truth = centre.truth().conversations.find(({ id }) => id === conversationId)
  for (const [name, value] of Object.entries(hostile)) assert.equal(Object.getOwnPropertyDescriptor(truth?.attributes, name)?.value, value)
  assert.equal(centre.setAttributes(conversationId, 'nobody', {}), false)
  assert.equal(centre.setAttributes('nothing', participantId, {}), false)
})

const LEGAL: ReadonlyMap<string, readonly string[]> = new Map([
  ['OFF_QUEUE', ['IDLE']],
  ['IDLE', ['INTERACTING', 'COMMUNICATING', 'NOT_RESPONDING', 'OFF_QUEUE']],
  ['INTERACTING', ['IDLE', 'NOT_RESPONDING', 'COMMUNICATING', 'OFF_QUEUE']],
  ['COMMUNICATING', ['IDLE', 'INTERACTING', 'OFF_QUEUE']],
  ['NOT_RESPONDING', ['IDLE', 'INTERACTING', 'OFF_QUEUE']],
])

function* all(centre: { next(): Emission | null }): Generator<Emission> {
  for (let emission = centre.next(); emission !== null; emission = centre.next()) yield emission
}

function text(body: unknown, name: string): string {
  return String((body as Body | undefined)?.[name])
}

/** Counts by queue, from acd events and from the legs of agents. */
function queuesFrom(emissions: readonly Emission[]): object {
  const queues = new Map<string, Record<string, number>>()
  const of = (id: string): Record<string, number> => {
    const known = queues.get(id) ?? { entered: 0, ANSWERED: 0, ABANDON: 0, FLOW_OUT: 0 }
    queues.set(id, known)
    return known
  }
  for (const { topic, body } of emissions) {
    if (topic === `${CONVERSATION}acd.start`) of(text(body, 'queueId'))['entered']!++
    if (topic === `${CONVERSATION}acd.end`) of(text(body, 'queueId'))[text(body, 'acdOutcome')]!++
  }
  return Object.fromEntries(queues)
}

function queuesIn(truth: Truth): object {
  return Object.fromEntries(
    truth.queues.map((q) => [q.queueId, { entered: q.entered, ANSWERED: q.answered, ABANDON: q.abandoned, FLOW_OUT: q.flowOut }] as const),
  )
}

/** Visits and legs of conversations, put together from their events alone. */
function conversationsFrom(emissions: readonly Emission[]): Map<string, object> {
  const byId = new Map<string, Emission[]>()
  for (const emission of emissions) {
    if (!emission.topic.startsWith(CONVERSATION)) continue
    const id = text(emission.body, 'conversationId')
    byId.set(id, [...(byId.get(id) ?? []), emission])
  }
  return new Map([...byId].map(([id, own]) => [id, conversationFrom(own)]))
}

function conversationFrom(emissions: readonly Emission[]): object {
  const of = (kind: string): Body[] => emissions.filter(({ topic }) => topic === CONVERSATION + kind).map(({ body }) => body)
  const partner = (list: readonly Body[], start: Body): Body | undefined => list.find((body) => body['sessionId'] === start['sessionId'])
  const [acdEnds, userEnds, acws] = [of('acd.end'), of('user.end'), of('acw')]
  const attributes: Record<string, string> = {}
  for (const body of of('attributes').toSorted(byTime)) Object.assign(attributes, body['attributes'])
  return {
    visits: of('acd.start')
      .toSorted(byTime)
      .map((start) => {
        const end = partner(acdEnds, start)
        return [start['queueId'], start['eventTime'], end?.['eventTime'] ?? null, end?.['acdOutcome'] ?? null]
      }),
    legs: of('user.start')
      .toSorted(byTime)
      .map((start) => {
        const end = partner(userEnds, start)
        const spent = end === undefined ? null : [end['interactingDurationMs'], end['heldDurationMs']]
        const acw = partner(acws, start)
        return [
          start['userId'],
          start['queueId'] ?? null,
          start['eventTime'],
          end?.['eventTime'] ?? null,
          spent,
          acw?.['wrapupCode'] ?? null,
          acw?.['wrapupDurationMs'] ?? null,
        ]
      }),
    attributes,
  }
}

/** The same of the truth. Times of open legs run on, and are not in events. */
function plain(conversation: ConversationTruth): object {
  return {
    visits: conversation.queueVisits.map((visit) => [visit.queueId, visit.enteredAtMs, visit.leftAtMs, visit.outcome]),
    legs: conversation.agentLegs.map((leg) => {
      const spent = leg.endedAtMs === null ? null : [leg.talkMs, leg.heldMs]
      return [leg.userId, leg.queueId, leg.startedAtMs, leg.endedAtMs, spent, leg.wrapupCode, leg.wrapupCode === null ? null : leg.acwMs]
    }),
    attributes: { ...conversation.attributes },
  }
}

function agentFrom(emissions: readonly Emission[], id: string): object {
  const presence = statesOf(emissions, id, 'presence').at(-1)
  const routing = statesOf(emissions, id, 'routingStatus').at(-1)
  return {
    presence: presence === undefined ? 'OFFLINE' : text(presence['presenceDefinition'], 'systemPresence'),
    routing: routing === undefined ? 'OFF_QUEUE' : text(routing['routingStatus'], 'status'),
  }
}

/** In the order they came about, which is not that of publishing. */
function statesOf(emissions: readonly Emission[], id: string, suffix: 'presence' | 'routingStatus'): Body[] {
  const atMs = (body: Body): number =>
    Date.parse(text(suffix === 'presence' ? body : body['routingStatus'], suffix === 'presence' ? 'modifiedDate' : 'startTime'))
  const own = emissions.filter(({ topicName }) => topicName === `v2.users.${id}.${suffix}`).map(({ body }) => body)
  return own.toSorted((a, b) => atMs(a) - atMs(b))
}

function statusIn(agent: AgentTruth): object {
  return { presence: agent.presence, routing: agent.routingStatus }
}

function byTime(a: Body, b: Body): number {
  return Number(a['eventTime']) - Number(b['eventTime'])
}
