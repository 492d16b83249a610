import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, existsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { dead, hold, KEEP, retry } from '../pipeline/outcome.ts'
import { eventOf } from '../testing/event-of.ts'
import { handClock } from '../testing/hand-clock.ts'
import { sinkContract } from '../testing/sink-contract.ts'
import { handedEvent } from './function-event.ts'
import { functionSink } from './function.ts'
import { GRACE_MS, isRunning, TIMEOUT_MS, until, userFunction } from '../testing/user-function.ts'

const FOREVER = 'new Promise(() => {})'
const TIMED_OUT = retry('sink.function_timeout', `not done within ${TIMEOUT_MS} ms`)
const STOPPED = retry('sink.stopped')

sinkContract('the function sink', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-function-'))
  const module = join(dir, 'keep.mjs')
  writeFileSync(
    module,
    `import { appendFileSync } from 'node:fs'
export const deliver = (event) => appendFileSync(new URL('out', import.meta.url), Buffer.from(event.raw).toString('base64') + '\\n')`,
  )
  return {
    sink: (document) =>
      functionSink({
        module,
        concurrency: 8,
        clock: handClock(),
        handed: (event) => ({ ...handedEvent(event), raw: document(event) }),
        warn: (code, message) => assert.fail(`${code}: ${message}`),
      }),
    arrived: async () => {
      const lines = existsSync(join(dir, 'out')) ? readFileSync(join(dir, 'out'), 'utf8').trimEnd().split('\n') : []
      return lines.map((line) => Buffer.from(line, 'base64'))
    },
    cleanUp: async () => rmSync(dir, { recursive: true }),
  }
})

describe('what a function gets', () => {
  test('the event with its facts and its parsed body, and the context of the delivery', async () => {
    const raw = Buffer.from('{"detail":{"eventBody":{"queueId":"q","big":12345678901234567890}}}')
    const at = await userFunction(`export const deliver = async ({ raw, ...event }, { signal, ...context }) => {
      note(JSON.stringify([event, context, signal.aborted, Buffer.from(raw).toString()]))
    }`)
    const event = eventOf({ raw, redelivered: true, key: new Uint8Array(16).fill(0xab), marks: ['redriven'] })
    assert.deepEqual(await at.deliver(event), KEEP)
    const { id, topic, topicName, params, format, source, orgId, envelopeId, conversationId, queueId, userId } = event
    const { occurredAtMs, publishedAtMs, receivedAtMs, marks } = event
    const ids = { id, topic, topicName, params, format, source, orgId, envelopeId, conversationId, queueId, userId }
    const facts = { ...ids, occurredAtMs, publishedAtMs, receivedAtMs, marks, names: null }
    assert.deepEqual(JSON.parse(at.notes()[0] ?? ''), [
      { ...facts, body: { queueId: 'q', big: 1.2345678901234567e19 } },
      { redelivered: true, idempotencyKey: 'ab'.repeat(16) },
      false,
      raw.toString(),
    ])
  })

  test('the body is eventBody, else detail, else the whole record', async () => {
    const at = await userFunction('export const deliver = (event) => note(JSON.stringify(event.body))')
    const records = [
      '{"detail":{"eventBody":{"a":1}}}',
      '{"eventBody":{"a":2}}',
      '{"detail":{"a":3}}',
      '{"event":"x","a":4}',
      '{"eventBody":null}',
    ]
    for (const record of records) assert.deepEqual(await at.deliver(eventOf({ raw: Buffer.from(record) })), KEEP)
    assert.deepEqual(at.notes(), ['{"a":1}', '{"a":2}', '{"a":3}', '{"event":"x","a":4}', 'null'])
  })

  test('what the route adds', async () => {
    const at = await userFunction('export const deliver = (event) => note([event.names.queue, ...event.marks])', {
      handed: (event) => handedEvent(event, { names: { queue: 'Sales' }, marks: ['topic.unknown'] }),
    })
    assert.deepEqual(await at.deliver(eventOf({ marks: ['redriven'] })), KEEP)
    assert.deepEqual(at.notes(), ['Sales,redriven,topic.unknown'])
  })

  test('one event of 1 MiB', async () => {
    const at = await userFunction('export const deliver = (event) => note(event.body.text.length)')
    const raw = Buffer.from(JSON.stringify({ eventBody: { text: 'é'.repeat(1024 * 1024) } }))
    assert.deepEqual(await at.deliver(eventOf({ raw })), KEEP)
    assert.deepEqual(at.notes(), [String(1024 * 1024)])
  })
})

