import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from './_test-io.ts'
import { testService } from './_test-service.ts'

test('a limit is changed, for a time or for good, and taken back; the list says what holds and how long', async (t) => {
  const puts: Record<string, unknown>[] = []
  const { url } = await testService(t, ({ method, body }) => {
    if (method !== 'PUT') {
      const flags = puts
        .map(({ value, ...flag }, i) => ({ ...flag, value, atMs: 1_774_000_000_000 + i }))
        .filter(({ value }) => value !== null)
      return { json: { flags } }
    }
    const { value, ...flag } = JSON.parse(body.toString()) as Record<string, unknown>
    puts.push({ ...flag, value })
    return { json: { ...flag, from: null, to: value } }
  })
  const config = (...argv: string[]): ReturnType<typeof run> => run(['config', ...argv, '--url', url, '--by', 'ann'])
  const limited = await config('limit', 'crm', '--key', 'q 1', '--per-second', '2.5', '--burst', '10', '--for', '30m')
  const untilMs = puts[0]?.['untilMs'] as number
  assert.equal(untilMs, limited.io.clock.nowMs() + 1_800_000)
  assert.equal(limited.out, `the limit of crm for q 1 is 2.5/s, burst 10 now, until ${new Date(untilMs).toISOString()}\n`)
  assert.equal((await config('limit', 'crm', '--unlimited')).out, 'the limit of crm is unlimited now\n')
  await config('limit', 'crm', '--per-second', '9', '--until', '2020-01-01T00:00:00Z')
  assert.deepEqual(puts[2], {
    flag: 'route.limit',
    route: 'crm',
    key: null,
    value: { perSecond: 9 },
    untilMs: Date.UTC(2020, 0, 1),
    by: 'cli ann',
  })
  const { out } = await run(['config', 'flags', '--url', url])
  const lines = out.split('\n').map((line) => line.split(/  +/))
  assert.deepEqual(
    lines.slice(0, 4).map(([flag, value, ends]) => [flag, value, ends?.replace(/^.* \(/, '(')]),
    [
      ['flag', 'value', 'ends'],
      ['route.limit crm q 1', '2.5/s, burst 10', '(in 30 min)'],
      ['route.limit crm', 'unlimited', '-'],
      ['route.limit crm', '9/s', 'over'],
    ],
  )
  const taken = await config('unset', 'crm', '--limit', '--key', 'q 1')
  assert.equal(taken.out, 'the limit of crm for q 1 is as configured\n')
  assert.match(taken.err, /^but the limit of crm is still 9\/s: trunkline config unset crm --limit$/m)
  assert.deepEqual([puts[3]?.['value'], puts[3]?.['key']], [null, 'q 1'])
})

test('what makes no sense is refused before anything is sent', async () => {
  for (const argv of [
    ['limit', 'crm'],
    ['limit', 'crm', '--burst', '5'],
    ['limit', 'crm', '--burst', '5', '--unlimited'],
    ['limit', 'crm', '--per-second', 'much'],
    ['limit', 'crm', '--per-second', '0'],
    ['limit', 'crm', '--per-second', '5', '--burst', '1.5'],
    ['limit', 'crm', '--per-second', '5', '--unlimited'],
    ['limit', 'crm', '--per-second', '5', '--for', '30'],
    ['limit', 'crm', '--per-second', '5', '--until', 'noon'],
    ['limit', 'crm', '--per-second', '5', '--for', '30m', '--until', '2099-01-01'],
    ['unset', 'crm', '--key', 'q'],
  ]) {
    const { code, err } = await run(['config', ...argv, '--url', 'http://127.0.0.1:1'])
    assert.equal(code, 2, argv.join(' '))
    assert.doesNotMatch(err, /refused the connection/, argv.join(' '))
  }
})

test('a limit is told with the name of its key, and what the service is not sure of; what else of the route stays is said', async (t) => {
  const limit = { flag: 'route.limit', route: 'crm', key: 'id-1', keyName: 'Noisy', value: { perSecond: 40, burst: null } }
  const { url } = await testService(t, ({ method, path, body }) => {
    if (path === '/v1/stats') return { json: { routes: { crm: { paused: false } } } }
    if (method !== 'PUT') return { json: { flags: [limit, { ...limit, route: 'lake' }] } }
    const { value, ...flag } = JSON.parse(body.toString()) as Record<string, unknown>
    const told = flag['key'] === 'Noisy' ? { key: 'id-1', keyName: 'Noisy', note: null } : { keyName: null, note: 'none has this id' }
    return { json: { ...flag, to: value, ...(flag['flag'] === 'route.limit' ? told : {}) } }
  })
  const config = (...argv: string[]): ReturnType<typeof run> => run(['config', ...argv, '--url', url])
  const named = await config('limit', 'crm', '--key', 'Noisy', '--per-second', '40')
  assert.deepEqual([named.out, named.err], ['the limit of crm for Noisy (id-1) is 40/s now\n', ''])
  assert.equal((await config('limit', 'crm', '--key', 'id-2', '--per-second', '40')).err, 'none has this id\n')
  assert.match((await config('flags')).out, /route\.limit crm Noisy \(id-1\) +40\/s/)
  const unset = await config('unset', 'crm')
  assert.equal(unset.out, 'route crm is as configured: it goes on\n')
  assert.equal(unset.err, 'but the limit of crm for Noisy (id-1) is still 40/s: trunkline config unset crm --limit --key "id-1"\n')
})
