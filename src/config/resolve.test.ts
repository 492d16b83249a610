import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { context } from './_context.ts'
import type { Config } from './config.ts'
import { formatConfigErrors, type ConfigError } from './errors.ts'
import type { ConfigContext } from './reading.ts'
import { resolveConfig } from './resolve.ts'

const FILE = '/etc/app/trunkline.config.ts'
const HTTP = { type: 'http', url: 'https://crm.example/in' }
const UUID = '0f7f3c1e-8a51-4c4e-9d51-6a2f2f3d1b11'

test('without any key: the defaults, and one route that writes everything to <dataDir>/out', () => {
  const config = resolved({}, { file: null })
  assert.equal(config.file, null)
  assert.deepEqual([config.http.host, config.http.port, config.http.maxBodyBytes], ['127.0.0.1', 4680, 16 * 1024 * 1024])
  assert.deepEqual(config.log, {
    segmentBytes: 64 * 1024 ** 2,
    maxBytes: 10 * 1024 ** 3,
    maxAgeMs: 7 * 86_400_000,
    minFreeBytes: 256 * 1024 ** 2,
  })
  assert.equal(config.dataDir, '/proj/.trunkline')
  const [route, ...others] = config.routes
  assert.deepEqual(others, [])
  assert.deepEqual([route?.name, route?.topics, route?.from, route?.dedupe], ['out', null, 'earliest', true])
  assert.equal(route?.sink.type === 'file' && route.sink.dir, '/proj/.trunkline/out')
  assert.deepEqual([...new Set(Object.values(config.origins))], ['default'])
})

test('a route says no more than its sink', () => {
  const route = resolved({ routes: { crm: { sink: HTTP } } }).routes[0]
  assert.deepEqual(route, {
    name: 'crm',
    topics: null,
    match: null,
    queues: null,
    mediaTypes: null,
    divisions: null,
    otherTopics: null,
    changes: null,
    patterns: [],
    from: 'latest',
    dedupe: true,
    validate: true,
    backfill: false,
    names: false,
    limit: null,
    order: null,
    backlog: null,
    paused: false,
    sink: { ...HTTP, shownUrl: 'https://crm.example/in', headers: {}, timeoutMs: 10_000, concurrency: 16 },
    retry: { maxAttempts: 16, baseMs: 500, maxMs: 300_000 },
  })
})

test('unknown keys name the nearest known one, and the place where such a key exists', () => {
  const cases: [unknown, string, RegExp][] = [
    [{ rotues: {} }, 'rotues', /^Did you mean "routes"\?$/],
    [{ http: { prot: 1 } }, 'http.prot', /^Did you mean "port"\?$/],
    [{ http: { requestTimeout: 1 } }, 'http.requestTimeout', /^Did you mean "requestTimeoutMs"\?$/],
    [{ port: 1 }, 'port', /^Did you mean "http\.port"\?$/],
    [{ maxBytes: 1 }, 'maxBytes', /"log\.maxBytes" or "quarantine\.maxBytes"/],
    [{ routes: { crm: { sink: HTTP, url: 'x' } } }, 'routes.crm.url', /^Did you mean "routes\.crm\.sink\.url"\?$/],
    [{ routes: { crm: { sink: { ...HTTP, dir: 'x' } } } }, 'routes.crm.sink.dir', /belongs to a sink of type "file"/],
    [{ zzz: 1 }, 'zzz', /^The nearest known key is "\w+"\. Known keys here: http, dataDir, log/],
    [JSON.parse('{"__proto__": {"port": 1}}'), '__proto__', /nearest known key/],
    [{ 'a b\u001b[2J': 1 }, '["a b\\u001b[2J"]', /nearest known key/],
  ]
  for (const [input, path, hint] of cases) {
    const error = only(input, 'config.unknown_key', path)
    assert.equal(error.file, FILE)
    assert.equal(error.message, `${path} is no known key.`)
    assert.match(error.hint, hint)
  }
})

