/**
 * Events that Genesys never sent: Trunkline made them of what the API says, for a gap in the notifications or to repair the state.
 * The record says so by `origin`, so that a pattern can ask for it (`detail.origin`); the event is marked with the same word.
 */
import type { Event } from './event.ts'
import type { JsonObject } from './json.ts'

export type Origin = 'backfill' | 'reconcile'

/** The origin that a record names; null for what came from Genesys. */
export function originOf(record: JsonObject): Origin | null {
  const origin = record['origin']
  return origin === 'backfill' || origin === 'reconcile' ? origin : null
}

/** Whether the event was made of what the API says: it has the fields that the API gives, and no others. */
export function isReconstructed({ marks }: Pick<Event, 'marks'>): boolean {
  return marks.includes('backfill') || marks.includes('reconcile')
}
