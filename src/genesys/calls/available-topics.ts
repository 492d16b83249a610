/** The notification topics that the live API offers, with their schemas. */
import type { Caller } from '../caller.ts'
import { readAll } from '../paging.ts'
import { listAt, textAt, type JsonObject } from '../reading.ts'

const PATH = '/api/v2/notifications/availabletopics'
const EXPAND = ['description', 'requiresPermissions', 'schema', 'topicParameters', 'transports', 'visibility']
/** The schemas of all topics together are some megabytes. */
const MAX_BYTES = 64 * 1024 * 1024

export function readAvailableTopics(caller: Caller, signal?: AbortSignal): Promise<readonly JsonObject[]> {
  const query = EXPAND.map((name) => ['expand', name] as const)
  const call = { method: 'GET', path: PATH, query, repeatable: true, maxBytes: MAX_BYTES, signal } as const
  return caller.json(call, (body) => readAll(listAt(body, 'entities'), (entity) => (textAt(entity, 'id') === null ? null : entity)))
}
