/** The law: the same facts in any order, with any repetition, written down and read back at any point, are the same state. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { factsOfSomeTopics, START_MS } from '../testing/state-events.ts'
import type { Fact } from './fact.ts'
import type { FactLimits } from './fact-set.ts'
import { createState } from './folded-state.ts'
import type { State, StateOptions } from './state.ts'

const SETS = 1_000
const SEQUENCES_A_SET = 52
const NOW_MS = START_MS + 60_000
/** So tight that most sets are given up in part. */
const TIGHT: FactLimits = { sessionFacts: 3, oldestFacts: 2, phaseFacts: 2, attributeFacts: 3, snapshotFacts: 2, registerFacts: 1 }

test(`${SETS * SEQUENCES_A_SET} sequences of the same facts: any order, any repetition, snapshots in between`, (t) => {
  const seed = Date.now() & 0x7fff_ffff
  t.diagnostic(`seed ${seed}`)
  let sequences = 0
  let spoken = 0
  fc.assert(
    fc.property(factsOfSomeTopics, fc.boolean(), fc.infiniteStream(fc.nat()), (facts, tight, numbers) => {
      const options: Partial<StateOptions> = tight ? { facts: TIGHT } : {}
      const expected = everything(stateOf(options, facts))
      spoken += facts.length
      const draw = (below: number): number => (numbers.next().value ?? 0) % below
      for (let n = 0; n < SEQUENCES_A_SET; n++) {
        sequences++
        assert.equal(everything(told(options, facts, draw)), expected)
      }
    }),
    { numRuns: SETS, seed },
  )
  assert.ok(sequences >= 50_000 && spoken > 5 * SETS, `${sequences} sequences, ${spoken} facts`)
})

/** Applies the facts in an order of chance, with repetitions, and with the state taken down and set up again. */
function told(options: Partial<StateOptions>, facts: readonly Fact[], draw: (below: number) => number): State {
  const order = facts.slice()
  for (let i = order.length - 1; i > 0; i--) {
    const j = draw(i + 1)
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  let state = stateOf(options, [])
  for (const [n, fact] of order.entries()) {
    state.apply([fact], NOW_MS)
    switch (draw(8)) {
      case 0:
        state.apply([order[draw(n + 1)]!], NOW_MS)
        break
      case 1:
        state = restored(options, state)
        break
      case 2:
        state.tidy()
        break
      case 3:
        // What was worked out in between must not stay.
        state.changes(NOW_MS, { fromMs: 0, toMs: NOW_MS }, 10)
        break
      default:
    }
  }
  return state
}

/** From its rows, some of them twice, into a state that knows some of it already. */
function restored(options: Partial<StateOptions>, state: State): State {
  const rows = [...state.snapshot()]
  const next = stateOf(options, [])
  for (const row of [...rows, ...rows.slice(0, 1)].reverse()) assert.ok(next.restore(row.chunk))
  return next
}

function stateOf(options: Partial<StateOptions>, facts: readonly Fact[]): State {
  const state = createState({ ...options, packAfterMs: 2_000 })
  state.apply(facts, NOW_MS)
  return state
}

/** All that can be asked, as of the end and of an instant in the middle. */
function everything(state: State): string {
  return JSON.stringify(
    [NOW_MS, START_MS + 5_500].map((asOfMs) => ({
      conversations: state.conversations({ max: 100 }, asOfMs),
      agents: state.agents(asOfMs),
      queues: state.queues(asOfMs, { fromMs: START_MS + 2_000, toMs: Infinity }),
      closed: state.closedSince(0, 100),
      silent: state.silentSince(Infinity, 100),
    })),
  )
}
