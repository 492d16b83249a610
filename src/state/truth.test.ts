/** The state folded from the simulated centre's events is the centre's own truth, exactly: at the end and in between, whatever happens to the events on the way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { play, sideBySide, type Played, type Told } from '../testing/simulated-state.ts'
import { Shelf } from '../testing/state-shelf.ts'
import { createState } from './folded-state.ts'
import type { State, StateOptions } from './state.ts'

const HOUR_MS = 3_600_000
const DISORDER_MS = 30_000
/** Genesys publishes some moments after the fact: what is true at an instant has been told by then. */
const TOLD_WITHIN_MS = 1_000
const SEED = 20_260_302

const busy = play({ agents: 40, queues: 4, conversationsPerHour: 260, durationMs: 2 * HOUR_MS, noisyQueuePerSecond: 1 }, 900)
const { told, truths } = busy

test('the centre is worth folding', () => {
  const end = truths.at(-1)!
  assert.ok(told.length > 15_000 && truths.length > 15 && end.conversations.length > 1_000)
  const legs = end.conversations.flatMap(({ agentLegs }) => agentLegs)
  const open = truths.flatMap(({ conversations }) => conversations).filter(({ endedAtMs }) => endedAtMs === null)
  assert.ok(legs.some(({ heldMs }) => heldMs > 0) && legs.some(({ acwMs }) => acwMs > 0) && open.length > 100)
  assert.ok(truths.some(({ queues }) => queues.some(({ waiting, interacting }) => waiting > 0 && interacting > 0)))
  // Several legs of one participant: e-mails worked on in several actions.
  assert.ok(end.conversations.some(({ agentLegs }) => agentLegs.some((leg, n) => agentLegs[n - 1]?.userId === leg.userId)))
})

test('in order: equal at every instant looked at', () => {
  follow(arrivalsOf(busy, 0, 0), TOLD_WITHIN_MS)
})

test('30 s out of order and 5 % told twice: equal at every instant looked at', () => {
  follow(arrivalsOf(busy, DISORDER_MS, 0.05), DISORDER_MS + TOLD_WITHIN_MS)
})

test('with the snapshots of conversations beside the detail events: equal', () => {
  const played = play({ agents: 20, queues: 3, conversationsPerHour: 150, durationMs: HOUR_MS, snapshots: true }, 700)
  follow(arrivalsOf(played, DISORDER_MS, 0.05), DISORDER_MS + TOLD_WITHIN_MS, played)
})

test('in no order at all: equal at the end', () => {
  const random = randomFrom(SEED)
  const shuffled = told.map((one) => ({ one, at: random() })).sort((a, b) => a.at - b.at)
  const state = createState()
  const now = truths.at(-1)!.atMs + HOUR_MS
  for (const { one } of shuffled) state.apply(one.facts, now)
  assertTrue(state, busy, truths.length - 1)
})

test('killed again and again, restored from what was stored so far, told again from there: equal', () => {
  const arrivals = arrivalsOf(busy, DISORDER_MS, 0.05)
  const shelf = new Shelf()
  const options: Partial<StateOptions> = { stored: true, recall: shelf.recall, rowsAfterBatches: 5 }
  let state = createState(options)
  let committed = 0
  let kills = 0
  const random = randomFrom(SEED)
  for (let n = 0; n < arrivals.length; n++) {
    const { atMs, one } = arrivals[n]!
    state.apply(one.facts, atMs)
    if (random() < 0.005) {
      state.tidy()
      shelf.store(state)
      committed = n + 1
    } else if (random() < 0.0008) {
      kills++
      state = createState(options)
      shelf.restoreInto(state)
      n = committed - 1
    }
  }
  assert.ok(kills > 5)
  assertTrue(state, busy, truths.length - 1)
  const rebuilt = createState()
  for (const { atMs, one } of arrivals) rebuilt.apply(one.facts, atMs)
  const { atMs } = truths.at(-1)!
  assert.deepEqual(allOf(state, atMs), allOf(rebuilt, atMs), 'as rebuilt from the log')
})

test('without the states of agents: conversations that are over are equal still', () => {
  const played = play(
    {
      agents: 20,
      queues: 3,
      conversationsPerHour: 150,
      durationMs: HOUR_MS,
      wants: (topic) => topic !== 'v2.detail.events.agent.{id}.state',
    },
    Infinity,
  )
  const state = createState()
  for (const { atMs, one } of arrivalsOf(played, DISORDER_MS, 0.05)) state.apply(one.facts, atMs)
  const end = played.truths[0]!
  const conversations = end.conversations.filter(({ endedAtMs }) => endedAtMs !== null && end.atMs - endedAtMs > 60_000)
  assert.ok(conversations.length > 100)
  const both = sideBySide(state, { ...end, conversations })
  assert.deepEqual(both.state, both.truth)
})

type Arrival = { readonly atMs: number; readonly one: Told }

/** When events arrive: in their order but for so much disorder, some of them twice. */
function arrivalsOf({ told }: Played, disorderMs: number, twice: number): readonly Arrival[] {
  const random = randomFrom(SEED)
  const arrivals: Arrival[] = []
  for (const one of told) {
    for (let times = random() < twice ? 2 : 1; times > 0; times--) arrivals.push({ atMs: one.publishedAtMs + random() * disorderMs, one })
  }
  return arrivals.sort((a, b) => a.atMs - b.atMs)
}

/** Applies what arrives, and compares as of every truth as soon as all of it has been told. */
function follow(arrivals: readonly Arrival[], toldWithinMs: number, played: Played = busy): void {
  const state = createState()
  let next = 0
  played.truths.forEach(({ atMs }, n) => {
    for (; next < arrivals.length && arrivals[next]!.atMs <= atMs + toldWithinMs; next++)
      state.apply(arrivals[next]!.one.facts, arrivals[next]!.atMs)
    state.tidy()
    assertTrue(state, played, n)
  })
  const { tooLate, ahead, lost } = state.stats
  assert.deepEqual({ tooLate, ahead, lost }, { tooLate: 0, ahead: 0, lost: 0 })
}

function assertTrue(state: State, { truths }: Played, n: number): void {
  const both = sideBySide(state, truths[n]!)
  assert.deepEqual(both.state, both.truth, `truth ${n} of ${truths.length}`)
}

function allOf(state: State, asOfMs: number): object {
  state.tidy()
  return {
    conversations: state.conversations({ max: Infinity }, asOfMs),
    agents: state.agents(asOfMs),
    queues: state.queues(asOfMs, { fromMs: 0, toMs: Infinity }),
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
