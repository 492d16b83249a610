const DEAD_WARNING_MS = 60_000

/** What a route says of itself to whoever reads the log of the service: each thing once, not once an event. */
export class Spoken {
  readonly #route: string
  readonly #warn: (code: string, message: string) => void
  #unsaidDead = 0
  #saidDeadAtMs = -Infinity

  constructor(route: string, warn: (code: string, message: string) => void) {
    this.#route = route
    this.#warn = warn
  }

  breaker(isClosed: boolean, reason: string): void {
    if (isClosed) this.#warn('route.breaker_closed', `route ${this.#route}: the sink works again`)
    else
      this.#warn(
        'route.breaker_open',
        `route ${this.#route}: the sink fails every time (${reason}); its events wait, a probe goes out now and then`,
      )
  }

  /** Dead letters are said at once, then counted and said at most once a minute. */
  died(reason: string, nowMs: number): void {
    this.#unsaidDead++
    if (nowMs - this.#saidDeadAtMs < DEAD_WARNING_MS) return
    const events = this.#unsaidDead === 1 ? 'an event became a dead letter' : `${this.#unsaidDead} events became dead letters`
    this.#warn('route.dead_letters', `route ${this.#route}: ${events}, the last for ${reason}; see \`trunkline deadletters\``)
    this.#unsaidDead = 0
    this.#saidDeadAtMs = nowMs
  }
}
