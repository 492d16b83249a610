/**
 * Days with everything that goes wrong, one after the other: every event that was sent on an open socket arrives exactly once,
 * and gaps lie in the planted outages and nowhere else.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bare, rig } from '../../../test/sources/source-rig.ts'
import type { Rig } from '../../../test/sources/source-rig.ts'
import { seededRandom } from '../../testing/virtual-clock.ts'

type Outage = { readonly kind: string; readonly fromMs: number; toMs: number }

/** Last proof before it: a ping every 15 s, a margin of 2 s, and the step of this test. */
const BEFORE_MS = 15_000 + 2_000 + 2_000

for (const seed of [1, 2]) {
  test(`a scripted run of 12 hours, seed ${seed}`, async (t) => {
    const random = seededRandom(seed)
    const it = await rig(t, {
      settings: { topics: ['v2.users.{id}.station', 'v2.users.{id}.presence'], topicsPerChannel: 10 },
      prepare: setUp,
    })
    await it.source.start()
    await it.playUntil('all channels', () => isWorking(it))
    const outages: Outage[] = []
    const endMs = it.clock.nowMs() + 12 * 3_600_000
    let faultAtMs = it.clock.nowMs() + 300_000
    let count = 0
    while (it.clock.nowMs() < endMs) {
      const user = `u${Math.floor(random() * 30)}`
      // Two bodies only, so that equal ones come again all the time, also in overlaps.
      it.genesys.publish(`v2.users.${user}.station`, { set: random() < 0.5 }, random() < 0.5)
      if (count++ % 3 === 0) it.genesys.publish(`v2.users.${user}.presence`, { modifiedDate: it.clock.nowMs() })
      if (it.clock.nowMs() >= faultAtMs && isWorking(it)) {
        outages.push(await plant(it, random))
        faultAtMs = it.clock.nowMs() + 120_000 + random() * 600_000
      }
      await it.play(10_000, 5_000)
      for (const outage of outages) if (outage.toMs === 0 && isWorking(it)) outage.toMs = it.clock.nowMs()
    }
    await it.playUntil('all channels', () => isWorking(it) && it.genesys.live.length === 3)
    for (const outage of outages) if (outage.toMs === 0) outage.toMs = it.clock.nowMs()
    await it.play(300_000)

    assert.ok(outages.length > 40, `${outages.length} outages`)
    assert.deepEqual(new Set(outages.map(({ kind }) => kind)).size, 6, 'of every kind')
    const sent = it.genesys.truth.filter((event) => event.sent).map((event) => event.text)
    assert.deepEqual(bare(it.taken), bare(sent))
    for (const gap of it.gaps) {
      const inside = outages.some(({ fromMs, toMs }) => gap.fromMs >= fromMs - BEFORE_MS && gap.toMs <= toMs)
      assert.ok(inside, `${gap.reason} ${gap.fromMs}..${gap.toMs} lies in no outage`)
      assert.ok(gap.fromMs < gap.toMs)
    }
    for (const event of it.genesys.truth) {
      if (!event.sent)
        assert.ok(
          it.gaps.some(({ fromMs, toMs }) => fromMs <= event.atMs && event.atMs <= toMs),
          'what was missed lies in a gap',
        )
    }
    const status = it.source.status() as { shards: { copiesForgotten: number; copies: number; channelsOpened: number }[] }
    assert.ok(status.shards.some(({ copies }) => copies > 0))
    for (const shard of status.shards) {
      assert.equal(shard.copiesForgotten, 0)
      assert.ok(shard.channelsOpened <= 3 * outages.length, `${shard.channelsOpened} channels for ${outages.length} outages`)
    }
  })
}

function setUp(genesys: Rig['genesys']): void {
  genesys.userIds = Array.from({ length: 30 }, (_, n) => `u${n}`)
}

function isWorking({ source, genesys }: Rig): boolean {
  const { shards } = source.status() as { shards: { working: boolean }[] }
  return shards.length === 3 && shards.every((shard) => shard.working) && genesys.live.every(({ silent }) => !silent)
}

async function plant(it: Rig, random: () => number): Promise<Outage> {
  const { genesys, clock } = it
  const channel = genesys.live[Math.floor(random() * genesys.live.length)]!
  const fromMs = clock.nowMs()
  const kinds = ['cut', 'evicted', 'closing', 'silent', 'down', 'mute'] as const
  const kind = kinds[Math.floor(random() * kinds.length)]!
  if (kind === 'cut') await genesys.cut(channel)
  else if (kind === 'evicted') await genesys.evict(channel, random() < 0.5)
  else if (kind === 'closing') void genesys.closing(channel, 60_000)
  else if (kind === 'silent') channel.silent = true
  else {
    genesys.mode = kind === 'down' ? 'refuse' : 'silent'
    for (const one of genesys.live) await genesys.cut(one)
    void clock.wait(60_000 + random() * 600_000).then(() => (genesys.mode = 'good'))
  }
  return { kind, fromMs, toMs: 0 }
}
