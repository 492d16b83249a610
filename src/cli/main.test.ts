import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, run } from './_test-io.ts'

const VERBS = ['init', 'dev', 'start', 'send', 'tail', 'events', 'explain', 'deadletters', 'quarantine', 'config', 'test', 'fsck', 'bench']
const SUB_VERBS = [
  'deadletters list',
  'deadletters show',
  'deadletters redrive',
  'quarantine list',
  'quarantine show',
  'config show',
  'config check',
]

test('every verb has help with an example, and help is no failure', async () => {
  for (const verb of [...VERBS, ...SUB_VERBS]) {
    const { code, out, err } = await run([...verb.split(' '), '--help'])
    assert.deepEqual([code, err], [0, ''], verb)
    assert.match(out, new RegExp(`Examples:\\n {2}\\$ .*trunkline ${verb}`), verb)
  }
  const { code, out } = await run(['--help'])
  assert.equal(code, 0)
  for (const verb of VERBS) assert.match(out, new RegExp(`^ {2}${verb} `, 'm'))
})

test('wrong usage is exit code 2 and says what to do', async () => {
  const cases: [string[], RegExp][] = [
    [['tial'], /unknown command 'tial'[^]*Did you mean tail\?/],
    [['nosuch', '--help'], /unknown command 'nosuch'/],
    [['schemas', 'nosuch', '-h'], /unknown command 'nosuch'/],
    [['simulate', '--port', '4700', '--duration', '1m'], /Without --platform --port would have no effect/],
    [['simulate', '--limit', '0'], /whole number that is at least 1/],
    [['deadletters', 'redirve'], /unknown command|too many arguments/],
    [['events', '--conversaton', 'x'], /unknown option '--conversaton'[^]*Did you mean --conversation\?/],
    [['events', '--limit', '0'], /whole number from 1 to 1000/],
    [['events', '--from', 'yesterday'], /"yesterday" is no time/],
    [['explain'], /missing required argument 'id'/],
    [['init', '--format', 'yaml'], /Allowed choices are ts, json/],
    [['events', '--url', 'localhost:4680'], /config\.bad_url/],
    [['events', '--url', 'http://u:secret@127.0.0.1'], /A token goes into TRUNKLINE_TOKEN/],
    [['fsck', '--data-dir', '/does/not/exist'], /does not exist/],
    [['fsck', '--data-dir', '/tmp'], /is no data directory/],
    [['\u001b[31mevil'], /\\u001b\[31mevil/],
    [[], /Usage: trunkline/],
  ]
  for (const [argv, message] of cases) {
    const { code, out, err } = await run(argv, { terminal: true })
    assert.deepEqual([code, out], [2, ''], argv.join(' '))
    assert.match(err, message)
    assert.ok(!err.includes('\u001b') && !err.includes('u:secret'), err)
  }
})

test('init writes a configuration that is in order, an event and a test that passes; it overwrites only with --force', async (t) => {
  for (const format of ['ts', 'json']) {
    const cwd = folder(t)
    const { code, out } = await run(['init', '--format', format], { cwd })
    assert.equal(code, 0)
    assert.match(
      out,
      new RegExp(
        `^wrote trunkline\\.config\\.${format}\\nwrote events/customer-start\\.json\\nwrote tests/customer-start\\.test\\.json\\n`,
      ),
    )
    const check = await run(['config', 'check'], { cwd })
    assert.deepEqual([check.code, check.err], [0, ''])
    assert.match(check.out, /: ok, 1 route \(archive\)\n$/)
    assert.match((await run(['test'], { cwd })).out, /^passed {2}tests\/customer-start\.test\.json: [^]*1 test passed, 0 failed/)
    writeFileSync(join(cwd, `trunkline.config.${format}`), 'mine')
    const again = await run(['init', '--format', format], { cwd })
    assert.equal(again.code, 2)
    assert.match(again.err, /would be overwritten[^]*--force/)
    const other = await run(['init', '--format', format === 'ts' ? 'json' : 'ts', '--force'], { cwd })
    assert.equal(other.code, 2)
    assert.equal(readFileSync(join(cwd, `trunkline.config.${format}`), 'utf8'), 'mine')
    assert.equal((await run(['init', '--format', format, '--force', '--json'], { cwd })).code, 0)
    assert.notEqual(readFileSync(join(cwd, `trunkline.config.${format}`), 'utf8'), 'mine')
  }
})

test('the sample event decodes as what it says it is', async (t) => {
  const { decode } = await import('../event/decode.ts')
  const cwd = folder(t)
  await run(['init'], { cwd })
  const decoded = decode(readFileSync(join(cwd, 'events', 'customer-start.json')), { maxBytes: 1_000_000 })
  assert.deepEqual(
    decoded.map((one) => one.ok && [one.event.format, one.event.topic, one.event.marks.length]),
    [['eventbridge', 'v2.detail.events.conversation.{id}.customer.start', 0]],
  )
})

test('every configuration error is printed with file, path and fix, and nothing is started', async (t) => {
  const cwd = folder(t)
  const file = join(cwd, 'trunkline.config.json')
  writeFileSync(file, JSON.stringify({ rotues: {}, http: { port: 'x' }, 'a\u001b[2J': 1 }))
  for (const verb of [['config', 'check'], ['config'], ['dev'], ['start']]) {
    const { code, out, err } = await run(verb, { cwd, terminal: true })
    assert.deepEqual([code, out], [2, ''], verb.join(' '))
    assert.ok(err.includes(`${file}: rotues is no known key. [config.unknown_key]\n  fix: Did you mean "routes"?\n`), err)
    assert.ok(err.includes(`${file}: http.port must be `) && !err.includes('\u001b'), err)
  }
  const json = JSON.parse((await run(['config', 'check', '--json'], { cwd })).out) as { ok: boolean; errors: { path: string }[] }
  assert.deepEqual(
    [json.ok, json.errors.map(({ path }) => path).toSorted()],
    [false, ['["a\\u001b[2J"]', 'http.port', 'rotues'].toSorted()],
  )
  assert.ok(!existsSync(join(cwd, '.trunkline')))
})

test('config check doubts a match that no event can have, and the file is all right', async (t) => {
  const cwd = folder(t)
  const match = { detailType: ['v2.detail.events.conversation.{id}.acd.end'] }
  const routes = { crm: { match, mediaTypes: ['voices'], otherTopics: 'pass', sink: { type: 'file', dir: 'out' } } }
  writeFileSync(join(cwd, 'trunkline.config.json'), JSON.stringify({ routes }))
  const { code, out, err } = await run(['config', 'check'], { cwd })
  assert.equal(code, 0)
  assert.match(out, /: ok, 1 route \(crm\)\n$/)
  assert.match(err, /warning: .*: routes\.crm\.mediaTypes\[0\] is "voices"[^]*Did you mean "voice"\?/)
  assert.match(err, /warning: .*: routes\.crm\.match\.detailType is no key[^]*Did you mean "detail-type"\?/)
  const json = JSON.parse((await run(['config', 'check', '--json'], { cwd })).out) as { ok: boolean; warnings: { code: string }[] }
  assert.deepEqual([json.ok, json.warnings.map((warning) => warning.code)], [true, ['config.match_unknown', 'config.match_unknown']])
})

test('config check also looks at the files that are named: schemas that are none, a folder that is not there', async (t) => {
  const cwd = folder(t)
  const write = (name: string, value: unknown): void => writeFileSync(join(cwd, name), JSON.stringify(value))
  write('trunkline.config.json', { schemas: { dir: 'schemas' } })
  const check = (): ReturnType<typeof run> => run(['config', 'check'], { cwd })
  assert.match(
    (await check()).err,
    /schemas\.dir: the folder of schemas cannot be read \(ENOENT\) \[schema\.folder\]\n {2}fix: Make the folder/,
  )
  mkdirSync(join(cwd, 'schemas'))
  assert.match((await check()).out, /: ok, 1 route \(out\)/)
  write('schemas/fine.schema.json', { 'x-genesys-topic': 'acme.order', type: 'object' })
  write('schemas/none.schema.json', { type: 'object' })
  const broken = await check()
  assert.deepEqual([broken.code, broken.out], [2, ''])
  assert.match(broken.err, /none\.schema\.json: schemas\.dir: .* \[schema\.no_topic\]/)
  const { ok, errors } = JSON.parse((await run(['config', 'check', '--json'], { cwd })).out) as { ok: boolean; errors: object[] }
  assert.deepEqual([ok, errors.map((error) => Object.keys(error).toSorted())], [false, [['code', 'file', 'hint', 'message', 'path']]])
  const show = await run(['config'], { cwd })
  assert.deepEqual([show.code, show.err], [0, ''], 'a service starts without them')
})

test('config masks secrets and says where each value comes from', async (t) => {
  const cwd = folder(t)
  writeFileSync(
    join(cwd, 'trunkline.config.json'),
    JSON.stringify({
      routes: { crm: { sink: { type: 'http', url: 'https://crm.example/in', headers: { authorization: 'env:CRM_TOKEN' } } } },
    }),
  )
  const options = { cwd, env: { CRM_TOKEN: 'tops3cret', TRUNKLINE_PORT: '4700' } }
  const text = await run(['config'], options)
  assert.match(text.out, /http\.port +4700 +env\n/)
  const json = await run(['config', '--json'], options)
  assert.deepEqual((JSON.parse(json.out) as { origins: Record<string, string> }).origins['http.port'], 'env')
  for (const { out, err } of [text, json]) assert.ok(!`${out}${err}`.includes('tops3cret'))
})

test('client verbs never run the configuration file', async (t) => {
  const cwd = folder(t)
  writeFileSync(
    join(cwd, 'trunkline.config.js'),
    `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(join(cwd, 'ran'))}, ''); export default {}`,
  )
  for (const argv of [['send', '-'], ['tail'], ['events'], ['explain', 'x'], ['deadletters'], ['quarantine']]) {
    await run([...argv, '--url', 'http://127.0.0.1:9', ...(argv[0] === 'send' ? ['--timeout', '1'] : [])], { cwd, stdin: ['{}'] })
    assert.ok(!existsSync(join(cwd, 'ran')), argv[0])
  }
})
