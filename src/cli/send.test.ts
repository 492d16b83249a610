import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { folder, run, testIo } from './_test-io.ts'
import { testService, type Reply } from './_test-service.ts'
import { main } from './main.ts'

test('files, folders, arrays, gzip and standard input: every record arrives, unchanged and in order', async (t) => {
  const cwd = folder(t)
  mkdirSync(join(cwd, 'events'))
  writeFileSync(join(cwd, 'events', 'b.json'), '{"n": 2 }')
  writeFileSync(join(cwd, 'events', 'a.json'), '[ {"n":0},\n {"n":1} ]')
  writeFileSync(join(cwd, 'events', 'c.ndjson.gz'), gzipSync('{"n":3}\n\n{"n":4}'))
  writeFileSync(join(cwd, 'events', 'readme.txt'), 'no event')
  writeFileSync(join(cwd, 'pretty.json'), '{\n  "n": 5\n}\n')
  const service = await testService(t, ({ headers, body }) =>
    accepted(headers['content-type'] === 'application/json' ? 1 : linesIn(body).length),
  )
  const { code, out, err } = await run(['send', 'events', 'pretty.json', '-'], {
    cwd,
    env: { TRUNKLINE_URL: service.url },
    stdin: ['{"n":6}'],
  })
  assert.equal(code, 0, err)
  assert.match(out, /^accepted 7, quarantined 0$/m)
  assert.deepEqual(
    service.asked.map(({ headers, body }) => [headers['content-type'], body.toString()]),
    [
      ['application/x-ndjson', '{"n":0}\n{"n":1}\n{"n": 2 }\n{"n":3}\n{"n":4}\n'],
      ['application/json', '[{\n  "n": 5\n}]'],
      ['application/x-ndjson', '{"n":6}\n'],
    ],
  )
})

test('dropped connections, lost answers and 503: each line is acknowledged exactly once, and the counts are exact', async (t) => {
  const lines = Array.from({ length: 25_000 }, (_, n) => JSON.stringify({ n }))
  const cwd = folder(t)
  writeFileSync(join(cwd, 'all.ndjson'), `${lines.join('\n')}\n`)
  const acknowledged: string[] = []
  let failures = 0
  const service = await testService(t, ({ body }, response) => {
    const turn = service.asked.length % 7
    if ([0, 2, 3, 5].includes(turn)) failures++
    if (turn === 0 || turn === 2) {
      // Before the answer, or in the midst of it: the client cannot know what became of its lines.
      if (turn === 2) response.writeHead(202, { 'content-length': '1000' }).write('{"accepted":')
      setImmediate(() => response.destroy())
      return undefined
    }
    if (turn === 3) return { status: 503, headers: { 'retry-after': '2' }, json: { code: 'intake.busy', message: 'busy', hint: '' } }
    if (turn === 5) return { status: 502, json: 'a proxy' }
    acknowledged.push(...linesIn(body))
    return accepted(linesIn(body).length)
  })
  const { code, out, err, io } = await run(['send', 'all.ndjson', '--json'], { cwd, env: { TRUNKLINE_URL: service.url } })
  assert.equal(code, 0, err)
  const counts = JSON.parse(out) as Record<string, unknown>
  assert.deepEqual([counts['records'], counts['accepted'], counts['unsent'], counts['resent']], [25_000, 25_000, 0, failures])
  assert.deepEqual(acknowledged, lines)
  assert.ok(failures > 10)
  assert.equal(io.waitedMs.filter((ms) => ms === 2000).length, service.asked.filter((_, index) => (index + 1) % 7 === 3).length)
  assert.match(err, /^waiting: .*\n$/)
})

test('waits grow, and it gives up when nothing was acknowledged for the timeout', async (t) => {
  const service = await testService(t, () => ({
    status: 503,
    json: { code: 'log.full', message: 'the log is full because of route crm', hint: 'Free some space.' },
  }))
  const { code, out, err, io } = await run(['send', '--timeout', '20', '--json'], {
    env: { TRUNKLINE_URL: service.url },
    stdin: ['{"n":1}\n{"n":2}\n'],
  })
  assert.equal(code, 1)
  const waits = io.waitedMs.filter((ms) => ms !== 200)
  assert.deepEqual(waits.slice(0, 7), [125, 250, 500, 1000, 2000, 4000, 5000])
  assert.ok(waits.reduce((sum, ms) => sum + ms) < 20_000)
  const counts = JSON.parse(out) as Record<string, unknown>
  assert.deepEqual([counts['records'], counts['accepted'], counts['unsent']], [2, 0, 2])
  assert.deepEqual(counts['stoppedAt'], { source: '-', index: 0 })
  assert.match(err, /the log is full because of route crm \[send\.gave_up\]\n {2}fix: Free some space\./)
})

test('a Retry-After beyond the timeout is not waited for', async (t) => {
  const service = await testService(t, () => ({
    status: 503,
    headers: { 'retry-after': '3600' },
    json: { code: 'a.b', message: 'm', hint: '' },
  }))
  const { code, io } = await run(['send', '--timeout', '20'], { env: { TRUNKLINE_URL: service.url }, stdin: ['{"n":1}\n'] })
  assert.deepEqual([code, service.asked.length, io.waitedMs.filter((ms) => ms > 200)], [1, 1, []])
})

