/** Conversations of the simulated centre of which some events never came, held against what the centre's API says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import { createState } from '../state/folded-state.ts'
import { compare, HOUR_MS, LATER_MS, played, repairsOf, stateOf, TELLABLE } from '../testing/played-conversations.ts'
import { compareConversation } from './conversation.ts'
import { recordOf } from './finding.ts'

const CONVERSATIONS = played()
/** Those that the customer's end closes. */
const CALLS = CONVERSATIONS.filter(
  ({ truth, told }) => !['EMAIL', 'CALLBACK'].includes(truth.mediaType) && told.some(({ kind }) => kind === 'customer.end'),
)

describe('a conversation beside what the API says', () => {
  it('that has been told whole is no finding', () => {
    for (const one of CONVERSATIONS) assert.equal(compare(one, one.told), null, JSON.stringify(one.truth))
  })

  it('of which the end never came is stuck; the repair closes it as the API says, and then there is no finding', () => {
    for (const one of CALLS) {
      const rest = one.told.filter(({ kind }) => kind !== 'customer.end')
      const found = compare(one, rest)
      assert.deepEqual([found?.finding.kind, found?.finding.obstacle, found?.finding.here.value], ['stuck', null, 'open'])
      assert.deepEqual(
        found?.repairs.map(({ topicName }) => topicName),
        [`v2.detail.events.conversation.${one.truth.id}.customer.end`],
      )
      const repaired = [...rest, ...repairsOf(found)]
      assert.deepEqual(stateOf(one, repaired), stateOf(one, one.told))
      assert.equal(compare(one, repaired), null)
    }
  })

  it('whatever never came: it ends up closed when the API says, is found once, and late events make it what it was, in any order', () => {
    let stuck = 0
    let runs = 0
    fc.assert(
      fc.property(fc.nat(CONVERSATIONS.length - 1), fc.infiniteStream(fc.boolean()), fc.infiniteStream(fc.nat()), (n, coins, order) => {
        const one = CONVERSATIONS[n]!
        const missing = one.told.filter(({ kind }) => TELLABLE.test(kind) && coins.next().value === true)
        const rest = one.told.filter((told) => !missing.includes(told))
        const found = compare(one, rest)
        const repairs = repairsOf(found)
        runs++
        if (found?.finding.kind === 'stuck') stuck++
        const repaired = stateOf(one, [...rest, ...repairs])
        if (repaired !== null) {
          assert.deepEqual([repaired.open, repaired.endedAtMs], [false, one.truth.endedAtMs])
          assert.equal(compare(one, [...rest, ...repairs]), null, 'a second look finds nothing')
        }
        // The real events come after all: whatever the order of all of them, the same comes out.
        const all = [...rest, ...repairs, ...missing]
        const late = stateOf(one, all)
        assert.deepEqual(stateOf(one, shuffled(all, order)), late)
        assert.deepEqual(stateOf(one, [...one.told, ...repairs]), late)
        assert.deepEqual(late, stateOf(one, one.told), 'the real events count')
      }),
      { numRuns: 3000 },
    )
    assert.ok(stuck > runs / 4, `${stuck} of ${runs} stuck`)
  })

  it('that is silent for longer than the horizon is still closed, whole, though closed ones take nothing so old', () => {
    const horizonMs = HOUR_MS
    for (const one of CALLS) {
      const state = createState({ horizonMs })
      const ends = /\.end$|^acw$|^wrapup$/
      for (const { kind, facts } of one.told) if (!ends.test(kind)) state.apply(facts, LATER_MS)
      // Somebody else's event, long after.
      state.apply([{ kind: 'routing', of: 'u', atMs: LATER_MS, status: 'IDLE' }], LATER_MS)
      const found = compareConversation({
        here: state.conversation(one.truth.id, LATER_MS),
        there: one.detail,
        askedAtMs: LATER_MS,
        live: [],
        frozenBeforeMs: LATER_MS - horizonMs,
      })
      for (const { facts } of repairsOf(found)) state.apply(facts, LATER_MS)
      assert.equal(state.stats.tooLate, 0)
      const after = state.conversation(one.truth.id, LATER_MS)
      assert.deepEqual([after?.open, after?.endedAtMs, after?.agentsAtWork], [false, one.truth.endedAtMs, 0])
    }
  })
})

