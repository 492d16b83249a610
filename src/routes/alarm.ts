import type { Clock } from '../pipeline/clock.ts'

/** Sleep that can be ended: what rings while its owner is at work is not missed, the next sleep ends at once. */
export class Alarm {
  readonly #clock: Clock
  #wake: (() => void) | null = null
  #rang = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ring(): void {
    this.#rang = true
    this.#wake?.()
  }

  /** From here on it has not rung. */
  reset(): void {
    this.#rang = false
  }

  async sleep(ms: number): Promise<void> {
    if (this.#rang) return
    const done = new AbortController()
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    await Promise.race([woken, this.#clock.wait(ms, done.signal)])
    done.abort()
    this.#wake = null
  }
}
