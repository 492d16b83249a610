import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { WebSocketServer } from 'ws'
import { systemClock } from '../../hosts/clock.ts'
import { genesysServer, pageOf, type Asked, type GenesysServer, type Reply } from '../../testing/genesys-server.ts'
import { folder, testIo, type TestIo } from '../_test-io.ts'
import { exitCodeOf, problemOf } from '../failure.ts'
import type { Context } from '../context.ts'
import { genesysCommand } from './genesys.ts'

type Ran = { readonly code: number; readonly out: string; readonly err: string; readonly io: TestIo; readonly problem: string | null }

/** Runs `genesys check` in a folder with this configuration. */
async function check(t: TestContext, genesys: object, ...args: readonly string[]): Promise<Ran> {
  return checkAll(t, { genesys }, ...args)
}

async function checkAll(t: TestContext, config: object, ...args: readonly string[]): Promise<Ran> {
  const cwd = folder(t)
  writeFileSync(join(cwd, 'trunkline.config.json'), JSON.stringify(config))
  const io = testIo({ cwd, env: { GENESYS_SECRET: 'secret-of-client-1' } })
  const context: Context = { io, signal: new AbortController().signal, outlivesOutput: false, exitCode: 0 }
  try {
    await genesysCommand(context).parseAsync(['check', ...args], { from: 'user' })
    return { code: context.exitCode, out: io.out(), err: io.err(), io, problem: null }
  } catch (error) {
    return { code: exitCodeOf(error), out: io.out(), err: io.err(), io, problem: problemOf(error).code }
  }
}

function answer(asked: Asked): Reply {
  if (asked.path === '/api/v2/organizations/me') return { json: { id: 'org-1', name: 'Example \u001b[31m', domain: 'example' } }
  if (/^\/api\/v2\/(?:analytics\/)?conversations\/0/.test(asked.path))
    return { status: 404, json: { code: 'not.found', message: 'x', status: 404 } }
  if (asked.path.endsWith('/details/query')) return { json: { conversations: [{ conversationId: 'c1' }] } }
  if (asked.path === '/api/v2/flows')
    return {
      status: 403,
      json: { code: 'missing.permissions', message: 'You are missing the following permission(s): architect:flow:view', status: 403 },
    }
  return pageOf(asked, [{ id: 'x', name: 'X', routingStatus: { status: 'IDLE' } }])
}

const settings = (server: GenesysServer, more: object = {}): object => ({
  baseUrl: server.url,
  clientId: 'client-1',
  clientSecret: 'env:GENESYS_SECRET',
  ...more,
})

