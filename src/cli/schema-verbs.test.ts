import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { bytesOf, envelope } from '../../test/fixtures/genesys/samples.ts'
import { TrunklineError } from '../errors.ts'
import type { Platform } from '../genesys/platform.ts'
import { folder, testIo, type TestIoOptions } from './_test-io.ts'
import { testService } from './_test-service.ts'
import type { Context } from './context.ts'
import { exitCodeOf, problemOf } from './failure.ts'
import { schemasCommand } from './verbs/schemas.ts'
import { topicsCommand } from './verbs/topics.ts'

const PRESENCE = 'v2.users.{id}.presence'
const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'

type Ran = {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly problem: { code: string; message: string; hint: string } | null
}

/** Runs one of the two verbs to its end. */
async function run(argv: readonly string[], options: TestIoOptions = {}, topics: readonly object[] = []): Promise<Ran> {
  const io = testIo(options)
  const context: Context = { io, signal: new AbortController().signal, outlivesOutput: false, exitCode: 0 }
  const platform = { availableTopics: () => Promise.resolve(topics) } as unknown as Platform
  const command = argv[0] === 'topics' ? topicsCommand(context) : schemasCommand(context, () => Promise.resolve(platform))
  for (const one of [command, ...command.commands])
    one.exitOverride().configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: (text) => void io.stderr.write(text) })
  try {
    await command.parseAsync(argv.slice(1), { from: 'user' })
    return { code: context.exitCode, out: io.out(), err: io.err(), problem: null }
  } catch (error) {
    return { code: error instanceof TrunklineError ? exitCodeOf(error) : 2, out: io.out(), err: io.err(), problem: problemOf(error) }
  }
}

test('topics: all, by text, by the topic of an event; the nearest when nothing fits', async () => {
  const all = await run(['topics'])
  assert.equal(all.out.trimEnd().split('\n').length, 244)
  assert.match(all.err, /243 topics of 243/)
  assert.match((await run(['topics', 'conversations.finished'])).out, /trunkline\.conversations\.\{id\}\.finished/)
  const some = await run(['topics', 'PRESENCE'])
  assert.match(some.out, /v2\.users\.\{id\}\.presence\s+user\s+yes\s+modifiedDate\n/)
  assert.match((await run(['topics', 'v2.users.8a7c.presence'])).out, /v2\.users\.\{id\}\.presence/)
  const none = await run(['topics', 'v2.users.presense', '--json'])
  assert.equal(none.code, 1)
  const { topics, nearest } = JSON.parse(none.out) as { topics: string[]; nearest: string[] }
  assert.deepEqual([topics.length, nearest.length], [0, 5])
  const escape = await run(['topics', 'x\u001b[2J'], { terminal: true })
  assert.ok(!escape.err.includes('\u001b[2J') && escape.code === 1)
})

test('list, show and diff over shipped schemas and a folder; a bad file is said and the rest is used', async (t) => {
  const cwd = folder(t)
  mkdirSync(join(cwd, 'own'))
  const own = {
    'x-genesys-topic': PRESENCE,
    type: 'object',
    properties: { source: { type: 'string' }, mood: { type: 'string', 'x-known-values': ['A'] } },
  }
  writeFileSync(join(cwd, 'own', 'p@2026-11.schema.json'), JSON.stringify(own))
  writeFileSync(join(cwd, 'own', 'bad.schema.json'), '{')
  const list = await run(['schemas', 'list', '--dir', 'own'], { cwd })
  assert.equal(list.code, 1)
  assert.match(list.out, /v2\.users\.\{id\}\.presence\s+257\.1\.0\s+shipped\s+-\s+6\n/)
  assert.match(list.out, /v2\.users\.\{id\}\.presence\s+2026-11\s+own\s+yes\s+2\n/)
  assert.match(list.err, /bad\.schema\.json is not JSON.*\[schema\.not_json\][^]*1 problem in own/)
  const show = await run(['schemas', 'show', PRESENCE, '--dir', 'own'], { cwd })
  assert.match(show.out, /mood\s+string\s+A\n/)
  assert.match((await run(['schemas', 'show', PRESENCE, '257.1.0'])).out, /presenceDefinition\.systemPresence\s+string\s/)
  assert.equal((JSON.parse((await run(['schemas', 'show', ACD_END, '--json'])).out) as { title: string }).title, ACD_END)
  assert.deepEqual((await run(['schemas', 'show', 'v2.users.{id}.presense'])).problem?.code, 'schema.unknown')
  for (const typed of ['users.presence', 'v2.users.8a7c.presence'])
    assert.match((await run(['schemas', 'show', typed, '257.1.0'])).out, /^v2\.users\.\{id\}\.presence 257\.1\.0\n/)
  const forgotten = await run(['schemas', 'diff', PRESENCE, '257.1.0', '--dir', 'own'], { cwd })
  assert.deepEqual([forgotten.code, forgotten.problem?.hint], [2, 'Its versions are 257.1.0, 2026-11.'])
  const diff = await run(['schemas', 'diff', 'users.presence', '257.1.0', '2026-11', '--dir', 'own'], { cwd })
  assert.match(diff.out, /^- presenceDefinition: object$/m)
  assert.match(diff.out, /^\+ mood: string$/m)
  const files = await run(['schemas', 'diff', 'own/p@2026-11.schema.json', 'own/p@2026-11.schema.json', '--json'], { cwd })
  assert.deepEqual(JSON.parse(files.out), { changes: [] })
  const bad = await run(['schemas', 'diff', 'own/bad.schema.json', 'nowhere.json'], { cwd })
  assert.deepEqual([bad.code, bad.problem?.message], [2, 'own/bad.schema.json is no JSON object.'])
})

