import { isReconstructed } from '../event/origin.ts'
import type { Matcher } from '../match/matcher.ts'
import { KEEP, type Stage, drop } from './outcome.ts'
import type { compileTopics } from './topic-pattern.ts'

export type MatchOptions = {
  /** Topics that are taken; null takes all. */
  readonly topics: ReturnType<typeof compileTopics> | null
  /** All of them must match. */
  readonly matchers: readonly Pick<Matcher, 'matchesEvent'>[]
  /** Whether events that Trunkline made of what the API says are taken: for a gap, or to repair the state. */
  readonly backfill: boolean
}

/**
 * Stage `match`: keeps the events of the topics a route asks for, and reconstructed events only where it asks for them. Everything else
 * ends as `match.topic`, counted by topic, `match.backfill` or `match.pattern`.
 */
export function matchStage({ topics, matchers, backfill }: MatchOptions): Stage {
  return {
    name: 'match',
    run: (events) =>
      events.map((event) => {
        if (topics !== null && !topics.matches(event.topic)) return drop('match.topic', event.topic)
        if (!backfill && isReconstructed(event)) return BACKFILL
        return matchers.every((matcher) => matcher.matchesEvent(event)) ? KEEP : PATTERN
      }),
  }
}

const BACKFILL = drop('match.backfill')
const PATTERN = drop('match.pattern')
