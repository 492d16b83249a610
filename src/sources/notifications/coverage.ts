/**
 * Up to when a shard is whole, counted from what its channels prove, and the gaps that none of them covers. A channel covers
 * from the moment Genesys had confirmed its topics to its last proof; with the first such moment the counting begins. Gaps
 * never overlap.
 */

/** A channel as coverage sees it. */
export interface Covering {
  /** When Genesys had confirmed the topics; null before. */
  readonly subscribedAtMs: number | null
  /** Up to when everything has certainly come; null before the first proof. */
  readonly provenMs: number | null
  /** Whether it may still prove more. */
  readonly trusted: boolean
}

export class Coverage {
  #beganMs: number | null
  #wholeMs: number | null
  #gapEndMs: number
  readonly #marginMs: number
  readonly #onGap: (fromMs: number, toMs: number) => void

  /** `wholeMs` as it is known from before; `marginMs` is taken off the last proof before a gap. */
  constructor(wholeMs: number | null, marginMs: number, onGap: (fromMs: number, toMs: number) => void) {
    this.#beganMs = this.#wholeMs = wholeMs
    this.#gapEndMs = wholeMs ?? 0
    this.#marginMs = marginMs
    this.#onGap = onGap
  }

  /** From when on it counts; null before Genesys has confirmed anything. */
  get beganMs(): number | null {
    return this.#beganMs
  }

  /** Null while nothing is known. */
  get wholeMs(): number | null {
    return this.#wholeMs
  }

  /** Where a gap would begin now; null while nothing is known. */
  get gapFromMs(): number | null {
    return this.#wholeMs === null ? null : Math.max(this.#wholeMs - this.#marginMs, this.#gapEndMs)
  }

  /** Whether the channel's time begins within what is whole. */
  includes(channel: Covering): boolean {
    return startOf(channel) <= (this.#wholeMs ?? -1)
  }

  /** Counts on, and reports what no channel covered and none can cover any more. */
  advance(channels: readonly Covering[]): void {
    const beganMs = Math.min(...channels.map(startOf))
    if (this.#wholeMs === null && beganMs < Infinity) this.#beganMs = this.#wholeMs = this.#gapEndMs = beganMs
    const proven = channels.filter((channel) => channel.provenMs !== null)
    while (this.#wholeMs !== null) {
      const fromMs = this.#wholeMs
      const reaching = channels.filter((channel) => startOf(channel) <= fromMs)
      this.#wholeMs = Math.max(fromMs, ...reaching.map((channel) => channel.provenMs ?? 0))
      if (this.#wholeMs > fromMs) continue
      // One that still reaches on may yet close what would be a gap.
      if (reaching.some((channel) => channel.trusted)) return
      const toMs = Math.min(...proven.filter((channel) => startOf(channel) > fromMs).map(startOf))
      if (toMs === Infinity) return
      this.#onGap(this.gapFromMs ?? fromMs, toMs)
      this.#wholeMs = this.#gapEndMs = toMs
    }
  }
}

function startOf(channel: Covering): number {
  return channel.subscribedAtMs ?? Infinity
}
