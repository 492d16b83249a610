import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConversationDetail } from '../../genesys/platform.ts'
import { seededRandom, virtualClock } from '../../testing/virtual-clock.ts'
import { scene, type Answered } from './_caller.ts'

const START_MS = Date.UTC(2026, 7, 14, 8)
const world = () => ({ clock: virtualClock(START_MS), random: seededRandom(7) })
const QUERY = '/api/v2/analytics/conversations/details/query'

function iso(minutes: number): string {
  return new Date(START_MS + minutes * 60_000).toISOString()
}

function conversation(number: number, from: number, to: number | null): ConversationDetail {
  const end = to === null ? {} : { segmentEnd: iso(to), disconnectType: 'PEER' }
  return {
    conversationId: `c-${number}`,
    conversationStart: iso(from),
    ...(to === null ? {} : { conversationEnd: iso(to) }),
    divisionIds: ['d1'],
    participants: [
      {
        participantId: `p-${number}`,
        purpose: 'customer',
        sessions: [
          {
            sessionId: `s-${number}`,
            mediaType: 'voice',
            direction: 'inbound',
            segments: [{ segmentStart: iso(from), segmentType: 'interact', queueId: 'q', ...end }],
          },
        ],
      },
    ],
  }
}

function found({ body }: Answered): readonly string[] {
  return ((body as { conversations?: ConversationDetail[] }).conversations ?? []).map(({ conversationId }) => conversationId)
}

test('the details query answers with what overlaps the interval, each once over all pages', async (t) => {
  const { call, centre } = await scene(t, world())
  for (let i = 0; i < 23; i++) centre.know(conversation(i, i, i + 1))
  centre.know(conversation(99, 0, null))
  const query = (from: number, to: number, more: object = {}) => call('POST', QUERY, { interval: `${iso(from)}/${iso(to)}`, ...more })
  assert.deepEqual(found(await query(2, 4)), ['c-99', 'c-1', 'c-2', 'c-3'])
  const pages = []
  for (let pageNumber = 1; pageNumber <= 3; pageNumber++) pages.push(await query(-10, 100, { paging: { pageSize: 10, pageNumber } }))
  assert.deepEqual(
    pages.map((page) => found(page).length),
    [10, 10, 4],
  )
  assert.equal(new Set(pages.flatMap(found)).size, 24)
  assert.deepEqual(
    pages.map(({ body }) => (body as { totalHits: number }).totalHits),
    [24, 24, 24],
  )
  assert.deepEqual(found(await query(-10, 100, { order: 'desc', paging: { pageSize: 2, pageNumber: 1 } })), ['c-22', 'c-21'])
  const none = await query(-100, -90)
  assert.deepEqual([none.status, none.body], [200, { totalHits: 0 }], 'as the real answer, without a list')
})

test('a details query that makes no sense is refused', async (t) => {
  const { call } = await scene(t, world())
  const interval = `${iso(0)}/${iso(10)}`
  const wrong = [
    undefined,
    [],
    {},
    { interval: 'yesterday' },
    { interval: `${iso(10)}/${iso(0)}` },
    { interval: `${iso(0)}/${iso(0)}` },
    { interval: `${iso(0)}/${iso(60 * 24 * 32)}` },
    { interval, paging: { pageSize: 101, pageNumber: 1 } },
    { interval, paging: { pageSize: '10', pageNumber: 1 } },
    { interval, paging: { pageSize: 100, pageNumber: 1001 } },
    { interval, order: 'up' },
    { interval, orderBy: 'mood' },
  ]
  for (const body of wrong) assert.equal((await call('POST', QUERY, body)).status, 400, JSON.stringify(body))
})

test('one conversation: the analytics details as they are, and a snapshot with its states', async (t) => {
  const { call, centre } = await scene(t, world())
  centre.know(conversation(1, 0, null))
  centre.know(conversation(2, 0, 5))
  assert.deepEqual((await call('GET', '/api/v2/analytics/conversations/c-1/details')).body, conversation(1, 0, null))
  const open = (await call('GET', '/api/v2/conversations/c-1')).body as Record<string, unknown>
  const closed = (await call('GET', '/api/v2/conversations/c-2')).body as Record<string, unknown>
  assert.deepEqual([open['id'], open['startTime'], open['endTime']], ['c-1', iso(0), undefined])
  assert.deepEqual(closed['endTime'], iso(5))
  assert.deepEqual(open['participants'], [
    {
      id: 'p-1',
      purpose: 'customer',
      queueId: 'q',
      attributes: {},
      calls: [{ id: 's-1', state: 'connected', direction: 'inbound', held: false, connectedTime: iso(0) }],
    },
  ])
  const [participant] = closed['participants'] as { calls: { state: string; disconnectType: string }[] }[]
  assert.deepEqual([participant?.calls[0]?.state, participant?.calls[0]?.disconnectType], ['terminated', 'peer'])
  for (const path of ['/api/v2/conversations/none', '/api/v2/analytics/conversations/none/details']) {
    const { status, body } = await call('GET', path)
    assert.deepEqual([status, (body as { code: string }).code], [404, 'not.found'])
  }
  assert.deepEqual((await call('GET', '/api/v2/conversations')).body, { entities: [] }, 'no user, no conversations of the user')
})

