/** What the fake Genesys Cloud answers over HTTP, and the shapes all its answers share: errors and pages. */

export type Answer = {
  readonly status: number
  /** Becomes JSON; left out, the answer has no body. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** One call, checked and read. */
export type Call = {
  /** The values that stand for `{id}` in the path, in order. */
  readonly params: readonly string[]
  readonly query: URLSearchParams
  /** Parsed JSON; undefined when the call has no body. */
  readonly body: unknown
  /** The OAuth client that calls. */
  readonly clientId: string
}

/** The platform's error body; the server adds the context id. */
export function problem(status: number, code: string, message: string): Answer {
  return { status, body: { message, code, status, details: [], errors: [] } }
}

export const NOT_FOUND: Answer = problem(404, 'not.found', 'The requested resource was not found.')

export function badRequest(message: string): Answer {
  return problem(400, 'bad.request', message)
}

/** One page of `list` as the platform's directory calls give it; `pageSize` above the cap is lowered to it. */
export function page(path: string, query: URLSearchParams, list: readonly unknown[], cap: number): Answer {
  const pageSize = positive(query.get('pageSize') ?? '25')
  const pageNumber = positive(query.get('pageNumber') ?? '1')
  if (pageSize === null || pageNumber === null) return badRequest('pageSize and pageNumber must be whole numbers from 1.')
  const size = Math.min(pageSize, cap)
  const pageCount = Math.ceil(list.length / size)
  const from = (pageNumber - 1) * size
  const uri = (number: number): string => {
    const params = new URLSearchParams(query)
    params.set('pageSize', String(size))
    params.set('pageNumber', String(number))
    return `${path}?${params.toString()}`
  }
  const body = {
    entities: list.slice(from, from + size),
    pageSize: size,
    pageNumber,
    total: list.length,
    pageCount,
    firstUri: uri(1),
    lastUri: uri(Math.max(1, pageCount)),
    selfUri: uri(pageNumber),
    ...(pageNumber < pageCount ? { nextUri: uri(pageNumber + 1) } : {}),
    ...(pageNumber > 1 ? { previousUri: uri(pageNumber - 1) } : {}),
  }
  return { status: 200, body }
}

/** A whole number from 1 up, or null. */
export function positive(text: string): number | null {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
  return number >= 1 ? number : null
}

/** The value as an object with unknown fields, or null when it is something else. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : null
}
