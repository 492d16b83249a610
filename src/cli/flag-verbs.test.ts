import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { run } from './_test-io.ts'
import { testService } from './_test-service.ts'

/** Flags of a service, as far as these verbs see them: routes `crm`, and `lake` which the configuration pauses. */
async function flagService(
  t: TestContext,
): Promise<{ readonly url: string; readonly puts: object[]; readonly flags: Map<string, Record<string, unknown>> }> {
  const flags = new Map<string, Record<string, unknown>>()
  const puts: object[] = []
  const isPaused = (route: string): boolean => (flags.get(route)?.['value'] ?? route === 'lake') === true
  const { url } = await testService(t, ({ method, path, body }) => {
    if (method === 'PUT') {
      const flag = JSON.parse(body.toString()) as Record<string, unknown>
      const key = String(flag['route'] ?? `${String(flag['topic'])} ${String(flag['class'])}`)
      puts.push(flag)
      if (flag['value'] === null) flags.delete(key)
      else flags.set(key, flag)
      return { json: flag }
    }
    return {
      json:
        path === '/v1/stats'
          ? { routes: { crm: { paused: isPaused('crm') }, lake: { paused: isPaused('lake') } } }
          : { flags: [...flags.values()] },
    }
  })
  return { url, puts, flags }
}

const valueOf = (flag: object | undefined): unknown => (flag as { value: unknown } | undefined)?.value

test('resume leaves no flag behind but where the configuration pauses; unset takes it back', async (t) => {
  const { url, puts, flags } = await flagService(t)
  const config = (...argv: string[]): ReturnType<typeof run> => run(['config', ...argv, '--url', url])
  await config('pause', 'crm')
  assert.equal(valueOf(flags.get('crm')), true)
  assert.equal((await config('resume', 'crm')).out, 'route crm goes on\n')
  assert.equal(flags.has('crm'), false)

  const lake = await config('resume', 'lake')
  assert.match(lake.err, /config unset lake/)
  assert.equal(valueOf(flags.get('lake')), false)
  // It goes on already, and never pauses on the way.
  puts.length = 0
  await config('resume', 'lake')
  assert.deepEqual(puts.map(valueOf), [false])
  assert.equal((await config('unset', 'lake')).out, 'route lake is as configured: paused\n')
  assert.equal(flags.has('lake'), false)
})

test('a change says who made it: --by, the environment, the system', async (t) => {
  const { url, puts } = await flagService(t)
  const argv = ['config', 'pause', 'crm', '--url', url]
  await run([...argv, '--by', 'ada'], { env: { USER: 'ben' }, user: 'cid' })
  await run(argv, { env: { USER: 'ben' }, user: 'cid' })
  await run(argv, { user: 'cid' })
  await run(argv)
  assert.deepEqual(
    puts.map((put) => (put as { by: string }).by),
    ['cli ada', 'cli ben', 'cli cid', 'cli unknown'],
  )
})

test('policy says which other flags still decide', async (t) => {
  const { url } = await flagService(t)
  const policy = (...argv: string[]): ReturnType<typeof run> => run(['schemas', 'policy', ...argv, '--url', url])
  const quarantined = await policy('users.presence', 'new_field', 'quarantine')
  assert.match(
    quarantined.out,
    /new_field is now treated with quarantine: dead letters, see trunkline deadletters --reason validate\.quarantined\n/,
  )
  assert.equal(quarantined.err, '')
  assert.equal((await policy('*', '*', 'tag')).err, 'but still set: v2.users.{id}.presence new_field quarantine, by cli unknown\n')
  // More specific than all that is set.
  assert.equal((await policy('users.presence', 'changed_type', 'tag')).err, '')
  assert.match((await policy('*', '*', 'default')).err, /presence new_field quarantine.*\n.*presence changed_type tag/)
  await policy('v2.users.*', '*', 'tag')
  assert.match((await policy('users.presence', 'new_field', 'default')).err, /^but still set: v2\.users\.\* \* tag/)
  assert.deepEqual((await policy('users.presence', 'new_feild', 'tag')).code, 2)
})
