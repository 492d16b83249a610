/** Conversations that go on, here or at Genesys, whatever the other one says: no repair closes them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ConversationDetail } from '../genesys/platform.ts'
import type { ConversationState } from '../state/conversation-state.ts'
import { createState } from '../state/folded-state.ts'
import { START_MS as T, told as toldAt } from '../testing/state-events.ts'
import {
  compare,
  HOUR_MS,
  LATER_MS,
  played,
  repairsOf,
  stateOf,
  TELLABLE,
  type Played,
  type Told,
} from '../testing/played-conversations.ts'
import { compareConversation } from './conversation.ts'
import type { Comparison } from './finding.ts'

const CONVERSATIONS = played()
const MINUTE_MS = 60_000
const iso = (minutes: number): string => new Date(T + minutes * MINUTE_MS).toISOString()
/** What happens in the conversation `c1`, so many minutes after it began. */
const at = (kind: string, minutes: number, sessionId: string, body: object = {}): Told => ({
  kind,
  facts: toldAt(kind, minutes * MINUTE_MS, { participantId: `p-${sessionId}`, sessionId, mediaType: 'MESSAGE', ...body }),
})
const CUSTOMER = at('customer.start', 0, 's1')
const AGENT = { mediaType: 'VOICE', userId: 'u1', queueId: 'q1' }
/** The customer of `c1`, an hour long. */
const HOUR_LONG = { segmentStart: iso(0), segmentEnd: iso(60), segmentType: 'interact', disconnectType: 'peer' }

describe('a conversation that goes on here since Genesys said that it was over is left alone', () => {
  const over = detailOf([['customer', 's1', HOUR_LONG]], iso(60))
  const end = at('customer.end', 60, 's1', { disconnectType: 'PEER' })

  for (const [what, events] of Object.entries({
    'the customer came back': [CUSTOMER, end, at('customer.start', 239, 's2')],
    'the customer came back, and the end before it never came': [CUSTOMER, at('customer.start', 239, 's2')],
    'the customer came back a second after the end': [CUSTOMER, at('customer.start', 60 + 1 / 60, 's2')],
    'the customer came back in the same session': [CUSTOMER, end, at('customer.start', 239, 's1')],
    'somebody writes an e-mail about it': [CUSTOMER, end, at('user.start', 239, 's3', { ...AGENT, mediaType: 'EMAIL' })],
    'an agent whose leg does not keep it open came, and the end before it never came': [CUSTOMER, at('user.start', 239, 's3', AGENT)],
  })) {
    it(what, () => {
      const found = asked(events, over)
      assert.deepEqual([found?.finding.kind, found?.finding.obstacle, found?.repairs], ['stuck', 'newer_here', []])
    })
  }

  it('a session so new that the answer may not know of it, though the end is newer', () => {
    const events = [CUSTOMER, at('customer.start', 239.2, 's2')]
    const there = detailOf([['customer', 's1', HOUR_LONG]], iso(239.5))
    assert.deepEqual([asked(events, there)?.finding.obstacle, asked(events, there)?.repairs], ['newer_here', []])
    assert.equal(asked([CUSTOMER, at('customer.start', 238, 's2')], there)?.finding.obstacle, null)
  })

  it('a customer who comes back while the repair is on its way opens it again, and the real end changes nothing then', () => {
    // The start came while the repair was on its way into the log.
    const found = asked([CUSTOMER], over)
    assert.equal(found?.repairs.length, 1)
    for (const sessionId of ['s1', 's2']) {
      const back = at('customer.start', 239, sessionId)
      const repaired: readonly Told[] = [CUSTOMER, ...repairsOf(found), back]
      assert.equal(folded(repaired)?.open, true)
      assert.deepEqual(folded([...repaired, end]), folded([CUSTOMER, back, end]))
    }
  })

  it('whatever was lost and whoever comes: what goes on stays open, and the real ends make it what it is without repairs', () => {
    const newcomer = fc.record({
      side: fc.constantFrom('customer', 'user', 'acd', 'flow'),
      mediaType: fc.constantFrom('VOICE', 'EMAIL', 'CALLBACK', 'MESSAGE'),
      afterMs: fc.integer({ min: 1, max: HOUR_MS }),
      isBeforeTheAnswer: fc.boolean(),
    })
    let left = 0
    let raced = 0
    fc.assert(
      fc.property(
        fc.nat(CONVERSATIONS.length - 1),
        fc.infiniteStream(fc.boolean()),
        fc.array(newcomer, { minLength: 1, maxLength: 3 }),
        (n, coins, newcomers) => {
          const one = CONVERSATIONS[n]!
          const missing = one.told.filter(({ kind }) => TELLABLE.test(kind) && coins.next().value === true)
          const rest = one.told.filter((event) => !missing.includes(event))
          const come = (kind: 'start' | 'end', before: boolean | null): readonly Told[] =>
            newcomers.flatMap(({ side, mediaType, afterMs, isBeforeTheAnswer }, k) =>
              before !== null && before !== isBeforeTheAnswer
                ? []
                : [
                    sessionOf(
                      one,
                      `${side}.${kind}`,
                      kind === 'end' ? LATER_MS - 1 : (one.truth.endedAtMs ?? 0) + afterMs,
                      `new-${k}`,
                      mediaType,
                    ),
                  ],
            )
          const known = [...rest, ...come('start', true)]
          const found = compare(one, known)
          const repairs = repairsOf(found)
          const before = stateOf(one, known)
          const after = stateOf(one, [...known, ...repairs, ...come('start', false)])
          if (newcomers.some(({ isBeforeTheAnswer }) => isBeforeTheAnswer)) {
            assert.deepEqual([found?.finding.obstacle, repairs], ['newer_here', []])
            left++
          } else if (newcomers.some(({ side }) => side === 'customer')) {
            assert.equal(after?.open, true)
            if (repairs.length > 0) raced++
          }
          if (before?.open === true && newcomers.some(({ side, isBeforeTheAnswer }) => side === 'customer' || isBeforeTheAnswer))
            assert.equal(after?.open, true)
          const all = [...one.told, ...come('start', null), ...come('end', null)]
          assert.deepEqual(stateOf(one, [...all, ...repairs]), stateOf(one, all))
        },
      ),
      { numRuns: 2000 },
    )
    assert.ok(left > 500 && raced > 100, `${left} left alone, ${raced} raced`)
  })
})

