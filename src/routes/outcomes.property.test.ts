import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Event } from '../event/event.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { parseEventId } from '../log/event-id.ts'
import { KEEP, type Outcome, type Stage, dead, hold, retry } from '../pipeline/outcome.ts'
import { compileTopics } from '../pipeline/topic-pattern.ts'
import { fileSink } from '../sinks/file.ts'
import type { Sink } from '../sinks/sink.ts'
import { eventOf } from '../testing/event-of.ts'
import { seededRandom, turns } from '../testing/virtual-clock.ts'
import { type RouteOutcome, explainOnRoute } from './explain.ts'
import { IN_ARRIVAL, LOG_ID, Life, ScriptedSink, type World, tempDir, world } from '../testing/route-harness.ts'

/*
 * The promise: every accepted event ends, on every route, as exactly one of delivered, duplicate, not matched, dropped
 * or dead, whatever the sink answers and whenever the process dies; and what the sink has says the same.
 */

const TOPICS = [
  'v2.detail.events.conversation.{id}.acd.end',
  'v2.detail.events.conversation.{id}.acd.start',
  'v2.users.{id}.presence',
  'v2.of.tomorrow.{id}',
]
const FILTERS: readonly (readonly string[] | null)[] = [null, [TOPICS[0]!], ['v2.detail.*'], ['v2.users.{id}.presence', 'v2.of.*']]
const EXPECTED: readonly RouteOutcome[] = ['delivered', 'duplicate', 'not_matched', 'dead', 'dropped']

type Answer = 'keep' | 'retry' | 'later' | 'dead' | 'hold'
const ANSWERS: readonly Answer[] = ['keep', 'keep', 'keep', 'keep', 'keep', 'retry', 'later', 'dead', 'hold']

