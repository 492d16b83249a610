/**
 * Access tokens of the client-credentials grant and the rate window of each: it begins with the first call and ends a
 * minute later, whatever happened in it. Every call counts, the refused ones too.
 */
import type { Clock } from '../../pipeline/clock.ts'
import { problem, type Answer } from './answer.ts'
import type { Limits } from './limits.ts'

export type Token = { readonly text: string; readonly clientId: string; readonly expiresAtMs: number; windowFromMs: number; count: number }

export type Credentials = { readonly clientId: string; readonly clientSecret: string }

/** What the rate window says to one call. */
export type Rate = { readonly allowed: boolean; readonly count: number; readonly resetSeconds: number }

export class Tokens {
  readonly #clock: Clock
  readonly #credentials: Credentials
  readonly #limits: Limits
  readonly #newId: () => string
  readonly #tokens = new Map<string, Token>()

  constructor(options: {
    readonly clock: Clock
    readonly credentials: Credentials
    readonly limits: Limits
    readonly newId: () => string
  }) {
    this.#clock = options.clock
    this.#credentials = options.credentials
    this.#limits = options.limits
    this.#newId = options.newId
  }

  /** Answers `POST /oauth/token`. */
  grant(authorization: string, form: string): Answer {
    const [, encoded] = /^Basic\s+([A-Za-z0-9+/=]+)$/i.exec(authorization) ?? []
    if (encoded === undefined) return refused(401, 'invalid_client', 'client credentials are missing: send them as HTTP Basic')
    const given = Buffer.from(encoded, 'base64').toString()
    if (given !== `${this.#credentials.clientId}:${this.#credentials.clientSecret}`)
      return refused(401, 'invalid_client', 'client not found or secret wrong')
    if (new URLSearchParams(form).get('grant_type') !== 'client_credentials')
      return refused(400, 'unsupported_grant_type', 'grant_type must be client_credentials')
    const nowMs = this.#clock.nowMs()
    for (const [text, token] of this.#tokens)
      if (token.expiresAtMs <= nowMs || this.#tokens.size >= MAX_TOKENS) this.#tokens.delete(text)
      else break
    const token: Token = {
      text: this.#newId(),
      clientId: this.#credentials.clientId,
      expiresAtMs: nowMs + this.#limits.tokenLifeMs,
      windowFromMs: -Infinity,
      count: 0,
    }
    this.#tokens.set(token.text, token)
    const body = { access_token: token.text, token_type: 'bearer', expires_in: Math.floor(this.#limits.tokenLifeMs / 1000) }
    return { status: 200, body, headers: { 'Cache-Control': 'no-store' } }
  }

  /** The token of a call, or why there is none. */
  check(authorization: string | undefined): Token | Answer {
    if (authorization === undefined) return problem(401, 'authentication.required', 'No authentication bearer token specified.')
    const [, text] = /^Bearer\s+(\S+)$/i.exec(authorization) ?? []
    const token = this.#tokens.get(text ?? '')
    if (token === undefined || token.expiresAtMs <= this.#clock.nowMs())
      return problem(401, 'bad.credentials', 'Invalid login credentials.')
    return token
  }

  /** Counts one call. */
  count(token: Token): Rate {
    const nowMs = this.#clock.nowMs()
    if (nowMs - token.windowFromMs >= WINDOW_MS) {
      token.windowFromMs = nowMs
      token.count = 0
    }
    token.count++
    const resetSeconds = Math.max(1, Math.ceil((token.windowFromMs + WINDOW_MS - nowMs) / 1000))
    return { allowed: token.count <= this.#limits.requestsPerMinute, count: token.count, resetSeconds }
  }

  /** Every token given so far is worth nothing any more. */
  revokeAll(): void {
    this.#tokens.clear()
  }
}

/** Tells a token from the answer that stands for none. */
export function isToken(checked: Token | Answer): checked is Token {
  return 'text' in checked
}

const WINDOW_MS = 60_000
const MAX_TOKENS = 1000

function refused(status: number, error: string, description: string): Answer {
  return { status, body: { error, description, error_description: description } }
}
