import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { genesysServer } from '../testing/genesys-server.ts'
import { systemClock } from './clock.ts'
import { platformOf } from './platform.ts'

const DEPS = { clock: systemClock, random: Math.random, fetch }
const NONE = { region: null, baseUrl: null, clientId: null, clientSecret: null }

test('everything that is missing is named at once', () => {
  assert.throws(() => platformOf(NONE, DEPS), {
    code: 'genesys.not_configured',
    message: /genesys\.region, genesys\.clientId, genesys\.clientSecret are not set/,
  })
  const half = { ...NONE, region: 'us-east-1', clientId: 'id-0123456789' }
  assert.throws(
    () => platformOf(half, DEPS),
    (error: Error) => /: genesys\.clientSecret is not set/.test(error.message) && !inspect(error).includes('id-0123456789'),
  )
  assert.throws(() => platformOf({ ...half, region: 'us-east-9', clientSecret: 'x' }, DEPS), { code: 'genesys.region_unknown' })
  assert.throws(() => platformOf({ ...half, baseUrl: 'http://genesys.test', clientSecret: 'x' }, DEPS), { code: 'genesys.base_url' })
})

test('a base URL needs no region; the client works and shows neither id nor secret', async (t) => {
  const server = await genesysServer(t, { clock: systemClock, answer: () => ({ json: { id: 'org-1', name: 'Example' } }) })
  const client = platformOf({ region: null, baseUrl: server.url, clientId: 'client-1', clientSecret: 'secret-of-client-1' }, DEPS)
  assert.deepEqual(await client.organization(), { id: 'org-1', name: 'Example', domain: null })
  assert.match(server.asked[0]?.headers['user-agent'] ?? '', /^trunkline\/\d/)
  const shown =
    inspect(client, { depth: Infinity, showHidden: true }) + JSON.stringify(client) + inspect(client.background, { depth: Infinity })
  assert.ok(!shown.includes('secret-of') && !shown.includes('token-1') && !shown.includes('client-1'))
})
