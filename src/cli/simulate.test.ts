import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CommanderError } from 'commander'
import type { Context } from './context.ts'
import { exitCodeOf, problemOf } from './failure.ts'
import { folder, testIo, type TestIo, type TestIoOptions } from './_test-io.ts'
import { testService } from './_test-service.ts'
import { simulateCommand } from './verbs/simulate.ts'

type Ran = { readonly code: number; readonly io: TestIo; readonly problem: string }

const QUICK = ['--duration', '20m', '--speed', 'max']

async function simulate(argv: readonly string[], options: TestIoOptions & { readonly io?: (io: TestIo) => TestIo } = {}): Promise<Ran> {
  const plain = testIo(options)
  const io = options.io?.(plain) ?? plain
  const ended = new AbortController()
  io.outputClosed.addEventListener('abort', () => ended.abort())
  const context: Context = { io, signal: ended.signal, outlivesOutput: false, exitCode: 0 }
  let problem = ''
  const command = simulateCommand(context).exitOverride()
  command.configureOutput({ writeErr: (text) => (problem += text) })
  try {
    await command.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return { code: 2, io, problem }
    return { code: exitCodeOf(error), io, problem: `${problemOf(error).message} ${problemOf(error).hint}` }
  }
  return { code: context.exitCode, io, problem }
}

test('the same seed and options write the same bytes, to standard output and to a file', async (t) => {
  const cwd = folder(t)
  const first = await simulate([...QUICK, '--seed', '7', '--duplicates', '2%', '--disorder', '30s', '--malformed', '0.5%'])
  assert.equal(first.code, 0)
  const again = await simulate(
    [
      ...QUICK,
      '--seed',
      '7',
      '--duplicates',
      '2%',
      '--disorder',
      '30s',
      '--malformed',
      '0.5%',
      '--out',
      'e.ndjson',
      '--json',
      '--truth',
      't.json',
    ],
    { cwd },
  )
  const bytes = readFileSync(join(cwd, 'e.ndjson'))
  assert.deepEqual(first.io.outBytes(), bytes)
  const summary = JSON.parse(again.io.out()) as Record<string, number>
  assert.equal(bytes.filter((byte) => byte === 0x0a).length, summary['copies'])
  assert.equal(summary['copies'], summary['distinct']! + summary['duplicates']! + summary['malformed']!)
  assert.match(
    first.io.err(),
    new RegExp(`^${summary['copies']} copies of ${summary['distinct']} synthetic events: ${summary['duplicates']} duplicates`, 'm'),
  )
  const { emitted, truth } = JSON.parse(readFileSync(join(cwd, 't.json'), 'utf8')) as { emitted: object; truth: { emitted: number } }
  assert.equal(truth.emitted, summary['distinct'])
  const { tookMs: _, ...counts } = summary
  assert.deepEqual(emitted, counts)
  const other = await simulate([...QUICK, '--seed', '8'])
  assert.notDeepEqual(other.io.outBytes(), bytes)
})

test('a topic filter, a limit and the other format', async () => {
  const { io } = await simulate(['--speed', 'max', '--limit', '30', '--topics', 'v2.users.*, v2.*.acd.start', '--format', 'notification'])
  const lines = io
    .out()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { topicName: string; timestamp?: string })
  assert.equal(lines.length, 30)
  for (const { topicName, timestamp } of lines) {
    assert.match(topicName, /^v2\.users\.|\.acd\.start$/)
    assert.equal(timestamp, undefined)
  }
})

