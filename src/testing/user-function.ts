/**
 * For tests of the function sink: modules as users write them, in a temporary folder, and a sink on them whose time stands still until
 * told. What a function prints is how it says where it is.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'node:test'
import type { Event } from '../event/event.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import { eventOf } from './event-of.ts'
import { handClock, type HandClock } from './hand-clock.ts'
import { functionSink, type FunctionSinkOptions } from '../sinks/function.ts'
import type { Sink } from '../sinks/sink.ts'

export type UserFunction = {
  readonly sink: Sink
  readonly clock: HandClock
  readonly dir: string
  readonly module: string
  readonly warnings: string[]
  readonly lines: string[]
  /** Resolves when the function has printed `line`, `times` times. */
  printed(line: string, times?: number): Promise<void>
  write(text: string): void
  deliver(event?: Event, signal?: AbortSignal): Promise<Outcome>
  /** What the function appended to `out` with `note`. */
  notes(): readonly string[]
}

export const TIMEOUT_MS = 10_000
export const GRACE_MS = 1_000
const PRELUDE = `import { appendFileSync } from 'node:fs'
const note = (text) => appendFileSync(new URL('out', import.meta.url), text + '\\n')
const log = console.log
void note, log
`

const cleanUps: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** A sink, opened, on a module with \`text\`. */
export async function userFunction(text: string, options: Partial<FunctionSinkOptions> & { file?: string } = {}): Promise<UserFunction> {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-function-'))
  const { file = 'handler.mjs', ...sinkOptions } = options
  const module = join(dir, file)
  const write = (source: string): void => writeFileSync(module, file.endsWith('.cjs') ? source : PRELUDE + source)
  write(text)
  const clock = handClock()
  const warnings: string[] = []
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const sink = functionSink({
    module,
    clock,
    timeoutMs: TIMEOUT_MS,
    warn: (code, message) => warnings.push(`${code}: ${message}`),
    onOutput: (_, line) => {
      lines.push(line)
      for (const look of waiting) look()
    },
    ...sinkOptions,
  })
  cleanUps.push(async () => {
    await stopped(sink, clock)
    rmSync(dir, { recursive: true, force: true })
  })
  await sink.open(null)
  return {
    sink,
    clock,
    dir,
    module,
    warnings,
    lines,
    write,
    printed: (line, times = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (lines.filter((said) => said === line).length < times) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    deliver: async (event = eventOf(), signal = new AbortController().signal) => {
      const [outcome] = await sink.deliver([event], signal)
      if (outcome === undefined) throw new Error('no outcome')
      return outcome
    },
    notes: () => (existsSync(join(dir, 'out')) ? readFileSync(join(dir, 'out'), 'utf8').trimEnd().split('\n') : []),
  }
}

/** Closes, without giving calls that hang their time. */
async function stopped(sink: Sink, clock: HandClock): Promise<void> {
  const closing = sink.close()
  await Promise.resolve()
  await Promise.resolve()
  clock.pass(2 * GRACE_MS)
  await closing
}

/** Whether the process is there. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Lets real messages arrive until `done`. */
export async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve))
}
