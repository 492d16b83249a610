import http from 'node:http'
import https from 'node:https'
import { urlToHttpOptions } from 'node:url'
import { step } from '../diagnostics/step.ts'
import type { Event } from '../event/event.ts'
import type { Clock } from '../pipeline/clock.ts'
import { dead, retry, type Outcome } from '../pipeline/outcome.ts'
import { secretsOf, toOutcome, type HttpAnswer } from './http-answer.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'
import type { Sink } from './sink.ts'

/*
 * One request per event, to one address that only the configuration sets. Connections are kept and used again;
 * redirects are never followed; an answer is read up to a cap. What each answer means: http-answer.ts.
 *
 * Every attempt for an event has the same `Idempotency-Key` (idempotency-key.ts). That is also why one resend at once is
 * safe when a kept connection turns out to have been closed by the other side.
 */

/** The endpoint and the bounds of an attempt. */
export type HttpSinkOptions = {
  readonly url: string | URL
  /** Default POST. */
  readonly method?: 'POST' | 'PUT' | 'PATCH'
  /** Sent with every request; their values never appear in an outcome. Trunkline's own headers cannot be replaced. */
  readonly headers?: Readonly<Record<string, string>>
  /** For the whole attempt: connecting, sending, and the answer with its body. Default 10 s. */
  readonly timeoutMs?: number
  /** Requests at once, and connections kept. Default 16. */
  readonly concurrency?: number
  /** An answer is read to its end up to this size, so that its connection can be kept. Default 64 KiB. */
  readonly maxResponseBytes?: number
  /** The body of an event's request (`toDocument`). */
  readonly document: (event: Event) => Uint8Array
  readonly clock: Clock
  /** Trunkline's version, for `User-Agent`. */
  readonly version: string
}

/** What of an answer's body is kept for the detail. */
const QUOTE_BYTES = 4096
const MAX_HEADER_CHARS = 1024
const RESERVED = ['content-length', 'transfer-encoding', 'connection', 'idempotency-key', 'trunkline-event-id', 'trunkline-topic']

/** A sink that sends each event to an HTTP endpoint. Throws on an address or header that can never work. */
export function httpSink(options: HttpSinkOptions): Sink {
  return new HttpSink(options)
}

class HttpSink implements Sink {
  readonly kind = 'http'
  readonly maxBatch = 1
  readonly concurrency: number
  readonly #options: HttpSinkOptions
  readonly #timeoutMs: number
  readonly #maxResponseBytes: number
  readonly #request: typeof http.request
  readonly #target: http.RequestOptions
  readonly #headers: Readonly<Record<string, string>>
  readonly #agent: http.Agent
  readonly #secrets: readonly string[]
  readonly #attempts = new Set<Attempt>()
  #closed = false

  constructor(options: HttpSinkOptions) {
    const url = readUrl(options.url)
    this.#options = options
    this.concurrency = options.concurrency ?? 16
    this.#timeoutMs = options.timeoutMs ?? 10_000
    this.#maxResponseBytes = options.maxResponseBytes ?? 64 * 1024
    const { request, Agent } = url.protocol === 'https:' ? https : http
    this.#request = request
    this.#agent = new Agent({ keepAlive: true, maxSockets: this.concurrency, maxFreeSockets: this.concurrency })
    this.#headers = readHeaders(options.headers ?? {}, options.version)
    this.#target = { ...urlToHttpOptions(url), method: options.method ?? 'POST', agent: this.#agent }
    this.#secrets = secretsOf(url, options.headers ?? {})
  }

  async open(): Promise<void> {}