describe('a function that throws', () => {
  const cases: readonly (readonly [thrown: string, detail: string])[] = [
    ["new TypeError('no\\n way\\u202e')", 'TypeError: no way (handler.mjs:5:1)'],
    ['null', 'null'],
    ['undefined', 'undefined: undefined'],
    ["'text'", 'string: text'],
    ["Symbol('s')", 'symbol: Symbol(s)'],
    ['{ code: 5 }', 'an object without a message'],
    ["{ get message() { throw new Error('no') } }", 'something that cannot be read'],
    ["new Proxy({}, { get() { throw new Error('no') }, getPrototypeOf() { throw new Error('no') } })", 'something that cannot be read'],
    ['{ message: { toString() { throw 1 } }, name: 7 }', 'an object without a message'],
    ["Object.assign(new Error('plain'), { permanent: 'yes', stack: 5 })", 'Error: plain'],
  ]

  test('is a failed attempt, told in one bounded line whatever was thrown', async () => {
    const at = await userFunction(`const thrown = [${cases.map(([thrown]) => `() => (\n${thrown}\n)`).join(',')}]
      export const deliver = async (event) => { throw thrown[event.body.n]() }`)
    for (const [n, [thrown, detail]] of cases.entries()) {
      const outcome = await at.deliver(eventOf({ raw: Buffer.from(`{"eventBody":{"n":${n}}}`) }))
      assert.ok(outcome.type === 'retry' && outcome.reason === 'sink.function_threw', thrown)
      assert.equal(outcome.detail?.replace(/handler.mjs:\d+:\d+/, 'handler.mjs:5:1'), detail, thrown)
    }
    assert.deepEqual(at.warnings, [])
  })

  test('with a huge message is told in part', async () => {
    const at = await userFunction("export const deliver = () => { throw new Error('x'.repeat(20_000_000)) }")
    const outcome = await at.deliver()
    assert.ok(outcome.type === 'retry')
    assert.match(outcome.detail ?? '', /^Error: x{300,500}…? \(handler/)
  })

  test('an error that says it is permanent is the end of the event', async () => {
    const at = await userFunction(
      "export const deliver = () => { throw Object.assign(new Error('unknown queue'), { permanent: true, stack: '' }) }",
    )
    assert.deepEqual(await at.deliver(), dead('sink.function_permanent', 'Error: unknown queue'))
  })

  test('the place in the code is told', async () => {
    const at = await userFunction('export const deliver = (event) => event.body.nothing.more')
    const outcome = await at.deliver()
    assert.ok(outcome.type === 'retry')
    assert.match(outcome.detail ?? '', /^TypeError: .*\(handler\.mjs:5:\d+\)$/)
  })
})

describe('a function that does not end', () => {
  test('an endless loop costs one attempt and the process', async () => {
    const at = await userFunction(
      "export const deliver = (event) => { note(process.pid); if (event.body.loop) { log('looping'); for (;;); } }",
    )
    const looping = at.deliver(eventOf({ raw: Buffer.from('{"eventBody":{"loop":true}}') }))
    await at.printed('looping')
    at.clock.pass(TIMEOUT_MS)
    await until(() => at.clock.waiting() === 2)
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await looping, TIMED_OUT)
    assert.deepEqual(await at.deliver(), KEEP)
    const [first, second] = at.notes().map(Number)
    assert.notEqual(first, second)
    await until(() => !isRunning(first ?? 0))
  })

  test('a promise that never settles costs the same; its signal aborts', async () => {
    const at = await userFunction(
      `export const deliver = (event, { signal }) => { log('begun'); signal.addEventListener('abort', () => setTimeout(log, 20, 'aborted')); return ${FOREVER} }`,
    )
    const hanging = at.deliver()
    await at.printed('begun')
    at.clock.pass(TIMEOUT_MS)
    await at.printed('aborted')
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await hanging, TIMED_OUT)
  })

  test('one that stops when its signal aborts keeps its process', async () => {
    const at = await userFunction(`export const deliver = (event, { signal, redelivered }) => {
      note(process.pid)
      if (redelivered) return
      log('begun')
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }`)
    const slow = at.deliver()
    await at.printed('begun')
    at.clock.pass(TIMEOUT_MS)
    assert.deepEqual(await slow, TIMED_OUT)
    assert.deepEqual(await at.deliver(eventOf({ redelivered: true })), KEEP)
    assert.equal(new Set(at.notes()).size, 1)
  })

  test('one that succeeds while it is told to stop has succeeded', async () => {
    const at = await userFunction(
      "export const deliver = (event, { signal }) => { log('begun'); return new Promise((resolve) => signal.addEventListener('abort', resolve)) }",
    )
    const slow = at.deliver()
    await at.printed('begun')
    at.clock.pass(TIMEOUT_MS)
    assert.deepEqual(await slow, KEEP)
  })
})

