import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, run, testIo } from './_test-io.ts'
import { testService, type Answering } from './_test-service.ts'
import { main } from './main.ts'

const AT = Date.UTC(2026, 7, 14, 9, 30)

test('events: filters go to the service as they are, and outside text is escaped in the table', async (t) => {
  const service = await testService(t, () => ({
    json: { events: [event('e1', { topic: 'v2.x.{id}.\u001b]0;title\u0007\nfoo' })], cursor: '17', indexLagMs: 40 },
  }))
  const args = [
    'events',
    '--topic',
    'a b&c',
    '--conversation',
    'c',
    '--queue',
    'q',
    '--agent',
    'u',
    '--route',
    'r',
    '--outcome',
    'dead',
    '--from',
    '30m',
    '--to',
    '2026-08-14T09:29:00Z',
    '--limit',
    '7',
    '--cursor',
    '5',
  ]
  const { code, out, err } = await run(args, { env: { TRUNKLINE_URL: `${service.url}/` }, terminal: true })
  assert.equal(code, 0, err)
  assert.deepEqual(service.asked.find(({ path }) => path === '/v1/events')?.query, {
    topic: 'a b&c',
    conversation: 'c',
    queue: 'q',
    agent: 'u',
    route: 'r',
    outcome: 'dead',
    from: String(AT - 1_800_000),
    to: String(AT - 60_000),
    limit: '7',
    cursor: '5',
  })
  assert.ok(out.includes('x.\\u001b]0;title\\u0007\\nfoo') && !out.includes('\u0007'), out)
  assert.match(out, /2026-08-14T09:30:00\.000Z {2}e1 .* crm delivered, archive retrying/)
  assert.equal(err, 'the list is 40 ms behind intake\nmore: --cursor 17\n')
})

test('JSON output is what the service said; on a terminal it is escaped and still the same value', async (t) => {
  const page = { events: [event('e\u202e1', {})], cursor: null, indexLagMs: 0 }
  const service = await testService(t, () => ({ json: page }))
  for (const terminal of [false, true]) {
    const { code, out } = await run(['events', '--json', '--url', service.url], { terminal })
    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(out), page)
    assert.equal(out.includes('\u202e'), !terminal)
  }
})

test('colour only on a terminal, and not with NO_COLOR', async (t) => {
  const service = await testService(t, () => ({
    json: { ...event('e1', {}), receipts: [], routes: [{ route: 'crm', outcome: 'delivered', reason: null, stages: [], history: [] }] },
  }))
  const coloured = async (terminal: boolean, env: Record<string, string>): Promise<boolean> =>
    (await run(['explain', 'e1', '--url', service.url], { terminal, env })).out.includes('\u001b[')
  assert.deepEqual(
    [await coloured(true, {}), await coloured(true, { NO_COLOR: '1' }), await coloured(true, { TERM: 'dumb' }), await coloured(false, {})],
    [true, false, false, false],
  )
})

test('tail: the last events first, then every new one once, until interrupted', { timeout: 10_000 }, async (t) => {
  const pages = [
    { events: [], cursor: '10' },
    { events: [event('e9', {}), event('e8', {})], cursor: '8' },
    // e9 came between the two questions and is in both answers.
    { events: [event('e9', {}), event('e10', {})], cursor: '12' },
    { events: [], cursor: '12' },
    { events: [event('e11', { duplicateOf: 'e10', marks: ['id.reused'] })], cursor: '13' },
  ]
  const service = await testService(t, (_, response) => {
    const page = pages[service.asked.length - 1]
    if (service.asked.length === 4) {
      response.destroy()
      return undefined
    }
    if (page === undefined) io.interrupt()
    return { json: page ?? { events: [], cursor: '13' } }
  })
  const io = testIo({ env: { TRUNKLINE_URL: service.url } })
  assert.equal(await main(['tail', '-n', '2', '--route', 'crm'], io), 0)
  const lines = io.out().trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => line.split('  ')[1]),
    ['e8', 'e9', 'e10', 'e11'],
  )
  assert.equal(
    lines[3],
    '09:30:00.000Z  e11  conversation.customer.start  conversation c1  crm delivered, archive retrying, repeats e10, id.reused',
  )
  assert.deepEqual(
    service.asked.slice(1).map(({ query }) => [query['order'], query['cursor'], query['limit'], query['route']]),
    [['desc', undefined, '2', 'crm'], ...['10', '12', '12', '13'].map((cursor) => ['asc', cursor, '500', 'crm'])],
  )
  assert.match(io.err(), /could not be reached[^]*Waiting for it[^]*answers again/)
})

