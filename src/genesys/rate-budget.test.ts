import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { handClock } from '../testing/hand-clock.ts'
import { seededRandom, turns, virtualClock } from '../testing/virtual-clock.ts'
import { RateBudget, type Permit, type Priority, type RateBudgetOptions } from './rate-budget.ts'

function budgetWith(options: Partial<RateBudgetOptions> = {}): { budget: RateBudget; clock: ReturnType<typeof handClock> } {
  const clock = handClock()
  return { clock, budget: new RateBudget({ clock, random: () => 0, ...options }) }
}

/** Takes `count` permits; what has been given is in the list. */
function askFor(budget: RateBudget, count: number, priority: Priority = 'normal'): Permit[] {
  const given: Permit[] = []
  for (let i = 0; i < count; i++) void budget.take(priority).then((permit) => given.push(permit))
  return given
}

const facts = (count: number, allowed: number, resetS: number): { count: number; allowed: number; resetMs: number } => ({
  count,
  allowed,
  resetMs: resetS * 1000,
})

test('before the first answer one request is under way, then the window opens', async () => {
  const { budget } = budgetWith()
  const given = askFor(budget, 50)
  await turns(1)
  assert.equal(given.length, 1)
  given[0]?.done(facts(1, 20, 60))
  await turns(1)
  assert.equal(given.length, 20, 'one was counted already')
  assert.deepEqual(budget.state().waiting, 30)
})

test('a first request that gets no answer lets the next one try, alone', async () => {
  const { budget } = budgetWith()
  const given = askFor(budget, 5)
  await turns(1)
  given[0]?.done('lost')
  await turns(1)
  assert.equal(given.length, 2)
})

test('a full window waits until the server has surely begun a new one', async () => {
  const { budget, clock } = budgetWith()
  const given = askFor(budget, 12)
  await turns(1)
  given[0]?.done(facts(1, 10, 30))
  await turns(1)
  assert.equal(given.length, 10)
  for (const permit of given.slice(1)) permit.done(facts(10, 10, 30))
  clock.pass(30_000)
  await turns(1)
  assert.equal(given.length, 10, 'seconds may have been rounded down')
  clock.pass(1_000)
  await turns(1)
  assert.equal(given.length, 12)
})

test('a request under way when the window ends counts in the next one too', async () => {
  const { budget, clock } = budgetWith()
  const given = askFor(budget, 20)
  await turns(1)
  given[0]?.done(facts(1, 10, 30))
  await turns(1)
  for (const permit of given.slice(1, 6)) permit.done(facts(6, 10, 30))
  clock.pass(31_000)
  await turns(1)
  assert.equal(given.length, 16, 'four are on their way, six more make ten')
})

test('what others use of the budget is seen in the count', async () => {
  const { budget } = budgetWith()
  const given = askFor(budget, 10)
  await turns(1)
  given[0]?.done(facts(297, 300, 30))
  await turns(1)
  assert.equal(given.length, 4)
})

test('a 429 stops everybody, and the first after it goes alone', async () => {
  const { budget, clock } = budgetWith()
  const given = askFor(budget, 10)
  await turns(1)
  given[0]?.done(facts(1, 300, 60))
  await turns(1)
  assert.equal(given.length, 10)
  given[1]?.refused(20_000)
  given[2]?.refused(5_000)
  for (const permit of given.slice(3)) permit.done(facts(9, 300, 60))
  const later = askFor(budget, 5)
  clock.pass(19_999)
  await turns(1)
  assert.equal(later.length, 0, 'the longer wait counts')
  clock.pass(1)
  await turns(1)
  assert.equal(later.length, 1)
  later[0]?.done(facts(1, 300, 60))
  await turns(1)
  assert.equal(later.length, 5)
  assert.equal(budget.state().refusals, 2)
})

test('the wait after a 429 has jitter and an end', async () => {
  const { budget, clock } = budgetWith({ random: () => 0.5 })
  const given = askFor(budget, 2)
  await turns(1)
  given[0]?.refused(1e15)
  const untilMs = budget.state().blockedUntilMs ?? 0
  assert.ok(untilMs > clock.nowMs() + 600_000 && untilMs <= clock.nowMs() + 605_000)
  clock.pass(605_000)
  await turns(1)
  assert.equal(given.length, 2)
})

test('background takes what normal leaves, and half of a window at most', async () => {
  const { budget, clock } = budgetWith()
  const names = askFor(budget, 20, 'background')
  await turns(1)
  names[0]?.done(facts(1, 10, 60))
  await turns(1)
  assert.equal(names.length, 5)
  const gap = askFor(budget, 20)
  await turns(1)
  assert.equal(gap.length, 5)
  clock.pass(61_000)
  await turns(1)
  for (const permit of [...gap, ...names]) permit.done('silent')
  await turns(1)
  assert.equal(names.length, 5, 'while somebody else waits, names wait')
})

