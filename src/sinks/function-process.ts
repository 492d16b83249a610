/**
 * One process of a function sink, from its start to its end. A process rather than a thread: a thread shares its memory limit's
 * fate with the service (V8 ends the whole process for one allocation that is too large), and `process.abort`, signals and
 * native crashes are the service's too.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../pipeline/clock.ts'
import { readMessage, type HandedEvent, type Thrown, type ToProcess } from './function-messages.ts'
import { LineOutput, type OutputStream } from './function-output.ts'

export type FunctionProcessOptions = {
  /** Absolute path of the user's module. */
  readonly module: string
  /** Name of the function; null takes `deliver`, else the default export. */
  readonly export: string | null
  readonly maxMemoryBytes: number
  readonly clock: Clock
  readonly onOutput: (stream: OutputStream, line: string) => void
}

/** How a process ended that was not told to. */
export type Ending = {
  readonly reason: 'sink.function_exited' | 'sink.function_crashed' | typeof OUT_OF_MEMORY
  readonly detail: string
  /** The call it happened in; null when that is not known. */
  readonly callId: number | null
}

export type FunctionProcessEvents = {
  readonly loaded: () => void
  /** The module cannot be used; the process is gone. */
  readonly refused: (message: string, hint: string) => void
  readonly done: (id: number) => void
  readonly threw: (id: number, thrown: Thrown) => void
  /** The call's signal has aborted: the process is not blocked. */
  readonly heard: (id: number) => void
  readonly ended: (ending: Ending) => void
}

const MIB = 1024 * 1024
/** A module may connect to something while it loads. */
const LOAD_MS = 30_000
const OUTPUT_MS = 1_000
const SAYS_OUT_OF_MEMORY = /heap out of memory|out of memory:/i
export const OUT_OF_MEMORY = 'sink.function_out_of_memory'

export class FunctionProcess {
  /** Resolves when the process is no more, and that has been reported. */
  readonly gone: Promise<void>
  readonly #child: ChildProcess
  readonly #options: FunctionProcessOptions
  readonly #events: FunctionProcessEvents
  readonly #loading = new AbortController()
  #loaded = false
  /** Ended by us, or reported: nothing more is heard of it. */
  #over = false
  #lastWords: Ending | null = null
  #sawOutOfMemory = false

  constructor(options: FunctionProcessOptions, events: FunctionProcessEvents) {
    this.#options = options
    this.#events = events
    const entry = new URL(`./function-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url)
    this.#child = fork(entry, [options.module, options.export ?? ''], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${Math.ceil(options.maxMemoryBytes / MIB)}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const gone = Promise.withResolvers<void>()
    this.gone = gone.promise
    this.#child.on('message', (message) => this.#receive(message))
    this.#child.on('error', (error) => {
      // Not started: there will be no exit. (Also said of a signal that could not be sent, which changes nothing.)
      if (this.#child.pid !== undefined) return
      gone.resolve()
      this.#refuse(`Its process cannot be started (${error.message}).`, 'Free memory, or raise the limit of processes.')
    })
    this.#child.on('exit', (code, signal) => {
      void this.#end(code, signal).then(gone.resolve)
    })
    this.#listen()
    void options.clock.wait(LOAD_MS, this.#loading.signal).then(() => {
      if (!this.#loaded)
        this.#refuse(`It did not finish loading within ${LOAD_MS} ms.`, 'Let the module load at once, and do slow work in the function.')
    })
  }

  get loaded(): boolean {
    return this.#loaded
  }

  /** In words, once V8 has said so; its end may take a while. Else null. */
  get outOfMemory(): string | null {
    return this.#sawOutOfMemory ? `the limit is ${Math.ceil(this.#options.maxMemoryBytes / MIB)} MiB` : null
  }

  call(id: number, event: HandedEvent): void {
    this.#send({ type: 'call', id, event })
  }

  abort(id: number): void {
    this.#send({ type: 'abort', id })
  }

  /** Ends it at once, whatever it does. */
  kill(): void {
    this.#over = true
    this.#loading.abort()
    this.#child.kill('SIGKILL')
  }

  #receive(value: unknown): void {
    const message = readMessage(value)
    if (message === null || this.#over) return
    switch (message.type) {
      case 'loaded':
        if (this.#loaded) return
        this.#loaded = true
        this.#loading.abort()
        return this.#events.loaded()
      case 'refused':
        return this.#refuse(message.message, message.hint)
      case 'done':
        return this.#events.done(message.id)
      case 'threw':
        return this.#events.threw(message.id, message.thrown)
      case 'heard':
        return this.#events.heard(message.id)
      case 'crashed':
        this.#lastWords = { reason: 'sink.function_crashed', detail: message.thrown.text, callId: message.id }
        return
      case 'exiting':
        this.#lastWords = { reason: 'sink.function_exited', detail: '', callId: message.id }
    }
  }

  #refuse(message: string, hint: string): void {
    if (this.#over) return
    this.kill()
    this.#events.refused(message, hint)
  }

  async #end(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    const aborted = signal === 'SIGABRT' || code === 134
    // V8 says why on stderr, which may be read after the exit is known.
    if (aborted && !this.#over) await this.#outputRead()
    if (this.#over) return
    this.#over = true
    this.#loading.abort()
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`
    const ending = this.#endingOf(aborted, how)
    if (this.#loaded) this.#events.ended(ending)
    else this.#events.refused(`Its process ended while it loaded (${ending.detail}).`, 'Mend what the module does when it is loaded.')
  }

  #endingOf(aborted: boolean, how: string): Ending {
    const { outOfMemory } = this
    if (aborted && outOfMemory !== null) return { reason: OUT_OF_MEMORY, detail: outOfMemory, callId: null }
    const words = this.#lastWords
    if (words?.reason === 'sink.function_crashed') return words
    return { reason: 'sink.function_exited', detail: how, callId: words?.callId ?? null }
  }

  async #outputRead(): Promise<void> {
    const { stderr } = this.#child
    if (stderr === null || stderr.closed) return
    const read = new AbortController()
    stderr.once('close', () => read.abort())
    await this.#options.clock.wait(OUTPUT_MS, read.signal)
  }

  #listen(): void {
    const { clock, onOutput } = this.#options
    const output = new LineOutput({ nowMs: () => clock.nowMs(), line: onOutput })
    for (const name of ['stdout', 'stderr'] as const) {
      const stream = this.#child[name]
      stream?.setEncoding('utf8')
      stream?.on('data', (chunk: string) => {
        if (name === 'stderr' && SAYS_OUT_OF_MEMORY.test(chunk)) this.#sawOutOfMemory = true
        output.push(name, chunk)
      })
      stream?.on('close', () => output.end())
      stream?.on('error', () => undefined)
    }
  }

  /** To a process that is ending nothing can be sent; its end is reported anyway. */
  #send(message: ToProcess): void {
    this.#child.send(message, () => undefined)
  }
}
