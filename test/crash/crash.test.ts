/**
 * kill -9 of the real process, again and again on one data directory: at every named durable step, at any moment, while
 * starting, while stopping. Then one clean start, and everything that was acknowledged is accounted for.
 *
 * TRUNKLINE_CRASH_CYCLES sets the number of kills (200 with CI=true, else 20), TRUNKLINE_CRASH_SEED repeats a plan.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { DURABLE_STEPS } from '../../src/diagnostics/step.ts'
import { fsck } from '../../src/log/fsck.ts'
import { Client } from './client.ts'
import { judgeFiles, judgeOrder, judgeQuarantine, judgeReceiver, linesOf } from './judge.ts'
import { type Ended, type Life, begin } from './process.ts'
import { type FlakyReceiver, flakyReceiver } from './receiver.ts'
import { HTTP_CONCURRENCY, MAX_AGE_MS, MAX_ATTEMPTS, getJson, makeScene, quarantined, redrive, removeScene, settled } from './scene.ts'
import { Oracle } from './traffic.ts'

const CYCLES = Number(process.env['TRUNKLINE_CRASH_CYCLES'] ?? (process.env['CI'] === 'true' ? 200 : 20))
const SEED = Number(process.env['TRUNKLINE_CRASH_SEED'] ?? Date.now() % 1_000_000)
const SENDERS = 6
/** Those of finished conversations have a test of their own. */
const STEPS = DURABLE_STEPS.filter((step) => !/^(?:state|changes)\./.test(step))
/** A step that was not reached by then is not going to be: the process is killed where it stands. */
const PATIENCE_MS = 1_200
/** A merge needs eight runs, and a run this many keys: two an event. */
const ENV = { TRUNKLINE_TEST_KEYS_IN_MEMORY: '40' }

/** How often each step comes in a life: the kill is at one of the first so many. */
const COMES_OFTEN: Readonly<Record<string, number>> = {
  'log.prepared': 30,
  'log.written': 30,
  'log.synced': 30,
  'log.committed': 30,
  'intake.before_answer': 30,
  'log.segment_created': 2,
  'log.segment_sealed': 2,
  'log.columns_written': 2,
  'keys.sealed': 8,
  'sink.delivered': 60,
  'route.before_commit': 60,
  'route.committed': 60,
  'http.answered': 40,
  'file.written': 20,
  'file.synced': 20,
  'file.rotated': 3,
  'dead.recorded': 3,
}

test(`${CYCLES} kills lose nothing that was acknowledged and double nothing (seed ${SEED})`, async (t) => {
  const random = seeded(SEED)
  const receiver = await flakyReceiver(random)
  const cwd = makeScene(receiver.url)
  const world: World = { cwd, receiver, oracle: new Oracle(), random, reached: new Map(), kills: 0, life: null }
  const client = new Client(world.oracle, SENDERS, random)
  let ok = false
  try {
    for (let cycle = 0; cycle < CYCLES; cycle++) await live(world, client, cycle)
    await judge(world, client, (message) => t.diagnostic(message))
    ok = true
  } finally {
    world.life?.kill('SIGKILL')
    await receiver.close()
    if (ok) removeScene(cwd)
    else t.diagnostic(`the data is kept in ${cwd}`)
  }
})

type World = {
  readonly cwd: string
  readonly receiver: FlakyReceiver
  readonly oracle: Oracle
  readonly random: () => number
  /** How often the process was killed at a step. */
  readonly reached: Map<string, number>
  kills: number
  /** The process that runs now. */
  life: Life | null
}

/** One life: start, send, die. */
async function live(world: World, client: Client, cycle: number): Promise<void> {
  const { random } = world
  // Two lives in three end at a step, in turn; a short run begins with another step each time.
  const turn = Math.floor(cycle / 3) * 2 + (cycle % 3) + SEED
  const step = cycle % 3 === 2 ? null : (STEPS[turn % STEPS.length] ?? null)
  const killAt = step === null ? null : `${step}:${1 + Math.floor(random() * (COMES_OFTEN[step] ?? 1))}`
  const life = begin({ cwd: world.cwd, env: ENV, ...(killAt === null ? {} : { killAt }) })
  world.life = life
  const early = step === null && random() < 0.2
  const over = new AbortController()
  if (early) void pause(50 + random() * 500).then(() => life.kill('SIGKILL'))
  const url = await life.url
  if (url !== null) {
    const work = [client.run(url, over.signal), nagging(url, over.signal)]
    const timer = pause(step === null ? random() * 600 : PATIENCE_MS, undefined, { signal: over.signal }).then(
      () => {
        // Some lives end with a stop that is cut short.
        if (step === null && random() < 0.3) life.kill('SIGTERM')
        return pause(step === null ? random() * 60 : 0).then(() => life.kill('SIGKILL'))
      },
      () => undefined,
    )
    await life.ended
    over.abort()
    await Promise.all([...work, timer])
  }
  const ended = await life.ended
  assertKilled(ended)
  world.kills++
  if (ended.step !== null) world.reached.set(ended.step, (world.reached.get(ended.step) ?? 0) + 1)
}

