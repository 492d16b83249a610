import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../config/config.ts'
import type { ServiceGoal } from '../genesys/platform.ts'
import { GoalBook } from './service-goals.ts'

const CALLS: ServiceGoal = { mediaType: 'VOICE', targetMs: 15_000, share: 0.8 }
const MAILS: ServiceGoal = { mediaType: 'EMAIL', targetMs: 3_600_000, share: null }

type Levels = Config['state']['serviceLevels']

function book(serviceLevels: Levels, options: { readonly set?: readonly string[]; readonly directory?: boolean } = {}): GoalBook {
  const state = { enabled: true, horizonMs: 1, skewMs: 1, quietMs: 30_000, serviceTargetMs: 20_000, shortAbandonMs: 0, serviceLevels }
  const origins = Object.fromEntries(['serviceTargetMs', 'shortAbandonMs'].map((name) => [`state.${name}`, 'default' as const]))
  const set = Object.fromEntries((options.set ?? []).map((name) => [`state.${name}`, 'file' as const]))
  const directory = {
    goalsOf: (id: string) => (id === 'q1' ? [CALLS, MAILS] : []),
    nameOf: (_: string, id: string) => (id === 'q1' ? { name: 'Sales', stale: false } : null),
  }
  return new GoalBook({ state, origins: { ...origins, ...set } }, options.directory === false ? null : directory)
}

const own = (targetMs: number | null, shortAbandonMs: number | null = null): Levels[string] => ({ targetMs, shortAbandonMs })

test('Genesys says a target for each medium, the configuration one for what is left; both are told with where they are from', () => {
  const goals = book({})
  assert.deepEqual(goals.levelOf('q1', 'VOICE'), { targetMs: 15_000, shortAbandonMs: 0 })
  assert.deepEqual(goals.levelOf('q1', 'EMAIL').targetMs, 3_600_000)
  assert.deepEqual(
    [goals.levelOf('q1', 'CHAT').targetMs, goals.levelOf('q1', null).targetMs, goals.levelOf('q2', 'VOICE').targetMs],
    [20_000, 20_000, 20_000],
  )
  assert.deepEqual(goals.of('q1'), {
    targets: [
      { ...CALLS, from: 'directory' },
      { ...MAILS, from: 'directory' },
      { mediaType: null, targetMs: 20_000, share: null, from: 'default' },
    ],
    shortAbandonMs: 0,
    shortAbandonFrom: 'default',
  })
  const set = book({}, { set: ['serviceTargetMs', 'shortAbandonMs'], directory: false })
  assert.deepEqual(set.of('q1'), {
    targets: [{ mediaType: null, targetMs: 20_000, share: null, from: 'config' }],
    shortAbandonMs: 0,
    shortAbandonFrom: 'config',
  })
})

test('the configuration overrides it by queue, by id before name, each of the two for itself', () => {
  const byName = book({ Sales: own(30_000), q2: own(null, 4_000) })
  for (const mediaType of ['VOICE', null]) assert.deepEqual(byName.levelOf('q1', mediaType), { targetMs: 30_000, shortAbandonMs: 0 })
  assert.deepEqual(byName.levelOf('q2', 'VOICE'), { targetMs: 20_000, shortAbandonMs: 4_000 })
  assert.deepEqual(byName.of('q1').targets, [{ mediaType: null, targetMs: 30_000, share: null, from: 'queue' }])
  assert.deepEqual([byName.of('q2').targets[0]?.from, byName.of('q2').shortAbandonFrom], ['default', 'queue'])
  // A threshold of nought is one, too.
  assert.deepEqual(
    [book({ q1: own(0, 0) }).levelOf('q1', 'VOICE'), book({ q1: own(0, 0) }).of('q1').shortAbandonFrom],
    [{ targetMs: 0, shortAbandonMs: 0 }, 'queue'],
  )
  const both = book({ Sales: own(30_000), q1: own(40_000) })
  assert.equal(both.levelOf('q1', 'VOICE').targetMs, 40_000)
  assert.equal(book({ Sales: own(30_000) }, { directory: false }).levelOf('q1', 'VOICE').targetMs, 20_000)
  assert.equal(book({ Sales: own(30_000) }).levelOf('constructor', 'VOICE').targetMs, 20_000)
})
