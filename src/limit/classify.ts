import type { Event } from '../event/event.ts'
import type { Rate } from '../pipeline/bucket.ts'
import { KEEP, type Outcome, drop } from '../pipeline/outcome.ts'
import { keyReader } from './key.ts'
import type { LimitOptions } from './limit.ts'
import { type LimitOverride, rateOf } from './rates.ts'

/** What is known of an event before tokens are counted: its outcome, or the key and rate that decide. */
export type Limited = Outcome | { readonly type: 'limited'; readonly key: string; readonly rate: Rate }

const UNKEYED_TO_SAY = 1_000

/** Reads topic, key, priority and rate of an event. */
export function classifier(options: LimitOptions): (event: Event, nowMs: number) => Limited {
  const { limit, topics, overrides = () => NO_OVERRIDES } = options
  const keyOf = keyReader(limit.per)
  const { priority } = limit
  const priorityOf = options.priorityOf ?? ((event: Event) => configured(priority?.of ?? {}, keyOf(event), event.queueId))
  let unkeyed = 0
  return (event, nowMs) => {
    if (topics !== null && !topics.matches(event.topic)) return KEEP
    const key = keyOf(event)
    if (key === null) {
      if (++unkeyed === UNKEYED_TO_SAY)
        options.warn(
          'limit.no_key',
          `${UNKEYED_TO_SAY} events of ${options.name} had no ${limit.per} to be limited by, none had one; they pass`,
        )
      return KEEP
    }
    unkeyed = -Infinity
    const level = priority === null ? null : priorityOf(event)
    if (priority !== null && level !== null) {
      if (priority.dropBelow !== null && level < priority.dropBelow) return drop('limit.priority', key)
      if (priority.unlimitedFrom !== null && level >= priority.unlimitedFrom) return KEEP
    }
    const rate = rateOf(limit, overrides(), key, nowMs)
    return rate === null ? KEEP : { type: 'limited', key, rate }
  }
}

const NO_OVERRIDES: readonly LimitOverride[] = []

function configured(of: Readonly<Record<string, number>>, ...ids: readonly (string | null)[]): number | null {
  for (const id of ids) if (id !== null && Object.hasOwn(of, id)) return of[id] ?? null
  return null
}
