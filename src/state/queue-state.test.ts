import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventWith, START_MS, told } from '../testing/state-events.ts'
import type { Fact } from './fact.ts'
import { factsOf } from './facts-of.ts'
import { createState } from './folded-state.ts'
import type { QueueState } from './queue-state.ts'

const SERVICE_LEVEL = { targetMs: 20_000, shortAbandonMs: 5_000 }
const ALL = { fromMs: START_MS, toMs: Infinity }

/** One stay in q1: entered, left so much later with an outcome; without one it goes on. */
function stay(
  n: number,
  enteredMs: number,
  waitedMs?: number,
  outcome?: string,
  queueId = 'q1',
  mediaType: string | null = 'VOICE',
): readonly Fact[] {
  const of = `c${n}`
  const session = { sessionId: `s${n}`, participantId: `p${n}`, queueId, ...(mediaType === null ? {} : { mediaType }) }
  const customer = { sessionId: `k${n}`, participantId: `x${n}`, mediaType: 'VOICE' }
  return [
    ...told('customer.start', enteredMs, customer, of),
    ...told('acd.start', enteredMs, session, of),
    ...(waitedMs === undefined ? [] : told('acd.end', enteredMs + waitedMs, { ...session, acdOutcome: outcome, answeredUserId: 'u1' }, of)),
  ]
}

function queueOf(facts: readonly Fact[], asOfMs: number, interval = ALL, queueId = 'q1'): QueueState | undefined {
  const state = createState({ serviceLevel: () => SERVICE_LEVEL })
  state.apply(facts, Infinity)
  return state.queues(START_MS + asOfMs, interval).find((queue) => queue.queueId === queueId)
}

test('the figures of a queue, with a service level worked out by hand', () => {
  const facts = [
    ...stay(1, 0, 10_000, 'ANSWERED'),
    ...stay(2, 0, 20_000, 'ANSWERED'),
    ...stay(3, 1_000, 30_000, 'ANSWERED'),
    ...stay(4, 1_000, 4_999, 'ABANDON'),
    ...stay(5, 1_000, 5_000, 'ABANDON'),
    ...stay(6, 2_000, 9_000, 'FLOW_OUT'),
    ...stay(7, 3_000, 9_000, 'TELEPORTED'),
    ...stay(8, 40_000),
    ...stay(9, 45_000),
    ...stay(10, 50_000, 1_000, 'ANSWERED', 'q2'),
  ]
  const queue = queueOf(facts, 60_000)!
  assert.deepEqual([queue.waiting, queue.longestWaitSinceMs, queue.longestWaitMs], [2, START_MS + 40_000, 20_000])
  const { entered, answered, answeredInTime, abandoned, abandonedShort, flowedOut, leftOtherwise, serviceLevel } = queue.interval
  assert.deepEqual([entered, answered, answeredInTime, abandoned, abandonedShort, flowedOut, leftOtherwise], [9, 3, 2, 2, 1, 1, 1])
  // Two in time, of three answers and two who gave up, one of them so soon that it does not count.
  assert.equal(serviceLevel, 2 / (3 + 2 - 1))
  assert.deepEqual([queue.interval.averageAnswerMs, queue.interval.longestAnswerMs], [20_000, 30_000])
  assert.equal(Math.round(queue.interval.arrivalsPerHour ?? 0), 540)
})

test('an interval counts who entered in it, and who left in it', () => {
  const facts = [...stay(1, 0, 30_000, 'ANSWERED'), ...stay(2, 20_000, 20_000, 'ABANDON')]
  const of = (fromMs: number, toMs: number): readonly number[] => {
    const { entered, answered, abandoned } = queueOf(facts, 100_000, { fromMs: START_MS + fromMs, toMs: START_MS + toMs })!.interval
    return [entered, answered, abandoned]
  }
  assert.deepEqual(of(0, 20_000), [1, 0, 0])
  assert.deepEqual(of(20_000, 40_000), [1, 1, 0])
  assert.deepEqual(of(40_000, 60_000), [0, 0, 1])
  assert.equal(queueOf(facts, 100_000, { fromMs: START_MS + 70_000, toMs: START_MS + 80_000 })!.interval.serviceLevel, null)
})

test('as of an instant nothing counts that came later', () => {
  const facts = stay(1, 10_000, 10_000, 'ANSWERED')
  assert.equal(queueOf(facts, 9_999), undefined)
  const waiting = queueOf(facts, 15_000)!
  assert.deepEqual([waiting.waiting, waiting.longestWaitMs, waiting.interval.answered, waiting.interval.entered], [1, 5_000, 0, 1])
  assert.deepEqual([queueOf(facts, 20_000)!.waiting, queueOf(facts, 20_000)!.interval.answered], [0, 1])
})

