import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TrunklineConfig } from '../../config/config.ts'
import { servedRoute, type RouteSource } from './route.ts'

const http = { type: 'http', url: 'https://crm.example/events' } as const
const serve = (config: unknown, given: Partial<RouteSource> = {}): ReturnType<typeof servedRoute> =>
  servedRoute({
    config: config as TrunklineConfig,
    route: undefined,
    env: {},
    cwd: '/var/task',
    readFile: () => assert.fail('reads no file'),
    ...given,
  })

describe('which route', () => {
  const two = { routes: { crm: { sink: http }, wfm: { sink: { ...http, url: 'env:WFM_URL' } } } }

  test('the only one, or the one that is named', () => {
    assert.equal(serve({ routes: { crm: { sink: http } } }).route.name, 'crm')
    assert.equal(serve(two, { route: 'crm' }).route.name, 'crm')
  })

  test('of several, one has to be named; the error names them', () => {
    assert.throws(() => serve(two), { code: 'lambda.route_needed', hint: /crm, wfm/ })
    assert.throws(() => serve(two, { route: 'crn' }), { code: 'lambda.route_unknown', message: /"crn"/, hint: /crm, wfm/ })
  })

  test('secrets of the other routes are not needed', () => {
    assert.equal(serve(two, { route: 'crm' }).config.routes.length, 1)
    assert.throws(() => serve(two, { route: 'wfm' }), { code: 'lambda.config', message: /WFM_URL/ })
    assert.equal(serve(two, { route: 'wfm', env: { WFM_URL: 'https://wfm.example/' } }).route.sink.url, 'https://wfm.example/')
  })

  test('a secret in a file is read relative to the function', () => {
    const paths: string[] = []
    const readFile = (path: string): string => (paths.push(path), 'Bearer x\n')
    const config = { routes: { crm: { sink: { ...http, headers: { authorization: 'file:secrets/crm' } } } } }
    assert.deepEqual(serve(config, { readFile }).route.sink.headers, { authorization: 'Bearer x' })
    assert.deepEqual(paths, ['/var/task/secrets/crm'])
  })

  test('a resolved configuration is taken as it is', () => {
    const { config } = serve({ routes: { crm: { sink: http, retry: { maxAttempts: 3 } } } })
    assert.equal(serve(config).config, config)
    assert.throws(() => serve(config, { route: 'wfm' }), { code: 'lambda.route_unknown' })
  })
})

describe('what a function cannot do is refused', () => {
  test('changes of the state', () => {
    assert.throws(() => serve({ routes: { crm: { changes: 'conversation', sink: http } } }), {
      code: 'lambda.changes',
      message: /crm asks for changes/,
    })
  })

  test('files', () => {
    assert.throws(() => serve({ routes: { out: { sink: { type: 'file', dir: 'out' } } } }), {
      code: 'lambda.file_sink',
      message: /out writes files/,
    })
  })

  test('no route, which on one machine means files', () => {
    assert.throws(() => serve({}), { code: 'lambda.no_route' })
    assert.throws(() => serve({ routes: {} }), { code: 'lambda.no_route' })
  })

  test('arrival order', () => {
    assert.throws(() => serve({ routes: { crm: { sink: http, order: { by: 'conversation' } } } }), { code: 'lambda.order' })
    const genesys = { region: 'mypurecloud.de', clientId: 'a', clientSecret: 'b' }
    const topics = ['v2.detail.events.conversation.{id}.acd.end']
    assert.throws(() => serve({ genesys, routes: { crm: { sink: http, topics, queues: ['Sales'] } } }), { code: 'lambda.names' })
  })

  test('what is no configuration', () => {
    for (const config of [
      undefined,
      null,
      'x',
      3,
      { routes: 'x' },
      { routes: { crm: null } },
      { routes: { crm: { sink: http } }, rotues: {} },
    ]) {
      assert.throws(() => serve(config), { code: 'lambda.config' }, JSON.stringify(config))
    }
  })
})
