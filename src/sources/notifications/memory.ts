/**
 * What the source remembers over restarts: up to when each shard was whole and durable, and gaps that are not filled yet. It
 * is read with suspicion. Where it is damaged or gone, that is said, and the gap before this start is counted from the last
 * record that the log has of the source: damage must not hide a loss.
 */
import { isObject } from '../../event/json.ts'
import type { ShardGap } from './shard.ts'

/** Where the state is kept; plain JSON. */
export interface SourceMemory {
  /** What was remembered last; undefined when nothing was. Rejects when it cannot be read. */
  recall(): Promise<unknown>
  remember(state: SourceState): Promise<void>
  /** When the last record of this source came; null when the log knows of none. */
  lastRecordMs(): Promise<number | null>
}

export type SourceState = {
  readonly version: 1
  readonly shards: readonly { readonly key: string; readonly wholeMs: number }[]
  readonly gaps: readonly ShardGap[]
}

export type Recalled = {
  /** Null when nothing was remembered. */
  readonly state: SourceState | null
  /** What a person has to know of it. */
  readonly warning: string | null
}

/** What is remembered. Without shards in it, those with `keys` count as whole until `marginMs` before the last record in the log. */
export async function recall(memory: SourceMemory, nowMs: number, keys: readonly string[], marginMs: number): Promise<Recalled> {
  const { state, damaged } = await memory.recall().then(
    (value) => readState(value, nowMs),
    () => ({ state: null, damaged: true }),
  )
  if (state !== null && state.shards.length > 0) return { state, warning: damaged ? GAPS_DAMAGED : null }
  const lastMs = await memory.lastRecordMs().catch(() => null)
  if (lastMs === null) return { state, warning: damaged ? BEGIN_UNKNOWN : null }
  const wholeMs = Math.max(0, Math.min(lastMs, nowMs) - marginMs)
  return { state: { version: 1, shards: keys.map((key) => ({ key, wholeMs })), gaps: state?.gaps ?? [] }, warning: COUNTED_FROM_LOG }
}

const GAPS_DAMAGED = 'Some of what the notification source remembered is damaged: gaps that were not on record yet are not known any more.'
const BEGIN_UNKNOWN =
  'What the notification source remembered cannot be read, and the log has no notification to count from: notifications are missing before this start, and since when is not known.'
const COUNTED_FROM_LOG =
  'What the notification source remembered cannot be read. The gap before this start is counted from the last notification in the log; it may have begun earlier, and gaps that were not on record yet are not known any more.'

/** The state in `value`, without what is damaged in it. Times to come are cut back to now: clocks are set back at times, a little. */
export function readState(value: unknown, nowMs: number): { readonly state: SourceState | null; readonly damaged: boolean } {
  if (value === undefined) return { state: null, damaged: false }
  if (!isObject(value) || value['version'] !== 1 || !Array.isArray(value['shards']) || !Array.isArray(value['gaps']))
    return { state: null, damaged: true }
  const given: { readonly shards: readonly unknown[]; readonly gaps: readonly unknown[] } = { shards: value['shards'], gaps: value['gaps'] }
  const read = given.shards.filter((shard) => isShard(shard, nowMs))
  // One that is missing would have none of its gap named: all of them are counted anew.
  const shards = read.length < given.shards.length ? [] : read.map(({ key, wholeMs }) => ({ key, wholeMs: Math.min(wholeMs, nowMs) }))
  const gaps = given.gaps.filter(isGap)
  return { state: { version: 1, shards, gaps }, damaged: read.length < given.shards.length || gaps.length < given.gaps.length }
}

/** Up to when a shard was whole. One that had another number before counts as whole as the least of its like. */
export function wholeOf(state: SourceState | null, key: string): number | null {
  if (state === null) return null
  const own = state.shards.find((shard) => shard.key === key)
  if (own !== undefined) return own.wholeMs
  const alike = state.shards.filter((shard) => shard.key[0] === key[0]).map(({ wholeMs }) => wholeMs)
  return alike.length === 0 ? null : Math.min(...alike)
}

function isShard(value: unknown, nowMs: number): value is SourceState['shards'][number] {
  return isObject(value) && typeof value['key'] === 'string' && isTime(value['wholeMs']) && value['wholeMs'] <= nowMs + MAX_AHEAD_MS
}

function isGap(value: unknown): value is ShardGap {
  if (!isObject(value)) return false
  const { shard, fromMs, toMs, reason, topics } = value
  const texts =
    typeof shard === 'string' && typeof reason === 'string' && Array.isArray(topics) && topics.every((topic) => typeof topic === 'string')
  return texts && isTime(fromMs) && isTime(toMs) && fromMs <= toMs
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** What lies further ahead was not remembered by a clock that was set back since. */
const MAX_AHEAD_MS = 60_000
