/** Several calls at once: only the one at fault fails, and the others do not notice, or are made again. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Event } from '../event/event.ts'
import { KEEP, retry, type Outcome } from '../pipeline/outcome.ts'
import { eventsOf } from '../testing/event-of.ts'
import { Life, world } from '../testing/route-harness.ts'
import { deliverAll } from '../testing/sink-contract.ts'
import { GRACE_MS, isRunning, TIMEOUT_MS, until, userFunction, type UserFunction } from '../testing/user-function.ts'

const TIMED_OUT = retry('sink.function_timeout', `not done within ${TIMEOUT_MS} ms`)

/** Events whose body says what they are to do. */
const doing = (...what: readonly string[]): readonly Event[] =>
  eventsOf(what.length).map((event, n) => ({ ...event, raw: Buffer.from(JSON.stringify({ eventBody: { n, what: what[n] } })) }))

/** How often each event's call was begun. */
function begun(at: UserFunction): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const note of at.notes()) counts.set(note, (counts.get(note) ?? 0) + 1)
  return counts
}

for (const concurrency of [1, 8]) {
  test(`500 events, ${concurrency} at once: each exactly once`, async () => {
    const at = await userFunction(`export const deliver = async (event) => { await null; note(event.id) }`, { concurrency })
    const events = eventsOf(500)
    assert.deepEqual(
      await deliverAll(at.sink, events),
      events.map(() => KEEP),
    )
    assert.deepEqual(at.notes().toSorted(), events.map(({ id }) => id).toSorted())
  })
}

describe('one poisoned event among fifty', () => {
  const kept = Array.from({ length: 49 }, () => KEEP)
  const poisoned = async (what: string): Promise<{ at: UserFunction; poison: Promise<Outcome>; others: Promise<readonly Outcome[]> }> => {
    const at = await userFunction(
      `export const deliver = async ({ body }, { signal }) => {
        note(String(body.n))
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (body.what === '') return
        signal.addEventListener('abort', () => setTimeout(log, 20, 'told'))
        log('poison')
        ${what}
        await new Promise(() => {})
      }`,
      { concurrency: 8 },
    )
    const calls = doing(...Array.from({ length: 50 }, (_, n) => (n === 20 ? what : ''))).map((event) => at.deliver(event))
    const [poison] = calls.splice(20, 1)
    return { at, poison: poison ?? assert.fail(), others: Promise.all(calls) }
  }

  test('that hangs fails alone, and no other is called twice', async () => {
    const { at, poison, others } = await poisoned('await new Promise(() => {})')
    assert.deepEqual(await others, kept)
    await at.printed('poison')
    at.clock.pass(TIMEOUT_MS)
    await at.printed('told')
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await poison, TIMED_OUT)
    assert.deepEqual(
      [...begun(at).values()],
      Array.from({ length: 50 }, () => 1),
    )
  })

  test('that loops for ever fails alone: those that it blocked get their own turn', async () => {
    const { at, poison, others } = await poisoned('for (;;);')
    await at.printed('poison')
    at.clock.pass(TIMEOUT_MS)
    await until(() => at.clock.waiting() > 0)
    at.clock.pass(GRACE_MS)
    await at.printed('poison', 2)
    at.clock.pass(TIMEOUT_MS)
    await until(() => at.clock.waiting() > 0)
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await poison, TIMED_OUT)
    assert.deepEqual(await others, kept)
    assert.equal(begun(at).get('20'), 2)
  })

  test('that ends the process fails alone', async () => {
    const { at, poison, others } = await poisoned('process.exit(9)')
    assert.deepEqual(await poison, retry('sink.function_exited', 'exit code 9'))
    assert.deepEqual(await others, kept)
    assert.equal(begun(at).get('20'), 1)
  })

  test('that throws where nobody catches it fails alone', async () => {
    const { at, poison, others } = await poisoned("setImmediate(() => { throw Object.assign(new Error('poison'), { stack: '' }) })")
    assert.deepEqual(await poison, retry('sink.function_crashed', 'Error: poison'))
    assert.deepEqual(await others, kept)
    assert.equal(begun(at).get('20'), 1)
  })
})

describe('a call that blocks the process', () => {
  test('from its beginning is known: it alone fails, and those behind it are made again at once', async () => {
    const at = await userFunction(
      `export const deliver = ({ body }) => {
        note(String(body.n))
        if (body.what === '') return
        log('loops')
        for (;;);
      }`,
      { concurrency: 4 },
    )
    const outcomes = Promise.all(doing('', 'loop', '', '', '').map((event) => at.deliver(event)))
    await at.printed('loops')
    at.clock.pass(TIMEOUT_MS)
    await until(() => at.clock.waiting() > 0)
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await outcomes, [KEEP, TIMED_OUT, KEEP, KEEP, KEEP])
    assert.deepEqual(
      [...begun(at).values()],
      Array.from({ length: 5 }, () => 1),
    )
  })

  test('beside one that waits for something is not known', async () => {
    const at = await userFunction(
      `export const deliver = async ({ body }) => {
        if (body.what === 'loop') {
          log('loops')
          for (;;);
        }
        log('waits')
        await new Promise((resolve) => setTimeout(resolve, 100))
      }`,
      { concurrency: 2 },
    )
    const [waits, loop] = doing('wait', 'loop')
    assert.ok(waits && loop)
    const waiting = at.deliver(waits)
    await at.printed('waits')
    for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve))
    const looping = at.deliver(loop)
    await at.printed('loops')
    at.clock.pass(TIMEOUT_MS)
    await until(() => at.clock.waiting() > 0)
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await waiting, KEEP)
    await at.printed('loops', 2)
    at.clock.pass(TIMEOUT_MS)
    await until(() => at.clock.waiting() > 0)
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await looping, TIMED_OUT)
  })
})

