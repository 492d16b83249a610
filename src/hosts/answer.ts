import type { ServerResponse } from 'node:http'

/** Answers `{code, message, hint}` as JSON. */
export function sendError(
  response: ServerResponse,
  status: number,
  error: { readonly code: string; readonly message: string; readonly hint: string },
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify({ code: error.code, message: error.message, hint: error.hint })
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers })
  response.end(body)
}
