import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { REFERENCE_PAGE, renderReference } from '../../scripts/gen-reference.ts'
import type { Config, TrunklineConfig } from './config.ts'
import { OPTIONS } from './options.ts'
import { resolveConfig } from './resolve.ts'

/** Every key required, so that the compiler refuses the value below when the type gains, loses or changes one. */
type Whole<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? string extends keyof T
      ? Record<string, Whole<T[string & keyof T]>>
      : { [K in keyof T]-?: Whole<Exclude<T[K], undefined>> }
    : T

const FULL = {
  http: {
    host: '::1',
    port: 1,
    maxBodyBytes: 2048,
    maxConnections: 3,
    headersTimeoutMs: 4,
    requestTimeoutMs: 5,
    allowHosts: ['a.example'],
  },
  dataDir: 'data',
  log: { segmentBytes: 8192, maxBytes: 65_536, maxAgeMs: 1001, minFreeBytes: 0 },
  quarantine: { maxBytes: 65_537 },
  dedupe: { windowMs: 1002 },
  genesys: {
    orgId: 'org-1',
    region: 'us-east-1',
    baseUrl: 'https://proxy.example/genesys',
    clientId: 'client-1',
    clientSecret: 'secret-1',
    namesRefreshMs: 60_001,
    notifications: { topics: ['v2.users.{id}.presence'], users: ['user-1'], queues: ['*'] },
    reconcile: { everyMs: 60_003, silentMs: 60_004, maxPerRun: 17, agents: false },
  },
  schemas: { dir: 'schemas', policy: { '*': 'tag', 'v2.users.{id}.presence': { new_field: 'quarantine' } } },
  state: {
    enabled: false,
    horizonMs: 60_002,
    skewMs: 12,
    quietMs: 17,
    serviceTargetMs: 13,
    shortAbandonMs: 14,
    serviceLevels: { Sales: { targetMs: 15, shortAbandonMs: 16 } },
  },
  routes: {
    first: {
      topics: ['v2.users.{id}.presence'],
      match: { detail: { eventBody: { primary: [true] } } },
      queues: null,
      mediaTypes: null,
      divisions: null,
      otherTopics: null,
      changes: null,
      from: 'earliest',
      dedupe: false,
      validate: false,
      backfill: true,
      names: true,
      limit: {
        topics: ['v2.users.{id}.presence'],
        per: 'queue',
        perSecond: 2.5,
        burst: 4,
        overflow: 'sample',
        sampleOneIn: 20,
        limits: { loud: { perSecond: 9, burst: 12 }, free: null },
        priority: { of: { vip: 9 }, rules: [{ queue: 'VIP*', division: null, priority: 8 }], dropBelow: -1, unlimitedFrom: 8 },
      },
      order: { by: 'queue', windowMs: 5000, late: 'drop' },
      sink: { type: 'http', url: 'https://crm.example/in?k=1', headers: { 'X-Key': 'text' }, timeoutMs: 6, concurrency: 7 },
      retry: { maxAttempts: 8, baseMs: 9, maxMs: 10 },
      backlog: { maxAgeMs: 1003 },
      paused: true,
    },
    second: {
      topics: null,
      match: null,
      queues: null,
      mediaTypes: null,
      divisions: null,
      otherTopics: null,
      changes: null,
      from: 'latest',
      dedupe: true,
      validate: true,
      backfill: false,
      names: false,
      limit: null,
      order: null,
      sink: { type: 'file', dir: 'out', maxFileBytes: 2049 },
      retry: { maxAttempts: 1, baseMs: 1, maxMs: 1 },
      backlog: { maxBytes: 2050 },
      paused: false,
    },
    third: {
      topics: null,
      match: null,
      queues: null,
      mediaTypes: null,
      divisions: null,
      otherTopics: null,
      changes: null,
      from: 'latest',
      dedupe: true,
      validate: true,
      backfill: false,
      names: false,
      limit: null,
      order: null,
      sink: { type: 'function', module: 'crm.ts', export: 'send', timeoutMs: 11, calls: 2, maxMemoryBytes: 33_554_432 },
      retry: { maxAttempts: 1, baseMs: 1, maxMs: 1 },
      backlog: null,
      paused: false,
    },
  },
} satisfies Whole<TrunklineConfig>

