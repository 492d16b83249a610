import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from './_test-io.ts'
import { testService } from './_test-service.ts'

const AT = Date.UTC(2026, 7, 14, 9, 30)

test('state conversations: filters go to the service, outside text is escaped, what lags is said', async (t) => {
  const service = await testService(t, () => ({
    json: {
      asOfMs: AT,
      lagEvents: 3,
      more: true,
      conversations: [
        {
          id: 'c\u001b]0;x\u0007',
          open: true,
          mediaType: 'VOICE',
          startedAtMs: AT - 185_000,
          endedAtMs: null,
          asOfMs: AT,
          queueVisits: [{}],
          agentLegs: [],
        },
        {
          id: 'c2',
          open: false,
          outcome: 'handled',
          mediaType: 'CHAT',
          startedAtMs: AT - 60_000,
          endedAtMs: AT - 56_500,
          queueVisits: [],
          agentLegs: [{}],
        },
      ],
    },
  }))
  const { code, out, err } = await run(['state', 'conversations', '--open', '--limit', '7', '--as-of', '2026-08-14T09:30:00Z'], {
    env: { TRUNKLINE_URL: service.url },
    terminal: true,
  })
  assert.equal(code, 0, err)
  assert.deepEqual(service.asked[0]?.query, { open: 'true', limit: '7', asOf: String(AT) })
  const lines = out.split('\n')
  assert.match(lines[1] ?? '', /^c\\u001b\]0;x\\u0007 +VOICE +2026-08-14T09:26:55\.000Z +open +1 +0 +3:05$/)
  assert.match(lines[2] ?? '', /^c2 +CHAT +2026-08-14T09:29:00\.000Z +handled +0 +1 +3\.5 s$/)
  assert.match(err, /there are more.*\n3 events of the log not in it yet\n/)
})

test('state conversations ID: one conversation, in words; --json is what the service said', async (t) => {
  const conversation = {
    id: 'c 1',
    open: false,
    outcome: 'handled',
    closedBy: 'customer.end',
    startedAtMs: AT,
    endedAtMs: AT + 90_000,
    queueVisits: [{ queueId: 'q', outcome: 'ANSWERED', leftAtMs: AT + 4_200, waitMs: 4_200 }],
    agentLegs: [{ userId: 'u', state: 'TERMINATED', talkMs: 61_000, holdMs: 0, acwMs: 5_000 }],
    wrapupCode: 'w',
    attributes: { 'a\nb': 'v\u202e' },
    names: { q: { kind: 'queue', name: 'Sales\u0007' }, w: { kind: 'wrapupCode', name: 'Solved' } },
  }
  const service = await testService(t, () => ({ json: { asOfMs: AT, lagEvents: 0, conversation } }))
  const env = { TRUNKLINE_URL: service.url }
  const { code, out, err } = await run(['state', 'conversations', 'c 1'], { env })
  assert.deepEqual([code, err], [0, ''])
  assert.equal(service.asked[0]?.path, '/v1/conversations/c%201')
  assert.match(out, /handled, closed by customer\.end/)
  assert.match(out, /wrap-up +Solved \(w\)\n/)
  assert.match(out, /queue +Sales\\u0007 \(q\) {2}ANSWERED after 4\.2 s/)
  assert.match(out, /agent +u {2}TERMINATED: talk 1:01, hold 0\.0 s, acw 5\.0 s/)
  assert.match(out, /attribute a\\nb = v\\u202e/)
  const json = await run(['state', 'conversations', 'c 1', '--json'], { env })
  assert.deepEqual(JSON.parse(json.out), { asOfMs: AT, lagEvents: 0, conversation })
})

