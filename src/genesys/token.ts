/**
 * The access token: client credentials, kept until shortly before it expires, fetched once for however many callers. What
 * fails is not tried again at once by the next caller: a failed login is remembered for a growing while, in which
 * everybody gets the same error without a request. Secret and token are in private fields, and in no error.
 */
import { Buffer } from 'node:buffer'
import type { Clock } from '../pipeline/clock.ts'
import { exchange, NoAnswer, type Answer } from './exchange.ts'
import { badAnswer, GenesysError, stopped } from './failure.ts'
import { parseObject } from './reading.ts'
import { retryAfterMs } from './rate-headers.ts'

export type TokenOptions = {
  /** `https://login.mypurecloud.com` */
  readonly loginUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly userAgent: string
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly fetch: typeof fetch
  readonly timeoutMs: number
  /** The end of everything: ends a login under way. A caller's own signal does not, as others wait for it too. */
  readonly signal?: AbortSignal | undefined
}

/** A token is renewed this long before it ends, or a fifth of its life when that is less. */
const MARGIN_MS = 300_000
/** What is believed of a token's life: one of no time would mean a login a call. */
const SHORTEST_LIFE_MS = 10_000
const LONGEST_LIFE_MS = 48 * 3_600_000
const MAX_ANSWER_BYTES = 64 * 1024
const LOGIN_ATTEMPTS = 3
/** How long a failed login is remembered: doubled with every further failure, up to the second. */
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 300_000

type Token = { readonly text: string; readonly renewAtMs: number; readonly endsAtMs: number }
type Failure = { readonly error: GenesysError; readonly untilMs: number }

export class TokenKeeper {
  readonly #options: TokenOptions
  #token: Token | null = null
  #renewal: Promise<Token> | null = null
  #failure: Failure | null = null
  #failures = 0
  /** Tokens in a row that the API refused though they were new, and when the next one may be thrown away for that. */
  #refusals = 0
  #refusableAtMs = 0

  constructor(options: TokenOptions) {
    this.#options = options
  }

