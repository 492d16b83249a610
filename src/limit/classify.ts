import type { Event } from '../event/event.ts'
import { KEEP, type Outcome, drop } from '../pipeline/outcome.ts'
import { keyReader } from './key.ts'
import type { LimitOptions } from './limit.ts'
import { type KeyRate, rateOf } from './rates.ts'

/** What is known of an event before tokens are counted: its outcome, or the key and rate that decide. */
export type Limited = Outcome | { readonly type: 'limited'; readonly key: string; readonly rate: KeyRate }

const UNKEYED_TO_SAY = 1_000

/** Reads topic, key, priority and rate of an event. */
export function classifier(options: LimitOptions): (event: Event, nowMs: number) => Limited {
  const { topics, terms } = options
  const { per } = options.terms().limit
  const keyOf = keyReader(per)
  const configured = (event: Event): number | null => numberOf(terms().limit.priority?.of ?? {}, keyOf(event), event.queueId)
  const priorityOf = options.priorityOf ?? configured
  let unkeyed = 0
  return (event, nowMs) => {
    if (topics !== null && !topics.matches(event.topic)) return KEEP
    const key = keyOf(event)
    if (key === null) {
      if (++unkeyed === UNKEYED_TO_SAY)
        options.warn('limit.no_key', `${UNKEYED_TO_SAY} events of ${options.name} had no ${per} to be limited by, none had one; they pass`)
      return KEEP
    }
    unkeyed = -Infinity
    const { priority } = terms().limit
    const level = priority === null ? null : priorityOf(event)
    if (priority !== null && level !== null) {
      if (priority.dropBelow !== null && level < priority.dropBelow) return drop('limit.priority', key)
      if (priority.unlimitedFrom !== null && level >= priority.unlimitedFrom) return KEEP
    }
    const { rate, sinceMs, untilMs } = rateOf(terms(), key, nowMs)
    return rate === null ? KEEP : { type: 'limited', key, rate: { ...rate, sinceMs, untilMs } }
  }
}

function numberOf(of: Readonly<Record<string, number>>, ...ids: readonly (string | null)[]): number | null {
  for (const id of ids) if (id !== null && Object.hasOwn(of, id)) return of[id] ?? null
  return null
}
