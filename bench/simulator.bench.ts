/**
 * How fast the simulator writes: `node bench/simulator.bench.ts [events]` (default 1,000,000), alone on the machine. Measures the
 * whole process from its start to its end, with the processor time of all its threads: events on one core are
 * events by processor time. Also without the command round it: model and envelopes alone.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writerOf } from '../src/simulator/envelope.ts'
import { NO_FAULTS, Traffic } from '../src/simulator/faults.ts'
import { simulation } from '../src/simulator/model/simulation.ts'

const RUNS = 3
const events = Number(process.argv[2] ?? 1_000_000)
const command = fileURLToPath(new URL('../bin/trunkline.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'trunkline-simulator-'))

try {
  console.log(`${events} events, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`)
  for (let run = 1; run <= RUNS; run++) report(`model and envelopes, run ${run}`, await inProcess())
  for (let run = 1; run <= RUNS; run++)
    report(`simulate --speed max --out FILE, run ${run}`, await asProcess(join(folder, 'events.ndjson')))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

type Measured = { readonly tookMs: number; readonly cpuMs: number; readonly bytes: number }

function inProcess(): Promise<Measured> {
  const startMs = performance.now()
  const cpu = process.cpuUsage()
  const centre = simulation({ agents: 1000, queues: 20 })
  const write = writerOf('eventbridge', { seed: '1', source: centre.centre.source })
  const traffic = new Traffic({ simulation: centre, write, faults: NO_FAULTS, seed: '1', limit: events })
  let bytes = 0
  for (let copy = traffic.next(); copy !== null; copy = traffic.next()) bytes += copy.record.length
  const { user, system } = process.cpuUsage(cpu)
  return Promise.resolve({ tookMs: performance.now() - startMs, cpuMs: (user + system) / 1000, bytes })
}

async function asProcess(file: string): Promise<Measured> {
  const startMs = performance.now()
  const argv = ['simulate', '--speed', 'max', '--limit', String(events), '--agents', '1000', '--queues', '20', '--out', file]
  const child = spawn('bash', ['-c', 'time "$@"', 'time', process.execPath, command, ...argv], { stdio: ['ignore', 'ignore', 'pipe'] })
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`exit code ${code}: ${told}`)
  const seconds = ['user', 'sys'].map((name) => {
    const [, minutes = '0', rest = '0'] = new RegExp(`${name}\\s+(\\d+)m([\\d.]+)s`).exec(told) ?? []
    return Number(minutes) * 60 + Number(rest)
  })
  return { tookMs: performance.now() - startMs, cpuMs: seconds.reduce((sum, value) => sum + value, 0) * 1000, bytes: statSync(file).size }
}

function report(what: string, { tookMs, cpuMs, bytes }: Measured): void {
  const thousands = (ms: number): string => `${(events / ms).toFixed(0)} K`
  console.log(
    `${what}: ${thousands(tookMs)}/s, ${thousands(cpuMs)} per second of processor time, ${Math.round(bytes / events)} bytes an event`,
  )
}
