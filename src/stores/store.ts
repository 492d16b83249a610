/**
 * What the dedupe stage remembers where many processes share one memory (AWS). Claims are leases with an owner token:
 * completing or releasing is conditional on it, so a slow first owner cannot overwrite the second.
 * Keys are lower-case hex. All calls are batches; answers are aligned by index.
 */
export type Claim =
  /** Ours until the lease lapses. */
  | { readonly state: 'claimed' }
  /** Completed before: the event is a duplicate of `eventId`. */
  | { readonly state: 'done'; readonly eventId: string }
  /** Somebody else works on it until then. */
  | { readonly state: 'leased'; readonly untilMs: number }

export type ClaimRequest = { readonly key: string; readonly eventId: string }

export interface Store {
  /** Claims each key for `owner` until `untilMs`. The same key twice in one call: the second gets `leased`. */
  claim(requests: readonly ClaimRequest[], owner: string, nowMs: number, untilMs: number): Promise<readonly Claim[]>
  /** Marks keys done until `expiresAtMs`; answers false for a key whose lease is no longer this owner's. */
  complete(keys: readonly string[], owner: string, expiresAtMs: number): Promise<readonly boolean[]>
  /** Gives keys back so that the next claim succeeds; false for a key whose lease is no longer this owner's. */
  release(keys: readonly string[], owner: string): Promise<readonly boolean[]>
  close(): Promise<void>
}
