/**
 * Everything the command line touches outside itself, in one type, so that a test can run every verb in its own
 * process. `processIo` is the real one and the only place here that reads the process.
 */
import { fstatSync, writeSync } from 'node:fs'
import { userInfo } from 'node:os'
import { isatty } from 'node:tty'
import { TrunklineError } from '../errors.ts'
import { systemClock } from '../hosts/clock.ts'
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
  /** Who runs the command, as the system knows; null when it does not (a container's user without a name). */
  user(): string | null
  /** Absolute path of the folder the command runs in. */
  readonly cwd: string
  readonly clock: Clock
  /** From 0 up to, not including, 1. */
  random(): number
  /**
   * Aborts when the output goes nowhere any more: nobody reads it (`| head`), or it cannot be written; the reason is then a
   * `TrunklineError` that says why.
   */
  readonly outputClosed: AbortSignal
  /** Calls back at every SIGINT and SIGTERM in place of ending the process; returns how to stop that. */
  onInterrupt(callback: () => void): () => void
  /** Ends the process at once. */
  exitNow(code: number): void
}

/** Why the output could not be written; null while it goes on, or when only nobody reads it any more. */
export function failureOf(outputClosed: AbortSignal): TrunklineError | null {
  return outputClosed.reason instanceof TrunklineError ? outputClosed.reason : null
}

/** The process itself. */
export function processIo(): Io {
  const closed = new AbortController()
  const fail = (error: NodeJS.ErrnoException): void => closed.abort(error.code === 'EPIPE' ? undefined : unwritable(error))
  // Without a listener a closed pipe ends the process with a stack trace.
  process.stdout.on('error', fail)
  process.stderr.on('error', () => undefined)
  return {
    stdout: isFile(1) ? fileOutput(1, fail) : outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    stdin: processInput(),
    env: process.env,
    user: loggedIn,
    cwd: process.cwd(),
    clock: systemClock,
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

/**
 * Standard output that is a file. Node's own stream takes a write that a full disk cut short for a whole one, and tells of any
 * other failure only when the verb may be at its end.
 */
function fileOutput(descriptor: number, fail: (error: NodeJS.ErrnoException) => void): Output {
  let failed = false
  return {
    write(chunk) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      try {
        for (let at = 0; at < bytes.length && !failed;) at += writeSync(descriptor, bytes, at)
      } catch (error) {
        failed = true
        fail(error as NodeJS.ErrnoException)
      }
    },
    isTTY: false,
  }
}

function loggedIn(): string | null {
  try {
    return userInfo().username
  } catch {
    return null
  }
}

/** A regular file or a device that is no terminal. */
function isFile(descriptor: number): boolean {
  try {
    const found = fstatSync(descriptor)
    return found.isFile() || (found.isCharacterDevice() && !isatty(descriptor))
  } catch {
    return false
  }
}

function unwritable(error: NodeJS.ErrnoException): TrunklineError {
  return new TrunklineError(
    'cli.output_failed',
    `Standard output could not be written to its end (${error.code ?? error.message}).`,
    'Make room where it goes, and run the command again: what is there is not whole.',
    { cause: error },
  )
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
