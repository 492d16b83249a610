/**
 * When a fact is dated. The business time counts unless it is absurd: before Genesys Cloud existed, after the event was
 * published, or (for what happens in conversations, which is published within seconds) long before. Then the time of
 * publishing counts; it belongs to the event, so a repetition is still the same fact. The time of receipt, which
 * does not, is the last resort. A fact that is still dated ahead of the clock is refused by `State.apply`.
 */
import type { Event } from '../event/event.ts'

/** How far clocks of Genesys and ours may differ. */
export const DEFAULT_SKEW_MS = 60_000

/** For what happens in a conversation: told within moments, however late the message arrives. */
export function happenedAtMs(event: Event, occurredAtMs: number | null): number {
  const publishedAtMs = publishedOf(event)
  if (occurredAtMs === null || occurredAtMs < FIRST_MS) return publishedAtMs ?? event.receivedAtMs
  if (publishedAtMs === null) return occurredAtMs
  const told = occurredAtMs <= publishedAtMs + DEFAULT_SKEW_MS && occurredAtMs >= publishedAtMs - MAX_LAG_MS
  return told ? occurredAtMs : publishedAtMs
}

/** For what has been so since a time that may be long ago: a presence, a routing status. */
export function sinceAtMs(event: Event, occurredAtMs: number | null): number {
  const publishedAtMs = publishedOf(event)
  if (occurredAtMs === null || occurredAtMs < FIRST_MS) return publishedAtMs ?? event.receivedAtMs
  return publishedAtMs !== null && occurredAtMs > publishedAtMs + DEFAULT_SKEW_MS ? publishedAtMs : occurredAtMs
}

/** 2010: older than any event of Genesys Cloud. */
const FIRST_MS = Date.UTC(2010, 0, 1)
const MAX_LAG_MS = 24 * 3_600_000

/** Not, when it is absurd itself. */
function publishedOf(event: Event): number | null {
  const { publishedAtMs, receivedAtMs } = event
  return publishedAtMs === null || publishedAtMs < FIRST_MS || publishedAtMs > receivedAtMs + DEFAULT_SKEW_MS ? null : publishedAtMs
}
