import type { Event } from '../event/event.ts'
import type { Outcome } from '../pipeline/outcome.ts'

/**
 * Where events go. A sink does not retry, order, count attempts or de-duplicate: the route does. It answers one
 * outcome per event, aligned by index: `keep` (delivered and durable at the sink), `retry`, `dead`, or `hold`
 * (the sink itself cannot work now, such as a full disk; no attempt was made).
 *
 * `deliver` is called with at most `maxBatch` events, by at most `concurrency` callers at once, and must resolve
 * soon after the signal aborts (outcome `retry`). It rejects only for a defect; the route treats that as `retry`.
 */
export interface Sink {
  readonly kind: string
  readonly maxBatch: number
  readonly concurrency: number
  /**
   * Called once before the first `deliver`, with the position string that came back with the last committed batch,
   * or null. A sink that can, brings itself back to exactly that point (the file sink cuts back to it).
   */
  open(position: string | null): Promise<void>
  deliver(events: readonly Event[], signal: AbortSignal): Promise<readonly Outcome[]>
  /** The point reached by everything delivered so far, stored by the route in the same transaction as its progress; null when the sink has none. */
  position(): string | null
  close(): Promise<void>
}
