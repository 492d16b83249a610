/**
 * When each entity was asked for last, so that what has not changed is not asked for in every run: the wait doubles each time until
 * something is heard of the entity, up to a day. Bounded: whose turn is longest ago is forgotten first, and asked for again at worst.
 */

export type AskedOptions = {
  /** Wait after the first time, ms. */
  readonly firstMs: number
  readonly longestMs: number
  readonly max: number
}

type Entry = { readonly newestAtMs: number; readonly atMs: number; readonly waitMs: number }

export class Asked {
  readonly #options: AskedOptions
  readonly #entries = new Map<string, Entry>()

  constructor(options: AskedOptions) {
    this.#options = options
  }

  /** Entities remembered. */
  get size(): number {
    return this.#entries.size
  }

  /** Whether it is time to ask for the entity, of which the newest that was heard has this time. */
  isDue(key: string, newestAtMs: number, nowMs: number): boolean {
    const entry = this.#entries.get(key)
    return entry === undefined || entry.newestAtMs !== newestAtMs || nowMs >= entry.atMs + entry.waitMs
  }

  /** When it was asked for; never is before all others. */
  askedAtMs(key: string): number {
    return this.#entries.get(key)?.atMs ?? -Infinity
  }

  /** It was asked for just now. */
  note(key: string, newestAtMs: number, nowMs: number): void {
    const { firstMs, longestMs, max } = this.#options
    const before = this.#entries.get(key)
    const waitMs = before?.newestAtMs === newestAtMs ? Math.min(longestMs, before.waitMs * 2) : firstMs
    this.#entries.delete(key)
    this.#entries.set(key, { newestAtMs, atMs: nowMs, waitMs })
    if (this.#entries.size > max) this.#entries.delete(this.#entries.keys().next().value!)
  }
}