test('tail --since --json: NDJSON from that time on; a closed pipe ends it quietly', { timeout: 10_000 }, async (t) => {
  const service = await testService(t, () => {
    if (service.asked.length === 2) io.closeOutput()
    return { json: { events: [event(`e${service.asked.length}`, {})], cursor: '3' } }
  })
  const io = testIo({ env: { TRUNKLINE_URL: service.url } })
  assert.equal(await main(['tail', '--since', '2026-08-14', '--json'], io), 0)
  assert.equal(service.asked[0]?.query['from'], String(Date.UTC(2026, 7, 14)))
  assert.equal((JSON.parse(io.out().split('\n')[0] ?? '') as { id: string }).id, 'e1')
  assert.equal(io.err(), '')
})

test('explain: receipts, stages with what is derived, every attempt with its time; --raw is exact', async (t) => {
  const raw = '{ "a" : "\u001b[31m" }'
  const whole = {
    ...event('e1', { duplicateOf: null }),
    raw,
    receipts: [
      { id: 'e1', receivedAtMs: AT, via: 'http', verdict: 'first' },
      { id: 'e2', receivedAtMs: AT + 5000, via: 'http', verdict: 'duplicate' },
    ],
    routes: [
      {
        route: 'crm',
        outcome: 'dead',
        reason: 'http.status_500',
        revision: 'rev1',
        stages: [
          { stage: 'match', outcome: 'keep', reason: null, derived: true },
          { stage: 'deliver', outcome: 'dead', reason: 'http.status_500', derived: false },
        ],
        history: [
          {
            atMs: AT + 250,
            what: 'attempt_failed',
            attempt: 1,
            stage: 'deliver',
            reason: 'http.status_500',
            detail: 'oh\nno',
            origin: 'live',
          },
          { atMs: AT + 3200, what: 'dead', attempt: 2, stage: 'deliver', reason: 'http.status_500', detail: null, origin: 'redrive' },
        ],
      },
    ],
  }
  const service = await testService(t, ({ path }) => ({
    json: path.endsWith('/env%2F1') ? { envelopeId: 'env/1', events: [whole, whole] } : whole,
  }))
  const { out } = await run(['explain', 'e1', '--url', service.url])
  assert.match(out, /^event e1\n/)
  assert.match(
    out,
    /2 receipts\n {2}2026-08-14T09:30:00\.000Z {2}e1 {2}by http {2}first\n {2}2026-08-14T09:30:05\.000Z {2}e2 {2}by http {2}duplicate\n/,
  )
  assert.match(
    out,
    /route crm: dead \(http\.status_500\)\n {2}stage match {5}keep {2}derived, by revision rev1\n {2}stage deliver {3}dead {2}http\.status_500\n/,
  )
  assert.match(out, /09:30:00\.250Z {2}\+250 ms attempt failed attempt 1 at deliver: http\.status_500 oh\\nno\n/)
  assert.match(out, /09:30:03\.200Z {3}\+3\.2 s dead attempt 2 at deliver: http\.status_500 \[redrive\]/)
  assert.equal((await run(['explain', 'e1', '--raw', '--url', service.url])).out, `${raw}\n`)
  assert.equal((await run(['explain', 'e1', '--raw', '--url', service.url], { terminal: true })).out, '{ "a" : "\\u001b[31m" }\n')
  const both = await run(['explain', 'env/1', '--url', service.url])
  assert.equal(both.out.match(/^event e1$/gm)?.length, 2)
})

