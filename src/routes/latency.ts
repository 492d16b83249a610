/**
 * How long events take from receipt to being durable at the sink: a histogram with buckets growing by a tenth, so that
 * a percentile is right to 10 %. A few array increments per event.
 */
const GROWTH = 1.1
/** The last one begins above a hundred days. */
const BUCKETS = 240

export class Latency {
  readonly #counts = new Float64Array(BUCKETS)
  #total = 0
  #maxMs = 0

  add(ms: number): void {
    const bucket = ms <= 1 ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms) / Math.log(GROWTH)))
    this.#counts[bucket]!++
    this.#total++
    if (ms > this.#maxMs) this.#maxMs = ms
  }

  /** Upper bound of the bucket that holds the percentile `p` (0..1); null when nothing was delivered. */
  percentileMs(p: number): number | null {
    if (this.#total === 0) return null
    let left = this.#total * p
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#counts[i]!
      if (left <= 0) return Math.min(this.#maxMs, Math.round(GROWTH ** i * 10) / 10)
    }
    return this.#maxMs
  }

  summary(): { readonly events: number; readonly p50Ms: number | null; readonly p99Ms: number | null; readonly maxMs: number } {
    return { events: this.#total, p50Ms: this.percentileMs(0.5), p99Ms: this.percentileMs(0.99), maxMs: this.#maxMs }
  }
}