test('state queues: an interval is counted back from now; a service level is a percentage, none is a dash', async (t) => {
  const interval = { entered: 5, answered: 3, abandoned: 1, serviceLevel: 0.756 }
  const goals = {
    targets: [
      { mediaType: 'EMAIL', targetMs: 60_000 },
      { mediaType: 'VOICE', targetMs: 20_000 },
      { mediaType: null, targetMs: 20_000 },
    ],
  }
  const service = await testService(t, () => ({
    json: {
      asOfMs: AT,
      lagEvents: 0,
      fromMs: AT - 100,
      completeSinceMs: AT,
      queues: [
        { queueId: 'q1', name: 'Sales', waiting: 2, longestWaitMs: 12_000, interacting: 1, interval, goals },
        { queueId: 'q2', name: null, waiting: 0, longestWaitMs: null, interacting: 0, interval: { ...interval, serviceLevel: null } },
      ],
      limiterDrops: [
        { queueId: 'q1', name: 'Sales', route: 'crm', reason: 'limit.rate', events: 12 },
        { queueId: 'q9', name: null, route: 'crm', reason: 'limit.priority', events: 3 },
        { queueId: null, name: null, route: 'talks', reason: 'limit.rate', events: 4 },
      ],
    },
  }))
  const { code, out, err } = await run(['state', 'queues', '--interval', '8h', '--as-of', '2026-08-14T09:30:00Z'], {
    env: { TRUNKLINE_URL: service.url },
  })
  assert.equal(code, 0, err)
  assert.deepEqual(service.asked[0]?.query, { from: String(AT - 8 * 3_600_000), to: String(AT + 1), asOf: String(AT) })
  assert.match(out, /Sales +2 +12\.0 s +1 +5 +3 +1 +76 % +20\/60 s\nq2 +0 +- +0 +5 +3 +1 +- +-\n/)
  assert.match(
    out,
    /\n\ndropped by limits .*\nSales +crm +limit\.rate +12\nq9 +crm +limit\.priority +3\n\(not by queue\) +talks +limit\.rate +4\n$/,
  )
  assert.match(err, /whole only from 2026-08-14T09:30:00\.000Z/)
  const bad = await run(['state', 'queues', '--interval', 'soon'], { env: { TRUNKLINE_URL: service.url } })
  assert.equal(bad.code, 2)
})

test('state agents: times in state', async (t) => {
  const agent = {
    userId: 'u1',
    name: 'Ann',
    presence: 'ON_QUEUE',
    presenceMs: 3_723_000,
    routingStatus: 'IDLE',
    routingMs: 5_000,
    conversationIds: ['c'],
  }
  const service = await testService(t, () => ({ json: { asOfMs: AT, lagEvents: 0, agents: [agent] } }))
  const { out } = await run(['state', 'agents'], { env: { TRUNKLINE_URL: service.url } })
  assert.match(out, /Ann +ON_QUEUE +1:02:03 +IDLE +5\.0 s +1\n/)
})

test('state rebuild: exit code 1 and the differences when the old state was wrong', async (t) => {
  const answer = { equal: true, conversations: 2, agents: 1, queues: 1, events: 30, tookMs: 1_500, differences: [] }
  let different = false
  const service = await testService(t, () => ({
    json: different
      ? { ...answer, equal: false, differences: [{ kind: 'conversation', id: 'c1', fields: ['open', 'endedAtMs'] }] }
      : answer,
  }))
  const env = { TRUNKLINE_URL: service.url }
  const equal = await run(['state', 'rebuild'], { env })
  assert.deepEqual([equal.code, equal.out], [0, 'equal: 2 conversations, 1 agent, 1 queue, from 30 events in 1.5 s\n'])
  assert.deepEqual([service.asked[0]?.method, service.asked[0]?.path], ['POST', '/v1/state/rebuild'])
  different = true
  const other = await run(['state', 'rebuild'], { env })
  assert.equal(other.code, 1)
  assert.match(other.out, /^different, the new state answers now: .*\n {2}conversation c1: open, endedAtMs\n$/)
})

test('state routes: how each stands, and why one does not go on', async (t) => {
  const route = {
    position: 9,
    lag: 0,
    held: 0,
    retrying: 0,
    breaker: 'closed',
    paused: false,
    blocked: null,
    deadLetters: 0,
    sinkError: null,
  }
  const routes = {
    crm: {
      ...route,
      lag: 7,
      breaker: 'open',
      sinkError: 'http.503',
      lastDeliveredAtMs: AT,
      counts: { delivered: 4, redelivered: 1, dead: 2 },
    },
    held: { ...route, blocked: { code: 'match.name_unknown', message: 'route held holds: "Sails"' }, counts: {} },
    lake: { ...route, paused: true, held: 3, counts: { 'dropped|limit.rate|q1': 2, 'dropped|limit.rate|q2': 3, 'held|limit.rate|': 5 } },
    out: { ...route, counts: { delivered: 1 } },
  }
  const { url } = await testService(t, () => ({ json: { routes, mode: 'dev' } }))
  const { code, out, err } = await run(['state', 'routes', '--url', url])
  assert.equal(code, 0, err)
  assert.deepEqual(
    out
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split(/  +/)),
    [
      ['crm', 'breaker open', '9', '7', '0', '0', '5', '0', '0', '2026-08-14T09:30:00.000Z'],
      ['held', 'blocked', '9', '0', '0', '0', '0', '0', '0', '-'],
      ['lake', 'paused', '9', '0', '3', '0', '0', '5', '0', '-'],
      ['out', 'runs', '9', '0', '0', '0', '1', '0', '0', '-'],
    ],
  )
  assert.equal(err, 'route crm: the sink fails: http.503\nroute held holds: "Sails" [match.name_unknown]\n')
  assert.deepEqual(JSON.parse((await run(['state', 'routes', '--json', '--url', url])).out), { routes })
})
