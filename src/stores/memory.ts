import { type Bucket, takeTokens } from '../pipeline/bucket.ts'
import type { Claim, ClaimRequest, Store, TokenRequest, ValueRequest } from './store.ts'

/*
 * The reference store: what the others must behave like, and enough for one process that may forget on exit.
 *
 * Bounded by `maxKeys`. Room is made from the oldest on: done keys that have expired, then leases that have lapsed,
 * and only then done keys still in force (each one told to `onForget`, since its duplicate could now pass). A lease in
 * force is never evicted: with more of them than `maxKeys` the store grows past it. Buckets and values have the same bound each; the
 * one that was used or made longest ago goes first, and is told unless it was full or expired.
 */

/** Bounds of the memory store. */
export type MemoryStoreOptions = {
  /** Default 200,000; about 300 bytes each. */
  readonly maxKeys?: number
  /** Told how many entries had to go before their time. */
  readonly onForget?: (count: number) => void
}

type Lease = { readonly owner: string; readonly eventId: string; readonly untilMs: number }
type Done = { readonly owner: string; readonly eventId: string; readonly expiresAtMs: number }

/** A store that lives and dies with the process. */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const maxKeys = options.maxKeys ?? 200_000
  const leases = new Map<string, Lease>()
  /** In order of completion. */
  const done = new Map<string, Done>()
  /** In order of use. */
  const buckets = new Map<string, Bucket>()
  /** In the order they were made. */
  const values = new Map<string, { readonly value: string; readonly untilMs: number }>()

  const claimOne = ({ key, eventId }: ClaimRequest, owner: string, nowMs: number, untilMs: number): Claim => {
    const finished = done.get(key)
    if (finished !== undefined && finished.expiresAtMs > nowMs) return { state: 'done', eventId: finished.eventId }
    const lease = leases.get(key)
    if (lease !== undefined && lease.untilMs > nowMs) return { state: 'leased', untilMs: lease.untilMs }
    done.delete(key)
    leases.delete(key)
    leases.set(key, { owner, eventId, untilMs })
    return { state: 'claimed' }
  }

  const makeRoom = (nowMs: number): void => {
    let excess = done.size + leases.size - maxKeys
    if (excess <= 0) return
    excess -= removeFirst(done, excess, (entry) => entry.expiresAtMs <= nowMs)
    excess -= removeFirst(leases, excess, (entry) => entry.untilMs <= nowMs)
    const forgotten = removeFirst(done, excess, () => true)
    if (forgotten > 0) options.onForget?.(forgotten)
  }

  const completeOne = (key: string, owner: string, expiresAtMs: number): boolean => {
    const entry = leases.get(key) ?? done.get(key)
    if (entry?.owner !== owner) return false
    leases.delete(key)
    done.delete(key)
    done.set(key, { owner, eventId: entry.eventId, expiresAtMs })
    return true
  }

  const takeOne = (request: TokenRequest, nowMs: number): { atMs: readonly number[]; nextAtMs: number } => {
    const { bucket, atMs, nextAtMs } = takeTokens(buckets.get(request.key) ?? null, request, nowMs)
    buckets.delete(request.key)
    buckets.set(request.key, bucket)
    return { atMs, nextAtMs }
  }

  const rememberOne = ({ key, value, instead }: ValueRequest, nowMs: number, untilMs: number): string | null => {
    const known = values.get(key)
    if (known !== undefined && known.untilMs > nowMs && (value === null || known.value !== instead)) return known.value
    if (value === null) return null
    values.delete(key)
    values.set(key, { value, untilMs })
    return value
  }

  const bound = <T>(entries: Map<string, T>, isOver: (entry: T) => boolean): void => {
    removeFirst(entries, entries.size - maxKeys, isOver)
    const early = removeFirst(entries, entries.size - maxKeys, () => true)
    if (early > 0) options.onForget?.(early)
  }

  return {
    async takeTokens(requests, nowMs) {
      const tokens = requests.map((request) => takeOne(request, nowMs))
      bound(buckets, ({ fullAtMs }) => fullAtMs <= nowMs)
      return tokens
    },
    async remember(entries, nowMs, expiresAtMs) {
      const known = entries.map((entry) => rememberOne(entry, nowMs, expiresAtMs))
      bound(values, ({ untilMs }) => untilMs <= nowMs)
      return known
    },
    async claim(requests, owner, nowMs, untilMs) {
      const claims = requests.map((request) => claimOne(request, owner, nowMs, untilMs))
      makeRoom(nowMs)
      return claims
    },
    async complete(keys, owner, expiresAtMs) {
      return keys.map((key) => completeOne(key, owner, expiresAtMs))
    },
    async release(keys, owner) {
      return keys.map((key) => leases.get(key)?.owner === owner && leases.delete(key))
    },
    async close() {
      for (const entries of [leases, done, buckets, values]) entries.clear()
    },
  }
}

/** Deletes entries that `goes` says may go, oldest first, up to `limit`; stops at the first that must stay. */
function removeFirst<T>(entries: Map<string, T>, limit: number, goes: (entry: T) => boolean): number {
  let removed = 0
  for (const [key, entry] of entries) {
    if (removed >= limit || !goes(entry)) break
    entries.delete(key)
    removed += 1
  }
  return removed
}
