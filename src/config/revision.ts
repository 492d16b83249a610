import { createHash } from 'node:crypto'
import type { RouteConfig } from './config.ts'
import { maskRoute } from './print.ts'

/**
 * A short name for a route's definition, for histories: equal definitions have equal revisions whatever the order of
 * their keys, and no secret goes into it (a hash of one could be tried out). So a changed header value, query string
 * or `env:` address alone makes no new revision.
 */
export function routeRevision(route: RouteConfig): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(maskRoute(route))))
    .digest('hex')
    .slice(0, 16)
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries.map(([key, entry]) => [key, sorted(entry)]))
}
