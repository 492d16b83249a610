/**
 * The HTTP side of the fake platform: token, rate window, route, body, in that order, with the headers of the real one.
 * Bad requests of any kind get an error body and harm nothing; planted faults spoil answers here and nowhere else.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../pipeline/clock.ts'
import { NOT_FOUND, objectOf, problem, type Answer } from './answer.ts'
import type { HttpFaults } from './http-faults.ts'
import type { Limits } from './limits.ts'
import { isFound, routerOf, type Found, type Route } from './router.ts'
import { isToken, type Rate, type Tokens } from './tokens.ts'

export type HttpApiOptions = {
  readonly clock: Clock
  readonly random: () => number
  readonly limits: Limits
  readonly tokens: Tokens
  readonly faults: HttpFaults
  readonly routes: readonly Route[]
  readonly newId: () => string
  /** Aborts when the platform stops: slow answers then come at once. */
  readonly signal: AbortSignal
}

export class HttpApi {
  readonly #options: HttpApiOptions
  readonly #find: (method: string, path: string) => Found | Answer
  #requests = 0
  #throttled = 0

  constructor(options: HttpApiOptions) {
    this.#options = options
    this.#find = routerOf(options.routes)
  }

  /** Calls so far, and how many of them went over the rate. */
  counts(): { readonly requests: number; readonly throttled: number } {
    return { requests: this.#requests, throttled: this.#throttled }
  }

  /** Answers one request; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#requests++
    // A client that goes away is no failure of the server.
    response.on('error', () => undefined)
    request.on('error', () => undefined)
    const url = urlOf(request.url)
    if (url === null) return this.#reply(response, problem(400, 'bad.request', 'The address is none.'))
    const delayMs = this.#options.faults.delayMs()
    if (delayMs > 0) await this.#options.clock.wait(delayMs, this.#options.signal)
    try {
      if (url.pathname === '/oauth/token') await this.#token(request, response)
      else await this.#api(request, response, url)
    } catch {
      this.#reply(response, problem(500, 'internal.server.error', 'An unexpected error occurred.'))
    }
  }

  async #token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') return this.#reply(response, problem(405, 'method.not.allowed', 'Use POST.'))
    const body = await this.#body(request)
    if (typeof body !== 'string') return this.#reply(response, body)
    const grant = (): Answer => this.#options.tokens.grant(request.headers.authorization ?? '', body)
    const hit = this.#options.faults.hit()
    if (hit === null || hit === 'throttle') return this.#reply(response, grant())
    return this.#spoil(response, hit, {}, grant)
  }

  async #api(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { tokens, faults } = this.#options
    const method = request.method ?? 'GET'
    const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, '') : url.pathname
    if (!path.startsWith('/api/v2/')) return this.#reply(response, path === MAINTENANCE ? HTML : NOT_FOUND)
    const token = tokens.check(request.headers.authorization)
    if (!isToken(token)) return this.#reply(response, token)
    const rate = tokens.count(token)
    const headers = this.#rateHeaders(rate)
    if (!rate.allowed) {
      this.#throttled++
      return this.#reply(response, TOO_MANY, { ...headers, ...this.#retryAfter(rate.resetSeconds) })
    }
    const found = this.#find(method, path)
    if (!isFound(found)) return this.#reply(response, found, headers)
    const text = await this.#body(request)
    if (typeof text !== 'string') return this.#reply(response, text, headers)
    const hasBody = method !== 'GET' && method !== 'HEAD' && text.trim() !== ''
    if (hasBody && !/^application\/json\b/i.test(request.headers['content-type'] ?? 'application/json'))
      return this.#reply(response, problem(415, 'unsupported.media.type', 'The body must be application/json.'), headers)
    const body = hasBody ? parsed(text) : undefined
    if (body === BROKEN) return this.#reply(response, problem(400, 'bad.request', 'The body is not valid JSON.'), headers)
    const work = (): Answer | Promise<Answer> =>
      found.route.answer({ params: found.params, query: url.searchParams, body, clientId: token.clientId })
    const hit = faults.hit()
    if (hit === null) return this.#reply(response, await work(), headers)
    return this.#spoil(response, hit, headers, work)
  }

  async #spoil(
    response: ServerResponse,
    hit: NonNullable<ReturnType<HttpFaults['hit']>>,
    headers: Readonly<Record<string, string>>,
    work: () => Answer | Promise<Answer>,
  ): Promise<void> {
    switch (hit) {
      case 'throttle':
        return this.#reply(response, TOO_MANY, { ...headers, ...this.#retryAfter(5) })
      case 'unavailable':
        return this.#reply(response, this.#options.random() < 0.5 ? BAD_GATEWAY : UNAVAILABLE, headers)
      case 'gateway-timeout':
        // The cruel one: done, and nobody hears of it.
        await work()
        return this.#reply(response, GATEWAY_TIMEOUT, headers)
      case 'html':
        return this.#reply(response, HTML, headers)
      case 'redirect':
        return this.#reply(response, { status: 302, headers: { Location: MAINTENANCE } }, headers)
      case 'half':
      case 'cut':
        return this.#reply(response, await work(), headers, hit)
    }
  }

  #reply(
    response: ServerResponse,
    answer: Answer,
    headers: Readonly<Record<string, string>> = {},
    spoilt: 'half' | 'cut' | null = null,
  ): void {
    if (response.headersSent || response.destroyed) return
    const contextId = this.#options.newId()
    const body = objectOf(answer.body)
    const text =
      answer.body === undefined
        ? ''
        : typeof answer.body === 'string'
          ? answer.body
          : JSON.stringify(body !== null && answer.status >= 400 && 'code' in body ? { ...body, contextId } : answer.body)
    const type = answer.body === undefined ? {} : { 'Content-Type': 'application/json' }
    const all = {
      Date: new Date(this.#options.clock.nowMs()).toUTCString(),
      'ININ-Correlation-Id': contextId,
      ...type,
      ...headers,
      ...answer.headers,
    }
    if (spoilt === 'cut') {
      response.writeHead(answer.status, { ...all, 'Content-Length': String(Buffer.byteLength(text) + 1) })
      response.write(text.slice(0, Math.ceil(text.length / 2)), () => response.destroy())
      return
    }
    const sent = spoilt === 'half' ? text.slice(0, Math.floor(text.length / 2)) : text
    response.writeHead(answer.status, { ...all, 'Content-Length': String(Buffer.byteLength(sent)) })
    response.end(sent)
  }

  #rateHeaders({ count, resetSeconds }: Rate): Readonly<Record<string, string>> {
    return {
      'inin-ratelimit-count': String(count),
      'inin-ratelimit-allowed': String(this.#options.limits.requestsPerMinute),
      'inin-ratelimit-reset': String(resetSeconds),
    }
  }

  #retryAfter(seconds: number): Readonly<Record<string, string>> {
    const { retryAfter } = this.#options.limits
    const said = retryAfter === 'always' || (retryAfter === 'sometimes' && this.#options.random() < 0.5)
    return said ? { 'Retry-After': String(seconds) } : {}
  }

  /** The body as text, or the answer to one that is too large. */
  async #body(request: IncomingMessage): Promise<string | Answer> {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      // The rest is read and thrown away, so that the client gets to read the answer; but not without end.
      if (bytes <= this.#options.limits.maxBodyBytes) chunks.push(chunk)
      else if (bytes > MAX_DRAINED_BYTES) request.destroy()
    }
    if (bytes > this.#options.limits.maxBodyBytes) return problem(413, 'request.entity.too.large', 'The body is too large.')
    return Buffer.concat(chunks).toString()
  }
}

const MAINTENANCE = '/maintenance'
const MAX_DRAINED_BYTES = 64 * 1_048_576
const BROKEN: unique symbol = Symbol('not JSON')
const TOO_MANY = problem(429, 'too.many.requests', 'Rate limit exceeded the maximum, client.credentials.token.rate.per.minute.')
const UNAVAILABLE = problem(503, 'service.unavailable', 'The service is unavailable.')
const GATEWAY_TIMEOUT = problem(504, 'gateway.timeout', 'The request timed out.')
const PAGE = '<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>'
const HTML: Answer = { status: 200, body: PAGE, headers: { 'Content-Type': 'text/html; charset=utf-8' } }
const BAD_GATEWAY: Answer = { ...HTML, status: 502 }

function urlOf(text: string | undefined): URL | null {
  try {
    return new URL(text ?? '/', 'http://platform.invalid')
  } catch {
    return null
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return BROKEN
  }
}