/** Somebody who redrives dead letters the moment they are there. */
async function nagging(url: string, stop: AbortSignal): Promise<void> {
  try {
    while (!stop.aborted) {
      await pause(150, undefined, { signal: stop })
      await redrive(url)
    }
  } catch {
    // The service is gone, or the life is over.
  }
}

function assertKilled(ended: Ended): void {
  const clean = ended.signal === 'SIGKILL' || ended.code === 0
  assert.ok(clean, `the service ended by itself: code ${ended.code}, signal ${ended.signal}\n${ended.stderr}`)
}

async function judge(world: World, client: Client, say: (message: string) => void): Promise<void> {
  const { cwd, receiver, oracle } = world
  const life = begin({ cwd, env: ENV })
  world.life = life
  const url = await life.url
  if (url === null) assert.fail((await life.ended).stderr)
  await client.run(url, new AbortController().signal, true)
  assert.equal(client.unacknowledged, 0, 'a clean service acknowledges everything')
  receiver.flaky = false
  await settled(url, 60_000)
  while ((await redrive(url)) > 0) await settled(url, 60_000)
  const stats = await settled(url, 60_000)
  const findings: string[] = []

  const accepted = stats.log.nextSeq - 1
  const { total: redriven } = await getJson<{ total: number }>(`${url}/v1/deadletters?route=crm&state=redriven&limit=1`)
  for (const [name, route] of Object.entries(stats.routes)) {
    const ends = endsOf(route.counts)
    if (name === 'crm' && (route.counts['redelivered'] ?? 0) !== redriven)
      findings.push(`${redriven} dead letters are redriven, ${route.counts['redelivered']} counted`)
    if (ends !== accepted) findings.push(`route ${name}: ${accepted} records, ${ends} outcomes: ${JSON.stringify(route.counts)}`)
    if ((route.counts['damaged'] ?? 0) > 0) findings.push(`route ${name} met damaged records: ${JSON.stringify(route.counts)}`)
  }
  if (accepted < oracle.receipts) findings.push(`${oracle.receipts} records were acknowledged, the log has numbered ${accepted}`)
  judgeQuarantine(oracle, await quarantined(url), findings)
  await judgeHistories(url, findings)
  life.kill('SIGTERM')
  const ended = await life.ended
  assert.equal(ended.code, 0, ended.stderr)

  const archive = linesOf(join(cwd, 'archive'), findings)
  judgeFiles(oracle, archive, findings)
  const ordered = linesOf(join(cwd, 'ordered'), findings)
  judgeFiles(oracle, ordered, findings)
  judgeOrder(oracle, ordered, findings)
  const repeats = judgeReceiver(oracle, receiver, world.kills * HTTP_CONCURRENCY, findings)
  if (oracle.longestMs > MAX_AGE_MS / 2)
    findings.push(
      `the machine is too slow for this test: an acknowledgement took ${oracle.longestMs} ms, repetitions are known for ${MAX_AGE_MS} ms`,
    )
  const checked = fsck(join(cwd, '.trunkline'), { repair: false })
  if (!checked.ok)
    findings.push(
      `fsck: ${JSON.stringify({ ...checked, segments: checked.segments.filter((s) => !s.readable || s.damage.length > 0 || s.tornBytes > 0) })}`,
    )
  const damaged = join(cwd, '.trunkline', 'log', 'damaged')
  say(
    `${world.kills} kills; ${oracle.acknowledged.size} events, ${accepted} records, ${oracle.quarantined.size} quarantined, ${repeats} HTTP repeats, ${redriven} redriven`,
  )
  say(`killed at: ${[...world.reached].map(([step, times]) => `${step} ${times}`).join(', ')}; torn ends kept: ${existsSync(damaged)}`)
  const missed = STEPS.filter((step) => !world.reached.has(step))
  say(`steps without a kill: ${missed.length === 0 ? 'none' : missed.join(', ')}`)
  if (CYCLES >= 200) assert.deepEqual(missed, [], 'every durable step must have been killed at')
  assert.deepEqual(findings, [])
}

/** Every record ends once: delivered, duplicate, not matched, dropped or dead. */
function endsOf(counts: Readonly<Record<string, number>>): number {
  const ends = ['delivered', 'duplicate', 'not_matched', 'dropped', 'dead']
  return Object.entries(counts).reduce((sum, [key, n]) => sum + (ends.includes(key.split('|')[0] ?? '') ? n : 0), 0)
}

/** A redrive appends to a history: attempts, death, request and delivery stand there in this order. */
async function judgeHistories(url: string, findings: string[]): Promise<void> {
  type Letter = { readonly route: string; readonly eventId: string }
  const { deadLetters } = await getJson<{ deadLetters: Letter[] }>(`${url}/v1/deadletters?state=redriven&limit=100`)
  for (const { route, eventId } of deadLetters) {
    type History = { readonly history: readonly { readonly what: string }[] }
    const { history } = await getJson<History>(`${url}/v1/deadletters/${route}/${eventId}`)
    const told = history.map((h) => h.what).join(' ')
    const once = `(attempt_failed ){${MAX_ATTEMPTS}}dead redrive_requested `
    if (!new RegExp(`^(${once})+(attempt_failed ){0,${MAX_ATTEMPTS - 1}}delivered$`).test(told))
      findings.push(`${eventId} on ${route}: ${told}`)
  }
}

/** mulberry32: a plan can be repeated. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
