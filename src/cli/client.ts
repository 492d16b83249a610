/**
 * Talks to a service over its HTTP API. Never loads the configuration (it is code). The token comes from
 * TRUNKLINE_TOKEN; the token file of a data directory on this machine is sent to this machine only. Redirects are not
 * followed, so a token goes nowhere else.
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { TrunklineError } from '../errors.ts'
import { exitCodeOfAnswer } from './failure.ts'
import type { Io } from './io.ts'
import type { ClientOptions } from './options.ts'
import { fieldOf, textOf } from './read.ts'

export type Query = Readonly<Record<string, string | number | undefined>>

export type Answer = {
  readonly status: number
  readonly headers: Headers
  /** Parsed JSON; undefined when the body is none. */
  readonly body: unknown
  readonly text: string
}

export type Call = {
  readonly body?: { readonly type: string; readonly bytes: Uint8Array }
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface Client {
  /** Without a slash at the end. */
  readonly url: string
  /** Any answer, whatever its status; rejects with `client.unreachable` when there is none. */
  call(method: 'GET' | 'POST' | 'PUT', path: string, call?: Call): Promise<Answer>
  /** The JSON of a 2xx answer; rejects with the service's own problem otherwise. */
  get(path: string, query?: Query, signal?: AbortSignal): Promise<unknown>
  post(path: string, value: unknown, timeoutMs?: number): Promise<unknown>
  put(path: string, value: unknown): Promise<unknown>
}

export const DEFAULT_URL = 'http://127.0.0.1:4680'

export function clientOf(io: Io, options: ClientOptions): Client {
  const url = baseUrl(options.url ?? nonEmpty(io.env['TRUNKLINE_URL']) ?? DEFAULT_URL)
  const token = tokenFor(url, io, options)
  const authorization: Readonly<Record<string, string>> = token === null ? {} : { authorization: `Bearer ${token}` }
  const client: Client = {
    url,
    async call(method, path, { body, timeoutMs = 30_000, signal } = {}) {
      const headers = { accept: 'application/json', ...authorization, ...(body === undefined ? {} : { 'content-type': body.type }) }
      const timeout = AbortSignal.timeout(timeoutMs)
      const either = signal === undefined ? timeout : AbortSignal.any([timeout, signal])
      try {
        const init = { method, headers, redirect: 'manual', signal: either } as const
        const response = await fetch(`${url}${path}`, body === undefined ? init : { ...init, body: body.bytes as Uint8Array<ArrayBuffer> })
        const text = await response.text()
        return { status: response.status, headers: response.headers, body: parsed(text), text }
      } catch (error) {
        throw unreachable(url, error, timeoutMs)
      }
    },
    async get(path, query = {}, signal) {
      return successOf(await client.call('GET', `${path}${queryText(query)}`, signal === undefined ? {} : { signal }), url)
    },
    async post(path, value, timeoutMs) {
      const call = { body: jsonBody(value), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
      return successOf(await client.call('POST', path, call), url)
    },
    async put(path, value) {
      return successOf(await client.call('PUT', path, { body: jsonBody(value) }), url)
    },
  }
  return client
}

function jsonBody(value: unknown): { readonly type: string; readonly bytes: Uint8Array } {
  return { type: 'application/json', bytes: new TextEncoder().encode(JSON.stringify(value)) }
}

/** What an answer that is no success says, in the service's words where it has any. */
export function problemIn(answer: Answer, url: string): TrunklineError {
  const code = textOf(answer.body, 'code')
  const message = textOf(answer.body, 'message')
  const hint = textOf(answer.body, 'hint') ?? ''
  if (answer.status === 401) return answered(code ?? 'client.unauthorized', message ?? 'The service wants a token.', TOKEN_HINT)
  if (code !== null && message !== null) return answered(code, message, hint)
  const check = `Check that ${url} is a Trunkline service (--url, TRUNKLINE_URL).`
  if (answer.status >= 300 && answer.status < 400) {
    return answered(
      'client.redirected',
      `${url} answered with a redirect to ${answer.headers.get('location') ?? 'nowhere'}, which is not followed.`,
      check,
    )
  }
  return answered('client.odd_answer', `${url} answered ${answer.status}: ${answer.text.slice(0, 200).trim() || 'an empty body'}`, check)
}

function answered(code: string, message: string, hint: string): TrunklineError {
  return Object.assign(new TrunklineError(code, message, hint), { exitCode: exitCodeOfAnswer(code) })
}

const TOKEN_HINT =
  'Set TRUNKLINE_TOKEN, or name the data directory of a service on this machine with --data-dir: its token is in the file "token" there.'

function successOf(answer: Answer, url: string): unknown {
  if (answer.status < 200 || answer.status > 299 || typeof answer.body !== 'object' || answer.body === null) throw problemIn(answer, url)
  return answer.body
}

/** Query text of what is given. */
export function queryText(query: Query): string {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as [string, string]]))
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`
}

/** The data directory that client verbs and `fsck` look into. */
export function dataDirOf(io: Io, options: { readonly dataDir?: string }): string {
  return resolve(io.cwd, options.dataDir ?? nonEmpty(io.env['TRUNKLINE_DATA_DIR']) ?? '.trunkline')
}

function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    const hint = `Write it as ${DEFAULT_URL}. A token goes into TRUNKLINE_TOKEN, not into the address.`
    throw new TrunklineError(
      'config.bad_url',
      'The address of the service is no http or https address, or holds more than host, port and path.',
      hint,
    )
  }
  return url.href.replace(/\/+$/, '')
}

function tokenFor(url: string, io: Io, options: ClientOptions): string | null {
  const given = nonEmpty(io.env['TRUNKLINE_TOKEN'])
  if (given !== null) return headerSafe(given)
  if (!LOOPBACK.test(new URL(url).hostname)) return null
  try {
    return headerSafe(readFileSync(join(dataDirOf(io, options), 'token'), 'utf8'))
  } catch {
    // No file, or one of another user: `dev` needs none, and `start` answers 401 with the way out.
    return null
  }
}

function headerSafe(text: string): string | null {
  const token = text.trim()
  return /^[\x21-\x7e]{1,4096}$/.test(token) ? token : null
}

function unreachable(url: string, error: unknown, timeoutMs: number): TrunklineError {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const code = textOf(cause, 'code') ?? ''
  const reason = textOf(cause, 'message') ?? ''
  // Refused by the rules of the web, before anything is sent: no wait makes it work.
  if (reason === 'bad port')
    return new TrunklineError('config.bad_url', `${url} has a port that is refused for HTTP.`, 'Give the port of the service with --url.')
  const timedOut = fieldOf(error, 'name') === 'TimeoutError'
  const why = timedOut
    ? `did not answer within ${timeoutMs} ms`
    : code === 'ECONNREFUSED'
      ? 'refused the connection'
      : `could not be reached (${code || reason || 'unknown'})`
  return new TrunklineError(
    'client.unreachable',
    `${url} ${why}.`,
    'Start the service with `trunkline dev` or `trunkline start`, or give its address with --url or TRUNKLINE_URL.',
    { cause: error },
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/
