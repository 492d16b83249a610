import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, run, testIo, type TestIo } from './_test-io.ts'
import { main } from './main.ts'

test('dev says where it runs; send, events and explain talk to it; one signal stops it', { timeout: 30_000 }, async (t) => {
  const cwd = folder(t)
  await run(['init'], { cwd })
  const service = await running(cwd, ['dev', '--no-simulate', '--port', '0', '--log-level', 'silent'])
  const env = { TRUNKLINE_URL: service.url }
  const sent = await run(['send', 'events', '--json'], { cwd, env })
  assert.equal(sent.code, 0, sent.err)
  const [id = ''] = (JSON.parse(sent.out) as { ids: string[] }).ids
  const explained = await run(['explain', id], { cwd, env })
  assert.match(explained.out, /topic +v2\.detail\.events\.conversation\.\{id\}\.customer\.start\n/)
  assert.match((await run(['events'], { cwd, env })).out, new RegExp(`${id} +conversation\\.customer\\.start`))
  const locked = await run(['dev', '--port', '0', '--log-level', 'silent'], { cwd })
  assert.equal(locked.code, 2)
  assert.match(locked.err, /\[data_dir\.locked\]/)
  const taken = await run(['dev', '--port', new URL(service.url).port, '--data-dir', 'other', '--log-level', 'silent'], { cwd })
  assert.deepEqual([taken.code, /\[http\.port_in_use\]/.test(taken.err)], [2, true])
  assert.match((await run(['fsck'], { cwd })).err, /\[data_dir\.locked\]/)
  service.io.closeOutput()
  service.io.interrupt()
  assert.equal(await service.ended, 0)
  assert.match(service.io.err(), /^stopping: draining/m)
  const sound = await run(['fsck', '--json'], { cwd })
  assert.equal(sound.code, 0, sound.err)
  const { records, segments } = JSON.parse(sound.out) as { records: number; segments: { path: string }[] }
  assert.equal(records, 1)
  appendFileSync(segments[0]?.path ?? assert.fail(), 'half a rec')
  const torn = await run(['fsck'], { cwd })
  assert.deepEqual([torn.code, /torn end of 10 B/.test(torn.out)], [1, true], torn.out)
  assert.equal((await run(['fsck', '--repair'], { cwd })).code, 0)
  assert.equal((await run(['fsck'], { cwd })).code, 0)
})

test('start tells where the token is, never the token, and client verbs find it', { timeout: 30_000 }, async (t) => {
  const cwd = folder(t)
  const service = await running(cwd, ['start', '--port', '0', '--log-level', 'silent'])
  const file = join(cwd, '.trunkline', 'token')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.ok(service.io.out().includes(`made just now; in ${file}`))
  assert.ok(!`${service.io.out()}${service.io.err()}`.includes(readFileSync(file, 'utf8').trim()))
  assert.equal((await run(['events', '--url', service.url], { cwd })).code, 0)
  const refused = await run(['events', '--url', service.url], { cwd, env: { TRUNKLINE_TOKEN: 'wrong' } })
  assert.deepEqual([refused.code, /fix: Set TRUNKLINE_TOKEN/.test(refused.err)], [1, true])
  service.io.interrupt()
  service.io.interrupt()
  assert.match(service.io.err(), /exit now 1/)
  assert.equal(await service.ended, 0)
})

test('the banner says which Genesys Cloud is called, and what for', { timeout: 30_000 }, async (t) => {
  const cwd = folder(t)
  const genesys = {
    baseUrl: 'http://127.0.0.1:9/',
    clientId: 'c',
    clientSecret: 's',
    notifications: { topics: ['v2.users.{id}.presence'] },
  }
  writeFileSync(
    join(cwd, 'trunkline.config.json'),
    JSON.stringify({ genesys, routes: { out: { queues: ['Sales'], otherTopics: 'drop', sink: { type: 'file', dir: 'out' } } } }),
  )
  const service = await running(cwd, ['dev', '--no-simulate', '--port', '0', '--log-level', 'silent'])
  while (!service.io.out().includes('  watch')) await new Promise(setImmediate)
  assert.match(service.io.out(), /^ +genesys +http:\/\/127\.0\.0\.1:9, notifications of 1 topic$/m)
  assert.match(service.io.out(), /^ +route +out: queues Sales -> file /m)
  const html = await (await fetch(service.url)).text()
  assert.match(html, /<td>out<\/td><td>queues Sales<\/td>/)
  assert.match(html, /genesys\.notifications is <b>not connected<\/b>/)
  service.io.interrupt()
  assert.equal(await service.ended, 0)
})

async function running(
  cwd: string,
  argv: readonly string[],
): Promise<{ readonly url: string; readonly io: TestIo; readonly ended: Promise<number> }> {
  const io = testIo({ cwd })
  const ended = main(argv, io)
  let over = false
  void ended.then(() => (over = true))
  let url: string | undefined
  while (url === undefined && !over) {
    await new Promise(setImmediate)
    url = /ready on (\S+)/.exec(io.out())?.[1]
  }
  assert.ok(url !== undefined, io.err())
  return { url, io, ended }
}
