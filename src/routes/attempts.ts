import type { RouteConfig } from '../config/config.ts'
import { backoffMs } from '../pipeline/backoff.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import { Breaker } from './breaker.ts'
import type { Held } from './held.ts'
import { hold } from './holding.ts'
import type { Parked } from './parked.ts'
import type { Progress } from './progress.ts'
import type { Settlement } from './settlement.ts'
import { Spoken } from './spoken.ts'
import type { Job } from './supply.ts'

export type AttemptsOptions = {
  readonly config: RouteConfig
  readonly held: Held
  readonly parked: Parked
  readonly progress: Progress
  readonly settlement: Settlement
  readonly clock: Clock
  readonly random: () => number
  readonly warn: (code: string, message: string) => void
}

/** What came of the attempts of one route: what it means for the event, and for how well the sink is. */
export class Attempts {
  readonly breaker: Breaker = new Breaker()
  /** Why the sink did not take the last that it did not take; null when it took one since. */
  sinkError: string | null = null
  lastDeliveredAtMs: number | null = null
  readonly #o: AttemptsOptions
  readonly #spoken: Spoken

  constructor(options: AttemptsOptions) {
    this.#o = options
    this.#spoken = new Spoken(options.config.name, options.warn)
  }

  /** The one place where an outcome becomes a commit, a wait or a dead letter. */
  settle(job: Job, outcome: Outcome, stage: string): void {
    const { held, parked, progress, settlement, clock } = this.#o
    const now = clock.nowMs()
    if (job.note !== null && job.attempt === 0) settlement.noted(job, job.note, now)
    if (outcome.type === 'hold') hold({ held, progress, settlement }, job, outcome, stage, now)
    else if (outcome.type === 'retry' || outcome.type === 'dead') this.#failed(job, outcome, stage, now)
    else {
      this.#changeBreaker(() => this.breaker.succeeded(), 'delivered')
      if (outcome.type === 'keep') {
        this.sinkError = null
        this.lastDeliveredAtMs = now
        settlement.delivered(job, now)
      } else settlement.dropped(job, outcome, stage, now)
      parked.finish(job)
    }
  }

  #failed(job: Job, outcome: Outcome & { readonly type: 'retry' | 'dead' }, stage: string, now: number): void {
    const { parked, settlement, config, random } = this.#o
    const { reason } = outcome
    const attempt = job.attempt + 1
    if (stage === 'deliver') {
      if (outcome.type === 'retry') this.#changeBreaker(() => this.breaker.failed(now), reason)
      else this.#changeBreaker(() => this.breaker.succeeded(), reason)
      this.sinkError = outcome.type === 'retry' ? reason : this.sinkError
    }
    settlement.failed(job, attempt, outcome, stage, now)
    if (outcome.type === 'retry' && attempt < config.retry.maxAttempts) {
      const dueAtMs = now + backoffMs(config.retry, attempt, random(), outcome.afterMs)
      const state = job.origin === 'redrive' ? 'redrive' : 'retry'
      parked.park({ seq: job.seq, state, attempt, dueAtMs, reason, entity: job.entity, mark: job.mark })
      return
    }
    settlement.died(job, attempt, outcome, stage, now)
    parked.finish(job)
    this.#spoken.died(reason, now)
  }

  /** Changes the breaker, and says so when attempts stop because the sink fails every time, and when they go on. */
  #changeBreaker(change: () => void, reason: string): void {
    const nowMs = this.#o.clock.nowMs()
    const wasClosed = this.breaker.state(nowMs) === 'closed'
    change()
    const isClosed = this.breaker.state(nowMs) === 'closed'
    if (wasClosed !== isClosed) this.#spoken.breaker(isClosed, reason)
  }
}