test('deadletters: list is the default; redrive of everything needs --all', async (t) => {
  const letter = {
    eventId: 'e1',
    route: 'crm',
    topic: 'v2.x',
    conversationId: null,
    reason: 'http.status_500',
    stage: 'deliver',
    detail: 'bad \u001b',
    attempts: 3,
    receivedAtMs: AT,
    diedAtMs: AT + 1,
    state: 'dead',
  }
  const service = await testService(t, ({ method, path }) => {
    if (method === 'POST') return { json: { matched: 4, redriven: 4, dryRun: false, redriveId: 2 } }
    return {
      json: path === '/v1/deadletters' ? { deadLetters: [letter], cursor: '1', total: 9 } : { ...letter, history: [], raw: '{"a":1}' },
    }
  })
  const options = { env: { TRUNKLINE_URL: service.url } }
  const list = await run(['deadletters', '--route', 'crm', '--state', 'all'], options)
  assert.deepEqual(service.asked[0]?.query, { route: 'crm', state: 'all', limit: '50' })
  assert.match(list.out, /crm {4}e1 {5}x {6}dead {3}3 {9}http\.status_500: bad \\u001b/)
  assert.equal(list.err, '1 of 9; more: --cursor 1\n')
  assert.match((await run(['deadletters', 'show', 'crm', 'e1'], options)).out, /reason +http\.status_500\n[^]*\{"a":1\}\n$/)
  const asked = service.asked.length
  assert.equal((await run(['deadletters', 'redrive'], options)).code, 2)
  assert.equal((await run(['deadletters', 'redrive', '--all', '--route', 'crm'], options)).code, 2)
  assert.equal(service.asked.length, asked)
  const redrive = await run(['deadletters', 'redrive', 'e1', 'e2', '--route', 'crm', '--per-second', '5'], options)
  assert.equal(redrive.out, 'redriven 4 of 4 dead letters (redrive 2)\n')
  assert.deepEqual(bodyOf(service.asked.at(-1)?.body), { route: 'crm', eventIds: ['e1', 'e2'], dryRun: false, perSecond: 5 })
  await run(['deadletters', 'redrive', '--all'], options)
  assert.deepEqual(bodyOf(service.asked.at(-1)?.body), { dryRun: false })
})

test('an empty quarantine says where events are that a policy quarantined', async (t) => {
  for (const [total, said] of [
    [2, 'the quarantine is empty\n2 events quarantined by policy: trunkline deadletters --reason validate.quarantined\n'],
    [0, 'the quarantine is empty\n'],
  ] as const) {
    const service = await testService(t, ({ path, query }) => {
      if (path === '/v1/quarantine') return { json: { records: [], cursor: null } }
      assert.deepEqual([path, query['reason']], ['/v1/deadletters', 'validate.quarantined'])
      return { json: { deadLetters: [], cursor: null, total } }
    })
    const ran = await run(['quarantine', '--url', service.url])
    assert.deepEqual([ran.code, ran.out, ran.err], [0, '', said])
  }
})

