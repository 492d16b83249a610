/** A real service process to measure: started on a data directory, asked over HTTP, watched in /proc. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type MeasuredService = {
  readonly port: number
  readonly token: string
  /** From spawn to /readyz answering 200, ms. */
  readonly readyMs: number
  stats(): Promise<Stats>
  /** Resident memory now and at its highest, MiB; null where the system does not tell. */
  memory(): { readonly rssMiB: number; readonly peakMiB: number } | null
  /** Processor seconds used so far, user and system; null where the system does not tell. */
  cpuSeconds(): number | null
  stop(): Promise<void>
}

export type Stats = {
  readonly intake: { readonly accepted: number; readonly duplicates: number }
  readonly routes: Readonly<
    Record<
      string,
      {
        readonly lag: number
        readonly counts: Readonly<Record<string, number>>
        readonly latency: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
      }
    >
  >
}

const TOKEN = 'bench-token-of-this-machine-only'

/** Starts `trunkline start` with `config` (JSON) in `dir`. */
export async function startMeasured(dir: string, config: object, port: number): Promise<MeasuredService> {
  const file = join(dir, 'trunkline.config.json')
  writeFileSync(file, JSON.stringify(config))
  const bin = fileURLToPath(new URL('../../bin/trunkline.js', import.meta.url))
  const startedAt = performance.now()
  const child = spawn(process.execPath, [bin, 'start', '--config', file, '--port', String(port)], {
    cwd: dir,
    env: { ...process.env, TRUNKLINE_TOKEN: TOKEN, TRUNKLINE_LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const url = `http://127.0.0.1:${port}`
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode} before it was ready`)
    try {
      if ((await fetch(`${url}/readyz`)).status === 200) break
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const readyMs = performance.now() - startedAt
  return {
    port,
    token: TOKEN,
    readyMs,
    stats: async () => (await (await fetch(`${url}/v1/stats`, { headers: { authorization: `Bearer ${TOKEN}` } })).json()) as Stats,
    memory: () => {
      const status = `/proc/${child.pid}/status`
      if (!existsSync(status)) return null
      const text = readFileSync(status, 'utf8')
      const mib = (name: string): number => Math.round(Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0) / 1024)
      return { rssMiB: mib('VmRSS'), peakMiB: mib('VmHWM') }
    },
    cpuSeconds: () => {
      const file = `/proc/${child.pid}/stat`
      if (!existsSync(file)) return null
      // Fields 14 and 15 (utime, stime) in ticks of 10 ms; the name before them may hold spaces.
      const fields = readFileSync(file, 'utf8').split(') ')[1]?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) / 100
    },
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}
