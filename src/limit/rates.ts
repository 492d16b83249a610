/** Which rate holds for a key: the exact one before the general one, and what was changed at run time before the configuration. */
import type { LimitConfig, LimitRate } from '../config/config.ts'
import type { Rate } from '../pipeline/bucket.ts'

/** A limit that was changed while the service runs. */
export type LimitOverride = {
  /** null is the default of all keys that have none of their own. */
  readonly key: string | null
  /** null takes the limit off. */
  readonly rate: LimitRate | null
  /** When it ends by itself; null stays. */
  readonly untilMs: number | null
}

/** The rate of a key now; null when it is not limited. Overrides are asked for each time, so a change holds from the next batch. */
export function rateOf(limit: LimitConfig, overrides: readonly LimitOverride[], key: string, nowMs: number): Rate | null {
  const overriding = (wanted: string | null): LimitOverride | undefined =>
    overrides.find((one) => one.key === wanted && (one.untilMs === null || nowMs < one.untilMs))
  if (overrides.length > 0) {
    const own = overriding(key)
    if (own !== undefined) return whole(own.rate)
  }
  if (Object.hasOwn(limit.limits, key)) return whole(limit.limits[key] ?? null)
  const general = overrides.length > 0 ? overriding(null) : undefined
  return whole(general === undefined ? limit : general.rate)
}

/** Without a burst of its own a limit lets a second's worth come at once. */
function whole(rate: LimitRate | null): Rate | null {
  if (rate === null) return null
  return { perSecond: rate.perSecond, burst: rate.burst ?? Math.max(1, Math.ceil(rate.perSecond)) }
}
