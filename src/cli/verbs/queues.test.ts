import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testIo } from '../_test-io.ts'
import { testService } from '../_test-service.ts'
import type { Context } from '../context.ts'
import { queuesCommand } from './queues.ts'

async function queues(url: string, ...args: readonly string[]): Promise<{ readonly out: string; readonly err: string }> {
  const io = testIo({ env: { TRUNKLINE_URL: url }, terminal: true })
  const context: Context = { io, signal: new AbortController().signal, outlivesOutput: false, exitCode: 0 }
  await queuesCommand(context).parseAsync([...args], { from: 'user' })
  return { out: io.out(), err: io.err() }
}

const LOADED = { kind: 'queues', loadedAtMs: Date.UTC(2026, 7, 14, 9), stale: false, lastError: null, total: 1, known: 1 }

test('queues are listed by name; hostile names are escaped and cut', async (t) => {
  const names = [
    { id: 'q1', name: 'Sales', stale: false },
    { id: 'q2', name: `\u001b[2J${'x'.repeat(1_000)}`, stale: true },
  ]
  const service = await testService(t, () => ({ json: { ...LOADED, names, total: 7 } }))
  const { out, err } = await queues(service.url, 'sal', '--limit', '2')
  assert.deepEqual([service.asked[0]?.path, service.asked[0]?.query], ['/v1/directory/queues', { q: 'sal', limit: '2' }])
  assert.match(out, /^name +id\nSales +q1\n\\u001b\[2Jx+… +q2 +stale\n$/)
  assert.ok(out.split('\n').every((line) => line.length < 120))
  assert.match(err, /2 of 7; give a part of the name/)
})

test('an empty or stale list says why', async (t) => {
  const lastError = { code: 'genesys.forbidden', message: 'You may not \u0007.', atMs: Date.UTC(2026, 7, 14, 9, 30) }
  const never = await testService(t, () => ({ json: { ...LOADED, names: [], total: 0, loadedAtMs: null, stale: true, lastError } }))
  const first = await queues(never.url)
  assert.equal(first.out, '')
  assert.match(
    first.err,
    /has not been read from Genesys Cloud yet\nthe last attempt failed 2026-08-14T09:30:00\.000Z: You may not \\u0007\. \[genesys\.forbidden\]/,
  )
  const old = await testService(t, () => ({ json: { ...LOADED, names: [], total: 0, stale: true } }))
  assert.match((await queues(old.url)).err, /no queues\nstale: last read 2026-08-14T09:00:00\.000Z/)
})

test('JSON is what the service said', async (t) => {
  const page = { ...LOADED, names: [{ id: 'q1', name: 'Sales', stale: false }] }
  const service = await testService(t, () => ({ json: page }))
  assert.deepEqual(JSON.parse((await queues(service.url, '--json')).out), page)
})

test('a service without an OAuth client says so', async (t) => {
  const problem = { code: 'directory.not_configured', message: 'names are not known', hint: 'Set genesys.clientId.' }
  const service = await testService(t, () => ({ status: 400, json: problem }))
  await assert.rejects(queues(service.url), { code: 'directory.not_configured' })
})
