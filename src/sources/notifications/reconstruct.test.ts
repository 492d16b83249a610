/** Detail events out of the analytics answer, and which of them were received live. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decode } from '../../event/decode.ts'
import type { ConversationDetail } from '../../genesys/platform.ts'
import { withoutLive } from './match-live.ts'
import { reconstruct, recordOf, RECONSTRUCTED_KINDS } from './reconstruct.ts'
import type { ReconstructedEvent } from './reconstruct.ts'

const at = (second: number): string => new Date(Date.UTC(2026, 2, 1, 12, 0, second)).toISOString()
const NOW_MS = Date.UTC(2026, 2, 1, 13)
const ms = (second: number): number => Date.UTC(2026, 2, 1, 12, 0, second)

/** A routed call: 5 s of flow, 15 s of queue, an agent who rings 4 s, talks 60 s with 10 s of hold, and writes up 20 s. */
const CALL: ConversationDetail = {
  conversationId: 'conv-1',
  conversationStart: at(0),
  conversationEnd: at(114),
  participants: [
    {
      participantId: 'p-customer',
      purpose: 'customer',
      externalContactId: 'x-1',
      sessions: [
        {
          sessionId: 's-customer',
          mediaType: 'voice',
          direction: 'inbound',
          ani: 'tel:+15550001',
          segments: [{ segmentStart: at(0), segmentEnd: at(94), segmentType: 'interact', disconnectType: 'peer' }],
        },
      ],
    },
    {
      participantId: 'p-ivr',
      purpose: 'ivr',
      sessions: [
        {
          sessionId: 's-ivr',
          mediaType: 'voice',
          flow: { flowId: 'f-1', flowType: 'inboundcall', flowVersion: '3.0', exitReason: 'transfer', transferType: 'acd' },
          segments: [{ segmentStart: at(0), segmentEnd: at(5), segmentType: 'ivr', disconnectType: 'transfer' }],
        },
      ],
    },
    {
      participantId: 'p-acd',
      purpose: 'acd',
      sessions: [
        {
          sessionId: 's-acd',
          mediaType: 'voice',
          segments: [
            { segmentStart: at(5), segmentEnd: at(20), segmentType: 'delay', queueId: 'q-1', disconnectType: 'conferenceTransfer' },
          ],
        },
      ],
    },
    {
      participantId: 'p-agent',
      purpose: 'agent',
      userId: 'u-1',
      sessions: [
        {
          sessionId: 's-agent',
          mediaType: 'voice',
          segments: [
            { segmentStart: at(20), segmentEnd: at(24), segmentType: 'alert', queueId: 'q-1' },
            { segmentStart: at(24), segmentEnd: at(54), segmentType: 'interact', queueId: 'q-1' },
            { segmentStart: at(54), segmentEnd: at(64), segmentType: 'hold', queueId: 'q-1' },
            { segmentStart: at(64), segmentEnd: at(94), segmentType: 'interact', queueId: 'q-1', disconnectType: 'client' },
            { segmentStart: at(94), segmentEnd: at(114), segmentType: 'wrapup', queueId: 'q-1', wrapUpCode: 'w-1', wrapUpNote: 'done' },
          ],
        },
      ],
    },
    { participantId: 'p-other', purpose: 'external', sessions: [{ segments: [{ segmentStart: at(0) }] }] },
  ],
}

const timeline = (events: readonly ReconstructedEvent[]): [string, number][] =>
  events.map(({ kind, atMs }) => [kind, (atMs - ms(0)) / 1_000])

