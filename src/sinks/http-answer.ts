import { urlToHttpOptions } from 'node:url'
import { dead, KEEP, retry, type Outcome } from '../pipeline/outcome.ts'

/*
 * What an HTTP answer means for the event. The rule: only what the endpoint says about the event itself may end it;
 * everything that is the endpoint's own fault is tried again, so that a wrong URL or an expired token loses nothing.
 *
 *   answer                                          outcome
 *   2xx                                             keep
 *   400 405 406 411 413 414 415 422 431             dead   sink.http_refused     the same request can never pass
 *   3xx                                             retry  sink.http_redirect    never followed: set the final URL
 *   409                                             retry  sink.http_status      the first attempt with this
 *                                                            Idempotency-Key may still be in work at the receiver
 *   408 425 429, every other 4xx (401 403 404 410), retry  sink.http_status      after Retry-After, at most 1 h
 *     5xx, anything else
 *   no whole answer within timeoutMs                retry  sink.http_timeout     (body included)
 *   no connection, or cut before the answer ended   retry  sink.http_connection
 *   the route stops                                 retry  sink.stopped
 *
 * A refusal that was cut off still refuses; a 2xx that was cut off is no success. A detail quotes the start of the
 * body in printable characters, with everything secret of the configuration made ***.
 */

/** The part of an answer that decides. */
export type HttpAnswer = {
  readonly status: number
  readonly retryAfter: string | null
  /** The first bytes of the body; null when it is encoded (gzip) and so not readable. */
  readonly body: Uint8Array | null
  /** `body` is not all there was. */
  readonly bodyCut: boolean
}

const REFUSED: ReadonlySet<number> = new Set([400, 405, 406, 411, 413, 414, 415, 422, 431])
const MAX_RETRY_AFTER_MS = 3_600_000
const QUOTE_CHARS = 200

/** Turns a complete answer into an outcome. `secrets` are replaced wherever the body repeats them. */
export function toOutcome(answer: HttpAnswer, secrets: readonly string[], nowMs: number): Outcome {
  const { status } = answer
  if (status >= 200 && status < 300) return KEEP
  if (status >= 300 && status < 400) {
    return retry('sink.http_redirect', `HTTP ${status}: redirects are not followed; set the final URL`)
  }
  const detail = `HTTP ${status}${quote(answer, secrets)}`
  if (REFUSED.has(status)) return dead('sink.http_refused', detail)
  return retry('sink.http_status', detail, readRetryAfter(answer.retryAfter, nowMs))
}

/** Retry-After as a wait: whole seconds or an HTTP date, at most one hour; null when absent or unreadable. */
export function readRetryAfter(value: string | null, nowMs: number): number | null {
  const text = value?.trim() ?? ''
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, MAX_RETRY_AFTER_MS)
  // A date has a month name; anything else Date.parse would only guess at.
  if (!/[A-Za-z]{3}/.test(text)) return null
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? null : Math.min(Math.max(atMs - nowMs, 0), MAX_RETRY_AFTER_MS)
}

/** Everything in the target that an answer must not repeat into a detail, longest first. */
export function secretsOf(url: URL, headers: Readonly<Record<string, string>>): readonly string[] {
  const whole: string[] = [url.username, url.password, url.search.slice(1), ...Object.values(headers)]
  for (const [, value] of url.searchParams) whole.push(value)
  // What the credentials of the URL are on the wire.
  const { auth } = urlToHttpOptions(url)
  if (typeof auth === 'string') whole.push(Buffer.from(auth).toString('base64'))
  const words: string[] = whole.flatMap((value) => value.split(/[\s,;=&]+/))
  // A long path segment is likely a token (webhook addresses).
  words.push(...url.pathname.split('/').filter((segment) => segment.length >= 16))
  const found = new Set([...whole.filter((value) => value.length >= 4), ...words.filter((value) => value.length >= 6)])
  const forms = [...found].flatMap(otherForms).filter((form) => form.length >= 4)
  return [...found, ...forms].sort((a, b) => b.length - a.length)
}

function quote(answer: HttpAnswer, secrets: readonly string[]): string {
  if (answer.body === null) return ' (encoded body)'
  const text = printable(redact(new TextDecoder().decode(answer.body), secrets, answer.bodyCut))
  return text === '' ? '' : `: ${[...text].slice(0, QUOTE_CHARS).join('')}`
}

function redact(text: string, secrets: readonly string[], cut: boolean): string {
  let clean = text
  for (const secret of secrets) clean = clean.replaceAll(secret, '***')
  // A secret that the cut went through has lost its end and would not be found above.
  const start = cut ? Math.min(clean.length, ...secrets.map((secret) => startOfPrefix(clean, secret))) : clean.length
  return clean.slice(0, start)
}

/** Where the longest end of `text` begins that is a beginning of `secret`. */
function startOfPrefix(text: string, secret: string): number {
  for (let size = Math.min(secret.length - 1, text.length); size > 0; size -= 1) {
    if (text.endsWith(secret.slice(0, size))) return text.length - size
  }
  return text.length
}

/** One line that is safe on a terminal: no control, format (bidirectional, zero-width) or unassigned characters. */
function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim()
}

/** How a server may write the same value back: percent-encoded, decoded, JSON-escaped, and the inside of Basic. */
function otherForms(value: string): readonly string[] {
  const forms = [encodeURIComponent(value.toWellFormed()), JSON.stringify(value).slice(1, -1)]
  try {
    forms.push(decodeURIComponent(value))
  } catch {
    // Not percent-encoded.
  }
  if (/^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(value)) {
    const inside = Buffer.from(value, 'base64').toString()
    if (/^[\x20-\x7e]+$/.test(inside)) forms.push(inside, ...inside.split(':'))
  }
  return forms
}
