import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { TrunklineError } from '../errors.ts'
import { loadSchemas } from './folder.ts'
import { refusalOf } from './guard.ts'
import { Registry } from './registry.ts'

const TOPIC = 'v2.users.{id}.presence'
const own = (properties: object, rest: object = {}): object => ({ 'x-genesys-topic': TOPIC, type: 'object', properties, ...rest })

test('a folder: topic from x-genesys-topic or title, version from x-version, the name, or the content', async (t) => {
  const dir = folderWith(t, {
    'a.schema.json': own({ a: { type: 'string' } }, { 'x-version': '2026-02' }),
    'b@9.1.schema.json': own({ b: { type: 'string' } }),
    'c.schema.json': { title: 'acme.call.ended', type: 'object', properties: { c: {} } },
    'notes.txt': 'not looked at',
  })
  const { schemas, problems } = await loadSchemas(dir)
  assert.deepEqual(problems, [])
  assert.deepEqual(
    schemas.map(({ topic, version }) => [topic, version.replace(/[0-9a-f]{8}$/, '#')]),
    [
      [TOPIC, '2026-02'],
      [TOPIC, '9.1'],
      ['acme.call.ended', 'content-#'],
    ],
  )
})

test('in force is what use() says, else the newest of one\u2019s own, else the shipped one', async (t) => {
  const dir = folderWith(t, {
    'new@10.schema.json': own({ ten: { type: 'string' } }),
    'old@9.schema.json': own({ nine: { type: 'string' } }),
  })
  const registry = new Registry((await loadSchemas(dir)).schemas)
  const knows = (field: string): boolean => registry.validatorOf(TOPIC)!({ [field]: 'x' }).length === 0
  assert.deepEqual(
    registry.versions(TOPIC).map((v) => [v.origin, v.version]),
    [
      ['shipped', '257.1.0'],
      ['own', '9'],
      ['own', '10'],
    ],
  )
  assert.deepEqual([knows('ten'), knows('nine'), knows('message')], [true, false, false])
  registry.use(TOPIC, '9')
  assert.deepEqual([knows('ten'), knows('nine'), registry.chosen(TOPIC), registry.revision], [false, true, '9', 1])
  registry.use(TOPIC, '257.1.0')
  assert.deepEqual([knows('nine'), knows('message')], [false, true])
  registry.use(TOPIC, null)
  registry.use(TOPIC, null)
  assert.deepEqual([knows('ten'), registry.chosen(TOPIC), registry.revision], [true, null, 3])
  assert.equal(registry.validatorOf('v2.no.such'), null)
  assert.throws(
    () => registry.use(TOPIC, '11'),
    (error: TrunklineError) => error.code === 'schema_version.unknown' && error.hint.includes('257.1.0, 9, 10'),
  )
  assert.throws(
    () => registry.use('v2.users.{id}.presense', null),
    (error: TrunklineError) => error.code === 'schema.unknown' && error.hint.includes(TOPIC),
  )
  assert.equal(registry.find('v2.detail.events.conversation.{id}.acd.end').schema['x-genesys-class'], 'AcdEndDetailEventTopicAcdEndEvent')
})

test('a version of one\u2019s own goes before a shipped one of the same name', async (t) => {
  const dir = folderWith(t, { 'a.schema.json': own({ mine: { type: 'string' } }, { 'x-version': '257.1.0' }) })
  const registry = new Registry((await loadSchemas(dir)).schemas)
  for (const version of [null, '257.1.0', null]) {
    registry.use(TOPIC, version)
    assert.deepEqual(registry.validatorOf(TOPIC)!({ mine: 'x' }), [])
  }
})

