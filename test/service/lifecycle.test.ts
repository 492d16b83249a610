import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { receiver } from '../../src/testing/receiver.ts'
import { eventOf } from '../../src/testing/event-of.ts'
import { type Json, folder, linesIn, running, until } from './_service.ts'

const BIN = fileURLToPath(new URL('../../bin/trunkline.js', import.meta.url))

describe('lifecycle', () => {
  it('keeps events, verdicts, quarantine and explanations over a restart', async (t) => {
    const dir = folder(t)
    const first = await running(t, { dir })
    const { json } = await first.send([0, 1].map((i) => Buffer.from(eventOf({}, i).raw).toString()).join('\n') + '\nbroken', {
      'content-type': 'application/x-ndjson',
    })
    const ids: (string | null)[] = [...json['ids']]
    await until('delivered', () => first.delivered().length === 2)
    await first.stop()
    const second = await running(t, { dir })
    assert.equal((await second.get('/v1/quarantine'))['records'].length, 1)
    const history = await second.get(`/v1/events/${ids[0]}`)
    assert.deepEqual([history['verdict'], history['routes'][0]?.['outcome']], ['first', 'delivered'])
    const again = (await second.send(eventOf({}, 0).raw)).json['ids'][0]
    assert.equal((await second.get(`/v1/events/${again}`))['duplicateOf'], ids[0])
    await second.send(eventOf({}, 2).raw)
    await until('the new one, and no old one again', () => second.delivered().length === 3)
    const keys = second.delivered().map((line) => line['trunkline']['id'])
    assert.equal(new Set(keys).size, 3)
  })

  it('lets one process only use a data directory', async (t) => {
    const dir = folder(t)
    const first = await running(t, { dir })
    await assert.rejects(running(t, { dir }), { code: 'data_dir.locked' })
    assert.equal((await first.send(eventOf().raw)).status, 202, 'the first is unharmed')
    const other = spawn(process.execPath, [BIN, 'start', '--port', '0', '--data-dir', join(dir, 'data')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    })
    let said = ''
    other.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const code = await new Promise((resolve) => other.on('close', resolve))
    assert.equal(code, 2)
    assert.match(said, /data_dir\.locked|another trunkline process/)
    await first.stop()
    const second = await running(t, { dir })
    assert.equal((await second.get('/v1/events'))['events'].length, 1)
  })

  it('a stop lets what is under way finish, and answers what it has taken', async (t) => {
    let answer = (): void => {}
    const held = new Promise<void>((resolve) => (answer = resolve))
    const crm = await receiver(async () => {
      await held
      return 200
    })
    t.after(() => crm.close())
    const dir = folder(t)
    const routes = { crm: { sink: { type: 'http' as const, url: crm.url } } }
    const service = await running(t, { dir, drainMs: 5_000, config: { routes } })
    const sent = await Promise.all(Array.from({ length: 8 }, (_, i) => service.send(eventOf({}, i).raw)))
    assert.ok(sent.every((r) => r.status === 202))
    await until('deliveries under way', () => crm.open.now === 8)
    const stopped = service.stop()
    await until('a refusal', async () => {
      try {
        const reply = await service.send(eventOf({}, 99).raw)
        assert.deepEqual([reply.status, reply.json['code'], reply.headers.get('retry-after')], [503, 'intake.stopping', '1'])
      } catch (error) {
        assert.ok(error instanceof TypeError, 'nobody listens any more')
      }
      return true
    })
    answer()
    await stopped
    assert.equal(crm.received.length, 8)
    const next = await running(t, { dir, config: { routes } })
    const { position, counts } = (await next.get('/v1/stats'))['routes']['crm'] as unknown as {
      position: number
      counts: Record<string, number>
    }
    assert.deepEqual([position, counts['delivered']], [9, 8])
    assert.equal(crm.received.length, 8, 'nothing is delivered twice')
    await service.stop()
  })

  it('refuses a log of a newer format, and leaves it alone', async (t) => {
    const dir = folder(t)
    const first = await running(t, { dir })
    await first.send(eventOf().raw)
    await first.stop()
    const file = join(dir, 'data', 'trunkline.json')
    const about = JSON.parse(readFileSync(file, 'utf8')) as object
    writeFileSync(file, JSON.stringify({ ...about, formatVersion: 99 }))
    const before = readdirSync(join(dir, 'data', 'log'))
    await assert.rejects(running(t, { dir }), { code: 'log.newer_format' })
    assert.deepEqual(readdirSync(join(dir, 'data', 'log')), before)
    writeFileSync(file, JSON.stringify(about))
    await (await running(t, { dir })).stop()
  })

  it('the process: ready, takes an event, and on SIGTERM stops with all of it on disk', async (t) => {
    const dir = folder(t)
    const child = spawn(
      process.execPath,
      [BIN, 'dev', '--no-simulate', '--port', '0', '--data-dir', join(dir, 'data'), '--log-level', 'silent'],
      { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
    )
    t.after(() => child.kill('SIGKILL'))
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const url = await until('ready', () => /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0])
    assert.equal((await fetch(`${url}/readyz`)).status, 200)
    const reply = await fetch(`${url}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Uint8Array(eventOf().raw),
    })
    assert.equal(reply.status, 202)
    const { ids } = (await reply.json()) as Json
    const ended = new Promise((resolve) => child.on('exit', resolve))
    child.kill('SIGTERM')
    assert.equal(await ended, 0)
    const service = await running(t, { dir })
    assert.equal((await service.get(`/v1/events/${ids?.[0]}`))['routes'][0]?.['outcome'], 'delivered')
    assert.equal(linesIn(join(dir, 'data', 'out'), 'out').length, 1)
  })
})
