import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Config, RouteConfig } from './config.ts'
import { formatConfig, printConfig, shownTake } from './print.ts'
import { resolveConfig, type ConfigResult } from './resolve.ts'
import { routeRevision } from './revision.ts'

const HTTP = { type: 'http', url: 'https://crm.example/in?key=k1', headers: { authorization: 'h1' } }

test('prints every option with its value and origin, secrets masked, as data and as text', () => {
  const config = resolved({ http: { port: 5 }, routes: { crm: { sink: HTTP } } }, { TRUNKLINE_HOST: '0.0.0.0' })
  const printed = printConfig(config)
  assert.deepEqual(printed.config['http'], config.http)
  assert.deepEqual((printed.config['routes'] as Record<string, RouteConfig>)['crm']?.sink, {
    type: 'http',
    url: 'https://crm.example/in?***',
    headers: { authorization: '***' },
    timeoutMs: 10_000,
    concurrency: 16,
  })
  assert.deepEqual(
    [printed.file, printed.origins['http.port'], printed.origins['http.host'], printed.origins['dataDir']],
    ['/app/c.ts', 'file', 'env', 'default'],
  )
  const text = formatConfig(config)
  assert.match(text, /^configuration file: \/app\/c\.ts$/m)
  assert.match(text, /^http\.port +5 +file$/m)
  assert.match(text, /^http\.host +"0\.0\.0\.0" +env$/m)
  assert.match(text, /^routes\.crm\.sink\.headers +\{"authorization":"\*\*\*"\} +file$/m)
  assert.match(text, /^routes\.crm\.topics +null +default$/m)
  assert.doesNotMatch(text, /undefined/)
})

test('what a route takes, in a few words', () => {
  const taken = (route: object): string => {
    const routes = { crm: { ...route, sink: { type: 'file', dir: 'out' } } }
    const client = { region: 'mypurecloud.de', clientId: 'c', clientSecret: 's' }
    return shownTake(resolved({ genesys: client, routes }, {}).routes[0] ?? assert.fail())
  }
  const acdEnd = 'v2.detail.events.conversation.{id}.acd.end'
  assert.equal(taken({}), 'all topics')
  assert.equal(taken({ topics: [acdEnd] }), acdEnd)
  assert.equal(taken({ topics: ['a', 'b', 'c', 'd'] }), '4 topics')
  assert.equal(taken({ queues: ['Sales', 'Billing'], otherTopics: 'pass' }), 'queues Sales, Billing')
  assert.equal(
    taken({ match: { source: ['x'] }, limit: { per: 'queue', perSecond: 5 }, mediaTypes: ['voice'], otherTopics: 'pass' }),
    'media voice; a pattern; limit 5/s per queue',
  )
  assert.equal(taken({ changes: 'conversation', queues: ['a', 'b', 'c', 'd'] }), 'finished conversations; 4 queues')
})

test('property: no secret is in printed output, errors or warnings, wherever it was given and whatever is wrong with it', () => {
  const secret = fc
    .tuple(fc.stringMatching(/^[a-zA-Z0-9]{8,12}$/), fc.constantFrom('', ' ', '\n', '\u0000', '@', '\u{1F600}'))
    .map(([core, odd]) => ({ core: `S3${core}S3`, text: `S3${core}S3${odd}` }))
  const place = fc.constantFrom(
    'header',
    'header-env',
    'header-file',
    'query',
    'userinfo',
    'url-env',
    'url-file',
    'url-env-path',
    'header-list',
  )
  fc.assert(
    fc.property(secret, place, ({ core, text }, where) => {
      const files = text
      const sinks: Record<string, object> = {
        header: { ...HTTP, headers: { a: text } },
        'header-env': { ...HTTP, headers: { a: 'env:S' } },
        'header-file': { ...HTTP, headers: { a: 'file:s' } },
        'header-list': { ...HTTP, headers: [text] },
        query: { type: 'http', url: `https://crm.example/?k=${text}` },
        userinfo: { type: 'http', url: `https://u:${text}@crm.example/` },
        'url-env': { type: 'http', url: 'env:S' },
        'url-file': { type: 'http', url: 'file:s' },
        'url-env-path': { type: 'http', url: 'env:U' },
      }
      const env = { S: text, U: `https://crm.example/hooks/${text}` }
      const result = resolve({ routes: { crm: { sink: sinks[where] } } }, env, () => files)
      const shown =
        'config' in result
          ? [JSON.stringify(printConfig(result.config)), formatConfig(result.config), ...result.config.routes.map(routeRevision)]
          : []
      const all = [...shown, JSON.stringify(result.warnings), 'errors' in result ? JSON.stringify(result.errors) : ''].join('\n')
      assert.ok(!all.includes(core), all)
      const accepted = where === 'header' && text === core
      if (accepted) assert.ok('config' in result)
    }),
    { numRuns: 500 },
  )
})

test('a revision depends on the definition, not on the order of keys or on secrets', () => {
  const revision = (route: object, env = {}): string => routeRevision(resolved({ routes: { crm: route } }, env).routes[0] ?? assert.fail())
  const base = revision({ sink: HTTP, paused: false })
  assert.match(base, /^[0-9a-f]{16}$/)
  assert.equal(
    revision({ paused: false, sink: { headers: { Authorization: 'h2' }, url: 'https://crm.example/in?key=k2', type: 'http' } }),
    base,
  )
  assert.equal(revision({ sink: HTTP }), base)
  const others = [
    { sink: HTTP, paused: true },
    { sink: { ...HTTP, url: 'https://crm.example/out?key=k1' } },
    { sink: { ...HTTP, headers: {} } },
    { sink: HTTP, topics: ['x'] },
  ]
  assert.equal(new Set([base, ...others.map((route) => revision(route))]).size, others.length + 1)
})

function resolve(input: unknown, env: Record<string, string>, readFile: (path: string) => string = () => ''): ConfigResult {
  return resolveConfig(input, {
    file: '/app/c.ts',
    cwd: '/app',
    env,
    readFile,
    knownTopics: ['x'],
    nearestTopics: () => [],
    topicTemplateOf: (name) => name,
  })
}

function resolved(input: unknown, env: Record<string, string>): Config {
  const result = resolve(input, env)
  assert.ok('config' in result, JSON.stringify(result))
  return result.config
}