test('infer: reads what send reads, wants one topic, writes nothing over', async (t) => {
  const cwd = folder(t)
  const lines = ['u1', 'u2'].map((id, i) =>
    JSON.stringify(envelope({ topic: PRESENCE, topicName: `v2.users.${id}.presence`, body: { source: 'x', n: i } })),
  )
  writeFileSync(join(cwd, 'events.ndjson.gz'), gzipSync(`${lines.join('\n')}\nnot json\n`))
  writeFileSync(
    join(cwd, 'other.json'),
    bytesOf(envelope({ topic: ACD_END, topicName: 'v2.detail.events.conversation.c.acd.end', body: {} })),
  )
  const one = await run(['schemas', 'infer', 'events.ndjson.gz'], { cwd })
  const properties = { source: { type: 'string' }, n: { type: 'integer' } }
  assert.deepEqual((JSON.parse(one.out) as { properties: object }).properties, properties)
  assert.match(one.err, /1 record could not be decoded/)
  const several = await run(['schemas', 'infer', 'events.ndjson.gz', 'other.json'], { cwd })
  assert.deepEqual([several.code, several.problem?.message], [2, 'There are events of 2 topics, and a schema is of one.'])
  const piped = await run(['schemas', 'infer', '-', '--topic', PRESENCE, '--out', 'p.schema.json'], { cwd, stdin: [lines.join('\n')] })
  assert.match(piped.out, /p\.schema\.json: v2\.users\.\{id\}\.presence, from 2 events/)
  assert.deepEqual((JSON.parse(readFileSync(join(cwd, 'p.schema.json'), 'utf8')) as { properties: object }).properties, properties)
  assert.equal((await run(['schemas', 'infer', 'events.ndjson.gz', '--out', 'p.schema.json'], { cwd })).problem?.code, 'schema.unwritable')
  const none = await run(['schemas', 'infer', 'other.json', '--topic', PRESENCE], { cwd })
  assert.deepEqual([none.problem?.code, none.problem?.hint], ['schema.no_events', `There are events of: ${ACD_END}.`])
  writeFileSync(join(cwd, 'cut.ndjson.gz'), gzipSync(lines.join('\n')).subarray(0, 40))
  assert.equal((await run(['schemas', 'infer', 'cut.ndjson.gz'], { cwd })).problem?.code, 'schema.unreadable')
  assert.equal((await run(['schemas', 'infer'], { cwd })).code, 2)
})

