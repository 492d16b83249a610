/**
 * What folding costs: `node --expose-gc bench/state.bench.ts`, alone on the machine. Events of a simulated centre in the order of publishing, as parsed
 * bodies: microseconds of the processor an event, the median and the best of the rounds, for making facts, for applying them, and for storing them as the service
 * does, rows that are still due at the end included; for the figures of all queues; bytes that a conversation takes open and packed; and
 * the same with ten million keys that were seen before, of which memory keeps fifty thousand and the store a million.
 */
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Event } from '../src/event/event.ts'
import type { Fact } from '../src/state/fact.ts'
import { factsOf } from '../src/state/facts-of.ts'
import { createState } from '../src/state/folded-state.ts'
import { toChunk } from '../src/state/chunk.ts'
import type { Row, State, StateOptions } from '../src/state/state.ts'
import { receiver } from '../src/testing/simulated-state.ts'
import { StateRows } from '../src/stores/state-rows.ts'
import { simulation } from '../src/simulator/model/simulation.ts'

const EVENTS = 150_000
const ROUNDS = 7
/** As the service does when events come fast. */
const STORE_EVERY = 4_000
/** Frozen conversations that the store keeps at most. */
const STORED_KEYS = 1_000_000
const keys = Number(process.argv[2] ?? 10_000_000)
let longestMs = 0

type Input = { readonly event: Event; readonly body: unknown; readonly text: string }

const root = mkdtempSync(join(tmpdir(), 'trunkline-state-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))

const inputs = played(EVENTS)
const factsEach = inputs.map(({ event, body }) => factsOf(event, body))
const total = factsEach.reduce((sum, { length }) => sum + length, 0)
line(`${inputs.length} events of a simulated centre, ${total} facts`)

line(`factsOf                              ${us(() => inputs.forEach(({ event, body }) => void factsOf(event, body)))} us/event`)
line(`factsOf + apply                      ${us(() => foldAll(createState()))} us/event`)
line(`apply alone                          ${us(() => applyAll(createState()))} us/event`)
const stored = measured(foldInto, inputs.length, emptyRows)
line(`factsOf + apply + stored             ${shown(stored)} us/event; the longest store of the last round ${longestMs.toFixed(0)} ms`)
line(
  `... all frozen half an hour later    ${shown(measured((rows) => foldInto(rows, { horizonMs: 30 * 60_000 }), inputs.length, emptyRows))} us/event`,
)
line(`JSON.parse of the body               ${us(() => inputs.forEach(({ text }) => void JSON.parse(text)))} us/event`)
line(`JSON.parse + factsOf + apply + stored ${shown(measured((rows) => foldInto(rows, {}, true), inputs.length, emptyRows))} us/event`)

const state = createState()
applyAll(state)
state.tidy()
const { newestAtMs } = state
const queuesUs = measured(() => void state.queues(newestAtMs, { fromMs: 0, toMs: Infinity }), 1)
line(`figures of all queues                ${shown(queuesUs.map((one) => one / 1_000))} ms over ${state.stats.conversations} conversations`)
memory()
manyKeys()

function foldAll(state: State): void {
  for (const { event, body } of inputs) state.apply(factsOf(event, body), event.receivedAtMs)
}

/** As the service does it. */
function foldInto(rows: StateRows, options: Partial<StateOptions> = {}, parse = false): void {
  const state = createState({ ...options, stored: true, recall: (kind, id) => rows.chunk(kind, id) })
  longestMs = 0
  const store = (position: number, whole = false): void => {
    const beganAtMs = performance.now()
    const batch = state.unstored(whole)
    rows.write(batch, { position, newestAtMs: state.newestAtMs, completeSinceMs: state.completeSinceMs })
    state.stored(batch)
    if (!whole) longestMs = Math.max(longestMs, performance.now() - beganAtMs)
  }
  for (let i = 0; i < inputs.length; i++) {
    const { event, body, text } = inputs[i]!
    state.apply(factsOf(event, parse ? JSON.parse(text) : body), event.receivedAtMs)
    if (i % STORE_EVERY === STORE_EVERY - 1) store(i)
  }
  store(inputs.length, true)
  rows.close()
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
  const none = measured(() => foldAll(createState()))
  const known = measured(() => foldAll(state))
  line(`factsOf + apply with those known     ${shown(known)} us/event: ${rate(none, known)}; heap ${(heap() / 2 ** 20).toFixed(0)} MiB`)
  const dir = folder('filled')
  fill(join(dir, 'state.db'), fact!)
  const filled = measured(foldInto, inputs.length, () => {
    const copy = join(folder('copy'), 'state.db')
    cpSync(join(dir, 'state.db'), copy)
    return new StateRows({ path: copy, warn: line })
  })
  line(`... + stored beside ${Math.min(keys, STORED_KEYS)} frozen rows ${shown(filled)} us/event: ${rate(stored, filled)}`)
}

/** A store that is as full as it gets. */
function fill(path: string, fact: Fact): void {
  const rows = new StateRows({ path, warn: line })
  const meta = { position: 1, newestAtMs: fact.atMs, completeSinceMs: fact.atMs }
  for (let n = 0; n < Math.min(keys, STORED_KEYS); n += 1_000) {
    const some = Array.from({ length: 1_000 }, (_, i): Row => {
      const id = createHash('md5')
        .update(String(n + i))
        .digest('hex')
      const chunk = toChunk({ kind: 'conversation', id, facts: [{ ...fact, of: id }], gaveUp: false, frozen: true })
      const times = { startedAtMs: fact.atMs, endedAtMs: fact.atMs, newestAtMs: fact.atMs }
      return { kind: 'conversation', id, chunk, version: 1, frozen: true, ...times }
    })
    rows.write({ rows: some, facts: null, pending: 0 }, meta)
  }
  rows.rebase()
  rows.close()
}

function heap(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

function us(round: () => void): string {
  return shown(measured(round))
}

/** Time of the processor, which a busy machine disturbs less than that of the clock; collections in other threads count. In order. */
function measured<T = void>(round: (ready: T) => void, per = inputs.length, prepare: () => T = () => undefined as T): readonly number[] {
  const samples: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const ready = prepare()
    const before = process.cpuUsage()
    round(ready)
    const { user, system } = process.cpuUsage(before)
    samples.push((user + system) / per)
  }
  return samples.sort((a, b) => a - b)
}

function median(samples: readonly number[]): number {
  return samples[samples.length >> 1]!
}

function shown(samples: readonly number[]): string {
  return `${median(samples).toFixed(2)} (best ${samples[0]!.toFixed(2)})`
}

/** Throughput beside that of another. */
function rate(other: readonly number[], samples: readonly number[]): string {
  return `${((100 * median(other)) / median(samples)).toFixed(0)} % of the throughput with none`
}

function emptyRows(): StateRows {
  return new StateRows({ path: join(folder('none'), 'state.db'), warn: line })
}

/** An empty one. */
function folder(name: string): string {
  const dir = join(root, name)
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir)
  return dir
}

function played(count: number): readonly Input[] {
  const centre = simulation({ agents: 300, queues: 20, conversationsPerHour: 3_000, flat: true })
  const receive = receiver(centre.centre.source)
  const inputs: Input[] = []
  for (let emission = centre.next(); emission !== null && inputs.length < count; emission = centre.next())
    inputs.push({ event: receive(emission), body: emission.body, text: emission.bodyText })
  return inputs
}

function line(text: string): void {
  process.stdout.write(`${text}\n`)
}