  async deliver(events: readonly Event[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return Promise.all(events.map((event) => this.#deliverOne(event, signal)))
  }

  position(): string | null {
    return null
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const attempt of this.#attempts) attempt.end(retry('sink.stopped'))
    this.#agent.destroy()
  }

  async #deliverOne(event: Event, signal: AbortSignal): Promise<Outcome> {
    let body: Uint8Array
    try {
      body = this.#options.document(event)
    } catch (error) {
      return dead('sink.document_failed', error instanceof Error ? error.name : null)
    }
    if (this.#closed || signal.aborted) return retry('sink.stopped')
    const attempt = new Attempt(this.#request, this.#optionsFor(event, body), body, this.#maxResponseBytes)
    const over = new AbortController()
    const stop = (): void => attempt.end(retry('sink.stopped'))
    signal.addEventListener('abort', stop)
    this.#attempts.add(attempt)
    void this.#options.clock
      .wait(this.#timeoutMs, over.signal)
      .then(() => attempt.end(retry('sink.http_timeout', `no whole answer within ${this.#timeoutMs} ms`)))
    try {
      return await attempt.run((answer) => toOutcome(answer, this.#secrets, this.#options.clock.nowMs()))
    } finally {
      over.abort()
      signal.removeEventListener('abort', stop)
      this.#attempts.delete(attempt)
    }
  }

  #optionsFor(event: Event, body: Uint8Array): http.RequestOptions {
    return {
      ...this.#target,
      headers: {
        ...this.#headers,
        'content-length': String(body.length),
        'idempotency-key': headerValue(idempotencyKeyOf(event)),
        'trunkline-event-id': headerValue(event.id),
        'trunkline-topic': headerValue(event.topic),
      },
    }
  }
}

/** One event's attempt: a request, or two when the first met a connection that was already dead. Ends exactly once. */
class Attempt {
  readonly #send: typeof http.request
  readonly #options: http.RequestOptions
  readonly #body: Uint8Array
  readonly #maxResponseBytes: number
  readonly #result = Promise.withResolvers<Outcome>()
  #decide: (answer: HttpAnswer) => Outcome = () => retry('sink.http_connection')
  #current: http.ClientRequest | null = null
  #ended = false
  #resent = false
  #answered = false

  constructor(send: typeof http.request, options: http.RequestOptions, body: Uint8Array, maxResponseBytes: number) {
    this.#send = send
    this.#options = options
    this.#body = body
    this.#maxResponseBytes = maxResponseBytes
  }

  run(decide: (answer: HttpAnswer) => Outcome): Promise<Outcome> {
    this.#decide = decide
    this.#start()
    return this.#result.promise
  }

  /** Ends the attempt from outside: timeout or stop. Without effect once it has ended. */
  end(outcome: Outcome): void {
    if (this.#ended) return
    this.#finish(outcome)
    this.#current?.destroy()
  }

  #start(): void {
    const request = this.#send(this.#options)
    this.#current = request
    request.on('response', (response) => this.#read(response))
    request.on('error', (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
      if (this.#ended) return
      if (stale && !this.#resent && !this.#answered) {
        this.#resent = true
        this.#start()
        return
      }
      this.#finish(retry('sink.http_connection', error.code ?? error.name))
    })
    request.end(this.#body)
  }

  #read(response: http.IncomingMessage): void {
    this.#answered = true
    step('http.answered')
    const status = response.statusCode ?? 0
    const kept: Buffer[] = []
    let keptBytes = 0
    let bytes = 0
    const decide = (): void => {
      const encoding = response.headers['content-encoding'] ?? 'identity'
      const body = encoding === 'identity' ? Buffer.concat(kept) : null
      const retryAfter = response.headers['retry-after'] ?? null
      this.#finish(this.#decide({ status, retryAfter, body, bodyCut: bytes > keptBytes || !response.complete }))
    }
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (keptBytes < QUOTE_BYTES) {
        const part = chunk.subarray(0, QUOTE_BYTES - keptBytes)
        kept.push(part)
        keptBytes += part.length
      }
      if (bytes <= this.#maxResponseBytes) return
      // Reading on would cost more than a new connection.
      decide()
      response.destroy()
    })
    response.on('end', decide)
    response.on('error', () => {})
    response.on('close', () => {
      if (this.#ended) return
      if (status >= 200 && status < 300) this.#finish(retry('sink.http_connection', `the answer HTTP ${status} was cut off`))
      else decide()
    })
  }

  #finish(outcome: Outcome): void {
    if (this.#ended) return
    this.#ended = true
    this.#result.resolve(outcome)
  }
}

function readUrl(value: string | URL): URL {
  const url = URL.canParse(String(value)) ? new URL(value) : null
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw Object.assign(new Error('http sink: the url is not an absolute http or https address'), {
    code: 'sink.http_url',
    hint: 'write it out, such as https://example.test/events',
  })
}

function readHeaders(given: Readonly<Record<string, string>>, version: string): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'accept-encoding': 'identity',
    'user-agent': `trunkline/${version}`,
  }
  for (const [name, value] of Object.entries(given)) {
    if (RESERVED.includes(name.toLowerCase())) throw headerError(name, 'is set by Trunkline', 'leave it out')
    try {
      http.validateHeaderName(name)
      http.validateHeaderValue(name, value)
    } catch {
      // Node's message may quote the value.
      throw headerError(name, 'has characters that HTTP does not allow', 'check for line breaks and typographic quotes')
    }
    headers[name.toLowerCase()] = value
  }
  return headers
}

function headerError(name: string, what: string, hint: string): Error {
  return Object.assign(new Error(`http sink: header '${name}' ${what}`), { code: 'sink.http_header', hint })
}

/** Topics come from outside: whatever a header cannot carry is percent-encoded. */
function headerValue(text: string): string {
  return text
    .slice(0, MAX_HEADER_CHARS)
    .toWellFormed()
    .replaceAll(/[^\x20-\x7e]/gu, encodeURIComponent)
    .trim()
}