test('drift, use and policy speak to the service', async (t) => {
  const entry = {
    topic: ACD_END,
    class: 'new_field',
    path: 'mood',
    detail: null,
    count: 3,
    firstSeenAtMs: 0,
    lastSeenAtMs: 1,
    sampleId: 'e\u0007',
    action: 'accept',
  }
  const report = {
    drift: [entry, { ...entry, class: 'field_gone', path: 'ani', back: true }],
    topics: { [ACD_END]: 9 },
    events: 9,
    lagEvents: 4,
  }
  const service = await testService(t, ({ method }) => ({ json: method === 'GET' ? report : { ok: true } }))
  const options = { env: { TRUNKLINE_URL: service.url, USER: 'ada' } }
  const drift = await run(['schemas', 'drift', '--topic', ACD_END, '--class', 'new_field'], options)
  assert.deepEqual(service.asked[0]?.query, { topic: ACD_END, class: 'new_field' })
  assert.match(
    drift.out,
    /conversation\.acd\.end\s+new_field\s+mood\s+3\s+1970-01-01T00:00:00\.000Z\s+1970-01-01T00:00:00\.001Z\s+accept\s+e\\u0007\n.*ani \(back\)/,
  )
  assert.match(drift.err, /4 events behind intake/)
  assert.deepEqual(JSON.parse((await run(['schemas', 'drift', '--json'], options)).out), report)
  await run(['schemas', 'use', PRESENCE, '257.1.0'], options)
  await run(['schemas', 'use', PRESENCE, 'default'], options)
  await run(['schemas', 'policy', PRESENCE, 'new_field', 'quarantine'], options)
  await run(['schemas', 'policy', '*', '*', 'default'], options)
  const puts = service.asked.filter(({ method }) => method === 'PUT')
  assert.ok(puts.every(({ path }) => path === '/v1/flags'))
  assert.deepEqual(
    puts.map(({ body }) => JSON.parse(body.toString()) as object),
    [
      { flag: 'schema.version', topic: PRESENCE, value: '257.1.0', by: 'cli ada' },
      { flag: 'schema.version', topic: PRESENCE, value: null, by: 'cli ada' },
      { flag: 'schema.policy', topic: PRESENCE, class: 'new_field', value: 'quarantine', by: 'cli ada' },
      { flag: 'schema.policy', topic: '*', class: '*', value: null, by: 'cli ada' },
    ],
  )
  assert.equal((await run(['schemas', 'drift', '--class', 'odd'], options)).code, 2)
})

test('without --dir the configuration beside it is not read, and that is said', async (t) => {
  const cwd = folder(t)
  const list = async (...argv: string[]): Promise<string> => (await run(['schemas', 'list', ...argv], { cwd })).err
  assert.equal(await list(), '')
  writeFileSync(join(cwd, 'trunkline.config.ts'), 'throw new Error("run")')
  assert.match(await list(), /^only the shipped schemas: trunkline\.config\.ts is not read; --dir/)
  assert.match((await run(['schemas', 'show', PRESENCE, '--json'], { cwd })).err, /^only the shipped/)
  assert.equal(await list('--dir', '.'), '')
})

test('pull writes what changed and says what it was', async (t) => {
  const cwd = folder(t)
  const live = { type: 'object', properties: { source: { type: 'string' } } }
  const topics = [{ id: PRESENCE, schema: live }, { id: 'v2.users.{id}.geolocation' }, { id: '../evil\u001b[2J', schema: live }]
  const first = await run(['schemas', 'pull'], { cwd, terminal: true, env: { NO_COLOR: '1' } }, topics)
  assert.match(
    first.out,
    /presence: 5 changes since shipped 257\.1\.0, v2_users_id_presence@2026-08-14\.schema\.json\n {2}- presenceDefinition: object\n/,
  )
  assert.match(first.out, /1 schema written to schemas, 0 unchanged, 1 topic without a schema\n/)
  assert.match(first.err, /evil\\u001b\[2J cannot be used: its id is no topic\n.*dir: "schemas"/)
  assert.deepEqual(readdirSync(join(cwd, 'schemas')), ['v2_users_id_presence@2026-08-14.schema.json'])
  const again = await run(['schemas', 'pull', '--json'], { cwd }, topics)
  const { written, unchanged } = JSON.parse(again.out) as { written: object[]; unchanged: number }
  assert.deepEqual([written, unchanged], [[], 1])
})

test('every sub-verb has help with an example', async () => {
  for (const name of ['list', 'show', 'diff', 'infer', 'drift', 'use', 'policy', 'pull'])
    assert.match((await run(['schemas', name, '--help'])).out, /Examples:\n {2}\$ trunkline schemas/, name)
})
