import type { Event } from '../event/event.ts'
import type { Clock } from '../pipeline/clock.ts'
import { dead, hold, KEEP, retry, type Outcome } from '../pipeline/outcome.ts'
import { handedEvent } from './function-event.ts'
import type { HandedEvent } from './function-messages.ts'
import type { OutputStream } from './function-output.ts'
import { FunctionProcess, OUT_OF_MEMORY, type Ending } from './function-process.ts'
import type { Sink } from './sink.ts'

/*
 * Calls a function of the user's for each event, in a process of its own.
 *
 *   the function                                     outcome
 *   returns, or its promise resolves                 keep
 *   throws, or its promise rejects                   retry  sink.function_threw
 *     with an error whose `permanent` is true        dead   sink.function_permanent
 *   is not done within timeoutMs                     retry  sink.function_timeout
 *   throws where nobody catches it (timer, promise)  retry  sink.function_crashed
 *   ends the process                                 retry  sink.function_exited
 *   needs more than maxMemoryBytes                   retry  sink.function_out_of_memory
 *   cannot be loaded                                 hold   sink.function_load
 *   the route stops                                  retry  sink.stopped
 *
 * Only the call at fault fails. When a process ends, the calls beside it are made again in a fresh one, which is no
 * attempt; when it cannot be told whose fault it was, one at a time, so that it shows. When the time of one call is up, its
 * signal aborts; a call that does not end then costs its process, which the calls beside it may still finish in, and the next
 * process is started before that one is ended. A process that does not hear the abort is blocked: by its oldest call when none
 * has given way since it began, because calls begin in their order.
 */

/** The module and the bounds of a call. */
export type FunctionSinkOptions = {
  /** Absolute path of a .ts, .js or .mjs module. */
  readonly module: string
  /** Name of the function; without one `deliver`, else the default export. */
  readonly export?: string
  /** Default 10 s. */
  readonly timeoutMs?: number
  /** Calls under way at once. Default 1. */
  readonly concurrency?: number
  /** JavaScript heap of the process; what is outside of it (buffers) is not limited. Default 128 MiB. */
  readonly maxMemoryBytes?: number
  readonly clock: Clock
  /** What is handed over of an event. Default `handedEvent`. */
  readonly handed?: (event: Event) => HandedEvent
  readonly warn: (code: string, message: string) => void
  /** A line that user code printed. Default: `warn('sink.function_output', line)`. */
  readonly onOutput?: (stream: OutputStream, line: string) => void
}

const MIB = 1024 * 1024
/** Between a call's abort and the end of its process, at most; never longer than a call may take. */
const MAX_GRACE_MS = 1_000
const FIRST_RELOAD_MS = 1_000
const MAX_RELOAD_MS = 30_000
const MAX_HANDOVERS = 3
const STRAY_WARNING_MS = 60_000
const STOPPED = retry('sink.stopped')
/** A reason at hand, because making an error for each call costs more than all else here. */
const DONE = 'done'

/** A sink that calls a function. */
export function functionSink(options: FunctionSinkOptions): Sink {
  return new FunctionSink(options)
}

/** One event's way through the sink. */
type Call = {
  readonly id: number
  readonly event: HandedEvent
  readonly signal: AbortSignal
  readonly resolve: (outcome: Outcome) => void
  /** Where it runs; null while it waits. */
  process: FunctionProcess | null
  /** Aborts when it has run, in whatever way: ends the waits for it. */
  over: AbortController
  /** What its failing means once it has been told to stop. */
  interrupted: Outcome | null
  /** The process has answered the interruption. */
  heard: boolean
  /** It has begun, and given way to others since. */
  waits: boolean
  /** It may have brought a process down: it runs alone. */
  suspect: boolean
  handovers: number
}

class FunctionSink implements Sink {
  readonly kind = 'function'
  readonly maxBatch = 1
  readonly concurrency: number
  readonly #options: FunctionSinkOptions
  readonly #timeoutMs: number
  readonly #graceMs: number
  /** Takes new calls; null until one is needed. */
  #current: FunctionProcess | null = null
  /** Becomes the current one; started while that is about to be ended. */
  #next: FunctionProcess | null = null
  /** Every process that is not gone, with its calls. One that is not current ends when they have. */
  readonly #processes = new Map<FunctionProcess, Map<number, Call>>()
  #waiting: Call[] = []
  #lastId = 0
  #failedLoads = 0
  #reloadAtMs = -Infinity
  #saidProblem: string | null = null
  #saidStrayAtMs = -Infinity
  #closed: Promise<void> | null = null

  constructor(options: FunctionSinkOptions) {
    this.#options = options
    this.concurrency = options.concurrency ?? 1
    this.#timeoutMs = options.timeoutMs ?? 10_000
    this.#graceMs = Math.min(this.#timeoutMs, MAX_GRACE_MS)
  }

  /** Starts the process, so that a module that cannot be loaded shows before the first event; does not wait for it. */
  async open(): Promise<void> {
    this.#start()
  }

