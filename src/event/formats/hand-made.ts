/**
 * The names people use in events they build by hand. Looked for in a fixed list of places, in a fixed order; nothing is
 * inferred from values.
 */
import { idIn, nearestEntity } from '../entities.ts'
import type { Ids } from '../entities.ts'
import { objectAt, stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { readLooseInstant } from '../times.ts'

/** Finds conversation, queue and user, each in the first place that names it. */
export function readHandMadeIds(places: readonly JsonObject[]): Ids {
  const conversationId = firstId(places, CONVERSATION)
  const queueId = firstId(places, QUEUE)
  const userId = firstId(places, USER)
  return { conversationId, queueId, userId, entity: nearestEntity({ conversationId, queueId, userId }) }
}

/** The first readable time: an ISO instant or epoch milliseconds (seconds are not guessed at). */
export function readHandMadeTime(places: readonly JsonObject[]): number | null {
  for (const place of places) {
    for (const name of TIME_NAMES) {
      const atMs = readLooseInstant(place[name])
      if (atMs !== null) return atMs
    }
  }
  return null
}

/** The organisation the record names itself, if any. */
export function readHandMadeOrg(places: readonly JsonObject[]): string | null {
  for (const place of places) {
    const org = stringAt(place, 'organizationId') ?? stringAt(place, 'orgId')
    if (org !== null) return org
  }
  return null
}

/** `object` and the objects under `names`, in this order. */
export function placesIn(object: JsonObject, names: readonly string[]): JsonObject[] {
  const places = [object]
  for (const name of names) {
    const place = objectAt(object, name)
    if (place !== null) places.push(place)
  }
  return places
}

/** A field that holds the id, and an object whose `id` is it. */
type IdName = readonly [field: string, owner: string]

const CONVERSATION: readonly IdName[] = [
  ['conversationId', 'conversation'],
  ['interactionId', 'interaction'],
  ['contactId', 'contact'],
]
const QUEUE: readonly IdName[] = [['queueId', 'queue']]
const USER: readonly IdName[] = [
  ['userId', 'user'],
  ['agentId', 'agent'],
]
const TIME_NAMES: readonly string[] = ['eventTime', 'occurredAt', 'eventTimestamp', 'timestamp', 'time', 'modifiedDate']

function firstId(places: readonly JsonObject[], names: readonly IdName[]): string | null {
  for (const place of places) {
    for (const [field, owner] of names) {
      const id = idIn(place, field, owner)
      if (id !== null) return id
    }
  }
  return null
}
