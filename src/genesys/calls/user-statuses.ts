/**
 * Presence and routing status of users, many a call. The API answers `expand` as well as it can: a part may be missing, and is null
 * then. Users whatever their state are asked for, so that somebody who left is not taken for unknown.
 */
import type { Caller } from '../caller.ts'
import { allPages } from '../paging.ts'
import type { UserStatus } from '../platform.ts'
import { objectAt, textAt, type JsonObject } from '../reading.ts'

/** Ids go into the address of the call, which must not get too long. */
const IDS_A_CALL = 50

export async function readUserStatuses(caller: Caller, ids: readonly string[], signal?: AbortSignal): Promise<readonly UserStatus[]> {
  const found: UserStatus[] = []
  for (let at = 0; at < ids.length; at += IDS_A_CALL) {
    const query: (readonly [string, string])[] = ids.slice(at, at + IDS_A_CALL).map((id) => ['id', id])
    query.push(['expand', 'presence'], ['expand', 'routingStatus'], ['state', 'any'])
    found.push(...(await allPages(caller, { path: '/api/v2/users', query, read: statusOf, signal })))
  }
  return found
}

function statusOf(entity: JsonObject): UserStatus | null {
  const id = textAt(entity, 'id', 300)
  return id === null ? null : { id, presence: presenceOf(entity), routingStatus: routingOf(entity) }
}

function presenceOf(entity: JsonObject): UserStatus['presence'] {
  const presence = objectAt(entity, 'presence')
  const definition = presence === null ? null : objectAt(presence, 'presenceDefinition')
  const systemPresence = definition === null ? null : textAt(definition, 'systemPresence', 100)
  if (presence === null || definition === null || systemPresence === null) return null
  return { systemPresence, definitionId: textAt(definition, 'id', 300), modifiedDate: textAt(presence, 'modifiedDate', 100) }
}

function routingOf(entity: JsonObject): UserStatus['routingStatus'] {
  const routing = objectAt(entity, 'routingStatus')
  const status = routing === null ? null : textAt(routing, 'status', 100)
  return routing === null || status === null ? null : { status, startTime: textAt(routing, 'startTime', 100) }
}
