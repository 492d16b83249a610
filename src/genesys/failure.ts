/**
 * What a call to Genesys Cloud can end with other than an answer. Everything thrown in this folder is a GenesysError: it
 * carries no cause, because what HTTP libraries throw may quote headers, and with them the token.
 */
import { TrunklineError } from '../errors.ts'

/** What of an answer belongs to an error. */
export type FailureFacts = {
  /** HTTP status; null when there was no answer. */
  readonly status?: number | null
  /** Genesys's own id of the request, for its support. */
  readonly correlationId?: string | null
  /** Permissions that the OAuth client lacks, as the answer names them. */
  readonly permissions?: readonly string[]
}

export class GenesysError extends TrunklineError {
  readonly status: number | null
  readonly correlationId: string | null
  readonly permissions: readonly string[]

  constructor(code: `genesys.${string}`, message: string, hint: string, facts: FailureFacts = {}) {
    const correlationId = facts.correlationId ?? null
    super(code, correlationId === null ? message : `${message} (correlation id ${correlationId})`, hint)
    this.name = 'GenesysError'
    this.status = facts.status ?? null
    this.correlationId = correlationId
    this.permissions = facts.permissions ?? []
  }
}

/** The caller gave up, by its signal. */
export function stopped(): GenesysError {
  return new GenesysError(
    'genesys.stopped',
    'The call to Genesys Cloud was stopped.',
    'Nothing to do: whoever asked did not want it any more.',
  )
}

/** An answer that is no answer to what was asked. */
export function badAnswer(where: string, what: string, facts: FailureFacts = {}): GenesysError {
  return new GenesysError(
    'genesys.bad_answer',
    `${where} answered with ${what}.`,
    'Check genesys.region, genesys.baseUrl and any proxy in between: this does not look like the Platform API.',
    facts,
  )
}

/** Text of an answer as it may be shown: cut, on one line, without what drives a terminal, without secrets. */
export function quote(text: string, secrets: readonly string[] = [], maxChars = 200): string {
  let shown = text.slice(0, 4_000)
  for (const secret of secrets) if (secret.length >= 4) shown = shown.replaceAll(secret, '***')
  // eslint-disable-next-line no-control-regex
  shown = shown.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\p{Surrogate}]+/gu, ' ').trim()
  return shown.length <= maxChars ? shown : `${shown.slice(0, maxChars - 1)}…`
}
