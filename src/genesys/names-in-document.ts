/**
 * The names that are put beside an event: `{"<id>": {"kind": "queue", "name": "Sales"}}` for every id of a queue, user,
 * division, wrap-up code or flow that the directory knows, wherever in the event it stands. So a receiver looks up any id it
 * meets, in a field or in a list, in the same way, and the body stays as Genesys sent it. `"stale": true` is added to a name that may
 * no longer be true. Ids are found by the names of their fields; how far is looked is bounded.
 */
import { Buffer } from 'node:buffer'
import type { Event } from '../event/event.ts'
import type { DirectoryKind, Names } from './directory.ts'

export type NameKind = 'queue' | 'user' | 'division' | 'wrapupCode' | 'flow'

export type DocumentName = { readonly kind: NameKind; readonly name: string; readonly stale?: true }

/** By id. */
export type DocumentNames = Readonly<Record<string, DocumentName>>

const MAX_DEPTH = 8
const MAX_VALUES = 5_000
const MAX_NAMES = 100

/** The names of the ids in an event; null when there are none. Never throws. */
export function namesBeside(event: Pick<Event, 'raw' | 'queueId' | 'userId'>, names: Names): DocumentNames | null {
  const found = new Map<string, DocumentName>()
  // Some bodies have no id of their own: it is in the topic.
  if (event.queueId !== null) add(found, names, 'queue', event.queueId)
  if (event.userId !== null) add(found, names, 'user', event.userId)
  try {
    const { raw } = event
    collect(JSON.parse(Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString()), names, found)
  } catch {
    // No JSON: only what the topic says.
  }
  return found.size === 0 ? null : Object.fromEntries(found)
}

/** The names of the ids in anything that has them in fields of these names, such as the state of a conversation. */
export function namesOf(value: object, names: Names): DocumentNames {
  const found = new Map<string, DocumentName>()
  collect(value, names, found)
  return Object.fromEntries(found)
}

/** Walks breadth first, so that what is near the top is found even in an event that is too large. */
function collect(top: unknown, names: Names, found: Map<string, DocumentName>): void {
  let level: readonly unknown[] = [top]
  let values = 0
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
    const below: unknown[] = []
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue
      if (++values > MAX_VALUES || found.size >= MAX_NAMES) return
      if (Array.isArray(value)) {
        for (const item of value as readonly unknown[]) if (typeof item === 'object') below.push(item)
        continue
      }
      for (const [key, inside] of Object.entries(value)) {
        const kind = FIELDS.get(key)
        if (kind !== undefined) for (const id of idsOf(key, inside)) add(found, names, kind, id)
        if (typeof inside === 'object') below.push(inside)
      }
    }
    level = below
  }
}

/** The field is an id, a list of them, or a thing that has one. */
function idsOf(key: string, value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.slice(0, MAX_NAMES).filter((item) => typeof item === 'string')
  if (typeof value !== 'object' || value === null) return []
  const id = (value as Readonly<Record<string, unknown>>)[key === 'wrapup' ? 'code' : 'id']
  return typeof id === 'string' ? [id] : []
}

function add(found: Map<string, DocumentName>, names: Names, kind: NameKind, id: string): void {
  if (id === '' || id.length > 300 || found.size >= MAX_NAMES || found.has(id)) return
  const name = names.nameOf(KINDS[kind], id)
  if (name !== null) found.set(id, { kind, name: name.name, ...(name.stale ? { stale: true } : {}) })
}

const KINDS: Readonly<Record<NameKind, DirectoryKind>> = {
  queue: 'queues',
  user: 'users',
  division: 'divisions',
  wrapupCode: 'wrapupcodes',
  flow: 'flows',
}

/** Fields whose value is an id, in the bodies of Genesys. */
const FIELDS: ReadonlyMap<string, NameKind> = new Map([
  ...(['queueId', 'activeQueueIds', 'queueIds', 'queue'] as const).map((name) => [name, 'queue'] as const),
  ...(
    [
      'userId',
      'answeredUserId',
      'sourceUserId',
      'targetUserId',
      'scoredAgentId',
      'selectedAgentId',
      'proposedAgentId',
      'requestedRoutingUserIds',
      'user',
      'agent',
      'associatedUser',
    ] as const
  ).map((name) => [name, 'user'] as const),
  ...(['divisionId', 'divisionIds', 'externalContactInitialDivisionId', 'division'] as const).map((name) => [name, 'division'] as const),
  ...(['wrapupCode', 'wrapUpCode', 'wrapup'] as const).map((name) => [name, 'wrapupCode'] as const),
  ...(['flowId', 'workflowId'] as const).map((name) => [name, 'flow'] as const),
])
