/**
 * Who may talk to the HTTP server. Checked before anything is read of a request: the Host header (a name we do not
 * answer to is a rebinding attack), the Origin (another site's page), the token, and for writes a content type that a
 * foreign page cannot send without asking first.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { isIP } from 'node:net'

export type Refusal = { readonly status: number; readonly code: string; readonly message: string; readonly hint: string }

export type AccessOptions = {
  /** SHA-256 of the token, or null when none is asked for. */
  readonly tokenHash: Buffer | null
  /** Names answered to beside loopback and IP addresses. */
  readonly hosts: readonly string[]
}

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1']
/** What anybody may read who reaches the port. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/', '/healthz', '/readyz'])

export const isLoopback = (host: string): boolean => LOOPBACK.includes(host) || (isIP(host) === 4 && host.startsWith('127.'))

export class Access {
  readonly #tokenHash: Buffer | null
  readonly #hosts: ReadonlySet<string>

  constructor(options: AccessOptions) {
    this.#tokenHash = options.tokenHash
    this.#hosts = new Set([...LOOPBACK, ...options.hosts].map((h) => h.toLowerCase()))
  }

  /** Why the request is refused, or null. */
  check(request: IncomingMessage, path: string): Refusal | null {
    const { headers, method } = request
    const host = headers.host ?? ''
    if (!this.#answersTo(host))
      return refuse(
        403,
        'http.host_refused',
        `this server does not answer to the host ${JSON.stringify(host.slice(0, 100))}`,
        'Use 127.0.0.1 or localhost, or allow the name with --allow-host.',
      )
    // Guarded is all that is not known to be open: a path has many spellings (%76, dot segments, a whole URL).
    const guarded = !OPEN_PATHS.has(path)
    const write = method !== 'GET' && method !== 'HEAD'
    const foreign = headers.origin !== undefined && !this.#sameOrigin(headers.origin, host)
    if (foreign || (headers['sec-fetch-site'] === 'cross-site' && (guarded || write)))
      return refuse(
        403,
        'http.origin_refused',
        'requests from pages of other sites are refused',
        'Call the API from a program, or allow the host name of the page with --allow-host.',
      )
    if (guarded && this.#tokenHash !== null && !this.#knows(headers))
      return refuse(
        401,
        'http.unauthorized',
        'a token is needed',
        'Send it as `Authorization: Bearer ...`, as the password of Basic, or as `x-api-key`.',
      )
    if (write && guarded && !isJson(headers['content-type']))
      return refuse(
        415,
        'http.content_type',
        'writes need content-type application/json or application/x-ndjson',
        "Add the header, e.g. curl -H 'content-type: application/json'.",
      )
    return null
  }

  #answersTo(host: string): boolean {
    const name = hostName(host)
    return name !== null && (isIP(name) !== 0 || this.#hosts.has(name))
  }

  #sameOrigin(origin: string, host: string): boolean {
    let url: URL
    try {
      url = new URL(origin)
    } catch {
      return false
    }
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return false
    const name = hostName(url.host)
    return url.host.toLowerCase() === host.toLowerCase() || (name !== null && !LOOPBACK.includes(name) && this.#hosts.has(name))
  }

  #knows(headers: IncomingMessage['headers']): boolean {
    const given = tokenOf(headers)
    if (given === null || this.#tokenHash === null) return false
    return timingSafeEqual(hashToken(given), this.#tokenHash)
  }
}

function tokenOf(headers: IncomingMessage['headers']): string | null {
  const key = headers['x-api-key']
  if (typeof key === 'string') return key
  const [scheme, value] = (headers.authorization ?? '').split(' ', 2)
  if (value === undefined || scheme === undefined) return null
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return null
  const pair = Buffer.from(value, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon < 0 ? null : pair.slice(colon + 1)
}

/** Lower-case host name without port and brackets, or null when it is none. */
function hostName(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/.exec(host.toLowerCase())
  return match?.[1] ?? match?.[2] ?? null
}

const isJson = (type: string | undefined): boolean =>
  type !== undefined && /^application\/(?:(?:x-)?ndjson|(?:[a-z0-9.-]+\+)?json)\s*(?:;|$)/i.test(type)

const refuse = (status: number, code: string, message: string, hint: string): Refusal => ({ status, code, message, hint })

export const hashToken = (token: string): Buffer => hash('sha256', token, 'buffer')

/**
 * The token of a data directory. The server keeps its hash (`token.sha256`); the plain token is in `token` (mode 0600)
 * for the command-line client of the same user, who may move it elsewhere. Made on the first start.
 */
export function readOrMakeToken(dataDir: string): { readonly hash: Buffer; readonly madeAt: string | null } {
  const hashFile = join(dataDir, 'token.sha256')
  if (existsSync(hashFile)) {
    const hash = Buffer.from(readFileSync(hashFile, 'utf8').trim(), 'hex')
    if (hash.length === 32) return { hash, madeAt: null }
  }
  const token = randomBytes(32).toString('base64url')
  const hash = hashToken(token)
  const file = join(dataDir, 'token')
  writeFileSync(file, `${token}\n`, { mode: 0o600 })
  writeFileSync(hashFile, `${hash.toString('hex')}\n`, { mode: 0o600 })
  return { hash, madeAt: file }
}
