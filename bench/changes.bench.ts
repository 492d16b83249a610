/**
 * What telling finished conversations costs: `node bench/changes.bench.ts`, alone on the machine. Events of a simulated centre, folded
 * and stored as the service does it: microseconds of the processor an event, the median of the rounds, without a route that asks for changes,
 * and with one; then what one finished conversation costs, on the main thread and in the writer of the log.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode, DEFAULT_MAX_BYTES } from '../src/event/decode.ts'
import type { Event } from '../src/event/event.ts'
import { FinishedConversations } from '../src/hosts/finished-conversations.ts'
import { StateKeeper } from '../src/hosts/state-keeper.ts'
import type { LogReader } from '../src/log/reader.ts'
import { simulation } from '../src/simulator/model/simulation.ts'
import { StateRows } from '../src/stores/state-rows.ts'
import { receiver } from '../src/testing/simulated-state.ts'

const EVENTS = 150_000
const ROUNDS = 5
const STORE_EVERY = 2_000
const LEVEL = { targetMs: 20_000, shortAbandonMs: 0 }
const state = {
  enabled: true,
  horizonMs: 86_400_000,
  skewMs: 60_000,
  quietMs: 30_000,
  serviceTargetMs: 20_000,
  shortAbandonMs: 0,
  serviceLevels: {},
}

const inputs = played(EVENTS)
line(`${inputs.length} events of a simulated centre`)
const plain: number[] = []
const telling: number[] = []
let last = { told: 0, bytes: 0, lines: [] as Buffer[] }
for (let round = 0; round < ROUNDS; round++) {
  plain.push(await folded(null))
  telling.push(await folded(1))
}
const [without, withIt] = [median(plain), median(telling)]
const perConversation = ((withIt - without) * inputs.length) / last.told
line(`without changes   ${without.toFixed(2)} us/event`)
line(`with changes      ${withIt.toFixed(2)} us/event, ${(withIt - without).toFixed(2)} more`)
line(
  `${last.told} conversations told, of ${(inputs.length / last.told).toFixed(1)} events and ${(last.bytes / last.told).toFixed(0)} bytes each: ${perConversation.toFixed(0)} us each`,
)
const before = process.cpuUsage()
for (const text of last.lines) decode(text, { maxBytes: DEFAULT_MAX_BYTES, own: true })
const { user, system } = process.cpuUsage(before)
line(`decoding one in the writer of the log   ${((user + system) / last.lines.length).toFixed(0)} us`)

/** Microseconds an event. */
async function folded(changesFromSeq: number | null): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-changes-'))
  const rows = new StateRows({ path: join(dir, 'state.db'), warn: line })
  // There is always more in the log: quiet is measured in the time of receipt.
  const log = { firstSeq: 1, nextSeq: Infinity, segments: [] } as unknown as LogReader
  const keeper = new StateKeeper({ config: { state }, rows, log, nowMs: () => 0, warn: line, changesFromSeq, serviceLevel: () => LEVEL })
  const told = { told: 0, bytes: 0, lines: [] as Buffer[] }
  const finished = new FinishedConversations({
    rows: rows.finishing,
    state: () => keeper.state,
    heardThroughMs: () => keeper.heardThroughMs(1),
    heard: keeper.heard,
    horizonMs: state.horizonMs,
    append: async (body) => {
      told.bytes += body.length
      if (told.lines.length < 2_000)
        told.lines.push(
          ...Buffer.from(body)
            .toString()
            .split('\n')
            .map((text) => Buffer.from(text)),
        )
      return { status: 202, body: '{"accepted":1,"quarantined":0}' }
    },
    clock: { nowMs: () => 0, wait: async () => undefined },
    warn: line,
    info: line,
  })
  keeper.load()
  const before = process.cpuUsage()
  for (let i = 0; i < inputs.length; i++) {
    const { event, body } = inputs[i]!
    keeper.fold(event, body, i + 1)
    if (i % STORE_EVERY !== STORE_EVERY - 1) continue
    keeper.store(i + 2)
    if (changesFromSeq !== null) while (await finished.round());
  }
  const { user, system } = process.cpuUsage(before)
  const us = (user + system) / inputs.length
  told.told = finished.told
  if (changesFromSeq !== null) last = told
  await keeper.close()
  rmSync(dir, { recursive: true })
  return us
}

function played(count: number): { readonly event: Event; readonly body: unknown }[] {
  const centre = simulation({ durationMs: 20 * 3_600_000, flat: true })
  const receive = receiver(centre.centre.source)
  const list: { readonly event: Event; readonly body: unknown }[] = []
  for (let emission = centre.next(); emission !== null && list.length < count; emission = centre.next())
    list.push({ event: receive(emission), body: emission.body })
  return list
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function line(...texts: readonly string[]): void {
  process.stdout.write(`${texts.join(' ')}\n`)
}
