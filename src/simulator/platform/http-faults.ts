/** Faults of the HTTP side while they last: which call is hit, and what it gets in place of its answer. */
import type { Clock } from '../../pipeline/clock.ts'
import type { FaultKind } from './fault-plan.ts'

/** What happens to one call. `mangle` faults do the work and spoil the answer. */
export type Hit = 'throttle' | 'unavailable' | 'gateway-timeout' | 'html' | 'half' | 'cut' | 'redirect'

export type HttpFaultKind = Extract<FaultKind, 'throttle' | 'unavailable' | 'slow' | 'html' | 'truncated' | 'redirect'>

export class HttpFaults {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #until = new Map<HttpFaultKind, number>()
  #hits = 0

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  begin(kind: HttpFaultKind, untilMs: number): void {
    this.#until.set(kind, Math.max(untilMs, this.#until.get(kind) ?? 0))
  }

  /** Calls hit so far. */
  get hits(): number {
    return this.#hits
  }

  /** How long the answer is held back. */
  delayMs(): number {
    return this.#active('slow') ? 5000 + Math.round(10_000 * this.#random()) : 0
  }

  /** What hits this call, if anything. */
  hit(): Hit | null {
    for (const kind of ORDER) {
      if (!this.#active(kind) || this.#random() < 0.5) continue
      this.#hits++
      const coin = this.#random()
      if (kind === 'truncated') return coin < 0.5 ? 'half' : 'cut'
      if (kind === 'unavailable') return coin < 0.34 ? 'gateway-timeout' : 'unavailable'
      return kind
    }
    return null
  }

  #active(kind: HttpFaultKind): boolean {
    const untilMs = this.#until.get(kind)
    if (untilMs === undefined) return false
    if (untilMs > this.#clock.nowMs()) return true
    this.#until.delete(kind)
    return false
  }
}

const ORDER = ['throttle', 'unavailable', 'html', 'truncated', 'redirect'] as const
