/**
 * What the source remembers over restarts: up to when each shard was whole and durable, and gaps that are not filled yet. It
 * is read defensively: what cannot be read is no memory, and then no gap is claimed.
 */
import { isObject } from '../../event/json.ts'
import type { ShardGap } from './shard.ts'

/** Where the state is kept; plain JSON. */
export interface SourceMemory {
  /** What was remembered last; null when nothing was. */
  recall(): Promise<unknown>
  remember(state: SourceState): Promise<void>
}

export type SourceState = {
  readonly version: 1
  readonly shards: readonly { readonly key: string; readonly wholeMs: number }[]
  readonly gaps: readonly ShardGap[]
}

/** The state in `value`; null when there is none. Times to come are cut back to now: clocks are set back at times. */
export function readState(value: unknown, nowMs: number): SourceState | null {
  if (!isObject(value) || value['version'] !== 1 || !Array.isArray(value['shards']) || !Array.isArray(value['gaps'])) return null
  const shards: { key: string; wholeMs: number }[] = []
  for (const shard of value['shards'] as readonly unknown[]) {
    if (!isObject(shard) || typeof shard['key'] !== 'string' || !isTime(shard['wholeMs'])) return null
    shards.push({ key: shard['key'], wholeMs: Math.min(shard['wholeMs'], nowMs) })
  }
  return { version: 1, shards, gaps: (value['gaps'] as readonly unknown[]).filter(isGap) }
}

/** Up to when a shard was whole. One that had another number before counts as whole as the least of its like. */
export function wholeOf(state: SourceState | null, key: string): number | null {
  if (state === null) return null
  const own = state.shards.find((shard) => shard.key === key)
  if (own !== undefined) return own.wholeMs
  const alike = state.shards.filter((shard) => shard.key[0] === key[0]).map(({ wholeMs }) => wholeMs)
  return alike.length === 0 ? null : Math.min(...alike)
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
