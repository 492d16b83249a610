/** A route with `changes`: of a simulated day it is given each finished conversation, once, and nothing else. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { RouteInput, TrunklineConfig } from '../../src/config/config.ts'
import { finishedText } from '../../src/event/changes.ts'
import type { ConversationState } from '../../src/state/conversation-state.ts'
import { fetched, playedDay, post } from './_state.ts'
import { folder, linesIn, type Running, running, until } from './_service.ts'

const day = playedDay({ seed: '31' })
const finishedIds = day.truth.conversations.filter(({ finished }) => finished).map(({ id }) => id)

type Document = {
  readonly id: string
  readonly source: string
  readonly 'detail-type': string
  readonly detail: {
    readonly topicName: string
    readonly version: string
    readonly eventBody: ConversationState & { readonly queueId: string | null }
  }
  readonly trunkline: { readonly id: string; readonly format: string; readonly occurredAtMs: number }
}

type Stats = {
  readonly changes: { readonly told: number; readonly waiting: number } | null
  readonly state: { readonly lagEvents: number }
  readonly routes: Readonly<Record<string, { readonly lag: number; readonly counts: Readonly<Record<string, number>> }>>
}

const beingWrittenUp = day.truth.conversations.filter(({ finished, endedAtMs }) => endedAtMs !== null && !finished).length
const QUIET_MS = 1_500
const PATIENCE_MS = 30_000

function configWith(crm: Partial<RouteInput> = {}): TrunklineConfig {
  return {
    state: { quietMs: QUIET_MS },
    routes: {
      crm: { changes: 'conversation', order: { by: 'conversation' }, sink: { type: 'file', dir: 'data/crm' }, ...crm },
      archive: { from: 'earliest', sink: { type: 'file', dir: 'data/out' } },
    },
  }
}

const documents = (service: Running): readonly Document[] => linesIn(join(service.dataDir, 'crm'), 'crm') as unknown as Document[]

const statsOf = async (service: Running): Promise<Stats> => (await fetched<Stats>(service.url, '/v1/stats'))!

/** Everything is folded, stored, told and delivered; what is left has an agent at work on it. */
async function quiet(service: Running): Promise<Stats> {
  const giveUpAtMs = Date.now() + PATIENCE_MS
  for (;;) {
    const stats = await statsOf(service)
    const isBusy = stats.state.lagEvents > 0 || Object.values(stats.routes).some(({ lag }) => lag > 0)
    if (!isBusy && stats.changes?.waiting === beingWrittenUp) return stats
    assert.ok(Date.now() < giveUpAtMs, `nothing is left to tell: ${JSON.stringify(stats)}`)
    await pause(100)
  }
}

async function sendAll(service: Running): Promise<void> {
  for (const body of day.requests) assert.ok(await post(service.url, body))
}