test('wrong types say what is wanted, what was given and how to write it', () => {
  const cases: [unknown, string, RegExp, RegExp][] = [
    [{ http: { port: '4680' } }, 'http.port', /must be a whole number, but is the text "4680"/, /Write 4680 without quotes/],
    [{ log: { maxBytes: '10 GiB' } }, 'log.maxBytes', /of bytes, but is the text "10 GiB"/, /64 MiB is 67108864/],
    [{ log: { maxAgeMs: '7d' } }, 'log.maxAgeMs', /of milliseconds/, /30 seconds are 30000/],
    [{ log: { maxAgeMs: null } }, 'log.maxAgeMs', /but is null/, /milliseconds/],
    [{ http: [] }, 'http', /must be an object, but is a list/, /host, port/],
    [{ http: { allowHosts: 'a' } }, 'http.allowHosts', /a list of texts, but is the text "a"/, /\[/],
    [{ http: { allowHosts: [1] } }, 'http.allowHosts[0]', /a text, but is the number 1/, /quotes/],
    [{ dataDir: 7 }, 'dataDir', /a path, but is the number 7/, /folder/],
    [{ routes: [] }, 'routes', /must be an object, but is a list/, /\{/],
    [{ routes: { crm: null } }, 'routes.crm', /must be an object, but is null/, /topics, match/],
    [{ routes: { crm: { sink: 'https://x' } } }, 'routes.crm.sink', /must be an object/, /type, url/],
    [{ routes: { crm: { sink: HTTP, paused: 'yes' } } }, 'routes.crm.paused', /true or false, but is the text "yes"/, /without quotes/],
    [{ routes: { crm: { sink: HTTP, order: 'conversation' } } }, 'routes.crm.order', /must be an object/, /by/],
    [{ routes: { crm: { sink: HTTP, from: 1 } } }, 'routes.crm.from', /"latest" or "earliest", but is the number 1/, /latest/],
    [{ routes: { crm: { sink: { ...HTTP, headers: ['x'] } } } }, 'routes.crm.sink.headers', /object of texts, but is a list/, /env:NAME/],
    [{ routes: { crm: { sink: { ...HTTP, headers: { a: 1 } } } } }, 'routes.crm.sink.headers.a', /a text, but is a number/, /env:NAME/],
    [{ genesys: { orgId: 5 } }, 'genesys.orgId', /a text, but is the number 5/, /quotes/],
  ]
  for (const [input, path, message, hint] of cases) {
    const error = only(input, 'config.wrong_type', path)
    assert.match(error.message, message)
    assert.match(error.hint, hint)
  }
  for (const input of [null, 5, 'x', [], () => 1, Promise.resolve({})]) only(input, 'config.wrong_type', '')
})

test('values outside their bounds, and options that contradict each other', () => {
  const route = (more: object, sink: object = HTTP): object => ({ routes: { crm: { sink, ...more } } })
  const cases: [unknown, string, RegExp][] = [
    [{ http: { port: 65_536 } }, 'http.port', /from 0 to 65535, but is 65536/],
    [{ http: { port: -1 } }, 'http.port', /but is -1/],
    [{ http: { port: 1.5 } }, 'http.port', /but is 1.5/],
    [{ http: { port: NaN } }, 'http.port', /but is NaN/],
    [{ log: { maxBytes: Infinity } }, 'log.maxBytes', /at least 65536, but is Infinity/],
    [{ http: { host: 'http://localhost' } }, 'http.host', /without scheme and port/],
    [{ http: { allowHosts: ['ok.example', 'x.example:80'] } }, 'http.allowHosts[1]', /without scheme and port/],
    [
      { http: { requestTimeoutMs: 5000 } },
      'http.requestTimeoutMs',
      /headersTimeoutMs is 10000, above http.requestTimeoutMs, which is 5000/,
    ],
    [{ log: { segmentBytes: 131_072, maxBytes: 65_536 } }, 'log.segmentBytes', /above log.maxBytes/],
    [{ dataDir: '' }, 'dataDir', /empty/],
    [{ genesys: { orgId: 'my org' } }, 'genesys.orgId', /organization id/],
    [route({ from: 'now' }), 'routes.crm.from', /"latest" or "earliest", but is the text "now"/],
    [route({ order: { by: 'agent' } }), 'routes.crm.order.by', /"conversation" or "user"/],
    [route({ retry: { baseMs: 10, maxMs: 5 } }), 'routes.crm.retry.baseMs', /above routes.crm.retry.maxMs/],
    [route({ retry: { maxAttempts: 0 } }), 'routes.crm.retry.maxAttempts', /from 1 to 1000/],
    [route({ backlog: {} }), 'routes.crm.backlog', /neither maxAgeMs nor maxBytes/],
    [route({ backlog: { maxAgeMs: 1000, maxBytes: 65_536 } }), 'routes.crm.backlog', /both/],
    [route({ topics: [] }), 'routes.crm.topics', /would get nothing/],
    [route({}, { type: 'kafka' }), 'routes.crm.sink.type', /"http" or "file" or "function", but is the text "kafka"/],
    [route({}, { ...HTTP, headers: { 'a b': 'x' } }), 'routes.crm.sink.headers["a b"]', /no valid header name/],
    [route({}, { ...HTTP, headers: { Host: 'x' } }), 'routes.crm.sink.headers.Host', /sets itself/],
    [route({}, { ...HTTP, headers: { a: 'x', A: 'y' } }), 'routes.crm.sink.headers.A', /twice/],
    [route({}, { ...HTTP, headers: { a: 'x\r\nb: y' } }), 'routes.crm.sink.headers.a', /line end/],
    [route({}, { type: 'file', dir: '/proj/.trunkline' }), 'routes.crm.sink.dir', /same folder as dataDir/],
    [
      { routes: { a: { sink: { type: 'file', dir: 'x' } }, b: { sink: { type: 'file', dir: './x/' } } } },
      'routes.b.sink.dir',
      /same folder as routes.a.sink.dir/,
    ],
  ]
  for (const [input, path, message] of cases) assert.match(only(input, 'config.bad_value', path).message, message)
})

test('what has no default must be given, and only that is asked for', () => {
  only({ routes: { crm: {} } }, 'config.missing_value', 'routes.crm.sink')
  only({ routes: { crm: { sink: {} } } }, 'config.missing_value', 'routes.crm.sink.type')
  only({ routes: { crm: { sink: { type: 'http' } } } }, 'config.missing_value', 'routes.crm.sink.url')
  only({ routes: { crm: { sink: { type: 'file' } } } }, 'config.missing_value', 'routes.crm.sink.dir')
  only({ routes: { crm: { sink: HTTP, order: {} } } }, 'config.missing_value', 'routes.crm.order.by')
})

test('route names: small letters, digits, hyphens; names of built-in properties are names like any other', () => {
  for (const name of ['CRM', '1crm', 'crm_x', '', 'a'.repeat(42), 'a.b']) {
    const error = errorsOf({ routes: { [name]: { sink: HTTP } } })[0]
    assert.equal(error?.code, 'config.bad_name', name)
    assert.match(error?.hint ?? '', /small letter/)
  }
  const names = ['a', 'constructor', 'a'.repeat(41)]
  assert.deepEqual(
    resolved({ routes: Object.fromEntries(names.map((name) => [name, { sink: HTTP }])) }).routes.map((route) => route.name),
    names,
  )
})

test('sink addresses: http or https with a host, no credentials, and never in the message', () => {
  const cases: [string, RegExp, RegExp][] = [
    ['crm.example/in', /no address with scheme and host/, /https:\/\//],
    ['', /no address/, /https:\/\//],
    ['https://', /no address/, /https:\/\//],
    ['https:/crm.example', /no address/, /https:\/\//],
    ['https://crm.example/a b', /no address/, /https:\/\//],
    ['ftp://crm.example', /must begin with http:\/\/ or https:\/\/, not ftp:/, /https:\/\//],
    ['file:///etc/passwd', /no address|not file:/, /https:\/\//],
    ['https://ann:hunter2@crm.example', /carries a user name or password/, /authorization: 'env:NAME'/],
  ]
  for (const [url, message, hint] of cases) {
    const error = only({ routes: { crm: { sink: { type: 'http', url } } } }, 'config.bad_url', 'routes.crm.sink.url')
    assert.match(error.message, message)
    assert.match(error.hint, hint)
    assert.doesNotMatch(JSON.stringify(error), /hunter2|passwd/)
  }
})

test('secrets come from the environment or from a file beside the configuration', () => {
  const input = {
    routes: { crm: { sink: { type: 'http', url: 'env:CRM_URL', headers: { Authorization: 'file:secrets/crm', 'x-plain': 'plain' } } } },
  }
  const read: string[] = []
  const readFile = (path: string): string => {
    read.push(path)
    return 'Bearer s3cret\r\n'
  }
  const sink = resolved(input, { env: { CRM_URL: 'https://crm.example/hook/s3cret' }, readFile }).routes[0]?.sink
  assert.deepEqual(read, ['/etc/app/secrets/crm'])
  assert.deepEqual(sink, {
    type: 'http',
    url: 'https://crm.example/hook/s3cret',
    shownUrl: '***',
    headers: { authorization: 'Bearer s3cret', 'x-plain': 'plain' },
    timeoutMs: 10_000,
    concurrency: 16,
  })
})

test('a secret that is not there is an error naming it', () => {
  const header = (value: string): object => ({ routes: { crm: { sink: { ...HTTP, headers: { authorization: value } } } } })
  const path = 'routes.crm.sink.headers.authorization'
  const missing = only(header('env:CRM_TOKEN'), 'config.missing_secret', path)
  assert.match(missing.message, /CRM_TOKEN, which is not set/)
  assert.equal(missing.hint, 'Set CRM_TOKEN before the start.')
  assert.match(only(header('env:CRM_TOKEN'), 'config.missing_secret', path, { env: { CRM_TOKEN: '' } }).message, /is empty/)
  const denied = Object.assign(new Error('no'), { code: 'EACCES' })
  const unreadable = only(header('file:t'), 'config.missing_secret', path, {
    readFile: () => {
      throw denied
    },
  })
  assert.match(unreadable.message, /\/etc\/app\/t, which cannot be read \(EACCES\)/)
  assert.match(only(header('file:t'), 'config.missing_secret', path, { readFile: () => '\n' }).message, /is empty/)
  only(header('env:'), 'config.bad_value', path)
  only(header('env:A B'), 'config.bad_value', path)
  only(header('file:'), 'config.bad_value', path)
  const bad = only({ routes: { crm: { sink: { type: 'http', url: 'env:U' } } } }, 'config.bad_url', 'routes.crm.sink.url', {
    env: { U: 'zz-s3cret' },
  })
  assert.match(bad.message, /read from env:U/)
  assert.doesNotMatch(JSON.stringify(bad), /s3cret/)
})

test('precedence: flag before environment before file before default, with the origin kept', () => {
  const file = { http: { port: 2 } }
  const env = { TRUNKLINE_PORT: '3' }
  const port = (input: object, context: Partial<ConfigContext>): unknown[] => {
    const config = resolved(input, context)
    return [config.http.port, config.origins['http.port']]
  }
  assert.deepEqual(port({}, {}), [4680, 'default'])
  assert.deepEqual(port(file, {}), [2, 'file'])
  assert.deepEqual(port(file, { env }), [3, 'env'])
  assert.deepEqual(port(file, { env, flags: { port: '4' } }), [4, 'flag'])
  assert.deepEqual(port(file, { env, flags: { port: 4 } }), [4, 'flag'])
  assert.deepEqual(port(file, { env: { TRUNKLINE_PORT: '' }, flags: { port: undefined } }), [2, 'file'])
  const config = resolved({}, { env: { TRUNKLINE_HOST: '0.0.0.0' }, flags: { allowHost: ['t.example'], dataDir: 'd' } })
  assert.deepEqual([config.http.host, config.http.allowHosts], ['0.0.0.0', ['t.example']])
})

test('the folder of a relative path is that of whoever gave it', () => {
  assert.equal(resolved({ dataDir: 'd' }).dataDir, '/etc/app/d')
  assert.equal(resolved({ dataDir: 'd' }, { env: { TRUNKLINE_DATA_DIR: 'e' } }).dataDir, '/proj/e')
  assert.equal(resolved({ dataDir: 'd' }, { flags: { dataDir: 'f' } }).dataDir, '/proj/f')
  assert.equal(resolved({ dataDir: '/abs' }).dataDir, '/abs')
  assert.equal(resolved({}).dataDir, '/proj/.trunkline')
  const sink = resolved({ dataDir: '/abs' }).routes[0]?.sink
  assert.equal(sink?.type === 'file' && sink.dir, '/abs/out')
})

test('a bad flag or variable is named by its own name and blames no file', () => {
  const fromEnv = only({}, 'config.wrong_type', 'http.port', { env: { TRUNKLINE_PORT: '80a' } })
  assert.equal(fromEnv.file, null)
  assert.match(fromEnv.message, /^TRUNKLINE_PORT must be a whole number, but is the text "80a"/)
  assert.match(only({}, 'config.bad_value', 'http.port', { flags: { port: '99999' } }).message, /^--port must be/)
  assert.match(only({}, 'config.bad_value', 'http.allowHosts[0]', { flags: { allowHost: ['http://x'] } }).message, /^--allow-host\[0\]/)
})

test('all errors are reported at once, and as text with place and fix', () => {
  const errors = errorsOf({
    htpp: {},
    http: { port: 'x' },
    routes: { Bad: { sink: { type: 'http', url: 'x', headers: { a: 'env:NO' } }, topics: ['v2.no.*.such'] }, b: {} },
  })
  assert.deepEqual(errors.map((error) => error.code).sort(), [
    'config.bad_name',
    'config.bad_topic',
    'config.bad_url',
    'config.missing_secret',
    'config.missing_value',
    'config.unknown_key',
    'config.wrong_type',
  ])
  const text = formatConfigErrors(errors)
  assert.match(text, /^\/etc\/app\/trunkline\.config\.ts: htpp is no known key\. \[config\.unknown_key\]\n  Did you mean "http"\?\n/m)
})

test('topics: unknown ones are warnings, real ids name the template, what can match nothing is an error', () => {
  const topics = (...list: string[]): object => ({ routes: { crm: { sink: HTTP, topics: list } } })
  const warningOf = (topic: string): ConfigError | undefined => {
    const result = resolveConfig(topics(topic), context({ file: FILE }))
    assert.ok('config' in result, JSON.stringify(result))
    assert.ok(result.warnings.length <= 1)
    return result.warnings[0]
  }
  for (const good of [
    'v2.users.{id}.presence',
    'v2.detail.events.conversation.*',
    'v2.users.{id}.pres*',
    '*',
    'v2.detail.events.conversation.{id}.*.end',
  ]) {
    assert.equal(warningOf(good), undefined, good)
  }
  const unknown = warningOf('v2.users.{id}.presense')
  assert.deepEqual([unknown?.code, unknown?.path, unknown?.file], ['config.topic_unknown', 'routes.crm.topics[0]', FILE])
  assert.match(unknown?.hint ?? '', /v2\.users\.\{id\}\.presence/)
  assert.equal(warningOf('InteractionEvent')?.code, 'config.topic_unknown')
  assert.equal(warningOf('my.own.*')?.code, 'config.topic_unknown')
  for (const topic of [`v2.users.${UUID}.presence`, `v2.users.${UUID}.*`]) {
    const withId = warningOf(topic)
    assert.equal(withId?.code, 'config.topic_with_id')
    assert.ok(withId?.hint.includes(`"${topic.replace(UUID, '{id}')}"`), withId?.hint)
  }
  assert.match(only(topics('v2.users.*.presense'), 'config.bad_topic', 'routes.crm.topics[0]').hint, /Nearest known topics: v2\./)
  assert.match(
    only(topics(`v2.detail.events.conversation.${UUID}.*.end`), 'config.bad_topic', 'routes.crm.topics[0]').hint,
    /Write the template: "v2\.detail\.events\.conversation\.\{id\}\.\*\.end"/,
  )
  assert.match(
    only(topics('v2.users.{id}.presence', 'v2.u*rs.x'), 'config.bad_topic', 'routes.crm.topics[1]').message,
    /middle of a segment/,
  )
})

test('warnings that need no topic: no routes at all, a misspelt variable', () => {
  const none = resolveConfig({ routes: {} }, context({ file: FILE }))
  assert.deepEqual(
    none.warnings.map((warning) => warning.code),
    ['config.no_routes'],
  )
  const slip = resolveConfig({}, context({ file: FILE, env: { TRUNKLINE_PROT: '1', TRUNKLINE_CRASH_POINT: 'x', PROT: '1' } }))
  assert.deepEqual(
    slip.warnings.map((warning) => [warning.code, warning.hint]),
    [['config.unknown_env', 'Did you mean TRUNKLINE_PORT?']],
  )
})

test('property: any value whatever gives a configuration or errors, never a throw', () => {
  const shape = fc.record(
    {
      http: fc.anything(),
      dataDir: fc.anything(),
      log: fc.anything(),
      routes: fc.oneof(
        fc.anything(),
        fc.dictionary(
          fc.string(),
          fc.record({ sink: fc.anything(), topics: fc.anything(), order: fc.anything(), backlog: fc.anything() }, { requiredKeys: [] }),
        ),
      ),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(fc.anything(), shape), (input) => {
      const result = resolveConfig(input, context({ file: FILE }))
      if ('errors' in result)
        assert.ok(result.errors.length > 0 && result.errors.every((error) => error.message !== '' && error.hint !== ''))
      else assert.ok(Array.isArray(result.config.routes))
    }),
    { numRuns: 1000 },
  )
})

function resolved(input: unknown, more: Partial<ConfigContext> = {}): Config {
  const result = resolveConfig(input, context({ file: FILE, ...more }))
  assert.ok('config' in result, JSON.stringify(result))
  return result.config
}

function errorsOf(input: unknown, more: Partial<ConfigContext> = {}): readonly ConfigError[] {
  const result = resolveConfig(input, context({ file: FILE, ...more }))
  assert.ok('errors' in result, 'no errors')
  return result.errors
}

/** The one error of an input, which must have this code and path. */
function only(input: unknown, code: string, path: string, more: Partial<ConfigContext> = {}): ConfigError {
  const errors = errorsOf(input, more)
  assert.deepEqual(
    errors.map((error) => [error.code, error.path]),
    [[code, path]],
  )
  return errors[0] ?? assert.fail()
}
