/**
 * Which rate holds for a key: the exact one before the general one, and what was changed at run time before the configuration. With
 * each goes since when it holds and until when: tokens of the future are good for that time only, so whoever waits books anew then.
 */
import type { LimitConfig, LimitRate } from '../config/config.ts'
import type { Rate } from '../pipeline/bucket.ts'

/** A limit that was changed while the service runs; of one that was taken off again, `untilMs` is when. */
export type LimitOverride = {
  /** null takes the limit off. */
  readonly rate: LimitRate | null
  readonly sinceMs: number
  /** When it ends by itself; null stays. */
  readonly untilMs: number | null
}

/** What a limit goes by now. */
export type LimitTerms = {
  readonly limit: LimitConfig
  /** When its rates were last changed otherwise than by an override. */
  readonly sinceMs: number
  /** By key; null is the default of all keys that have none of their own. */
  readonly overrides: ReadonlyMap<string | null, LimitOverride>
}

/** Terms that nobody changes. */
export function fixedTerms(limit: LimitConfig): () => LimitTerms {
  const terms: LimitTerms = { limit, sinceMs: 0, overrides: new Map() }
  return () => terms
}

/** A rate with the time it holds for. */
export type KeyRate = Rate & { readonly sinceMs: number; readonly untilMs: number }

/** The rate of a key now; null when it is not limited. */
export type Ruling = { readonly rate: Rate | null; readonly sinceMs: number; readonly untilMs: number }

export function rateOf({ limit, sinceMs, overrides }: LimitTerms, key: string, nowMs: number): Ruling {
  const configured = Object.hasOwn(limit.limits, key)
  if (overrides.size === 0) return { rate: whole(configured ? (limit.limits[key] ?? null) : limit), sinceMs, untilMs: Infinity }
  const own = overrides.get(key)
  if (own !== undefined && holds(own, nowMs)) return { rate: whole(own.rate), sinceMs: own.sinceMs, untilMs: own.untilMs ?? Infinity }
  const ended = Math.max(sinceMs, own?.untilMs ?? 0)
  if (configured) return { rate: whole(limit.limits[key] ?? null), sinceMs: ended, untilMs: Infinity }
  const general = overrides.get(null)
  if (general === undefined) return { rate: whole(limit), sinceMs: ended, untilMs: Infinity }
  if (!holds(general, nowMs)) return { rate: whole(limit), sinceMs: Math.max(ended, general.untilMs ?? 0), untilMs: Infinity }
  return { rate: whole(general.rate), sinceMs: Math.max(ended, general.sinceMs), untilMs: general.untilMs ?? Infinity }
}

/** Whether an override has an effect at a time. */
export const holds = ({ untilMs }: LimitOverride, nowMs: number): boolean => untilMs === null || nowMs < untilMs

/** Without a burst of its own a limit lets a second's worth come at once. */
function whole(rate: LimitRate | null): Rate | null {
  if (rate === null) return null
  return { perSecond: rate.perSecond, burst: rate.burst ?? Math.max(1, Math.ceil(rate.perSecond)) }
}
