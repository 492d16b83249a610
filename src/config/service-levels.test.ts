/** What the configuration says about the service levels of single queues: every mistake names its place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { resolveConfig, type ConfigResult } from './resolve.ts'

function resolved(serviceLevels: unknown): ConfigResult {
  return resolveConfig(
    { state: { serviceLevels } },
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

test('target and threshold by queue; what is left out is null', () => {
  const result = resolved({ Sales: { targetMs: 30_000 }, 'q 2': { shortAbandonMs: 0 }, gone: undefined })
  assert.ok('config' in result, JSON.stringify(result))
  assert.deepEqual(result.config.state.serviceLevels, {
    Sales: { targetMs: 30_000, shortAbandonMs: null },
    'q 2': { targetMs: null, shortAbandonMs: 0 },
  })
  assert.deepEqual(result.warnings, [])
})

test('what is wrong is said at its place', () => {
  const levels = { a: { targetMs: -1 }, b: { tragetMs: 5, targetMs: 1 }, c: {}, d: 5, e: { targetMs: '5', shortAbandonMs: 1.5 }, f: null }
  const result = resolved(levels)
  assert.deepEqual(
    ('errors' in result ? result.errors : []).map(({ code, path }) => `${code} ${path}`),
    [
      'config.bad_value state.serviceLevels.a.targetMs',
      'config.unknown_key state.serviceLevels.b.tragetMs',
      'config.missing_value state.serviceLevels.c',
      'config.wrong_type state.serviceLevels.d',
      'config.bad_value state.serviceLevels.e.targetMs',
      'config.bad_value state.serviceLevels.e.shortAbandonMs',
      'config.wrong_type state.serviceLevels.f',
    ],
  )
  const wrong = resolved([])
  assert.deepEqual(
    ('errors' in wrong ? wrong.errors : []).map(({ path }) => path),
    ['state.serviceLevels'],
  )
})