describe('a conversation that is not over at Genesys is not closed', () => {
  const goesOn: readonly Side[] = [['customer', 's1', HOUR_LONG]]

  it('by the end of a segment of the customer, or of a session beside one that Genesys does not list yet', () => {
    for (const disconnectType of ['transfer', 'peer', 'client', 'timeout']) {
      const there = detailOf([['customer', 's1', { ...HOUR_LONG, disconnectType }]])
      assert.equal(asked([CUSTOMER], there), null)
      const waiting = [at('acd.start', 0, 's5', { mediaType: 'CALLBACK' })]
      assert.equal(asked(waiting, detailOf([['acd', 's5', { ...HOUR_LONG, disconnectType }]])), null)
      // Its after-call work says that the agent has left.
      const wrapup = { segmentStart: iso(60), segmentEnd: iso(61), segmentType: 'wrapup' }
      assert.equal(asked([at('user.start', 0, 's3', AGENT)], detailOf([['agent', 's3', { ...HOUR_LONG, disconnectType }, wrapup]])), null)
    }
  })

  it('but ends are told while something keeps it open', () => {
    const told = asked([CUSTOMER, at('customer.start', 1, 's2')], detailOf(goesOn))
    assert.deepEqual([told?.finding.kind, told?.finding.there.value, told?.repairs.length], ['gap', 'open', 1])
    assert.equal(folded([CUSTOMER, at('customer.start', 1, 's2'), ...repairsOf(told)])?.open, true)
    const agent = asked([CUSTOMER, at('user.start', 1, 's3', AGENT)], detailOf([['agent', 's3', HOUR_LONG]]))
    assert.equal(folded([CUSTOMER, at('user.start', 1, 's3', AGENT), ...repairsOf(agent)])?.agentsAtWork, 0)
  })

  it('one that nobody told of begins, and stays open', () => {
    const found = asked([], detailOf(goesOn))
    assert.deepEqual(
      found?.repairs.map(({ topicName }) => topicName),
      ['v2.detail.events.conversation.c1.customer.start'],
    )
    assert.equal(folded(repairsOf(found))?.open, true)
  })

  it('one of which only the ends are young enough for the state does not begin as one that is closed', () => {
    const old: Side = ['customer', 's2', { segmentStart: iso(1), segmentType: 'interact' }]
    const sides = { here: null, askedAtMs: T + 4 * HOUR_MS, live: [], frozenBeforeMs: T + 2 * MINUTE_MS }
    const found = compareConversation({ ...sides, there: detailOf([...goesOn, old]) })
    assert.deepEqual([found?.finding.obstacle, found?.repairs], ['too_late', []])
  })

  it('an end that is known is not told again when its session has begun again, and ends of those who have left are told', () => {
    const again = at('customer.start', 100, 's1')
    const end = at('customer.end', 60, 's1')
    assert.equal(asked([CUSTOMER, end, again], detailOf(goesOn)), null)
    assert.equal(asked([CUSTOMER, end, again, at('customer.start', 100, 's2')], detailOf(goesOn)), null)
    const left = [CUSTOMER, end, at('user.start', 1, 's3', AGENT)]
    const found = asked(left, detailOf([...goesOn, ['agent', 's3', HOUR_LONG]]))
    assert.equal(folded([...left, ...repairsOf(found)])?.agentsAtWork, 0)
  })

  it('what neither keeps it open nor closes it is told whole', () => {
    const ivr: Side = ['ivr', 's4', { segmentStart: iso(0), segmentEnd: iso(1), segmentType: 'ivr', disconnectType: 'transfer' }]
    const found = asked([CUSTOMER], detailOf([...goesOn, ivr]))
    assert.deepEqual(
      found?.repairs.map(({ topicName }) => topicName.split('.').slice(-2).join('.')),
      ['flow.start', 'flow.end'],
    )
  })

  for (const [what, conversationEnd] of Object.entries({
    'cannot be read': 'soon',
    'is empty': '',
    'is in the future': iso(300),
    'is in 1970': '1970-01-01T00:00:00Z',
    'is before something began': iso(-1),
  })) {
    it(`an end that ${what} is said, and closes nothing`, () => {
      for (const sides of [
        goesOn,
        [],
        [['customer', 's1', { segmentStart: iso(0), segmentEnd: iso(60), segmentType: 'interact' }]],
      ] as const) {
        const found = asked([CUSTOMER], detailOf(sides, conversationEnd))
        assert.deepEqual([found?.finding.kind, found?.finding.obstacle, found?.repairs], ['stuck', 'no_time', []])
      }
      assert.deepEqual(asked([], detailOf(goesOn, conversationEnd))?.repairs, [])
      assert.equal(asked([CUSTOMER, at('customer.end', 60, 's1')], detailOf(goesOn, conversationEnd)), null, 'it is closed here as well')
    })
  }

  it('a segment that ends before it begins ends nothing by itself', () => {
    const odd = { ...HOUR_LONG, segmentEnd: '1970-01-01T00:00:00Z' }
    const found = asked([CUSTOMER], detailOf([['customer', 's1', odd]], iso(60)))
    const closed = folded([CUSTOMER, ...repairsOf(found)])
    assert.deepEqual([closed?.open, closed?.startedAtMs, closed?.endedAtMs], [false, T, T + HOUR_MS])
  })

  it('whatever was lost, of any conversation, by any end that cannot be', () => {
    const { conversationEnd: _, ...none } = { conversationEnd: '' }
    const odd = fc.constantFrom<object>(
      none,
      { conversationEnd: 'never' },
      { conversationEnd: '1999-01-01T00:00:00Z' },
      { conversationEnd: iso(1e6) },
    )
    fc.assert(
      fc.property(fc.nat(CONVERSATIONS.length - 1), fc.infiniteStream(fc.boolean()), odd, (n, coins, end) => {
        const one = CONVERSATIONS[n]!
        const { conversationEnd, ...open } = one.detail
        assert.ok(conversationEnd !== undefined)
        const rest = one.told.filter(({ kind }) => !TELLABLE.test(kind) || coins.next().value === true)
        const repairs = repairsOf(compare({ ...one, detail: { ...open, ...end } }, rest))
        const before = stateOf(one, rest)
        const after = stateOf(one, [...rest, ...repairs])
        if (repairs.length > 0 && before?.open !== false) assert.equal(after?.open, true)
      }),
      { numRuns: 2000 },
    )
  })
})

