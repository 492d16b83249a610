import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventWith, START_MS, told } from '../testing/state-events.ts'
import type { ConversationState } from './conversation-state.ts'
import type { Fact } from './fact.ts'
import { factsOf } from './facts-of.ts'
import { createState } from './folded-state.ts'

const CUSTOMER = {
  sessionId: 'sc',
  participantId: 'pc',
  mediaType: 'VOICE',
  direction: 'INBOUND',
  ani: 'tel:+15550001',
  dnis: 'tel:+15550002',
}
const QUEUED = { sessionId: 'sq', participantId: 'pq', mediaType: 'VOICE', queueId: 'q1' }
const AGENT = { sessionId: 'sa', participantId: 'pa', mediaType: 'VOICE', queueId: 'q1', userId: 'u1' }

/** A call answered by u1 after 5 s, held once, over after 60 s, written up for 10 s. */
const CALL: readonly (readonly Fact[])[] = [
  told('customer.start', 0, { ...CUSTOMER, externalContactId: 'e1' }),
  told('flow.start', 100, { sessionId: 'sf', participantId: 'pf', mediaType: 'VOICE', flowId: 'f1', flowType: 'INBOUNDCALL' }),
  told('flow.end', 1_000, { sessionId: 'sf', participantId: 'pf', flowId: 'f1', connectedDurationMs: 900, exitReason: 'TRANSFER' }),
  told('flow.outcome', 30_000, { sessionId: 'sf', flowId: 'f1', flowOutcomeId: 'o1', flowOutcomeValue: 'SUCCESS' }),
  told('acd.start', 1_000, QUEUED),
  told('user.start', 4_000, AGENT),
  told('state', 4_000, { ...AGENT, currentState: 'ALERT', sessionStart: START_MS + 4_000 }),
  told('acd.end', 6_000, { ...QUEUED, acdOutcome: 'ANSWERED', answeredUserId: 'u1', connectedDurationMs: 5_000 }),
  told('state', 6_000, { ...AGENT, currentState: 'INTERACT' }),
  told('attributes', 7_000, { participantId: 'pa', attributes: { Case: '17' } }),
  told('state', 20_000, { ...AGENT, currentState: 'HOLD' }),
  told('state', 25_000, { ...AGENT, currentState: 'INTERACT' }),
  told('customer.end', 60_000, { ...CUSTOMER, disconnectType: 'ENDPOINT' }),
  told('user.end', 61_000, {
    ...AGENT,
    disconnectType: 'PEER',
    alertingDurationMs: 2_000,
    interactingDurationMs: 50_000,
    heldDurationMs: 5_000,
  }),
  told('state', 61_000, { ...AGENT, currentState: 'WRAPUP' }),
  told('wrapup', 71_000, { ...AGENT, wrapupCode: 'w1', wrapupDurationMs: 10_000 }),
  told('acw', 71_000, { ...AGENT, wrapupCode: 'w1', wrapupDurationMs: 10_000 }),
  told('state', 71_000, { ...AGENT, currentState: 'TERMINATED' }),
]

function at(events: readonly (readonly Fact[])[], atMs: number): ConversationState {
  const state = createState()
  state.apply(events.flat(), Infinity)
  const conversation = state.conversation('c1', START_MS + atMs)
  assert.ok(conversation !== null)
  return conversation
}

test('a call from beginning to end', () => {
  const state = at(CALL, 100_000)
  assert.equal(state.open, false)
  assert.deepEqual([state.startedAtMs, state.endedAtMs, state.closedBy], [START_MS, START_MS + 61_000, 'customer.end'])
  assert.deepEqual([state.mediaType, state.direction, state.from, state.to], ['VOICE', 'INBOUND', 'tel:+15550001', 'tel:+15550002'])
  assert.deepEqual([state.outcome, state.wrapupCode, state.externalContactId, state.agentsAtWork], ['handled', 'w1', 'e1', 0])
  assert.deepEqual(state.attributes, { Case: '17' })
  assert.deepEqual(
    state.participants.map(({ purpose, userId }) => [purpose, userId]),
    [
      ['customer', null],
      ['ivr', null],
      ['acd', null],
      ['agent', 'u1'],
    ],
  )
  assert.deepEqual(state.participants[3]?.attributes, { Case: '17' })
  const [visit] = state.queueVisits
  assert.deepEqual([visit?.queueId, visit?.waitMs, visit?.outcome, visit?.answeredUserId], ['q1', 5_000, 'ANSWERED', 'u1'])
  const [leg] = state.agentLegs
  assert.deepEqual(
    [leg?.alertMs, leg?.talkMs, leg?.holdMs, leg?.acwMs, leg?.state, leg?.disconnectType],
    [2_000, 50_000, 5_000, 10_000, 'TERMINATED', 'PEER'],
  )
  assert.equal(leg?.connectedAtMs, START_MS + 6_000)
  assert.deepEqual(state.flows[0]?.outcomes, [{ outcomeId: 'o1', value: 'SUCCESS' }])
})