test('at a speed it keeps time: nothing goes out before it is due', async () => {
  const early: string[] = []
  const { io } = await simulate(['--duration', '10m', '--speed', '60', '--start', '2026-03-02T10:00:00Z'], {
    io: (plain) => {
      const beganMs = plain.clock.nowMs()
      return {
        ...plain,
        stdout: {
          ...plain.stdout,
          write(chunk) {
            const modelMs = Date.UTC(2026, 2, 2, 10) + (plain.clock.nowMs() - beganMs) * 60
            for (const [, at = ''] of Buffer.from(chunk as Uint8Array)
              .toString()
              .matchAll(/"timestamp":"([^"]+)"\}\}\n/g))
              if (Date.parse(at) > modelMs) early.push(at)
            return plain.stdout.write(chunk)
          },
        },
      }
    },
  })
  assert.deepEqual(early, [])
  assert.ok(io.out().split('\n').length > 300)
  const tookMs = io.waitedMs.reduce((sum, ms) => sum + ms, 0)
  assert.ok(tookMs > 9_000 && tookMs < 11_000, `${tookMs} ms for ten minutes at 60 times`)
})

test('a slow reader makes it wait, a reader that is gone or a signal ends it', async () => {
  let unread = 0
  let most = 0
  const { code } = await simulate([...QUICK, '--agents', '500'], {
    io: (plain) => ({
      ...plain,
      stdout: {
        ...plain.stdout,
        write: (chunk) => (most = Math.max(most, (unread += chunk.length))),
        drained: async () => {
          await new Promise(setImmediate)
          unread = 0
        },
      },
    }),
  })
  assert.equal(code, 0)
  assert.ok(most > 0 && most < 2 * 1024 * 1024, `${most} bytes unread`)
  for (const leave of ['interrupt', 'closeOutput'] as const) {
    let written = 0
    const ended = await simulate(['--speed', 'max'], {
      io: (plain) => ({
        ...plain,
        stdout: {
          ...plain.stdout,
          write: () => {
            if (++written === 3) plain[leave]()
          },
        },
      }),
    })
    assert.equal(ended.code, 0)
    assert.ok(written >= 3 && written < 10, 'it goes on no further')
    assert.match(ended.io.err(), /synthetic events/)
  }
})

test('a service gets every record, also one that is busy at first', async (t) => {
  let records = 0
  const { url, asked } = await testService(t, ({ body }) => {
    if (asked.length === 1)
      return { status: 503, headers: { 'retry-after': '1' }, json: { code: 'intake.busy', message: 'busy', hint: '' } }
    const count = body.filter((byte) => byte === 0x0a).length
    records += count
    return { status: 202, json: { accepted: count, quarantined: 0, ids: [], errors: [] } }
  })
  const { code, io } = await simulate([...QUICK, '--url', url, '--json'])
  const summary = JSON.parse(io.out()) as { copies: number; sent: { accepted: number } }
  assert.equal(code, 0)
  assert.deepEqual([records, summary.sent.accepted], [summary.copies, summary.copies])
})

for (const service of ['down', 'busy', 'mute'] as const) {
  test(`a signal ends it within seconds while the service is ${service}, and says that not all was sent`, async (t) => {
    const answers = await testService(t, () => (service === 'busy' ? { status: 503, json: {} } : undefined))
    const url = service === 'down' ? await nobodyAt() : answers.url
    let signalledAtMs: number | null = null
    const { code, io } = await simulate([...QUICK, '--url', url], {
      io: (plain) => {
        const interrupt = (): void => {
          signalledAtMs = plain.clock.nowMs()
          plain.interrupt()
        }
        const { clock } = plain
        if (service === 'mute') void untilAsked(answers.asked).then(interrupt)
        const wait: typeof clock.wait = (ms, signal) => {
          if (signalledAtMs === null) interrupt()
          return clock.wait(ms, signal)
        }
        return { ...plain, clock: { ...clock, wait } }
      },
    })
    assert.equal(code, 1)
    assert.ok(signalledAtMs !== null && io.clock.nowMs() - signalledAtMs < 5_000, 'it goes on')
    assert.match(io.err(), /send\.interrupted/)
    assert.match(io.err(), /accepted 0/)
  })
}