describe('a function that takes its process down', () => {
  const ends: readonly (readonly [what: string, code: string, reason: string, detail: RegExp])[] = [
    ['exits with 0', 'process.exit(0)', 'exited', /^exit code 0$/],
    ['exits with 1', 'process.exit(1)', 'exited', /^exit code 1$/],
    ['exits later', `setTimeout(() => process.exit(7), 1); return ${FOREVER}`, 'exited', /^exit code 7$/],
    ['aborts', 'process.abort()', 'exited', /^signal SIGABRT$/],
    ['kills itself', "process.kill(process.pid, 'SIGKILL'); for (;;);", 'exited', /^signal SIGKILL$/],
    ['throws in a timer', `setTimeout(() => { throw new Error('late') }, 1); return ${FOREVER}`, 'crashed', /^Error: late \(handler/],
    ['throws null in a timer', `setTimeout(() => { throw null }, 1); return ${FOREVER}`, 'crashed', /^null$/],
    ['rejects unheard', `Promise.reject(new Error('unheard')); return ${FOREVER}`, 'crashed', /^Error: unheard/],
    [
      'throws 5 MB in a timer',
      `setTimeout(() => { throw new Error('x'.repeat(5e6)) }, 1); return ${FOREVER}`,
      'crashed',
      /^Error: x{300,500}/,
    ],
    ['fills its memory', 'const all = []; for (;;) all.push(all.length + 0.5)', 'out_of_memory', /^the limit is 32 MiB$/],
    ['takes memory in large pieces', 'const all = []; for (;;) all.push(new Array(3e6).fill(0))', 'out_of_memory', /^the limit is 32 MiB$/],
  ]
  for (const [what, code, reason, detail] of ends) {
    test(`${what}: one failed attempt, and the next event is delivered`, async () => {
      const at = await userFunction(`export const deliver = (event, { redelivered }) => { if (!redelivered) { ${code} } }`, {
        maxMemoryBytes: 32 * 1024 * 1024,
      })
      const outcome = await at.deliver()
      assert.ok(outcome.type === 'retry')
      assert.equal(outcome.reason, `sink.function_${reason}`)
      assert.match(outcome.detail ?? '', detail)
      assert.deepEqual(await at.deliver(eventOf({ redelivered: true })), KEEP)
      assert.deepEqual(at.warnings, [])
    })
  }

  test('what an event left behind is not put on the next one', async () => {
    const at = await userFunction(`export const deliver = (event, { redelivered }) => {
      if (redelivered) return log('second') ?? ${'new Promise((resolve) => setTimeout(resolve, 100))'}
      setTimeout(() => { throw new Error('left behind') }, 50)
    }`)
    assert.deepEqual(await at.deliver(), KEEP)
    assert.deepEqual(await at.deliver(eventOf({ redelivered: true })), KEEP)
    assert.equal(at.lines.filter((line) => line === 'second').length, 2)
    assert.match(at.warnings.join(), /^sink\.function_crashed: .*outside of a call \(Error: left behind/)
  })
})

describe('a module that cannot be loaded', () => {
  const broken: readonly (readonly [what: string, text: string, said: RegExp])[] = [
    ['has a syntax error', 'export const deliver = (', /line 5.*Correct the file there/],
    ['imports what does not exist', "import 'no-such-package'", /"no-such-package" does not exist.*npm install/],
    ['does not export the function', 'export const other = 1', /exports no deliver\. It exports other\..*export async function deliver/],
    ['exports something else', 'export const deliver = 1', /exports as deliver is no function/],
    ['throws', "throw new Error('not today')", /not today/],
    ['ends its process', 'process.exit(3)', /ended while it loaded \(exit code 3\)/],
    [
      'throws in a timer while it loads',
      `setTimeout(() => { throw new Error('early') }, 1); await ${FOREVER}`,
      /ended while it loaded \(Error: early/,
    ],
  ]
  for (const [what, text, said] of broken) {
    test(`${what}: events wait, it is said once, and the mended file is taken up`, async () => {
      const at = await userFunction(text)
      const untilMs = at.clock.nowMs() + 1_000
      assert.deepEqual(await at.deliver(), hold('sink.function_load', untilMs))
      at.clock.pass(999)
      assert.deepEqual(await at.deliver(), hold('sink.function_load', untilMs), 'no process before its time')
      assert.equal(at.warnings.length, 1, at.warnings.join('\n'))
      assert.match(at.warnings[0] ?? '', said)
      assert.ok(at.warnings[0]?.startsWith(`sink.function_load: ${at.module} cannot be used: `))
      at.write('export const deliver = () => undefined')
      at.clock.pass(1)
      assert.deepEqual(await at.deliver(), KEEP)
      assert.match(at.warnings[1] ?? '', /^sink\.function_loaded/)
    })
  }

  test('the wait grows, and has an end; the reason is said once', async () => {
    const at = await userFunction('export const deliver = 1')
    const waits: number[] = []
    for (let i = 0; i < 7; i++) {
      const outcome = await at.deliver()
      assert.ok(outcome.type === 'hold')
      waits.push(outcome.untilMs - at.clock.nowMs())
      at.clock.pass(outcome.untilMs - at.clock.nowMs())
    }
    assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    assert.equal(at.warnings.length, 1)
  })

  test('one that never finishes loading is given up after a time', async () => {
    const at = await userFunction("log('loading'); for (;;);")
    const waiting = at.deliver()
    await at.printed('loading')
    at.clock.pass(30_000)
    assert.equal((await waiting).type, 'hold')
    assert.match(at.warnings.join(), /did not finish loading/)
  })

  test('a file that is not there', async () => {
    const at = await userFunction('', { module: '/nowhere/handler.ts' })
    assert.equal((await at.deliver()).type, 'hold')
    assert.match(at.warnings.join(), /does not exist.*`module` of the sink/)
  })
})

describe('modules', () => {
  const typed = "import { type Deliver } from 'trunkline/events'\nexport const deliver: Deliver = (event): void => note(event.id)"
  const kinds: readonly (readonly [file: string, text: string, name?: string])[] = [
    ['handler.ts', typed],
    ['handler.mts', typed],
    ['handler.js', 'export const deliver = (event) => note(event.id)'],
    ['default.mjs', 'export default (event) => note(event.id)'],
    ['named.mjs', 'export const deliver = 1\nexport function save(event) { note(event.id) }', 'save'],
    ['common.cjs', "module.exports = { deliver: (event) => require('node:fs').appendFileSync(__dirname + '/out', event.id + '\\n') }"],
  ]
  for (const [file, text, name] of kinds) {
    test(`${file} is loaded`, async () => {
      const at = await userFunction(text, name === undefined ? { file } : { file, export: name })
      assert.deepEqual(await at.deliver(), KEEP, at.warnings.join())
      assert.deepEqual(at.notes(), [eventOf().id])
    })
  }
})

describe('stopping', () => {
  test('the signal reaches the call; one that does not end is ended, and no attempt is counted', async () => {
    const at = await userFunction(
      `export const deliver = (event, { signal }) => { log('begun'); signal.addEventListener('abort', () => log('aborted')); return ${FOREVER} }`,
    )
    const stop = new AbortController()
    const running = at.deliver(eventOf(), stop.signal)
    await at.printed('begun')
    stop.abort()
    await at.printed('aborted')
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await running, STOPPED)
  })

  test('a call that fails because it was told to stop is no attempt; one that succeeds is delivered', async () => {
    const at = await userFunction(
      `export const deliver = (event, { signal, redelivered }) => { log('begun'); return new Promise((resolve, reject) => signal.addEventListener('abort', redelivered ? resolve : reject)) }`,
      { concurrency: 2 },
    )
    const stop = new AbortController()
    const running = [at.deliver(eventOf(), stop.signal), at.deliver(eventOf({ redelivered: true }), stop.signal)]
    await at.printed('begun', 2)
    stop.abort()
    assert.deepEqual(await Promise.all(running), [STOPPED, KEEP])
  })

  test('close ends calls under way and calls that wait, and leaves no process', async () => {
    const at = await userFunction(`export const deliver = () => { log(process.pid); log('begun'); return ${FOREVER} }`)
    const calls = [at.deliver(), at.deliver(), at.deliver()]
    await at.printed('begun')
    const closing = at.sink.close()
    await until(() => at.clock.waiting() === 2)
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await Promise.all(calls), [STOPPED, STOPPED, STOPPED])
    await closing
    assert.equal(isRunning(Number(at.lines[0])), false)
    assert.equal(at.clock.waiting(), 0)
    await until(() => !process.getActiveResourcesInfo().includes('ProcessWrap'))
  })

  test('close while the module loads', async () => {
    const at = await userFunction(`await ${FOREVER}`)
    const waiting = at.deliver()
    await at.sink.close()
    assert.deepEqual(await waiting, STOPPED)
    await until(() => !process.getActiveResourcesInfo().includes('ProcessWrap'))
  })

  for (const stream of ['stdout', 'stderr', 'inherit'])
    test(`what the function left in the background does not keep the service (${stream})`, async () => {
      const open = (): number => process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap' || name === 'PipeWrap').length
      const openBefore = open()
      const stdio =
        stream === 'inherit' ? "'inherit'" : `['ignore', ${stream === 'stdout' ? "'inherit', 'ignore'" : "'ignore', 'inherit'"}]`
      const at = await userFunction(`import { spawn } from 'node:child_process'
        export const deliver = () => {
          const child = spawn('sleep', ['60'], { detached: true, stdio: ${stdio} })
          child.unref()
          note(child.pid)
        }`)
      assert.deepEqual(await at.deliver(), KEEP)
      await at.sink.close()
      const [pid = 0] = at.notes().map(Number)
      assert.ok(isRunning(pid))
      try {
        for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve))
        assert.equal(open(), openBefore)
      } finally {
        process.kill(pid)
      }
    })

  test('signals meant for the service do not end the process', async () => {
    const at = await userFunction(
      "export const deliver = () => { for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(process.pid, s) }",
    )
    assert.deepEqual(await at.deliver(), KEEP)
    assert.deepEqual(await at.deliver(), KEEP)
    assert.deepEqual(at.warnings, [])
  })
})
