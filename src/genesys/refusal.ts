/** From an answer that is no success to an error that says what to do. Texts of the answer are shown cut and without secrets. */
import type { Answer } from './exchange.ts'
import { GenesysError, quote } from './failure.ts'
import { isObject, textAt, type JsonObject } from './reading.ts'

/** The error for an answer with a status of 400 or above. `where` names the call (`GET /api/v2/routing/queues`). */
export function refusalOf(answer: Answer, where: string, secrets: readonly string[]): GenesysError {
  const { status, correlationId } = answer
  const body = bodyOf(answer)
  const said = saying(body, secrets)
  const make = (code: `genesys.${string}`, message: string, hint: string, permissions: readonly string[] = []): GenesysError =>
    new GenesysError(code, message, hint, { status, correlationId, permissions })

  if (status === 401)
    return make(
      'genesys.unauthorized',
      `${where} was refused though the token is new (401)${said}.`,
      'Check genesys.region and genesys.baseUrl: a token is only good in the region that gave it. Otherwise look whether the OAuth client was disabled.',
    )
  if (status === 403) {
    const permissions = permissionsIn(body)
    const any = textAt(body, 'code') === 'missing.any.permissions'
    const list = permissions.join(any ? ' or ' : ', ')
    return permissions.length === 0
      ? make(
          'genesys.forbidden',
          `${where} is forbidden for this OAuth client (403)${said}.`,
          'Give the roles of the OAuth client what the call needs, in the right divisions (Admin > Integrations > OAuth).',
        )
      : make(
          'genesys.forbidden',
          `${where} is forbidden: the OAuth client lacks the permission ${list}.`,
          `Add ${list} to a role of the OAuth client (Admin > Integrations > OAuth > Roles), in the divisions that matter.`,
          permissions,
        )
  }
  if (status === 404)
    return make(
      'genesys.not_found',
      `${where} was not found (404)${said}.`,
      'It does not exist, is gone, or is in a division that this OAuth client may not see.',
    )
  if (status === 409) return make('genesys.conflict', `${where} met a newer state (409)${said}.`, 'Read it again, and change that.')
  if (status === 429)
    return make(
      'genesys.rate_limited',
      `${where} met the rate limit again and again (429).`,
      'Look for other programs with the same OAuth client, or have its limit raised by Genesys.',
    )
  if (status === 502 || status === 503 || status === 504)
    return make(
      'genesys.unavailable',
      `${where} is not available now (${status})${said}.`,
      'It usually passes; see the status page of Genesys Cloud.',
    )
  if (status >= 500)
    return make(
      'genesys.server_error',
      `${where} failed inside Genesys Cloud (${status})${said}.`,
      'Try again later; give Genesys support the correlation id.',
    )
  return make(
    'genesys.refused',
    `${where} was refused (${status})${said}.`,
    'Genesys Cloud does not want this request as it is; what it says is above.',
  )
}

function bodyOf(answer: Answer): JsonObject {
  try {
    const value: unknown = JSON.parse(answer.text)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

/** `: code, message`, as far as the answer has them. */
function saying(body: JsonObject, secrets: readonly string[]): string {
  const parts = [textAt(body, 'code'), textAt(body, 'message', 100_000)].filter((part) => part !== null)
  return parts.length === 0 ? '' : `: ${quote(parts.join(', '), secrets).replace(/[.\s]+$/, '')}`
}

/** Permissions as `domain:entity:action`, in the message or its parameters. */
function permissionsIn(body: JsonObject): readonly string[] {
  const params = isObject(body['messageParams']) ? Object.values(body['messageParams']) : []
  const text = [body['message'], ...params]
    .filter((part) => typeof part === 'string')
    .join(' ')
    .slice(0, 4_000)
  const found = text.match(/(?<![\w:.])[a-z]\w{0,60}:[a-zA-Z*]\w{0,60}(?::[a-zA-Z*]\w{0,60})?(?![\w:])/g) ?? []
  return [...new Set(found)].slice(0, 20)
}
