import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventWith, START_MS, told } from '../testing/state-events.ts'
import { Shelf } from '../testing/state-shelf.ts'
import type { Fact } from './fact.ts'
import { factsOf } from './facts-of.ts'
import { createState } from './folded-state.ts'
import type { State } from './state.ts'

const HOUR_MS = 3_600_000
const DAY = { fromMs: 0, toMs: Infinity }
const CUSTOMER = { sessionId: 'sc', participantId: 'pc', mediaType: 'VOICE' }
const start = (id: string, atMs: number, more: object = {}): readonly Fact[] => told('customer.start', atMs, { ...CUSTOMER, ...more }, id)
const end = (id: string, atMs: number): readonly Fact[] => told('customer.end', atMs, CUSTOMER, id)
const queued = (id: string, atMs: number): readonly Fact[] =>
  told('acd.start', atMs, { sessionId: 'sq', queueId: 'q1', mediaType: 'VOICE' }, id)
const legOf = (id: string, atMs: number, userId: string): readonly Fact[] =>
  told('user.start', atMs, { sessionId: `s-${userId}`, userId, queueId: 'q1' }, id)
const presence = (userId: string, atMs: number, systemPresence: string): readonly Fact[] => {
  const body = { presenceDefinition: { systemPresence }, modifiedDate: new Date(START_MS + atMs).toISOString() }
  return factsOf(eventWith('v2.users.{id}.presence', userId, body, START_MS + atMs), body)
}
const feed = (state: State, ...facts: readonly (readonly Fact[])[]): void => facts.forEach((some) => state.apply(some, Infinity))

test('facts dated ahead of the clock are refused, counted, and move no time', () => {
  const state = createState({ skewMs: 60_000 })
  state.apply(start('c1', 0), START_MS)
  state.apply(told('attributes', 61_000, { attributes: { a: '1' } }), START_MS)
  const far = factsOf(eventWith('v2.detail.events.conversation.{id}.customer.end', 'c1', CUSTOMER, null, Date.UTC(2099, 0, 1)), CUSTOMER)
  assert.equal(far.length, 1)
  state.apply(far, START_MS)
  assert.deepEqual([state.stats.ahead, state.newestAtMs], [2, START_MS])
  state.apply(told('attributes', 60_000, { attributes: { a: '1' } }), START_MS)
  assert.deepEqual([state.stats.applied, state.newestAtMs], [2, START_MS + 60_000])
  assert.equal(state.conversation('c1', START_MS + 70_000)?.open, true)
})

test('what is told again changes nothing, and is counted', () => {
  const state = createState()
  feed(state, start('c1', 0), start('c1', 0), end('c1', 1_000), start('c1', 0))
  assert.deepEqual([state.stats.applied, state.stats.repeated], [2, 2])
})

test('a clock that goes back is no matter: time comes from the facts', () => {
  const state = createState()
  state.apply(start('c1', 10_000), START_MS + 10_000)
  state.apply(start('c2', 5_000), START_MS)
  state.apply(end('c1', 6_000), START_MS - HOUR_MS)
  assert.deepEqual([state.stats.ahead, state.newestAtMs, state.stats.conversations], [1, START_MS + 10_000, 2])
})

test('closed for longer than the horizon: frozen, and what comes then is too late', () => {
  const state = createState({ horizonMs: HOUR_MS })
  feed(state, start('old', 0), queued('old', 0), end('old', 1_000), start('open', 0), start('new', HOUR_MS))
  state.tidy()
  assert.equal(state.stats.frozen, 0)
  feed(state, told('acw', 30_000, { sessionId: 'sa', wrapupCode: 'w' }, 'old'), start('new', 2 * HOUR_MS + 1_000))
  state.tidy()
  assert.deepEqual([state.stats.frozen, state.conversation('old', Infinity), state.completeSinceMs], [1, null, START_MS + 30_001])
  const before = JSON.stringify([state.conversations({ max: 9 }, START_MS + 3 * HOUR_MS), state.queues(START_MS + 3 * HOUR_MS, DAY)])
  feed(state, told('acw', 40_000, { sessionId: 'sa', wrapupCode: 'w' }, 'old'), start('never seen', 1_000))
  assert.equal(state.stats.tooLate, 2)
  assert.equal(JSON.stringify([state.conversations({ max: 9 }, START_MS + 3 * HOUR_MS), state.queues(START_MS + 3 * HOUR_MS, DAY)]), before)
  // What is still open takes everything, however old.
  feed(state, end('open', 5_000))
  assert.equal(state.conversation('open', START_MS + 3 * HOUR_MS)?.endedAtMs, START_MS + 5_000)
})

