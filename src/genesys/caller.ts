/**
 * One call to the Platform API, from leave to answer: rate budget, token, attempts. What may be repeated:
 *
 * - a 429 was not carried out: always repeated, when the budget lets it, a bounded number of times;
 * - a 401 once, with a new token;
 * - 502, 503, 504, a broken connection and a timeout leave open whether the call was carried out: repeated with growing,
 *   jittered waits, but only a call that can be made twice without harm. A connection that never came about is repeated for all.
 */
import type { Clock } from '../pipeline/clock.ts'
import { exchange, NoAnswer, type Answer, type Exchange } from './exchange.ts'
import { badAnswer, GenesysError, stopped } from './failure.ts'
import type { Permit, Priority, RateBudget } from './rate-budget.ts'
import { rateFactsOf, refusalWaitMs, retryAfterMs } from './rate-headers.ts'
import { parseObject, Unreadable, type JsonObject } from './reading.ts'
import { refusalOf } from './refusal.ts'
import type { TokenKeeper } from './token.ts'

export type Call = {
  readonly method: Exchange['method']
  /** `/api/v2/routing/queues`; ids in it come from `segment`. */
  readonly path: string
  readonly query?: readonly (readonly [string, string])[]
  /** Sent as JSON. */
  readonly body?: unknown
  /** True when making the call twice does the same as once. */
  readonly repeatable: boolean
  /** Default 16 MiB. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal | undefined
}

export type CallerOptions = {
  readonly apiUrl: string
  readonly userAgent: string
  readonly tokens: TokenKeeper
  readonly budget: RateBudget
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly fetch: typeof fetch
  readonly timeoutMs: number
  /** The end of everything: ends every call. */
  readonly signal?: AbortSignal | undefined
}

const DEFAULT_MAX_BYTES = 16 * 1024 * 1024
/** Attempts that met something passing, and attempts that met a 429. */
const MAX_ATTEMPTS = 5
const MAX_REFUSALS = 6
const FIRST_BACKOFF_MS = 500
const LONGEST_BACKOFF_MS = 20_000
/** A wish of the server for longer is cut to this. */
const LONGEST_WISH_MS = 120_000

export class Caller {
  readonly #options: CallerOptions
  readonly #priority: Priority

  constructor(options: CallerOptions, priority: Priority) {
    this.#options = options
    this.#priority = priority
  }

  /** What `read` makes of the JSON object of a successful answer; it throws `Unreadable` where that has another shape. */
  async json<T>(call: Call, read: (body: JsonObject) => T): Promise<T> {
    return this.#read(await this.answer(call), call, read)
  }

  /** The same, or null where there is none by that name (404). */
  async jsonOrNull<T>(call: Call, read: (body: JsonObject) => T): Promise<T | null> {
    const answer = await this.#send(call)
    return answer.status === 404 ? null : this.#read(this.#checked(answer, call), call, read)
  }

  /** Whether a HEAD finds something. */
  async exists(call: Call): Promise<boolean> {
    const answer = await this.#send(call)
    if (answer.status !== 404) this.#checked(answer, call)
    return answer.status !== 404
  }

  /** A successful answer, whatever is in it. */
  async answer(call: Call): Promise<Answer> {
    return this.#checked(await this.#send(call), call)
  }

  #checked(answer: Answer, call: Call): Answer {
    if (answer.status < 400) return answer
    throw refusalOf(answer, this.#place(call), this.#options.tokens.secrets())
  }