test('a signal lets what was made arrive where the service takes it', async (t) => {
  let records = 0
  let io: TestIo | undefined
  const { url } = await testService(t, ({ body }) => {
    if (records === 0) io?.interrupt()
    const count = body.filter((byte) => byte === 0x0a).length
    records += count
    return { status: 202, json: { accepted: count, quarantined: 0, ids: [], errors: [] } }
  })
  const ran = await simulate([...QUICK, '--url', url, '--json'], {
    // Time stands still.
    io: (plain) => (io = { ...plain, clock: { ...plain.clock, wait: (_, signal) => untilAborted(signal) } }),
  })
  const summary = JSON.parse(ran.io.out()) as { copies: number; sent: { accepted: number } }
  assert.equal(ran.code, 0)
  assert.ok(records > 0)
  assert.deepEqual([records, summary.sent.accepted], [summary.copies, summary.copies])
})

test('what cannot be written, or sent, is said, with what was done until then', async (t) => {
  if (existsSync('/dev/full')) {
    const { code, io } = await simulate([...QUICK, '--out', '/dev/full'])
    assert.equal(code, 1)
    assert.match(io.err(), /ENOSPC.*simulate\.write_failed/s)
    const untold = await simulate([...QUICK, '--truth', '/dev/full'])
    assert.equal(untold.code, 1)
    assert.match(untold.problem, /truth could not be written to \/dev\/full to its end \(ENOSPC\)/)
  }
  const { url } = await testService(t, () => ({ status: 401, json: { code: 'auth.required', message: 'no token', hint: '' } }))
  const refused = await simulate([...QUICK, '--url', url])
  assert.equal(refused.code, 1)
  assert.match(refused.io.err(), /auth\.required/)
})

test('on a terminal nothing but text comes out', async () => {
  const { io } = await simulate([...QUICK, '--malformed', '50%'], { terminal: true })
  // eslint-disable-next-line no-control-regex
  assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(io.out()))
})

test('wrong options say what is wanted', async (t) => {
  const cwd = folder(t)
  const rows: readonly (readonly [argv: readonly string[], said: RegExp])[] = [
    [['--duration', '5'], /number with its unit/],
    [['--duration', '-5s'], /number with its unit/],
    [['--disorder', '1y'], /number with its unit/],
    [['--duplicates', '2'], /percentage.*with its sign/],
    [['--malformed', '101%'], /percentage from 0% to 100%/],
    [['--speed', 'fast'], /Write max/],
    [['--speed', '0'], /Write max/],
    [['--agents', '0'], /whole number from 1/],
    [['--noisy-queue', 'very'], /events a second/],
    [['--format', 'xml'], /Allowed choices are eventbridge, notification/],
    [['--start', 'soon'], /no time/],
    [['--topics', 'v2.users.*,acd.start'], /No simulated topic fits "acd\.start"/],
    [['--topics', `${'*'.repeat(60)}x`], /No simulated topic fits/],
    [['--topics', 'v2.users.{id}.conversations'], /--snapshots/],
    [['--speed', 'max', '--out', 'x'], /without end.*--duration or --limit/],
    [['--out', 'x', '--url', 'http://127.0.0.1:1'], /exclude each other/],
    [['--limit', '1', '--speed', 'max', '--out', 'no/such/folder/x'], /cannot be written to \(ENOENT\)/],
    [['--limit', '1', '--speed', 'max', '--truth', 'no/such/folder/x'], /cannot be written to \(ENOENT\)/],
    [['--limit', '1', '--speed', 'max', '--url', 'ftp://x'], /no http or https address/],
    [['--platform', '--speed', 'max'], /platform cannot run as fast/],
    [['--platform', '--duplicates', '2%', '--out', 'x'], /--duplicates, --out would have no effect/],
  ]
  for (const [argv, said] of rows) {
    const { code, problem, io } = await simulate(argv, { cwd })
    assert.equal(code, 2, argv.join(' '))
    assert.match(problem, said, argv.join(' '))
    assert.equal(io.out(), '')
  }
})

/** An address where nobody listens. */
async function nobodyAt(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

async function untilAsked(asked: readonly unknown[]): Promise<void> {
  while (asked.length === 0) await new Promise(setImmediate)
}

async function untilAborted(signal?: AbortSignal): Promise<void> {
  if (signal !== undefined && !signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
}
