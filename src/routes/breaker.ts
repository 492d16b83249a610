/**
 * Stops attempts at a sink that fails every time, so that an outage of the receiver costs events no attempts. Open
 * after a run of failures without one success; after a wait a single probe goes out; its success closes it.
 */
export type BreakerState = 'closed' | 'open' | 'probing'

const FAILURES_TO_OPEN = 10
const FIRST_WAIT_MS = 1_000
const MAX_WAIT_MS = 30_000

export class Breaker {
  #failures = 0
  #opened = 0
  #untilMs = 0
  #probing = false

  /** When the next attempt may be made: 0 = now, otherwise epoch ms; Infinity while a probe is out. */
  readyAtMs(nowMs: number): number {
    if (this.#opened === 0) return 0
    if (this.#probing) return Infinity
    return nowMs >= this.#untilMs ? 0 : this.#untilMs
  }

  state(nowMs: number): BreakerState {
    if (this.#opened === 0) return 'closed'
    return this.#probing || nowMs >= this.#untilMs ? 'probing' : 'open'
  }

  /** Says that an attempt goes out now. While open this is the probe. */
  attempt(): void {
    if (this.#opened > 0) this.#probing = true
  }

  /** Somebody asks now: the next probe may go at once. */
  probeNow(): void {
    this.#untilMs = 0
  }

  succeeded(): void {
    this.#failures = 0
    this.#opened = 0
    this.#probing = false
  }

  /** The attempt said nothing about the sink (the service is stopping). */
  abandoned(): void {
    this.#probing = false
  }

  failed(nowMs: number): void {
    this.#failures++
    const wasProbe = this.#probing
    this.#probing = false
    if (this.#failures < FAILURES_TO_OPEN) return
    if (this.#opened > 0 && !wasProbe) return
    this.#opened++
    this.#untilMs = nowMs + Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#opened - 1, 10))
  }
}
