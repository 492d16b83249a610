/**
 * The service beside a fake Genesys Cloud that knows what the events never told: an hour of a simulated centre, of which the end of
 * some conversations and the last status of some agents were withheld, is found, repaired and explained; the state is the truth then.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Config, TrunklineConfig } from '../../src/config/config.ts'
import type { Totals } from '../../src/hosts/reconcile.ts'
import { systemClock } from '../../src/hosts/clock.ts'
import { run as command, type Ran } from '../../src/cli/_test-io.ts'
import { startPlatform, type FakePlatform } from '../../src/simulator/platform/platform.ts'
import { writerOf } from '../../src/simulator/envelope.ts'
import { simulation } from '../../src/simulator/model/simulation.ts'
import type { Emission, Simulation, Truth } from '../../src/simulator/simulation.ts'
import type { Reported, Run } from '../../src/reconcile/report.ts'
import { seededRandom } from '../../src/testing/virtual-clock.ts'
import { running, until, type Json, type Running } from './_service.ts'
import { assertTrue, fetched, post } from './_state.ts'

const HOUR_MS = 3_600_000
const CREDENTIALS = { clientId: 'client-1', clientSecret: 'secret-of-client-1' }
const STATUS = /^v2\.users\.\{id\}\.(?:presence|routingStatus|activity)$/
const END = 'v2.detail.events.conversation.{id}.customer.end'

type Status = {
  readonly running: Run | null
  readonly last: Run | null
  readonly recent: readonly Reported[]
  readonly schedule: object | null
  readonly totals: Totals
}

test('Show 5: a conversation whose end was withheld is found stuck and closed; the state is the truth; a second run finds nothing', async (t) => {
  const { service, truth, withheld, platform } = await scene(t, ({ topic }) => topic === END, 1)
  const [lost] = withheld
  assert.ok(lost !== undefined)
  const id = String(lost.body['conversationId'])
  const before = await conversation(service, id)
  assert.deepEqual([before.open, before.endedAtMs], [true, null])

  const dry = await reconciled(service, { olderThanMs: 1000, dryRun: true })
  assert.deepEqual(
    dry.findings.map(({ kind, outcome }) => [kind, outcome]),
    [['stuck', 'would_repair']],
  )
  assert.equal((await conversation(service, id)).open, true)

  const run = await reconciled(service, { olderThanMs: 1000 })
  assert.deepEqual([run.found, run.repaired, run.events, run.problems], [{ gap: 0, stuck: 1, mismatch: 0, unknown: 0 }, 1, 1, []])
  const [finding] = run.findings
  assert.deepEqual([finding?.kind, finding?.id, finding?.here.value, finding?.there.value], ['stuck', id, 'open', 'ended'])
  const after = await conversation(service, id)
  const told = truth.conversations.find((one) => one.id === id)
  assert.deepEqual([after.open, after.endedAtMs, after.closedBy], [false, told?.endedAtMs, 'customer.end'])
  await assertTrue(service.url, truth)

  const repair = finding?.repairs[0]
  const explained = await until('the end on every route', async () => {
    const found = await service.get(`/v1/events/${repair?.event}`)
    return found.routes.every(({ outcome }) => outcome !== 'waiting') && found
  })
  assert.deepEqual((explained as unknown as { marks: string[] }).marks, ['reconcile'])
  assert.equal(explained.receipts[0]?.via, 'reconcile')
  assert.deepEqual([(JSON.parse(explained.raw) as Json & { origin: string }).origin, explained.topic], ['reconcile', END])
  const outcomes = Object.fromEntries(explained.routes.map(({ route, outcome, reason }) => [route, [outcome, reason]]))
  assert.deepEqual(outcomes, { all: ['delivered', null], live: ['not_matched', 'match.backfill'], pattern: ['delivered', null] })
  const delivered = await until('the repair at the sink', () => {
    const found = service.delivered('pattern')
    return found.length > 0 && found
  })
  assert.deepEqual(
    delivered.map(({ trunkline }) => (trunkline as unknown as { marks: string[] }).marks),
    [['reconcile']],
  )

  const again = await reconciled(service, { olderThanMs: 1000 })
  assert.deepEqual([again.findings, again.events], [[], 0])

  // The real end comes after all: nothing changes.
  assert.ok(await post(service.url, lineOf(lost)))
  await until(
    'the late end in the state',
    async () => (await fetched<{ lagEvents: number }>(service.url, '/v1/conversations?limit=1'))?.lagEvents === 0,
  )
  assert.deepEqual({ ...(await conversation(service, id)), asOfMs: 0 }, { ...after, asOfMs: 0 })
  await assertTrue(service.url, truth)
  assert.equal(platform.status().http.throttled, 0)

  const metrics = (await service.ask('/metrics')).text
  assert.match(metrics, /^trunkline_reconcile_findings_total\{kind="stuck"\} 2$/m)
  assert.match(metrics, /^trunkline_reconcile_repaired_total 1$/m)
  assert.match(metrics, /^trunkline_reconcile_runs_total\{result="done"\} 3$/m)
})

test('an agent whose last status was withheld is a mismatch, and is then what the API says', async (t) => {
  const { service, truth } = await scene(t, ({ topic, number }, total) => STATUS.test(topic) && number > total * 0.6, Infinity)
  const run = await reconciled(service, { olderThanMs: 0 })
  assert.ok(run.found.mismatch >= 3, JSON.stringify(run.found))
  assert.deepEqual([run.found.stuck, run.found.unknown, run.problems], [0, 0, []])
  assert.ok(run.findings.every(({ outcome, entity }) => outcome === 'repaired' && entity === 'agent'))
  await until('names', async () => {
    const last = (await fetched<Status>(service.url, '/v1/reconcile'))?.last
    return last?.findings.every((found) => typeof (found as Reported & { name?: unknown }).name === 'string')
  })
  await assertTrue(service.url, truth)
  const again = await reconciled(service, { olderThanMs: 0 })
  assert.deepEqual(again.findings, [])
})

test('named ones are asked for whatever their age; what Genesys does not know is said and not repaired', async (t) => {
  const { service } = await scene(t, () => false, 0)
  const run = await reconciled(service, { conversations: ['no-such-conversation'], agents: ['no-such-agent'] })
  assert.deepEqual(
    run.findings.map(({ kind, entity, id, obstacle, outcome }) => [kind, entity, id, obstacle, outcome]),
    [
      ['unknown', 'conversation', 'no-such-conversation', 'not_found', 'not_repaired'],
      ['unknown', 'agent', 'no-such-agent', 'not_found', 'not_repaired'],
    ],
  )
  const { status, json } = await ask(service, { conversations: ['../users'] })
  assert.deepEqual([status, json.code], [400, 'http.bad_request'])
  const wrong = await ask(service, { olderThan: 5 })
  assert.deepEqual([wrong.status, wrong.json.code], [400, 'http.bad_request'])
})

test('the command waits for the run, prints what differed, and exits 0; an API that cannot be asked is told, and exits 1', async (t) => {
  const { service, platform, withheld } = await scene(t, ({ topic }) => topic === END, 2)
  const reconcile = (...args: readonly string[]): Promise<Ran> => command(['reconcile', ...args, '--url', service.url])
  const ids = withheld.map(({ body }) => String(body['conversationId']))
  const first = await reconcile('--older-than', '1s')
  assert.equal(first.code, 0, first.err)
  for (const id of ids)
    assert.match(first.out, new RegExp(`^stuck +conversation +${id} +open since .* +ended at .* +repaired: customer.end$`, 'm'))
  assert.match(first.out, /^compared \d+ conversations and \d+ agents in .*: 2 stuck; 2 repaired$/m)
  const listed = await command(['events', '--conversation', ids[0] ?? '', '--limit', '1', '--url', service.url])
  assert.match(listed.out, /^\S+ +\S+ +conversation\.customer\.end .*, reconcile$/m)
  const second = await reconcile('--older-than', '1s', '--json')
  assert.deepEqual([second.code, (JSON.parse(second.out) as Run).findings], [0, []])
  const last = await reconcile('--last')
  assert.match(last.out, /nothing differs/)
  const nobody = await reconcile('--older-than', '9000d')
  assert.match(nobody.out, /^nobody was silent for 216000 h: nothing to compare$/m)

  await platform.stop()
  const failed = await reconcile('--conversation', ids[0] ?? '')
  assert.equal(failed.code, 1)
  assert.match(failed.err, /\[genesys\.\w+\]/)
  assert.equal((await reconcile('--older-than', 'soon')).code, 2)
})

test('on schedule it finds and repairs by itself, and finds nothing in the runs that follow', async (t) => {
  const { service, platform, withheld } = await scene(t, ({ topic }) => topic === END, 1, {
    everyMs: 60,
    silentMs: 1000,
    maxPerRun: 50,
    agents: false,
  })
  const id = String(withheld[0]?.body['conversationId'])
  await until('the repair', async () => !(await conversation(service, id)).open)
  const { schedule, recent } = await until('the end of that run', async () => {
    const status = await fetched<Status>(service.url, '/v1/reconcile')
    return status !== null && status.recent.length > 0 && status
  })
  assert.ok(schedule !== null)
  assert.deepEqual(
    recent.map(({ kind, outcome }) => [kind, outcome]),
    [['stuck', 'repaired']],
  )
  const runs = async (): Promise<number> => (await fetched<Status>(service.url, '/v1/reconcile'))?.last?.number ?? 0
  const before = await runs()
  await until('more runs', async () => (await runs()) >= before + 5)
  const { totals } = (await fetched<Status>(service.url, '/v1/reconcile'))!
  assert.deepEqual([totals.found, totals.repaired, totals.runs.failed], [{ gap: 0, stuck: 1, mismatch: 0, unknown: 0 }, 1, 0])
  assert.equal(platform.status().http.throttled, 0)
})

test('without an OAuth client, and without a state, there is nothing to compare', async (t) => {
  const bare = await running(t)
  const refused = await ask(bare, {})
  assert.deepEqual([refused.status, refused.json.code], [400, 'reconcile.not_configured'])
  assert.deepEqual((await fetched<Status & { configured: boolean }>(bare.url, '/v1/reconcile'))?.schedule, null)
  const stateless = await running(t, { config: { state: { enabled: false } } })
  assert.equal((await ask(stateless, {})).json.code, 'state.disabled')
})

type Scene = {
  readonly service: Running
  readonly platform: FakePlatform
  readonly truth: Truth
  /** What the service was not sent. */
  readonly withheld: readonly Emission[]
}