type Side = readonly [purpose: string, sessionId: string, ...segments: readonly object[]]

/** What the API says of `c1`. */
function detailOf(sides: readonly Side[], conversationEnd?: string): ConversationDetail {
  return {
    conversationId: 'c1',
    conversationStart: iso(0),
    ...(conversationEnd === undefined ? {} : { conversationEnd }),
    participants: sides.map(([purpose, sessionId, ...segments]) => ({
      participantId: `p-${sessionId}`,
      purpose,
      sessions: [{ sessionId, mediaType: 'message', segments }],
    })),
  }
}

function folded(told: readonly Told[]): ConversationState | null {
  const state = createState()
  for (const { facts } of told) state.apply(facts, T + 240 * MINUTE_MS)
  return state.conversation('c1', T + 240 * MINUTE_MS)
}

/** `c1` four hours after it began. */
function asked(told: readonly Told[], there: ConversationDetail): Comparison | null {
  return compareConversation({ here: folded(told), there, askedAtMs: T + 240 * MINUTE_MS, live: [], frozenBeforeMs: T - HOUR_MS })
}

/** A session that Genesys does not know of when it is asked. */
function sessionOf({ truth }: Played, kind: string, atMs: number, sessionId: string, mediaType: string): Told {
  return { kind, facts: toldAt(kind, atMs - T, { participantId: `p-${sessionId}`, sessionId, mediaType }, truth.id) }
}