test('the verdict "too late" does not depend on whether somebody tidied before', () => {
  const facts = [start('old', 0), end('old', 1_000), start('new', 2 * HOUR_MS), told('acw', 40_000, {}, 'old')]
  const tidied = createState({ horizonMs: HOUR_MS })
  for (const some of facts) {
    tidied.tidy()
    feed(tidied, some)
  }
  const untidied = createState({ horizonMs: HOUR_MS })
  feed(untidied, ...facts)
  assert.deepEqual([tidied.stats.tooLate, untidied.stats.tooLate], [1, 1])
})

test('rows: each entity once however often it changed, until it is written; frozen ones for the last time', () => {
  const shelf = new Shelf()
  const state = createState({ horizonMs: HOUR_MS, stored: true, recall: shelf.recall })
  feed(state, start('c1', 0), end('c1', 1_000), presence('u1', 0, 'AVAILABLE'))
  assert.equal(shelf.store(state, true), 2)
  assert.equal(shelf.store(state, true), 0)
  feed(state, start('c1', 0))
  assert.equal(state.unstored(true).rows.length, 0, 'a repetition is no change')
  feed(state, told('acw', 5_000, {}, 'c1'))
  const batch = state.unstored(true)
  feed(state, told('wrapup', 5_000, {}, 'c1'))
  state.stored(batch)
  assert.equal(state.unstored(true).rows.length, 1, 'changed after the row was made: to be written again')
  assert.equal(shelf.store(state, true), 1)
  feed(state, start('c2', 3 * HOUR_MS))
  state.tidy()
  assert.equal(state.completeSinceMs, START_MS + 5_001, 'as it is stored with the row')
  assert.equal(shelf.store(state), 1, 'the frozen one, at once')
  assert.equal(shelf.store(state, true), 1)
  assert.deepEqual([shelf.rows.get('conversation c1')?.frozen, state.stats.conversations], [true, 1])
  assert.equal(state.conversation('c1', START_MS + HOUR_MS)?.open, false, 'read from its row')
  feed(state, told('acw', 6_000, {}, 'c1'))
  assert.deepEqual([state.stats.tooLate, state.unstored(true).rows.length], [1, 0])
  // A fact that is new, not late: the conversation goes on, with all it had.
  feed(state, start('c1', 3 * HOUR_MS, { sessionId: 'again' }))
  const conversation = state.conversation('c1', START_MS + 4 * HOUR_MS)
  assert.deepEqual([conversation?.open, conversation?.startedAtMs], [true, START_MS])
})

test('an entity that changes often is written seldom: the facts of the batches since are kept, and no longer', () => {
  const shelf = new Shelf()
  const options = { stored: true, recall: shelf.recall, rowsAfterBatches: 4 }
  const state = createState(options)
  const counts: [rows: number, pending: number][] = []
  for (let n = 0; n < 10; n++) {
    feed(state, told('attributes', n, { attributes: { n } }))
    if (n === 5) feed(state, start('c2', n))
    counts.push([shelf.store(state), shelf.facts.length])
    const again = createState(options)
    shelf.restoreInto(again)
    assert.deepEqual(again.conversation('c1', Infinity), state.conversation('c1', Infinity))
  }
  assert.deepEqual(
    counts.map(([rows]) => rows),
    [0, 0, 0, 0, 1, 0, 0, 0, 0, 2],
  )
  assert.deepEqual(
    counts.map(([, pending]) => pending),
    [1, 2, 3, 4, 0, 1, 2, 3, 4, 0],
  )
})

test('facts that nobody stores do not pile up: then rows have them', () => {
  const shelf = new Shelf()
  const state = createState({ stored: true, recall: shelf.recall })
  feed(state, start('c1', 0))
  for (let n = 1; n <= 60_000; n++) feed(state, presence('u1', n, n % 2 === 0 ? 'MEAL' : 'AVAILABLE'))
  assert.equal(shelf.store(state), 2)
  assert.deepEqual(shelf.facts, [])
  feed(state, end('c1', 5))
  assert.deepEqual([shelf.store(state), shelf.facts.length], [0, 1])
})

