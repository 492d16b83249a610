/** What is told of conversations, whatever comes between: facts in any order, crashes at every step, a log that takes nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Body } from '../testing/state-events.ts'
import { HORIZON_MS, newsOf, QUIET_MS, FinishedWorld, type Fate } from '../testing/finished-world.ts'

/** What may come between. */
type Step =
  | { readonly say: readonly [kind: string, id: string, atMs: number, body: Body] }
  | { readonly wait: number }
  | { readonly round: Fate }
  | { readonly settle: Fate }
  | 'fold'
  | 'store'
  | 'die'

const session = fc.record({
  sessionId: fc.constantFrom('s1', 's2'),
  participantId: fc.constantFrom('p1', 'p2'),
  mediaType: fc.constantFrom('VOICE', 'EMAIL'),
  userId: fc.constant('u1'),
  queueId: fc.constantFrom('q1', 'q2'),
  wrapupCode: fc.constantFrom('w1', 'w2'),
  attributes: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'), { maxKeys: 2 }),
})
const fate = fc.constantFrom<Fate>('taken', 'refused', 'died before', 'died after')
const kinds = [
  'customer.start',
  'customer.end',
  'customer.end',
  'user.start',
  'user.end',
  'acd.start',
  'acd.end',
  'acw',
  'attributes',
] as const
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom(...kinds), fc.constantFrom('c1', 'c2'), fc.integer({ min: 0, max: 9 }), session)
      .map(([kind, id, second, body]): Step => ({ say: [kind, id, second * 1_000, body] })),
  },
  { weight: 2, arbitrary: fc.constantFrom(300, QUIET_MS, HORIZON_MS).map((wait): Step => ({ wait })) },
  { weight: 2, arbitrary: fate.map((round): Step => ({ round })) },
  { weight: 3, arbitrary: fate.map((settle): Step => ({ settle })) },
  { weight: 5, arbitrary: fc.constantFrom<Step>('fold', 'store', 'die', 'fold', 'store') },
)

test('whatever happens: what was told last of a closed conversation is what the state says, and nothing is told twice in a row', async () => {
  let told = 0
  let repetitions = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
      const world = new FinishedWorld()
      for (const one of steps) {
        if (one === 'fold') world.fold()
        else if (one === 'store') world.store()
        else if (one === 'die') world.die()
        else if ('wait' in one) world.nowMs += one.wait
        else if ('round' in one) await world.round(one.round)
        else if ('settle' in one) await world.settle(one.settle)
        else world.say(...one.say)
      }
      await world.settle()
      world.nowMs += HORIZON_MS
      while (await world.round());
      for (const id of ['c1', 'c2']) {
        const newestAtMs = world.keeper.state.conversation(id, Number.MAX_SAFE_INTEGER)?.newestAtMs ?? 0
        const now = world.keeper.state.conversation(id, newestAtMs)
        const mine = world.told.filter((one) => one.id === id)
        mine.forEach((one, n) => {
          assert.equal(one.open, false)
          if (n > 0) assert.notDeepEqual(newsOf(one), newsOf(mine[n - 1]!))
        })
        if (now === null || now.open) continue
        const last = mine.at(-1) ?? assert.fail(`${id} is closed, and was never told`)
        assert.deepEqual(newsOf(last), newsOf({ ...now, queueId: last.queueId, userId: last.userId }))
      }
      told += world.told.length
      repetitions += world.repetitions
    }),
    { numRuns: 150 },
  )
  assert.ok(told > 100 && repetitions > 10, `${told} told, ${repetitions} again after a crash`)
})