test('each call is tried; what is missing is said with the permission and the fix', async (t) => {
  const server = await genesysServer(t, { clock: systemClock, answer })
  const { code, out, err } = await check(t, settings(server))
  assert.equal(code, 1, out + err)
  assert.match(out, /^ok +organization +Example \\u001b\[31m \(org-1\)$/m)
  assert.match(out, /^ok +queues +1$/m)
  assert.match(out, /^FAILED flows .*lacks the permission architect:flow:view/m)
  assert.match(out, /needed for names of flows \[genesys\.forbidden\]\n +fix: Add architect:flow:view to a role/)
  assert.match(out, /^ok +conversation by id/m)
  assert.match(out, /^ok +analytics by id +may be asked for$/m)
  assert.match(out, /^ok +presence and routing +no presence and routing status told$/m)
  assert.match(out, /^2\d\d of 300 requests left until /m)
  assert.match(out, /^1 of 11 checks failed$/m)
  assert.ok(
    server.asked.every(({ method, path }) => method === 'GET' || path.endsWith('/query')),
    'it only reads',
  )
  assert.ok(!`${out}${err}`.includes('secret-of'))
})

test('with notifications a channel is made, its socket opened and each kind of topic subscribed once', async (t) => {
  const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(sockets, 'listening')
  t.after(() => sockets.close())
  let connections = 0
  sockets.on('connection', () => connections++)
  const connectUri = `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}/c1`
  const subscribed: string[] = []
  const server = await genesysServer(t, {
    clock: systemClock,
    answer: (asked) => {
      if (asked.path === '/api/v2/notifications/channels') return { json: { id: 'c1', connectUri, expires: '2030-01-01T00:00:00.000Z' } }
      if (!asked.path.endsWith('/subscriptions')) return asked.path === '/api/v2/flows' ? pageOf(asked, []) : answer(asked)
      const topics = (JSON.parse(asked.body) as { id: string }[]).map(({ id }) => id)
      subscribed.push(...topics)
      const entities = topics.map((id) =>
        id.endsWith('.presence')
          ? { id, state: 'Rejected', rejectionReason: 'forbidden', missingPermissions: ['presence:user:view'] }
          : { id, state: 'Permitted' },
      )
      return { json: { entities } }
    },
  })
  const topics = [
    'v2.users.{id}.presence',
    'v2.users.{id}.station',
    'v2.routing.queues.{id}.conversations',
    'v2.detail.events.conversation.{id}.acw',
  ]
  const { code, out, err } = await check(t, settings(server, { notifications: { topics, queues: ['q7'] } }))
  assert.equal(code, 1, out + err)
  assert.deepEqual(subscribed.sort(), [
    'v2.detail.events.conversation.c1.acw',
    'v2.routing.queues.q7.conversations',
    'v2.users.x.presence',
    'v2.users.x.station',
  ])
  assert.equal(connections, 1)
  assert.match(out, /^ok +notification channel +made one, which Genesys removes at 2030-01-01T00:00:00\.000Z$/m)
  assert.match(out, /^ok +notification socket +opened and closed$/m)
  assert.match(out, /^ok +subscriptions +3 of 4 kinds of topics accepted$/m)
  assert.match(out, /^FAILED v2\.users\.\{id\}\.presence +Genesys refuses v2\.users\.x\.presence \(forbidden\)\.$/m)
  assert.match(out, /fix: Add presence:user:view to a role/)
  assert.match(out, /^1 of 15 checks failed$/m)
})

test('names in the configuration are held against the lists: what is unknown is said with the nearest', async (t) => {
  const server = await genesysServer(t, {
    clock: systemClock,
    answer: (asked) => {
      const names = ['Sales', 'Support']
      if (asked.path === '/api/v2/routing/queues')
        return pageOf(
          asked,
          names.map((name) => ({ id: `id-${name}`, name })),
        )
      return asked.path === '/api/v2/flows' ? pageOf(asked, []) : answer(asked)
    },
  })
  const sink = (dir: string): object => ({ type: 'file', dir })
  const topics = ['v2.detail.events.conversation.{id}.acd.end']
  const routes = {
    crm: {
      topics,
      queues: ['Salse'],
      limit: { per: 'queue', perSecond: 5, limits: { Suport: { perSecond: 1 }, Sales: { perSecond: 2 } } },
      sink: sink('crm'),
    },
    lake: { topics, queues: ['Sales', 'Support'], sink: sink('lake') },
    all: { sink: sink('all') },
  }
  const { code, out, err } = await checkAll(t, { genesys: settings(server), routes })
  assert.equal(code, 1, out + err)
  assert.match(
    out,
    /^FAILED names of crm +Genesys Cloud has nothing of this name: queues: "Salse"\n.*\[match\.name_unknown\]\n +fix: The nearest are "Sales"/m,
  )
  assert.match(out, /^FAILED names of crm .*limit\.limits: "Suport"\n.*\[limit\.name_unknown\]\n +fix: The nearest are "Support"/m)
  assert.match(out, /^ok +names of lake +2 names known$/m)
  assert.match(out, /^2 of 14 checks failed$/m)
  assert.doesNotMatch(out, /names of all/)
})

test('as JSON, with the permissions as a list', async (t) => {
  const server = await genesysServer(t, { clock: systemClock, answer })
  const { code, out } = await check(t, settings(server), '--json')
  const said = JSON.parse(out) as {
    ok: boolean
    where: string
    checks: { call: string; ok: boolean; problem: { permissions: string[] } | null }[]
    budget: { allowed: number }
  }
  assert.deepEqual([code, said.ok, said.where, said.budget.allowed], [1, false, server.url, 300])
  assert.deepEqual(
    said.checks.filter(({ ok }) => !ok).map(({ call, problem }) => [call, problem?.permissions]),
    [['flows', ['architect:flow:view']]],
  )
})

test('another organization than the configured one is a failure, and the rest is still tried', async (t) => {
  const server = await genesysServer(t, { clock: systemClock, answer })
  const { code, out } = await check(t, settings(server, { orgId: '11111111-1111-4111-8111-111111111111' }))
  assert.equal(code, 1)
  assert.match(out, /FAILED organization .*\[genesys\.other_organization\]/s)
  assert.match(out, /^ok +queues/m)
})

test('wrong credentials: one clear failure, one login', async (t) => {
  const server = await genesysServer(t, { clock: systemClock, clientSecret: 'another' })
  const { code, out } = await check(t, settings(server))
  assert.equal(code, 1)
  assert.match(out, /FAILED organization +Genesys Cloud .* does not accept the client id and secret \(401, invalid_client\)/)
  assert.match(out, /1 of 1 check failed/)
  assert.equal(server.logins.length, 1)
})

test('what is not configured, or no region, ends with exit code 2', async (t) => {
  const none = await check(t, {})
  assert.deepEqual([none.code, none.problem], [2, 'genesys.not_configured'])
  const broken = await check(t, { region: 'us-east-9', clientId: 'a', clientSecret: 'b' })
  assert.equal(broken.code, 2)
})
