/** What a route matches by: mistakes name their place; convenience keys come to a pattern that AWS would take. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context } from './_context.ts'
import type { RouteConfig } from './config.ts'
import { resolveConfig, type ConfigResult } from './resolve.ts'

const Q1 = '2f9e3a52-9d0e-4c38-8a53-6a1ba3ecd8f1'
const Q2 = '2f9e3a52-9d0e-4c38-8a53-6a1ba3ecd8f2'
const SINK = { type: 'file', dir: 'out' }
const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'
const ATTRIBUTES = 'v2.detail.events.conversation.{id}.attributes'

function resolved(route: object): ConfigResult {
  return resolveConfig({ routes: { crm: { sink: SINK, ...route } } }, context())
}

function routeOf(route: object): RouteConfig {
  const result = resolved(route)
  assert.ok('config' in result, JSON.stringify(result))
  return result.config.routes[0] ?? assert.fail()
}

function errorsOf(route: object): readonly (readonly [string, string, string])[] {
  const result = resolved(route)
  assert.ok('errors' in result, 'the configuration was accepted')
  return result.errors.map(({ code, path, message, hint }) => [code, path, `${message} ${hint}`])
}

test('a pattern stands as it was given; without any key there is none', () => {
  const match = { detail: { eventBody: { mediaType: ['VOICE'] } } }
  assert.deepEqual(routeOf({ match }).patterns, [match])
  assert.deepEqual(routeOf({}).patterns, [])
})

test('a pattern without meaning is an error at its place, with what would be right', () => {
  const [error] = errorsOf({ match: { detail: { eventBody: { queueId: 'q' } } } })
  assert.deepEqual([error?.[0], error?.[1]], ['config.bad_pattern', 'routes.crm.match.detail.eventBody.queueId'])
  const [operator] = errorsOf({ match: { source: [{ prefx: 'aws' }] } })
  assert.match(operator?.[2] ?? '', /prefix/)
  assert.deepEqual(
    errorsOf({ match: ['x'] }).map(([code]) => code),
    ['config.wrong_type'],
  )
})

test('what only AWS refuses is a warning', () => {
  const result = resolved({ match: { source: Array.from({ length: 300 }, (_, i) => `source-number-${i}`) } })
  assert.ok('config' in result)
  assert.deepEqual(
    result.warnings.map(({ code, path }) => [code, path]),
    [['config.pattern_limit', 'routes.crm.match']],
  )
})

test('queues come to a pattern on the field that carries them, beside a pattern of the route', () => {
  const match = { source: [{ prefix: 'aws.partner/' }] }
  const { patterns } = routeOf({ topics: [ACD_END], queues: [Q1, Q2], match })
  assert.equal(patterns.length, 2)
  assert.deepEqual(patterns[0], match)
  assert.match(JSON.stringify(patterns[1]), new RegExp(`"queueId":\\["${Q1}","${Q2}"\\]`))
})

test('topics that carry no queue ask for a decision, and are named', () => {
  const topics = [ACD_END, ATTRIBUTES]
  const [error, ...others] = errorsOf({ topics, queues: [Q1] })
  assert.deepEqual([error?.[0], error?.[1], others], ['config.missing_value', 'routes.crm.otherTopics', []])
  assert.ok(error?.[2].includes(ATTRIBUTES) && !error[2].includes(`${ACD_END},`))
  assert.ok(routeOf({ topics, queues: [Q1], otherTopics: 'drop' }).patterns.length === 1)
  assert.ok(routeOf({ topics, queues: [Q1], otherTopics: 'pass' }).patterns.length === 1)
})

test('several keys that topics say nothing about are one error, short however many topics there are', () => {
  const [error, ...others] = errorsOf({ queues: [Q1], mediaTypes: ['voice'], divisions: [Q2] })
  assert.deepEqual([error?.[0], error?.[1], others], ['config.missing_value', 'routes.crm.otherTopics', []])
  assert.match(error?.[2] ?? '', /queues \(\d+\), mediaTypes \(\d+\), divisions \(\d+\)/)
  assert.ok((error?.[2].length ?? Infinity) < 500, error?.[2])
})

test('one mistake is one error: what follows from it is not said beside it', () => {
  for (const [route, path] of [
    [{ queues: [' no name'], otherTopics: 'pass' }, 'routes.crm.queues[0]'],
    [{ topics: 5, queues: [Q1] }, 'routes.crm.topics'],
    [{ topics: [], queues: [Q1] }, 'routes.crm.topics'],
    [{ topics: ['v2.*.nothing.*.such'], queues: [Q1] }, 'routes.crm.topics[0]'],
    [{ topics: [ATTRIBUTES], queues: [Q1] }, 'routes.crm.otherTopics'],
    [{ match: { source: 'a' }, topics: [ACD_END], queues: [Q1] }, 'routes.crm.match.source'],
  ] as const)
    assert.deepEqual(
      errorsOf(route).map(([, at]) => at),
      [path],
    )
})

test('keys that come to nothing are refused', () => {
  for (const [route, path] of [
    [{ topics: [ACD_END], queues: [] }, 'routes.crm.queues'],
    [{ otherTopics: 'pass' }, 'routes.crm.otherTopics'],
    [{ topics: [ATTRIBUTES], queues: [Q1], otherTopics: 'drop' }, 'routes.crm.queues'],
  ] as const)
    assert.ok(
      errorsOf(route).some(([code, at]) => code === 'config.bad_value' && at === path),
      JSON.stringify(errorsOf(route)),
    )
})