describe('what cannot be repaired is said with its reason', () => {
  const one = CALLS[0]!
  const withoutEnd = one.told.filter(({ kind }) => kind !== 'customer.end')

  it('a conversation nobody told of is a gap: it is told, unless the log has it or it is too old', () => {
    const whole = compare(one, [])
    assert.deepEqual([whole?.finding.kind, whole?.finding.here.value], ['gap', null])
    assert.equal(stateOf(one, repairsOf(whole))?.endedAtMs, one.truth.endedAtMs)
    const sides = { here: null, there: one.detail, askedAtMs: LATER_MS, live: [], frozenBeforeMs: -Infinity }
    const live = repairsOf(whole).flatMap(({ kind, facts }) => {
      const [fact] = facts
      const { participantId = null, sessionId = null } = fact as { participantId?: string | null; sessionId?: string }
      return fact === undefined ? [] : [{ kind, participantId, sessionId, occurredAtMs: fact.atMs + 900 }]
    })
    const logged = compareConversation({ ...sides, live })
    assert.deepEqual([logged?.finding.obstacle, logged?.repairs], ['in_the_log', []])
    const old = compareConversation({ ...sides, frozenBeforeMs: LATER_MS })
    assert.deepEqual([old?.finding.obstacle, old?.repairs], ['too_late', []])
  })

  it('one that is over at Genesys without saying of what is closed with the conversation, also a customer it has by another name', () => {
    const bare = { ...one.detail, participants: [] }
    const found = compareConversation({ here: stateOf(one, withoutEnd), there: bare, askedAtMs: LATER_MS, live: [], frozenBeforeMs: 0 })
    assert.equal(found?.finding.kind, 'stuck')
    const closed = stateOf(one, [...withoutEnd, ...repairsOf(found)])
    assert.deepEqual([closed?.open, closed?.closedBy], [false, 'customer.end'])
    assert.equal(closed?.participants[0]?.sessions[0]?.endedAtMs, Date.parse(one.detail.conversationEnd ?? ''))
    const participants = (one.detail.participants ?? []).map((p) => (p.purpose === 'customer' ? { ...p, purpose: 'external' } : p))
    const renamed = compareConversation({
      here: stateOf(one, withoutEnd),
      there: { ...one.detail, participants },
      askedAtMs: LATER_MS,
      live: [],
      frozenBeforeMs: 0,
    })
    assert.equal(stateOf(one, [...withoutEnd, ...repairsOf(renamed)])?.endedAtMs, one.truth.endedAtMs)
  })

  it('what has just happened may still be on its way: it is told only when it has not come by the next time', () => {
    const here = stateOf(one, withoutEnd)
    const endMs = Math.max(...one.told.flatMap(({ facts }) => facts.map(({ atMs }) => atMs)))
    const sides = { here, there: one.detail, live: [], frozenBeforeMs: 0 }
    assert.equal(compareConversation({ ...sides, askedAtMs: one.truth.endedAtMs ?? 0 }), null)
    assert.equal(compareConversation({ ...sides, askedAtMs: endMs + 10_000 })?.finding.kind, 'stuck')
  })

  it('a conversation that goes on is none, and none is an answer that says nothing', () => {
    const { conversationEnd, ...open } = one.detail
    assert.ok(conversationEnd !== undefined)
    const participants = (open.participants ?? []).map((participant) => ({
      ...participant,
      sessions: (participant.sessions ?? []).map((session) => ({
        ...session,
        segments: (session.segments ?? []).map(({ segmentStart = '', segmentType = '' }) => ({ segmentStart, segmentType })),
      })),
    }))
    const here = stateOf(one, withoutEnd)
    assert.equal(compareConversation({ here, there: { ...open, participants }, askedAtMs: LATER_MS, live: [], frozenBeforeMs: 0 }), null)
    assert.equal(
      compareConversation({ here, there: { conversationId: one.truth.id }, askedAtMs: LATER_MS, live: [], frozenBeforeMs: 0 }),
      null,
    )
  })

  it('the record says where it is from, and is the same event however often it is made', () => {
    const found = compare(one, withoutEnd)
    const [text, again] = [1, 2].map(() => recordOf(found!.repairs[0]!, 'stuck'))
    const [first] = decode(Buffer.from(text ?? ''), { maxBytes: DEFAULT_MAX_BYTES })
    const [second] = decode(Buffer.from(again ?? ''), { maxBytes: DEFAULT_MAX_BYTES })
    assert.ok(first?.ok && second?.ok)
    assert.deepEqual([first.event.marks, first.event.keyKind], [['reconcile'], 'semantic'])
    assert.deepEqual(first.event.key, second.event.key)
    assert.deepEqual((JSON.parse(text ?? '') as { origin: string; finding: string }).finding, 'stuck')
  })
})

function shuffled<T>(list: readonly T[], order: Iterator<number>): readonly T[] {
  return list
    .map((one) => [Number(order.next().value), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one)
}
