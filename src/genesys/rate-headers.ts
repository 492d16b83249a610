/** What answers say about the rate limit. Headers that make no sense count as absent. */

export type RateFacts = {
  /** Requests of this window so far, this one counted. */
  readonly count: number
  readonly allowed: number
  /** Until the window ends, whole seconds as milliseconds. */
  readonly resetMs: number
}

/** The `inin-ratelimit-*` headers; null unless all three are there and readable. */
export function rateFactsOf(headers: Headers): RateFacts | null {
  const count = wholeNumber(headers.get('inin-ratelimit-count'))
  const allowed = wholeNumber(headers.get('inin-ratelimit-allowed'))
  const reset = wholeNumber(headers.get('inin-ratelimit-reset'))
  return count === null || allowed === null || allowed < 1 || reset === null ? null : { count, allowed, resetMs: reset * 1000 }
}

/** How long to stay away after a 429: what `Retry-After` says, else until the window ends, else a minute. */
export function refusalWaitMs(headers: Headers, nowMs: number): number {
  const resetS = wholeNumber(headers.get('inin-ratelimit-reset'))
  return retryAfterMs(headers, nowMs) ?? (resetS === null ? 60_000 : (resetS + 1) * 1000)
}

/** `Retry-After`, as seconds or as a date; null when it is absent or unreadable. */
export function retryAfterMs(headers: Headers, nowMs: number): number | null {
  const text = headers.get('retry-after')
  if (text === null) return null
  const seconds = wholeNumber(text)
  if (seconds !== null) return seconds * 1000
  const atMs = /[a-z]{3}/i.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs)
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : null
}
