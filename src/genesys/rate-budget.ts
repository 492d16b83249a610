/**
 * Keeps the request budget of one token, so that the server never has to answer 429. The window is the server's: it
 * begins with its first request and ends `reset` seconds later, so what is known of it comes from answers. Until the
 * first answer (and again after a 429, which proves that the count was wrong) one request is under way at a time.
 *
 * The end of a window is taken late, by what rounding and the way back can hide, and a request that was under way when
 * a window ended counts in the next one too; so does one whose answer may be of either. First come, first served within a priority; `background` takes what
 * `normal` leaves, and never more than its share. The queue is bounded.
 */
import type { Clock } from '../pipeline/clock.ts'
import { GenesysError, stopped } from './failure.ts'
import type { RateFacts } from './rate-headers.ts'

/** `background` is for what can wait, such as names: it never takes the budget away from `normal`. */
export type Priority = 'normal' | 'background'

export type RateBudgetOptions = {
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** Requests that may wait. Default 1,000. */
  readonly maxWaiting?: number
  /** Most of a window that `background` may use, 0 to 1. Default 0.5. */
  readonly backgroundShare?: number
}

/** Leave for one request. Must be given back exactly once, by either of the two. */
export type Permit = {
  /** The request is over. `facts` are those of its answer, `silent` when there was an answer without them, `lost` when there was none. */
  done(facts: RateFacts | 'silent' | 'lost'): void
  /** The server answered 429: nobody sends anything for so long. */
  refused(waitMs: number): void
}

export type BudgetState = {
  /** Requests that a window allows, as last heard; null before the first answer. */
  readonly allowed: number | null
  /** Requests of this window, as far as known. */
  readonly used: number
  /** When the window ends, epoch ms; null while no answer has told. */
  readonly endsAtMs: number | null
  /** Until when nothing is sent after a 429, epoch ms. */
  readonly blockedUntilMs: number | null
  readonly waiting: number
  readonly inFlight: number
  /** 429s met so far. */
  readonly refusals: number
}

/** What Genesys gives a client-credentials token, where answers do not say. */
const DEFAULT_ALLOWED = 300
const DEFAULT_WINDOW_MS = 60_000
/** Whole seconds may have been rounded either way. */
const ROUNDING_MS = 1_000
/** No answer makes anybody wait longer than this. */
const MAX_WAIT_MS = 600_000

/** Between which two moments a window ends, epoch ms. */
type End = { readonly fromMs: number; readonly byMs: number }

type Waiter = { readonly priority: Priority; readonly admit: () => void }

export class RateBudget {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #maxWaiting: number
  readonly #backgroundShare: number
  readonly #queues: Readonly<Record<Priority, Waiter[]>> = { normal: [], background: [] }
  #known = false
  #allowed: number | null = null
  #window = 0
  #used = 0
  #usedInBackground = 0
  #inFlight = 0
  /** Answered requests that the server may have counted in the window after this one. */
  #unsure = 0
  /** Null while no answer has told. */
  #end: End | null = null
  #lastEnd: End = { fromMs: 0, byMs: 0 }
  /** The longest that a window has been seen to last; windows last at least that long. */
  #lengthMs = 0
  #blockedUntilMs: number | null = null
  #refusals = 0
  #alarm: { readonly atMs: number; readonly off: AbortController } | null = null

  constructor(options: RateBudgetOptions) {
    this.#clock = options.clock
    this.#random = options.random
    this.#maxWaiting = options.maxWaiting ?? 1_000
    this.#backgroundShare = options.backgroundShare ?? 0.5
  }