/** A service that was told of an hour of a centre, but for what `withhold` picks, the first so many. */
async function scene(
  t: TestContext,
  withhold: (emission: Emission, total: number) => boolean,
  max: number,
  reconcile: Config['genesys']['reconcile'] | null = null,
): Promise<Scene> {
  const centre = simulation({
    seed: '5',
    startAtMs: Date.now() - 15 * 60_000 - HOUR_MS,
    durationMs: HOUR_MS,
    agents: 12,
    queues: 3,
    conversationsPerHour: 60,
    flat: true,
    keepEndedMs: Infinity,
    keepEndedMax: Infinity,
  })
  const emissions: Emission[] = []
  for (let emission = centre.next(); emission !== null; emission = centre.next()) emissions.push(emission)
  const withheld = emissions.filter((emission) => withhold(emission, emissions.length)).slice(0, max)
  const platform = await startPlatform({ simulation: centre, clock: systemClock, random: seededRandom(5), credentials: CREDENTIALS })
  t.after(() => platform.stop())
  const change = (config: Config): Config => (reconcile === null ? config : { ...config, genesys: { ...config.genesys, reconcile } })
  const service = await running(t, { config: configOf(platform), change })
  const sent = emissions.filter((emission) => !withheld.includes(emission))
  const line = lineWriter(centre)
  for (let at = 0; at < sent.length; at += 500)
    assert.ok(
      await post(
        service.url,
        sent
          .slice(at, at + 500)
          .map(line)
          .join('\n'),
      ),
    )
  await until(
    'the state made of all',
    async () => (await fetched<{ lagEvents: number }>(service.url, '/v1/conversations?limit=1'))?.lagEvents === 0,
  )
  return { service, platform, truth: centre.truth(), withheld }
}

