/**
 * Which topic a person means. Lists print topics short (`conversation.acd.end`) and events carry them with real ids; what can be read
 * can be typed. What is no topic that is documented or came is never answered with an empty list: it is most likely misspelt.
 */
import { TrunklineError } from '../errors.ts'
import { FINISHED_TOPIC } from '../event/changes.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { nearestTopics, templateOf } from '../event/topics.ts'
import type { Client } from './client.ts'
import { usageError } from './failure.ts'
import { shortOf } from './format.ts'
import { entriesOf } from './read.ts'

export type AskedTopic = {
  /** As events have it; what was typed where nothing fits. */
  readonly topic: string | undefined
  /** Says that there is no such topic; null for one that there is. */
  readonly unknown: TrunklineError | null
}

/** The template that is meant, of the documented ones and of `others`; null when there is none such. */
export function topicMeant(text: string, others: readonly string[] = []): string | null {
  if (others.includes(text)) return text
  const { topic, known } = templateOf(text)
  if (known || others.includes(topic)) return topic
  const short = shortOf(topic)
  const found = new Set([...KNOWN_TOPICS, FINISHED_TOPIC, ...others].filter((one) => shortOf(one) === short))
  if (found.size > 1) throw usageError(`"${text.slice(0, 100)}" stands for several topics.`, `Write one of ${[...found].join(', ')}.`)
  return [...found][0] ?? null
}

/** For `--topic`: the topic to ask the service for. Topics that are not documented are known by the traffic of the service. */
export async function topicAsked(client: Client, text: string | undefined, signal: AbortSignal): Promise<AskedTopic> {
  const documented = text === undefined ? undefined : topicMeant(text)
  if (text === undefined || typeof documented === 'string') return { topic: documented ?? undefined, unknown: null }
  const seen = entriesOf(await client.get('/v1/schemas/drift', {}, signal), 'topics').map(([topic]) => topic)
  const topic = topicMeant(text, seen)
  return topic === null ? { topic: templateOf(text).topic, unknown: unknownTopic(text, seen) } : { topic, unknown: null }
}

/** The problem of a text that is no topic. */
export function unknownTopic(text: string, others: readonly string[] = []): TrunklineError {
  const nearest = nearestTopics(text, 3, [...new Set([...KNOWN_TOPICS, FINISHED_TOPIC, ...others])])
  return new TrunklineError(
    'topic.unknown',
    `"${text.slice(0, 100)}" is no topic that is documented or that came.`,
    `The nearest are ${nearest.join(', ')}. All that are documented: trunkline topics.`,
  )
}