test('the queue is bounded, and a request that was refused does not count', async () => {
  const { budget } = budgetWith({ maxWaiting: 3 })
  const given = askFor(budget, 4)
  await assert.rejects(budget.take('normal'), { code: 'genesys.busy', message: /^3 requests/ })
  let again: Permit | null = null
  void budget.take('normal', undefined, true).then((permit) => (again = permit))
  await turns(1)
  assert.equal(given.length, 1)
  given[0]?.done(facts(1, 2, 60))
  await turns(1)
  assert.notEqual(again, null, 'it goes before those that came later')
  assert.equal(given.length, 1)
})

test('who aborts leaves the queue at once, and no timer stays behind', async () => {
  const { budget, clock } = budgetWith()
  const [first] = [askFor(budget, 1)]
  await turns(1)
  first[0]?.done(facts(10, 10, 60))
  const abort = new AbortController()
  const waiting = Promise.allSettled([budget.take('normal', abort.signal), budget.take('background', abort.signal)])
  await turns(1)
  assert.equal(clock.waiting(), 1, 'one timer for all')
  abort.abort()
  for (const result of await waiting) assert.equal((result as PromiseRejectedResult).reason.code, 'genesys.stopped')
  assert.equal(budget.state().waiting, 0)
  await turns(1)
  assert.equal(clock.waiting(), 0)
  await assert.rejects(budget.take('normal', abort.signal), { code: 'genesys.stopped' })
})

test('a permit counts once, however often it is given back', async () => {
  const { budget } = budgetWith()
  const given = askFor(budget, 1)
  await turns(1)
  given[0]?.done('silent')
  given[0]?.done('lost')
  given[0]?.refused(1000)
  assert.deepEqual([budget.state().inFlight, budget.state().refusals], [0, 0])
})

test('a server without headers is given the documented budget', async () => {
  const { budget, clock } = budgetWith()
  const given = askFor(budget, 400)
  await turns(1)
  given[0]?.done('silent')
  await turns(1)
  assert.equal(given.length, 300)
  for (const permit of given) permit.done('silent')
  clock.pass(61_000)
  await turns(1)
  assert.equal(given.length, 400)
})

/** A server with a strict window, reached over a network that takes its time, in virtual time. */
async function play(o: {
  readonly allowed: number
  readonly windowS: number
  readonly callers: number
  readonly latencyMs: number
  readonly lost: number
  readonly rounding: 'floor' | 'ceil' | 'round'
  readonly seed: number
}): Promise<{ refused: number; served: number; tookMs: number }> {
  const clock = virtualClock()
  const random = seededRandom(o.seed)
  const budget = new RateBudget({ clock, random })
  const total = o.allowed * 4
  let window = { endsAtMs: 0, count: 0 }
  let refused = 0
  let served = 0
  let left = total
  let working = 0
  const startMs = clock.nowMs()

  const caller = async (): Promise<void> => {
    working += 1
    while (left > 0) {
      left -= 1
      const permit = await budget.take(random() < 0.8 ? 'normal' : 'background')
      await clock.wait(random() * o.latencyMs)
      // Before the first answer nothing is known that could be kept to.
      const lost = random() < o.lost && served > 0
      const arrives = !lost || random() < 0.5
      if (arrives && clock.nowMs() >= window.endsAtMs) window = { endsAtMs: clock.nowMs() + o.windowS * 1000, count: 0 }
      if (arrives) window.count += 1
      const answer = facts(window.count, o.allowed, Math[o.rounding]((window.endsAtMs - clock.nowMs()) / 1000))
      const over = arrives && window.count > o.allowed
      await clock.wait(random() * o.latencyMs)
      if (lost) permit.done('lost')
      else if (over) {
        refused += 1
        permit.refused(answer.resetMs)
      } else {
        served += 1
        permit.done(answer)
      }
    }
    working -= 1
  }
  for (let i = 0; i < o.callers; i++) void caller()
  await clock.until('all served', () => working === 0)
  return { refused, served, tookMs: clock.nowMs() - startMs }
}

test('whatever the network does, the server never counts more than it allows', async () => {
  const plays = fc.record({
    allowed: fc.integer({ min: 1, max: 30 }),
    windowS: fc.integer({ min: 10, max: 60 }),
    callers: fc.integer({ min: 1, max: 50 }),
    latencyMs: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 20_000 })),
    lost: fc.constantFrom(0, 0.1),
    rounding: fc.constantFrom('floor' as const, 'ceil' as const, 'round' as const),
    seed: fc.integer(),
  })
  await fc.assert(
    fc.asyncProperty(plays, async (o) => {
      assert.equal((await play(o)).refused, 0)
    }),
    { numRuns: 200 },
  )
})

test('50 callers get nearly all of the budget', async () => {
  const { refused, served, tookMs } = await play({
    allowed: 300,
    windowS: 60,
    callers: 50,
    latencyMs: 100,
    lost: 0,
    rounding: 'ceil',
    seed: 7,
  })
  assert.deepEqual([refused, served], [0, 1_200])
  // The last of the four windows takes no whole minute.
  assert.ok(tookMs < 3 * 60_000 * 1.05, `${tookMs} ms`)
})
