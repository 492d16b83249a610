/**
 * What was booked for a time may come a little late: the process was busy, or the sink slow. If all that is overdue went at once, a
 * second's worth could come in a moment. So of keys that have booked, what really goes is counted here too, by the time at which it goes,
 * and waits where the bucket of those times is empty. It is for the only process on its store: others do not see what goes here.
 */
import { type Bucket, type Rate, takeTokens } from '../pipeline/bucket.ts'
import { Recent } from './recent.ts'

const MAX_KEYS = 50_000

export class Pace {
  readonly #buckets = new Recent<Bucket>(MAX_KEYS)

  /** The next event of the key has been booked for `atMs`: of one that is not watched yet none goes before. */
  watch(key: string, rate: Rate, atMs: number, nowMs: number): void {
    const known = this.#buckets.get(key)
    const { perSecond, burst } = rate
    if (known === undefined) {
      const fullAtMs = atMs + ((burst - 1) * 1_000) / perSecond
      this.#buckets.set(key, { perSecond, burst, fullAtMs, asOfMs: nowMs, emptiedAtMs: 0 })
    } else if (known.perSecond !== perSecond || known.burst !== burst)
      this.#buckets.set(key, takeTokens(known, { ...rate, tokens: 0, ahead: false }, nowMs).bucket)
  }

  /** Whether an event may go now; otherwise when the next may. */
  admit(key: string, rate: Rate, nowMs: number): { readonly nextAtMs: number } | null {
    const known = this.#buckets.get(key)
    if (known === undefined) return null
    const { bucket, atMs, nextAtMs } = takeTokens(known, { ...rate, tokens: 1, ahead: false }, nowMs)
    if (atMs.length === 0) return { nextAtMs }
    this.#buckets.set(key, bucket)
    return null
  }
}
