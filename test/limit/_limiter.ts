/**
 * One of the processes that share a limit: a route for each policy, on a ledger of its own and the store file they have in common, fed with
 * its share of what the simulated centre publishes, at the speed of the clock. It writes down what its limiters admitted, at what they
 * took for the time, and tells it at the end.
 *
 * No tick is shorter than in the model, and none begins before all of the last one was offered: a slow machine makes the traffic thinner,
 * never denser.
 */
import { join } from 'node:path'
import type { Event } from '../../src/event/event.ts'
import { systemClock } from '../../src/hosts/clock.ts'
import { limitStage } from '../../src/limit/limit.ts'
import { fixedTerms } from '../../src/limit/rates.ts'
import type { Outcome, Stage } from '../../src/pipeline/outcome.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { limitConfig } from '../../src/testing/limit-rig.ts'
import { Life, MemoryLog, ScriptedSink } from '../../src/testing/route-harness.ts'
import { receiver } from '../../src/testing/simulated-state.ts'
import { type Admission, POLICIES, RATE, SAMPLE_ONE_IN, TICK_MS, type Task, type Told, centre, shareOf, ticksOf } from './_task.ts'

const LEASE_MS = 1_000
const DRAIN_MS = 30_000

type Book = { readonly admitted: Admission[]; offered: number; readMs: number }

process.once('message', (task) => {
  void run(task as Task).then((told) => process.send!(told, () => process.disconnect()))
})
process.send!('ready')

async function run({ dir, process: own, processes, seconds, aheadMs }: Task): Promise<Told> {
  const clock = { ...systemClock, nowMs: (): number => systemClock.nowMs() + aheadMs }
  const log = new MemoryLog()
  const life = new Life({ clock, log, ledgerPath: join(dir, `ledger-${own}.db`), warnings: [] })
  const store = sqliteStore({ path: join(dir, 'limits.db'), busyTimeoutMs: 60_000 })
  const routes = []
  for (const overflow of POLICIES) {
    const book: Book = { admitted: [], offered: 0, readMs: -Infinity }
    const stage = limitStage({
      terms: fixedTerms(limitConfig({ ...RATE, overflow, sampleOneIn: SAMPLE_ONE_IN })),
      topics: null,
      name: overflow,
      store,
      clock: { nowMs: () => (book.readMs = Math.max(book.readMs, clock.nowMs())) },
      leaseMs: LEASE_MS,
      warn: (code, message) => {
        throw new Error(`${code}: ${message}`)
      },
    })
    const route = await life.route(new ScriptedSink({ maxBatch: 100 }), { name: overflow }, { shaping: [recorded(stage, book)] })
    routes.push({ overflow, book, stage: stage as Stage & { readonly storeCalls: number }, route })
  }

  const played = centre(seconds)
  const receive = receiver(played.centre.source)
  const acceptedByQueue: Record<string, number> = {}
  let accepted = 0
  const ticks = ticksOf(played, seconds)
  const beganMs = clock.nowMs()
  for (const emissions of ticks) {
    const nextAtMs = clock.nowMs() + TICK_MS
    const mine = emissions.filter((emission) => shareOf(emission, processes) === own)
    const events = mine.map((emission): Event => ({ ...receive(emission), receivedAtMs: clock.nowMs() }))
    for (const { queueId } of events) acceptedByQueue[queueId!] = (acceptedByQueue[queueId!] ?? 0) + 1
    accepted += events.length
    log.append(events)
    for (const { route } of routes) route.wake()
    while (routes.some(({ book }) => book.offered < accepted)) await clock.wait(1)
    await clock.wait(Math.max(1, nextAtMs - clock.nowMs()))
  }
  const tookMs = clock.nowMs() - beganMs
  for (const { route } of routes) await route.stop(DRAIN_MS)
  const policies = routes.map(({ overflow, book, stage, route }) => {
    const { counts, held } = route.status()
    return [overflow, { admitted: book.admitted, counts, held, storeCalls: stage.storeCalls }]
  })
  await life.stop()
  await store.close()
  return { accepted, acceptedByQueue, tookMs, policies: Object.fromEntries(policies) as Told['policies'] }
}

/** The stage, with what it admits written down. */
function recorded(stage: Stage, book: Book): Stage {
  const watched = async (
    events: readonly Event[],
    answer: readonly Outcome[] | Promise<readonly Outcome[]>,
  ): Promise<readonly Outcome[]> => {
    // The stage has read the clock, and waits for the store at most.
    const atMs = book.readMs
    const outcomes = await answer
    for (const [i, { queueId }] of events.entries()) {
      const outcome = outcomes[i]
      if (outcome?.type === 'keep') book.admitted.push({ atMs, queueId: queueId!, sampled: outcome.note !== undefined })
    }
    return outcomes
  }
  return {
    name: stage.name,
    async run(events, signal) {
      const outcomes = await watched(events, stage.run(events, signal))
      book.offered += events.length
      return outcomes
    },
    resume: (held, signal) =>
      watched(
        held.map(({ event }) => event),
        stage.resume!(held, signal),
      ),
  }
}
