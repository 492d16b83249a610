import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { TrunklineError } from '../errors.ts'
import { diffSchemas } from './diff.ts'
import { loadSchemas } from './folder.ts'
import { writePulled } from './pull.ts'
import { schemasOf } from './pulled.ts'
import { Registry } from './registry.ts'

const TOPIC = 'v2.users.{id}.presence'
/** As Genesys's services write it: classes by urn where first used, draft-03 words. */
const LIVE = {
  type: 'object',
  id: 'urn:jsonschema:presence:v2:PresenceEventUserPresence',
  properties: {
    source: { type: 'string', required: true },
    presenceDefinition: {
      type: 'object',
      id: 'urn:jsonschema:presence:v2:Definition',
      properties: { id: { type: 'string' }, systemPresence: { type: 'string', enum: ['AVAILABLE', 'BUSY'] } },
    },
    previous: { type: 'object', $ref: 'urn:jsonschema:presence:v2:Definition' },
    parent: { type: 'object', $ref: 'urn:jsonschema:presence:v2:PresenceEventUserPresence' },
    modifiedDate: { type: 'string', format: 'date-time' },
    anything: { type: 'any' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
  },
}

test('a live schema becomes one of ours: definitions, open enums, and it judges bodies', async (t) => {
  const dir = folder(t)
  const { written } = writePulled(dir, await loadSchemas(dir), schemasOf([{ id: TOPIC, description: 'x', schema: LIVE }]), '2026-11-20')
  assert.deepEqual(
    written.map(({ topic, file, before }) => [topic, file, before]),
    [[TOPIC, 'v2_users_id_presence@2026-11-20.schema.json', { origin: 'shipped', version: '257.1.0' }]],
  )
  assert.ok(written[0]!.changes.some(({ kind, path }) => kind === 'field_added' && path === 'previous'))
  const { schemas, problems } = await loadSchemas(dir)
  assert.deepEqual(problems, [])
  const registry = new Registry(schemas)
  assert.equal(registry.inForce(TOPIC)?.version, '2026-11-20')
  const definition = { id: 'x', systemPresence: 'AVAILABLE' }
  const judge = registry.validatorOf(TOPIC)!
  assert.deepEqual(
    judge({
      source: 's',
      presenceDefinition: definition,
      previous: definition,
      parent: { source: 's' },
      modifiedDate: 'noon',
      anything: [1],
      labels: { 'a b': 'c' },
    }),
    [],
  )
  assert.deepEqual(judge({ previous: { systemPresence: 'LUNCH' }, parent: { parent: { odd: 1 } } }), [
    { class: 'new_value', path: 'previous.systemPresence', detail: 'LUNCH' },
    { class: 'new_field', path: 'parent.parent.odd', detail: null },
  ])
})

test('what did not change is not written again; what did is a new version, with its changes', async (t) => {
  const dir = folder(t)
  const pull = async (schema: object, date: string): Promise<ReturnType<typeof writePulled>> =>
    writePulled(dir, await loadSchemas(dir), schemasOf([{ id: TOPIC, schema }]), date)
  await pull(LIVE, '2026-11-20')
  assert.deepEqual(await pull(structuredClone(LIVE), '2026-11-21'), { written: [], unchanged: 1 })
  const grown = { ...LIVE, properties: { ...LIVE.properties, mood: { type: 'string' } } }
  const { written } = await pull(grown, '2026-11-20')
  assert.deepEqual(
    written.map(({ version, before, changes }) => ({ version, before, changes })),
    [
      {
        version: '2026-11-20.2',
        before: { origin: 'own', version: '2026-11-20' },
        changes: [{ kind: 'field_added', path: 'mood', detail: 'string' }],
      },
    ],
  )
  assert.equal(readdirSync(dir).length, 2)
  assert.equal(new Registry((await loadSchemas(dir)).schemas).inForce(TOPIC)?.version, '2026-11-20.2')
})

test('what is as shipped is not written', async (t) => {
  const dir = folder(t)
  const shipped = new Registry()
  const live = shipped.topics().map((topic) => ({ id: topic, schema: { ...shipped.find(topic).schema } }))
  assert.deepEqual(writePulled(dir, await loadSchemas(dir), schemasOf(live), '2026-11-20'), { written: [], unchanged: 37 })
  assert.deepEqual(readdirSync(dir), [])
  const presence = live.find(({ id }) => id === TOPIC)!
  const open = { ...presence, schema: { ...presence.schema, additionalProperties: { type: 'string' } } }
  const { written } = writePulled(dir, await loadSchemas(dir), schemasOf([open]), '2026-11-20')
  assert.deepEqual(written[0]?.changes, [{ kind: 'field_added', path: '*', detail: 'string' }])
})

test('hostile names and answers never leave the folder, and never stop the others', async (t) => {
  const dir = folder(t)
  let deep: object = { type: 'string' }
  for (let i = 0; i < 5_000; i++) deep = { type: 'object', properties: { a: deep } }
  const bad = ['../../etc/passwd', 'v2/../../x', 'v2.users.\0', 'v2.users.{id}.presence\n', 'V2', '', '__proto__', `v2.${'x'.repeat(300)}`]
  const answer = [
    ...bad.map((id) => ({ id, schema: LIVE })),
    { id: 'v2.deep', schema: deep },
    { id: 'v2.pattern', schema: { type: 'object', properties: { a: { type: 'number', enum: [] } } } },
    { id: 'v2.nothing' },
    { schema: LIVE },
    null as unknown as Record<string, unknown>,
    { id: TOPIC, schema: LIVE },
    { id: TOPIC, schema: LIVE },
  ]
  const pulled = schemasOf(answer)
  assert.deepEqual(
    pulled.schemas.map(({ topic }) => topic),
    [TOPIC],
  )
  assert.equal(pulled.unusable.length, answer.length - 1)
  const before = readdirSync(dirname(dir)).length
  writePulled(dir, await loadSchemas(dir), pulled, '2026-11-20')
  assert.deepEqual(readdirSync(dir), ['v2_users_id_presence@2026-11-20.schema.json'])
  assert.equal(readdirSync(dirname(dir)).length, before)
})

test('a schema of the whole message gives that of its body', () => {
  const message = { type: 'object', properties: { topicName: { type: 'string' }, eventBody: { ...LIVE } } }
  const [whole] = schemasOf([{ id: TOPIC, schema: message }]).schemas
  const [bare] = schemasOf([{ id: TOPIC, schema: LIVE }]).schemas
  assert.deepEqual(whole, bare)
  assert.deepEqual(Object.keys(bare?.schema.definitions ?? {}), ['Definition'])
})

test('what is in our own form already, such as the shipped schemas, comes through unchanged', () => {
  const registry = new Registry()
  const shipped = registry.topics().map((topic) => ({ id: topic, schema: registry.find(topic).schema }))
  const { schemas, unusable } = schemasOf(shipped)
  assert.deepEqual([schemas.length, unusable], [37, []])
  for (const { topic, schema } of schemas) assert.deepEqual(diffSchemas(registry.find(topic).schema, schema), [], topic)
})

test('a folder that cannot be written, and a version that would not be the newest', async (t) => {
  const dir = folder(t)
  const pulled = schemasOf([{ id: TOPIC, schema: LIVE }])
  writeFileSync(join(dir, 'file'), '')
  assert.throws(
    () => writePulled(join(dir, 'file'), { schemas: [], problems: [] }, pulled, '2026-11-20'),
    (error: TrunklineError) => error.code === 'schema.unwritable',
  )
  writeFileSync(join(dir, 'own.schema.json'), JSON.stringify({ title: TOPIC, type: 'object', properties: {}, 'x-version': '9999' }))
  const loaded = await loadSchemas(dir)
  assert.throws(
    () => writePulled(dir, loaded, pulled, '2026-11-20'),
    (error: TrunklineError) => error.code === 'schema_version.order',
  )
  assert.ok(!existsSync(join(dir, 'v2_users_id_presence@2026-11-20.schema.json')))
  assert.match(readFileSync(join(dir, 'own.schema.json'), 'utf8'), /9999/)
})

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-pull-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
