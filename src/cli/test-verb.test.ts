/** `trunkline test`: real stages, nothing outside touched, and a difference that says which, what and why. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Ledger } from '../routes/ledger.ts'
import { folder, run, type Ran } from './_test-io.ts'

const Q1 = '2f9e3a52-9d0e-4c38-8a53-6a1ba3ecd8f1'
const Q2 = '2f9e3a52-9d0e-4c38-8a53-6a1ba3ecd8f2'
const Q3 = '2f9e3a52-9d0e-4c38-8a53-6a1ba3ecd8f3'
const CONVERSATION = '11111111-2222-3333-4444-555555555555'
const BOOM = "import { writeFileSync } from 'node:fs'; writeFileSync(new URL('ran', import.meta.url), ''); export const deliver = () => {}"
const CONFIG = {
  schemas: { policy: { '*': { new_field: 'quarantine', new_value: 'tag' } } },
  routes: {
    sales: {
      topics: ['v2.detail.events.conversation.*'],
      queues: [Q1, Q2],
      otherTopics: 'drop',
      sink: { type: 'http', url: 'http://127.0.0.1:9/never' },
    },
    code: { dedupe: false, validate: false, sink: { type: 'function', module: 'boom.js' } },
  },
}

test('outcomes of every kind are those of the stages, and nothing is started, called or written', async (t) => {
  const cwd = project(t, {
    events: [
      { event: acdEnd({ queueId: Q1 }), expect: { sales: { outcome: 'delivered', marks: [] }, code: 'delivered' } },
      { event: acdEnd({ queueId: Q1 }), expect: { sales: { outcome: 'duplicate', reason: 'duplicate' }, code: 'delivered' } },
      { event: acdEnd({ queueId: Q3 }), expect: { sales: { outcome: 'not_matched', reason: 'match.pattern' } } },
      {
        event: acdEnd({ queueId: Q1, novel: 1 }),
        expect: { sales: { outcome: 'dead', reason: 'validate.quarantined' }, code: 'delivered' },
      },
      { event: acdEnd({ queueId: Q2, mediaType: 'HOLOGRAM' }), expect: { sales: { outcome: 'delivered', marks: ['drift.new_value'] } } },
      { event: { hello: 'world' }, expect: 'decode.unrecognised' },
      { file: 'broken.json', expect: 'quarantined' },
    ],
  })
  writeFileSync(join(cwd, 'broken.json'), '{"detail": ')
  const before = readdirSync(cwd, { recursive: true })
  assert.deepEqual(pick(await run(['test'], { cwd })), [
    0,
    'passed  tests/a.test.json (7 events)\n1 test passed, 0 failed; 10 of 10 expected outcomes came out\n',
    '',
  ])
  assert.deepEqual(readdirSync(cwd, { recursive: true }), before)
  assert.equal(existsSync(join(cwd, 'ran')), false)
})

test('a route with changes takes finished conversations that a test gives it, and says why it takes no event', async (t) => {
  const finished = (id: string, queueId: string): object => ({
    source: 'trunkline',
    'detail-type': 'trunkline.conversations.{id}.finished',
    detail: {
      topicName: `trunkline.conversations.${id}.finished`,
      eventBody: { id, endedAtMs: 1_767_603_888_000, queueId, queueVisits: [{ queueId }] },
    },
  })
  const cwd = project(
    t,
    {
      events: [
        { event: finished('c1', Q1), expect: { crm: 'delivered', code: { outcome: 'not_matched', reason: 'match.changes' } } },
        { event: finished('c1', Q1), expect: { crm: 'duplicate' } },
        { event: finished('c2', Q3), expect: { crm: { outcome: 'not_matched', reason: 'match.pattern' } } },
        { event: acdEnd({ queueId: Q1 }), expect: { crm: 'delivered', code: 'delivered' } },
      ],
    },
    { routes: { crm: { changes: 'conversation', queues: [Q1], sink: CONFIG.routes.sales.sink }, code: CONFIG.routes.code } },
  )
  const [code, out] = pick(await run(['test'], { cwd }))
  assert.equal(code, 1)
  assert.match(String(out), /crm: expected delivered, got not_matched \(match\.changes\)\n\s+why: the route takes finished conversations/)
  assert.match(String(out), /5 of 6 expected outcomes came out/)
})

test('what comes out otherwise says test, event, route, both outcomes and why; exit code 1', async (t) => {
  const cwd = project(t, {
    name: 'only sales',
    events: [
      { event: acdEnd({ queueId: Q3 }), expect: { sales: 'delivered' } },
      { event: acdEnd({ queueId: Q1 }), expect: { sales: { outcome: 'delivered', marks: ['drift.new_field'] } } },
      { event: acdEnd({ queueId: Q1 }), expect: { sales: 'delivered' } },
      { event: acdEnd({ queueId: Q1, novel: 'secret' }), expect: { sales: 'delivered' } },
      { event: { hello: 'secret' }, expect: { sales: 'delivered' } },
      { event: acdEnd({ queueId: Q2 }), expect: 'decode.not_json' },
      { event: { topicName: 'v2.users.u-1.presence', eventBody: {} }, expect: { sales: 'delivered' } },
    ],
  })
  const { code, out, err } = await run(['test'], { cwd })
  assert.deepEqual([code, err], [1, ''])
  for (const line of [
    /^FAILED {2}tests\/a\.test\.json: only sales$/m,
    /^ {2}event 1 {2}v2\.detail\.events\.conversation\.\{id\}\.acd\.end$/m,
    /^ {4}sales: expected delivered, got not_matched \(match\.pattern\)\n {6}why: detail\.eventBody\.queueId is a text that none of these takes; asked for \["[^"]+f1", "[^"]+f2"\]$/m,
    /^ {4}sales: expected delivered marked drift\.new_field, got delivered without marks\n {6}why: the route takes it; it has no drift; it repeats no event before it$/m,
    /^ {4}sales: expected delivered, got duplicate\n {6}why: it repeats event 2$/m,
    /^ {4}sales: expected delivered, got dead \(validate\.quarantined\)\n {6}why: it drifts \(new_field novel\), which the policy quarantines$/m,
    /^ {2}event 5 {2}no event\n {4}sales: expected delivered, got quarantined \(decode\.unrecognised\)$/m,
    /^ {4}expected quarantined \(decode\.not_json\), got an event$/m,
    /^ {6}why: its topic is none of the route's: v2\.detail\.events\.conversation\.\*$/m,
    /^0 tests passed, 1 failed; 0 of 7 expected outcomes came out$/m,
  ])
    assert.match(out, line)
  assert.equal(out.includes('secret'), false)
})

test('one expectation stands for all events, a list for one each, and that of an event goes before', async (t) => {
  const cwd = project(t, {
    events: [acdEnd({ queueId: Q1 }), { event: acdEnd({ queueId: Q3 }), expect: { sales: 'not_matched' } }, acdEnd({ queueId: Q2 })],
    expect: { sales: 'delivered' },
  })
  write(cwd, 'tests/b.test.json', { events: [{ file: 'lines.ndjson', expect: [{ sales: 'delivered' }, { sales: 'duplicate' }] }] })
  const line = JSON.stringify(acdEnd({ queueId: Q1 }))
  writeFileSync(join(cwd, 'lines.ndjson'), `${line}\n${line}\n`)
  assert.match((await run(['test'], { cwd })).out, /^2 tests passed, 0 failed; 5 of 5/m)
  // Each test begins without a past.
  assert.match((await run(['test', 'tests/b.test.json', 'tests'], { cwd })).out, /^2 tests passed, 0 failed/m)
})

test('the example passes as it stands, and its function is not called', async () => {
  const cwd = fileURLToPath(new URL('../../examples/typed-function', import.meta.url))
  const { code, out, err } = await run(['test'], { cwd })
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^1 test passed, 0 failed; 3 of 3 expected outcomes came out$/m)
})

test('events of a folder are named by their files', async (t) => {
  const cwd = project(t, { events: [{ file: 'events', expect: { sales: 'delivered' } }] })
  write(cwd, 'events/a.json', acdEnd({ queueId: Q1 }))
  write(cwd, 'events/b.json', acdEnd({ queueId: Q3 }))
  const { code, out } = await run(['test'], { cwd })
  assert.equal(code, 1)
  assert.match(out, /^ {2}event 2 .*, from events\/b\.json$/m)
  assert.doesNotMatch(out, /event 1/)
})

test('identity is that of the log: a reused id is marked, and the window ends', async (t) => {
  const envelope = (minute: number, queueId: string): object => ({
    ...{ version: '0', id: 'e-1', 'detail-type': 'v2.detail.events.conversation.{id}.acd.end', time: `2026-01-05T09:0${minute}:00Z` },
    source: 'aws.partner/genesys.com/cloud/00000000-0000-4000-8000-000000000000/example',
    detail: { ...acdEnd({ queueId }), timestamp: `2026-01-05T09:0${minute}:00.000Z` },
  })
  const cwd = project(t, {
    events: [
      { event: envelope(0, Q1), expect: { sales: { outcome: 'delivered', marks: [] } } },
      { event: envelope(0, Q2), expect: { sales: { outcome: 'delivered', marks: ['id.reused'] } } },
      { event: envelope(0, Q1), expect: { sales: 'duplicate' } },
      { event: envelope(2, Q1), expect: { sales: 'delivered' } },
    ],
  })
  write(cwd, 'trunkline.config.json', { ...CONFIG, dedupe: { windowMs: 60_000 } })
  assert.deepEqual(pick(await run(['test'], { cwd })).slice(0, 2), [
    0,
    'passed  tests/a.test.json (4 events)\n1 test passed, 0 failed; 4 of 4 expected outcomes came out\n',
  ])
})

test('a test that is wrong is exit code 2 with every place and its fix, and nothing is judged', async (t) => {
  const event = acdEnd({ queueId: Q1 })
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [
      { events: [event], expect: { slaes: 'delivered' } },
      /expect\.slaes names no route of the configuration \[test\.unknown_route\]\n {2}fix: Did you mean sales\?/,
    ],
    [
      { events: [event], expect: { sales: 'deliverd' } },
      /expect\.sales has no known outcome \[test\.bad_file\]\n {2}fix: Did you mean "delivered"\?/,
    ],
    [{ events: [event], expect: { sales: { outcome: 'dead', resaon: 'x' } } }, /expect\.sales\.resaon is no known key[^]*"reason"/],
    [{ events: [event], expect: { sales: { outcome: 'dead', marks: 'x' } } }, /marks is no list of texts/],
    [{ events: [event], expect: {} }, /expect names no route, so nothing could fail/],
    [{ events: [event], expect: 'delivered' }, /expect is no expectation/],
    [{ events: [event] }, /events\[0\] has no expectation, so nothing could fail/],
    [{ events: [event, event], expect: [{ sales: 'dead' }] }, /expect lists 1, and 2 events have no expectation of their own/],
    [{ events: [{ event, expect: [] }] }, /events\[0\]\.expect lists 0, but there is 1 event/],
    [{ events: [], expect: { sales: 'dead' } }, /events lists no events/],
    [{ events: ['x'], expect: { sales: 'dead' } }, /events\[0\] is no object/],
    [{ evnts: [event], expect: { sales: 'dead' } }, /evnts is no known key[^]*Did you mean "events"\?/],
    [{ events: [{ file: 'gone.json', expect: 'quarantined' }] }, /events\[0\] names gone\.json, which cannot be read \[test\.unreadable\]/],
    [{ events: [{ file: '-', expect: 'quarantined' }] }, /events\[0\] names -, which cannot be read/],
    [{ events: [{ file: 'empty.json', expect: 'quarantined' }] }, /events\[0\] names empty\.json, which holds no events/],
    [[], /a\.test\.json is no object/],
    ['\u001b[2J', /a\.test\.json is no JSON: it stops making sense at line 1, column 1/],
  ]
  for (const [content, message] of cases) {
    const cwd = project(t, content)
    writeFileSync(join(cwd, 'empty.json'), '')
    const { code, out, err } = await run(['test'], { cwd, terminal: true })
    assert.deepEqual([code, out], [2, ''], String(message))
    assert.match(err, message)
    assert.ok(!err.includes('\u001b'))
  }
  const cwd = project(t, { events: [event], expect: { sales: 'delivered' } })
  assert.match((await run(['test', 'nowhere'], { cwd })).err, /nowhere does not exist or cannot be read\. \[usage\.wrong\]/)
  mkdirSync(join(cwd, 'none'))
  assert.deepEqual((await run(['test', 'none'], { cwd })).code, 2)
  assert.deepEqual((await run(['test', '--config', 'gone.json'], { cwd })).code, 2)
  write(cwd, 'tests/b.test.json', { events: [event], expect: { x: 'delivered' } })
  write(cwd, 'tests/c.test.json', { events: [event], expect: { y: 'delivered' } })
  const json = await run(['test', '--json'], { cwd })
  assert.equal(json.code, 2)
  const { ok, problems } = JSON.parse(json.out) as { ok: boolean; problems: { code: string }[] }
  assert.deepEqual([ok, problems.map((problem) => problem.code)], [false, ['test.unknown_route', 'test.unknown_route']])
})

test('--json has what came out on every route, and the differences', async (t) => {
  const cwd = project(t, { events: [{ event: acdEnd({ queueId: Q3 }), expect: { sales: 'delivered' } }] })
  const { code, out } = await run(['test', '--json'], { cwd })
  const { ok, tests } = JSON.parse(out) as {
    ok: boolean
    tests: { file: string; events: { routes: { route: string; outcome: string }[]; differences: { route: string; got: string }[] }[] }[]
  }
  assert.deepEqual([code, ok, tests[0]?.file], [1, false, 'tests/a.test.json'])
  const [event] = tests[0]?.events ?? []
  assert.deepEqual(
    event?.routes.map(({ route, outcome }) => [route, outcome]),
    [
      ['sales', 'not_matched'],
      ['code', 'delivered'],
    ],
  )
  assert.deepEqual(
    event?.differences.map(({ route, got }) => [route, got]),
    [['sales', 'not_matched (match.pattern)']],
  )
})

test('paths are those of the configuration, wherever the command runs; schemas of its folder count', async (t) => {
  const cwd = project(t, { events: [{ file: 'events/one.json', expect: { sales: 'delivered' } }] })
  write(cwd, 'events/one.json', acdEnd({ queueId: Q1, novel: 1 }))
  const elsewhere = folder(t)
  const argv = ['test', '--config', join(cwd, 'trunkline.config.json')]
  assert.match((await run(argv, { cwd: elsewhere })).out, /got dead \(validate\.quarantined\)/)
  write(cwd, 'trunkline.config.json', { ...CONFIG, schemas: { ...CONFIG.schemas, dir: 'schemas' } })
  const shipped = await run(['schemas', 'show', 'v2.detail.events.conversation.{id}.acd.end', '--json'])
  const schema = JSON.parse(shipped.out) as { properties: object }
  const own = { ...schema, 'x-version': '9999-01-01', properties: { ...schema.properties, novel: { type: 'integer' } } }
  write(cwd, 'schemas/acd-end.schema.json', own)
  const { code, out, err } = await run(argv, { cwd: elsewhere })
  assert.deepEqual([code, err], [0, ''], out)
})

function project(t: TestContext, content: unknown, config: unknown = CONFIG): string {
  const cwd = folder(t)
  write(cwd, 'trunkline.config.json', config)
  write(cwd, 'tests/a.test.json', content)
  writeFileSync(join(cwd, 'boom.js'), BOOM)
  return cwd
}

function write(cwd: string, path: string, content: unknown): void {
  const file = join(cwd, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
}

function acdEnd(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const eventBody = { eventTime: 1_767_603_600_000, conversationId: CONVERSATION, ...body }
  return { topicName: `v2.detail.events.conversation.${CONVERSATION}.acd.end`, version: '2', eventBody }
}

const pick = ({ code, out, err }: Ran): [number, string, string] => [code, out, err]

test('names mean what the test says, else what a service in the data directory knew; otherwise the test is wrong, and says what to add', async (t) => {
  const genesys = { region: 'mypurecloud.de', clientId: 'a', clientSecret: 'b' }
  const sales = { topics: ['v2.detail.events.conversation.{id}.acd.end'], queues: ['Sales'], sink: { type: 'file', dir: 'out' } }
  const events = [
    { event: acdEnd({ queueId: Q1 }), expect: { sales: 'delivered' } },
    { event: acdEnd({ queueId: Q3 }), expect: { sales: 'not_matched' } },
  ]
  const at = (names: object): string => {
    const cwd = project(t, { ...names, events })
    writeFileSync(join(cwd, 'trunkline.config.json'), JSON.stringify({ genesys, routes: { sales } }))
    return cwd
  }
  const passed = await run(['test'], { cwd: at({ names: { queues: { Sales: [Q1, Q2] } } }) })
  assert.deepEqual([passed.code, passed.err], [0, ''])
  assert.match(passed.out, new RegExp(`\\n {2}sales {2}queues: "Sales" is ${Q1}, ${Q2}\\n`))

  const cwd = at({})
  const unknown = await run(['test'], { cwd })
  assert.equal(unknown.code, 2)
  assert.match(unknown.err, /route sales has "Sales" in queues.*\n.*Add "names": \{ "queues": \{ "Sales": "ID" \} \}/)
  const bad = await run(['test'], { cwd: at({ names: { queues: { Sales: 5 }, users: {} } }) })
  assert.deepEqual([bad.code, bad.err.match(/test\.bad_file/g)?.length], [2, 2])

  const ledger = new Ledger(join(cwd, 'kept.db'))
  const text = JSON.stringify({ version: 1, kinds: { queues: { loadedAtMs: 1, names: [[Q1, 'Sales', 1]] } } })
  ledger.run('INSERT INTO kept (name, value) VALUES (?, ?)', 'names', text)
  ledger.close()
  mkdirSync(join(cwd, '.trunkline'))
  renameSync(join(cwd, 'kept.db'), join(cwd, '.trunkline', 'ledger.db'))
  assert.equal((await run(['test'], { cwd })).code, 0)
  const shown = (await run(['config'], { cwd })).out
  assert.match(shown, new RegExp(`routes\\.sales names +queues: "Sales" is ${Q1} +directory`))
  assert.match(shown, new RegExp(`routes\\.sales matches +.*"queueId":\\["${Q1}"\\]`))
})