  async deliver(events: readonly Event[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return Promise.all(events.map((event) => this.#deliverOne(event, signal)))
  }

  position(): string | null {
    return null
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    const calls = [...this.#waiting, ...[...this.#processes.values()].flatMap((running) => [...running.values()])]
    // `#closed` is set only when this has returned its promise.
    await Promise.resolve()
    for (const call of calls) this.#interrupt(call, STOPPED)
    this.#current = null
    this.#next = null
    const gone = [...this.#processes].map(async ([process, running]) => {
      await Promise.all([...running.values()].map((call) => ended(call)))
      process.kill()
      await process.gone
    })
    await Promise.all(gone)
  }

  async #deliverOne(event: Event, signal: AbortSignal): Promise<Outcome> {
    let handed: HandedEvent
    try {
      handed = this.#options.handed?.(event) ?? handedEvent(event)
    } catch (error) {
      return dead('sink.document_failed', error instanceof Error ? error.name : null)
    }
    if (this.#closed !== null || signal.aborted) return STOPPED
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const call: Call = {
      id: ++this.#lastId,
      event: handed,
      signal,
      resolve,
      process: null,
      over: new AbortController(),
      interrupted: null,
      heard: false,
      waits: false,
      suspect: false,
      handovers: 0,
    }
    const stop = (): void => this.#interrupt(call, STOPPED)
    signal.addEventListener('abort', stop)
    this.#waiting.push(call)
    this.#pump()
    return promise.finally(() => signal.removeEventListener('abort', stop))
  }

  /** Begins the calls that may begin now. */
  #pump(): void {
    for (let call = this.#waiting[0]; call !== undefined; call = this.#waiting[0]) {
      const process = this.#current ?? this.#start()
      if (process === null) {
        const outcome = this.#closed === null ? hold('sink.function_load', this.#reloadAtMs) : STOPPED
        for (const held of this.#waiting.splice(0)) held.resolve(outcome)
        return
      }
      let running = 0
      for (const calls of this.#processes.values()) running += calls.size
      if (!process.loaded || running >= this.concurrency) return
      const [beside] = this.#processes.get(process)?.values() ?? []
      if (beside !== undefined && (call.suspect || beside.suspect)) return
      this.#waiting.shift()
      this.#begin(call, process)
    }
  }

  #begin(call: Call, process: FunctionProcess): void {
    call.process = process
    call.over = new AbortController()
    this.#processes.get(process)?.set(call.id, call)
    process.call(call.id, call.event)
    const { signal } = call.over
    void this.#options.clock.wait(this.#timeoutMs, signal).then(() => {
      if (!signal.aborted) this.#interrupt(call, retry('sink.function_timeout', `not done within ${this.#timeoutMs} ms`))
    })
  }

  /** Tells a call to stop; what comes of it is `outcome`, unless it still succeeds. */
  #interrupt(call: Call, outcome: Outcome): void {
    const { process, over } = call
    if (process === null) {
      const at = this.#waiting.indexOf(call)
      if (at >= 0) this.#waiting.splice(at, 1)
      return call.resolve(outcome)
    }
    if (over.signal.aborted || call.interrupted !== null) return
    call.interrupted = outcome
    process.abort(call.id)
    const { clock } = this.#options
    if (outcome !== STOPPED)
      void clock.wait(this.#graceMs / 2, over.signal).then(() => {
        if (!over.signal.aborted && this.#closed === null) this.#next ??= this.#spawn()
      })
    void clock.wait(this.#graceMs, over.signal).then(() => {
      if (!over.signal.aborted) this.#giveUp(call, process, outcome)
    })
  }

  /** Ends the process of a call that has not ended in its grace, at once or when the calls beside it have. */
  #giveUp(call: Call, process: FunctionProcess, outcome: Outcome): void {
    const calls = [...(this.#processes.get(process)?.values() ?? [])]
    const blocked = !call.heard && calls.length > 1 && outcome !== STOPPED
    const known = call === calls[0] && !calls.some(({ waits }) => waits)
    // It need not be this call that blocks the process: each gets a chance alone.
    if (blocked && !known) return this.#handOver(process, true, outcome)
    this.#retire(process)
    // V8 has said why it does not answer, and is still at it.
    const failed = process.outOfMemory === null || outcome === STOPPED ? outcome : retry(OUT_OF_MEMORY, process.outOfMemory)
    this.#settle(call, failed)
    if (blocked) this.#handOver(process, false, outcome)
  }

  #settle(call: Call, outcome: Outcome): void {
    const { process } = call
    call.over.abort(DONE)
    call.process = null
    call.resolve(outcome)
    if (process !== null) {
      this.#processes.get(process)?.delete(call.id)
      if (this.#current !== process) this.#endWhenIdle(process)
    }
    this.#pump()
  }

  /** Gives a process no new calls. */
  #retire(process: FunctionProcess): void {
    if (this.#current === process) this.#current = null
    this.#endWhenIdle(process)
  }

  #endWhenIdle(process: FunctionProcess): void {
    if (this.#processes.get(process)?.size === 0) process.kill()
  }

  /** Ends a process and makes its calls again in a fresh one; `outcome` for those that this has happened to often. */
  #handOver(process: FunctionProcess, suspect: boolean, outcome: Outcome): void {
    const calls = [...(this.#processes.get(process)?.values() ?? [])]
    this.#processes.get(process)?.clear()
    if (this.#current === process) this.#current = null
    process.kill()
    const again: Call[] = []
    for (const call of calls) {
      call.over.abort(DONE)
      call.process = null
      call.heard = false
      call.waits = false
      call.interrupted = null
      call.suspect ||= suspect
      if (this.#closed !== null || call.signal.aborted) call.resolve(STOPPED)
      else if (++call.handovers > MAX_HANDOVERS) call.resolve(outcome)
      else again.push(call)
    }
    this.#waiting.unshift(...again)
    this.#pump()
  }

  /** The next process, or a fresh one; null while loading has failed and the next try is not due. */
  #start(): FunctionProcess | null {
    if (this.#options.clock.nowMs() < this.#reloadAtMs || this.#closed !== null) return null
    this.#current = this.#next ?? this.#spawn()
    this.#next = null
    return this.#current
  }

  #spawn(): FunctionProcess {
    const { module, export: name = null, maxMemoryBytes = 128 * MIB, clock, warn } = this.#options
    const onOutput = this.#options.onOutput ?? ((_, line): void => warn('sink.function_output', line))
    const process: FunctionProcess = new FunctionProcess(
      { module, export: name, maxMemoryBytes, clock, onOutput },
      {
        loaded: () => this.#loaded(),
        refused: (message, hint) => this.#refused(process, message, hint),
        done: (id) => this.#answered(process, id, () => KEEP),
        threw: (id, { text, permanent }) =>
          this.#answered(process, id, (call) => {
            if (permanent) return dead('sink.function_permanent', text)
            return call.interrupted ?? retry('sink.function_threw', text)
          }),
        heard: (id) => {
          const call = this.#processes.get(process)?.get(id)
          if (call !== undefined) call.heard = true
        },
        waits: (id) => {
          const call = this.#processes.get(process)?.get(id)
          if (call !== undefined) call.waits = true
        },
        ended: (ending) => this.#ended(process, ending),
      },
    )
    this.#processes.set(process, new Map())
    void process.gone.then(() => this.#processes.delete(process))
    return process
  }

  #loaded(): void {
    if (this.#saidProblem !== null) this.#options.warn('sink.function_loaded', `${this.#options.module} can be loaded again; events go on`)
    this.#failedLoads = 0
    this.#saidProblem = null
    this.#pump()
  }

  #refused(process: FunctionProcess, message: string, hint: string): void {
    // Beside another it may lack what that one has (a port, a lock); alone it is tried when it is needed.
    if (this.#next === process) return void (this.#next = null)
    if (this.#current === process) this.#current = null
    const waitMs = Math.min(FIRST_RELOAD_MS * 2 ** this.#failedLoads, MAX_RELOAD_MS)
    this.#failedLoads++
    this.#reloadAtMs = this.#options.clock.nowMs() + waitMs
    if (this.#saidProblem !== message) {
      const rest = 'Its events wait, and none is given up; it is tried again by itself.'
      this.#options.warn('sink.function_load', `${this.#options.module} cannot be used: ${message} ${hint} ${rest}`)
    }
    this.#saidProblem = message
    this.#pump()
  }

  /** An answer to a call that this process has; any other is nothing. */
  #answered(process: FunctionProcess, id: number, outcome: (call: Call) => Outcome): void {
    const call = this.#processes.get(process)?.get(id)
    if (call !== undefined) this.#settle(call, outcome(call))
  }

  #ended(process: FunctionProcess, { reason, detail, callId }: Ending): void {
    const calls = this.#processes.get(process) ?? new Map<number, Call>()
    const culprit = callId !== null ? calls.get(callId) : calls.size === 1 ? [...calls.values()][0] : undefined
    if (this.#current === process) this.#current = null
    if (this.#next === process) this.#next = null
    const failed = retry(reason, detail)
    if (culprit !== undefined) {
      calls.delete(culprit.id)
      culprit.over.abort(DONE)
      // Whoever runs out of memory is slow first: its time may have been up before.
      const named = reason === OUT_OF_MEMORY && culprit.interrupted !== STOPPED
      culprit.resolve(named ? failed : (culprit.interrupted ?? failed))
    } else if (callId !== null || calls.size === 0) this.#warnOfStray(reason, detail)
    this.#handOver(process, callId === null, failed)
  }

  /** What a call left behind (a timer, a promise) ended the process later: no event is to blame, so nothing else would say it. */
  #warnOfStray(reason: string, detail: string): void {
    const nowMs = this.#options.clock.nowMs()
    if (nowMs - this.#saidStrayAtMs < STRAY_WARNING_MS) return
    this.#saidStrayAtMs = nowMs
    this.#options.warn(reason, `${this.#options.module} ended its process outside of a call (${detail}); a fresh one takes over`)
  }
}

function ended(call: Call): Promise<void> {
  const { signal } = call.over
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
