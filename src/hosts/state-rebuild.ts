/**
 * Makes the state again from its base and the log since, beside the state that answers, and compares the two for the same instant.
 * Events keep coming meanwhile: only for the last records and the comparison the follower of the log stands still.
 */
import { isDeepStrictEqual } from 'node:util'
import { TrunklineError } from '../errors.ts'
import type { LogReader } from '../log/reader.ts'
import { bodyOf } from '../schema/assess.ts'
import { factsOf } from '../state/facts-of.ts'
import type { Recall } from '../state/memory.ts'
import type { State } from '../state/state.ts'
import type { StateRows } from '../stores/state-rows.ts'
import { systemClock } from './clock.ts'
import type { Fold, LogFollower } from './log-follower.ts'

export type Rebuilt = {
  readonly equal: boolean
  readonly asOfMs: number
  /** Compared. */
  readonly conversations: number
  readonly agents: number
  readonly queues: number
  /** Records of the log that were folded, from which on. */
  readonly events: number
  readonly fromSeq: number
  readonly tookMs: number
  /** The first of them. */
  readonly differences: readonly Difference[]
}

export type Difference = { readonly kind: 'conversation' | 'agent' | 'queue'; readonly id: string; readonly fields: readonly string[] }

type Rebuilding = {
  readonly keeper: Fold & { readonly state: State; create(recall: Recall): State }
  readonly rows: StateRows
  readonly log: LogReader
  readonly follower: LogFollower
  readonly nowMs: () => number
  readonly signal: AbortSignal
  /** When conversations that were heard of last are to be looked at. */
  readonly dueAtMs: () => ReadonlyMap<string, number>
  /** The new state answers from now on. */
  readonly adopt: (state: State) => void
}

const READ_BYTES = 256 * 1024
const SLICE = 64
/** Works for so long, then rests as long: half of the thread. */
const WORK_MS = 10
const KEEP_EVERY_RECORDS = 5_000
/** So near to the end the follower is asked to stand still. */
const NEAR_RECORDS = 500
const MAX_DIFFERENCES = 20

export async function rebuilt(o: Rebuilding): Promise<Rebuilt> {
  const { rows, keeper, follower, nowMs } = o
  const beganAtMs = nowMs()
  const pace = paceOf(o.signal)
  rows.forgetMade()
  const { base } = rows
  let chunkOf: Recall = (kind, id) => rows.madeChunk(kind, id)
  const made = keeper.create((kind, id) => chunkOf(kind, id))
  if (base !== null) made.resume(base)
  for (const { kind, id } of rows.baseIds()) {
    const chunk = rows.madeChunk(kind, id)
    if (chunk !== null) made.restore(chunk)
    await pace()
  }
  for (const facts of [...rows.baseFacts()]) {
    made.restoreFacts(facts)
    await pace()
  }
  const fromSeq = Math.max(base?.position ?? 1, o.log.firstSeq)
  const reading = { made, rows, log: o.log, position: fromSeq, events: 0 }
  // Never beyond what the live state is made of.
  while (follower.positionOf(keeper) - reading.position > NEAR_RECORDS) await readTo(reading, follower.positionOf(keeper), pace)
  return follower.between(keeper, async (end) => {
    await readTo(reading, end, pace)
    made.resume({ newestAtMs: -Infinity, completeSinceMs: keeper.state.completeSinceMs })
    made.tidy()
    keeper.state.tidy()
    const asOfMs = nowMs()
    const { differences, ...counts } = await compared(keeper.state, made, asOfMs, pace)
    const equal = differences.length === 0
    if (equal) rows.forgetMade()
    else {
      keep(reading)
      rows.adopt({ position: end, newestAtMs: made.newestAtMs, completeSinceMs: made.completeSinceMs }, o.dueAtMs())
      chunkOf = (kind, id) => rows.chunk(kind, id)
      o.adopt(made)
    }
    return { equal, asOfMs, ...counts, events: reading.events, fromSeq, tookMs: nowMs() - beganAtMs, differences }
  })
}

