import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { RouteInput } from '../../src/config/config.ts'
import { receiver } from '../../src/testing/receiver.ts'
import { eventOf } from '../../src/testing/event-of.ts'
import { type Json, type Running, folder, linesIn, running, until } from './_service.ts'

const KIB = 1024
const small = { minFreeBytes: 0, segmentBytes: 8 * KIB, maxBytes: 64 * KIB }

describe('a log that is full', () => {
  it('answers 503 with Retry-After and the name of the route that holds it, and goes on when it has drained', async (t) => {
    let broken = true
    const crm = await receiver(() => (broken ? 503 : 200))
    t.after(() => crm.close())
    const service = await running(t, {
      config: {
        log: small,
        routes: { fast: file('fast'), crm: { sink: { type: 'http', url: crm.url }, retry: { baseMs: 20, maxMs: 50, maxAttempts: 1_000 } } },
      },
    })
    const { sent, refusal } = await sendUntilRefused(service)
    assert.equal(refusal.headers.get('retry-after'), '1')
    assert.equal(refusal.json['code'], 'log.full')
    assert.match(refusal.json['message'], /route crm has \d+ events to go/)
    assert.ok(refusal.json['hint'].length > 0)
    await until('the other route has all', () => linesIn(join(service.dir, 'fast'), 'fast').length === sent)
    assert.equal((await service.ask('/readyz')).status, 200)
    broken = false
    const more = await until('room', async () => ((await service.send(eventOf({}, 9_999).raw)).status === 202 ? 1 : null))
    await until('all at the slow one', () => new Set(crm.received.map((r) => r.idempotencyKey)).size === sent + more)
    await until('nothing left to do', async () => (await service.get('/v1/stats'))['routes']['crm']?.['retrying'] === 0)
  })

  it('drops the oldest of a route with a backlog policy instead, counted, and takes new ones', async (t) => {
    const service = await running(t, {
      config: { log: small, routes: { fast: file('fast'), idle: { ...file('idle'), paused: true, backlog: { maxBytes: 16 * KIB } } } },
    })
    const ids: string[] = []
    for (let i = 0; i < 70; i++) {
      const { json } = await until('room', async () => {
        const reply = await service.send(eventOf({}, i).raw)
        return reply.status === 202 ? reply : null
      })
      ids.push(json['ids'][0] ?? assert.fail('no id'))
    }
    const { dropped, lag } = await until('the backlog is within its bounds', async () => {
      const { counts, lag } = (await service.get('/v1/stats'))['routes']['idle'] as unknown as {
        counts: Record<string, number>
        lag: number
      }
      return lag * 1_500 <= 20 * KIB ? { dropped: counts['dropped|backlog.expired|'] ?? 0, lag } : null
    })
    assert.equal(dropped + lag, 70)
    assert.ok(lag >= 5, 'what fits is kept')
    const late = (await service.get(`/v1/events/${ids.at(-1)}`))['routes'].find((r: Json) => r['route'] === 'idle')
    assert.equal(late?.['outcome'], 'waiting')
  })

  it('does not drop what is within the policy because the log behind it is large', async (t) => {
    const dir = folder(t)
    const log = { minFreeBytes: 0 }
    const first = await running(t, { dir, config: { log, routes: { crm: file('crm') } } })
    for (let i = 0; i < 40; i++) await first.send(eventOf({}, i).raw)
    await first.stop()
    const second = await running(t, {
      dir,
      config: { log, routes: { crm: { ...file('crm'), paused: true, backlog: { maxBytes: 16 * KIB } } } },
    })
    for (let i = 40; i < 45; i++) await second.send(eventOf({}, i).raw)
    await until('housekeeping', async () => (await second.get('/v1/stats'))['uptimeMs'] > 1_300)
    const { lag, counts } = (await second.get('/v1/stats'))['routes']['crm'] as unknown as { lag: number; counts: Record<string, number> }
    assert.deepEqual([lag, counts['dropped|backlog.expired|']], [5, undefined])
  })
})

describe(
  'a full disk',
  { skip: process.getuid?.() === 0 && process.platform === 'linux' ? false : 'mounting a small disk takes root' },
  () => {
    for (const minFreeBytes of [1024 * KIB, 0])
      it(`answers 503 and goes on without a restart (reserve of ${minFreeBytes} bytes)`, async (t) => {
        const dir = smallDisk(t)
        const service = await running(t, { dir, config: { log: { minFreeBytes }, routes: {} } })
        assert.equal((await service.send(eventOf({}, 0).raw)).status, 202)
        const ballast = join(dir, 'ballast')
        try {
          writeFileSync(ballast, Buffer.alloc(64 * 1024 * KIB))
        } catch {
          // As much as fits.
        }
        const refusal = await until('a refusal', async () => {
          const reply = await service.send(bulk())
          return reply.status === 503 ? reply : null
        })
        assert.deepEqual([refusal.json['code'], refusal.headers.get('retry-after')], ['log.disk_full', '1'])
        assert.equal((await service.ask('/healthz')).status, 200)
        assert.equal((await service.get('/v1/events'))['events'].length >= 1, true)
        rmSync(ballast)
        const answer = await until('room', async () => {
          const reply = await service.send(eventOf({}, 5_000).raw)
          return reply.status === 202 ? reply : null
        })
        assert.equal((await service.get(`/v1/events/${answer.json['ids'][0]}`))['verdict'], 'first')
        const again = await service.send(eventOf({}, 0).raw)
        assert.equal((await service.get(`/v1/events/${again.json['ids'][0]}`))['verdict'], 'duplicate')
      })
  },
)

const file = (dir: string): RouteInput => ({ sink: { type: 'file', dir } })
const bulk = (): string => Array.from({ length: 200 }, (_, i) => Buffer.from(eventOf({}, 100 + i).raw).toString()).join('\n')

async function sendUntilRefused(service: Running): Promise<{ sent: number; refusal: Awaited<ReturnType<Running['send']>> }> {
  for (let sent = 0; sent < 1_000; sent++) {
    const reply = await service.send(eventOf({}, sent).raw)
    if (reply.status !== 202) return { sent, refusal: reply }
  }
  return assert.fail('never refused')
}

function smallDisk(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', dir])
  // After the service has stopped, which registers its own end later than this one.
  process.once('exit', () => {
    execFileSync('umount', ['-l', dir])
    rmSync(dir, { recursive: true })
  })
  assert.ok(t.name)
  return dir
}
