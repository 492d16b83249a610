/** When conversations are told, and what of them. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RouteConfig } from '../config/config.ts'
import { TrunklineError } from '../errors.ts'
import { Ledger } from '../routes/ledger.ts'
import { StateRows } from '../stores/state-rows.ts'
import { routeConfig, tempDir } from '../testing/route-harness.ts'
import { START_MS } from '../testing/state-events.ts'
import { HORIZON_MS, QUIET_MS, FinishedWorld } from '../testing/finished-world.ts'
import { changesFromSeq, FinishedConversations } from './finished-conversations.ts'

const CUSTOMER = { sessionId: 'sc', participantId: 'pc', mediaType: 'VOICE' }
const AGENT = { sessionId: 'sa', participantId: 'pa', mediaType: 'VOICE', queueId: 'q1', userId: 'u1' }

function call(world: FinishedWorld, id: string): void {
  world.say('customer.start', id, 0, CUSTOMER)
  world.say('acd.start', id, 100, { sessionId: 'sq', queueId: 'q1' })
  world.say('acd.end', id, 200, { sessionId: 'sq', queueId: 'q1', acdOutcome: 'ANSWERED', answeredUserId: 'u1' })
  world.say('user.start', id, 200, AGENT)
  world.say('customer.end', id, 900, CUSTOMER)
  world.say('user.end', id, 900, AGENT)
}

test('a call is told once, when it was quiet for long enough, with the queue and the agent it ended with', async () => {
  const world = new FinishedWorld()
  call(world, 'c1')
  world.fold()
  world.store()
  world.nowMs += QUIET_MS - 1
  await world.round()
  assert.equal(world.told.length, 0)
  world.nowMs += 1
  await world.round()
  const [told] = world.told
  assert.deepEqual([told?.id, told?.outcome, told?.queueId, told?.userId, told?.asOfMs], ['c1', 'handled', 'q1', 'u1', START_MS + 900])
  for (let again = 0; again < 3; again++) await world.settle()
  world.die()
  await world.settle()
  assert.deepEqual([world.told.length, world.repetitions, world.finished.waiting], [1, 0, 0])
})

test('what is heard in time is part of it; what comes later makes it be told again, if it is news', async () => {
  const world = new FinishedWorld()
  call(world, 'c1')
  world.fold()
  world.store()
  world.nowMs += QUIET_MS - 1
  world.say('attributes', 'c1', 950, { participantId: 'pc', attributes: { case: '7' } })
  world.fold()
  world.nowMs += 1
  await world.round()
  assert.deepEqual(world.told, [], 'it was heard of a moment ago')
  await world.settle()
  assert.deepEqual(
    world.told.map(({ attributes }) => attributes),
    [{ case: '7' }],
  )
  world.say('acw', 'c1', 5_000, { ...AGENT, wrapupCode: 'sale', wrapupDurationMs: 4_000 })
  await world.settle()
  assert.deepEqual(
    world.told.map(({ wrapupCode }) => wrapupCode),
    [null, 'sale'],
  )
  // The same value once more is another fact, and nothing new.
  world.say('attributes', 'c1', 6_000, { participantId: 'pc', attributes: { case: '7' } })
  await world.settle()
  assert.equal(world.told.length, 2)
})

test('a conversation that goes on is told again with its new end', async () => {
  const world = new FinishedWorld()
  call(world, 'c1')
  await world.settle()
  world.say('customer.start', 'c1', 30_000, { ...CUSTOMER, sessionId: 'sc2' })
  await world.settle()
  assert.equal(world.told.length, 1, 'it is open')
  world.say('customer.end', 'c1', 40_000, { ...CUSTOMER, sessionId: 'sc2' })
  await world.settle()
  assert.deepEqual(
    world.told.map(({ endedAtMs }) => endedAtMs),
    [START_MS + 900, START_MS + 40_000],
  )
})

test('an agent whose end never comes is waited for, but not for ever', async () => {
  const world = new FinishedWorld()
  world.say('customer.start', 'c1', 0, CUSTOMER)
  world.say('user.start', 'c1', 200, AGENT)
  world.say('customer.end', 'c1', 900, CUSTOMER)
  await world.settle()
  world.die()
  world.nowMs += HORIZON_MS - QUIET_MS - 1
  await world.round()
  assert.deepEqual([world.told.length, world.finished.waiting], [0, 1])
  world.nowMs += QUIET_MS + 1
  await world.round()
  assert.deepEqual([world.told[0]?.agentsAtWork, world.finished.waiting], [1, 0])
  world.say('user.end', 'c1', 2_000, AGENT)
  await world.settle()
  assert.deepEqual(
    world.told.map(({ agentsAtWork }) => agentsAtWork),
    [1, 0],
  )
})

test('only what is heard of from the first record on that a route asks for', async () => {
  const world = new FinishedWorld(8)
  call(world, 'c1')
  world.say('attributes', 'c1', 950, { participantId: 'pc', attributes: { case: '7' } })
  world.say('customer.start', 'c2', 1_000, CUSTOMER)
  world.say('customer.end', 'c2', 2_000, CUSTOMER)
  await world.settle()
  assert.deepEqual([world.told.length, world.told[0]?.id], [1, 'c2'])
})

test('while events wait to be folded, quiet is measured in the time they were received', async () => {
  const world = new FinishedWorld()
  call(world, 'c1')
  world.fold()
  world.store()
  // Received in time, but folded much later.
  world.nowMs += QUIET_MS / 2
  world.say('attributes', 'c1', 950, { participantId: 'pc', attributes: { case: '7' } })
  world.nowMs += 10 * QUIET_MS
  await world.round()
  assert.deepEqual(world.told, [])
  await world.settle()
  assert.deepEqual(
    world.told.map(({ attributes }) => attributes),
    [{ case: '7' }],
  )
})

test('an archive of weeks, sent in a moment: conversations that are frozen at once are told all the same', async () => {
  const world = new FinishedWorld()
  const days = 40
  world.nowMs += days * 86_400_000
  for (let day = 0; day < days; day++) {
    world.say('customer.start', `c${day}`, day * 86_400_000, CUSTOMER)
    world.say('customer.end', `c${day}`, day * 86_400_000 + 500, CUSTOMER)
  }
  await world.settle()
  assert.deepEqual(new Set(world.told.map(({ id }) => id)).size, days)
})

test('a log that takes nothing: they wait, and are told when it does', async () => {
  const world = new FinishedWorld()
  call(world, 'c1')
  world.fold()
  world.store()
  world.nowMs += QUIET_MS
  for (let again = 0; again < 3; again++) await world.round('refused')
  assert.deepEqual([world.told.length, world.finished.waiting], [0, 1])
  await world.round()
  assert.deepEqual([world.told.length, world.finished.waiting], [1, 0])
})

test('it says once that the log takes nothing, and once that it does again', async () => {
  const world = new FinishedWorld()
  call(world, 'c1')
  world.fold()
  world.store()
  world.nowMs += QUIET_MS
  world.fate = 'refused'
  const stop = new AbortController()
  const said: string[] = []
  let turns = 0
  const options = {
    rows: new StateRows({ path: join(tempDir(), 'state.db'), warn: () => undefined }).finishing,
    state: () => world.keeper.state,
    heardThroughMs: () => world.nowMs,
    heard: new Map(),
    horizonMs: HORIZON_MS,
    append: async () => {
      if (turns < 4) throw new TrunklineError('log.disk_full', 'no room', 'Make room.')
      return { status: 202, body: '{"quarantined":0}' }
    },
    clock: {
      nowMs: () => world.nowMs,
      wait: async () => {
        if (++turns === 6) stop.abort()
      },
    },
    warn: (code: string) => said.push(code),
    info: () => said.push('again'),
  }
  options.rows.add(new Map([['c1', world.nowMs]]), 1)
  await new FinishedConversations(options).run(stop.signal)
  assert.deepEqual([said, turns], [['log.disk_full', 'again'], 6])
})

test('they are told from where the first definition with changes began; without one, from where the route did', () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const config = (...names: string[]): { readonly routes: RouteConfig[] } => ({
    routes: names.map((name) => routeConfig({ name, changes: name === 'archive' ? null : 'conversation' })),
  })
  const revise = (name: string, fromSeq: number, changes: string | null): boolean =>
    ledger.revise(name, fromSeq, `${name} ${fromSeq}`, JSON.stringify({ changes }), 0)
  ledger.createRoute('crm', 5)
  revise('crm', 5, null)
  revise('crm', 40, 'conversation')
  revise('crm', 90, 'conversation')
  ledger.createRoute('fresh', 70)
  ledger.createRoute('archive', 1)
  revise('archive', 1, null)
  assert.deepEqual(
    [config('crm'), config('fresh'), config('crm', 'fresh', 'archive'), config('archive')].map((one) => changesFromSeq(one, ledger)),
    [40, 70, 40, null],
  )
  ledger.close()
})
