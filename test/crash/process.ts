/** Starts, watches and ends the process under test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type Ended = {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The durable step at which the process killed itself, else null. */
  readonly step: string | null
  readonly stderr: string
}

export type Life = {
  /** Where it serves, or null when it ended before it did. */
  readonly url: Promise<string | null>
  readonly ended: Promise<Ended>
  /** Resolves when stderr has matched; rejects when the process ends without. */
  said(pattern: RegExp): Promise<void>
  kill(signal: NodeJS.Signals): void
}

const KILLER = new URL('./kill-at-step.js', import.meta.url).href
const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))

/** The command as users run it; its arguments follow. */
export const COMMAND: string = fileURLToPath(new URL('../../bin/trunkline.js', import.meta.url))

/** Starts the service in `cwd`. `through` is a command to run it under, such as strace with its options. */
export function begin(options: {
  readonly cwd: string
  readonly killAt?: string
  readonly env?: Readonly<Record<string, string>>
  readonly through?: readonly string[]
  /** Program and arguments; normally child.ts. */
  readonly program?: readonly string[]
}): Life {
  const command = [...(options.through ?? []), process.execPath, '--import', KILLER, ...(options.program ?? [CHILD])]
  const child: ChildProcess = spawn(command[0] as string, command.slice(1), {
    cwd: options.cwd,
    env: {
      ...withoutTestVariables(),
      TRUNKLINE_LOG_LEVEL: 'warn',
      ...(options.killAt === undefined ? {} : { TRUNKLINE_TEST_KILL_AT: options.killAt }),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  /** Under a tracer, signals are for the traced process. */
  let pid = child.pid ?? -1
  const listeners = new Set<() => void>()
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    for (const look of listeners) look()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, step: /^killed at (\S+)$/m.exec(stderr)?.[1] ?? null, stderr }))
  })
  const url = new Promise<string | null>((resolve) => {
    let stdout = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      const url = /http:\/\/127\.0\.0\.1:\d+(?=\D)/.exec(stdout)?.[0]
      pid = Number(/"pid":(\d+)/.exec(stdout)?.[1] ?? pid)
      if (url !== undefined) resolve(url)
    })
    void ended.then(() => resolve(null))
  })
  const said = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(stderr)) return
        listeners.delete(look)
        resolve()
      }
      listeners.add(look)
      look()
      void ended.then(() => reject(new Error(`never said ${pattern}:\n${stderr}`)))
    })
  const kill = (signal: NodeJS.Signals): void => {
    try {
      if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal)
    } catch {
      // It has just ended.
    }
  }
  return { url, ended, said, kill }
}

/** What the test runner sets for itself would make the child believe it is a test file. */
function withoutTestVariables(): Record<string, string | undefined> {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...rest } = process.env
  return Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('TRUNKLINE_')))
}
