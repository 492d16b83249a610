import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../pipeline/clock.ts'

/*
 * The login and the rate limit of Genesys Cloud over real HTTP, strict; what the API answers is up to the test. The window
 * of the limit begins with its first request and ends `windowMs` later, as the clock that is handed in says.
 */

export type Asked = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** JSON with a status, exact bytes, or null where the test answers by itself (or never). */
export type Reply = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly raw?: string | Uint8Array
} | null

export type GenesysServer = {
  readonly url: string
  /** Calls of the API, those refused by the rate limit not counted. */
  readonly asked: Asked[]
  readonly logins: Asked[]
  /** Calls answered 429 by the limit. */
  refused: number
  /** Calls of each window, the refused ones left out. */
  readonly windows: number[]
  /** No token given so far is good any more. */
  revoke(): void
}

export type GenesysServerOptions = {
  readonly clock: Clock
  readonly clientId?: string
  readonly clientSecret?: string
  readonly allowed?: number
  readonly windowMs?: number
  /** `expires_in`, seconds. */
  readonly tokenLifeS?: number
  /** Instead of the login. */
  login?(asked: Asked, response: ServerResponse): Reply | undefined | Promise<Reply | undefined>
  answer?(asked: Asked, response: ServerResponse): Reply | Promise<Reply>
  /** Sends no headers of the rate limit. */
  readonly silent?: boolean
}

export async function genesysServer(t: { after(end: () => void): void }, options: GenesysServerOptions): Promise<GenesysServer> {
  const {
    clock,
    clientId = 'client-1',
    clientSecret = 'secret-of-client-1',
    allowed = 300,
    windowMs = 60_000,
    tokenLifeS = 86_400,
  } = options
  const tokens = new Map<string, number>()
  let given = 0
  let window: { readonly endsAtMs: number; count: number } | null = null

  const login = async (asked: Asked, response: ServerResponse): Promise<Reply> => {
    served.logins.push(asked)
    const instead = await options.login?.(asked, response)
    if (instead !== undefined) return instead
    const expected = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
    const form = asked.headers['content-type'] === 'application/x-www-form-urlencoded' && asked.body === 'grant_type=client_credentials'
    if (asked.method !== 'POST' || asked.headers.authorization !== expected || !form)
      return { status: 401, json: { error: 'invalid_client', description: 'unknown client' } }
    given += 1
    const token = `token-${given}-0123456789abcdef`
    tokens.set(token, clock.nowMs() + tokenLifeS * 1000)
    return { json: { access_token: token, token_type: 'bearer', expires_in: tokenLifeS } }
  }

  const call = async (asked: Asked, response: ServerResponse): Promise<Reply> => {
    const endsAtMs = tokens.get(String(asked.headers.authorization).replace(/^Bearer /, ''))
    const nowMs = clock.nowMs()
    if (endsAtMs === undefined || nowMs >= endsAtMs)
      return { status: 401, json: { code: 'bad.credentials', message: 'Invalid login credentials.', status: 401 } }
    if (window === null || nowMs >= window.endsAtMs) {
      window = { endsAtMs: nowMs + windowMs, count: 0 }
      served.windows.push(0)
    }
    window.count += 1
    const headers = {
      'inin-correlation-id': `cid-${served.asked.length + 1}`,
      ...(options.silent === true
        ? {}
        : {
            'inin-ratelimit-count': String(window.count),
            'inin-ratelimit-allowed': String(allowed),
            'inin-ratelimit-reset': String(Math.floor((window.endsAtMs - nowMs) / 1000)),
          }),
    }
    if (window.count > allowed) {
      served.refused += 1
      return { status: 429, headers, json: { code: 'too.many.requests', message: 'Rate limit exceeded', status: 429 } }
    }
    served.windows[served.windows.length - 1] = window.count
    served.asked.push(asked)
    const reply = options.answer === undefined ? { json: {} } : await options.answer(asked, response)
    return reply === null ? null : { ...reply, headers: { ...headers, ...reply.headers } }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://test')
    const asked = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    }
    const reply = await (asked.path === '/oauth/token' ? login : call)(asked, response)
    if (reply === null) return
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers })
    response.end(reply.raw ?? (reply.json === undefined ? undefined : JSON.stringify(reply.json)))
  }

  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const served: GenesysServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    logins: [],
    refused: 0,
    windows: [],
    revoke: () => tokens.clear(),
  }
  return served
}

/** One page of a list, as Genesys pages it. */
export function pageOf(asked: Asked, entities: readonly unknown[]): Reply {
  const pageSize = Number(asked.query.get('pageSize') ?? 25)
  const pageNumber = Number(asked.query.get('pageNumber') ?? 1)
  const pageCount = Math.ceil(entities.length / pageSize)
  return {
    json: {
      entities: entities.slice((pageNumber - 1) * pageSize, pageNumber * pageSize),
      pageSize,
      pageNumber,
      total: entities.length,
      pageCount,
    },
  }
}
