/**
 * When to try again: exponential backoff with full jitter, so that events which failed together do not come back
 * together. The receiver's own wish (Retry-After) is honoured when it is longer.
 */
export type RetryPolicy = {
  /** Attempts before the event is a dead letter, the first one counted. */
  readonly maxAttempts: number
  readonly baseMs: number
  readonly maxMs: number
}

/** Wait before attempt `attempt + 1`, when `attempt` attempts have failed. `random` is in [0, 1). */
export function backoffMs(policy: RetryPolicy, attempt: number, random: number, afterMs: number | null): number {
  const ceiling = Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(attempt - 1, 40))
  const jittered = Math.round(random * ceiling)
  return afterMs === null ? jittered : Math.max(jittered, afterMs)
}