test('a file that is no schema is a problem that names file and place; its neighbours are loaded', async (t) => {
  const files: Record<string, string | object> = {
    'a-good.schema.json': own({ a: { type: 'string' } }),
    'comma.schema.json': '{\n  "title": "x",\n  "type": "object",\n}',
    'cut.schema.json': '{"title": "x", "type": "obj',
    'depends.schema.json': {
      title: 'x',
      type: 'object',
      properties: { a: {}, s: {} },
      dependencies: { a: { properties: { s: { type: 'string', pattern: '^(a+)+$' } } } },
    },
    'empty.schema.json': '',
    'list.schema.json': '[1]',
    'loop.schema.json': { title: 'x', type: 'object', anyOf: [{ $ref: '#' }] },
    'nothing.schema.json': { title: 'x' },
    'notopic.schema.json': { type: 'object' },
    'regex.schema.json': { title: 'x', type: 'object', properties: { 'a/b': { type: 'string', pattern: '(a+)+$' } } },
    'remote.schema.json': { title: 'x', type: 'object', properties: { a: { $ref: 'https://example.com/s.json' } } },
    'twice.schema.json': own({ b: {} }),
    'type.schema.json': { title: 'x', type: 'object', properties: { a: { type: 'text' } } },
    'weird.schema.json': { title: 'x', type: 'object', minProperties: 'many' },
  }
  const dir = folderWith(t, files)
  mkdirSync(join(dir, 'folder.schema.json'))
  symlinkSync('/etc/passwd', join(dir, 'link.schema.json'))
  writeFileSync(join(dir, 'big.schema.json'), ' '.repeat(1024 * 1024 + 1))
  const { schemas, problems } = await loadSchemas(dir)
  assert.deepEqual(
    schemas.map(({ file }) => file),
    [join(dir, 'a-good.schema.json')],
  )
  const said = Object.fromEntries(
    problems.map(({ file, code, message }) => [file.slice(dir.length + 1).replace('.schema.json', ''), `${code}: ${message}`]),
  )
  const expected: Record<string, RegExp> = {
    big: /^schema\.too_large: big\.schema\.json has 1048577 bytes/,
    comma: /^schema\.not_json: comma\.schema\.json .*line 4, column 1$/,
    cut: /^schema\.not_json: .*its end; it was cut off$/,
    depends: /^schema\.not_a_schema: .*#\/dependencies uses "dependencies", which is not supported/,
    empty: /^schema\.not_json/,
    folder: /^schema\.unreadable: .*no regular file/,
    link: /^schema\.unreadable: .*no regular file/,
    list: /^schema\.not_a_schema: list\.schema\.json: # is no JSON object/,
    loop: /^schema\.not_a_schema: .*#\/anyOf leads back/,
    nothing: /^schema\.not_a_schema: .*# has none of type/,
    notopic: /^schema\.no_topic/,
    regex: /^schema\.not_a_schema: .*#\/properties\/a~1b\/pattern uses pattern/,
    remote: /^schema\.not_a_schema: .*#\/properties\/a\/\$ref refers to "https:/,
    twice: /^schema\.doubled: .*two schemas that say no version/,
    type: /^schema\.not_a_schema: .*#\/properties\/a\/type has the type "text"/,
    weird: /^schema\.not_a_schema: weird\.schema\.json: .*minProperties/,
  }
  assert.deepEqual(Object.keys(said).toSorted(), Object.keys(expected).toSorted())
  for (const [name, pattern] of Object.entries(expected)) assert.match(said[name]!, pattern)
  assert.ok(problems.every(({ hint }) => hint !== ''))
})

test('a regular expression gets in by no keyword, whatever it stands in', async (t) => {
  const hidden = { type: 'object', properties: { s: { type: 'string', pattern: '^(a+)+$' } } }
  const keywords = [
    ...['dependencies', 'dependentSchemas', 'patternProperties', '$defs', 'definitions', 'properties'].map((name) => ({
      [name]: { a: hidden },
    })),
    ...['unevaluatedProperties', 'unevaluatedItems', 'additionalProperties', 'additionalItems', 'items', 'contains'].map((name) => ({
      [name]: hidden,
    })),
    ...['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'].map((name) => ({ [name]: [hidden] })),
    ...['not', 'if', 'then', 'else', 'propertyNames', 'contentSchema', 'somethingNew'].map((name) => ({ [name]: hidden })),
  ]
  const dir = folderWith(
    t,
    Object.fromEntries(keywords.map((more, i) => [`k${i}.schema.json`, { title: `t${i}`, type: 'object', ...more }])),
  )
  const { schemas, problems } = await loadSchemas(dir)
  assert.deepEqual([schemas.map(({ schema }) => schema), problems.length], [[], keywords.length])
})

