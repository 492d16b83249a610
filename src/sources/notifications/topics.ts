/**
 * From the topics a configuration asks for to the topic texts Genesys takes. The notification API knows no wildcards: every
 * topic names one user, queue or conversation. What cannot be named is refused here, before anything is opened.
 */
import { KNOWN_TOPICS } from '../../event/known-topics.ts'
import { topicFactsOf } from '../../event/topic-facts.ts'
import { isKnownTopic, nearestTopics } from '../../event/topics.ts'
import { TrunklineError } from '../../errors.ts'

/** What the `{id}` of a topic stands for; `none` for topics that are taken as they are written. */
export type TopicSubject = 'user' | 'queue' | 'conversation' | 'none'

export type AskedTopics = Readonly<Record<TopicSubject, readonly string[]>>

/** A text to subscribe with, and the templates of the events it brings. */
export type Subscription = { readonly topic: string; readonly templates: readonly string[] }

/** Longest topic text Genesys takes. */
const MAX_TOPIC_CHARS = 200

/**
 * Sorts topic templates by what their `{id}` is. A `*` at the end stands for every known topic that begins so and can be
 * subscribed; a topic with real ids is taken as it is. Throws for a topic that is unknown or whose ids cannot be listed.
 */
export function askedTopics(patterns: readonly string[]): AskedTopics {
  const found: Record<TopicSubject, Set<string>> = { user: new Set(), queue: new Set(), conversation: new Set(), none: new Set() }
  for (const pattern of patterns) for (const topic of expand(pattern)) found[subjectOf(topic)].add(topic)
  return {
    user: [...found.user].sort(),
    queue: [...found.queue].sort(),
    conversation: [...found.conversation].sort(),
    none: [...found.none].sort(),
  }
}

/**
 * The texts that subscribe `templates` for one id. Combined, topics with the same beginning are one text,
 * `v2.users.<id>?presence&routingStatus`, which counts as one topic; several where one would be too long.
 */
export function subscriptionsFor(templates: readonly string[], id: string, combine: boolean): readonly Subscription[] {
  const byPrefix = new Map<string, string[]>()
  for (const template of templates) {
    const prefix = template.slice(0, template.indexOf(HOLE) + HOLE.length)
    byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), template])
  }
  const subscriptions: Subscription[] = []
  for (const [prefix, group] of byPrefix) {
    const start = prefix.replace(HOLE, () => id)
    for (const part of combine ? packed(start, prefix.length + 1, group) : group.map((template) => [template])) {
      const suffixes = part.map((template) => template.slice(prefix.length + 1))
      const topic = part.length === 1 ? (suffixes[0] === '' ? start : `${start}.${suffixes[0]}`) : `${start}?${suffixes.join('&')}`
      subscriptions.push({ topic, templates: part })
    }
  }
  return subscriptions
}

const HOLE = '{id}'

function expand(pattern: string): readonly string[] {
  if (pattern.endsWith('*')) {
    const prefix = pattern.slice(0, -1)
    const topics = KNOWN_TOPICS.filter((topic) => topic.startsWith(prefix) && !isProtocol(topic))
    const namable = topics.filter((topic) => subjectIn(topic) !== null)
    if (topics.length > 0) return namable.length > 0 ? namable : topics
  } else if (!isProtocol(pattern) && (isKnownTopic(pattern) || !pattern.includes(HOLE))) {
    if (/^v2\.[\w.-]+$/.test(pattern.replaceAll(HOLE, 'id'))) return [pattern]
  }
  throw new TrunklineError(
    'notifications.unknown_topic',
    `The notification source is to subscribe to "${pattern.slice(0, MAX_TOPIC_CHARS)}", which is no notification topic.`,
    `Nearest: ${nearestTopics(pattern, 3).join(', ')}.`,
  )
}

/** Frames of the protocol itself have topics too; they come without being asked for. */
function isProtocol(topic: string): boolean {
  return topic.startsWith('v2.system.') || topic.startsWith('channel.') || topic === 'v2.subscription.updated'
}

function subjectIn(topic: string): TopicSubject | null {
  if (!topic.includes(HOLE)) return 'none'
  const { params } = topicFactsOf(topic).ids
  const role = params[0]
  return params.length === 1 && role !== undefined && role !== 'other' ? role : null
}

function subjectOf(topic: string): TopicSubject {
  const subject = subjectIn(topic)
  if (subject !== null) return subject
  throw new TrunklineError(
    'notifications.ids_unknown',
    `The notification source is to subscribe to "${topic}", but the WebSocket has no wildcards, and what to put for its {id} is not known.`,
    'Write the topic with its real ids, or take such topics from EventBridge.',
  )
}

/** Fills texts up to their longest, in order. */
function packed(start: string, suffixAt: number, templates: readonly string[]): readonly (readonly string[])[] {
  const parts: string[][] = []
  let length = 0
  for (const template of templates) {
    const suffix = template.length - suffixAt
    const part = parts.at(-1)
    if (part === undefined || suffix < 1 || length + 1 + suffix > MAX_TOPIC_CHARS) {
      parts.push([template])
      length = start.length + 1 + suffix
    } else {
      part.push(template)
      length += 1 + suffix
    }
  }
  return parts
}
