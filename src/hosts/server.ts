/**
 * The HTTP server of the service: who may ask is decided before anything of a body is read, events go to intake by the shortest way,
 * everything else to the API. Slow clients are cut off.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'

import type { Config } from '../config/config.ts'
import { TrunklineError } from '../errors.ts'
import type { Access } from './access.ts'
import { sendError } from './answer.ts'
import type { Intake } from './intake.ts'

const MIN_CHECK_MS = 50
const MAX_CHECK_MS = 2_000

/** A server that does not listen yet. */
export function createHttpServer(
  http: Config['http'],
  to: { readonly access: Access; readonly intake: Intake; readonly app: Hono },
): Server {
  const listener = getRequestListener(to.app.fetch, { overrideGlobalObjects: false })
  const { headersTimeoutMs, requestTimeoutMs } = http
  // Node looks for late clients every 30 s unless told otherwise.
  const connectionsCheckingInterval = Math.min(MAX_CHECK_MS, Math.max(MIN_CHECK_MS, Math.min(headersTimeoutMs, requestTimeoutMs) / 4))
  const server = createServer({ connectionsCheckingInterval }, (request, response) =>
    dispatch(request, response, { access: to.access, intake: to.intake, listener }),
  )
  server.headersTimeout = headersTimeoutMs
  server.requestTimeout = requestTimeoutMs
  server.maxConnections = http.maxConnections
  server.keepAliveTimeout = 65_000
  return server
}

/** Listens; the URL that it can be reached at. Rejects with a coded error when the port is taken. */
export function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE'
      const message = inUse ? `port ${port} on ${host} is taken` : `cannot listen on ${host}:${port}: ${error.message}`
      reject(
        new TrunklineError(
          inUse ? 'http.port_in_use' : 'http.cannot_listen',
          message,
          'Choose another with --port (0 takes a free one) or --host.',
          { cause: error },
        ),
      )
    })
    server.listen(port, host, () => {
      const address = server.address()
      const bound = typeof address === 'object' && address !== null ? address.port : port
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${bound}`)
    })
  })
}

function dispatch(
  request: IncomingMessage,
  response: ServerResponse,
  to: { access: Access; intake: Intake; listener: (request: IncomingMessage, response: ServerResponse) => unknown },
): void {
  const target = request.url ?? '/'
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const refusal = to.access.check(request, path)
  if (refusal !== null) {
    const challenge: Record<string, string> = refusal.status === 401 ? { 'www-authenticate': 'Bearer' } : {}
    sendError(response, refusal.status, refusal, { ...challenge, ...(request.complete ? {} : { connection: 'close' }) })
    request.resume()
  } else if (request.method === 'POST' && path === '/v1/events') to.intake.handle(request, response, mark < 0 ? '' : target.slice(mark + 1))
  else void to.listener(request, response)
}
