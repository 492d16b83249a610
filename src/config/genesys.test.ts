/** What the configuration says about Genesys Cloud and about schemas: every mistake names its place and what would be right. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { TrunklineConfig } from './config.ts'
import { loadConfig } from './load.ts'
import type { ConfigResult } from './resolve.ts'

async function loaded(t: TestContext, config: unknown, env: Record<string, string> = {}): Promise<ConfigResult> {
  const cwd = mkdtempSync(join(tmpdir(), 'trunkline-config-'))
  t.after(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'trunkline.config.json'), JSON.stringify(config))
  return loadConfig({ cwd, env })
}

async function refused(t: TestContext, config: unknown): Promise<readonly (readonly [string, string, string])[]> {
  const result = await loaded(t, config)
  assert.ok('errors' in result, 'the configuration was accepted')
  return result.errors.map(({ code, path, message, hint }) => [code, path, `${message} ${hint}`])
}

const OAUTH = { clientId: 'client', clientSecret: 'secret' }
const PRESENCE = 'v2.users.{id}.presence'

test('a region that does not exist is refused with the nearest ones', async (t) => {
  const [error, ...others] = await refused(t, { genesys: { region: 'mypurecloud.dd' } })
  assert.deepEqual([error?.[0], error?.[1], others], ['config.bad_value', 'genesys.region', []])
  assert.match(error?.[2] ?? '', /mypurecloud\.de/)
})

test('a bad region from the environment is said to be there, not in the file', async (t) => {
  const result = await loaded(t, { genesys: { region: 'us-east-1' } }, { TRUNKLINE_GENESYS_REGION: 'bad' })
  assert.ok('errors' in result)
  const [error, ...others] = result.errors
  assert.deepEqual([error?.file, error?.path, others], [null, 'genesys.region', []])
  assert.match(error?.message ?? '', /^TRUNKLINE_GENESYS_REGION is not acceptable/)
})

test('a name where an id is wanted is warned of', async (t) => {
  const ids = { queues: ['Billing', '*', '79a41646-6058-420E-972d-2acf7b85ade6'], users: ['ann'] }
  const result = await loaded(t, { genesys: { ...OAUTH, region: 'us-east-1', notifications: { topics: [PRESENCE], ...ids } } })
  assert.ok('config' in result)
  assert.deepEqual(
    result.warnings.map(({ code, path }) => [code, path]),
    [
      ['config.not_an_id', 'genesys.notifications.users[0]'],
      ['config.not_an_id', 'genesys.notifications.queues[0]'],
    ],
  )
  assert.match(`${result.warnings[1]?.message} ${result.warnings[1]?.hint}`, /"Billing".*names are not looked up.*trunkline queues/)
})

test('an address without encryption is for this machine only', async (t) => {
  const [error] = await refused(t, { genesys: { baseUrl: 'http://genesys.example' } })
  assert.deepEqual([error?.[0], error?.[1]], ['config.bad_value', 'genesys.baseUrl'])
  assert.ok('config' in (await loaded(t, { genesys: { baseUrl: 'http://127.0.0.1:4690' } })))
})

test('notifications and names need to know where Genesys Cloud is and who asks; all that is missing is said at once', async (t) => {
  const missing = await refused(t, { genesys: { notifications: { topics: [PRESENCE] } } })
  assert.deepEqual(
    missing.map(([code, path]) => [code, path]),
    ['genesys.region', 'genesys.clientId', 'genesys.clientSecret'].map((path) => ['config.missing_value', path]),
  )
  const names = await refused(t, {
    genesys: { region: 'us-east-1', clientId: 'x' },
    routes: { crm: { names: true, sink: { type: 'file', dir: 'o' } } },
  })
  assert.deepEqual(
    names.map(([code, path]) => [code, path]),
    [['config.missing_value', 'genesys.clientSecret']],
  )
  assert.match(names[0]?.[2] ?? '', /routes\.crm\.names/)
  const whole = await loaded(t, { genesys: { ...OAUTH, region: 'eu-central-1', notifications: { topics: [PRESENCE] } } })
  assert.ok('config' in whole)
  assert.deepEqual(whole.config.genesys.notifications, { topics: [PRESENCE], users: ['*'], queues: ['*'] })
})

test('id and secret come from the environment too, and a secret that cannot be one is refused without being shown', async (t) => {
  const result = await loaded(
    t,
    { genesys: { clientId: 'env:ID', region: 'us-east-1' } },
    { ID: 'abc', TRUNKLINE_GENESYS_CLIENT_SECRET: 'xyz' },
  )
  assert.ok('config' in result)
  assert.deepEqual([result.config.genesys.clientId, result.config.genesys.clientSecret], ['abc', 'xyz'])
  const [error] = await refused(t, { genesys: { clientSecret: 'pasted with a\nline end' } })
  assert.deepEqual([error?.[0], error?.[1]], ['config.bad_value', 'genesys.clientSecret'])
  assert.doesNotMatch(error?.[2] ?? '', /pasted/)
})

test('a topic of the notifications that Genesys does not list is said, with the nearest', async (t) => {
  const result = await loaded(t, { genesys: { ...OAUTH, region: 'us-east-1', notifications: { topics: ['v2.users.{id}.presense'] } } })
  const [warning] = result.warnings
  assert.deepEqual([warning?.code, warning?.path], ['config.topic_unknown', 'genesys.notifications.topics[0]'])
  assert.match(warning?.hint ?? '', /v2\.users\.\{id\}\.presence/)
})

test('a policy: actions by topic and class; what it cannot mean is refused with what it could', async (t) => {
  const policy = { '*': 'tag', 'v2.users.*': { new_field: 'accept', '*': 'quarantine' }, [PRESENCE]: 'accept' } as const
  const good = await loaded(t, { schemas: { policy } } satisfies TrunklineConfig)
  assert.ok('config' in good, JSON.stringify(good))
  assert.deepEqual(good.config.schemas.policy, policy)

  const at = (path: string, value: unknown): object => ({ schemas: { policy: { [path]: value } } })
  for (const [config, code, path, words] of [
    [{ schemas: { policy: 'tag' } }, 'config.wrong_type', 'schemas.policy', /object of actions/],
    [at('*', 'reject'), 'config.bad_value', 'schemas.policy["*"]', /"accept", "tag", "quarantine"/],
    [at('*', { new_feild: 'tag' }), 'config.unknown_key', 'schemas.policy["*"].new_feild', /Did you mean "new_field"/],
    [at('*', { field_gone: 'tag' }), 'config.bad_value', 'schemas.policy["*"].field_gone', /no single event is at fault/],
    [at('v2.*.presence', 'tag'), 'config.bad_topic', 'schemas.policy["v2.*.presence"]', /at its end/],
    [at('*', { new_field: 7 }), 'config.wrong_type', 'schemas.policy["*"].new_field', /"accept"/],
  ] as const) {
    const errors = await refused(t, config)
    assert.deepEqual(
      errors.map(([a, b]) => [a, b]),
      [[code, path]],
      JSON.stringify(errors),
    )
    assert.match(errors[0]?.[2] ?? '', words)
  }
  const unknown = await loaded(t, at('v2.users.{id}.presense', 'tag'))
  assert.deepEqual(
    unknown.warnings.map(({ code }) => code),
    ['config.topic_unknown'],
  )
})

test('a function: the module is a path beside the file, and keys of other sinks are refused by name', async (t) => {
  const route = (sink: object): object => ({ routes: { crm: { sink: { type: 'function', ...sink } } } })
  const result = await loaded(t, route({ module: 'handlers/crm.ts' }))
  assert.ok('config' in result)
  const { sink } = result.config.routes[0] ?? assert.fail()
  assert.ok(sink.type === 'function' && sink.module.endsWith('/handlers/crm.ts') && sink.export === 'deliver' && sink.calls === 1)
  assert.deepEqual(
    (await refused(t, route({}))).map(([code, path]) => [code, path]),
    [['config.missing_value', 'routes.crm.sink.module']],
  )
  const [foreign] = await refused(t, route({ module: 'x.ts', concurrency: 3 }))
  assert.match(foreign?.[2] ?? '', /belongs to a sink of type "http"/)
})
