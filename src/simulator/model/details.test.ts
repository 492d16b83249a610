import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConversationDetail, SegmentDetail } from '../../genesys/platform.ts'
import { simulation } from './simulation.ts'

const HOUR_MS = 3_600_000
const OPTIONS = { agents: 40, queues: 4, conversationsPerHour: 260, durationMs: 2 * HOUR_MS, keepEndedMs: Infinity, transcribedShare: 0 }
const KINDS: ReadonlyMap<string, 'start' | 'end'> = new Map([
  ['customer.start', 'start'],
  ['customer.end', 'end'],
  ['flow.start', 'start'],
  ['flow.end', 'end'],
  ['acd.start', 'start'],
  ['acd.end', 'end'],
  ['user.start', 'start'],
  ['user.end', 'end'],
  ['voicemail.start', 'start'],
  ['voicemail.end', 'end'],
  ['acw', 'end'],
])

test('for every start and end that was published there is a boundary with its time, ids and reason, and nothing of the future', () => {
  const centre = simulation(OPTIONS)
  const seen = new Map<string, number>()
  for (let emission = centre.next(); emission !== null; emission = centre.next()) {
    const kind = emission.topic.replace('v2.detail.events.conversation.{id}.', '')
    const edge = KINDS.get(kind)
    if (edge === undefined) continue
    seen.set(kind, (seen.get(kind) ?? 0) + 1)
    const { body } = emission
    const detail = centre.conversation(String(body['conversationId']))
    assert.ok(detail !== null)
    const participant = detail.participants?.find(({ participantId }) => participantId === body['participantId'])
    const session = participant?.sessions?.find(({ sessionId }) => sessionId === body['sessionId'])
    const at = new Date(Number(body['eventTime'])).toISOString()
    const segment = session?.segments?.find((candidate) => (edge === 'start' ? candidate.segmentStart : candidate.segmentEnd) === at)
    assert.ok(segment !== undefined, `${kind} at ${at}: ${JSON.stringify(session)}`)
    assert.equal(session?.mediaType, String(body['mediaType']).toLowerCase())
    if (body['userId'] !== undefined) assert.equal(participant?.userId, body['userId'])
    if (body['queueId'] !== undefined) assert.ok(session?.segments?.some(({ queueId }) => queueId === body['queueId']))
    if (body['flowId'] !== undefined) assert.equal(session?.flow?.flowId, body['flowId'])
    if (kind === 'acw') assert.deepEqual([segment.segmentType, segment.wrapUpCode], ['wrapup', body['wrapupCode']])
    for (const instant of instantsOf(detail)) assert.ok(Date.parse(instant) <= centre.nowMs)
  }
  for (const kind of KINDS.keys()) assert.ok((seen.get(kind) ?? 0) > 3, `${kind} hardly ever came`)
})

test('a range gives the conversations that overlap it, ended ones with their end', () => {
  const centre = simulation(OPTIONS)
  while (centre.next() !== null);
  const truth = centre.truth().conversations
  const startMs = truth[0]!.startedAtMs
  for (const [fromMs, toMs] of [
    [startMs, startMs],
    [startMs + HOUR_MS / 2, startMs + HOUR_MS],
    [startMs + 3 * HOUR_MS, startMs + 4 * HOUR_MS],
  ] as const) {
    const expected = truth
      .filter(({ startedAtMs, endedAtMs }) => startedAtMs <= toMs && (endedAtMs ?? Infinity) >= fromMs)
      .map(({ id }) => id)
    const found = centre.conversationsBetween(fromMs, toMs)
    assert.deepEqual(
      found.map(({ conversationId }) => conversationId),
      expected,
    )
  }
  for (const { id, startedAtMs, endedAtMs } of truth) {
    const detail = centre.conversation(id)
    assert.equal(detail?.conversationStart, new Date(startedAtMs).toISOString())
    assert.equal(detail?.conversationEnd, endedAtMs === null ? undefined : new Date(endedAtMs).toISOString())
    const ends = segmentsOf(detail)
      .filter(({ segmentType }) => segmentType !== 'wrapup')
      .map(({ segmentEnd }) => segmentEnd)
    assert.equal(ends.includes(undefined), endedAtMs === null, 'ended is what has nothing open')
  }
  assert.equal(centre.conversation('nothing'), null)
})

function segmentsOf(detail: ConversationDetail | null): readonly SegmentDetail[] {
  return detail?.participants?.flatMap(({ sessions }) => sessions ?? []).flatMap(({ segments }) => segments ?? []) ?? []
}

function instantsOf(detail: ConversationDetail): readonly string[] {
  const { conversationStart, conversationEnd } = detail
  const all = [
    conversationStart,
    conversationEnd,
    ...segmentsOf(detail).flatMap(({ segmentStart, segmentEnd }) => [segmentStart, segmentEnd]),
  ]
  return all.filter((instant) => instant !== undefined)
}
