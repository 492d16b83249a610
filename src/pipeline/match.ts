import { KEEP, type Stage, drop } from './outcome.ts'
import type { compileTopics } from './topic-pattern.ts'

export type MatchOptions = {
  /** Topics that are taken; null takes all. */
  readonly topics: ReturnType<typeof compileTopics> | null
  /** Whether events that were reconstructed for a gap are taken. */
  readonly backfill: boolean
}

/**
 * Stage `match`: keeps the events of the topics a route asks for, and reconstructed events only where it asks for them. Everything else
 * ends as `match.topic`, counted by topic, or `match.backfill`.
 */
export function matchStage({ topics, backfill }: MatchOptions): Stage {
  return {
    name: 'match',
    run: (events) =>
      events.map((event) => {
        if (topics !== null && !topics.matches(event.topic)) return drop('match.topic', event.topic)
        return backfill || !event.marks.includes('backfill') ? KEEP : BACKFILL
      }),
  }
}

const BACKFILL = drop('match.backfill')
