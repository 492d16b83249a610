/** What a comparison of the state with the API comes to. Nothing in it is content of an event: ids, kinds, times. */

/**
 * - `gap`: Genesys knows what we missed, and neither side is over;
 * - `stuck`: over at Genesys, not with us;
 * - `mismatch`: an agent is doing something else;
 * - `unknown`: Genesys does not know it, or does not show it to this client.
 */
export type FindingKind = 'gap' | 'stuck' | 'mismatch' | 'unknown'

export const FINDING_KINDS: readonly FindingKind[] = ['gap', 'stuck', 'mismatch', 'unknown']

/** What happened so shortly before the API was asked may still be on its way to us as an event: it is no difference yet. */
export const ON_ITS_WAY_MS = 10_000

/** What happened so shortly before the API was asked may not be in its answer. */
export const ANSWER_LAG_MS = 60_000

/** What one side says: `open`, `ended`, a presence, a routing status; and since when. */
export type Said = { readonly value: string | null; readonly sinceMs: number | null }

/**
 * Why a finding cannot be repaired:
 * - `not_found`, `forbidden`: there is nothing to repair it with;
 * - `too_late`: it is closed or forgotten here, and older than `state.horizonMs`: the state would not take it any more;
 * - `in_the_log`: the state has no such conversation, but the log has all that Genesys knows of it;
 * - `newer_here`: what we know is newer than what Genesys says;
 * - `no_time`: Genesys does not say since when, or says a time that cannot be, or nothing that could be told as an event.
 */
export type Obstacle = 'not_found' | 'forbidden' | 'too_late' | 'in_the_log' | 'newer_here' | 'no_time'

export type Finding = {
  readonly kind: FindingKind
  readonly entity: 'conversation' | 'agent'
  readonly id: string
  readonly about: 'conversation' | 'presence' | 'routingStatus'
  readonly here: Said
  readonly there: Said
  /** Null when it can be repaired. */
  readonly obstacle: Obstacle | null
}

/** An event that puts a part of a finding right. */
export type Repair = { readonly topicName: string; readonly body: Readonly<Record<string, unknown>> }

/** A finding and what repairs it, in the order in which the state must be told. */
export type Comparison = { readonly finding: Finding; readonly repairs: readonly Repair[] }

/** The record of a repair: a notification with its origin. The same repair is the same event to the log, however often it is made. */
export function recordOf({ topicName, body }: Repair, kind: FindingKind): string {
  return JSON.stringify({ topicName, version: '2', eventBody: body, metadata: {}, origin: 'reconcile', finding: kind })
}

/** What there is to say of an entity that Genesys does not know or show. */
export function unknownEntity(entity: Finding['entity'], id: string, here: Said, obstacle: 'not_found' | 'forbidden'): Finding {
  const about = entity === 'agent' ? 'presence' : 'conversation'
  return { kind: 'unknown', entity, id, about, here, there: { value: null, sinceMs: null }, obstacle }
}
