/**
 * The process of a function sink (entry; started by function-process.ts as `node function-worker.ts MODULE EXPORT`). Loads the user's
 * module and calls its function for each event. What happens here stays here: the service sees answers, or the end of the process.
 *
 * Which call something belongs to that is thrown where nobody catches it (a timer, a promise without a handler) is told by the
 * asynchronous context it happened in. What is needed later is taken before user code can replace it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { importModule } from '../config/import-file.ts'
import { eventFrom } from './function-event.ts'
import { FrameReader, frameOf, partsOf } from './function-frames.ts'
import { ANSWERS_FD, CALLS_FD, oneLine, type FromProcess, type HandedEvent, type Thrown, type ToProcess } from './function-messages.ts'

type Deliver = (event: unknown, context: unknown) => unknown

const [, , module = '', exportName = ''] = process.argv
const { parse, stringify } = JSON
const Aborting = AbortController
const inItsTurn = setImmediate
const exit = process.exit.bind(process)
/** The one-way pipes from and to the service. */
const fromService = new Socket({ fd: CALLS_FD, readable: true, writable: false })
const toService = new Socket({ fd: ANSWERS_FD, readable: false, writable: true })
const calls = new AsyncLocalStorage<number>()
const running = new Map<number, AbortController>()
let saidWhy = false

// These stop the service, which then stops this process in its own time.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
// A process whose service is gone ends by itself.
fromService.on('close', () => exit(0))
fromService.on('error', () => undefined)
toService.on('error', () => undefined)
endWithParent()

process.on('uncaughtExceptionMonitor', (error) => {
  // With a handler of the user's the process goes on.
  if (process.listenerCount('uncaughtException') > 0) return
  saidWhy = true
  send({ type: 'crashed', id: calls.getStore() ?? null, thrown: inWords(error) })
  // Not the default: it would print the error whatever its size.
  exit(1)
})
process.on('exit', () => {
  if (!saidWhy) send({ type: 'exiting', id: calls.getStore() ?? null })
})

const deliver = await load()
if (deliver !== null) {
  send({ type: 'loaded' })
  const frames = new FrameReader(Infinity)
  // Each in a turn of its own: an answer that is ready is not kept back by a call that came with it and blocks the process.
  fromService.on('data', (chunk: Buffer) => {
    for (const content of frames.push(chunk) ?? []) inItsTurn(take, deliver, content)
  })
} else fromService.resume()

function take(deliverTo: Deliver, content: Buffer): void {
  const { text, bytes } = partsOf(content)
  const message = parse(text) as ToProcess
  if (message.type === 'call') {
    // Bytes of its own: user code may change them, or give them away.
    const raw = Buffer.allocUnsafeSlow(bytes.length)
    raw.set(bytes)
    void calls.run(message.id, call, deliverTo, message.id, { ...message.event, raw })
    inItsTurn(sayItWaits, message.id)
  } else {
    running.get(message.id)?.abort()
    send({ type: 'heard', id: message.id })
  }
}

function sayItWaits(id: number): void {
  if (running.has(id)) send({ type: 'waits', id })
}

async function load(): Promise<Deliver | null> {
  const imported = await importModule(module)
  if ('error' in imported) {
    const { code, message, hint } = imported.error
    return refuse(message, code === 'config.not_found' ? 'Check `module` of the sink in the configuration.' : hint)
  }
  const wanted = exportName === '' ? 'deliver' : exportName
  const { default: whole } = imported.module
  const named = imported.module[wanted] ?? memberOf(whole, wanted)
  const exported = named ?? (exportName === '' ? whole : undefined)
  if (typeof exported === 'function') return exported as Deliver
  const instead = Object.keys(imported.module).filter((name) => name !== 'module.exports')
  return refuse(
    exported === undefined
      ? `The module exports no ${wanted}. It exports ${instead.length === 0 ? 'nothing' : instead.join(', ')}.`
      : `What the module exports as ${wanted} is no function.`,
    `Write: export async function ${wanted === 'default' ? 'deliver' : wanted}(event, context) { ... }`,
  )
}

/** What a CommonJS module exports is one object, the names in it not always known from outside. */
function memberOf(whole: unknown, name: string): unknown {
  return typeof whole === 'object' && whole !== null ? (whole as Readonly<Record<string, unknown>>)[name] : undefined
}

function refuse(message: string, hint: string): null {
  saidWhy = true
  send({ type: 'refused', message: oneLine(message), hint: oneLine(hint) })
  return null
}

async function call(deliverTo: Deliver, id: number, handed: HandedEvent): Promise<void> {
  const aborting = new Aborting()
  running.set(id, aborting)
  let answer: FromProcess = { type: 'done', id }
  try {
    const { redelivered, idempotencyKey } = handed
    await deliverTo(eventFrom(handed, parse), { redelivered, idempotencyKey, signal: aborting.signal })
  } catch (error) {
    answer = { type: 'threw', id, thrown: inWords(error) }
  }
  running.delete(id)
  send(answer)
}

/** Whatever it is: an error, null, an object whose getters throw. */
function inWords(thrown: unknown): Thrown {
  try {
    if (typeof thrown !== 'object' && typeof thrown !== 'function')
      return { text: oneLine(`${typeof thrown}: ${String(thrown)}`), permanent: false }
    if (thrown === null) return { text: 'null', permanent: false }
    const { name, message, stack, permanent } = thrown as Readonly<Record<string, unknown>>
    const text = [name, message].filter((part) => typeof part === 'string' && part !== '').join(': ')
    return {
      text: oneLine(`${oneLine(text === '' ? 'an object without a message' : text, 400)}${placeIn(stack)}`),
      permanent: permanent === true,
    }
  } catch {
    return { text: 'something that cannot be read', permanent: false }
  }
}

/** The first place outside of Node in a stack: ` (crm.ts:12:5)`. */
function placeIn(stack: unknown): string {
  const frame = typeof stack === 'string' ? /^ +at [^\n]*?([^/\\\s():]+:\d+:\d+)\)?$/m.exec(stack.slice(-4_000)) : null
  return frame === null || frame[0].includes('node:') ? '' : ` (${frame[1]})`
}

function send(message: FromProcess): void {
  toService.write(frameOf(stringify(message)))
}

/** A service that was killed cannot end this process, and a process in an endless loop would not notice: a thread does. */
function endWithParent(): void {
  const watch = `
    const { workerData } = require('node:worker_threads')
    const cell = new Int32Array(new SharedArrayBuffer(4))
    for (;;) {
      Atomics.wait(cell, 0, 0, 2000)
      if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL')
    }`
  new Worker(watch, {
    eval: true,
    workerData: process.ppid,
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 },
  }).unref()
}
