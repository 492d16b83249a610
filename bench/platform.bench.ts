/**
 * The rate budget and the cost of a call: `node bench/platform.bench.ts [callers]` (default 50), alone on the machine.
 *
 * A server on loopback counts strictly, 300 requests in windows of a minute that begin with their first request; the
 * clock of both runs 60 times as fast. Wanted: no 429 after the first answer, and nearly all of the budget used.
 */
import { hostsAt } from '../src/genesys/regions.ts'
import { platformClient } from '../src/genesys/platform-client.ts'
import { systemClock } from '../src/hosts/clock.ts'
import { scaledClock } from '../src/simulator/scaled-clock.ts'
import { genesysServer, type GenesysServer } from '../src/testing/genesys-server.ts'

const SPEED = 60
const WINDOWS = 10
const callers = Number(process.argv[2] ?? 50)
const ends: (() => void)[] = []
const later = { after: (end: () => void): void => void ends.push(end) }

try {
  await budget()
  await cost()
} finally {
  for (const end of ends) end()
}

async function budget(): Promise<void> {
  const clock = scaledClock(systemClock, systemClock.nowMs(), SPEED)
  const server = await genesysServer(later, { clock, answer: () => ({ json: { id: 'o1', name: 'Example' } }) })
  const startMs = clock.nowMs()
  const calls = await callMany(server, clock, 300 * WINDOWS, 30_000 * SPEED)
  const minutes = (clock.nowMs() - startMs) / 60_000
  // The last window ends with the last call, not with its minute.
  const share = (300 * (WINDOWS - 1)) / (300 * minutes)
  say(`${callers} callers, ${calls} calls in ${minutes.toFixed(2)} minutes of the server (played ${SPEED} times as fast)`)
  say(`  429 met: ${server.refused}; calls by window: ${server.windows.join(' ')}`)
  say(`  at least ${(share * 100).toFixed(1)} % of the budget used`)
}

async function cost(): Promise<void> {
  const server = await genesysServer(later, {
    clock: systemClock,
    allowed: 1_000_000,
    answer: () => ({ json: { id: 'o1', name: 'Example' } }),
  })
  await callMany(server, systemClock, 1_000, 30_000)
  const startMs = performance.now()
  const cpu = process.cpuUsage()
  const calls = await callMany(server, systemClock, 5_000, 30_000)
  const { user, system } = process.cpuUsage(cpu)
  const perSecond = (calls / (performance.now() - startMs)) * 1_000
  say(`without a limit: ${Math.round(perSecond)} calls/s, ${Math.round((user + system) / calls)} us of CPU a call (server included)`)
}

async function callMany(server: GenesysServer, clock: typeof systemClock, count: number, timeoutMs: number): Promise<number> {
  const login = { clientId: 'client-1', clientSecret: 'secret-of-client-1' }
  const client = platformClient({
    ...login,
    hosts: hostsAt(server.url),
    clock,
    random: Math.random,
    fetch,
    userAgent: 'trunkline/bench',
    timeoutMs,
  })
  let left = count
  const caller = async (): Promise<void> => {
    while (left-- > 0) await client.organization()
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return count
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
