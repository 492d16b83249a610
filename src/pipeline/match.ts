import { KEEP, type Stage, drop } from './outcome.ts'
import type { compileTopics } from './topic-pattern.ts'

/** Stage `match`: keeps the events of the topics a route asks for. Everything else ends as `match.topic`, counted by topic. */
export function matchStage(topics: ReturnType<typeof compileTopics> | null): Stage {
  return {
    name: 'match',
    run: (events) => events.map((event) => (topics === null || topics.matches(event.topic) ? KEEP : drop('match.topic', event.topic))),
  }
}