  /** The token to send. Rejects with the error of the login, at once while a failed one is remembered. */
  async token(signal?: AbortSignal): Promise<string> {
    const nowMs = this.#options.clock.nowMs()
    const token = this.#token
    if (token !== null && nowMs < token.renewAtMs) return token.text
    const usable = token !== null && nowMs < token.endsAtMs
    if (this.#renewal === null && this.#failure !== null && nowMs < this.#failure.untilMs) {
      if (usable) return token.text
      throw remembered(this.#failure, nowMs)
    }
    try {
      return (await orStopped(this.#renew(), signal)).text
    } catch (error) {
      if (usable && signal?.aborted !== true) return token.text
      throw error
    }
  }

  /** The API answered 401 to this token. False when it makes no sense to try again with another one. */
  refused(token: string): boolean {
    // Another caller has been told so already, and a new one is there or under way.
    if (this.#token?.text !== token) return true
    const nowMs = this.#options.clock.nowMs()
    if (nowMs < this.#refusableAtMs) return false
    this.#refusals += 1
    this.#refusableAtMs = nowMs + pauseMs(this.#refusals)
    this.#token = null
    return true
  }

  /** The API took this token. */
  accepted(token: string): void {
    if (this.#token?.text !== token) return
    this.#refusals = 0
    this.#refusableAtMs = 0
  }

  /** What must not be shown anywhere, to be cut out of what is quoted from answers. */
  secrets(): readonly string[] {
    const { clientId, clientSecret } = this.#options
    return [clientSecret, clientId, basic(this.#options), ...(this.#token === null ? [] : [this.#token.text])]
  }

  #renew(): Promise<Token> {
    this.#renewal ??= this.#login().then(
      (token) => {
        this.#renewal = null
        this.#token = token
        this.#failure = null
        this.#failures = 0
        return token
      },
      (error: unknown) => {
        this.#renewal = null
        throw this.#remember(error)
      },
    )
    return this.#renewal
  }

  #remember(error: unknown): GenesysError {
    const known =
      error instanceof GenesysError
        ? error
        : new GenesysError('genesys.login_failed', 'The login failed for a reason of our own.', 'Report it.')
    this.#failures += 1
    const wishMs = error instanceof LaterPlease ? error.waitMs : 0
    const untilMs = this.#options.clock.nowMs() + Math.min(LONGEST_PAUSE_MS, Math.max(pauseMs(this.#failures), wishMs))
    this.#failure = { error: known, untilMs }
    return known
  }

  async #login(): Promise<Token> {
    const { clock, random, fetch: given, loginUrl, userAgent, timeoutMs, signal } = this.#options
    const request = {
      method: 'POST' as const,
      url: `${loginUrl}/oauth/token`,
      headers: {
        authorization: `Basic ${basic(this.#options)}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        'user-agent': userAgent,
      },
      body: 'grant_type=client_credentials',
      timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
      signal,
    }
    for (let attempt = 1; ; attempt++) {
      const askedAtMs = clock.nowMs()
      try {
        return tokenIn(await exchange(given, clock, request), loginUrl, askedAtMs)
      } catch (error) {
        const passing = error instanceof NoAnswer || (error instanceof GenesysError && error.code === 'genesys.unavailable')
        if (!passing || attempt === LOGIN_ATTEMPTS) throw error
        await clock.wait(random() * 500 * 2 ** attempt, signal)
      }
    }
  }
}

/** 429 of the login: the pause it asks for. */
class LaterPlease extends GenesysError {
  readonly waitMs: number

  constructor(waitMs: number, answer: Answer) {
    super(
      'genesys.rate_limited',
      'Genesys Cloud refuses more logins for now.',
      'Look for other programs that log in with the same client.',
      answer,
    )
    this.waitMs = waitMs
  }
}

function tokenIn(answer: Answer, loginUrl: string, nowMs: number): Token {
  const where = new URL(loginUrl).host
  const { status } = answer
  if (status === 429) throw new LaterPlease(retryAfterMs(answer.headers, nowMs) ?? 60_000, answer)
  if (status >= 500) {
    const hint = 'It usually passes; see the status page of Genesys Cloud.'
    throw new GenesysError('genesys.unavailable', `The login at ${where} answered ${status}.`, hint, answer)
  }
  const body = parseObject(answer, `the login at ${where}`)
  if (status === 400 || status === 401 || status === 403) {
    // Only names that OAuth or Genesys define: anything else in the answer may repeat what was sent.
    const error =
      typeof body['error'] === 'string' && /^(?:invalid|unauthorized|unsupported|access)_[a-z_]{1,30}$/.test(body['error'])
        ? `, ${body['error']}`
        : ''
    throw new GenesysError(
      'genesys.credentials',
      `Genesys Cloud (${where}) does not accept the client id and secret (${status}${error}).`,
      'Check genesys.clientId, genesys.clientSecret and genesys.region: the OAuth client must be of this region, of the grant type Client Credentials, and not be disabled or expired.',
      answer,
    )
  }
  if (status !== 200) throw badAnswer(`The login at ${where}`, `status ${status}`, answer)
  const { access_token: text, expires_in: seconds, token_type: kind } = body
  if (typeof text !== 'string' || !/^[\x21-\x7e]{1,16384}$/.test(text))
    throw badAnswer(`The login at ${where}`, 'no readable access_token', answer)
  if (typeof seconds !== 'number' || !(seconds > 0)) throw badAnswer(`The login at ${where}`, 'no readable expires_in', answer)
  if (kind !== undefined && String(kind).toLowerCase() !== 'bearer')
    throw badAnswer(`The login at ${where}`, 'a token that is no bearer token', answer)
  const lifeMs = Math.max(SHORTEST_LIFE_MS, Math.min(seconds * 1000, LONGEST_LIFE_MS))
  return { text, renewAtMs: nowMs + lifeMs - Math.min(MARGIN_MS, lifeMs / 5), endsAtMs: nowMs + lifeMs }
}

function remembered({ error, untilMs }: Failure, nowMs: number): GenesysError {
  const again = `Tried again in ${Math.ceil((untilMs - nowMs) / 1000)} s at the earliest.`
  return new GenesysError(error.code as `genesys.${string}`, error.message, `${error.hint} ${again}`, { status: error.status })
}

/** The same promise for all, left by whoever has had enough. */
function orStopped<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    promise.catch(() => {})
    return Promise.reject(stopped())
  }
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(stopped())
    signal.addEventListener('abort', leave, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}

function pauseMs(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 20))
}

function basic({ clientId, clientSecret }: TokenOptions): string {
  return Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
}
