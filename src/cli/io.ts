/**
 * Everything the command line touches outside itself, in one type, so that a test can run every verb in its own
 * process. `processIo` is the real one and the only place here that reads the process.
 */
import { isatty } from 'node:tty'
import type { Clock } from '../pipeline/clock.ts'

export interface Output {
  write(chunk: string | Uint8Array): unknown
  readonly isTTY: boolean
  /** Width of the terminal; undefined when there is none. */
  readonly columns?: number | undefined
  /** Resolves when what was written has gone on, so that a slow reader makes the writer wait rather than grow. */
  drained?(): Promise<void>
}

export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  readonly stdin: AsyncIterable<Uint8Array> & {
    readonly isTTY: boolean
    /** Ends reading, so that an open input does not keep the process alive. */
    close(): void
  }
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute path of the folder the command runs in. */
  readonly cwd: string
  readonly clock: Clock
  /** From 0 up to, not including, 1. */
  random(): number
  /** Aborts when nobody reads the output any more (`| head`). */
  readonly outputClosed: AbortSignal
  /** Calls back at every SIGINT and SIGTERM in place of ending the process; returns how to stop that. */
  onInterrupt(callback: () => void): () => void
  /** Ends the process at once. */
  exitNow(code: number): void
}

/** The process itself. */
export function processIo(): Io {
  const closed = new AbortController()
  for (const stream of [process.stdout, process.stderr]) {
    // Without a listener a closed pipe ends the process with a stack trace.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' && stream === process.stdout) closed.abort()
    })
  }
  return {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    stdin: processInput(),
    env: process.env,
    cwd: process.cwd(),
    clock: { nowMs: () => Date.now(), wait },
    random: () => Math.random(),
    outputClosed: closed.signal,
    onInterrupt(callback) {
      process.on('SIGINT', callback).on('SIGTERM', callback)
      return () => void process.off('SIGINT', callback).off('SIGTERM', callback)
    },
    exitNow: (code) => process.exit(code),
  }
}

/** Touches `process.stdin` only when it is read: looking at it opens it. */
function processInput(): Io['stdin'] {
  let opened = false
  return {
    get isTTY() {
      return isatty(0)
    },
    close: () => {
      if (opened) process.stdin.destroy()
    },
    [Symbol.asyncIterator]() {
      opened = true
      return process.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
    },
  }
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    write: (chunk) => stream.write(chunk),
    isTTY: stream.isTTY === true,
    get columns() {
      // A terminal that does not know its width says 0.
      return (stream.columns as number | undefined) || undefined
    },
    drained: () =>
      new Promise((resolve) => {
        if (!stream.writableNeedDrain || stream.destroyed) return resolve()
        const done = (): void => {
          stream.off('drain', done).off('close', done).off('error', done)
          resolve()
        }
        stream.on('drain', done).on('close', done).on('error', done)
      }),
  }
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })
}