const scenario = fc.record({
  seed: fc.nat(),
  groups: fc.array(
    fc.array(fc.record({ topic: fc.nat(3), conversation: fc.nat(3), repeat: fc.boolean() }), { minLength: 1, maxLength: 12 }),
    { minLength: 1, maxLength: 5 },
  ),
  topics: fc.constantFrom(...FILTERS),
  dedupe: fc.boolean(),
  order: fc.constantFrom(null, IN_ARRIVAL, { ...IN_ARRIVAL, windowMs: 40 }, { ...IN_ARRIVAL, windowMs: 40, late: 'drop' as const }),
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  maxBatch: fc.integer({ min: 1, max: 5 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  lives: fc.integer({ min: 1, max: 4 }),
  expires: fc.boolean(),
  holds: fc.boolean(),
})

/** Holds every third event for a while, and of every fifth only the newest of its conversation; again when they come back too early. */
function holding(nowMs: () => number): Stage {
  const until = (event: Event): Outcome => {
    const seq = parseEventId(LOG_ID, event.id) ?? 0
    if (seq % 5 === 0) return hold('limit.latest', nowMs() + 50, { key: 'k', slot: event.conversationId ?? '' })
    return seq % 3 === 0 ? hold('limit.delayed', nowMs() + 30 + (seq % 7), { key: 'k' }) : KEEP
  }
  return {
    name: 'limit',
    run: (events) => events.map(until),
    resume: (held) => held.map(({ dueAtMs }) => (dueAtMs % 4 === 0 ? hold('limit.delayed', nowMs() + 5, { key: 'k' }) : KEEP)),
  }
}

test('property: every accepted event ends in exactly one outcome, and the sink agrees', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (s) => {
      const at = world()
      const random = seededRandom(s.seed)
      const expectedTopics = s.topics === null ? null : compileTopics(s.topics, KNOWN_TOPICS)
      const sink = new ScriptedSink({ maxBatch: s.maxBatch, concurrency: s.concurrency })
      /** Answers given for an event, over all lives: what the sink itself saw. */
      sink.deliverNow = async (events) => {
        await turns(Math.floor(random() * 4))
        if (random() < 0.05) throw new Error('a defect of the sink')
        const outcomes = events.map((): Outcome => answerOf(ANSWERS[Math.floor(random() * ANSWERS.length)]!, at.clock.nowMs()))
        return random() < 0.05 ? outcomes.slice(0, -1) : outcomes
      }
      const config = { topics: s.topics, dedupe: s.dedupe, order: s.order, retry: { maxAttempts: s.maxAttempts, baseMs: 10, maxMs: 100 } }
      const shaping = s.holds ? { shaping: [holding(() => at.clock.nowMs())] } : {}
      const firstOf = new Map<number, number>()
      let made = 0
      const append = (group: (typeof s.groups)[number]): void => {
        const next = at.log.reader.nextSeq
        const repeated = group.map((g, i) => (g.repeat && next + i > 1 ? 1 + Math.floor(random() * (next + i - 1)) : null))
        for (const [i, first] of repeated.entries()) if (first !== null) firstOf.set(next + i, first)
        at.log.append(
          group.map((g) => eventOf({ topic: TOPICS[g.topic]!, conversationId: `c-${g.conversation}` }, made++)),
          repeated,
        )
      }

      const groups = [...s.groups]
      for (let n = 1; n < s.lives; n++) {
        const life = new Life(at)
        const route = await life.route(sink, config, { seed: s.seed + n, ...shaping })
        for (let steps = 1 + Math.floor(random() * 8); steps > 0; steps--) {
          const group = random() < 0.5 ? groups.shift() : undefined
          if (group !== undefined) append(group)
          route.wake()
          if (s.expires && random() < 0.2) route.expireBefore(1 + Math.floor(random() * at.log.reader.nextSeq))
          await turns(Math.floor(random() * 12))
          if (random() < 0.5) await at.clock.advance(Math.floor(random() * 200))
        }
        if (random() < 0.2) {
          const stopped = life.stop(500)
          await at.clock.advance(600)
          await at.clock.until('the route stops', () => route.status().inFlight === 0)
          await stopped
        } else life.crash()
      }
      const life = new Life(at)
      const route = await life.route(sink, config, { seed: s.seed, ...shaping })
      for (const group of groups) append(group)
      route.wake()
      await at.clock.until('everything is settled', () => settled(life), 3_600_000)

      const total = at.log.reader.nextSeq - 1
      const counted = new Map<RouteOutcome, number>()
      for (let seq = 1; seq <= total; seq++) {
        const event = await at.log.event(seq)
        const { outcome, reason, history } = explainOnRoute(life.ledger, 'crm', route, seq, event)
        assert.ok(EXPECTED.includes(outcome), `record ${seq} is ${outcome}`)
        counted.set(outcome, (counted.get(outcome) ?? 0) + 1)
        const given = sink.given.filter((g) => g.event.id === event.id)
        const matched = expectedTopics === null || expectedTopics.matches(event.topic)
        const repeat = s.dedupe && firstOf.has(seq)
        if (!matched || repeat) assert.equal(given.length, 0, 'the sink never saw what was not for it')
        if (outcome === 'dropped') {
          const because = [...(s.expires ? ['backlog.expired'] : []), ...(s.holds ? ['limit.superseded'] : [])]
          if (s.order?.late === 'drop') because.push('order.late')
          assert.ok(because.includes(reason ?? ''), `dropped for ${reason}`)
          if (reason !== 'backlog.expired') assert.equal(given.length, 0, 'what was dropped was never given')
        } else if (!matched) assert.equal(outcome, 'not_matched')
        else if (repeat) assert.equal(outcome, 'duplicate')
        else if (outcome === 'delivered') assert.ok(given.some((g) => g.outcome === 'keep'))
        else assert.equal(outcome, 'dead')
        const failures = history.filter((h) => h.what === 'attempt_failed')
        assert.ok(failures.length <= s.maxAttempts)
        assert.deepEqual(
          failures.map((h) => h.attempt),
          failures.map((_, i) => i + 1),
          'attempts count from one, without a gap, over restarts',
        )
        assert.equal(history.filter((h) => h.what === 'dead').length, outcome === 'dead' ? 1 : 0)
      }
      const { counts } = life.ledger.route('crm')!
      const { attempt_failed: _, ...outcomes } = counts
      const totals = new Map<string, number>()
      for (const [key, n] of Object.entries(outcomes)) {
        const outcome = key.split('|')[0] as string
        if (outcome !== 'noted' && outcome !== 'held') totals.set(outcome, (totals.get(outcome) ?? 0) + n)
      }
      assert.deepEqual(totals, new Map([...counted].map(([o, n]) => [o as string, n])))
      for (const table of ['pending', 'held']) assert.deepEqual(life.ledger.all(`SELECT * FROM ${table}`), [])
      life.crash()
    }),
    { numRuns: 150 },
  )
})

