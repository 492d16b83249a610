/**
 * A contact centre with one queue out of bounds: 200 events a second there, 2 a second in nine others, a limit of 5 a second a queue, and
 * two processes that share it through one SQLite file. The whole route runs, in virtual time, to the last event.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LimitConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import { explainOnRoute } from '../routes/explain.ts'
import type { Route } from '../routes/route.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { eventOf } from '../testing/event-of.ts'
import { PRESENCE, limitConfig } from '../testing/limit-rig.ts'
import { breaksLaw } from '../testing/rate-law.ts'
import { Life, ScriptedSink, type World, tempDir, world } from '../testing/route-harness.ts'
import { KEEP } from '../pipeline/outcome.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { limitStage } from './limit.ts'
import { fixedTerms } from './rates.ts'

const SECONDS = 12
const RATE = { perSecond: 5, burst: 10 }

type Process = { readonly at: World; readonly life: Life; readonly route: Route; readonly sink: ScriptedSink }
type Played = { readonly processes: readonly Process[]; readonly admitted: ReadonlyMap<string, number[]>; readonly sampled: number }

async function play(overflow: LimitConfig['overflow'], leaseMs: number): Promise<Played> {
  const clock = virtualClock()
  const path = join(tempDir(), 'limits.db')
  const admitted = new Map<string, number[]>()
  const processes: Process[] = []
  for (let n = 0; n < 2; n++) {
    const at = { ...world(), clock }
    const life = new Life(at)
    const sink = new ScriptedSink({
      maxBatch: 50,
      deliver: (events) =>
        events.map((event) => {
          admitted.set(event.queueId!, [...(admitted.get(event.queueId!) ?? []), clock.nowMs()])
          return KEEP
        }),
    })
    const stage = limitStage({
      terms: fixedTerms(limitConfig({ ...RATE, overflow, sampleOneIn: 10 })),
      topics: null,
      name: 'crm',
      store: sqliteStore({ path }),
      clock,
      leaseMs,
      warn: (code) => assert.fail(code),
    })
    processes.push({ at, life, sink, route: await life.route(sink, {}, { shaping: [stage] }) })
  }
  let made = 0
  for (let tick = 0; tick < SECONDS * 20; tick++) {
    const events: [Event[], Event[]] = [[], []]
    const add = (queueId: string, entity: string): void => {
      const nowMs = clock.nowMs()
      const event = eventOf(
        { queueId, topic: PRESENCE, entity: { kind: 'user', id: entity }, occurredAtMs: nowMs, receivedAtMs: nowMs, key: null },
        0,
      )
      events[made++ % 2]!.push(event)
    }
    for (let i = 0; i < 10; i++) add('noisy', `user-${made % 7}`)
    for (let queue = 0; queue < 9; queue++) if ((tick + queue) % 10 === 0) add(`quiet-${queue}`, `user-${tick}`)
    for (const [n, process] of processes.entries()) {
      process.at.log.append(events[n]!)
      process.route.wake()
    }
    await clock.advance(50)
  }
  const done = ({ route }: Process): boolean => route.status().lag === 0 && route.status().held === 0 && route.status().inFlight === 0
  await clock.until('everything is settled', () => processes.every(done))
  await clock.advance(10)
  const sampled = processes.reduce((sum, { route }) => sum + (route.status().counts['noted|limit.sampled|noisy'] ?? 0), 0)
  return { processes, admitted, sampled }
}

for (const leaseMs of [0, 1_000])
  for (const overflow of ['delay', 'drop', 'sample', 'latest'] as const)
    test(
      `${overflow}, tokens kept for ${leaseMs} ms: the noisy queue stays within its rate, the quiet ones are untouched, every event is accounted for`,
      { timeout: 120_000 },
      async () => {
        const { processes, admitted, sampled } = await play(overflow, leaseMs)
        const noisy = admitted.get('noisy')!
        if (overflow === 'sample') {
          // The law with what passes beside it: over any stretch at most that many more.
          const seconds = (noisy.at(-1)! - noisy[0]!) / 1_000
          assert.ok(noisy.length <= RATE.perSecond * seconds + RATE.burst + sampled)
          assert.ok(sampled > 0 && sampled <= (SECONDS * 200 - (noisy.length - sampled)) / 10)
        } else assert.equal(breaksLaw(noisy, RATE), null)
        if (overflow === 'delay') assert.equal(noisy.length, SECONDS * 200)
        else assert.ok(noisy.length - sampled > RATE.perSecond * SECONDS * 0.8, `${noisy.length} of the noisy queue came through`)
        for (let queue = 0; queue < 9; queue++) assert.equal(admitted.get(`quiet-${queue}`)?.length, SECONDS * 2)

        for (const { at, life, route } of processes) {
          const accepted = at.log.reader.nextSeq - 1
          const { counts } = route.status()
          const dropped = Object.entries(counts).filter(([name]) => name.startsWith('dropped|'))
          assert.equal((counts['delivered'] ?? 0) + dropped.reduce((sum, [, n]) => sum + n, 0), accepted)
          const reason = overflow === 'latest' ? 'limit.superseded' : 'limit.rate'
          assert.deepEqual(
            dropped.map(([name]) => name),
            overflow === 'delay' ? [] : [`dropped|${reason}|noisy`],
          )
          for (let seq = 1; seq <= accepted; seq += 97) {
            const { outcome, reason: why } = explainOnRoute(life.ledger, 'crm', route, seq, await at.log.event(seq))
            assert.ok(outcome === 'delivered' || (outcome === 'dropped' && why === reason), `${outcome} ${why}`)
          }
          if (overflow === 'latest') {
            // Of each user the last event of all came through.
            const last = new Map<string, string>()
            for (let seq = 1; seq <= accepted; seq++) {
              const event = await at.log.event(seq)
              if (event.queueId === 'noisy') last.set(event.entity!.id, event.id)
            }
            const delivered = new Set(processes.flatMap(({ sink }) => sink.delivered.map((event) => event.id)))
            assert.deepEqual(
              [...last.values()].filter((id) => !delivered.has(id)),
              [],
            )
          }
          life.crash()
        }
      },
    )
