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
  readonly pid: number
  /** Where it serves, or null when it ended before it did. */
  readonly url: Promise<string | null>
  readonly ended: Promise<Ended>
  kill(signal: NodeJS.Signals): void
}

const KILLER = new URL('./kill-at-step.js', import.meta.url).href
const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))

/** Starts the service in `cwd`. `through` is a command to run it under, such as strace with its options. */
export function begin(options: {
  readonly cwd: string
  readonly killAt?: string
  readonly env?: Readonly<Record<string, string>>
  readonly through?: readonly string[]
}): Life {
  const command = [...(options.through ?? []), process.execPath, '--import', KILLER, CHILD]
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
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, step: /^killed at (\S+)$/m.exec(stderr)?.[1] ?? null, stderr }))
  })
  const url = new Promise<string | null>((resolve) => {
    let stdout = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      if (stdout.includes('\n')) resolve((JSON.parse(stdout) as { url: string }).url)
    })
    void ended.then(() => resolve(null))
  })
  return { pid: child.pid ?? -1, url, ended, kill: (signal) => void child.kill(signal) }
}

/** What the test runner sets for itself would make the child believe it is a test file. */
function withoutTestVariables(): Record<string, string | undefined> {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...rest } = process.env
  return Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('TRUNKLINE_')))
}
