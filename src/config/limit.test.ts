/** What the configuration says about limits: every mistake names its place and what would be right. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { resolveConfig, type ConfigResult } from './resolve.ts'

const PRESENCE = 'v2.users.{id}.presence'

function resolved(limit: unknown, route: Record<string, unknown> = {}): ConfigResult {
  return resolveConfig(
    { routes: { crm: { ...route, limit, sink: { type: 'file', dir: 'o' } } } },
    {
      file: '/app/trunkline.config.json',
      cwd: '/app',
      env: {},
      readFile: () => assert.fail('reads no file'),
      knownTopics: KNOWN_TOPICS,
      nearestTopics: () => [],
      topicTemplateOf: (name) => name,
    },
  )
}

const problems = (result: ConfigResult): string[] => ('errors' in result ? result.errors : []).map(({ code, path }) => `${code} ${path}`)
const warnings = (result: ConfigResult): string[] => result.warnings.map(({ code, path }) => `${code} ${path}`)

test('a key and a rate are enough: the rest delays, and a second may come at once', () => {
  const result = resolved({ per: 'queue', perSecond: 0.5 })
  assert.ok('config' in result, JSON.stringify(result))
  assert.deepEqual(result.config.routes[0]?.limit, {
    topics: null,
    per: 'queue',
    perSecond: 0.5,
    burst: null,
    overflow: 'delay',
    sampleOneIn: 10,
    limits: {},
    priority: null,
  })
  assert.deepEqual(result.warnings, [])
})

test('a key is one of four words or a path from a key of the envelope: a slip is said with the likely one', () => {
  for (const per of ['queue', 'user', 'topic', 'conversation', 'source', 'detail-type', 'detail.eventBody.mediaType', 'detail.kind'])
    assert.ok('config' in resolved({ per, perSecond: 1 }), per)
  for (const [per, meant] of [
    ['queues', 'queue'],
    ['Users', 'user'],
    ['conversationId', 'conversation'],
    ['queueId', 'queue'],
    ['eventBody.mediaType', 'detail.eventBody.mediaType'],
    ['details.eventBody.mediaType', 'detail.eventBody.mediaType'],
  ] as const) {
    const result = resolved({ per, perSecond: 1 })
    assert.deepEqual(problems(result), ['config.bad_value routes.crm.limit.per'], per)
    assert.ok('errors' in result && result.errors[0]?.hint.includes(`Did you mean "${meant}"?`), JSON.stringify(result))
  }
  const result = resolved({ per: 'somethingElse', perSecond: 1 })
  assert.ok('errors' in result && /queue, user, topic, conversation/.test(result.errors[0]?.hint ?? ''), JSON.stringify(result))
})

test('what is missing or outside is said at its place', () => {
  assert.deepEqual(problems(resolved({})), ['config.missing_value routes.crm.limit.per', 'config.missing_value routes.crm.limit.perSecond'])
  assert.deepEqual(problems(resolved({ per: 'queue id', perSecond: 0 })), [
    'config.bad_value routes.crm.limit.per',
    'config.bad_value routes.crm.limit.perSecond',
  ])
  assert.deepEqual(problems(resolved({ per: 'queue', perSecond: '5' })), ['config.wrong_type routes.crm.limit.perSecond'])
  assert.deepEqual(problems(resolved({ per: 'queue', perSecond: Number.NaN })), ['config.bad_value routes.crm.limit.perSecond'])
  const limits = { a: { perSecond: 0 }, b: { burst: 2 }, c: 5, d: { perSecond: 1, burst: 1.5, brust: 1 }, e: null, f: { perSecond: 1 } }
  assert.deepEqual(problems(resolved({ per: 'queue', perSecond: 5, limits })), [
    'config.bad_value routes.crm.limit.limits.a.perSecond',
    'config.missing_value routes.crm.limit.limits.b.perSecond',
    'config.wrong_type routes.crm.limit.limits.c',
    'config.unknown_key routes.crm.limit.limits.d.brust',
    'config.bad_value routes.crm.limit.limits.d.burst',
  ])
  assert.deepEqual(problems(resolved({ per: 'queue', perSecond: 5, priority: { of: { a: '1' }, dropBelow: 1 } })), [
    'config.wrong_type routes.crm.limit.priority.of.a',
  ])
})

test('keys of outside are keys like any other', () => {
  const limits = JSON.parse('{ "__proto__": { "perSecond": 1 }, "constructor": null }') as Record<string, unknown>
  const result = resolved({ per: 'queue', perSecond: 5, limits })
  assert.ok('config' in result)
  assert.deepEqual(Object.keys(result.config.routes[0]?.limit?.limits ?? {}), ['__proto__', 'constructor'])
})

test('latest is refused where things begin and end, and for whole conversations', () => {
  const latest = { per: 'user', perSecond: 5, overflow: 'latest' }
  assert.deepEqual(problems(resolved(latest)), ['config.bad_value routes.crm.limit.overflow'])
  assert.deepEqual(problems(resolved(latest, { topics: ['v2.detail.events.conversation.{id}.acd.*'] })), [
    'config.bad_value routes.crm.limit.overflow',
  ])
  assert.deepEqual(problems(resolved(latest, { topics: [PRESENCE] })), [])
  assert.deepEqual(problems(resolved({ ...latest, topics: [PRESENCE] })), [])
  assert.deepEqual(problems(resolved({ ...latest, per: 'conversation', topics: [PRESENCE], limits: { a: null } })), [
    'config.bad_value routes.crm.limit.overflow',
    'config.bad_value routes.crm.limit.limits',
  ])
})

test('dropping single events of topics with beginning and end is warned of; whole conversations and delays are not', () => {
  for (const overflow of ['drop', 'sample']) {
    assert.deepEqual(warnings(resolved({ per: 'queue', perSecond: 5, overflow })), ['config.limit_cuts_pairs routes.crm.limit.overflow'])
    assert.deepEqual(warnings(resolved({ per: 'queue', perSecond: 5, overflow, topics: [PRESENCE] })), [])
    assert.deepEqual(warnings(resolved({ per: 'conversation', perSecond: 5, overflow })), [])
  }
  assert.deepEqual(warnings(resolved({ per: 'queue', perSecond: 5 })), [])
  assert.deepEqual(problems(resolved({ per: 'queue', perSecond: 5, topics: [] })), ['config.bad_value routes.crm.limit.topics'])
})

test('a priority that can do nothing, or contradicts itself, is refused', () => {
  const at = (priority: unknown): string[] => problems(resolved({ per: 'queue', perSecond: 5, priority }))
  assert.deepEqual(at({ of: { a: 1 } }), ['config.bad_value routes.crm.limit.priority'])
  assert.deepEqual(at({ of: { a: 1 }, dropBelow: 5, unlimitedFrom: 4 }), ['config.bad_value routes.crm.limit.priority.dropBelow'])
  assert.deepEqual(at({ of: { a: 1 }, dropBelow: 4, unlimitedFrom: 4 }), [])
})