test('more keys than there is room for: memory is bounded, what goes is counted; with a store nothing is lost', () => {
  const keys = 20_000
  const lossy = createState({ entities: 500 })
  const shelf = new Shelf()
  const safe = createState({ entities: 500, stored: true, recall: shelf.recall })
  for (let n = 0; n < keys; n++) {
    for (const state of [lossy, safe]) feed(state, start(`c${n}`, n), presence('u1', 0, 'AVAILABLE'))
    if (n % 100 === 99) shelf.store(safe)
  }
  for (const state of [lossy, safe]) assert.ok(state.stats.conversations <= 550, `${state.stats.conversations} in memory`)
  assert.ok(lossy.stats.lost > 19_000 && safe.stats.lost === 0 && safe.stats.evicted > 19_000)
  assert.ok(lossy.completeSinceMs > START_MS + 19_000)
  feed(lossy, end('c7', keys))
  feed(safe, end('c7', keys))
  assert.equal(lossy.conversation('c7', Infinity)?.startedAtMs, START_MS + keys, 'begun anew: what it was is lost')
  assert.deepEqual([safe.conversation('c7', Infinity)?.startedAtMs, safe.conversation('c7', Infinity)?.open], [START_MS + 7, false])
  assert.ok(lossy.agent('u1', Infinity) !== null, 'conversations go before agents')
})

test('an entity with a million events: bounded, its beginning and its newest kept, and it says so', () => {
  const state = createState()
  feed(state, start('c1', 0, { externalContactId: 'e1' }))
  const before = process.memoryUsage().heapUsed
  for (let n = 1; n <= 1_000_000; n++) {
    const at = n % 2 === 0 ? n : 1_000_000 - n
    const of = { of: 'c1', atMs: START_MS + at }
    const fact: Fact =
      n % 3 === 0
        ? { kind: 'attribute', ...of, participantId: 'p1', name: `a${at % 100}`, value: String(at) }
        : n % 3 === 1
          ? {
              kind: 'phase',
              ...of,
              sessionId: 'sa',
              userId: 'u1',
              queueId: 'q1',
              mediaType: 'VOICE',
              state: at % 4 < 2 ? 'HOLD' : 'INTERACT',
              sessionStartMs: null,
            }
          : {
              kind: 'wrapup',
              ...of,
              sessionId: 'sa',
              participantId: null,
              userId: 'u1',
              queueId: null,
              wrapupCode: `w${at}`,
              durationMs: null,
            }
    state.apply([fact], Infinity)
  }
  const [row] = [...state.snapshot()]
  assert.ok(row!.chunk.length < 200_000, `${row!.chunk.length} bytes`)
  assert.ok(process.memoryUsage().heapUsed - before < 200 * 2 ** 20)
  const conversation = state.conversation('c1', Infinity)!
  assert.deepEqual([conversation.startedAtMs, conversation.externalContactId, conversation.gaveUp], [START_MS, 'e1', true])
  assert.equal(state.stats.gaveUp, 1)
  assert.equal(Object.keys(conversation.attributes).length, 100)
  const newest = Math.max(...Object.values(conversation.attributes).map(Number))
  assert.ok(newest > 999_000)
})

test('changes: what changed and what it touches, once, as it is now', () => {
  const state = createState()
  const asOfMs = START_MS + 60_000
  feed(state, start('c1', 0), queued('c1', 1_000), presence('u1', 0, 'ON_QUEUE'))
  const first = state.changes(asOfMs, DAY, 100)
  assert.deepEqual(
    [
      first.conversations.map(({ id }) => id),
      first.agents.map(({ userId }) => userId),
      first.queues.map(({ queueId, waiting }) => [queueId, waiting]),
    ],
    [['c1'], ['u1'], [['q1', 1]]],
  )
  assert.deepEqual(state.changes(asOfMs, DAY, 100), { conversations: [], agents: [], queues: [], more: false })
  // The agent is in it now; the queue's figures change with the end of the conversation.
  feed(state, legOf('c1', 5_000, 'u1'))
  assert.deepEqual(
    state.changes(asOfMs, DAY, 100).agents.map(({ conversationIds }) => conversationIds),
    [['c1']],
  )
  feed(state, end('c1', 9_000))
  const last = state.changes(asOfMs, DAY, 100)
  assert.deepEqual([last.conversations[0]?.open, last.queues[0]?.waiting], [false, 0])
  feed(state, start('c2', 0), start('c3', 0))
  assert.deepEqual([state.changes(asOfMs, DAY, 1).more, state.changes(asOfMs, DAY, 1).more], [true, false])
})