test('attributes that are patched are published to those who listen', async (t) => {
  const { clock, random } = world()
  const { call, centre, channel, connect } = await scene(t, { clock, random })
  centre.know(conversation(1, 0, null))
  const line = await connect((await channel('v2.detail.events.conversation.c-1.attributes')).connectUri)
  const path = '/api/v2/conversations/c-1/participants/p-1/attributes'
  const attributes = { tier: 'gold', 'odd  key': '' }
  const done = await call('PATCH', path, { attributes })
  assert.deepEqual([done.status, done.text], [204, ''])
  await clock.advance(2000)
  await line.settled()
  assert.deepEqual((line.frames[0] as { eventBody: { attributes: unknown } }).eventBody.attributes, attributes)
  for (const body of [undefined, {}, { attributes: { a: 1 } }, { attributes: [] }, { attributes: null }, { attributes: { a: { b: 'c' } } }])
    assert.equal((await call('PATCH', path, body)).status, 400, JSON.stringify(body))
  assert.equal((await call('PATCH', path.replace('c-1', 'c-7'), { attributes })).status, 404)
  assert.equal((await call('PATCH', path.replace('p-1', 'p-7'), { attributes })).status, 404)
})

test('an integration is created, configured under its version, switched on, and comes up in its time', async (t) => {
  const { clock, random } = world()
  const { call } = await scene(t, { clock, random })
  const root = '/api/v2/integrations'
  const created = (await call('POST', root, { name: 'To AWS', integrationType: { id: 'amazon-eventbridge-source' } })).body as {
    id: string
    intendedState: string
  }
  assert.equal(created.intendedState, 'DISABLED')
  const own = `${root}/${created.id}`
  const code = async () => ((await call('GET', own)).body as { reportedState: { code: string } }).reportedState.code
  assert.equal(await code(), 'INACTIVE')
  await call('PATCH', own, { intendedState: 'ENABLED' })
  assert.equal(await code(), 'ERROR', 'it has no configuration yet')

  const current = `${own}/config/current`
  const config = (await call('GET', current)).body as { version: number }
  assert.equal(config.version, 1)
  const properties = {
    awsAccountId: '123456789012',
    awsAccountRegion: 'us-gov-west-1',
    eventSourceSuffix: 'detail-events',
    eventFilter: ['v2.audits.entitytype.{id}.entityid.{id}'],
  }
  assert.equal((await call('PUT', current, { version: 7, properties })).status, 409)
  for (const wrong of [
    { awsAccountId: '123' },
    { awsAccountRegion: 'Mars' },
    { eventSourceSuffix: 'a/b' },
    { eventSourceSuffix: 'x'.repeat(65) },
    { eventFilter: 'all' },
  ])
    assert.equal((await call('PUT', current, { version: 1, properties: { ...properties, ...wrong } })).status, 400, JSON.stringify(wrong))
  const put = await call('PUT', current, { version: 1, name: 'Events', properties })
  assert.deepEqual([put.status, (put.body as { version: number }).version], [200, 2])
  const race = await Promise.all([call('PUT', current, { version: 2, properties }), call('PUT', current, { version: 2, properties })])
  assert.deepEqual(
    race.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 409],
  )

  assert.equal(await code(), 'ACTIVATING')
  await clock.advance(10_000)
  assert.equal(await code(), 'ACTIVE')
  const [listed] = ((await call('GET', root)).body as { entities: { id: string; name: string }[] }).entities
  assert.deepEqual([listed?.id, listed?.name], [created.id, 'Events'])
  assert.equal((await call('PATCH', own, { intendedState: 'ON' })).status, 400)
  assert.equal((await call('POST', root, { integrationType: { id: 'aws-sqs' } })).status, 400)
  const schema = (await call('GET', `${root}/types/amazon-eventbridge-source/configschemas/properties`)).body as { required: string[] }
  assert.deepEqual(schema.required.toSorted(), Object.keys(properties).toSorted())
  assert.equal((await call('DELETE', own)).status, 200)
  assert.equal((await call('GET', own)).status, 404)
})
