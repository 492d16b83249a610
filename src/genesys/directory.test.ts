import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turns, virtualClock, type VirtualClock } from '../testing/virtual-clock.ts'
import { Directory, DIRECTORY_KINDS, type DirectoryOptions } from './directory.ts'
import { GenesysError } from './failure.ts'
import type { Named, ServiceGoal } from './platform.ts'

const HOUR_MS = 3_600_000
const CALLS_IN_20_S: ServiceGoal = { mediaType: 'VOICE', targetMs: 20_000, share: 0.8 }
const SALES = { id: 'q1', name: 'Sales', divisionId: 'd1', serviceGoals: [CALLS_IN_20_S] }
const SUPPORT = { id: 'q2', name: 'Support' }

type Bench = {
  readonly clock: VirtualClock
  readonly directory: Directory
  readonly asked: string[]
  /** What Genesys has. */
  readonly world: {
    queues: readonly (Named & { readonly divisionId?: string; readonly serviceGoals?: readonly ServiceGoal[] })[]
    failing: GenesysError | null
  }
  readonly kept: { text: string | null }
}

async function bench(
  changed: Omit<Partial<DirectoryOptions>, 'clock'> & { readonly kept?: { text: string | null }; readonly clock?: VirtualClock } = {},
): Promise<Bench> {
  const { kept = { text: null }, clock = virtualClock(), ...options } = changed
  const asked: string[] = []
  const world: Bench['world'] = { queues: [SALES, SUPPORT], failing: null }
  const list = async <T>(kind: string, things: readonly T[]): Promise<readonly T[]> => {
    asked.push(kind)
    if (world.failing !== null) throw world.failing
    return things
  }
  const named = (id: string, name: string): Named => ({ id, name })
  const directory = new Directory({
    platform: {
      queues: () =>
        list(
          'queues',
          world.queues.map((queue) => ({ serviceGoals: [], divisionId: null, ...queue })),
        ),
      users: () => list('users', [{ ...named('u1', 'Ada'), email: null, divisionId: null, state: 'active' }]),
      divisions: () => list('divisions', [named('d1', 'Home')]),
      wrapupCodes: () => list('wrapupcodes', [named('w1', 'Solved')]),
      flows: () => list('flows', [named('f1', 'Main menu')]),
    },
    clock,
    random: () => 0,
    load: async () => kept.text,
    save: async (text) => void (kept.text = text),
    ...options,
  })
  await directory.start()
  await turns(20)
  return { clock, directory, asked, world, kept }
}

const forbidden = new GenesysError('genesys.forbidden', 'You may not.', 'Ask.')

test('all kinds are read in the background, and names are there', async () => {
  const { directory, asked } = await bench()
  assert.deepEqual(asked, [...DIRECTORY_KINDS])
  assert.deepEqual(
    (
      [
        ['queues', 'q1'],
        ['users', 'u1'],
        ['divisions', 'd1'],
        ['wrapupcodes', 'w1'],
        ['flows', 'f1'],
      ] as const
    ).map(([kind, id]) => directory.nameOf(kind, id)?.name),
    ['Sales', 'Ada', 'Home', 'Solved', 'Main menu'],
  )
  assert.equal(directory.nameOf('users', 'q1'), null)
  assert.deepEqual(
    [directory.divisionOf('queues', 'q1'), directory.divisionOf('queues', 'q2'), directory.divisionOf('users', 'q1')],
    ['d1', null, null],
  )
  assert.deepEqual([directory.goalsOf('q1'), directory.goalsOf('q2'), directory.goalsOf('u1')], [[CALLS_IN_20_S], [], []])
  await directory.stop()
})

test('each list is read anew once in its time, and a changed name is the new one', async () => {
  const { directory, asked, clock, world } = await bench()
  world.queues = [{ id: 'q1', name: 'Sales and more' }, SUPPORT]
  await clock.advance(HOUR_MS - 1)
  assert.equal(asked.length, 5)
  await clock.advance(1)
  assert.equal(asked.length, 10)
  assert.deepEqual(directory.nameOf('queues', 'q1'), { name: 'Sales and more', stale: false })
  await clock.advance(23 * HOUR_MS)
  assert.equal(asked.length, 5 * 25)
  await directory.stop()
})

