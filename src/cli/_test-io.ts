/** An `Io` that keeps what is written, and a clock that does not wait: time is what the waits add up to. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Io } from './io.ts'
import { main } from './main.ts'

export type TestIo = Io & {
  readonly waitedMs: number[]
  /** As if the process got a signal. */
  interrupt(): void
  /** As if the reader of the output went away, or the output could not be written for a reason. */
  closeOutput(reason?: Error): void
  out(): string
  outBytes(): Uint8Array
  err(): string
}

export type TestIoOptions = {
  readonly cwd?: string
  readonly user?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: readonly (string | Uint8Array)[] | AsyncIterable<Uint8Array>
  readonly terminal?: boolean
  /** Called at every wait, before time goes on. */
  onWait?(ms: number): void
}

export function testIo(options: TestIoOptions = {}): TestIo {
  const out: Buffer[] = []
  const err: Buffer[] = []
  const closed = new AbortController()
  const interrupts = new Set<() => void>()
  const terminal = options.terminal === true
  const waitedMs: number[] = []
  let nowMs = Date.UTC(2026, 7, 14, 9, 30)
  return {
    stdout: { write: (chunk) => out.push(Buffer.from(chunk as string)), isTTY: terminal, columns: terminal ? 100 : undefined },
    stderr: { write: (chunk) => err.push(Buffer.from(chunk as string)), isTTY: terminal, columns: terminal ? 100 : undefined },
    stdin: {
      isTTY: options.stdin === undefined,
      close: () => undefined,
      [Symbol.asyncIterator]: () => chunksOf(options.stdin ?? [])[Symbol.asyncIterator](),
    },
    env: options.env ?? {},
    user: () => options.user ?? null,
    cwd: options.cwd ?? '/nowhere',
    clock: {
      nowMs: () => nowMs,
      async wait(ms, signal) {
        options.onWait?.(ms)
        // The input of this process arrives without time passing.
        await new Promise(setImmediate)
        if (signal?.aborted === true) return
        waitedMs.push(ms)
        nowMs += ms
      },
    },
    random: () => 0.5,
    outputClosed: closed.signal,
    onInterrupt(callback) {
      interrupts.add(callback)
      return () => void interrupts.delete(callback)
    },
    exitNow: (code) => err.push(Buffer.from(`exit now ${code}\n`)),
    waitedMs,
    interrupt: () => interrupts.forEach((callback) => callback()),
    closeOutput: (reason) => closed.abort(reason),
    out: () => Buffer.concat(out).toString(),
    outBytes: () => Buffer.concat(out),
    err: () => Buffer.concat(err).toString(),
  }
}

export type Ran = { readonly code: number; readonly out: string; readonly err: string; readonly io: TestIo }

/** Runs one command to its end. */
export async function run(argv: readonly string[], options: TestIoOptions = {}): Promise<Ran> {
  const io = testIo(options)
  const code = await main(argv, io)
  return { code, out: io.out(), err: io.err(), io }
}

/** A folder that is gone after the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'trunkline-cli-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function* chunksOf(chunks: readonly (string | Uint8Array)[] | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}
