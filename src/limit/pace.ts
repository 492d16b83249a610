/**
 * What was booked for a time may come a little late: the process was busy, the sink slow, the route paused. If all that is overdue went at
 * once, more could come in a moment than the limit lets through. So of keys that have booked, what really goes is counted here too, by the
 * time at which it goes. Where that bucket is empty an event waits at the end of the queue of its key: a time of its own, an interval
 * behind the one before, so that each is looked at once more and no token is lost.
 *
 * It is for the only process on its store: others do not see what goes here.
 */
import { type Bucket, type Rate, takeTokens } from '../pipeline/bucket.ts'
import { Recent } from './recent.ts'

const MAX_KEYS = 50_000

/** `tailMs` is when the last of those that queue here may go. */
type Watched = { readonly bucket: Bucket; readonly tailMs: number }

export class Pace {
  readonly #keys = new Recent<Watched>(MAX_KEYS)
  readonly #startedAtMs: number

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs
  }

  /** One that was booked comes back. Of a key that is not watched it may have been booked before the start; what went then may have gone just then. */
  watchAgain(key: string, rate: Rate, atMs: number, nowMs: number): void {
    this.watch(key, rate, Math.max(atMs, this.#startedAtMs + 1_000 / rate.perSecond), nowMs)
  }

  /** The next event of the key has been booked for `atMs`: of one that is not watched yet none goes before. */
  watch(key: string, rate: Rate, atMs: number, nowMs: number): void {
    const known = this.#keys.get(key)
    const { perSecond, burst } = rate
    if (known === undefined) {
      const fullAtMs = atMs + ((burst - 1) * 1_000) / perSecond
      this.#keys.set(key, { bucket: { perSecond, burst, fullAtMs, asOfMs: nowMs, emptiedAtMs: 0 }, tailMs: -Infinity })
    } else if (known.bucket.perSecond !== perSecond || known.bucket.burst !== burst)
      this.#keys.set(key, { bucket: takeTokens(known.bucket, { ...rate, tokens: 0, ahead: false }, nowMs).bucket, tailMs: -Infinity })
  }

  /** Null: it may go now; else when. `isNew`: it has not waited yet, and goes behind those that queue. */
  admit(key: string, rate: Rate, isNew: boolean, nowMs: number): number | null {
    const known = this.#keys.get(key)
    if (known === undefined) return null
    const { bucket, atMs, nextAtMs } = takeTokens(known.bucket, { ...rate, tokens: 1, ahead: false }, nowMs)
    if (atMs.length > 0 && !(isNew && known.tailMs > nowMs)) {
      this.#keys.set(key, { bucket, tailMs: known.tailMs })
      return null
    }
    const tailMs = Math.max(nextAtMs, known.tailMs + 1_000 / rate.perSecond)
    this.#keys.set(key, { bucket: known.bucket, tailMs })
    return tailMs
  }
}