test('interacting: legs that are more than ringing, on behalf of the queue', () => {
  const agent = { sessionId: 'sa', participantId: 'pa', queueId: 'q1', userId: 'u1' }
  const ringing = [
    ...told('user.start', 1_000, agent, 'c1'),
    ...told('state', 1_000, { ...agent, conversationId: 'c1', currentState: 'ALERT' }),
  ]
  assert.equal(queueOf([...stay(1, 0), ...ringing], 2_000)?.interacting, 0)
  const talking = [...ringing, ...told('state', 3_000, { ...agent, conversationId: 'c1', currentState: 'INTERACT' })]
  assert.equal(queueOf(talking, 4_000)?.interacting, 1)
  assert.equal(queueOf(talking, 2_000), undefined)
  assert.equal(queueOf([...talking, ...told('user.end', 9_000, agent, 'c1')], 9_000)?.interacting ?? 0, 0)
  const consult = { sessionId: 'sb', participantId: 'pb', userId: 'u2', conversationId: 'c1' }
  const both = [...talking, ...told('user.start', 3_500, consult, 'c1'), ...told('state', 3_600, { ...consult, currentState: 'INTERACT' })]
  assert.equal(queueOf(both, 4_000)?.interacting, 1)
  // Nobody tells the states of agents: who answered the queue is connected.
  assert.equal(queueOf([...stay(1, 0, 2_000, 'ANSWERED'), ...told('user.start', 1_000, agent, 'c1')], 3_000)?.interacting, 1)
})

test('members, from queue membership and activity, whichever is newer', () => {
  const member = (atMs: number, user: string, joined: boolean): readonly Fact[] => {
    const body = { id: user, user: { id: user }, queueId: 'q1', joined }
    return factsOf(eventWith('v2.routing.queues.{id}.users', 'q1', body, START_MS + atMs), body)
  }
  const routing = (atMs: number, user: string, status: string): readonly Fact[] => {
    const body = { id: user, routingStatus: { status, startTime: new Date(START_MS + atMs).toISOString() } }
    return factsOf(eventWith('v2.users.{id}.routingStatus', user, body, START_MS + atMs), body)
  }
  const active = (atMs: number, user: string, activeQueueIds: readonly string[]): readonly Fact[] => {
    const body = { id: user, activeQueueIds, dateActiveQueuesChanged: new Date(START_MS + atMs).toISOString() }
    return factsOf(eventWith('v2.users.{id}.activity', user, body, START_MS + atMs), body)
  }
  const facts = [
    ...member(1_000, 'u1', true),
    ...routing(1_000, 'u1', 'IDLE'),
    ...member(1_000, 'u2', true),
    ...routing(1_000, 'u2', 'OFF_QUEUE'),
    ...active(3_000, 'u3', ['q1', 'q2']),
    ...member(4_000, 'u3', false),
    ...member(2_000, 'u4', true),
    ...active(3_000, 'u4', []),
  ]
  const queue = queueOf(facts, 10_000)
  assert.deepEqual([queue?.members, queue?.onQueue], [2, 1])
  assert.deepEqual([queueOf(facts, 3_500)?.members, queueOf(facts, 10_000, ALL, 'q2')?.members], [3, 1])
})

test('each stay is held to the target of its medium, in its queue', () => {
  const asked: (string | null)[][] = []
  const targets: Readonly<Record<string, number>> = { 'q1 VOICE': 10_000, 'q1 EMAIL': 100_000 }
  const state = createState({
    serviceLevel: (queueId, mediaType) => {
      asked.push([queueId, mediaType])
      return { targetMs: targets[`${queueId} ${mediaType}`] ?? 50_000, shortAbandonMs: 0 }
    },
  })
  for (const [n, mediaType] of ['VOICE', 'EMAIL', 'CHAT', null].entries())
    for (const [m, waitedMs] of [9_000, 11_000, 60_000, 200_000].entries())
      state.apply(stay(10 * n + m, 0, waitedMs, 'ANSWERED', 'q1', mediaType), Infinity)
  state.apply(stay(90, 0, 11_000, 'ANSWERED', 'q2', 'VOICE'), Infinity)
  const [q1, q2] = state.queues(START_MS + 300_000, ALL)
  // 1 of VOICE, 3 of EMAIL, 2 of CHAT, 2 of none.
  assert.deepEqual([q1?.interval.answered, q1?.interval.answeredInTime, q1?.interval.serviceLevel], [16, 8, 0.5])
  assert.deepEqual([q2?.interval.answeredInTime, q2?.interval.serviceLevel], [1, 1])
  assert.deepEqual(new Set(asked.map(String)), new Set(['q1,VOICE', 'q1,EMAIL', 'q1,CHAT', 'q1,', 'q2,VOICE']))
})
