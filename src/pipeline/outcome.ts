import type { Event } from '../event/event.ts'

/** Something worth telling about an event that goes on: counted by reason and key, and in its history. */
export type Note = { readonly reason: string; readonly key: string | null }

/**
 * What became of one event at a stage. A closed union: every stage answers one Outcome per event, aligned by
 * index, and exactly one place per host turns outcomes into acks, batchItemFailures or dead letters.
 */
export type Outcome =
  /** Go on to the next stage; after the last stage: delivered. With a `slot` it goes in place of an older one that holds it. */
  | { readonly type: 'keep'; readonly note?: Note; readonly slot?: string }
  /**
   * End here on purpose. `reason` is a code of the closed list in docs/reference/errors.md; `key` says what the drop is counted by;
   * `by` is the id of the event that took its place.
   */
  | { readonly type: 'drop'; readonly reason: string; readonly key: string | null; readonly by?: string }
  /**
   * Not now, and no attempt was made: order, limiter delay, lease in progress, open breaker, full disk at the sink. Of the events that
   * hold the same `slot` only the newest by business time stays; the others end as `superseded`.
   */
  | { readonly type: 'hold'; readonly reason: string; readonly untilMs: number; readonly key?: string | null; readonly slot?: string }
  /** An attempt failed and may be made again. `afterMs` is a wish of the receiver (Retry-After); null leaves it to the backoff. */
  | { readonly type: 'retry'; readonly reason: string; readonly afterMs: number | null; readonly detail: string | null }
  /** An attempt failed and must not be made again. */
  | { readonly type: 'dead'; readonly reason: string; readonly detail: string | null }

export const KEEP: Outcome = { type: 'keep' }
export const keepNoted = (note: Note): Outcome => ({ type: 'keep', note })
export const drop = (reason: string, key: string | null = null, by?: string): Outcome & { type: 'drop' } =>
  by === undefined ? { type: 'drop', reason, key } : { type: 'drop', reason, key, by }
/** `what`: the key it is counted by, and the slot that only one event may have. */
export const hold = (reason: string, untilMs: number, what: { key?: string | null; slot?: string } = {}): Outcome & { type: 'hold' } => ({
  type: 'hold',
  reason,
  untilMs,
  ...what,
})
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
  /** For a stage that holds: what becomes of events whose time has come. Absent, they run again. */
  resume?(held: readonly Resumed[], signal: AbortSignal): readonly Outcome[] | Promise<readonly Outcome[]>
}

/** An event that a stage held, and what it was told when it did. */
export type Resumed = {
  readonly event: Event
  readonly reason: string
  /** Below zero: it was called before its time, at this instant (`-dueAtMs`), because what the stage promised holds no more. */
  readonly dueAtMs: number
  readonly key: string | null
  readonly slot: string | null
}