test('what is restored is no change, and is not written again; time goes on from there', () => {
  const before = createState({ stored: true })
  feed(before, start('c1', 0), presence('u1', 0, 'MEAL'))
  const rows = [...before.snapshot()]
  const state = createState({ stored: true })
  for (const { chunk } of rows) assert.ok(state.restore(chunk))
  assert.deepEqual([state.unstored(true).rows, state.changes(START_MS, DAY, 9).conversations, state.newestAtMs], [[], [], START_MS])
  state.resume({ newestAtMs: START_MS + 7, completeSinceMs: START_MS + 5 })
  assert.deepEqual([state.newestAtMs, state.completeSinceMs], [START_MS + 7, START_MS + 5])
  // Into a state that knows something else of it: both together, and that is a change.
  feed(state, end('c1', 9_000))
  assert.ok(state.restore(rows[0]!.chunk))
  assert.equal(state.conversation('c1', Infinity)?.open, false)
  assert.equal(state.restore('{"v":2}'), false)
  assert.equal(state.stats.unreadable, 1)
})

test('lists: open ones, closed ones, silent ones', () => {
  const state = createState()
  feed(state, start('c1', 0), start('c2', 1_000), end('c2', 5_000), start('c3', 2_000), end('c3', 3_000), start('c4', 8_000))
  const asOfMs = START_MS + 10_000
  const ids = (filter: Parameters<State['conversations']>[0], at = asOfMs): readonly string[] =>
    state.conversations(filter, at).map(({ id }) => id)
  assert.deepEqual(ids({ open: true, max: 9 }), ['c4', 'c1'])
  assert.deepEqual(ids({ open: false, max: 9 }), ['c3', 'c2'])
  assert.deepEqual(ids({ closedSinceMs: START_MS + 4_000, max: 9 }), ['c2'])
  assert.deepEqual(ids({ open: true, max: 9 }, START_MS + 2_500), ['c3', 'c2', 'c1'])
  assert.deepEqual(ids({ max: 1 }), ['c4'])
  assert.deepEqual(
    state.closedSince(START_MS, 9).map(({ id }) => id),
    ['c3', 'c2'],
  )
  assert.deepEqual(state.silentSince(START_MS + 8_000, 9), [{ id: 'c1', newestAtMs: START_MS }])
})

test('closed, but an agent has not left by what is known: not silent, and not finished', () => {
  const state = createState()
  feed(state, start('c1', 0), start('c2', 0), legOf('c2', 1_000, 'u1'), end('c2', 2_000), start('c3', 0), end('c3', 2_000))
  const ids = (list: readonly { readonly id: string }[]): readonly string[] => list.map(({ id }) => id)
  assert.deepEqual(ids(state.silentSince(START_MS + 9_000, 9)), ['c1'])
  assert.deepEqual(ids(state.unfinishedSince(START_MS + 9_000, 9)), ['c1', 'c2'])
  assert.deepEqual(ids(state.unfinishedSince(START_MS + 1_000, 9)), ['c1'])
})

test('an agent as of an instant: presence and routing since when, and conversations', () => {
  const state = createState()
  feed(state, presence('u1', 0, 'AVAILABLE'), presence('u1', 5_000, 'ON_QUEUE'), start('c1', 6_000), legOf('c1', 7_000, 'u1'))
  const agent = state.agent('u1', START_MS + 9_000)
  assert.deepEqual([agent?.presence, agent?.presenceSinceMs, agent?.presenceMs], ['ON_QUEUE', START_MS + 5_000, 4_000])
  assert.deepEqual([agent?.routingStatus, agent?.conversationIds], [null, ['c1']])
  assert.deepEqual([state.agent('u1', START_MS + 2_000)?.presence, state.agent('u1', START_MS + 6_500)?.conversationIds], ['AVAILABLE', []])
  feed(state, legOf('c1', 8_000, 'u2'))
  assert.deepEqual(
    state.agents(START_MS + 9_000).map(({ userId }) => userId),
    ['u1', 'u2'],
    'also who is known from a conversation only',
  )
  assert.equal(state.agent('nobody', START_MS), null)
})