describe('a call that brings the process down', () => {
  test('fails alone; those beside it are made again, and go on where the time of a call begins anew', async () => {
    const at = await userFunction(
      `export const deliver = ({ body }, { signal }) => {
        note(String(body.n))
        if (body.what === 'wait') return new Promise((resolve) => { log('waiting'); signal.addEventListener('abort', resolve) })
        process.exit(4)
      }`,
      { concurrency: 3 },
    )
    const [first, second, third] = doing('wait', 'wait', 'exit')
    assert.ok(first && second && third)
    const waiting = [at.deliver(first), at.deliver(second)]
    await at.printed('waiting', 2)
    at.clock.pass(TIMEOUT_MS - 1)
    assert.deepEqual(await at.deliver(third), retry('sink.function_exited', 'exit code 4'))
    await at.printed('waiting', 4)
    at.clock.pass(TIMEOUT_MS - 1)
    assert.equal(at.clock.waiting(), 2, 'their time is not up')
    assert.deepEqual(
      [...begun(at)],
      [
        ['0', 2],
        ['1', 2],
        ['2', 1],
      ],
    )
    at.clock.pass(1)
    assert.deepEqual(await Promise.all(waiting), [KEEP, KEEP])
  })

  test('without a trace is found by calling one at a time', async () => {
    const at = await userFunction(
      `export const deliver = async ({ body }) => {
        note(String(body.n))
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (body.what === 'kill') process.kill(process.pid, 'SIGKILL')
        await new Promise((resolve) => setTimeout(resolve, 50))
      }`,
      { concurrency: 3 },
    )
    const outcomes = await Promise.all(doing('', 'kill', '').map((event) => at.deliver(event)))
    assert.deepEqual(outcomes, [KEEP, retry('sink.function_exited', 'signal SIGKILL'), KEEP])
  })

  test('again and again, by what no event is to blame for, costs the events an attempt in the end', async () => {
    const at = await userFunction(
      `export const deliver = () => new Promise(() => {})
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50)`,
      { concurrency: 2 },
    )
    const outcomes = await Promise.all(doing('', '').map((event) => at.deliver(event)))
    assert.deepEqual(outcomes, [retry('sink.function_exited', 'signal SIGKILL'), retry('sink.function_exited', 'signal SIGKILL')])
  })
})

describe('a process that is given up', () => {
  const LOOPING = `note(process.pid)
    log('loaded')
    export const deliver = ({ body }) => {
      if (body.what === '') return
      log('loops')
      for (;;);
    }`

  test('is followed by one that was started before', async () => {
    const at = await userFunction(LOOPING)
    const [loop, next] = doing('loop', '')
    assert.ok(loop && next)
    const outcomes = [at.deliver(loop), at.deliver(next)]
    await at.printed('loops')
    at.clock.pass(TIMEOUT_MS)
    await until(() => at.clock.waiting() === 2)
    at.clock.pass(GRACE_MS / 2)
    await at.printed('loaded', 2)
    const [first, second] = at.notes().map(Number)
    assert.ok(isRunning(first ?? 0) && isRunning(second ?? 0))
    at.clock.pass(GRACE_MS / 2)
    assert.deepEqual(await Promise.all(outcomes), [TIMED_OUT, KEEP])
    assert.equal(at.notes().length, 2)
    await at.sink.close()
    assert.ok(!isRunning(first ?? 0) && !isRunning(second ?? 0))
  })

  test('is no matter when the one that follows cannot be loaded beside it', async () => {
    const at = await userFunction(LOOPING)
    const [loop, next] = doing('loop', '')
    assert.ok(loop && next)
    const looping = at.deliver(loop)
    await at.printed('loops')
    const good = readFileSync(at.module, 'utf8')
    writeFileSync(at.module, "import { appendFileSync } from 'node:fs'\nappendFileSync(new URL('out', import.meta.url), 'bad\\n')\nthrow 1")
    at.clock.pass(TIMEOUT_MS)
    await until(() => at.clock.waiting() === 2)
    at.clock.pass(GRACE_MS / 2)
    await until(() => at.notes().includes('bad') && at.clock.waiting() === 1)
    writeFileSync(at.module, good)
    at.clock.pass(GRACE_MS / 2)
    assert.deepEqual(await looping, TIMED_OUT)
    assert.deepEqual(await at.deliver(next), KEEP)
    assert.deepEqual(at.warnings, [])
  })

  test('has no longer than a call may take', async () => {
    const at = await userFunction(LOOPING, { timeoutMs: 200 })
    const [loop] = doing('loop')
    const looping = at.deliver(loop ?? assert.fail())
    await at.printed('loops')
    at.clock.pass(200)
    await until(() => at.clock.waiting() === 2)
    at.clock.pass(200)
    assert.deepEqual(await looping, retry('sink.function_timeout', 'not done within 200 ms'))
  })

  test('is finished in by the calls beside the one that hangs; what that one says later is nothing', async () => {
    const at = await userFunction(
      `export const deliver = async ({ body }, { signal }) => {
        note(process.pid)
        log('begun ' + body.what)
        if (body.what === 'late') return new Promise((resolve) => signal.addEventListener('abort', () => setTimeout(() => { log('told'); setTimeout(() => { log('late'); resolve() }, 50) }, 20)))
        if (body.what === 'slow') return new Promise((resolve) => setTimeout(resolve, 300))
      }`,
      { concurrency: 2 },
    )
    const [late, slow, next] = doing('late', 'slow', 'next')
    assert.ok(late && slow && next)
    const lateCall = at.deliver(late)
    await at.printed('begun late')
    at.clock.pass(TIMEOUT_MS / 2)
    const slowCall = at.deliver(slow)
    await at.printed('begun slow')
    at.clock.pass(TIMEOUT_MS / 2)
    await at.printed('told')
    at.clock.pass(GRACE_MS)
    assert.deepEqual(await lateCall, TIMED_OUT)
    assert.deepEqual(await at.deliver(next), KEEP)
    await at.printed('late')
    assert.deepEqual(await slowCall, KEEP)
    const [first, second, third] = at.notes().map(Number)
    assert.equal(first, second)
    assert.notEqual(first, third)
    await until(() => !isRunning(first ?? 0))
    assert.ok(isRunning(third ?? 0))
  })
})

