/**
 * What the limits of the routes have dropped, by queue: from the counters of the routes, which go on for ever. It is no part of the
 * state, which is made of all events. Of a limit by another key than the queue only the sum is told.
 */
import type { RouteConfig } from '../config/config.ts'
import type { Route } from '../routes/route.ts'

export type LimiterDrops = {
  /** Null: of a limit that counts by something else, or of the queues beyond those that a route counts one by one. */
  readonly queueId: string | null
  readonly route: string
  /** `limit.rate`, `limit.superseded`, `limit.priority`. */
  readonly reason: string
  readonly events: number
}

/** The key of what is counted together. */
const BEYOND = '*'

/** By route, then reason, then queue. */
export function limiterDrops(configs: readonly RouteConfig[], routes: ReadonlyMap<string, Pick<Route, 'status'>>): readonly LimiterDrops[] {
  return configs.flatMap(({ name, limit }) => {
    const byQueue = limit?.per === 'queue'
    const sums = new Map<string, LimiterDrops>()
    for (const [counted, events] of Object.entries(routes.get(name)?.status().counts ?? {})) {
      const [outcome, reason = '', ...rest] = counted.split('|')
      if (outcome !== 'dropped' || !reason.startsWith('limit.')) continue
      const key = byQueue ? rest.join('|') : ''
      const place = `${reason}|${key}`
      const queueId = key === '' || key === BEYOND ? null : key
      sums.set(place, { queueId, route: name, reason, events: events + (sums.get(place)?.events ?? 0) })
    }
    return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, drops]) => drops)
  })
}
