/**
 * Which topics a route takes. An entry is a topic template taken literally (`{id}` is text, not a group); `*` stands
 * for the rest of a segment or, as the last character, for the rest of the topic.
 *
 * Only exact values and prefixes come out, because an EventBridge bus allows only 30 rules with wildcards: a `*`
 * inside an entry is expanded against the known topics, so such an entry never takes a topic that is not known.
 * An entry that ends in `*` and has no other does, which is what lets new topics through.
 */
export type CompiledTopics = {
  /** Whether a topic template (an event's `topic`) is taken. */
  matches(topic: string): boolean
  /** Sorted, none covered by a prefix. */
  readonly exact: readonly string[]
  /** Sorted, none covered by another; an empty one takes everything. */
  readonly prefixes: readonly string[]
  /** Entries with a `*` inside that no known topic fits, as they were given. */
  readonly unmatched: readonly string[]
}

/** Topics remembered for a route with prefixes; real traffic has a few hundred. */
const MAX_REMEMBERED = 4096

export function compileTopics(patterns: readonly string[], known: readonly string[]): CompiledTopics {
  const exact = new Set<string>()
  const prefixes = new Set<string>()
  const unmatched: string[] = []
  for (const pattern of patterns) {
    const star = pattern.indexOf('*')
    if (star === -1) exact.add(pattern)
    else if (star === pattern.length - 1) prefixes.add(pattern.slice(0, -1))
    else {
      const fits = expression(pattern)
      const found = known.filter((topic) => fits.test(topic))
      for (const topic of found) exact.add(topic)
      if (found.length === 0) unmatched.push(pattern)
    }
  }
  const least = [...prefixes].filter((prefix) => ![...prefixes].some((other) => other !== prefix && prefix.startsWith(other))).sort()
  const alone = [...exact].filter((topic) => !least.some((prefix) => topic.startsWith(prefix))).sort()
  return { matches: matcher(new Set(alone), least), exact: alone, prefixes: least, unmatched }
}

/** Why an entry is none, in words; null when it is one. */
export function topicPatternProblem(pattern: string): string | null {
  if (pattern === '') return 'is empty'
  if (/[\s\p{Cc}]/u.test(pattern)) return 'contains a space or a control character'
  if (/\*[^.]/.test(pattern)) return 'has a "*" in the middle of a segment; "*" stands for the rest of a segment'
  return null
}

function matcher(exact: ReadonlySet<string>, prefixes: readonly string[]): (topic: string) => boolean {
  if (prefixes.length === 0) return (topic) => exact.has(topic)
  if (prefixes[0] === '') return () => true
  const remembered = new Map<string, boolean>()
  return (topic) => {
    const known = remembered.get(topic)
    if (known !== undefined) return known
    const answer = exact.has(topic) || prefixes.some((prefix) => topic.startsWith(prefix))
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(topic, answer)
    return answer
  }
}

function expression(pattern: string): RegExp {
  const open = pattern.endsWith('*')
  const parts = (open ? pattern.slice(0, -1) : pattern).split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^.]*')}${open ? '' : '$'}`)
}
