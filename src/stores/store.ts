/**
 * What stages remember where many processes share one memory. Three things: claims of dedupe, tokens of limits, and verdicts
 * that hold for all. All calls are batches; answers are aligned by index. Time is a number handed in.
 */
import type { TakeRequest } from '../pipeline/bucket.ts'

export type Claim =
  /** Ours until the lease lapses. */
  | { readonly state: 'claimed' }
  /** Completed before: the event is a duplicate of `eventId`. */
  | { readonly state: 'done'; readonly eventId: string }
  /** Somebody else works on it until then. */
  | { readonly state: 'leased'; readonly untilMs: number }

export type ClaimRequest = { readonly key: string; readonly eventId: string }

export type TokenRequest = TakeRequest & { readonly key: string }

export type Tokens = {
  /** The times of the tokens that are now the caller's. */
  readonly atMs: readonly number[]
  /** Not worth asking again before. */
  readonly nextAtMs: number
}

export type ValueRequest = {
  readonly key: string
  readonly value: string | null
  /** The value that this one takes the place of. */
  readonly instead?: string
}

export interface Store {
  /**
   * Claims each key (lower-case hex) for `owner` until `untilMs`. The same key twice in one call: the second gets `leased`.
   * Claims are leases with an owner token: completing or releasing is conditional on it, so a slow first owner cannot overwrite the second.
   */
  claim(requests: readonly ClaimRequest[], owner: string, nowMs: number, untilMs: number): Promise<readonly Claim[]>
  /** Marks keys done until `expiresAtMs`; answers false for a key whose lease is no longer this owner's. */
  complete(keys: readonly string[], owner: string, expiresAtMs: number): Promise<readonly boolean[]>
  /** Gives keys back so that the next claim succeeds; false for a key whose lease is no longer this owner's. */
  release(keys: readonly string[], owner: string): Promise<readonly boolean[]>
  /**
   * Takes tokens of the buckets of these keys (any text), each token given to one caller only. A bucket is remembered at least
   * until it is full.
   */
  takeTokens(requests: readonly TokenRequest[], nowMs: number): Promise<readonly Tokens[]>
  /**
   * Remembers a value for each key (any text) until `expiresAtMs` unless there is one (another than `instead`), and answers the one
   * there is. With the value null it only looks, and answers null where there is none.
   */
  remember(entries: readonly ValueRequest[], nowMs: number, expiresAtMs: number): Promise<readonly (string | null)[]>
  close(): Promise<void>
}