test('quarantined records are named by file and place, and end with exit code 1', async (t) => {
  const cwd = folder(t)
  writeFileSync(join(cwd, 'one.json'), '{"n":1}')
  writeFileSync(join(cwd, 'two.ndjson'), '{"n":2}\nbro\u001b[31mken\n')
  const errors = [{ index: 2, code: 'decode.not_json', message: 'not \u001b[2J JSON', quarantineId: 'abcdefgh-q1' }]
  const service = await testService(t, () => ({ status: 202, json: { accepted: 2, quarantined: 1, ids: ['i1', 'i2', null], errors } }))
  const { code, out, err } = await run(['send', 'one.json', 'two.ndjson'], { cwd, env: { TRUNKLINE_URL: service.url }, terminal: true })
  assert.equal(code, 1)
  assert.ok(out.includes('trunkline explain i1\n') && out.includes('quarantined 1'))
  assert.ok(err.includes('two.ndjson record 1: not \\u001b[2J JSON [decode.not_json] (trunkline quarantine show abcdefgh-q1)'), err)
})

test('a body that is too large is halved until it fits; a record too large by itself is refused alone', async (t) => {
  const lines = ['{"n":1}', '{"n":2}', `{"n":"${'x'.repeat(100)}"}`, '{"n":4}', '{"n":5}']
  const taken: string[] = []
  const service = await testService(t, ({ body }) => {
    if (body.length > 60)
      return {
        status: 413,
        json: { accepted: 0, quarantined: 1, errors: [{ index: 0, code: 'intake.too_large', message: 'too large', quarantineId: 'q' }] },
      }
    taken.push(...linesIn(body))
    return accepted(linesIn(body).length)
  })
  const { code, out } = await run(['send', '--json'], { env: { TRUNKLINE_URL: service.url }, stdin: [lines.join('\n')] })
  const counts = JSON.parse(out) as { accepted: number; refused: number; unsent: number; errors: { index: number; code: string }[] }
  assert.deepEqual([code, counts.accepted, counts.refused, counts.unsent], [1, 4, 1, 0])
  assert.deepEqual(
    counts.errors.map(({ index, code: errorCode }) => [index, errorCode]),
    [[2, 'intake.too_large']],
  )
  assert.deepEqual(taken, lines.toSpliced(2, 1))
})

test('events of a slow producer are sent while it is still at work', { timeout: 10_000 }, async (t) => {
  const first = Promise.withResolvers<void>()
  const service = await testService(t, ({ body }) => {
    first.resolve()
    return accepted(linesIn(body).length)
  })
  async function* producer(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('{"n":1}\n{"n"')
    await first.promise
    yield Buffer.from(':2}\n')
  }
  const { code, out } = await run(['send', '-'], { env: { TRUNKLINE_URL: service.url }, stdin: producer() })
  assert.deepEqual([code, out.split('\n')[0]], [0, 'accepted 2, quarantined 0'])
  assert.deepEqual(
    service.asked.map(({ body }) => body.toString()),
    ['{"n":1}\n', '{"n":2}\n'],
  )
})

test('an interrupted send says what was acknowledged and where it stopped', async (t) => {
  const service = await testService(t, ({ body }) => accepted(linesIn(body).length))
  const never = new Promise<void>(() => undefined)
  async function* producer(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('{"n":1}\n')
    setImmediate(() => io.interrupt())
    await never
  }
  const io = testIo({ env: { TRUNKLINE_URL: service.url }, stdin: producer() })
  assert.equal(await main(['send', '-'], io), 1)
  assert.match(io.err(), /Interrupted\. \[send\.interrupted\]/)
})

test('a cut gzip file is said to be one, and the next source is sent all the same', async (t) => {
  const cwd = folder(t)
  writeFileSync(join(cwd, 'cut.ndjson.gz'), gzipSync(`${'{"n":1}\n'.repeat(1000)}`).subarray(0, -12))
  writeFileSync(join(cwd, 'whole.json'), '{"n":2}')
  const service = await testService(t, ({ body }) => accepted(linesIn(body).length))
  const { code, err } = await run(['send', 'cut.ndjson.gz', 'whole.json'], { cwd, env: { TRUNKLINE_URL: service.url } })
  assert.equal(code, 1)
  assert.match(err, /cut\.ndjson\.gz cannot be read to its end/)
  assert.ok(service.asked.some(({ body }) => body.toString().endsWith('{"n":2}\n')))
})

test('a service that wants a token ends it at once; what is no Trunkline is named', async (t) => {
  const refusing = await testService(t, () => ({
    status: 401,
    json: { code: 'http.unauthorized', message: 'a token is needed', hint: 'x' },
  }))
  const refused = await run(['send'], { env: { TRUNKLINE_URL: refusing.url }, stdin: ['{"n":1}'] })
  assert.deepEqual([refused.code, refusing.asked.length], [1, 1])
  assert.match(refused.err, /a token is needed \[http\.unauthorized\]\n {2}fix: Set TRUNKLINE_TOKEN/)
  const other = await testService(t, () => ({ status: 200, json: { hello: 'world' } }))
  const odd = await run(['send'], { env: { TRUNKLINE_URL: other.url }, stdin: ['{"n":1}'] })
  assert.equal(odd.code, 1)
  assert.match(odd.err, /Check that .* is a Trunkline service/)
})

test('what is missing or empty is wrong usage, found before anything is sent', async (t) => {
  const cwd = folder(t)
  writeFileSync(join(cwd, 'a.json'), '{}')
  mkdirSync(join(cwd, 'empty'))
  const service = await testService(t, () => accepted(1))
  for (const args of [['a.json', 'missing.json'], ['a.json', 'empty'], [], ['a.json', '--timeout', '0']]) {
    const { code, err } = await run(['send', ...args], { cwd, env: { TRUNKLINE_URL: service.url } })
    assert.equal(code, 2, err)
  }
  assert.equal(service.asked.length, 0)
})

function accepted(count: number): Reply {
  return { status: 202, json: { accepted: count, quarantined: 0, errors: [] } }
}

function linesIn(body: Buffer): string[] {
  return body
    .toString()
    .split('\n')
    .filter((line) => line !== '')
}