type Reading = { readonly made: State; readonly rows: StateRows; readonly log: LogReader; position: number; events: number }

type Pace = () => Promise<void>

async function readTo(reading: Reading, end: number, pace: Pace): Promise<void> {
  const { log, made } = reading
  let keptAt = reading.position
  while (reading.position < end) {
    const { records, nextSeq } = await log.read(reading.position, READ_BYTES)
    for (const record of records) {
      if (record.seq >= end) break
      reading.position = record.seq + 1
      if (record.firstSeq >= 0) continue
      const event = log.event(record)
      made.apply(factsOf(event, bodyOf(event)), event.receivedAtMs)
      reading.events++
      await pace()
    }
    reading.position = Math.min(end, Math.max(reading.position, records.length > 0 && records.at(-1)!.seq >= end ? end : nextSeq))
    if (reading.position - keptAt < KEEP_EVERY_RECORDS) continue
    keptAt = reading.position
    keep(reading)
  }
}

/** What is written down may leave the memory. */
function keep({ made, rows }: Reading): void {
  const batch = made.unstored(true)
  rows.make(batch.rows)
  made.stored(batch)
}

type Compared = Pick<Rebuilt, 'conversations' | 'agents' | 'queues' | 'differences'>

async function compared(live: State, made: State, asOfMs: number, pace: Pace): Promise<Compared> {
  const differences: Difference[] = []
  const compare = (kind: Difference['kind'], id: string, one: object | null, other: object | null): void => {
    if (differences.length < MAX_DIFFERENCES && !isDeepStrictEqual(one, other)) differences.push({ kind, id, fields: fieldsOf(one, other) })
  }
  const ids = new Set([...conversationIds(live), ...conversationIds(made)])
  for (const id of ids) {
    compare('conversation', id, live.conversation(id, asOfMs), made.conversation(id, asOfMs))
    await pace()
  }
  const agents = compareAll('agent', live.agents(asOfMs), made.agents(asOfMs), ({ userId }) => userId, compare)
  await pace()
  const interval = { fromMs: Math.max(0, live.completeSinceMs, made.completeSinceMs), toMs: asOfMs }
  const queues = compareAll('queue', live.queues(asOfMs, interval), made.queues(asOfMs, interval), ({ queueId }) => queueId, compare)
  return { conversations: ids.size, agents, queues, differences }
}

function compareAll<T extends object>(
  kind: Difference['kind'],
  live: readonly T[],
  made: readonly T[],
  idOf: (one: T) => string,
  compare: (kind: Difference['kind'], id: string, one: T | null, other: T | null) => void,
): number {
  const others = new Map(made.map((one) => [idOf(one), one]))
  for (const one of live) {
    compare(kind, idOf(one), one, others.get(idOf(one)) ?? null)
    others.delete(idOf(one))
  }
  for (const [id, other] of others) compare(kind, id, null, other)
  return live.length + others.size
}

function* conversationIds(state: State): Iterable<string> {
  for (const { id } of state.closedSince(-Infinity, Infinity)) yield id
  for (const { id } of state.silentSince(Infinity, Infinity)) yield id
}

function fieldsOf(one: object | null, other: object | null): readonly string[] {
  if (one === null || other === null) return [one === null ? 'only in the new one' : 'only in the old one']
  const [a, b] = [one as Record<string, unknown>, other as Record<string, unknown>]
  return Object.keys(a).filter((name) => !isDeepStrictEqual(a[name], b[name]))
}

/** Every so many steps: rests for as long as was worked. Throws when the service stops. */
function paceOf(signal: AbortSignal): Pace {
  let steps = 0
  let beganAtMs = performance.now()
  return async () => {
    if (++steps % SLICE !== 0 || performance.now() - beganAtMs < WORK_MS) return
    await systemClock.wait(performance.now() - beganAtMs, signal)
    if (signal.aborted) throw new TrunklineError('service.stopping', 'the service is stopping', 'Ask again when it runs.')
    beganAtMs = performance.now()
  }
}