test('property: a sink with a committed position has every event exactly once, whenever the process dies', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (s) => {
      const at = world()
      const random = seededRandom(s.seed)
      const lines: string[] = []
      let written = 0
      const make = (life: Life): Sink => {
        const sink = new ScriptedSink({ maxBatch: s.maxBatch })
        sink.openNow = (position) => {
          lines.length = position === null ? 0 : Number(position)
          written = lines.length
        }
        sink.positionNow = () => String(written)
        // Like a file that is rotated inside a batch: its position moves on in the middle of a call.
        sink.deliverNow = async (events) => {
          const outcomes: Outcome[] = []
          for (const event of events) {
            await turns(Math.floor(random() * 3))
            if (life.dead) return []
            if (random() < 0.1) outcomes.push(random() < 0.5 ? retry('http.500') : hold('sink.busy', at.clock.nowMs() + 5))
            else {
              lines.push(event.id)
              written = lines.length
              outcomes.push(KEEP)
            }
          }
          return outcomes
        }
        return sink
      }
      const order = s.order === null ? null : { ...s.order, late: 'deliver' as const }
      const config = { order, retry: { maxAttempts: 50, baseMs: 10, maxMs: 100 } }
      const count = s.groups.flat().length
      await throughLives(at, make, config, {
        lives: s.lives,
        random,
        groups: s.groups.map((g) => g.map((e) => eventOf({ conversationId: `c-${e.conversation}` }, e.topic))),
      })
      assert.deepEqual(
        lines.toSorted(),
        Array.from({ length: count }, (_, i) => `${LOG_ID}-${(i + 1).toString(36).padStart(8, '0')}`),
      )
    }),
    { numRuns: 100 },
  )
})

test('property: the real file sink has every event exactly once, in whole lines, whenever the process dies', async () => {
  await fc.assert(
    fc.asyncProperty(fc.record({ seed: fc.nat(), lives: fc.integer({ min: 2, max: 4 }) }), async (s) => {
      const at = world()
      const dir = join(tempDir(), 'out')
      mkdirSync(dir)
      const random = seededRandom(s.seed)
      const document = (event: Event): Uint8Array => Buffer.from(JSON.stringify({ id: event.id }))
      const make = (): Sink => fileSink({ dir, name: 'crm', maxFileBytes: 200, document, clock: at.clock, warn: () => undefined })
      const groups = Array.from({ length: 4 }, (_, g) => Array.from({ length: 15 }, (_, i) => eventOf({}, g * 15 + i)))
      await throughLives(at, make, {}, { lives: s.lives, random, groups })
      const text = readdirSync(dir)
        .filter((n) => n.endsWith('.ndjson'))
        .toSorted()
        .map((n) => readFileSync(join(dir, n), 'utf8'))
        .join('')
      const seqs = text
        .trimEnd()
        .split('\n')
        .map((line) => parseEventId(LOG_ID, (JSON.parse(line) as { id: string }).id))
      assert.deepEqual(
        seqs,
        Array.from({ length: 60 }, (_, i) => i + 1),
      )
    }),
    { numRuns: 8 },
  )
})

type Play = { readonly lives: number; readonly random: () => number; readonly groups: readonly (readonly Event[])[] }

/** Runs the route through lives that each end in a crash, then lets the last one settle everything. */
async function throughLives(at: World, sinkOf: (life: Life) => Sink, config: Parameters<Life['route']>[1], play: Play): Promise<void> {
  const { random } = play
  const groups = [...play.groups]
  for (let n = 1; n <= play.lives; n++) {
    const life = new Life(at)
    const route = await life.route(sinkOf(life), config, { seed: n })
    const last = n === play.lives
    for (let steps = 4; steps > 0; steps--) {
      const group = groups.shift()
      if (group !== undefined) at.log.append(group)
      route.wake()
      if (last) continue
      await turns(Math.floor(random() * 20))
      if (random() < 0.3) await at.clock.advance(Math.floor(random() * 100))
    }
    if (last) {
      for (const group of groups) at.log.append(group)
      route.wake()
      await at.clock.until('everything is settled', () => settled(life))
    }
    life.crash()
    await life.gone()
  }
}

function settled(life: Life): boolean {
  const route = life.routes.get('crm')!
  const { lag, retrying, held, inFlight } = route.status()
  if (life.ledger.get('SELECT 1 FROM held LIMIT 1') !== undefined) return false
  return lag === 0 && retrying === 0 && held === 0 && inFlight === 0 && life.ledger.route('crm')?.position === route.status().position
}

function answerOf(answer: Answer, nowMs: number): Outcome {
  if (answer === 'keep') return KEEP
  if (answer === 'retry') return retry('http.500', 'Internal Server Error')
  if (answer === 'later') return retry('http.429', null, 250)
  if (answer === 'dead') return dead('http.400')
  return hold('sink.busy', nowMs + 20)
}