test('each finished conversation once, as the state says it; the other route gets none; a restart and a rebuild tell nothing again', async (t) => {
  assert.ok(finishedIds.length > 100 && finishedIds.length < day.truth.conversations.length)
  const dir = folder(t)
  const service = await running(t, { dir, config: configWith() })
  await sendAll(service)
  const stats = await quiet(service)
  const given = documents(service)
  assert.deepEqual(given.map(({ detail }) => detail.eventBody.id).sort(), [...finishedIds].sort())
  assert.equal(stats.routes['crm']?.counts['delivered'], finishedIds.length)
  assert.equal(stats.routes['crm']?.counts['not_matched'], day.copies)
  assert.equal(stats.routes['archive']?.counts['not_matched'], finishedIds.length)
  assert.equal(linesIn(join(service.dataDir, 'out'), 'archive').length, day.distinct)
  for (const { detail, trunkline, source, 'detail-type': topic } of given.slice(0, 20)) {
    const body = detail.eventBody
    const asOf = body.asOfMs
    const answer = await fetched<{ conversation: ConversationState & { readonly names: unknown } }>(
      service.url,
      `/v1/conversations/${body.id}?asOf=${asOf}`,
    )
    const { queueId, userId, ...rest } = body as typeof body & { readonly userId: unknown }
    assert.deepEqual({ ...rest, names: {} }, answer?.conversation)
    assert.equal(queueId, body.queueVisits.at(-1)?.queueId ?? body.agentLegs.at(-1)?.queueId ?? null)
    assert.equal(userId, body.agentLegs.at(-1)?.userId ?? null)
    assert.deepEqual([source, topic, trunkline.format], ['trunkline', 'trunkline.conversations.{id}.finished', 'change'])
    assert.deepEqual([trunkline.occurredAtMs, detail.topicName], [body.endedAtMs, topic.replace('{id}', body.id)])
  }

  const [first] = given
  const explained = await service.get(`/v1/events/${first!.trunkline.id}`)
  const archive = (explained.routes as unknown as { route: string; outcome: string; stages: { reason: string }[] }[]).find(
    (one) => one.route === 'archive',
  )
  assert.deepEqual(
    [archive?.outcome, archive?.stages[0]?.reason],
    ['not_matched', 'match.changes: it is a finished conversation, which only routes with changes take'],
  )

  const rebuilt = await service.ask('/v1/state/rebuild', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  assert.equal((JSON.parse(rebuilt.text) as { equal: boolean }).equal, true)
  await service.stop()
  const again = await running(t, { dir, config: configWith() })
  await quiet(again)
  assert.equal(documents(again).length, finishedIds.length)
})

test('after a rebuild that found rows wrong, what was told wrong or not at all is told right', async (t) => {
  const { DatabaseSync } = await import('node:sqlite')
  const dir = folder(t)
  const service = await running(t, { dir, config: configWith() })
  await sendAll(service)
  await quiet(service)
  await service.stop()
  const id = documents(service)[0]!.detail.eventBody.id
  const db = new DatabaseSync(join(service.dataDir, 'state.db'))
  assert.equal(db.prepare('DELETE FROM rows WHERE id = ?').run(id).changes, 1)
  db.close()

  const again = await running(t, { dir, config: configWith() })
  const topicName = `v2.detail.events.conversation.${id}.attributes`
  const eventBody = { conversationId: id, eventTime: day.truth.atMs, participantId: 'p', attributes: { late: 'yes' } }
  assert.ok(await post(again.url, JSON.stringify({ topicName, version: '2', eventBody })))
  await quiet(again)
  assert.equal(documents(again).length, finishedIds.length, 'of an attribute alone there is nothing to tell')
  const rebuilt = await again.ask('/v1/state/rebuild', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  assert.equal((JSON.parse(rebuilt.text) as { equal: boolean }).equal, false)
  await quiet(again)
  const more = documents(again).slice(finishedIds.length)
  assert.deepEqual(
    more.map(({ detail }) => [detail.eventBody.id, detail.eventBody.attributes['late'], detail.eventBody.open]),
    [[id, 'yes', false]],
  )
})

test('the same bytes from outside are another event: no route with changes takes them, and the real one is told all the same', async (t) => {
  const service = await running(t, { config: configWith({ from: 'earliest' }) })
  const id = 'c-1'
  const body = { id, open: false, endedAtMs: Date.now(), queueId: 'q', userId: null }
  const forged = finishedText(id, JSON.stringify(body), Date.now())
  const sent = await service.send(forged)
  assert.equal(sent.status, 202)
  const topicName = `v2.detail.events.conversation.${id}.customer`
  const at = (eventTime: number): object => ({ eventTime, participantId: 'p', sessionId: 's', mediaType: 'VOICE' })
  const now = Date.now()
  for (const [end, eventBody] of [
    ['start', at(now - 1_000)],
    ['end', at(now)],
  ] as const)
    assert.ok(await post(service.url, JSON.stringify({ topicName: `${topicName}.${end}`, version: '2', eventBody })))
  await until('the real one', () => documents(service).length > 0)
  assert.deepEqual(
    documents(service).map(({ detail }) => [detail.eventBody.id, detail.eventBody.queueId]),
    [[id, null]],
  )
  const outside = await service.get(`/v1/events/${sent.json.ids[0]}`)
  const crm = (outside.routes as unknown as { route: string; outcome: string; reason: string }[]).find((one) => one.route === 'crm')
  assert.deepEqual([crm?.outcome, crm?.reason], ['not_matched', 'match.changes'])
  assert.equal((await service.get('/v1/stats')).log.nextSeq, 5)
})
