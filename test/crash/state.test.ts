/** Show 4: kill -9 in the middle of a simulated day, again and again: after the last start, state is the centre's own truth, and a rebuild says the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { assertTrue, fetched, playedDay, post } from '../service/_state.ts'
import { type Life, begin } from './process.ts'
import { makeScene, removeScene } from './scene.ts'

const KILLS = 4
const PATIENCE_MS = 60_000

type Stats = { readonly state: { readonly lagEvents: number } }

test(`${KILLS} kills in the middle: the same state`, async (t) => {
  const day = playedDay({ seed: '23' })
  const route = { from: 'earliest', sink: { type: 'file', dir: 'archive' } }
  const cwd = makeScene('', { log: { segmentBytes: 1024 * 1024, minFreeBytes: 0 }, routes: { archive: route } })
  let life: Life | null = null
  t.after(async () => {
    life?.kill('SIGKILL')
    await life?.ended
    removeScene(cwd)
  })
  const started = async (): Promise<string> => {
    life = begin({ cwd })
    const url = await life.url
    if (url === null) assert.fail((await life.ended).stderr)
    return url
  }

  let url = await started()
  let next = 0
  for (let kill = 1; kill <= KILLS; kill++) {
    const until = Math.floor((day.requests.length * kill) / (KILLS + 1))
    while (next < until) if (await post(url, day.requests[next]!)) next++
    // Once before anything is stored, once after; and while a request is under way, which is sent again.
    if (kill % 2 === 0) await pause(6_000)
    const underWay = post(url, day.requests[next]!)
    life!.kill('SIGKILL')
    await life!.ended
    await underWay
    url = await started()
  }
  for (; next < day.requests.length; next++) assert.ok(await post(url, day.requests[next]!))

  const giveUpAtMs = Date.now() + PATIENCE_MS
  while ((await fetched<Stats>(url, '/v1/stats'))?.state.lagEvents !== 0) {
    assert.ok(Date.now() < giveUpAtMs, 'all of it becomes part of the state')
    await pause(50)
  }
  await assertTrue(url, day.truth)
  const response = await fetch(`${url}/v1/state/rebuild`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  const rebuilt = (await response.json()) as { equal: boolean; differences: object[]; events: number }
  assert.deepEqual([rebuilt.equal, rebuilt.differences, rebuilt.events], [true, [], day.distinct])
})
