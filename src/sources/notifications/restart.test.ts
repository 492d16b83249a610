/** The gap between two runs: it has a beginning whenever the first ended, and whatever is left of what it remembered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { rig } from '../../../test/sources/source-rig.ts'
import type { Rig, RigOptions } from '../../../test/sources/source-rig.ts'

const PRESENCE = { topics: ['v2.users.{id}.presence'] }
const TOPIC = 'v2.users.u1.presence'
const HOUR_MS = 3_600_000

/** A run that begins an hour after `before` ended in whatever way, knowing what is in `state`. */
async function next(t: TestContext, before: Rig, options: Partial<RigOptions>): Promise<Rig> {
  await before.play(HOUR_MS, 60_000)
  return rig(t, { settings: PRESENCE, genesys: before.genesys, clock: before.clock, ...options })
}

test('a process killed within its first second is remembered: the gap begins where its first channel did', async (t) => {
  const first = await rig(t, { settings: PRESENCE })
  const startedAtMs = first.clock.nowMs()
  await first.source.start()
  await first.playUntil('it is connected', () => first.source.connected, 1_000)
  first.genesys.publish(TOPIC, { n: 1 })
  await first.playUntil('the event', () => first.taken.length === 1, 1_000)
  const killedAtMs = first.clock.nowMs()
  const second = await next(t, first, { state: structuredClone(first.state) })
  await second.source.start()
  await second.playUntil('the gap', () => second.gaps.length === 1)
  const [gap] = second.gaps
  assert.equal(gap!.reason, 'process.stopped')
  assert.ok(gap!.fromMs >= startedAtMs && gap!.fromMs <= killedAtMs, `${gap!.fromMs - startedAtMs}`)
  assert.ok(gap!.toMs >= killedAtMs + HOUR_MS)
  assert.deepEqual(second.warnings, [])
})

test('what Genesys confirmed once and never gave is a gap from then on', async (t) => {
  const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => (genesys.mode = 'silent') })
  const startedAtMs = it.clock.nowMs()
  await it.source.start()
  await it.play(20_000)
  assert.deepEqual(it.source.openGaps(), [], 'it may still turn out whole')
  await it.play(180_000)
  assert.deepEqual(
    it.source.openGaps().map(({ toMs, reason }) => [toMs, reason]),
    [[null, 'channel.silent']],
  )
  it.genesys.mode = 'good'
  await it.playUntil('the gap', () => it.gaps.length === 1)
  assert.equal(it.gaps[0]!.reason, 'channel.silent')
  assert.ok(it.gaps[0]!.fromMs >= startedAtMs && it.gaps[0]!.fromMs <= startedAtMs + 5_000)
  assert.ok(it.gaps[0]!.toMs >= startedAtMs + 200_000)
  await it.play(120_000)
  assert.equal(it.gaps.length, 1)
})

test('before Genesys confirmed anything, nothing was promised', async (t) => {
  const it = await rig(t, { settings: PRESENCE, prepare: (genesys) => genesys.failing.add('addTopics') })
  await it.source.start()
  await it.play(120_000)
  assert.deepEqual([it.source.openGaps(), it.state?.shards ?? []], [[], []])
  it.genesys.failing.clear()
  await it.playUntil('it is connected', () => it.source.connected)
  await it.play(120_000)
  assert.deepEqual(it.gaps, [])
})

test('users for whom a channel is opened long after the start were not missed since the run before', async (t) => {
  const settings = { ...PRESENCE, topicsPerChannel: 1 }
  const first = await rig(t, { settings })
  await first.source.start()
  await first.play(60_000)
  const second = await next(t, first, { settings, state: structuredClone(first.state) })
  await second.source.start()
  await second.playUntil('the gap', () => second.gaps.length === 1)
  await second.play(HOUR_MS, 10_000)
  second.genesys.userIds = ['u1', 'u2']
  await second.play(20 * 60_000)
  assert.equal(second.genesys.live.filter(({ topics }) => topics.has('v2.users.u2.presence')).length >= 1, true)
  assert.equal(second.gaps.length, 1)
})
