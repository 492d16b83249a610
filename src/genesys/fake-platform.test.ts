/** The client and the directory against the simulated platform, whose rules were written by another hand. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../hosts/clock.ts'
import { startPlatform, type FakePlatform, type PlatformOptions } from '../simulator/platform/platform.ts'
import { queueId, scriptedCentre, userId, type ScriptedCentre } from '../simulator/platform/_scripted-centre.ts'
import { scaledClock } from '../simulator/scaled-clock.ts'
import { Directory } from './directory.ts'
import { platformClient, type PlatformClient } from './platform-client.ts'
import { hostsAt } from './regions.ts'

const START_MS = Date.UTC(2026, 7, 14, 9)
const CREDENTIALS = { clientId: 'client-1', clientSecret: 'secret-1' }

type Bench = {
  readonly centre: ScriptedCentre
  readonly platform: FakePlatform
  readonly client: PlatformClient
  readonly clock: ReturnType<typeof scaledClock>
}

async function bench(
  t: TestContext,
  options: Partial<PlatformOptions> & { readonly users?: number; readonly queues?: number } = {},
): Promise<Bench> {
  const clock = scaledClock(systemClock, START_MS, 200)
  const centre = scriptedCentre(options)
  const platform = await startPlatform({
    simulation: centre,
    clock,
    wall: systemClock,
    random: Math.random,
    credentials: CREDENTIALS,
    ...options,
  })
  t.after(() => platform.stop())
  const client = platformClient({
    ...CREDENTIALS,
    hosts: hostsAt(platform.url),
    clock,
    random: Math.random,
    fetch,
    userAgent: 'trunkline/test',
    timeoutMs: 1_000_000,
  })
  return { centre, platform, client, clock }
}

test('every call of the port is understood', async (t) => {
  const { centre, client } = await bench(t, { users: 230, queues: 120 })
  centre.know({
    conversationId: 'c1',
    conversationStart: '2026-08-14T09:00:00.000Z',
    participants: [{ participantId: 'p1', purpose: 'customer', sessions: [] }],
  })
  assert.deepEqual(await client.organization(), { id: 'o1', name: 'Simulated Centre', domain: 'simulated-centre' })
  assert.equal((await client.queues()).length, 120)
  assert.equal((await client.users()).length, 230)
  assert.deepEqual((await client.users())[229], {
    id: userId(229),
    name: 'Agent 229',
    email: 'agent229@example.com',
    divisionId: 'd1',
    state: 'active',
  })
  assert.deepEqual(await client.divisions(), [
    { id: 'd1', name: 'Home' },
    { id: 'd2', name: 'North' },
  ])
  assert.deepEqual(await client.wrapupCodes(), [{ id: 'w1', name: 'Solved' }])
  assert.deepEqual(await client.flows(), [{ id: 'f1', name: 'Main menu' }])
  assert.equal((await client.conversation('c1'))?.['id'], 'c1')
  assert.equal(await client.conversation('c2'), null)
  const found = []
  for await (const { conversationId } of client.conversationDetails({ fromMs: START_MS, toMs: START_MS + 40 * 86_400_000 }))
    found.push(conversationId)
  assert.deepEqual(found, ['c1'])
  await client.patchAttributes('c1', 'p1', { 'a key': 'value' })
  await assert.rejects(client.patchAttributes('c1', 'p9', { a: 'b' }), { code: 'genesys.not_found' })
  assert.ok((await client.availableTopics()).length > 200)

  const channel = await client.createChannel()
  assert.equal(await client.channelExists(channel.id), true)
  assert.equal(await client.channelExists('none'), false)
  const states = await client.addTopics(channel.id, [`v2.users.${userId(1)}.presence`, 'v2.no.such.topic'])
  assert.equal(states.find(({ topic }) => topic.includes('presence'))?.permitted, true)
  await client.replaceTopics(channel.id, [`v2.users.${userId(2)}.presence`])

  const { integrations } = client
  const made = await integrations.create('amazon-eventbridge-source', 'Events')
  const config = await integrations.config(made.id)
  const written = await integrations.putConfig(made.id, {
    ...config,
    properties: { awsAccountId: '123456789012', awsAccountRegion: 'us-east-1', eventSourceSuffix: 'x', eventFilter: [] },
  })
  assert.notEqual(written.version, config.version)
  await assert.rejects(integrations.putConfig(made.id, config), { code: 'genesys.conflict' })
  await integrations.setState(made.id, 'ENABLED')
  assert.equal((await integrations.get(made.id))?.intendedState, 'ENABLED')
})

test('a missing permission and wrong credentials are said as they are', async (t) => {
  const { platform, client, clock } = await bench(t, { limits: { forbiddenTopics: { 'v2.users.{id}.presence': 'presence:user:view' } } })
  const channel = await client.createChannel()
  const [state] = await client.addTopics(channel.id, [`v2.users.${userId(1)}.presence`])
  assert.deepEqual([state?.permitted, state?.missingPermissions], [false, ['presence:user:view']])
  const login = { clientId: 'client-1', clientSecret: 'wrong', hosts: hostsAt(platform.url) }
  const wrong = platformClient({ ...login, clock, random: Math.random, fetch, userAgent: 'trunkline/test' })
  await assert.rejects(wrong.organization(), { code: 'genesys.credentials' })
})

test('50 callers meet no 429, window after window', async (t) => {
  const { platform, client } = await bench(t, { limits: { requestsPerMinute: 60, retryAfter: 'never' } })
  let left = 240
  const caller = async (): Promise<void> => {
    while (left-- > 0) await client.organization()
  }
  await Promise.all(Array.from({ length: 50 }, caller))
  assert.equal(platform.truth().http.throttled, 0)
})

test('a revoked token, tokens of five minutes, 429s by chance and gateways that fail are hardly seen by callers', async (t) => {
  const minutes = (from: number): { readonly atMs: number; readonly durationMs: number } => ({
    atMs: START_MS + from * 60_000,
    durationMs: 60_000,
  })
  const plan = [
    { kind: 'unavailable' as const, ...minutes(0) },
    { kind: 'throttle' as const, ...minutes(2) },
    { kind: 'revocation' as const, ...minutes(4) },
    { kind: 'slow' as const, ...minutes(5) },
    { kind: 'revocation' as const, ...minutes(7) },
  ]
  const { platform, client, clock } = await bench(t, { plan, limits: { tokenLifeMs: 300_000 } })
  const failures: unknown[] = []
  let calls = 0
  const caller = async (): Promise<void> => {
    while (clock.nowMs() < START_MS + 11 * 60_000) {
      calls += 1
      await client.organization().catch((error: unknown) => failures.push((error as { code: string }).code))
      await clock.wait(2_000)
    }
  }
  await Promise.all(Array.from({ length: 4 }, caller))
  assert.ok(platform.truth().http.spoilt > 0, 'faults hit')
  assert.ok(calls > 100)
  // Half of the calls fail at such times; five attempts in a row may, and a login that fails is remembered for a while.
  assert.ok(failures.length <= calls * 0.2, `${failures.length} of ${calls}`)
  await client.organization()
  assert.ok(
    failures.every((code) => code === 'genesys.unavailable' || code === 'genesys.rate_limited'),
    failures.join(' '),
  )
})

test('HTML, halves and redirects are coded errors, and it goes on after them', async (t) => {
  const plan = (['html', 'truncated', 'redirect'] as const).map((kind) => ({ kind, atMs: START_MS + 60_000, durationMs: 60_000 }))
  const { client, clock } = await bench(t, { plan })
  // A login that failed would be remembered.
  await client.organization()
  const codes = new Set<string>()
  while (clock.nowMs() < START_MS + 120_000)
    await client.queues().then(
      () => codes.add('ok'),
      (error: unknown) => codes.add((error as { code: string }).code),
    )
  for (const code of codes) assert.ok(['ok', 'genesys.bad_answer', 'genesys.redirected', 'genesys.unreachable'].includes(code), code)
  assert.ok(codes.size > 1)
  // The faults end a little later than planned on a busy machine.
  let queues = 0
  while (queues === 0 && clock.nowMs() < START_MS + 600_000)
    await client.queues().then(
      (found) => (queues = found.length),
      () => undefined,
    )
  assert.equal(queues, 3)
})

test('a directory fills itself from the platform', async (t) => {
  const { client, clock } = await bench(t)
  const directory = new Directory({
    platform: client.background,
    clock,
    random: Math.random,
    load: async () => null,
    save: async () => undefined,
  })
  await directory.start()
  while (directory.state().kinds.some(({ loadedAtMs }) => loadedAtMs === null)) await clock.wait(100)
  assert.deepEqual(directory.nameOf('queues', queueId(1)), { name: 'Queue 1', stale: false })
  assert.equal(directory.nameOf('users', userId(2))?.name, 'Agent 2')
  await directory.stop()
})
