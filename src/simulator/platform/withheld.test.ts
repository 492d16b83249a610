/** What the fake platform never publishes, though its API knows it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, virtualClock } from '../../testing/virtual-clock.ts'
import { scene } from './_caller.ts'
import { queueId, userId } from './_scripted-centre.ts'
import { readFaults, type Fault } from './fault-plan.ts'

const START_MS = Date.UTC(2026, 7, 14, 8)
const CONVERSATION = 'v2.detail.events.conversation'
const SNAPSHOTS = `v2.routing.queues.${queueId(0)}.conversations`

const planOf = (list: string): readonly Fault[] => {
  const faults = readFaults(list, START_MS)
  assert.notEqual(typeof faults, 'string', String(faults))
  return faults as readonly Fault[]
}

test('the end of the next conversation is withheld with its later snapshots, and nothing else', async (t) => {
  const clock = virtualClock(START_MS)
  const at = await scene(t, { clock, random: seededRandom(7), plan: planOf('withheld-end@10s') })
  const { connectUri } = await at.channel(
    ...['c-1', 'c-2'].flatMap((id) => [`${CONVERSATION}.${id}.customer.end`, `${CONVERSATION}.${id}.user.end`]),
    SNAPSHOTS,
  )
  const line = await at.connect(connectUri)
  const say = (second: number, topicName: string, body: object = {}): void =>
    at.centre.say(topicName, START_MS + second * 1000, { ...body })
  say(5, SNAPSHOTS, { id: 'c-1' })
  say(20, `${CONVERSATION}.c-1.customer.end`)
  say(21, SNAPSHOTS, { id: 'c-1' })
  say(22, `${CONVERSATION}.c-1.user.end`)
  say(23, SNAPSHOTS, { id: 'c-2' })
  say(24, `${CONVERSATION}.c-2.customer.end`)
  await clock.advance(30_000)
  await line.settled()
  const got = line.frames.flatMap((frame) => {
    const { topicName, eventBody } = frame as { topicName: string; eventBody: { id?: string } }
    return topicName === 'channel.metadata' ? [] : [`${topicName.split('.').slice(-3).join('.')} ${eventBody.id ?? ''}`.trim()]
  })
  const shown = SNAPSHOTS.split('.').slice(-3).join('.')
  assert.deepEqual(got, [`${shown} c-1`, 'c-1.user.end', `${shown} c-2`, 'c-2.customer.end'])
  assert.deepEqual(at.platform.truth().withheld, { events: 2, ids: ['c-1'] })
  assert.deepEqual(at.platform.truth().outages, [])
})

test('for a span every end is withheld', async (t) => {
  const clock = virtualClock(START_MS)
  const at = await scene(t, { clock, random: seededRandom(7), plan: planOf('withheld-end@10s+20s') })
  await at.channel(...['c-1', 'c-2', 'c-3'].map((id) => `${CONVERSATION}.${id}.customer.end`))
  at.centre.say(`${CONVERSATION}.nobody-waits.customer.end`, START_MS + 16_000)
  for (const [n, second] of [5, 15, 25, 35].entries()) at.centre.say(`${CONVERSATION}.c-${n}.customer.end`, START_MS + second * 1000)
  await clock.advance(40_000)
  assert.deepEqual(at.platform.truth().withheld.ids, ['c-1', 'c-2'])
})

test('one agent falls silent; the API says what it does, in the words of the API', async (t) => {
  const clock = virtualClock(START_MS)
  const at = await scene(t, { clock, random: seededRandom(7), plan: planOf('withheld-status@10s') })
  const topics = [0, 1].map((n) => `v2.users.${userId(n)}.presence`)
  const line = await at.connect((await at.channel(...topics)).connectUri)
  for (const [second, n] of [
    [4, 1],
    [5, 0],
    [20, 1],
    [21, 0],
    [22, 1],
  ] as const)
    at.centre.say(topics[n] ?? '', START_MS + second * 1000)
  await clock.advance(30_000)
  await line.settled()
  assert.deepEqual(
    line.frames.flatMap((frame) =>
      (frame as { topicName: string }).topicName === 'channel.metadata' ? [] : [(frame as { topicName: string }).topicName],
    ),
    [topics[1], topics[0], topics[0]],
  )
  assert.deepEqual(at.platform.truth().withheld, { events: 2, ids: [userId(1)] })
  at.centre.knowUser(userId(1), {
    presence: 'ON_QUEUE',
    presenceDefinitionId: 'd-1',
    presenceSinceMs: START_MS,
    routingStatus: 'IDLE',
    routingStatusSinceMs: START_MS + 5,
  })
  const asked = await at.call('GET', `/api/v2/users?id=${userId(1)}&expand=presence&expand=routingStatus`)
  const [user, ...more] = (asked.body as { entities: Record<string, unknown>[] }).entities
  assert.equal(more.length, 0)
  assert.deepEqual(user?.['presence'], {
    source: 'PURECLOUD',
    primary: true,
    presenceDefinition: { id: 'd-1', systemPresence: 'On Queue' },
    message: '',
    modifiedDate: '2026-08-14T08:00:00.000Z',
  })
  assert.deepEqual(user?.['routingStatus'], { status: 'IDLE', startTime: '2026-08-14T08:00:00.005Z' })
})
