/** Routes that take changes of the state: what they match by, and keys that are about events. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context } from './_context.ts'
import { resolveConfig, type ConfigResult } from './resolve.ts'

const Q1 = '2f9e3a52-9d0e-4c38-8a53-6a1ba3ecd8f1'
const Q2 = '2f9e3a52-9d0e-4c38-8a53-6a1ba3ecd8f2'
const SINK = { type: 'file', dir: 'out' }

function resolved(route: object, more: object = {}): ConfigResult {
  return resolveConfig({ ...more, routes: { crm: { changes: 'conversation', sink: SINK, ...route } } }, context())
}

function pathsOf(result: ConfigResult): readonly string[] {
  assert.ok('errors' in result, 'the configuration was accepted')
  return result.errors.map(({ code, path }) => `${code} ${path}`)
}

test('queues are those it was in at any time, media types its own; a pattern goes beside', () => {
  const match = { detail: { eventBody: { outcome: ['handled'] } } }
  const result = resolved({ match, queues: [Q1, Q2], mediaTypes: ['voice'] })
  assert.ok('config' in result, JSON.stringify(result))
  const body = { queueVisits: { queueId: [Q1, Q2] }, mediaType: [{ 'equals-ignore-case': 'voice' }] }
  assert.deepEqual(result.config.routes[0]?.patterns, [match, { detail: { eventBody: body } }])
  assert.deepEqual(result.warnings, [])
  const plain = resolved({})
  assert.ok('config' in plain)
  assert.deepEqual([plain.config.routes[0]?.patterns, plain.config.routes[0]?.changes], [[], 'conversation'])
})

test('keys that are about events are errors at their place', () => {
  const topics = ['v2.users.{id}.presence']
  for (const [route, path] of [
    [{ topics }, 'topics'],
    [{ limit: { per: 'queue', perSecond: 1, topics } }, 'limit.topics'],
    [{ divisions: [Q1] }, 'divisions'],
    [{ otherTopics: 'pass' }, 'otherTopics'],
    [{ backfill: true }, 'backfill'],
    [{ queues: [] }, 'queues'],
    [{ mediaTypes: [] }, 'mediaTypes'],
    [{ changes: 'agent' }, 'changes'],
  ] as const)
    assert.deepEqual(pathsOf(resolved(route)), [`config.bad_value routes.crm.${path}`])
})

test('limits that make no pairs of events are taken, the newest alone too', () => {
  for (const overflow of ['drop', 'latest', 'delay']) {
    const result = resolved({ limit: { per: 'queue', perSecond: 1, overflow } })
    assert.ok('config' in result, JSON.stringify(result))
    assert.deepEqual(result.warnings, [])
  }
})

test('without a state there are no changes of it', () => {
  assert.deepEqual(pathsOf(resolved({}, { state: { enabled: false } })), ['config.bad_value routes.crm.changes'])
})
