import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitConfig } from '../testing/limit-rig.ts'
import { routeConfig } from '../testing/route-harness.ts'
import { limiterDrops } from './limiter-drops.ts'

test('drops of a limit by queue are told by queue, others as a sum, and what is no drop of a limit not at all', () => {
  const counts: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    crm: {
      delivered: 90,
      'dropped|limit.rate|q1': 5,
      'dropped|limit.rate|q2|x': 2,
      'dropped|limit.rate|*': 3,
      'dropped|limit.priority|q1': 1,
      'dropped|backlog.expired|': 7,
      'noted|limit.sampled|q1': 4,
      'held|limit.delayed|q1': 4,
    },
    talks: { 'dropped|limit.rate|c1': 1, 'dropped|limit.rate|c2': 1, 'dropped|limit.priority|c3': 4 },
    archive: { delivered: 100 },
  }
  const configs = [
    routeConfig({ name: 'crm', limit: limitConfig() }),
    routeConfig({ name: 'talks', limit: limitConfig({ per: 'conversation' }) }),
    // It had a limit once.
    routeConfig({ name: 'was' }),
    routeConfig({ name: 'archive' }),
  ]
  const routes = new Map(
    Object.entries({ ...counts, was: { 'dropped|limit.rate|q1': 6 } }).map(([name, of]) => [
      name,
      { status: () => ({ counts: of }) as never },
    ]),
  )
  assert.deepEqual(
    limiterDrops(configs, routes).map(({ route, queueId, reason, events }) => [route, queueId, reason, events]),
    [
      ['crm', 'q1', 'limit.priority', 1],
      ['crm', null, 'limit.rate', 3],
      ['crm', 'q1', 'limit.rate', 5],
      ['crm', 'q2|x', 'limit.rate', 2],
      ['talks', null, 'limit.priority', 4],
      ['talks', null, 'limit.rate', 2],
      ['was', null, 'limit.rate', 6],
    ],
  )
})
