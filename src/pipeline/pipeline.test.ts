import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Event } from '../event/event.ts'
import { eventOf, eventsOf } from '../testing/event-of.ts'
import { verdictDedupe } from './dedupe.ts'
import { matchStage } from './match.ts'
import { KEEP, type Outcome, type Stage, dead, drop, hold, retry } from './outcome.ts'
import { runStages } from './pipeline.ts'
import { compileTopics } from './topic-pattern.ts'

const running = (): AbortSignal => new AbortController().signal
const OUTCOMES: readonly Outcome[] = [KEEP, KEEP, KEEP, drop('x'), hold('y', 1), retry('z'), dead('w')]

test('property: the verdict of an event is the first outcome that is not keep; later stages never see it', async () => {
  const table = fc.array(fc.array(fc.nat(OUTCOMES.length - 1), { minLength: 8, maxLength: 8 }), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(table, async (rows) => {
      const events = eventsOf(8)
      const seen: Event[][] = []
      const stages = rows.map((row, s): Stage => ({
        name: `s${s}`,
        run(given) {
          seen[s] = [...given]
          return given.map((event) => OUTCOMES[row[events.indexOf(event)]!]!)
        },
      }))
      const verdicts = await runStages(stages, events, running())
      for (const [i, event] of events.entries()) {
        const at = rows.findIndex((row) => OUTCOMES[row[i]!]!.type !== 'keep')
        const decided = at < 0 ? rows.length - 1 : at
        const outcome = at < 0 ? KEEP : OUTCOMES[rows[at]![i]!]!
        assert.deepEqual(verdicts[i], { stage: decided < 0 ? 'none' : `s${decided}`, outcome })
        for (let s = 0; s < rows.length; s++) assert.equal(seen[s]?.includes(event) ?? false, s <= decided)
      }
    }),
  )
})

test('a stage that throws fails only what it was given, as retry', async () => {
  const events = eventsOf(3)
  const first: Stage = { name: 'first', run: (given) => given.map((_, i) => (i === 1 ? drop('not.this') : KEEP)) }
  const thrower: Stage = {
    name: 'limit',
    run() {
      throw new Error('a defect')
    },
  }
  const verdicts = await runStages([first, thrower], events, running())
  assert.deepEqual(verdicts, [
    { stage: 'limit', outcome: retry('pipeline.limit_threw', 'a defect') },
    { stage: 'first', outcome: drop('not.this') },
    { stage: 'limit', outcome: retry('pipeline.limit_threw', 'a defect') },
  ])
})

test('a stage that answers too shortly moves nothing to a neighbour', async () => {
  const short: Stage = { name: 'limit', run: () => [drop('first')] }
  const verdicts = await runStages([short], eventsOf(2), running())
  assert.deepEqual(
    verdicts.map(({ outcome }) => outcome.type),
    ['drop', 'retry'],
  )
})

test('match keeps the topics of the route, and all when it names none', () => {
  const events = [eventOf({ topic: 'v2.users.{id}.presence' }), eventOf({ topic: 'v2.of.tomorrow.{id}' })]
  const some = matchStage({ topics: compileTopics(['v2.users.{id}.presence'], []), matchers: () => [], backfill: false, changes: false })
  assert.deepEqual(some.run(events, running()), [KEEP, drop('match.topic', 'v2.of.tomorrow.{id}')])
  assert.deepEqual(matchStage({ topics: null, matchers: () => [], backfill: false, changes: false }).run(events, running()), [KEEP, KEEP])
})

test('match keeps reconstructed events only where a route asks for them', () => {
  const events = [eventOf({ marks: ['backfill'] }, 0), eventOf({}, 1)]
  assert.deepEqual(matchStage({ topics: null, matchers: () => [], backfill: false, changes: false }).run(events, running()), [
    drop('match.backfill'),
    KEEP,
  ])
  assert.deepEqual(matchStage({ topics: null, matchers: () => [], backfill: true, changes: false }).run(events, running()), [KEEP, KEEP])
})

test('match keeps changes of the state on routes that ask for them, which get nothing else', () => {
  const events = [eventOf({ format: 'change' }, 0), eventOf({}, 1), eventOf({ source: 'trunkline', format: 'custom-bus' }, 2)]
  const run = (changes: boolean): unknown =>
    matchStage({ topics: null, matchers: () => [], backfill: false, changes }).run(events, running())
  assert.deepEqual(run(true), [KEEP, drop('match.changes'), drop('match.changes')])
  assert.deepEqual(run(false), [drop('match.changes'), KEEP, KEEP])
})

test('dedupe drops what the log found to repeat another, naming it', () => {
  const events = [eventOf(), eventOf({ duplicateOf: 'k3v9qa7m-00000001' }, 1)]
  assert.deepEqual(verdictDedupe.run(events, running()), [KEEP, drop('duplicate', 'k3v9qa7m-00000001')])
})
