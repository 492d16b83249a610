/**
 * A contact centre with one queue out of bounds: 200 events a second there, about 2 in each of nine others, and a limit of 5 a second and
 * queue that two processes share through one SQLite file, with real clocks of which one is ahead. Each of the four policies, side by side.
 *
 * The law is about what the limiters take for the time. Where their clocks differ, true time may see what so much more time would allow.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { breaksLaw } from '../../src/testing/rate-law.ts'
import { POLICIES, RATE, SAMPLE_ONE_IN, type Policy, type Task, type Told, centre, shareOf, ticksOf } from './_task.ts'

const SECONDS = 15
const AHEAD_MS: readonly number[] = [0, 300]
const SKEW_MS: number = Math.max(...AHEAD_MS) - Math.min(...AHEAD_MS)

test('two processes on one store file keep one limit', { timeout: 180_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-limit-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const played = centre(SECONDS)
  const noisy = played.centre.queues.at(-1)!.id
  const quiet = played.centre.queues.slice(0, -1).map(({ id }) => id)

  // What there is to see: the noisy queue is far above its rate; of the quiet ones each process has a share that is within its share of
  // the rate, with room for tokens that were taken ahead and lapsed. So they are within it however the processes keep time.
  const emissions = ticksOf(played, SECONDS).flat()
  const offered = (queue: string, own: number): number[] =>
    emissions.filter((e) => e.body['queueId'] === queue && shareOf(e, AHEAD_MS.length) === own).map((e) => e.publishedAtMs)
  for (const own of AHEAD_MS.keys()) {
    assert.ok(offered(noisy, own).length > 90 * SECONDS)
    for (const queue of quiet) {
      assert.equal(breaksLaw(offered(queue, own), { perSecond: RATE.perSecond / 2, burst: 4 }), null)
      assert.ok(offered(queue, own).length > 0)
    }
  }

  const children = await started(AHEAD_MS.length)
  t.after(() => children.forEach((child) => child.kill()))
  const told = await Promise.all(children.map((child, own) => run(child, taskOf(dir, own))))
  const accepted = (queue: string): number => told.reduce((sum, { acceptedByQueue }) => sum + acceptedByQueue[queue]!, 0)
  for (const queue of [noisy, ...quiet]) assert.equal(accepted(queue), offered(queue, 0).length + offered(queue, 1).length)
  const seconds = Math.max(...told.map(({ tookMs }) => tookMs)) / 1_000
  t.diagnostic(`${SECONDS} s of traffic in ${seconds.toFixed(1)} s: ${(accepted(noisy) / seconds).toFixed(0)} events/s of the noisy queue`)

  for (const policy of POLICIES)
    await t.test(policy, (t) => {
      const of = told.map(({ policies }) => policies[policy])
      const admitted = of.flatMap(({ admitted }, own) => admitted.map((one) => ({ ...one, trueMs: one.atMs - AHEAD_MS[own]! })))

      // The law, over any stretch; what is sampled passes beside it, one in so many of the overflow of each process.
      for (const queue of [noisy, ...quiet]) {
        const within = admitted.filter(({ queueId, sampled }) => queueId === queue && !sampled)
        const atMs = within.map((one) => one.atMs)
        assert.equal(breaksLaw(atMs, RATE), null, `queue ${queue}`)
        const burst = RATE.burst + (RATE.perSecond * SKEW_MS) / 1_000
        const trueMs = within.map((one) => one.trueMs)
        assert.equal(breaksLaw(trueMs, { ...RATE, burst }), null, `queue ${queue}, in true time`)
      }
      for (const [own, { admitted, counts }] of of.entries()) {
        const sampled = admitted.filter((one) => one.sampled)
        const overflow = (counts[`dropped|limit.rate|${noisy}`] ?? 0) + sampled.length
        assert.equal(sampled.length, policy === 'sample' ? Math.floor(overflow / SAMPLE_ONE_IN) : 0, `process ${own}`)
        assert.ok(sampled.every(({ queueId }) => queueId === noisy))
      }

      // The quiet queues are untouched, and the noisy one is not shut.
      for (const queue of quiet) assert.equal(admitted.filter(({ queueId }) => queueId === queue).length, accepted(queue), `queue ${queue}`)
      assert.ok(admitted.filter(({ queueId, sampled }) => queueId === noisy && !sampled).length > RATE.perSecond * SECONDS * 0.5)

      // Every event has one end or is held, and what was dropped is said of its queue.
      for (const [own, { admitted, counts, held }] of of.entries()) {
        const ends = Object.entries(counts).filter(([name]) => name === 'delivered' || name.startsWith('dropped|'))
        assert.equal(ends.reduce((sum, [, n]) => sum + n, 0) + held, told[own]!.accepted, `process ${own}`)
        assert.equal(counts['delivered'], admitted.length, `process ${own}`)
        const names = ends.map(([name]) => name).filter((name) => name !== 'delivered')
        assert.deepEqual(names, DROPS[policy] === null ? [] : [`dropped|${DROPS[policy]}|${noisy}`], `process ${own}`)
        assert.equal(held > 0, policy === 'delay' || policy === 'latest')
      }
      const calls = of.reduce((sum, { storeCalls }) => sum + storeCalls, 0)
      const all = told.reduce((sum, one) => sum + one.accepted, 0)
      t.diagnostic(`${admitted.length} of ${all} admitted, ${calls} calls of the store`)
    })
})

const DROPS: Readonly<Record<Policy, string | null>> = { delay: null, drop: 'limit.rate', sample: 'limit.rate', latest: 'limit.superseded' }

function taskOf(dir: string, own: number): Task {
  return { dir, process: own, processes: AHEAD_MS.length, seconds: SECONDS, aheadMs: AHEAD_MS[own]! }
}

/** The processes, each ready to begin. */
async function started(count: number): Promise<readonly ChildProcess[]> {
  const children = Array.from({ length: count }, () => fork(join(import.meta.dirname, '_limiter.ts'), { execArgv: [] }))
  await Promise.all(children.map((child) => once(child, 'message')))
  return children
}

async function run(child: ChildProcess, task: Task): Promise<Told> {
  child.send(task)
  const [told] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => assert.fail(`a process ended with ${code}`)),
  ])
  if (child.connected) await once(child, 'exit')
  return told as Told
}
