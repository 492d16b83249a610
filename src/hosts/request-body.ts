/** Reads the JSON object that a request of the API carries, within a bound. */
import { TrunklineError } from '../errors.ts'

const MAX_REQUEST_BYTES = 4 * 1024 * 1024

/** The object of the body, `{}` when there is none. Throws a coded error for anything else. */
export async function readObject(request: Request): Promise<Record<string, unknown>> {
  const text = await readText(request)
  let body: unknown
  try {
    body = text === '' ? {} : JSON.parse(text)
  } catch {
    throw new TrunklineError('http.bad_request', 'the request body is not JSON', 'Send an object such as {"route":"crm","dryRun":true}.')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new TrunklineError(
      'http.bad_request',
      'the request body is not an object',
      'Send an object such as {"route":"crm","dryRun":true}.',
    )
  return body as Record<string, unknown>
}

/** The whole body, as far as it is allowed to go: one without a declared length is counted as it comes. */
async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const body: AsyncIterable<Uint8Array> | readonly Uint8Array[] = request.body ?? []
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > MAX_REQUEST_BYTES)
      throw new TrunklineError('http.bad_request', 'the request body is too large', 'Name fewer events, or use a filter.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