test('what is gone keeps its name, marked stale', async () => {
  const { directory, clock, world } = await bench()
  world.queues = [SALES]
  await clock.advance(HOUR_MS)
  assert.deepEqual(directory.nameOf('queues', 'q2'), { name: 'Support', stale: true })
  assert.deepEqual(directory.nameOf('queues', 'q1'), { name: 'Sales', stale: false })
  await directory.stop()
})

test('an API that fails leaves the names, says why, asks ever more seldom, and recovers', async () => {
  const { directory, asked, clock, world } = await bench()
  world.failing = forbidden
  await clock.advance(HOUR_MS)
  const [state] = directory.state().kinds
  assert.deepEqual([state?.lastError?.code, state?.lastError?.atMs, state?.stale], ['genesys.forbidden', clock.nowMs(), false])
  assert.deepEqual(directory.nameOf('queues', 'q1'), { name: 'Sales', stale: false })
  const before = asked.filter((kind) => kind === 'queues').length
  await clock.advance(HOUR_MS)
  assert.equal(asked.filter((kind) => kind === 'queues').length - before, 5, 'after 1, 3, 7, 15 and 31 minutes')
  await clock.advance(1)
  assert.deepEqual(directory.nameOf('queues', 'q1'), { name: 'Sales', stale: true })
  assert.equal(directory.state().kinds[0]?.stale, true)
  world.failing = null
  await clock.advance(HOUR_MS)
  assert.deepEqual([directory.nameOf('queues', 'q1')?.stale, directory.state().kinds[0]?.lastError], [false, null])
  await directory.stop()
})

test('an unknown id has its list read soon, once for many, and not again for the same', async () => {
  const { directory, asked, clock, world } = await bench()
  const queues = (): number => asked.filter((kind) => kind === 'queues').length
  await clock.advance(10 * 60_000)
  for (let i = 0; i < 1_000; i++) assert.equal(directory.nameOf('queues', `new-${i}`), null)
  world.queues = [SALES, { id: 'new-7', name: 'Seven' }]
  await clock.advance(4_000)
  assert.equal(queues(), 1)
  await clock.advance(2_000)
  assert.equal(queues(), 2)
  assert.equal(asked.length, 6, 'only this list')
  assert.equal(directory.nameOf('queues', 'new-7')?.name, 'Seven')
  for (let i = 0; i < 1_000; i++) directory.nameOf('queues', `new-${i}`)
  await clock.advance(10 * 60_000)
  assert.equal(queues(), 2)
  for (let minute = 0; minute < 30; minute++) {
    directory.nameOf('queues', `newer-${minute}`)
    await clock.advance(60_000)
  }
  assert.ok(queues() <= 2 + 7, `${queues()}: at most once in five minutes`)
  assert.ok(queues() >= 2 + 5)
  await directory.stop()
})

test('before the first list, and while lists fail, unknown ids ask for nothing', async () => {
  const { directory, asked, clock, world } = await bench()
  world.failing = forbidden
  await clock.advance(HOUR_MS)
  const before = asked.length
  for (let i = 0; i < 100; i++) directory.nameOf('queues', `x${i}`)
  await clock.advance(30_000)
  assert.equal(asked.length, before)
  await directory.stop()
})

test('after a restart the names are there at once, and what is fresh is not read again', async () => {
  const first = await bench()
  await first.clock.advance(60_000)
  await first.directory.stop()

  const soon = await bench({ kept: first.kept, clock: first.clock })
  assert.deepEqual(soon.directory.nameOf('queues', 'q1'), { name: 'Sales', stale: false })
  assert.equal(soon.directory.divisionOf('queues', 'q1'), 'd1')
  assert.deepEqual([soon.directory.goalsOf('q1'), soon.directory.goalsOf('q2')], [[CALLS_IN_20_S], []])
  assert.deepEqual(soon.asked, [])
  await soon.clock.advance(HOUR_MS)
  assert.equal(soon.asked.length, 5)
  await soon.directory.stop()

  await first.clock.advance(5 * HOUR_MS)
  const down: Omit<Partial<DirectoryOptions>, 'clock'> = {
    platform: {
      queues: async () => Promise.reject(forbidden),
      users: async () => [],
      divisions: async () => [],
      wrapupCodes: async () => [],
      flows: async () => [],
    },
  }
  const late = await bench({ kept: first.kept, clock: first.clock, ...down })
  assert.deepEqual(late.directory.nameOf('queues', 'q1'), { name: 'Sales', stale: true })
  await late.directory.stop()
})

