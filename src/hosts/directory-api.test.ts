import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hono } from 'hono'
import { TrunklineError } from '../errors.ts'
import { Directory } from '../genesys/directory.ts'
import { turns, virtualClock } from '../testing/virtual-clock.ts'
import { directoryApi } from './directory-api.ts'

async function ask(
  directory: Directory | null,
  path: string,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const app = new Hono()
  app.onError((error, c) => (error instanceof TrunklineError ? c.json({ code: error.code, hint: error.hint }, 400) : c.json({}, 500)))
  directoryApi(app, { directory })
  const response = await app.request(path)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function filled(): Promise<Directory> {
  const none = async (): Promise<never[]> => []
  const directory = new Directory({
    platform: {
      queues: async () =>
        ['Sales', 'Support', 'After sales'].map((name) => ({ id: `id-${name}`, name, divisionId: null, serviceGoals: [] })),
      users: none,
      divisions: none,
      wrapupCodes: none,
      flows: async () => Promise.reject(new TrunklineError('genesys.forbidden', 'No.', 'Ask.')),
    },
    clock: virtualClock(),
    random: () => 0,
    load: async () => null,
    save: async () => undefined,
  })
  await directory.start()
  await turns(20)
  return directory
}

test('the state names every kind, with what failed', async () => {
  const directory = await filled()
  const { status, body } = await ask(directory, '/v1/directory')
  assert.equal(status, 200)
  const kinds = body['kinds'] as { kind: string; names: number; lastError: { code: string } | null }[]
  assert.deepEqual(
    kinds.map(({ kind, names, lastError }) => [kind, names, lastError?.code ?? null]),
    [
      ['queues', 3, null],
      ['users', 0, null],
      ['divisions', 0, null],
      ['wrapupcodes', 0, null],
      ['flows', 0, 'genesys.forbidden'],
    ],
  )
  await directory.stop()
})

test('names of a kind are searched and bounded', async () => {
  const directory = await filled()
  const { body } = await ask(directory, '/v1/directory/queues?q=SALES&limit=1')
  assert.deepEqual(
    [body['kind'], body['total'], body['known'], body['stale'], body['names']],
    ['queues', 2, 3, false, [{ id: 'id-After sales', name: 'After sales', stale: false }]],
  )
  assert.equal((await ask(directory, '/v1/directory/queues?search=x')).body['code'], 'http.bad_request')
  assert.equal((await ask(directory, '/v1/directory/queues?limit=0')).body['code'], 'http.bad_request')
  assert.deepEqual((await ask(directory, '/v1/directory/teams')).body['code'], 'directory.unknown')
  assert.deepEqual((await ask(directory, '/v1/directory/__proto__')).body['code'], 'directory.unknown')
  await directory.stop()
})

test('without an OAuth client the state says so, and names are an error with the way out', async () => {
  assert.deepEqual((await ask(null, '/v1/directory')).body, { configured: false, kinds: [], snapshotError: null })
  assert.equal((await ask(null, '/v1/directory/queues')).body['code'], 'directory.not_configured')
})
