import { isReconstructed } from '../event/origin.ts'
import type { Matcher } from '../match/matcher.ts'
import { KEEP, type Stage, drop } from './outcome.ts'
import type { compileTopics } from './topic-pattern.ts'

export type MatchOptions = {
  /** Topics that are taken; null takes all. */
  readonly topics: ReturnType<typeof compileTopics> | null
  /** All of them must match; asked for with each batch. */
  readonly matchers: () => readonly Pick<Matcher, 'matchesEvent'>[]
  /** Whether events that Trunkline made of what the API says are taken: for a gap, or to repair the state. */
  readonly backfill: boolean
  /** Whether changes of the state are taken, and nothing else; otherwise everything else is. */
  readonly changes: boolean
}

/**
 * Stage `match`: keeps the events of the topics a route asks for, and reconstructed events and changes of the state only where it asks for
 * them. Everything else ends as `match.topic`, counted by topic, `match.backfill`, `match.changes` or `match.pattern`.
 */
export function matchStage({ topics, matchers, backfill, changes }: MatchOptions): Stage {
  return {
    name: 'match',
    run: (events) => {
      const all = matchers()
      return events.map((event) => {
        if ((event.format === 'change') !== changes) return CHANGES
        if (topics !== null && !topics.matches(event.topic)) return drop('match.topic', event.topic)
        if (!backfill && isReconstructed(event)) return BACKFILL
        return all.every((matcher) => matcher.matchesEvent(event)) ? KEEP : PATTERN
      })
    },
  }
}

/** Why an event does not fit a route that takes changes of the state, or one that does not. */
export function whyNotChanges(changes: boolean): string {
  return changes
    ? 'the route takes finished conversations (changes) and nothing else'
    : 'it is a finished conversation, which only routes with changes take'
}

const CHANGES = drop('match.changes')
const BACKFILL = drop('match.backfill')
const PATTERN = drop('match.pattern')
