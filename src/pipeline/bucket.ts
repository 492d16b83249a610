/**
 * The token bucket, as one number per key: the time at which the bucket would be full again (the generic cell rate algorithm). Tokens
 * have times, never earlier than asked for: of the tokens of one bucket at most `perSecond * T + burst` fall into any T seconds. When the
 * rate changes what was used stays used: over a change it is at most `old perSecond * T1 + new perSecond * T2 + the larger burst`.
 */
export type Rate = { readonly perSecond: number; readonly burst: number }

/** What has to be remembered of a bucket: when it is full again, when and at which rate that was so, and when it was emptied last. */
export type Bucket = Rate & { readonly fullAtMs: number; readonly asOfMs: number; readonly emptiedAtMs: number }

export type TakeRequest = Rate & {
  readonly tokens: number
  /** Whether tokens of the future may be taken now; they are good at their time. */
  readonly ahead: boolean
  /** Whoever had tokens of the future before this instant has given them back: they count no more. */
  readonly givenBackAtMs?: number
}

export type Taken = {
  readonly bucket: Bucket
  /** The times of the tokens taken, whole milliseconds, in order; fewer than asked for when the bucket is empty. */
  readonly atMs: readonly number[]
  /** The earliest time of the next token. */
  readonly nextAtMs: number
}

/** Clocks of processes that share a bucket differ by less. */
export const STEP_MS = 10_000

/** Takes tokens from a bucket; null is one that was never used, or is full. */
export function takeTokens(bucket: Bucket | null, request: TakeRequest, nowMs: number): Taken {
  const { tokens, ahead, perSecond, burst } = request
  const intervalMs = 1_000 / perSecond
  const slackMs = (burst - 1) * intervalMs
  const before = bucket === null ? null : brought(bucket, request, nowMs)
  let full = before?.fullAtMs ?? -Infinity
  const atMs: number[] = []
  const earliest = (): number => Math.max(nowMs, Math.ceil(full - slackMs))
  for (let n = 0; n < tokens; n++) {
    const at = earliest()
    if (at > nowMs && !ahead) break
    full = Math.max(at, full) + intervalMs
    atMs.push(at)
  }
  const emptiedAtMs = Math.max(before?.emptiedAtMs ?? 0, request.givenBackAtMs ?? 0)
  return { bucket: { fullAtMs: full, asOfMs: nowMs, emptiedAtMs, perSecond, burst }, atMs, nextAtMs: earliest() }
}

/** The bucket as it is now, at the rate of now. */
function brought(bucket: Bucket, { perSecond, burst, givenBackAtMs = 0 }: TakeRequest, nowMs: number): Bucket {
  const backMs = bucket.asOfMs - nowMs > STEP_MS ? bucket.asOfMs - nowMs : 0
  // The clock was set back, and what it was told of the future goes back with it.
  const fullAtMs = bucket.fullAtMs - backMs
  const emptiedAtMs = Math.max(0, bucket.emptiedAtMs - backMs)
  const empties = givenBackAtMs > emptiedAtMs
  if (!empties && perSecond === bucket.perSecond && burst === bucket.burst) return { ...bucket, fullAtMs, emptiedAtMs }
  // What is missing in the bucket is missing still, but what was given back of the future counts no more. Until the change it was filled at
  // the slower rate: nobody may have asked while a rate in between held.
  const changedAtMs = empties ? Math.min(givenBackAtMs, nowMs) : nowMs
  const idleMs = empties ? Math.max(0, changedAtMs - (bucket.asOfMs - backMs)) : 0
  const filled = (Math.max(0, bucket.perSecond - perSecond) * idleMs) / 1_000
  const taken = ((fullAtMs - changedAtMs) * bucket.perSecond) / 1_000 + filled
  const missing = empties ? Math.min(burst, taken) : taken
  return { ...bucket, fullAtMs: changedAtMs + (missing * 1_000) / perSecond, emptiedAtMs: empties ? givenBackAtMs : emptiedAtMs }
}
