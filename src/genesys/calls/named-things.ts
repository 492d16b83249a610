/** The lists of things with names: queues, users, divisions, wrap-up codes, flows. Always whole. */
import type { Caller } from '../caller.ts'
import { allPages } from '../paging.ts'
import type { GoalMedium, Named, Queue, ServiceGoal, User } from '../platform.ts'
import { numberAt, objectAt, textAt, wholeNumberAt, type JsonObject } from '../reading.ts'

export function readQueues(caller: Caller, signal?: AbortSignal): Promise<readonly Queue[]> {
  return allPages(caller, {
    path: '/api/v2/routing/queues',
    read: (entity) => withName(entity, (named) => ({ ...named, divisionId: divisionOf(entity), serviceGoals: goalsOf(entity) })),
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

/** What `mediaSettings` calls a medium, and what events call it. */
const GOAL_MEDIA: readonly (readonly [setting: string, mediaType: GoalMedium])[] = [
  ['call', 'VOICE'],
  ['callback', 'CALLBACK'],
  ['chat', 'CHAT'],
  ['email', 'EMAIL'],
  ['message', 'MESSAGE'],
]

function goalsOf(entity: JsonObject): readonly ServiceGoal[] {
  const settings = objectAt(entity, 'mediaSettings')
  if (settings === null) return []
  return GOAL_MEDIA.flatMap(([setting, mediaType]) => {
    const medium = objectAt(settings, setting)
    const level = medium === null ? null : objectAt(medium, 'serviceLevel')
    const targetMs = level === null ? null : wholeNumberAt(level, 'durationMs')
    if (level === null || targetMs === null) return []
    const share = numberAt(level, 'percentage')
    return [{ mediaType, targetMs, share: share !== null && share >= 0 && share <= 1 ? share : null }]
  })
}
