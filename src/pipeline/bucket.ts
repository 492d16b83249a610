/**
 * The token bucket, as one number per key: the time at which the bucket would be full again (the generic cell rate algorithm). Tokens
 * have times, never earlier than asked for: of the tokens of one bucket at most `perSecond * T + burst` fall into any T seconds.
 */
export type Rate = { readonly perSecond: number; readonly burst: number }

export type TakeRequest = Rate & {
  readonly tokens: number
  /** Whether tokens of the future may be taken now; they are good at their time. */
  readonly ahead: boolean
  /** Whether tokens of the future are ever taken of this bucket. */
  readonly booked: boolean
  /** The rate has changed: what was taken of the future counts no more, and the bucket is empty. */
  readonly restart?: boolean
}

export type Taken = {
  /** The new state of the bucket. */
  readonly fullAtMs: number
  /** The times of the tokens taken, whole milliseconds, in order; fewer than asked for when the bucket is empty. */
  readonly atMs: readonly number[]
  /** The earliest time of the next token. */
  readonly nextAtMs: number
}

/** Clocks of processes that share a bucket differ by less. */
const STEP_MS = 10_000

/** Takes tokens from a bucket whose state is `fullAtMs` (null: never used, or full). */
export function takeTokens(fullAtMs: number | null, request: TakeRequest, nowMs: number): Taken {
  const { tokens, ahead, burst } = request
  const intervalMs = 1_000 / request.perSecond
  const slackMs = (burst - 1) * intervalMs
  const emptyMs = nowMs + burst * intervalMs
  let full = fullAtMs ?? -Infinity
  if (request.restart === true) full = Math.min(full, emptyMs)
  // A bucket of which the future is never taken is not emptier than empty: the clock has gone back.
  if (!request.booked && full > emptyMs + STEP_MS) full = emptyMs
  const atMs: number[] = []
  const earliest = (): number => Math.max(nowMs, Math.ceil(full - slackMs))
  for (let n = 0; n < tokens; n++) {
    const at = earliest()
    if (at > nowMs && !ahead) break
    full = Math.max(at, full) + intervalMs
    atMs.push(at)
  }
  return { fullAtMs: full, atMs, nextAtMs: earliest() }
}
