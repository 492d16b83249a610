/**
 * One process of a function sink, from its start to its end. A process rather than a thread: a thread shares its memory limit's
 * fate with the service (V8 ends the whole process for one allocation that is too large), and `process.abort`, signals and
 * native crashes are the service's too.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { extname } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../pipeline/clock.ts'
import { FunctionChannel } from './function-channel.ts'
import { ANSWERS_FD, CALLS_FD, type FromProcess, type HandedEvent, type Thrown } from './function-messages.ts'
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
  /** The call has begun and given way: whoever blocks the process does so later. */
  readonly waits: (id: number) => void
  readonly ended: (ending: Ending) => void
}

const MIB = 1024 * 1024
/** A module may connect to something while it loads. */
const LOAD_MS = 30_000
/** Between the end of a pipe and the end of the process, when it has not said that it ends. */
const CLOSED_MS = 1_000
/** Turns of the event loop in which what a process left in its pipes is read; two without anything end it before. */
const MAX_TURNS = 1_000
const SAYS_OUT_OF_MEMORY = /heap out of memory|out of memory:/i
export const OUT_OF_MEMORY = 'sink.function_out_of_memory'

export class FunctionProcess {
  /** Resolves when the process is no more, what it left has been read, and its end has been reported. */
  readonly gone: Promise<void>
  readonly #child: ChildProcess
  readonly #channel: FunctionChannel | null
  readonly #options: FunctionProcessOptions
  readonly #events: FunctionProcessEvents
  readonly #loading = new AbortController()
  readonly #exited = new AbortController()
  #loaded = false
  /** Ended by us, or reported: nothing more is heard of it. */
  #over = false
  #lastWords: Ending | null = null
  /** How it broke the rules of its channel; it is being ended for that. */
  #broken: string | null = null
  #sawOutOfMemory = false

  constructor(options: FunctionProcessOptions, events: FunctionProcessEvents) {
    this.#options = options
    this.#events = events
    const entry = new URL(`./function-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url)
    const memory = `--max-old-space-size=${Math.ceil(options.maxMemoryBytes / MIB)}`
    this.#child = spawn(process.execPath, [memory, fileURLToPath(entry), options.module, options.export ?? ''], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    this.#channel = this.#open()
    const gone = Promise.withResolvers<void>()
    this.gone = gone.promise
    this.#child.on('error', (error) => {
      // Not started: there will be no exit. (Also said of a signal that could not be sent, which changes nothing.)
      if (this.#child.pid !== undefined) return
      gone.resolve()
      this.#refuse(`Its process cannot be started (${error.message}).`, 'Free memory, or raise the limit of processes.')
    })
    this.#child.on('exit', (code, signal) => {
      this.#exited.abort()
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
    this.#channel?.send({ type: 'call', id, event })
  }

  abort(id: number): void {
    this.#channel?.send({ type: 'abort', id })
  }

  /** Ends it at once, whatever it does. */
  kill(): void {
    this.#over = true
    this.#loading.abort()
    this.#channel?.close()
    this.#child.kill('SIGKILL')
  }

  #open(): FunctionChannel | null {
    const { [CALLS_FD]: calls, [ANSWERS_FD]: answers } = (this.#child.stdio ?? []) as unknown as readonly (Socket | undefined)[]
    if (calls === undefined || answers === undefined) return null
    return new FunctionChannel(calls, answers, {
      message: (message) => this.#receive(message),
      broken: (how) => this.#break(how),
      closed: () => {
        // Who ends says so before, or is dead already; who does not has closed the pipe and lives on.
        void this.#options.clock.wait(CLOSED_MS, this.#exited.signal).then(() => {
          if (!this.#exited.signal.aborted && this.#lastWords === null) this.#break('it closed its pipe')
        })
      },
    })
  }

  #break(how: string): void {
    if (this.#over || this.#broken !== null) return
    this.#broken = `it broke its channel to the service: ${how}`
    this.#child.kill('SIGKILL')
  }

  #receive(message: FromProcess): void {
    if (this.#over) return
    switch (message.type) {
      case 'loaded':
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
      case 'waits':
        return this.#events.waits(message.id)
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
    await this.#readRest()
    if (this.#over) return
    const aborted = signal === 'SIGABRT' || code === 134
    this.#over = true
    this.#loading.abort()
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`
    const ending = this.#endingOf(aborted, how)
    if (this.#loaded) this.#events.ended(ending)
    else this.#events.refused(`Its process ended while it loaded (${ending.detail}).`, 'Mend what the module does when it is loaded.')
  }

  #endingOf(aborted: boolean, how: string): Ending {
    const { outOfMemory } = this
    if (this.#broken !== null) return { reason: 'sink.function_exited', detail: this.#broken, callId: null }
    if (aborted && outOfMemory !== null) return { reason: OUT_OF_MEMORY, detail: outOfMemory, callId: null }
    const words = this.#lastWords
    if (words?.reason === 'sink.function_crashed') return words
    return { reason: 'sink.function_exited', detail: how, callId: words?.callId ?? null }
  }

  /**
   * Reads what the process left in its pipes (its last words, why V8 gave up), then closes them: what user code started in the
   * background may hold them open, and would keep the service from ending.
   */
  async #readRest(): Promise<void> {
    const pipes = (this.#child.stdio as unknown as readonly (Socket | null)[]).filter((pipe) => pipe !== null)
    let read = -1
    for (let turns = 0, still = 0; still < 2 && turns < MAX_TURNS && !pipes.every(({ closed }) => closed); turns++) {
      await turn()
      const readBefore = read
      read = pipes.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
      still = read === readBefore ? still + 1 : 0
    }
    for (const pipe of pipes) pipe.destroy()
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
}
