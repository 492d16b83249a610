/**
 * The token bucket, as one number per key: the time at which the bucket would be full again (the generic cell rate algorithm). Tokens
 * have times, never earlier than asked for: of the tokens of one bucket at most `perSecond * T + burst` fall into any T seconds.
 */
export type Rate = { readonly perSecond: number; readonly burst: number }

/** What has to be remembered of a bucket: when it is full again, and when and at which rate that was so. */
export type Bucket = Rate & { readonly fullAtMs: number; readonly asOfMs: number }

export type TakeRequest = Rate & {
  readonly tokens: number
  /** Whether tokens of the future may be taken now; they are good at their time. */
  readonly ahead: boolean
}

export type Taken = {
  readonly bucket: Bucket
  /** The times of the tokens taken, whole milliseconds, in order; fewer than asked for when the bucket is empty. */
  readonly atMs: readonly number[]
  /** The earliest time of the next token. */
  readonly nextAtMs: number
}

/** Clocks of processes that share a bucket differ by less. */
const STEP_MS = 10_000

/** Takes tokens from a bucket; null is one that was never used, or is full. */
export function takeTokens(bucket: Bucket | null, request: TakeRequest, nowMs: number): Taken {
  const { tokens, ahead, perSecond, burst } = request
  const intervalMs = 1_000 / perSecond
  const slackMs = (burst - 1) * intervalMs
  let full = bucket === null ? -Infinity : fullAtMs(bucket, request, nowMs)
  const atMs: number[] = []
  const earliest = (): number => Math.max(nowMs, Math.ceil(full - slackMs))
  for (let n = 0; n < tokens; n++) {
    const at = earliest()
    if (at > nowMs && !ahead) break
    full = Math.max(at, full) + intervalMs
    atMs.push(at)
  }
  return { bucket: { fullAtMs: full, asOfMs: nowMs, perSecond, burst }, atMs, nextAtMs: earliest() }
}

function fullAtMs(bucket: Bucket, { perSecond, burst }: Rate, nowMs: number): number {
  const backMs = bucket.asOfMs - nowMs
  // The clock was set back, and what it was told of the future goes back with it.
  const full = backMs > STEP_MS ? bucket.fullAtMs - backMs : bucket.fullAtMs
  if (perSecond === bucket.perSecond && burst === bucket.burst) return full
  // The rate has changed. What is missing in the bucket is missing still, but what was taken of the future counts no more.
  const missing = Math.min(burst, ((full - nowMs) * bucket.perSecond) / 1_000)
  return nowMs + (missing * 1_000) / perSecond
}