test('as of instants in the middle, whatever is known of later', () => {
  const waiting = at(CALL, 5_000)
  assert.deepEqual([waiting.open, waiting.queueVisits[0]?.waitMs, waiting.queueVisits[0]?.outcome], [true, 4_000, null])
  assert.deepEqual(
    [waiting.agentLegs[0]?.state, waiting.agentLegs[0]?.alertMs, waiting.agentLegs[0]?.connectedAtMs],
    ['ALERT', 1_000, null],
  )
  assert.deepEqual([waiting.attributes, waiting.wrapupCode, waiting.endedAtMs, waiting.outcome], [{}, null, null, null])
  const held = at(CALL, 23_000).agentLegs[0]
  assert.deepEqual([held?.state, held?.talkMs, held?.holdMs], ['HOLD', 14_000, 3_000])
  const hungUp = at(CALL, 60_500)
  assert.deepEqual([hungUp.open, hungUp.endedAtMs, hungUp.agentsAtWork], [false, START_MS + 60_000, 1])
  const writing = at(CALL, 65_000)
  assert.deepEqual([writing.agentLegs[0]?.state, writing.agentLegs[0]?.acwMs, writing.agentsAtWork], ['WRAPUP', 4_000, 1])
})

test('every event but one: what is lost is worked out where it can be', () => {
  const without = (n: number): ConversationState => at(CALL.toSpliced(n, 1), 100_000)
  // customer.start: the rest of the conversation stands; it began with what is known first.
  assert.equal(without(0).startedAtMs, START_MS + 100)
  // acd.start, user.start: their ends say how long it took.
  assert.equal(without(4).queueVisits[0]?.enteredAtMs, START_MS + 1_000)
  const leg = without(5).agentLegs[0]
  assert.deepEqual([leg?.startedAtMs, leg?.talkMs], [START_MS + 4_000, 50_000])
  // acd.end: the caller has left the queue with the conversation, nobody knows how.
  const visit = without(7).queueVisits[0]
  assert.deepEqual([visit?.leftAtMs, visit?.outcome], [START_MS + 61_000, null])
  // user.end: an agent who writes up is out of it; the time was spent as the states say.
  const unended = without(13)
  assert.deepEqual(
    [unended.agentLegs[0]?.endedAtMs, unended.agentLegs[0]?.talkMs, unended.agentLegs[0]?.holdMs],
    [START_MS + 61_000, 50_000, 5_000],
  )
  // customer.end: open, until somebody says otherwise.
  assert.equal(without(12).open, true)
})

test('an e-mail worked on in several actions has several legs, also in one session', () => {
  const mail = { ...AGENT, mediaType: 'EMAIL' }
  for (const sessions of [
    ['s1', 's2', 's3'],
    ['s1', 's1', 's1'],
  ]) {
    const events = [
      told('customer.start', 0, { ...CUSTOMER, mediaType: 'EMAIL' }),
      ...sessions.flatMap((sessionId, n) => [
        told('user.start', 1_000 + n * 10_000, { ...mail, sessionId }),
        told('user.end', 10_000 + n * 10_000, { ...mail, sessionId, interactingDurationMs: 9_000 + n, heldDurationMs: 0 }),
      ]),
    ]
    for (const order of [events, [...events].reverse(), [...events, ...events]]) {
      const { agentLegs, participants } = at(order, 60_000)
      assert.deepEqual(
        agentLegs.map(({ startedAtMs, talkMs }) => [startedAtMs - START_MS, talkMs]),
        [
          [1_000, 9_000],
          [11_000, 9_001],
          [21_000, 9_002],
        ],
      )
      assert.equal(participants.filter(({ purpose }) => purpose === 'agent').length, 1)
    }
  }
})

test('a start while the session is under way begins nothing, and a second end moves the first', () => {
  const events = [
    told('customer.start', 0, CUSTOMER),
    told('user.start', 1_000, AGENT),
    told('user.start', 2_000, AGENT),
    told('user.end', 9_000, { ...AGENT, interactingDurationMs: 8_000 }),
    told('user.end', 9_500, { ...AGENT, interactingDurationMs: 8_500 }),
  ]
  assert.deepEqual(
    at(events, 60_000).agentLegs.map(({ startedAtMs, endedAtMs, talkMs }) => [startedAtMs - START_MS, endedAtMs, talkMs]),
    [[1_000, START_MS + 9_500, 8_500]],
  )
})

test('who asks to be called back is no longer on the line, and the conversation goes on', () => {
  const callback = { ...QUEUED, sessionId: 'sq2', mediaType: 'CALLBACK' }
  const events = [
    told('customer.start', 0, CUSTOMER),
    told('acd.start', 1_000, QUEUED),
    told('acd.end', 9_000, { ...QUEUED, acdOutcome: 'FLOW_OUT' }),
    told('customer.end', 9_000, CUSTOMER),
    told('acd.start', 9_500, callback),
  ]
  const waiting = at(events, 60_000)
  assert.deepEqual([waiting.open, waiting.queueVisits[1]?.leftAtMs], [true, null])
  const done = at([...events, told('acd.end', 50_000, { ...callback, acdOutcome: 'FLOW_OUT' })], 60_000)
  assert.deepEqual([done.open, done.closedBy, done.outcome], [false, 'acd.end', 'unhandled'])
})

