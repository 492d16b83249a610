/** An agent by the state beside the same by the API: times decide, and a repair folds to what the API says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import type { UserStatus } from '../genesys/platform.ts'
import type { AgentState } from '../state/agent-state.ts'
import type { Fact } from '../state/fact.ts'
import { factsOf } from '../state/facts-of.ts'
import { createState } from '../state/folded-state.ts'
import { compareAgent } from './agent.ts'
import { recordOf, type Comparison } from './finding.ts'

const NOW_MS = Date.UTC(2026, 7, 14, 12)
const HOUR_MS = 3_600_000
const iso = (ms: number): string => new Date(ms).toISOString()
const ago = (hours: number): number => NOW_MS - hours * HOUR_MS

test('what agrees is no finding; the API and events do not write it alike', () => {
  const here = agent([presence('ON_QUEUE', ago(5)), routing('IDLE', ago(5))])
  assert.deepEqual(compare(here, user('On Queue', ago(5), 'IDLE', ago(5))), [])
  assert.deepEqual(compare(here, user('ON_QUEUE', ago(5) + 1500, 'IDLE', ago(6))), [])
})

test('another status since later is a mismatch; the same since later a gap; both are repaired to what the API says', () => {
  const here = agent([presence('ON_QUEUE', ago(5)), routing('IDLE', ago(5))])
  const found = compare(here, user('Meal', ago(4), 'IDLE', ago(3)))
  assert.deepEqual(
    found.map(({ finding }) => [finding.kind, finding.about, finding.here.value, finding.there.value, finding.obstacle]),
    [
      ['mismatch', 'presence', 'ON_QUEUE', 'MEAL', null],
      ['gap', 'routingStatus', 'IDLE', 'IDLE', null],
    ],
  )
  const after = agent([presence('ON_QUEUE', ago(5)), routing('IDLE', ago(5)), ...found.flatMap(factsIn)])
  assert.deepEqual(
    [after.presence, after.presenceSinceMs, after.presenceDefinitionId, after.routingStatus, after.routingSinceMs],
    ['MEAL', ago(4), 'd-Meal', 'IDLE', ago(3)],
  )
  assert.deepEqual(compare(after, user('Meal', ago(4), 'IDLE', ago(3))), [])
})

test('what nobody has told of is not compared, and a part that the API leaves out neither', () => {
  assert.deepEqual(compare(agent([presence('ON_QUEUE', ago(5))]), { ...user('On Queue', ago(5), 'IDLE', ago(1)) }), [])
  assert.deepEqual(compare(agent([presence('ON_QUEUE', ago(5))]), { id: 'u-1', presence: null, routingStatus: null }), [])
})

test('an answer older than what came meanwhile is none; one that is older for no such reason is told and not repaired', () => {
  const here = agent([routing('INTERACTING', NOW_MS - 1000)])
  assert.deepEqual(compare(here, user('Meal', ago(5), 'IDLE', ago(5))), [])
  const [old] = compare(agent([routing('INTERACTING', ago(2))]), user('Meal', ago(5), 'IDLE', ago(5)))
  assert.deepEqual([old?.finding.kind, old?.finding.obstacle, old?.repairs], ['mismatch', 'newer_here', []])
})

test('what has changed just now may still be on its way as an event', () => {
  const here = agent([routing('IDLE', ago(5))])
  assert.deepEqual(compare(here, user('Meal', ago(5), 'INTERACTING', NOW_MS - 9_000)), [])
  assert.equal(compare(here, user('Meal', ago(5), 'INTERACTING', NOW_MS - 10_000)).length, 1)
})

test('a status without a time cannot be told', () => {
  const [found] = compare(agent([routing('IDLE', ago(5))]), {
    id: 'u-1',
    presence: null,
    routingStatus: { status: 'INTERACTING', startTime: 'now' },
  })
  assert.deepEqual([found?.finding.kind, found?.finding.obstacle, found?.repairs], ['mismatch', 'no_time', []])
})

test('whatever comes, in whatever order: after the repair the state says what the API says, or what is newer', () => {
  const statuses = fc.constantFrom('OFF_QUEUE', 'IDLE', 'INTERACTING', 'NOT_RESPONDING')
  const change = fc.record({ status: statuses, hour: fc.integer({ min: 1, max: 9 }) })
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), change, fc.boolean(), (changes, api, repairFirst) => {
      const facts = changes.map(({ status, hour }) => routing(status, ago(hour)))
      const there = user('Meal', 0, api.status, ago(api.hour) + 5000)
      const repairs = compare(agent(facts), there).flatMap(factsIn)
      const after = agent(repairFirst ? [...repairs, ...facts] : [...facts, ...repairs])
      const newest = Math.max(...facts.map(({ atMs }) => atMs))
      if (ago(api.hour) + 5000 > newest) assert.deepEqual([after.routingStatus, after.routingSinceMs], [api.status, ago(api.hour) + 5000])
      else assert.deepEqual(after, agent(facts))
      assert.deepEqual(
        compare(after, there).filter(({ repairs: more }) => more.length > 0),
        [],
        'nothing is repaired twice',
      )
    }),
    { numRuns: 1000 },
  )
})

function compare(here: AgentState, there: UserStatus): readonly Comparison[] {
  return compareAgent({ here, there, askedAtMs: NOW_MS })
}

function agent(facts: readonly Fact[]): AgentState {
  const state = createState()
  for (const fact of facts) state.apply([fact], NOW_MS)
  const found = state.agent('u-1', NOW_MS)
  assert.ok(found !== null)
  return found
}

function presence(word: string, atMs: number): Fact {
  return { kind: 'presence', of: 'u-1', atMs, presence: word, definitionId: null }
}

function routing(status: string, atMs: number): Fact {
  return { kind: 'routing', of: 'u-1', atMs, status }
}

function user(word: string, presenceMs: number, status: string, routingMs: number): UserStatus {
  return {
    id: 'u-1',
    presence: { systemPresence: word, definitionId: `d-${word}`, modifiedDate: iso(presenceMs) },
    routingStatus: { status, startTime: iso(routingMs) },
  }
}

/** What the repairs of a finding tell, through the record, decoding and folding. */
function factsIn({ finding, repairs }: Comparison): readonly Fact[] {
  return repairs.flatMap((repair) => {
    const [decoded] = decode(Buffer.from(recordOf(repair, finding.kind)), { maxBytes: DEFAULT_MAX_BYTES })
    assert.ok(decoded?.ok)
    assert.deepEqual([decoded.event.marks, decoded.event.keyKind, decoded.event.userId], [['reconcile'], 'semantic', 'u-1'])
    return factsOf({ ...decoded.event, id: 'r', receivedAtMs: NOW_MS, duplicateOf: null, redelivered: false }, repair.body)
  })
}
