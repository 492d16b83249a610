/**
 * Everything decode needs to know about a topic, worked out once for the known ones. Unknown topics are worked out each time:
 * names come from outside, so nothing is remembered by them.
 */
import { topicIdsOf } from './entities.ts'
import type { TopicIds } from './entities.ts'
import { KNOWN_TOPICS } from './known-topics.ts'
import { timeRuleOf } from './times.ts'
import type { TimeRule } from './times.ts'

export type TopicFacts = { readonly known: boolean; readonly ids: TopicIds; readonly time: TimeRule }

/** The facts of a topic template. */
export function topicFactsOf(topic: string): TopicFacts {
  return KNOWN.get(topic) ?? factsOf(topic, false)
}

function factsOf(topic: string, known: boolean): TopicFacts {
  return { known, ids: topicIdsOf(topic), time: timeRuleOf(topic) }
}

const KNOWN: ReadonlyMap<string, TopicFacts> = new Map(KNOWN_TOPICS.map((topic) => [topic, factsOf(topic, true)]))