test('quarantine: exact bytes in JSON, those cut in the list fetched whole; --raw writes them', async (t) => {
  const whole = Buffer.from([0x7b, 0xff, 0x00, 0x0a, 0x1b])
  const base = {
    code: 'decode.not_json',
    message: 'm',
    receivedAtMs: AT,
    via: 'http',
    index: 0,
    sizeBytes: 5,
    sha256: null,
    storedBytes: 5,
  }
  const text = { ...base, id: 'q2', truncated: false, bytesBase64: Buffer.from('{"a\u001b').toString('base64') }
  const answering: Answering = ({ path }) => ({
    json:
      path === '/v1/quarantine/q1'
        ? { ...base, id: 'q1', truncated: false, bytesBase64: whole.toString('base64') }
        : { records: [{ ...base, id: 'q1', truncated: true, bytesBase64: '' }, text], cursor: null },
  })
  const service = await testService(t, answering)
  const options = { env: { TRUNKLINE_URL: service.url } }
  const json = JSON.parse((await run(['quarantine', '--json'], options)).out) as { records: { bytesBase64: string; text?: string }[] }
  assert.deepEqual(
    json.records.map((record) => [record.bytesBase64, record.text]),
    [
      [whole.toString('base64'), undefined],
      [text.bytesBase64, '{"a\u001b'],
    ],
  )
  assert.match((await run(['quarantine'], options)).out, /decode\.not_json {2}m\n {2}\{"a\\u001b\n$/)
  const { io } = await run(['quarantine', 'show', 'q1', '--raw'], options)
  assert.deepEqual(Buffer.from(io.outBytes()), whole)
  assert.ok(!(await run(['quarantine', 'show', 'q1', '--raw'], { ...options, terminal: true })).out.includes('\u001b'))
})

test('the token comes from the environment, else from the data directory, and that one goes to this machine only', async (t) => {
  const cwd = folder(t)
  mkdirSync(join(cwd, '.trunkline'))
  writeFileSync(join(cwd, '.trunkline', 'token'), 'from-file\n')
  mkdirSync(join(cwd, 'other'))
  writeFileSync(join(cwd, 'other', 'token'), 'from-other\n')
  const service = await testService(t, () => ({ json: { events: [], cursor: null } }))
  const sent = async (args: readonly string[], env: Record<string, string>): Promise<string | undefined> => {
    const { err } = await run(['events', ...args], { cwd, env: { TRUNKLINE_URL: service.url, ...env } })
    assert.equal(err, 'no events\n')
    return service.asked.at(-1)?.headers.authorization
  }
  assert.equal(await sent([], {}), 'Bearer from-file')
  assert.equal(await sent([], { TRUNKLINE_DATA_DIR: 'other' }), 'Bearer from-other')
  assert.equal(await sent(['--data-dir', 'other'], { TRUNKLINE_DATA_DIR: 'nowhere' }), 'Bearer from-other')
  assert.equal(await sent([], { TRUNKLINE_TOKEN: 'from-env' }), 'Bearer from-env')
  assert.equal(await sent(['--data-dir', 'nowhere'], {}), undefined)
})

test('a problem of the service is shown with its code and hint, escaped, and is exit code 1; no service is one too', async (t) => {
  const service = await testService(t, () => ({
    status: 404,
    json: { code: 'event.unknown', message: 'no event \u001b[2J', hint: 'look\nelsewhere' },
  }))
  const unknown = await run(['explain', 'x', '--url', service.url])
  assert.deepEqual(
    [unknown.code, unknown.out, unknown.err],
    [1, '', 'trunkline: no event \\u001b[2J [event.unknown]\n  fix: look\\nelsewhere\n'],
  )
  const redirecting = await testService(t, () => ({ status: 302, headers: { location: 'http://evil.example/' }, json: null }))
  const redirected = await run(['events', '--url', redirecting.url])
  assert.equal(redirected.code, 1)
  assert.match(redirected.err, /redirect to http:\/\/evil\.example\/, which is not followed/)
  const gone = createServer()
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
  const { port } = gone.address() as AddressInfo
  await new Promise((resolve) => gone.close(resolve))
  const nobody = await run(['events', '--url', `http://127.0.0.1:${port}`])
  assert.equal(nobody.code, 1)
  assert.match(nobody.err, /\[client\.unreachable\]\n {2}fix: Start the service/)
  // What fetch refuses by itself no wait makes work.
  const never = await run(['simulate', '--duration', '1m', '--speed', 'max', '--url', 'http://127.0.0.1:9'])
  assert.deepEqual([never.code, never.io.waitedMs], [2, []], never.err)
  assert.match(never.err, /\[config\.bad_url\]/)
})

test('what the service finds wrong in the arguments is wrong usage', async (t) => {
  for (const [code, exit] of [
    ['route.unknown', 2],
    ['flag.bad_value', 2],
    ['flag.too_many', 1],
    ['config.odd', 1],
  ] as const) {
    const service = await testService(t, () => ({ status: 400, json: { code, message: 'No.', hint: '' } }))
    assert.equal((await run(['config', 'pause', 'nope', '--url', service.url])).code, exit, code)
  }
})

function event(id: string, more: object): object {
  return {
    id,
    receivedAtMs: AT,
    occurredAtMs: AT - 1000,
    publishedAtMs: null,
    topic: 'v2.detail.events.conversation.{id}.customer.start',
    topicName: 't',
    format: 'eventbridge',
    source: 's',
    envelopeId: 'env',
    conversationId: 'c1',
    queueId: null,
    userId: null,
    marks: [],
    duplicateOf: null,
    routes: { crm: 'delivered', archive: 'retrying' },
    ...more,
  }
}

function bodyOf(body: Buffer | undefined): unknown {
  return JSON.parse(String(body)) as unknown
}
