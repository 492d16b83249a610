/** One process a data directory, and what signals do: the first drains, the second ends it at once, neither loses anything. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type Receiver, receiver } from '../../src/testing/receiver.ts'
import { linesOf } from './judge.ts'
import { COMMAND, type Life, begin } from './process.ts'
import { numberIn } from './receiver.ts'
import { makeScene, removeScene, settled } from './scene.ts'
import { eventText } from './traffic.ts'

const QUICK_MS = 5_000
const CONCURRENCY = 4
const DEV = [COMMAND, 'dev', '--no-simulate', '--log-level', 'error']

test('a second process on the same data directory exits 2 and leaves the first alone', async (t) => {
  const { cwd } = await scene(t, () => 200)
  const first = run(t, cwd)
  const url = await ready(first)
  await send(url, 1)

  for (const program of [[COMMAND, 'start', '--log-level', 'error'], DEV]) {
    const startedAtMs = Date.now()
    const second = await run(t, cwd, program).ended
    assert.equal(second.code, 2, second.stderr)
    assert.match(second.stderr, /data_dir\.locked/)
    assert.ok(Date.now() - startedAtMs < QUICK_MS, 'it is refused quickly')
  }

  await send(url, 2)
  await settled(url, QUICK_MS)
  first.kill('SIGTERM')
  assert.equal((await first.ended).code, 0)
  assert.deepEqual(numbersIn(cwd), [1, 2])
})

test('a lock does not outlive its process, however that ended', async (t) => {
  const { cwd } = await scene(t, () => 200)
  const first = run(t, cwd)
  await send(await ready(first), 1)
  first.kill('SIGKILL')
  assert.equal((await first.ended).signal, 'SIGKILL')
  const second = run(t, cwd)
  await settled(await ready(second), QUICK_MS)
  assert.deepEqual(numbersIn(cwd), [1])
})

test('SIGTERM drains: nothing acknowledged is lost or doubled, and what was under way keeps its key', async (t) => {
  let slow = Promise.withResolvers<number>()
  const { cwd, crm } = await scene(t, () => slow.promise)
  const first = run(t, cwd)
  const url = await ready(first)
  const all = Array.from({ length: 40 }, (_, i) => i + 1)
  await Promise.all(all.map((number) => send(url, number)))
  await until(() => crm.open.now === CONCURRENCY)
  first.kill('SIGTERM')
  await first.said(/stopping/)
  await assert.rejects(fetch(`${url}/readyz`), 'it takes no new connections')
  slow.resolve(200)
  const ended = await first.ended
  assert.equal(ended.code, 0, ended.stderr)
  // What was under way when the signal came was waited for and is on record: it does not come again.
  const before = crm.received.length

  slow = Promise.withResolvers()
  slow.resolve(200)
  const second = run(t, cwd)
  await settled(await ready(second), 20_000)
  assert.equal(crm.received.length, all.length, `${before} before, the rest after, none twice`)
  assert.deepEqual(sorted(crm.received.map((r) => numberIn(r.body))), all)
  assert.equal(new Set(crm.received.map((r) => r.idempotencyKey)).size, all.length)
  assert.deepEqual(numbersIn(cwd), all)
})

test('a second signal ends it at once; what was under way is repeated under the same key', async (t) => {
  const never = new Promise<number>(() => {})
  let hanging = true
  const { cwd, crm } = await scene(t, () => (hanging ? never : 200))
  const first = run(t, cwd)
  const url = await ready(first)
  const all = Array.from({ length: 20 }, (_, i) => i + 1)
  await Promise.all(all.map((number) => send(url, number)))
  await until(() => crm.open.now === CONCURRENCY)
  first.kill('SIGTERM')
  await first.said(/stopping/)
  const askedAtMs = Date.now()
  first.kill('SIGTERM')
  const ended = await first.ended
  assert.notEqual(ended.code, 0)
  assert.ok(Date.now() - askedAtMs < 2_000, 'at once')
  const underWay = crm.received.slice()

  hanging = false
  const second = run(t, cwd)
  await settled(await ready(second), 20_000)
  assert.deepEqual(sorted([...new Set(crm.received.map((r) => numberIn(r.body)))]), all)
  assert.equal(crm.received.length - all.length, underWay.length, 'only what was under way is repeated')
  const repeated = crm.received.slice(underWay.length)
  for (const one of underWay)
    assert.ok(repeated.some((r) => r.idempotencyKey === one.idempotencyKey && numberIn(r.body) === numberIn(one.body)))
  assert.deepEqual(numbersIn(cwd), all)
})

async function scene(t: TestContext, answer: () => number | Promise<number>): Promise<{ cwd: string; crm: Receiver }> {
  const crm = await receiver(answer)
  const retry = { maxAttempts: 5, baseMs: 5, maxMs: 40 }
  const cwd = makeScene(crm.url, {
    log: { minFreeBytes: 0 },
    routes: {
      archive: { from: 'earliest', retry, sink: { type: 'file', dir: 'archive' } },
      crm: { from: 'earliest', retry, sink: { type: 'http', url: crm.url, concurrency: CONCURRENCY, timeoutMs: 60_000 } },
    },
  })
  t.after(async () => {
    await crm.close()
    removeScene(cwd)
  })
  return { cwd, crm }
}

function run(t: TestContext, cwd: string, program: readonly string[] = DEV): Life {
  const life = begin({ cwd, program })
  t.after(async () => {
    life.kill('SIGKILL')
    await life.ended
  })
  return life
}

async function ready(life: Life): Promise<string> {
  const url = await life.url
  if (url === null) assert.fail((await life.ended).stderr)
  return url
}

async function send(url: string, number: number): Promise<void> {
  const response = await fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: eventText(number, `c${number % 3}`),
  })
  assert.equal(response.status, 202, await response.text())
}

function numbersIn(cwd: string): number[] {
  const findings: string[] = []
  const numbers = linesOf(join(cwd, 'archive'), findings).map(numberIn)
  assert.deepEqual(findings, [])
  return sorted(numbers)
}

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)

/** Looks again whenever the event loop has turned; the test's own timeout is the limit. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}