  /** Resolves when one request may be sent. `again` is for a request that was refused: it goes before those that came later. */
  take(priority: Priority, signal?: AbortSignal, again = false): Promise<Permit> {
    if (signal?.aborted === true) return Promise.reject(stopped())
    const waiting = this.#waiting()
    if (waiting >= this.#maxWaiting && !again) return Promise.reject(busy(waiting))
    return new Promise((resolve, reject) => {
      const queue = this.#queues[priority]
      const leave = (): void => {
        queue.splice(queue.indexOf(waiter), 1)
        reject(stopped())
        this.#pump()
      }
      const waiter: Waiter = {
        priority,
        admit: () => {
          signal?.removeEventListener('abort', leave)
          resolve(this.#permit(priority))
        },
      }
      signal?.addEventListener('abort', leave, { once: true })
      if (again) queue.unshift(waiter)
      else queue.push(waiter)
      this.#pump()
    })
  }

  state(): BudgetState {
    this.#roll()
    return {
      allowed: this.#allowed,
      used: this.#used,
      endsAtMs: this.#end?.byMs ?? null,
      blockedUntilMs: this.#blockedUntilMs,
      waiting: this.#waiting(),
      inFlight: this.#inFlight,
      refusals: this.#refusals,
    }
  }

  #waiting(): number {
    return this.#queues.normal.length + this.#queues.background.length
  }

  #permit(priority: Priority): Permit {
    const window = this.#window
    const sentAtMs = this.#clock.nowMs()
    this.#inFlight += 1
    this.#used += 1
    if (priority === 'background') this.#usedInBackground += 1
    let open = true
    const giveBack = (how: () => void): void => {
      if (!open) return
      open = false
      // A window that is over ends with this request still under way: it may be the next one that counted it.
      this.#roll()
      this.#inFlight -= 1
      how()
      // Nobody is left to tell when the window ends.
      if (this.#inFlight === 0 && this.#used > 0) this.#end ??= this.#assumedEnd()
      this.#pump()
    }
    return {
      done: (facts) => giveBack(() => (facts === 'lost' ? undefined : this.#learn(facts, window, sentAtMs))),
      refused: (waitMs) => giveBack(() => this.#block(waitMs)),
    }
  }

  #learn(facts: RateFacts | 'silent', window: number, sentAtMs: number): void {
    const nowMs = this.#clock.nowMs()
    // An answer to what was sent before a block says nothing about the time after it.
    if (window === this.#window) this.#known = true
    if (facts === 'silent') {
      this.#end ??= this.#assumedEnd()
      return
    }
    const resetMs = Math.min(facts.resetMs, MAX_WAIT_MS)
    const end = { fromMs: sentAtMs + resetMs - 2 * ROUNDING_MS, byMs: nowMs + resetMs + ROUNDING_MS }
    this.#lengthMs = Math.max(this.#lengthMs, resetMs - ROUNDING_MS)
    if (window !== this.#window) {
      const which = this.#compare(end, this.#lastEnd)
      // It was counted in the window before, and only as a precaution in this one.
      if (which === 'same') this.#used = Math.max(this.#inFlight, this.#used - 1)
      if (which !== 'next') return
    } else if (this.#end !== null) {
      const which = this.#compare(end, this.#end)
      if (which === 'unsure') {
        this.#unsure += 1
        return
      }
      if (which === 'next') {
        // The server is in its next window already: ours was taken to end late. What is in flight may be in either.
        this.#begin(this.#end)
        this.#used += 1
      }
    }
    this.#allowed = this.#allowed === null || this.#end === null ? facts.allowed : Math.min(this.#allowed, facts.allowed)
    this.#used = Math.max(this.#used, facts.count)
    this.#end = { fromMs: Math.max(this.#end?.fromMs ?? 0, end.fromMs), byMs: Math.min(this.#end?.byMs ?? Infinity, end.byMs) }
  }

  /** Whether an answer tells of the window that ends then, of the one after, or cannot be told: it took too long. */
  #compare(told: End, end: End): 'same' | 'next' | 'unsure' {
    if (told.fromMs > end.byMs) return 'next'
    return told.byMs < end.fromMs + this.#lengthMs ? 'same' : 'unsure'
  }

  #assumedEnd(): End {
    const nowMs = this.#clock.nowMs()
    return { fromMs: nowMs, byMs: nowMs + Math.max(this.#lengthMs + ROUNDING_MS, DEFAULT_WINDOW_MS) + ROUNDING_MS }
  }

  #block(waitMs: number): void {
    const bounded = Math.min(Math.max(0, waitMs), MAX_WAIT_MS)
    const jitterMs = this.#random() * Math.min(5_000, Math.max(500, bounded / 10))
    this.#refusals += 1
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs ?? 0, this.#clock.nowMs() + bounded + jitterMs)
  }

  /** Lets a window or a block end that is over. */
  #roll(): void {
    const nowMs = this.#clock.nowMs()
    if (this.#blockedUntilMs !== null) {
      if (nowMs < this.#blockedUntilMs) return
      this.#blockedUntilMs = null
      this.#known = false
      this.#begin({ fromMs: nowMs, byMs: nowMs })
    } else if (this.#end !== null && nowMs >= this.#end.byMs) this.#begin(this.#end)
  }

  #begin(lastEnd: End): void {
    this.#window += 1
    this.#lastEnd = lastEnd
    this.#end = null
    this.#used = this.#inFlight + this.#unsure
    this.#unsure = 0
    this.#usedInBackground = 0
  }

  #pump(): void {
    this.#roll()
    for (let next = this.#next(); next !== null; next = this.#next()) next.admit()
    this.#setAlarm()
  }

  /** Takes the next waiter that may go out of its queue. */
  #next(): Waiter | null {
    if (this.#blockedUntilMs !== null || (!this.#known && this.#inFlight > 0)) return null
    const allowed = this.#allowed ?? DEFAULT_ALLOWED
    if (this.#used >= allowed) return null
    const normal = this.#queues.normal.shift()
    if (normal !== undefined) return normal
    const share = Math.max(1, Math.floor(allowed * this.#backgroundShare))
    return this.#usedInBackground < share ? (this.#queues.background.shift() ?? null) : null
  }

  /** While somebody waits, one wait of the clock stands for the moment that can let him go. */
  #setAlarm(): void {
    const atMs = this.#waiting() === 0 ? null : (this.#blockedUntilMs ?? this.#end?.byMs ?? null)
    if (atMs === (this.#alarm?.atMs ?? null)) return
    this.#alarm?.off.abort()
    this.#alarm = null
    if (atMs === null) return
    const off = new AbortController()
    this.#alarm = { atMs, off }
    void this.#clock.wait(Math.max(1, atMs - this.#clock.nowMs()), off.signal).then(() => {
      if (off.signal.aborted) return
      this.#alarm = null
      this.#pump()
    })
  }
}

function busy(waiting: number): GenesysError {
  return new GenesysError(
    'genesys.busy',
    `${waiting} requests to Genesys Cloud are waiting for the rate limit already.`,
    'Ask for less at once, or have the limit of the token raised by Genesys.',
  )
}