const RESOLVED: Omit<Config, 'origins'> = {
  ...FULL,
  file: '/etc/app/trunkline.config.ts',
  dataDir: '/etc/app/data',
  schemas: { dir: '/etc/app/schemas', policy: { '*': 'tag', 'v2.users.{id}.presence': { new_field: 'quarantine' } } },
  routes: [
    {
      name: 'first',
      ...FULL.routes.first,
      patterns: [FULL.routes.first.match],
      from: 'earliest',
      limit: { ...FULL.routes.first.limit, overflow: 'sample' },
      order: { by: 'queue', windowMs: 5000, late: 'drop' },
      sink: { ...FULL.routes.first.sink, type: 'http', headers: { 'x-key': 'text' }, shownUrl: 'https://crm.example/in?***' },
    },
    {
      name: 'second',
      ...FULL.routes.second,
      patterns: [],
      from: 'latest',
      sink: { type: 'file', dir: '/etc/app/out', maxFileBytes: 2049 },
    },
    {
      name: 'third',
      ...FULL.routes.third,
      patterns: [],
      from: 'latest',
      sink: { ...FULL.routes.third.sink, type: 'function', module: '/etc/app/crm.ts' },
    },
  ],
}

test('the table has exactly the keys that the types have', () => {
  const written = new Set(
    pathsOf(FULL).map((path) =>
      path.replace(/^routes\.\w+/, 'routes.*').replace(/\.(headers|policy|match|limits|of|serviceLevels)\..*$/, '.$1'),
    ),
  )
  const tabled = OPTIONS.flatMap((option) =>
    option.path === null || option.type === 'group' || option.type === 'routes' ? [] : option.path,
  )
  assert.deepEqual([...written].sort(), [...tabled].sort())
})

test('a configuration with every key set resolves to the hand-written type, every value from the file', () => {
  const result = resolveConfig(FULL, {
    file: '/etc/app/trunkline.config.ts',
    cwd: '/elsewhere',
    env: {},
    readFile: () => assert.fail('reads no file'),
    knownTopics: ['v2.users.{id}.presence'],
    nearestTopics: () => [],
    topicTemplateOf: (name) => name,
  })
  assert.ok('config' in result, JSON.stringify(result))
  const { origins, ...config } = result.config
  assert.deepEqual(config, RESOLVED)
  assert.deepEqual([...new Set(Object.values(origins))], ['file'])
})

test('every option has one sentence, which its type carries too', () => {
  const types = ['./config.ts', './genesys-options.ts'].map((file) => readFileSync(new URL(file, import.meta.url), 'utf8')).join('')
  for (const option of OPTIONS) {
    assert.match(option.description, /^[A-Z].*\.$/, option.description)
    if (option.path !== null) assert.ok(types.includes(`/** ${option.description} */`), `config.ts lacks: ${option.description}`)
  }
})

test('an option with a unit has it in its name, and the other way round', () => {
  for (const { path, unit } of OPTIONS) {
    const named = path?.endsWith('Ms') ? 'ms' : path?.endsWith('Bytes') ? 'bytes' : undefined
    assert.equal(named, unit, path ?? '')
  }
})

test('the reference page is up to date (npm run reference)', () => {
  assert.equal(readFileSync(REFERENCE_PAGE, 'utf8'), renderReference())
})

/** Options that have a place in the table whatever their value; null elsewhere stands for a group that is not there. */
const NULL_IS_A_VALUE: ReadonlySet<string> = new Set(['topics', 'match', 'queues', 'mediaTypes', 'divisions', 'otherTopics', 'changes'])

function pathsOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
  return Object.entries(value).flatMap(([key, entry]) =>
    entry === null && !NULL_IS_A_VALUE.has(key) ? [] : pathsOf(entry, path === '' ? key : `${path}.${key}`),
  )
}
