/** The organization that the OAuth client belongs to. */
import type { Caller } from '../caller.ts'
import type { Organization } from '../platform.ts'
import { required, textAt } from '../reading.ts'

export function readOrganization(caller: Caller, signal?: AbortSignal): Promise<Organization> {
  return caller.json({ method: 'GET', path: '/api/v2/organizations/me', repeatable: true, signal }, (body) => ({
    id: required(textAt(body, 'id', 300), 'an organization without an id'),
    name: textAt(body, 'name') ?? '',
    domain: textAt(body, 'domain'),
  }))
}
