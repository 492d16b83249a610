/** User code that writes to the pipes itself: the event at fault fails, the next is delivered, and the service goes on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { KEEP, retry } from '../pipeline/outcome.ts'
import { eventOf } from '../testing/event-of.ts'
import { until, userFunction } from '../testing/user-function.ts'
import { FunctionChannel } from './function-channel.ts'
import { handedEvent } from './function-event.ts'
import { frameOf } from './function-frames.ts'
import type { FromProcess } from './function-messages.ts'

describe('code that writes to its pipes', () => {
  const answers = "JSON.stringify({ type: 'done', id: 99 })"
  const attacks: readonly (readonly [what: string, code: string, detail: RegExp])[] = [
    ['bytes that are no frame', "write(4, 'GARBAGE'.repeat(1_000))", /what it wrote is too long/],
    ['a frame that is no JSON', 'write(4, frame(Buffer.alloc(40, 0xff)))', /what it wrote is no answer/],
    ['an answer to a call that was not made', `write(4, frame(${answers}))`, /what it wrote is no answer/],
    ['where it reads', "write(3, 'x')", /it wrote where it reads/],
    ['without end', 'write(4, frame(Buffer.alloc(1 << 26)))', /what it wrote is too long/],
    [
      'from a process of its own',
      "spawnSync('sh', ['-c', 'echo aaaaaaaaaaaaaaaaaaaaaaa >&4'], { stdio: [0, 1, 2, 3, 4] })",
      /what it wrote is too long/,
    ],
  ]
  for (const [what, code, detail] of attacks) {
    test(`${what}: one failed attempt`, async () => {
      const at = await userFunction(`import { spawnSync } from 'node:child_process'
        import { writeSync } from 'node:fs'
        const write = (fd, what) => {
          const bytes = Buffer.from(what)
          for (let at = 0; at < bytes.length; ) try { at += writeSync(fd, bytes, at) } catch (error) { if (error.code !== 'EAGAIN') throw error }
        }
        const frame = (content) => {
          const head = Buffer.alloc(8)
          head.writeUInt32BE(content.length + 4, 0)
          head.writeUInt32BE(content.length, 4)
          return Buffer.concat([head, Buffer.from(content)])
        }
        void spawnSync, write, frame
        export const deliver = (event, { redelivered }) => {
          if (redelivered) return
          ${code}
          return new Promise(() => {})
        }`)
      const outcome = await at.deliver()
      assert.ok(outcome.type === 'retry')
      assert.equal(outcome.reason, 'sink.function_exited')
      assert.match(outcome.detail ?? '', detail)
      assert.deepEqual(await at.deliver(eventOf({ redelivered: true })), KEEP)
      assert.deepEqual(at.warnings, [])
    })
  }

  for (const fd of [3, 4]) {
    test(`and closes ${fd}: one failed attempt, a second later`, async () => {
      const at = await userFunction(`import { closeSync } from 'node:fs'
        export const deliver = (event, { redelivered }) => redelivered ? undefined : (closeSync(${fd}), new Promise(() => {}))`)
      const outcome = at.deliver()
      await until(() => at.clock.waiting() >= 2)
      at.clock.pass(1_000)
      assert.deepEqual(await outcome, retry('sink.function_exited', 'it broke its channel to the service: it closed its pipe'))
      assert.deepEqual(await at.deliver(eventOf({ redelivered: true })), KEEP)
    })
  }

  test("finds nothing of Node's channel between processes", async () => {
    const at = await userFunction(`export const deliver = () => {
      const { send, _send, channel, disconnect, connected } = process
      note(JSON.stringify([send, _send, channel, disconnect, connected, process.env.NODE_CHANNEL_FD]))
    }`)
    assert.deepEqual(await at.deliver(), KEEP)
    assert.deepEqual(at.notes(), [JSON.stringify([null, null, null, null, null, null])])
  })

  test('while it loads: the module cannot be used', async () => {
    const at = await userFunction(`import { writeSync } from 'node:fs'
      writeSync(4, 'GARBAGE')
      await new Promise(() => {})`)
    assert.equal((await at.deliver()).type, 'hold')
    assert.match(at.warnings.join(), /ended while it loaded \(it broke its channel to the service/)
  })
})

describe('the end of the service', () => {
  function channel(): {
    readonly channel: FunctionChannel
    readonly answers: PassThrough
    readonly heard: FromProcess[]
    readonly broken: string[]
  } {
    const answers = new PassThrough()
    const heard: FromProcess[] = []
    const broken: string[] = []
    const events = { message: (message: FromProcess) => heard.push(message), broken: (how: string) => broken.push(how), closed: () => {} }
    // What is written to the process comes back on no pipe: nothing reads a PassThrough's own end here.
    const calls = new PassThrough()
    calls.on = () => calls
    return { channel: new FunctionChannel(calls, answers, events), answers, heard, broken }
  }

  test('hears each answer that is owed once', async () => {
    const at = channel()
    at.channel.send({ type: 'call', id: 7, event: handedEvent(eventOf()) })
    at.channel.send({ type: 'abort', id: 7 })
    const said: readonly FromProcess[] = [{ type: 'loaded' }, { type: 'waits', id: 7 }, { type: 'heard', id: 7 }, { type: 'done', id: 7 }]
    for (const message of said) at.answers.write(frameOf(JSON.stringify(message)))
    await until(() => at.heard.length === said.length)
    assert.deepEqual(at.heard, said)
    for (const again of said) {
      const twice = channel()
      twice.channel.send({ type: 'call', id: 7, event: handedEvent(eventOf()) })
      twice.channel.send({ type: 'abort', id: 7 })
      for (const message of [again, again]) twice.answers.write(frameOf(JSON.stringify(message)))
      await until(() => twice.broken.length > 0)
      assert.deepEqual(twice.heard, [again])
    }
  })

  test('breaks once at most, and never throws, whatever comes', async () => {
    const message = fc.record({
      type: fc.constantFrom('loaded', 'refused', 'done', 'heard', 'waits', 'crashed', 'exiting', 'x'),
      id: fc.nat(3),
    })
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => frameOf(text)),
      message.map((forged) => frameOf(JSON.stringify(forged))),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(anything), async (chunks) => {
        const at = channel()
        for (const chunk of chunks) at.answers.write(chunk)
        await new Promise((resolve) => setImmediate(resolve))
        assert.ok(at.broken.length <= 1)
        assert.ok(at.heard.length <= 2, 'that it loads, and its last words')
      }),
    )
  })
})
