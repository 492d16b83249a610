import type { Event } from '../event/event.ts'

/**
 * What became of one event at a stage. A closed union: every stage answers one Outcome per event, aligned by
 * index, and exactly one place per host turns outcomes into acks, batchItemFailures or dead letters.
 */
export type Outcome =
  /** Go on to the next stage; after the last stage: delivered. */
  | { readonly type: 'keep' }
  /** End here on purpose. `reason` is a code of the closed list in docs/reference/errors.md; `key` says what the drop is counted by. */
  | { readonly type: 'drop'; readonly reason: string; readonly key: string | null }
  /** Not now, and no attempt was made: order, limiter delay, lease in progress, open breaker, full disk at the sink. */
  | { readonly type: 'hold'; readonly reason: string; readonly untilMs: number }
  /** An attempt failed and may be made again. `afterMs` is a wish of the receiver (Retry-After); null leaves it to the backoff. */
  | { readonly type: 'retry'; readonly reason: string; readonly afterMs: number | null; readonly detail: string | null }
  /** An attempt failed and must not be made again. */
  | { readonly type: 'dead'; readonly reason: string; readonly detail: string | null }

export const KEEP: Outcome = { type: 'keep' }
export const drop = (reason: string, key: string | null = null): Outcome => ({ type: 'drop', reason, key })
export const hold = (reason: string, untilMs: number): Outcome => ({ type: 'hold', reason, untilMs })
export const retry = (reason: string, detail: string | null = null, afterMs: number | null = null): Outcome => ({
  type: 'retry',
  reason,
  afterMs,
  detail,
})
export const dead = (reason: string, detail: string | null = null): Outcome => ({ type: 'dead', reason, detail })

/** One step of a route: a batch in, one outcome per event out, aligned by index. It never throws for one bad event. */
export type Stage = {
  readonly name: string
  run(events: readonly Event[], signal: AbortSignal): readonly Outcome[] | Promise<readonly Outcome[]>
}