describe('reconstruct', () => {
  it('gives each begin and end once, at its time', () => {
    assert.deepEqual(timeline(reconstruct(CALL, NOW_MS)), [
      ['customer.start', 0],
      ['flow.start', 0],
      ['flow.end', 5],
      ['acd.start', 5],
      ['acd.end', 20],
      ['user.start', 20],
      ['customer.end', 94],
      ['user.end', 94],
      ['acw', 114],
      ['wrapup', 114],
    ])
  })

  it('gives the fields of the answer, written as events write them, and no others', () => {
    const body = (kind: string) => reconstruct(CALL, NOW_MS).find((event) => event.kind === kind)?.body
    const ids = { conversationId: 'conv-1', participantId: 'p-agent', sessionId: 's-agent', mediaType: 'VOICE' }
    assert.deepEqual(body('user.end'), {
      eventTime: ms(94),
      ...ids,
      userId: 'u-1',
      queueId: 'q-1',
      disconnectType: 'CLIENT',
      interactingDurationMs: 60_000,
      heldDurationMs: 10_000,
      alertingDurationMs: 4_000,
    })
    assert.deepEqual(body('acw'), {
      eventTime: ms(114),
      ...ids,
      userId: 'u-1',
      queueId: 'q-1',
      wrapupCode: 'w-1',
      wrapupNotes: 'done',
      wrapupDurationMs: 20_000,
    })
    assert.equal(body('acd.end')?.['disconnectType'], 'CONFERENCE_TRANSFER')
    assert.equal(body('flow.end')?.['flowType'], 'INBOUNDCALL')
    assert.equal(body('customer.start')?.['externalContactId'], 'x-1')
  })

  it('does not end what is not over', () => {
    const open: ConversationDetail = {
      conversationId: 'c',
      participants: [
        { purpose: 'customer', sessions: [{ segments: [{ segmentStart: at(0), segmentType: 'interact' }] }] },
        { purpose: 'agent', sessions: [{ segments: [{ segmentStart: at(1), segmentEnd: at(2), segmentType: 'alert' }] }] },
      ],
    }
    assert.deepEqual(timeline(reconstruct(open, NOW_MS)), [
      ['customer.start', 0],
      ['user.start', 1],
    ])
  })

  it('does not take a conversation for over by an end that cannot be, nor a customer for gone who is transferred', () => {
    const segments = [{ segmentStart: at(0), segmentEnd: at(9), segmentType: 'interact' }]
    const kinds = (conversationEnd: string | null, disconnectType?: string): readonly string[] => {
      const one = { ...segments[0]!, ...(disconnectType === undefined ? {} : { disconnectType }) }
      const participants = [{ purpose: 'customer', sessions: [{ segments: [one] }] }]
      const end = conversationEnd === null ? {} : { conversationEnd }
      return reconstruct({ conversationId: 'c', conversationStart: at(0), ...end, participants }, NOW_MS).map(({ kind }) => kind)
    }
    for (const end of [null, 'soon', '', '1970-01-01T00:00:00Z', '2027-01-01T00:00:00Z']) {
      assert.deepEqual(kinds(end), ['customer.start'], `${end}`)
      assert.deepEqual(kinds(end, 'transfer'), ['customer.start'])
      assert.deepEqual(kinds(end, 'peer'), ['customer.start', 'customer.end'])
    }
    assert.deepEqual(kinds(at(9), 'conferenceTransfer'), ['customer.start', 'customer.end'])
  })

  it('makes a record that decodes as the event it is, with the mark backfill', () => {
    for (const event of reconstruct(CALL, NOW_MS)) {
      const [decoded] = decode(new TextEncoder().encode(recordOf(event)), { maxBytes: 1_000_000 })
      assert.ok(decoded?.ok)
      const { topic, marks, conversationId, occurredAtMs, format } = decoded.event
      assert.deepEqual(
        [topic, marks, conversationId, occurredAtMs, format],
        [`v2.detail.events.conversation.{id}.${event.kind}`, ['backfill'], 'conv-1', event.atMs, 'notification'],
      )
    }
  })

  it('passes over what it cannot read', () => {
    const odd = {
      conversationId: 'c',
      participants: [
        null,
        'x',
        { purpose: 'acd', sessions: 'none' },
        { purpose: '__proto__' },
        { purpose: 'acd', sessions: [{ segments: [{}] }] },
      ],
    } as unknown as ConversationDetail
    assert.deepEqual(reconstruct(odd, NOW_MS), [])
    assert.deepEqual(reconstruct({ conversationId: 'c' }, NOW_MS), [])
  })

  it('knows the kinds it makes', () => {
    for (const { kind } of reconstruct(CALL, NOW_MS)) assert.ok(RECONSTRUCTED_KINDS.includes(kind))
  })
})

describe('without live', () => {
  const event = (kind: string, atMs: number, sessionId = 's'): ReconstructedEvent => ({
    kind,
    conversationId: 'c',
    participantId: 'p',
    sessionId,
    atMs,
    body: {},
  })
  const liveOf = ({ kind, participantId, sessionId, atMs }: ReconstructedEvent, shiftMs: number) => ({
    kind,
    participantId,
    sessionId,
    occurredAtMs: atMs + shiftMs,
  })

  it('takes away what was received within the tolerance, whatever the order', () => {
    const arbitrary = fc.array(
      fc.tuple(fc.constantFrom('user.start', 'user.end'), fc.nat(50), fc.boolean(), fc.integer({ min: -2_000, max: 2_000 })),
      {
        maxLength: 20,
      },
    )
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(50), { maxLength: 20 }), arbitrary, (times, picks) => {
        // Events 10 s apart, so that within 2 s nothing can be mistaken.
        const events = times.map((time, n) => event(picks[n]?.[0] ?? 'acw', time * 10_000))
        const received = events.filter((_, n) => picks[n]?.[2] === true)
        const live = received.map((one) => liveOf(one, picks[events.indexOf(one)]![3])).reverse()
        assert.deepEqual(
          withoutLive(events, live, 2_000),
          events.filter((one) => !received.includes(one)),
        )
      }),
    )
  })

  it('lets one live event stand for one only: a mail answered twice has two', () => {
    const events = [event('user.start', 0), event('user.start', 1_500)]
    assert.deepEqual(withoutLive(events, [liveOf(events[1]!, 100)], 2_000), [events[0]])
    assert.deepEqual(withoutLive(events, [liveOf(events[0]!, 700), liveOf(events[1]!, 0)], 2_000), [])
  })

  it('does not match other sessions, kinds or times', () => {
    const one = event('user.start', 10_000)
    for (const other of [event('user.end', 10_000), event('user.start', 10_000, 'other'), event('user.start', 12_001)]) {
      assert.deepEqual(withoutLive([one], [liveOf(other, 0)], 2_000), [one])
    }
  })
})
