/**
 * What a Genesys event is about: conversation, user and queue, read from the topic's params first (presence and station bodies
 * have no user id) and from the body where the topic has none or does not fit its template.
 */
import type { Entity } from './event.ts'
import { isObject, objectAt } from './json.ts'
import type { JsonObject } from './json.ts'

export type Ids = {
  readonly conversationId: string | null
  readonly queueId: string | null
  readonly userId: string | null
  readonly entity: Entity | null
}

/** What the `{id}`s and the body's own `id` of a topic stand for. */
export type TopicIds = {
  readonly params: readonly Role[]
  /** What `body.id` is; null where it is nothing we look for. */
  readonly bodyId: Role | null
  readonly audit: boolean
}

/** Reads off a template what its ids are. */
export function topicIdsOf(topic: string): TopicIds {
  const segments = topic.split('.')
  const params: Role[] = []
  for (let i = 1; i < segments.length; i++) if (segments[i] === '{id}') params.push(roleAfter(segments, i - 1))
  const bodyId = CONVERSATION_SNAPSHOT.test(topic) ? 'conversation' : USER_WITH_ID.test(topic) ? 'user' : null
  return { params, bodyId, audit: topic.startsWith('v2.audits.') }
}

/** The ids of a Genesys event. `params` is empty when the topic name does not fit the template. */
export function readIds(topicIds: TopicIds, params: readonly string[], body: unknown): Ids {
  const object = isObject(body) ? body : EMPTY
  const group = objectAt(object, 'group') ?? EMPTY
  const idOf = (role: Role, name: string): string | null =>
    paramOf(role, topicIds.params, params) ??
    (topicIds.bodyId === role ? idAt(object, 'id') : null) ??
    idIn(object, name, role) ??
    (group === EMPTY ? null : idAt(group, name))
  const conversationId = idOf('conversation', 'conversationId')
  const queueId = idOf('queue', 'queueId')
  const userId = idOf('user', 'userId')
  return { conversationId, queueId, userId, entity: entityOf(topicIds, params, object, { conversationId, queueId, userId }) }
}

/** An id as people write it: non-empty text, or a whole number. */
export function idAt(object: JsonObject, name: string): string | null {
  const value = object[name]
  if (typeof value === 'string') return value === '' ? null : value
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null
}

/** `object[name]`, else `object[owner].id`. */
export function idIn(object: JsonObject, name: string, owner: string): string | null {
  const id = idAt(object, name)
  if (id !== null) return id
  const nested = objectAt(object, owner)
  return nested === null ? null : idAt(nested, 'id')
}

type Role = Entity['kind']

const EMPTY: JsonObject = {}
/** `v2.users.{id}.conversations` and `v2.routing.queues.{id}.conversations`, whole or per medium: body.id is the conversation. */
const CONVERSATION_SNAPSHOT =
  /^v2\.(?:users|routing\.queues)\.\{id\}\.conversations(?:\.(?:callbacks|calls|chats|cobrowseSessions|emails|messages|screenshares|socialexpressions|videos))?$/

const USER_WITH_ID = /^v2\.users\.\{id\}\.(?:activity|routingStatus)$/

/** The word before an `{id}` names it; `conversations.chats.{id}` has a medium between. */
function roleAfter(segments: readonly string[], index: number): Role {
  const word = segments[index]
  if (word === 'conversation' || word === 'conversations') return 'conversation'
  if (word === 'user' || word === 'users' || word === 'agent' || word === 'agents') return 'user'
  if (word === 'queues') return 'queue'
  return index === 2 && segments[1] === 'conversations' ? 'conversation' : 'other'
}

function paramOf(role: Role, roles: readonly Role[], params: readonly string[]): string | null {
  if (params.length === 0) return null
  const index = roles.indexOf(role)
  return index < 0 ? null : (params[index] ?? null)
}

/** The first `{id}` says the kind; of an audit, the entity audited counts, not its type. */
function entityOf(topicIds: TopicIds, params: readonly string[], body: JsonObject, ids: Omit<Ids, 'entity'>): Entity | null {
  if (topicIds.audit) return entity('other', idIn(body, 'entityId', 'entity') ?? params.at(-1) ?? null)
  const kind = topicIds.params[0]
  if (kind === 'conversation') return entity(kind, ids.conversationId)
  if (kind === 'user') return entity(kind, ids.userId)
  if (kind === 'queue') return entity(kind, ids.queueId)
  return entity('other', params[0] ?? null) ?? nearestEntity(ids)
}

/** For events whose topic names no entity: conversation, else user, else queue. */
export function nearestEntity(ids: Omit<Ids, 'entity'>): Entity | null {
  return entity('conversation', ids.conversationId) ?? entity('user', ids.userId) ?? entity('queue', ids.queueId)
}

function entity(kind: Role, id: string | null): Entity | null {
  return id === null ? null : { kind, id }
}
