/**
 * Topic templates and topic names. A template has a literal `{id}` where a name has an id; `{id}` is exactly one segment.
 * A name no template fits still gets one, by replacing the segments that look like ids: it is reported, never refused.
 */
import { KNOWN_TOPICS } from './known-topics.ts'
import { unlikeness } from './topic-likeness.ts'

export type TopicMatch = {
  readonly topic: string
  /** The values that stand for `{id}`, in order. */
  readonly params: readonly string[]
  /** False when the template was derived from the look of the segments. */
  readonly known: boolean
}

type Node = { readonly literal: Map<string, Node>; param: Node | null; topic: string | null }

/** The template of a topic name: `v2.users.<uuid>.presence` gives `v2.users.{id}.presence` and the uuid. A template is its own, without params. */
export function templateOf(topicName: string): TopicMatch {
  if (KNOWN.has(topicName)) return { topic: topicName, params: [], known: true }
  const segments = topicName.split('.')
  const topic = segments.length <= LONGEST ? find(ROOT, segments, 0) : null
  if (topic !== null) return { topic, params: alignTopic(topic, topicName) ?? [], known: true }
  const params: string[] = []
  const template = segments.map((segment, index) => {
    if (index === 0 || !looksLikeId(segment)) return segment
    params.push(segment)
    return ID
  })
  return { topic: template.join('.'), params, known: false }
}

/** The values that stand for `{id}` in `topicName`, in order, or null when it does not fit the template. */
export function alignTopic(template: string, topicName: string): string[] | null {
  const params: string[] = []
  let inTemplate = 0
  let inName = 0
  for (;;) {
    const hole = template.indexOf(ID, inTemplate)
    const literalEnd = hole < 0 ? template.length : hole
    const literalLength = literalEnd - inTemplate
    for (let i = 0; i < literalLength; i++) if (template.charCodeAt(inTemplate + i) !== topicName.charCodeAt(inName + i)) return null
    inName += literalLength
    if (hole < 0) return inName === topicName.length ? params : null
    let end = topicName.indexOf('.', inName)
    if (end < 0) end = topicName.length
    if (end === inName) return null
    params.push(topicName.slice(inName, end))
    inName = end
    inTemplate = hole + ID.length
  }
}

/** Tells whether `topic` is one of the documented templates. */
export function isKnownTopic(topic: string): boolean {
  return KNOWN.has(topic)
}

/** The `n` topics nearest to `name` (a template, a topic name, or a part of one), nearest first: for error messages. */
export function nearestTopics(name: string, n: number, among: readonly string[] = KNOWN_TOPICS): readonly string[] {
  const wanted = templateOf(name.slice(0, 200)).topic
  return among
    .map((topic) => ({ topic, distance: unlikeness(wanted, topic) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, n)
    .map(({ topic }) => topic)
}

const ID = '{id}'
const KNOWN: ReadonlySet<string> = new Set(KNOWN_TOPICS)
const ROOT: Node = treeOf(KNOWN_TOPICS)
const LONGEST = Math.max(...KNOWN_TOPICS.map((topic) => topic.split('.').length))

function treeOf(topics: readonly string[]): Node {
  const root = emptyNode()
  for (const topic of topics) {
    let node = root
    for (const segment of topic.split('.')) {
      let next = segment === ID ? node.param : node.literal.get(segment)
      if (!next) {
        next = emptyNode()
        if (segment === ID) node.param = next
        else node.literal.set(segment, next)
      }
      node = next
    }
    node.topic = topic
  }
  return root
}

function emptyNode(): Node {
  return { literal: new Map(), param: null, topic: null }
}

/** A literal segment is preferred to `{id}`; the other way is tried when it leads nowhere. */
function find(node: Node, segments: readonly string[], index: number): string | null {
  if (index === segments.length) return node.topic
  const segment = segments[index]!
  const literal = node.literal.get(segment)
  const found = literal ? find(literal, segments, index + 1) : null
  if (found !== null || node.param === null || segment === '') return found
  return find(node.param, segments, index + 1)
}

/** UUIDs, plain numbers, and longer words with a digit in them. Topic words such as `v2` or `oauth2` are shorter. */
function looksLikeId(segment: string): boolean {
  if (/^\d+$/.test(segment)) return true
  return segment.length >= 8 && /\d/.test(segment)
}
