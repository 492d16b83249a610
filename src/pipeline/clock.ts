/** Time, handed in. Nothing in stages, folds, adapters or routes reads the clock or sets a timer but through this. */
export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number
  /** Resolves after `ms`, or at once when the signal aborts (it never rejects). */
  wait(ms: number, signal?: AbortSignal): Promise<void>
}
