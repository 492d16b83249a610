/** `genesys status` and `genesys gaps`: what the running service says of its connection, for people and scripts. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { run, type Ran } from '../_test-io.ts'
import { testService } from '../_test-service.ts'

const NOW_MS = Date.UTC(2026, 7, 14, 9, 30)
const SHARD = { key: 'topics-0', topics: 56, working: true, reason: null, lastEventAtMs: NOW_MS - 3_000, events: 12, refused: [{}, {}] }
const EMPTY = { key: 'conversations-0', topics: 0, working: false }
const SOURCE = {
  name: 'genesys.notifications',
  connected: true,
  notConnectedSinceMs: null,
  lastProblem: null,
  users: 50,
  queues: 1,
  shards: [EMPTY, SHARD],
  conversations: { followed: 2, learned: 9, notFollowed: 4 },
}
const OPEN = { id: null, fromMs: NOW_MS - 600_000, toMs: null, reason: 'channel.closed\u001b[2J', topics: ['v2.users.{id}.presence'] }
const filled = [
  { topic: 'v2.detail.events.conversation.{id}.acd.end', events: 3 },
  { topic: 'v2.detail.events.conversation.{id}.wrapup', events: 0 },
]
const lost = ['presence', 'station', 'activity', 'routingStatus', 'geolocation'].map((kind) => `v2.users.{id}.${kind}`)
const CLOSED = { id: 7, fromMs: NOW_MS - 7_200_000, toMs: NOW_MS - 7_170_000, reason: 'channel.silent', lost, filled }
const KIND = { kind: 'queues', names: 6, loadedAtMs: NOW_MS - 1_800_000, lastError: { message: 'forbidden' } }

async function genesys(t: TestContext, answers: { sources?: object; gaps?: readonly object[] }, ...args: readonly string[]): Promise<Ran> {
  const service = await testService(t, ({ path }) => {
    if (path === '/v1/gaps') return { json: { gaps: answers.gaps ?? [], cursor: null } }
    if (path === '/v1/directory') return { json: { configured: true, kinds: [KIND], snapshotError: null } }
    return { json: { sources: answers.sources ?? {}, gaps: { records: 2, lostMs: 30_000, open: 0 } } }
  })
  return run(['genesys', ...args], { env: { TRUNKLINE_URL: service.url } })
}

const budget = { allowed: 300, used: 20, endsAtMs: null, waiting: 0 }

test('status of a connection that works', async (t) => {
  const { code, out } = await genesys(t, { sources: { 'genesys.notifications': SOURCE, 'genesys.budget': budget } }, 'status')
  assert.equal(code, 0)
  for (const line of [
    /^connected +yes$/m,
    /^topics +56 for 50 users and 1 queue$/m,
    /^channel +topics-0: 56 topics, working, last event 3\.0 s ago, 12 events since start, 2 topics refused$/m,
    /^conversations +2 followed, 4 not followed/m,
    /^on record +2 gaps, 30\.0 s together/m,
    /^requests +20 of 300 used$/m,
    /^names +queues 6, read 30 min ago; the last attempt failed: forbidden$/m,
  ])
    assert.match(out, line)
  assert.doesNotMatch(out, /conversations-0|open gap|last problem/)
})

test('status of an outage says so, how long and why, and fails', async (t) => {
  const source = {
    ...SOURCE,
    connected: false,
    notConnectedSinceMs: NOW_MS - 600_000,
    lastProblem: { code: 'notifications.connect_failed', message: 'refused', atMs: NOW_MS - 9_000 },
    shards: [{ ...SHARD, working: false, reason: 'channel.closed', refused: [] }],
  }
  const answers = { sources: { 'genesys.notifications': source }, gaps: [OPEN, CLOSED] }
  const { code, out } = await genesys(t, answers, 'status')
  assert.equal(code, 1)
  assert.match(out, /^connected +NO, for 10 min$/m)
  assert.match(out, /^last problem +9\.0 s ago: refused \[notifications\.connect_failed\]$/m)
  assert.match(out, /^channel +topics-0: 56 topics, not working \(channel\.closed\)/m)
  assert.match(out, /^open gap +still missing events, for 10 min \(channel\.closed\\u001b\[2J\)$/m)
  const json = await genesys(t, answers, 'status', '--json')
  const said = JSON.parse(json.out) as { sources: object[]; openGaps: object[]; budget: null }
  assert.deepEqual([json.code, said.sources, said.openGaps, said.budget], [1, [source], [OPEN], null])
})

test('status where no notifications are configured is no failure', async (t) => {
  const { code, err } = await genesys(t, { sources: { 'genesys.budget': budget } }, 'status')
  assert.equal(code, 0)
  assert.match(err, /no notifications are configured/)
})

test('gaps: what still lasts, what was lost, what was filled', async (t) => {
  const { code, out } = await genesys(t, { gaps: [OPEN, CLOSED] }, 'gaps')
  assert.equal(code, 0)
  const [, open, closed, ...others] = out.trimEnd().split('\n')
  assert.match(open ?? '', /^2026-08-14T09:20:00\.000Z +still lasts +10 min +channel\.closed\\u001b\[2J +users\.presence +not known yet$/)
  assert.match(
    closed ?? '',
    /^2026-08-14T07:30:00\.000Z +2026-08-14T07:30:30\.000Z +30\.0 s +channel\.silent +users\.presence, users\.station, users\.activity, 2 more +3: conversation\.acd\.end 3$/,
  )
  assert.deepEqual(others, [])
  const none = await genesys(t, {}, 'gaps')
  assert.deepEqual([none.code, none.out, none.err], [0, '', 'no gaps\n'])
  assert.deepEqual(JSON.parse((await genesys(t, { gaps: [CLOSED] }, 'gaps', '--limit', '1', '--json')).out), {
    gaps: [CLOSED],
    cursor: null,
  })
})