describe('code that meddles', () => {
  test('and takes what it can reach away is still served', async () => {
    const at = await userFunction(`JSON.parse = () => { throw new Error('gone') }
      Promise.prototype.then = () => { throw new Error('gone') }
      process.exit = () => undefined
      globalThis.AbortController = undefined
      console.log = () => { throw new Error('gone') }
      export const deliver = async (event) => { note(event.body.queueId) }`)
    assert.deepEqual(await deliverAll(at.sink, eventsOf(3)), [KEEP, KEEP, KEEP])
    assert.equal(at.notes().length, 3)
  })

  test('and breaks its process costs attempts, and no more', async () => {
    const at = await userFunction('export const deliver = () => { Map.prototype.set = () => { throw new Error("gone") } }')
    assert.deepEqual(await at.deliver(), KEEP)
    const outcome = await at.deliver()
    assert.equal(outcome.type, 'retry')
    assert.deepEqual(await at.deliver(), KEEP)
  })

  test('what it prints comes as lines, escaped and bounded', async () => {
    const at = await userFunction(`export const deliver = () => {
      log('\\u001b[31mred\\u202e')
      process.stderr.write('half')
      process.stderr.write(' a line\\n')
      for (let i = 0; i < 5_000; i++) log('flood', i)
      log('x'.repeat(5_000_000))
    }`)
    assert.deepEqual(await at.deliver(), KEEP)
    await until(() => at.lines.length >= 49)
    await at.sink.close()
    await until(() => at.lines.some((line) => line.includes('lines left out')))
    assert.equal(at.lines[0], '\\u{1b}[31mred\\u{202e}')
    assert.ok(at.lines.length <= 51)
  })
})

test('on a route, an event whose call hangs becomes a dead letter after its attempts, and its neighbours are delivered', async () => {
  const at = await userFunction(
    `export const deliver = ({ body }, { signal }) => {
      note(String(body.n))
      if (body.what === '') return
      signal.addEventListener('abort', () => setTimeout(log, 20, 'told'))
      log('hangs')
      return new Promise(() => {})
    }`,
    { concurrency: 2 },
  )
  const home = world()
  home.log.append(doing('', '', 'hang', '', '', ''))
  const life = new Life(home)
  const route = await life.route(at.sink, { retry: { maxAttempts: 3, baseMs: 100, maxMs: 1_000 } })
  const isDead = (): boolean => life.ledger.get('SELECT 1 FROM dead_letters') !== undefined
  const dying = home.clock.until('it is dead', isDead)
  for (let attempt = 1; attempt <= 3; attempt++) {
    await at.printed('hangs', attempt)
    at.clock.pass(TIMEOUT_MS)
    await at.printed('told', attempt)
    at.clock.pass(GRACE_MS)
  }
  await dying
  await home.clock.until('the others are delivered', () => route.status().counts['delivered'] === 5)
  assert.deepEqual({ ...route.status().counts }, { delivered: 5, attempt_failed: 3, dead: 1 })
  assert.deepEqual(at.notes().toSorted(), ['0', '1', '2', '2', '2', '3', '4', '5'])
  life.crash()
})