test('a caller who hangs up while waiting has abandoned; a second session opens it again', () => {
  const events = [
    told('customer.start', 0, CUSTOMER),
    told('acd.start', 1_000, QUEUED),
    told('acd.end', 9_000, { ...QUEUED, acdOutcome: 'ABANDON' }),
    told('customer.end', 9_000, CUSTOMER),
  ]
  assert.deepEqual([at(events, 10_000).outcome, at(events, 10_000).closedBy], ['abandoned', 'customer.end'])
  const again = [...events, told('customer.start', 20_000, { ...CUSTOMER, sessionId: 'sc2' })]
  assert.deepEqual([at(again, 30_000).open, at(again, 10_000).open], [true, false])
})

test('a conversation without a customer ends with the last who is in it', () => {
  const own = { sessionId: 'sa', participantId: 'pa', userId: 'u1', mediaType: 'VOICE', direction: 'OUTBOUND' }
  const events = [told('user.start', 0, own)]
  assert.deepEqual([at(events, 5_000).open, at(events, 5_000).participants[0]?.purpose], [true, 'user'])
  const ended = at([...events, told('user.end', 8_000, { ...own, dialingDurationMs: 8_000, interactingDurationMs: 0 })], 9_000)
  assert.deepEqual([ended.open, ended.closedBy, ended.agentLegs[0]?.dialMs], [false, 'user.end', 8_000])
})

test('who the other party is, is what was found out last', () => {
  const events = [
    told('customer.start', 0, { ...CUSTOMER, externalContactId: 'e1' }),
    told('contact', 5_000, { ...CUSTOMER, externalContactId: 'e2', externalOrganizationId: 'g1' }),
    told('customer.end', 9_000, { ...CUSTOMER, conversationExternalContactIds: ['e3'] }),
  ]
  const { externalContactId, externalOrganizationId } = at(events.reverse(), 10_000)
  assert.deepEqual([externalContactId, externalOrganizationId], ['e3', 'g1'])
  assert.equal(at(events, 6_000).externalContactId, 'e2')
})

test('the newest value of an attribute counts, whichever came first; hostile names are names', () => {
  const set = (atMs: number, participantId: string, attributes: object): readonly Fact[] =>
    told('attributes', atMs, { participantId, attributes })
  const events = [
    told('customer.start', 0, CUSTOMER),
    set(3_000, 'pa', { Case: 'new' }),
    set(1_000, 'pc', { Case: 'old', Language: 'de' }),
    set(2_000, 'pc', JSON.parse('{"__proto__":"x"}') as object),
  ]
  const state = at(events, 5_000)
  assert.deepEqual(Object.entries(state.attributes), [
    ['Case', 'new'],
    ['Language', 'de'],
    ['__proto__', 'x'],
  ])
  assert.equal(Object.getPrototypeOf(state.attributes), Object.prototype)
  assert.equal(state.participants[0]?.attributes['Case'], 'old')
  assert.equal(at(events, 2_500).attributes['Case'], 'old')
})

test('snapshots stand in for detail events that are missing, and only there', () => {
  const communication = (state: string, more: object): object => ({ id: 'sa', state, connectedTime: '2026-03-02T09:00:04Z', ...more })
  const seen = (state: string, more: object = {}): object => ({
    id: 'c1',
    participants: [
      {
        id: 'pc',
        purpose: 'customer',
        address: 'tel:+1',
        calls: [{ id: 'sc', state: 'connected', connectedTime: '2026-03-02T09:00:00Z' }],
      },
      { id: 'pa', purpose: 'agent', userId: 'u1', queueId: 'q1', wrapup: { code: 'w9' }, calls: [communication(state, more)] },
    ],
  })
  const snapshot = (state: string, atMs: number, more: object = {}): readonly Fact[] => {
    const body = seen(state, more) as Record<string, unknown>
    return toldSnapshot(body, START_MS + atMs)
  }
  const alone = at(
    [snapshot('connected', 10_000), snapshot('disconnected', 50_000, { disconnectedTime: '2026-03-02T09:00:45Z', disconnectType: 'peer' })],
    60_000,
  )
  assert.deepEqual([alone.open, alone.startedAtMs, alone.from], [true, START_MS, 'tel:+1'])
  const [leg] = alone.agentLegs
  assert.deepEqual(
    [leg?.startedAtMs, leg?.endedAtMs, leg?.disconnectType, leg?.wrapupCode],
    [START_MS + 4_000, START_MS + 45_000, 'PEER', 'w9'],
  )
  const both = at([...CALL, snapshot('connected', 62_000)], 100_000)
  assert.deepEqual([both.open, both.agentLegs[0]?.endedAtMs, both.wrapupCode], [false, START_MS + 61_000, 'w1'])
})

function toldSnapshot(body: Record<string, unknown>, atMs: number): readonly Fact[] {
  return factsOf(eventWith('v2.users.{id}.conversations', 'u1', body, atMs), body)
}