function configOf({ url }: FakePlatform): TrunklineConfig {
  const sink = { type: 'file', dir: 'data/out' } as const
  return {
    genesys: { baseUrl: url, ...CREDENTIALS },
    routes: {
      all: { backfill: true, sink: { ...sink, dir: 'all' } },
      live: { sink: { ...sink, dir: 'live' } },
      pattern: { backfill: true, match: { detail: { origin: ['reconcile'] } }, sink },
    },
  }
}

function lineWriter({ centre }: Simulation): (emission: Emission) => string {
  const write = writerOf('eventbridge', { seed: '5', source: centre.source })
  return (emission) => String(write(emission, emission.bodyText, false))
}

function lineOf(emission: Emission): string {
  return String(writerOf('notification', { seed: '5', source: '' })(emission, emission.bodyText, false))
}

function ask(service: Running, body: object): ReturnType<Running['ask']> {
  return service.ask('/v1/reconcile', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

/** Begins a run and waits for its end. */
async function reconciled(service: Running, body: object): Promise<Run> {
  const { status, text } = await ask(service, body)
  assert.equal(status, 202, text)
  const { number } = (JSON.parse(text) as { run: Run }).run
  return until('the end of the run', async () => {
    const found = (await fetched<Status>(service.url, '/v1/reconcile'))?.last
    return found?.number === number ? found : null
  })
}

type Conversation = { readonly open: boolean; readonly endedAtMs: number | null; readonly closedBy: string | null }

async function conversation(service: Running, id: string): Promise<Conversation> {
  const found = await fetched<{ conversation: Conversation }>(service.url, `/v1/conversations/${id}`)
  assert.ok(found !== null)
  return found.conversation
}
