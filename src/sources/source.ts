/**
 * Where records come from that Trunkline fetches itself. A source hands raw records to `accept` and knows nothing of the
 * log behind it; what it could not get is a gap, with its begin and end, and never hidden.
 */

/** A time in which events of some topics were lost to this source. */
export type Gap = {
  readonly source: string
  /** Last moment known to be whole, epoch ms. */
  readonly fromMs: number
  /** First moment known to be whole again, epoch ms. */
  readonly toMs: number
  /** What happened, as a code: `channel.closed`, `channel.evicted`, `channel.silent`, `service.down`, ... */
  readonly reason: string
  /** Topic templates whose events cannot be had again. */
  readonly lost: readonly string[]
  /** Topic templates whose events were reconstructed, and how many. */
  readonly filled: readonly { readonly topic: string; readonly events: number }[]
}

/** A time of which it is not known yet what it cost: it still lasts, or what can be had again is being asked for. */
export type OpenGap = {
  readonly source: string
  readonly fromMs: number
  /** Null while it lasts. */
  readonly toMs: number | null
  readonly reason: string
  /** Topic templates concerned. */
  readonly topics: readonly string[]
}

/** A record as it came, ready for the log. */
export type SourceRecord = { readonly bytes: Uint8Array; readonly receivedAtMs: number }

export type SourceOutput = {
  /** Resolves when all the records are durable; rejects otherwise, and then the same objects are given again: what was durable stays so. */
  accept(records: readonly SourceRecord[]): Promise<void>
  gap(gap: Gap): void
  warn(code: string, message: string): void
  info(message: string): void
}

export interface Source {
  readonly name: string
  /** Whether all that is asked for can come now, but for what the other side refuses. */
  readonly connected: boolean
  /** Begins; resolves when the source is set up, whether or not the other side answers yet. */
  start(): Promise<void>
  /** Gaps that are not reported yet: first those that last, then the longest first. An outage must not look like quiet. */
  openGaps(): readonly OpenGap[]
  /** Facts for `GET /v1/stats`: plain JSON. */
  status(): object
  stop(): Promise<void>
}
