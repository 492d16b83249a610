/**
 * One HTTP request and its whole answer, within a time and a size. Redirects are not followed: the token would go along.
 * What a library throws ends here; only the code of a network error leaves (`ECONNREFUSED`).
 */
import type { Clock } from '../pipeline/clock.ts'
import { badAnswer, GenesysError, quote, stopped } from './failure.ts'

export type Exchange = {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** For connecting, sending and the answer with its body. */
  readonly timeoutMs: number
  /** Most bytes of an answer, unpacked. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
}

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly correlationId: string | null
}

/** There was no whole answer. `sent` is false only when the request certainly never left. */
export class NoAnswer extends GenesysError {
  readonly sent: boolean

  constructor(code: 'genesys.unreachable' | 'genesys.timeout', message: string, sent: boolean) {
    super(code, message, 'Check the network, DNS, a proxy in between, and the status page of Genesys Cloud.')
    this.sent = sent
  }
}

/** Sends a request once. Rejects with `NoAnswer`, `genesys.redirected`, `genesys.bad_answer` (too large, no UTF-8) or `genesys.stopped`. */
export async function exchange(given: typeof fetch, clock: Clock, request: Exchange): Promise<Answer> {
  const { method, headers, signal } = request
  const where = placeOf(request)
  if (isAborted(signal)) throw stopped()
  const attempt = new AbortController()
  const over = new AbortController()
  const timeout = new AbortController()
  const stop = (): void => attempt.abort()
  signal?.addEventListener('abort', stop, { once: true })
  void clock.wait(request.timeoutMs, over.signal).then(() => {
    if (over.signal.aborted) return
    timeout.abort()
    attempt.abort()
  })
  try {
    const init = { method, headers, redirect: 'manual', signal: attempt.signal } as const
    const response = await given(request.url, request.body === undefined ? init : { ...init, body: request.body })
    const facts = { status: response.status, correlationId: correlationIdOf(response.headers) }
    if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
      await response.body?.cancel()
      throw redirected(where, response.headers.get('location'), facts)
    }
    const text = await readText(response, request.maxBytes, where, facts)
    return { status: response.status, headers: response.headers, text, correlationId: facts.correlationId }
  } catch (error) {
    if (error instanceof GenesysError) throw error
    if (isAborted(signal)) throw stopped()
    if (timeout.signal.aborted) throw new NoAnswer('genesys.timeout', `${where} gave no whole answer within ${request.timeoutMs} ms.`, true)
    throw noConnection(where, error)
  } finally {
    over.abort()
    signal?.removeEventListener('abort', stop)
  }
}

/** Asked anew, as time has passed since it was asked before. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

/** `GET host/path`: without the query, which may hold names. */
function placeOf(request: Exchange): string {
  const { host, pathname } = new URL(request.url)
  return `${request.method} ${host}${quote(pathname)}`
}

async function readText(response: Response, maxBytes: number, where: string, facts: { status: number }): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const parts: string[] = []
  let bytes = 0
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      // Leaving the loop cancels the body.
      if (bytes > maxBytes) throw badAnswer(where, `more than ${maxBytes} bytes`, facts)
      parts.push(decoder.decode(chunk, { stream: true }))
    }
    parts.push(decoder.decode())
  } catch (error) {
    if (error instanceof TypeError && codeOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw badAnswer(where, 'bytes that are no UTF-8 text', facts)
    throw error
  }
  return parts.join('')
}

function correlationIdOf(headers: Headers): string | null {
  const id = headers.get('inin-correlation-id')
  return id !== null && /^[\w.:-]{1,100}$/.test(id) ? id : null
}

function redirected(where: string, location: string | null, facts: { status: number; correlationId: string | null }): GenesysError {
  const host = location !== null && URL.canParse(location) ? new URL(location).host : null
  return new GenesysError(
    'genesys.redirected',
    `${where} answered with a redirect${host === null ? '' : ` to ${quote(host, [], 100)}`}, which is not followed.`,
    'Check genesys.region and genesys.baseUrl; a proxy that wants a login also answers like this.',
    facts,
  )
}

function noConnection(where: string, error: unknown): NoAnswer {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const code = codeOf(cause) ?? codeOf(error)
  return new NoAnswer(
    'genesys.unreachable',
    `${where} could not be reached${code === null ? '' : ` (${code})`}.`,
    !NEVER_SENT.has(code ?? ''),
  )
}

/** Codes are names made by Node; anything else is not shown. */
function codeOf(error: unknown): string | null {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : null
}

const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])
