/**
 * What folding costs: `node bench/state.bench.ts`, alone on the machine. Events of a simulated centre in the order of publishing, as parsed
 * bodies: microseconds of the processor an event, the median and the best of the rounds, for making facts and for applying them, for writing rows every so often, for the figures of all
 * queues; bytes that a conversation takes open and packed; and the same with ten million keys that were seen before.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Event } from '../src/event/event.ts'
import type { Fact } from '../src/state/fact.ts'
import { factsOf } from '../src/state/facts-of.ts'
import { createState } from '../src/state/folded-state.ts'
import type { State } from '../src/state/state.ts'
import { receiver } from '../src/testing/simulated-state.ts'
import { StateRows } from '../src/stores/state-rows.ts'
import { simulation } from '../src/simulator/model/simulation.ts'

const EVENTS = 150_000
const ROUNDS = 7
const COMMIT_EVERY = 10_000
/** As the service does when events come fast. */
const STORE_EVERY = 2_000
let longestMs = 0
const keys = Number(process.argv[2] ?? 10_000_000)

type Input = { readonly event: Event; readonly body: unknown }

const inputs = played(EVENTS)
const factsEach = inputs.map(({ event, body }) => factsOf(event, body))
const total = factsEach.reduce((sum, { length }) => sum + length, 0)
line(`${inputs.length} events of a simulated centre, ${total} facts`)

line(`factsOf                              ${us(() => inputs.forEach(({ event, body }) => void factsOf(event, body)))} us/event`)
line(`factsOf + apply                      ${us(() => foldAll(createState()))} us/event`)
line(`apply alone                          ${us(() => applyAll(createState()))} us/event`)
line(`factsOf + apply + rows every ${COMMIT_EVERY}   ${us(() => foldAll(createState({ stored: true }), true))} us/event`)

line(`... + rows in SQLite every ${STORE_EVERY}       ${us(() => foldInto(STORE_EVERY))} us/event`)
line(`    the longest store of the last round ${longestMs.toFixed(0)} ms`)

const state = createState()
applyAll(state)
state.tidy()
const { newestAtMs } = state
const firstMs = performance.now()
const queues = state.queues(newestAtMs, { fromMs: 0, toMs: Infinity })
line(`figures of ${queues.length} queues over ${state.stats.conversations} conversations   ${(performance.now() - firstMs).toFixed(2)} ms`)
memory()
manyKeys()

function foldAll(state: State, write = false): void {
  for (let i = 0; i < inputs.length; i++) {
    const { event, body } = inputs[i]!
    state.apply(factsOf(event, body), event.receivedAtMs)
    if (write && i % COMMIT_EVERY === 0) commit(state)
  }
  if (write) commit(state)
}

/** As the service does it. */
function foldInto(every: number): void {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-state-'))
  const rows = new StateRows({ path: join(dir, 'state.db'), warn: line })
  const state = createState({ stored: true, recall: (kind, id) => rows.chunk(kind, id) })
  longestMs = 0
  const store = (position: number): void => {
    const beganAtMs = performance.now()
    state.tidy()
    const batch = state.unstored()
    rows.write(batch, { position, newestAtMs: state.newestAtMs, completeSinceMs: state.completeSinceMs })
    state.stored(batch)
    longestMs = Math.max(longestMs, performance.now() - beganAtMs)
  }
  for (let i = 0; i < inputs.length; i++) {
    const { event, body } = inputs[i]!
    state.apply(factsOf(event, body), event.receivedAtMs)
    if (i % every === every - 1) store(i)
  }
  store(inputs.length)
  rows.close()
  rmSync(dir, { recursive: true })
}

function commit(state: State): void {
  state.tidy()
  state.stored(state.unstored(true))
}

function applyAll(state: State): void {
  for (let i = 0; i < factsEach.length; i++) state.apply(factsEach[i]!, inputs[i]!.event.receivedAtMs)
}

/** Heap before and after, with a collection before each look. */
function memory(): void {
  if (globalThis.gc === undefined) return line('memory: run with --expose-gc')
  // Copies, so that strings of the input are not counted as free.
  const open = createState()
  const before = heap()
  for (let i = 0; i < factsEach.length; i++) {
    const facts = JSON.parse(JSON.stringify(factsEach[i])) as Fact[]
    open.apply(facts, inputs[i]!.event.receivedAtMs)
  }
  const { conversations } = open.stats
  const unpacked = heap()
  let facts = 0
  for (const row of open.snapshot()) facts += row.kind === 'conversation' ? 1 : 0
  line(
    `memory, unpacked                     ${((unpacked - before) / conversations).toFixed(0)} bytes a conversation of ${(total / facts).toFixed(1)} facts`,
  )
  open.tidy()
  const packed = heap()
  line(
    `memory, ${String(open.stats.packed).padStart(5)} of ${conversations} packed      ${((packed - before) / conversations).toFixed(0)} bytes a conversation`,
  )
  let bytes = 0
  for (const row of open.snapshot()) bytes += row.chunk.length
  line(`row                                  ${(bytes / conversations).toFixed(0)} bytes a conversation`)
}

/** The bound holds, and the rate too. */
function manyKeys(): void {
  const state = createState()
  const before = process.cpuUsage()
  const [fact] = factsEach.flat().filter(({ kind }) => kind === 'started')
  for (let n = 0; n < keys; n++) state.apply([{ ...fact!, of: `conversation-${n}` }], Infinity)
  const { user, system } = process.cpuUsage(before)
  const { conversations, lost } = state.stats
  line(
    `${keys} new conversations, one fact each   ${((user + system) / keys).toFixed(2)} us/event; ${conversations} in memory, ${lost} gone`,
  )
  line(`factsOf + apply with those known     ${us(() => foldAll(state))} us/event; heap ${(heap() / 2 ** 20).toFixed(0)} MiB`)
}

function heap(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** Time of the processor, which a busy machine disturbs less than that of the clock; collections in other threads count. */
function us(round: () => void): string {
  const samples: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const before = process.cpuUsage()
    round()
    const { user, system } = process.cpuUsage(before)
    samples.push((user + system) / inputs.length)
  }
  samples.sort((a, b) => a - b)
  return `${samples[ROUNDS >> 1]!.toFixed(2)} (best ${samples[0]!.toFixed(2)})`
}

function played(count: number): readonly Input[] {
  const centre = simulation({ agents: 300, queues: 20, conversationsPerHour: 3_000, flat: true })
  const receive = receiver(centre.centre.source)
  const inputs: Input[] = []
  for (let emission = centre.next(); emission !== null && inputs.length < count; emission = centre.next())
    inputs.push({ event: receive(emission), body: emission.body })
  return inputs
}

function line(text: string): void {
  process.stdout.write(`${text}\n`)
}