test('a folder that is not there is one problem', async () => {
  const { schemas, problems } = await loadSchemas('/no/such/folder')
  assert.deepEqual(
    [schemas.length, problems.map(({ code, message }) => [code, message])],
    [0, [['schema.folder', 'the folder of schemas cannot be read (ENOENT)']]],
  )
})

test('keywords beyond the shipped ones: formats, required and branches are judged, and fail as findings', async (t) => {
  const dir = folderWith(t, {
    'a.schema.json': own(
      {
        at: { type: 'string', format: 'date-time' },
        kind: { const: 'A' },
        odd: { type: 'string', format: 'no-such' },
        mail: { type: 'string', format: 'email' },
        n: { minimum: 3 },
      },
      { required: ['at'], 'x-version': '1' },
    ),
    'b.schema.json': {
      title: 'own.topic',
      anyOf: [{ properties: { a: { type: 'string' } }, required: ['a'] }, { required: ['b'] }],
      'x-version': '1',
    },
    'c.schema.json': {
      title: 'proto.topic',
      type: 'object',
      properties: { constructor: { type: 'string' }, toString: { type: 'string' } },
    },
    'd.schema.json': {
      title: 'pulled.topic',
      'x-source': 'availabletopics',
      type: 'object',
      properties: { at: { type: 'string', format: 'date-time' } },
    },
  })
  const { schemas, problems } = await loadSchemas(dir)
  assert.deepEqual(problems, [])
  const judge = (topic: string, body: unknown): object => new Registry(schemas).validatorOf(topic)!(body)
  const at = '2026-03-19T22:04:48.128Z'
  assert.deepEqual(judge(TOPIC, { at, kind: 'A', odd: 'x', mail: 'x', n: 3 }), [])
  assert.deepEqual(judge(TOPIC, { at: 'noon' }), [{ class: 'changed_type', path: 'at', detail: 'date-time -> string' }])
  assert.deepEqual(judge(TOPIC, {}), [{ class: 'changed_type', path: 'at', detail: 'required -> absent' }])
  assert.deepEqual(judge(TOPIC, { at, kind: 'B' }), [{ class: 'new_value', path: 'kind', detail: 'B' }])
  assert.deepEqual(judge(TOPIC, { at, n: 2 }), [{ class: 'new_value', path: 'n', detail: 'not minimum' }])
  assert.deepEqual(judge('own.topic', { a: 'x', more: 1 }), [], 'an object with branches is open')
  assert.deepEqual(judge('own.topic', { a: 5 }), [{ class: 'new_value', path: '', detail: 'not anyOf' }])
  assert.deepEqual(judge('proto.topic', {}), [])
  assert.deepEqual(judge('pulled.topic', { at: 'noon' }), [])
})

test('schemas that would make validation slow are refused: branches that multiply, circles through branches', () => {
  const doubling = {
    type: 'object',
    definitions: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`d${i}`, twice(`#/definitions/d${i + 1}`)])),
  }
  Object.assign(doubling.definitions, { d20: { type: 'string' } })
  assert.match(refusalOf({ ...doubling, $ref: '#/definitions/d0' })?.message ?? '', /branches again/)
  assert.match(refusalOf({ type: 'object', not: { properties: { a: { $ref: '#' } } } })?.message ?? '', /leads back/)
  assert.match(refusalOf({ type: 'object', oneOf: Array.from({ length: 65 }, () => ({})) })?.message ?? '', /more than 64/)
  let deep: object = {}
  for (let i = 0; i < 100; i++) deep = { properties: { a: deep } }
  assert.match(refusalOf(deep)?.message ?? '', /nests deeper/)
  assert.equal(refusalOf({ type: 'object', properties: { next: { $ref: '#' } } }), null)
  assert.equal(refusalOf({ type: 'object', anyOf: [{ $ref: '#/definitions/a' }], definitions: { a: { type: 'object' } } }), null)
})

function twice(ref: string): object {
  return { anyOf: [{ properties: { a: { $ref: ref } } }, { properties: { a: { $ref: ref } } }] }
}

function folderWith(t: TestContext, files: Readonly<Record<string, string | object>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-schemas-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content))
  return dir
}