  #read<T>(answer: Answer, call: Call, read: (body: JsonObject) => T): T {
    const where = this.#place(call)
    try {
      return read(parseObject(answer, where))
    } catch (error) {
      throw error instanceof Unreadable ? badAnswer(where, error.message, answer) : error
    }
  }

  /** An answer that is worth no repetition, and is none of something in between that speaks HTML. */
  async #send(given: Call): Promise<Answer> {
    const signals = [given.signal, this.#options.signal].filter((signal) => signal !== undefined)
    const call = signals.length === 2 ? { ...given, signal: AbortSignal.any(signals) } : { ...given, signal: signals[0] }
    const answer = await this.#repeat(call)
    const html = /^text\/html\b/i.test(answer.headers.get('content-type') ?? '')
    if (html && answer.status < 500 && answer.status !== 429)
      throw badAnswer(this.#place(call), `an HTML page (status ${answer.status})`, answer)
    return answer
  }

  async #repeat(call: Call): Promise<Answer> {
    const { tokens, clock } = this.#options
    let attempts = 0
    let refusals = 0
    let renewed = false
    for (;;) {
      if (call.signal?.aborted === true) throw stopped()
      const { permit, token } = await this.#leave(call, refusals > 0)
      let waitMs = 0
      try {
        const answer = await this.#attempt(call, token, permit)
        if (answer.status !== 401) tokens.accepted(token)
        if (answer.status === 429) {
          refusals += 1
          if (refusals >= MAX_REFUSALS) return answer
        } else if (answer.status === 401) {
          if (renewed || !tokens.refused(token)) return answer
          renewed = true
        } else if (answer.status === 502 || answer.status === 503 || answer.status === 504) {
          attempts += 1
          if (!call.repeatable || attempts >= MAX_ATTEMPTS) return answer
          waitMs = Math.max(this.#backoffMs(attempts), Math.min(LONGEST_WISH_MS, retryAfterMs(answer.headers, clock.nowMs()) ?? 0))
        } else return answer
      } catch (error) {
        attempts += 1
        if (!(error instanceof NoAnswer)) throw error
        if (error.sent && !call.repeatable) throw undecided(error, this.#place(call))
        if (attempts >= MAX_ATTEMPTS) throw error
        waitMs = this.#backoffMs(attempts)
      }
      if (waitMs > 0) await clock.wait(waitMs, call.signal)
    }
  }

  /** Leave to send, and the token to send. A login that fails does so before anything waits for the budget. */
  async #leave(call: Call, again: boolean): Promise<{ readonly permit: Permit; readonly token: string }> {
    const { tokens, budget } = this.#options
    await tokens.token(call.signal)
    const permit = await budget.take(this.#priority, call.signal, again)
    try {
      // The wait may have been longer than the token had to live.
      return { permit, token: await tokens.token(call.signal) }
    } catch (error) {
      permit.done('lost')
      throw error
    }
  }

  async #attempt(call: Call, token: string, permit: Permit): Promise<Answer> {
    const { apiUrl, userAgent, clock, fetch: given, timeoutMs } = this.#options
    const query =
      call.query === undefined
        ? ''
        : `?${new URLSearchParams(call.query.map(([name, value]): [string, string] => [name, value])).toString()}`
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json', 'user-agent': userAgent }
    const request = {
      method: call.method,
      url: `${apiUrl}${call.path}${query}`,
      timeoutMs,
      maxBytes: call.maxBytes ?? DEFAULT_MAX_BYTES,
      signal: call.signal,
    }
    try {
      const answer = await exchange(
        given,
        clock,
        call.body === undefined
          ? { ...request, headers }
          : { ...request, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(call.body) },
      )
      if (answer.status === 429) permit.refused(refusalWaitMs(answer.headers, clock.nowMs()))
      else permit.done(rateFactsOf(answer.headers) ?? 'silent')
      return answer
    } finally {
      // Does nothing where the answer was heard.
      permit.done('lost')
    }
  }

  #backoffMs(attempts: number): number {
    return this.#options.random() * Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempts)
  }

  #place(call: Call): string {
    return `${call.method} ${call.path}`
  }
}

/** An id as one segment of a path. Refuses what could name another path. */
export function segment(id: string): string {
  if (id === '' || id === '.' || id === '..' || id.length > 300)
    throw new GenesysError('genesys.bad_id', 'An id is empty, too long or no id at all.', 'Use the id as Genesys Cloud gives it.')
  return encodeURIComponent(id.toWellFormed())
}

function undecided(error: NoAnswer, where: string): GenesysError {
  return new GenesysError(
    error.code as `genesys.${string}`,
    `${error.message} Whether ${where} was carried out is not known, and it is not repeated for that.`,
    error.hint,
  )
}
