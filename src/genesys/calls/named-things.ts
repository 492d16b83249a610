/** The lists of things with names: queues, users, divisions, wrap-up codes, flows. Always whole. */
import type { Caller } from '../caller.ts'
import { allPages } from '../paging.ts'
import type { Named, Queue, User } from '../platform.ts'
import { objectAt, textAt, type JsonObject } from '../reading.ts'

export function readQueues(caller: Caller, signal?: AbortSignal): Promise<readonly Queue[]> {
  return allPages(caller, {
    path: '/api/v2/routing/queues',
    read: (entity) => withName(entity, (named) => ({ ...named, divisionId: divisionOf(entity) })),
    signal,
  })
}

export function readUsers(caller: Caller, signal?: AbortSignal): Promise<readonly User[]> {
  return allPages(caller, {
    path: '/api/v2/users',
    query: [['state', 'active']],
    read: (entity) =>
      withName(entity, (named) => ({
        ...named,
        email: textAt(entity, 'email'),
        divisionId: divisionOf(entity),
        state: textAt(entity, 'state'),
      })),
    signal,
  })
}

export function readDivisions(caller: Caller, signal?: AbortSignal): Promise<readonly Named[]> {
  return readNamed(caller, '/api/v2/authorization/divisions', signal)
}

export function readWrapupCodes(caller: Caller, signal?: AbortSignal): Promise<readonly Named[]> {
  return readNamed(caller, '/api/v2/routing/wrapupcodes', signal)
}

export function readFlows(caller: Caller, signal?: AbortSignal): Promise<readonly Named[]> {
  return readNamed(caller, '/api/v2/flows', signal)
}

function readNamed(caller: Caller, path: string, signal: AbortSignal | undefined): Promise<readonly Named[]> {
  return allPages(caller, { path, read: (entity) => withName(entity, (named) => named), signal })
}

/** Names of any length come in; who shows or keeps them cuts them. */
const MAX_NAME_CHARS = 2_000_000

function withName<T>(entity: JsonObject, rest: (named: Named) => T): T | null {
  const id = textAt(entity, 'id', 300)
  const name = textAt(entity, 'name', MAX_NAME_CHARS)
  return id === null || name === null ? null : rest({ id, name })
}

function divisionOf(entity: JsonObject): string | null {
  const division = objectAt(entity, 'division')
  return division === null ? null : textAt(division, 'id', 300)
}