test('a damaged, hostile or unwritable snapshot costs the names of the last run and nothing else', async () => {
  const texts = [
    '',
    'x',
    '[]',
    '{}',
    '{"version":2,"kinds":{}}',
    '{"version":1,"kinds":{"queues":{"loadedAtMs":"x","names":[["q1"],5,null,["q1",5,5],["q1","Old",-1],[1,2,3]]},"__proto__":{"names":[]},"other":[]}}',
  ]
  for (const text of texts) {
    const { directory, asked } = await bench({ kept: { text } })
    assert.equal(asked.length, 5, text)
    assert.equal(directory.nameOf('queues', 'q1')?.name, 'Sales')
    await directory.stop()
  }
  const failing = { load: async () => Promise.reject(new Error('no disk')), save: async () => Promise.reject(new Error('disk full')) }
  const { directory } = await bench(failing)
  assert.equal(directory.nameOf('queues', 'q1')?.name, 'Sales')
  assert.match(directory.state().snapshotError?.message ?? '', /disk full/)
  await directory.stop()
})

test('a list from the future is read anew', async () => {
  const clock = virtualClock()
  const kept = { text: JSON.stringify({ version: 1, kinds: { queues: { loadedAtMs: clock.nowMs() + 1e12, names: [] } } }) }
  const { asked, directory } = await bench({ kept, clock })
  assert.equal(asked.length, 5)
  await directory.stop()
})

test('names are cut; odd ones do no harm', async () => {
  const { directory, clock, world } = await bench()
  world.queues = [
    { id: 'big', name: 'x'.repeat(1_000_000) },
    { id: 'pair', name: `${'x'.repeat(198)}😀😀` },
    { id: '__proto__', name: 'Proto' },
    { id: 'esc', name: '\u001b[2J\r\n' },
  ]
  await clock.advance(HOUR_MS)
  assert.equal(directory.nameOf('queues', 'big')?.name.length, 200)
  assert.ok(directory.nameOf('queues', 'pair')?.name.isWellFormed())
  assert.equal(directory.nameOf('queues', '__proto__')?.name, 'Proto')
  assert.equal(directory.nameOf('queues', 'constructor'), null)
  assert.equal(directory.nameOf('queues', 'esc')?.name, '\u001b[2J\r\n')
  await directory.stop()
})

test('a list is searched by part of a name or by id, sorted, and bounded', async () => {
  const { directory, clock, world } = await bench()
  world.queues = [SUPPORT, SALES, { id: 'q3', name: 'After sales' }]
  await clock.advance(HOUR_MS)
  assert.deepEqual(
    directory.list('queues').names.map(({ name }) => name),
    ['After sales', 'Sales', 'Support'],
  )
  assert.deepEqual(
    directory.list('queues', 'SALES').names.map(({ id }) => id),
    ['q3', 'q1'],
  )
  assert.deepEqual(directory.list('queues', 'q2').names, [{ id: 'q2', name: 'Support', stale: false }])
  assert.deepEqual(directory.list('queues', '', 1), { names: [{ id: 'q3', name: 'After sales', stale: false }], total: 3 })
  await directory.stop()
})

test('stop ends a reading under way, and leaves no wait behind', async () => {
  let seen: AbortSignal | null = null
  const hanging = (signal?: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      seen = signal ?? null
      signal?.addEventListener('abort', () => reject(new Error('stopped')))
    })
  const { directory, clock } = await bench({
    platform: { queues: hanging, users: hanging, divisions: hanging, wrapupCodes: hanging, flows: hanging },
  })
  assert.notEqual(seen, null)
  await directory.stop()
  assert.equal(clock.waiting(), 0)
  assert.equal(directory.nameOf('queues', 'q1'), null)
})
