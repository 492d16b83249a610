/**
 * kill -9 at every step at which a finished conversation becomes a record, and while the centre's day comes in: after the last start
 * every conversation that has finished by the centre's own truth has been told to the route, once, and no other.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { playedDay, post } from '../service/_state.ts'
import { linesOf } from './judge.ts'
import { type Life, begin } from './process.ts'
import { getJson, makeScene, removeScene, type Stats } from './scene.ts'

/** `step:the how manieth time`, while the day comes in, each after another part of it; */
const KILLS_EARLY = ['log.synced:6', 'state.stored:1', 'log.synced:9']
/** and when all of it is there, and conversations are told. */
const KILLS_LATE = ['changes.appended:1', 'changes.settled:1', 'changes.appended:2', 'state.stored:1']
/** Longer than all the early lives take: what a kill tears apart is put together before it is told. */
const QUIET_MS = 12_000
const PATIENCE_MS = 90_000

type Told = Stats & {
  readonly state: { readonly lagEvents: number }
  readonly changes: { readonly waiting: number }
}

test(`${KILLS_EARLY.length + KILLS_LATE.length} kills: each finished conversation once`, async (t) => {
  const day = playedDay({ seed: '41' })
  const { conversations } = day.truth
  const finishedIds = conversations.filter(({ finished }) => finished).map(({ id }) => id)
  const beingWrittenUp = conversations.filter(({ finished, endedAtMs }) => endedAtMs !== null && !finished).length
  const cwd = makeScene('', {
    log: { segmentBytes: 1024 * 1024, minFreeBytes: 0 },
    state: { quietMs: QUIET_MS },
    routes: { crm: { changes: 'conversation', sink: { type: 'file', dir: 'crm' } } },
  })
  let life: Life | null = null
  t.after(async () => {
    life?.kill('SIGKILL')
    await life?.ended
    removeScene(cwd)
  })
  const started = async (killAt?: string): Promise<string | null> => {
    life = begin({ cwd, ...(killAt === undefined ? {} : { killAt }) })
    return life.url
  }

  let next = 0
  const reached: string[] = []
  const kills = [...KILLS_EARLY, ...KILLS_LATE]
  for (const [n, killAt] of kills.entries()) {
    const url = await started(killAt)
    const { kill, ended } = life!
    const until = n < KILLS_EARLY.length ? Math.ceil((day.requests.length * (n + 1)) / (KILLS_EARLY.length + 1)) : day.requests.length
    const sending = (async () => {
      while (url !== null && next < until && (await post(url, day.requests[next]!))) next++
    })()
    const over = new AbortController()
    const patience = pause(n < KILLS_EARLY.length ? 2_000 : 25_000, undefined, { signal: over.signal }).then(
      () => kill('SIGKILL'),
      () => undefined,
    )
    const { step } = await ended
    over.abort()
    await Promise.all([patience, sending])
    if (step !== null) reached.push(step)
  }
  t.diagnostic(`killed at: ${reached.join(', ')}`)
  for (const name of ['changes.appended', 'changes.settled']) assert.ok(reached.includes(name), `never killed at ${name}`)

  const url = await started()
  if (url === null) assert.fail((await life!.ended).stderr)
  for (; next < day.requests.length; next++) assert.ok(await post(url, day.requests[next]!))
  const giveUpAtMs = Date.now() + PATIENCE_MS
  for (;;) {
    const { state, changes, routes } = await getJson<Told>(`${url}/v1/stats`)
    if (state.lagEvents + (routes['crm']?.lag ?? 1) === 0 && changes.waiting === beingWrittenUp) break
    assert.ok(Date.now() < giveUpAtMs, `never told: ${JSON.stringify(changes)}, ${beingWrittenUp} are being written up`)
    await pause(100)
  }
  const made = await fetch(`${url}/v1/state/rebuild`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  assert.equal(((await made.json()) as { equal: boolean }).equal, true)
  const findings: string[] = []
  const told = linesOf(join(cwd, 'crm'), findings).map(
    (line) => (JSON.parse(line) as { detail: { eventBody: { id: string } } }).detail.eventBody.id,
  )
  assert.deepEqual(findings, [])
  assert.deepEqual(told.toSorted(), finishedIds.toSorted())
})
