import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Command } from 'commander'
import { WebSocket } from 'ws'
import { simulation } from '../simulator/model/simulation.ts'
import type { PlatformTruth } from '../simulator/platform/platform.ts'
import { turns } from '../testing/virtual-clock.ts'
import { folder, testIo, type TestIo } from './_test-io.ts'
import type { Context } from './context.ts'
import { addPlatformOptions, runPlatform, type PlatformFlags, type PlatformPlay } from './simulate-platform.ts'

const PLAY: PlatformPlay = {
  speed: 1,
  durationMs: null,
  seed: '7',
  open: (startAtMs) => simulation({ seed: '7', startAtMs, agents: 5, flat: true }),
}

type Running = { readonly io: TestIo; readonly done: Promise<void>; url(): Promise<string> }

function start(t: TestContext, argv: readonly string[], play: Partial<PlatformPlay> = {}): Running {
  const io = testIo()
  const context: Context = { io, signal: new AbortController().signal, outlivesOutput: false, exitCode: 0 }
  const command = addPlatformOptions(new Command('simulate').option('--truth <file>').exitOverride()).action(async (flags: PlatformFlags) =>
    runPlatform(context, flags, { ...PLAY, ...play }),
  )
  command.configureOutput({ writeErr: () => undefined })
  const done = command.parseAsync(['--platform', '--port', '0', ...argv], { from: 'user' }).then(() => undefined)
  t.after(() => io.interrupt())
  return {
    io,
    done,
    async url() {
      for (;;) {
        const [, url] = /ready on (\S+)/.exec(io.out()) ?? []
        if (url !== undefined) return url
        await Promise.race([turns(1), done])
      }
    },
  }
}

test('it says how to configure Trunkline, answers that configuration, and stops at a signal', async (t) => {
  const { io, done, url } = start(t, [])
  const base = await url()
  assert.match(io.out(), new RegExp(`genesys: \\{ baseUrl: '${base}', clientId: 'simulated-client', clientSecret: 'simulated-secret' \\}`))
  const authorization = `Basic ${Buffer.from('simulated-client:simulated-secret').toString('base64')}`
  const answer = await fetch(`${base}/oauth/token`, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  assert.equal(answer.status, 200)
  await answer.text()
  io.interrupt()
  await done
  assert.match(io.err(), /stopping/)
  await assert.rejects(fetch(base))
})

test('a secret that was given is not repeated', async (t) => {
  const { io, done, url } = start(t, ['--client-id', 'mine', '--client-secret', 'hush-hush'])
  await url()
  io.interrupt()
  await done
  assert.match(io.out(), /clientId: 'mine', clientSecret: the one given/)
  assert.doesNotMatch(io.out() + io.err(), /hush-hush/)
})

test('a truth that the disk has no room for is said as such', { skip: !existsSync('/dev/full') }, async (t) => {
  const { io, done, url } = start(t, ['--truth', '/dev/full'])
  await url()
  io.interrupt()
  await assert.rejects(done, { code: 'simulate.write_failed', message: /\/dev\/full.*ENOSPC/ })
})

test('the truth is written at the end, with what arrived', async (t) => {
  const file = join(folder(t), 'truth.json')
  const { io, done, url } = start(t, ['--truth', file, '--faults', 'throttle@1s+100d', '--rate-limit', '17'])
  const base = await url()
  const authorization = `Basic ${Buffer.from('simulated-client:simulated-secret').toString('base64')}`
  const grant = { method: 'POST', headers: { authorization }, body: new URLSearchParams({ grant_type: 'client_credentials' }) }
  const { access_token: token } = (await (await fetch(`${base}/oauth/token`, grant)).json()) as { access_token: string }
  const call = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    for (;;) {
      const response = await fetch(`${base}/api/v2/${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      })
      assert.equal(response.headers.get('inin-ratelimit-allowed'), '17')
      const body = (await response.json()) as T
      if (response.ok) return body
    }
  }
  const { entities } = await call<{ entities: { id: string }[] }>('users')
  const channel = await call<{ id: string; connectUri: string }>('notifications/channels', { method: 'POST' })
  const topics = entities.map(({ id }) => ({ id: `v2.users.${id}?presence&routingStatus` }))
  await call(`notifications/channels/${channel.id}/subscriptions`, { method: 'POST', body: JSON.stringify(topics) })
  const socket = new WebSocket(channel.connectUri)
  const ids: string[] = []
  socket.on('message', (data) => {
    const { metadata } = JSON.parse((data as Buffer).toString()) as { metadata?: { CorrelationId: string } }
    if (metadata !== undefined) ids.push(metadata.CorrelationId)
  })
  const closed = new Promise((resolve) => socket.on('close', resolve))
  while (ids.length < 20) await turns(1)
  io.interrupt()
  await done
  await closed
  const truth = JSON.parse(readFileSync(file, 'utf8')) as PlatformTruth
  assert.deepEqual(
    truth.deliveries.filter(({ outcome }) => outcome === 'owed').map(({ correlationId }) => correlationId),
    ids,
  )
  assert.equal(truth.counts.owed, ids.length)
  assert.deepEqual(
    truth.outages.map(({ kind }) => kind),
    ['throttle'],
  )
  assert.match(io.err(), /\d+ published: \d+ arrived/)
})

test('it ends by itself when its time is over, and has told how it fares', async (t) => {
  const { io, done } = start(t, ['--faults', 'many'], { durationMs: 24 * 3_600_000, speed: 144 })
  await done
  assert.match(io.out(), /faults +\d\d+, the first/)
  assert.ok(
    io
      .err()
      .split('\n')
      .filter((text) => text.includes(' published: ')).length > 10,
  )
})

test('what is wrong with an option is said before anything runs', async (t) => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--faults', 'flood@1h'], /"flood@1h" is no fault/],
    [['--truth', join(folder(t), 'no/such/file')], /ENOENT/],
    [['--channel-life', 'long'], /Write a span/],
    [['--rate-limit', '0'], /whole number/],
    [['--port', '70000'], /whole number/],
  ]
  for (const [argv, message] of wrong) {
    const { io, done } = start(t, argv)
    await assert.rejects(done, message)
    assert.equal(io.out(), '')
  }
})
