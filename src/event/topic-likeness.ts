/**
 * How unlike a topic is what somebody typed, to name the nearest. People type a part of a topic (`acd.end`), leave out segments that
 * many topics share, or misspell one; so it is segments that are compared, in order, each by its letters.
 */

/** From 0 up, less is nearer. What contains the text as it stands is nearer than anything else. */
export function unlikeness(typed: string, topic: string): number {
  const text = typed.toLowerCase().replace(/[.*]+$/, '')
  const name = topic.toLowerCase()
  // Of several, the one with the least around it.
  if (text !== '' && (name.includes(text) || name.replaceAll('.{id}', '').includes(text))) return name.length / 10_000
  return 1 + alignment(text.split('.'), name.split('.'), typed.endsWith('*'))
}

/** The least cost of making the segments of a topic from those typed. `isBeginning`: what the topic has after them is of no account. */
function alignment(typed: readonly string[], topic: readonly string[], isBeginning: boolean): number {
  let row = [0]
  for (const segment of topic) row.push(row.at(-1)! + missing(segment))
  for (const [index, word] of typed.entries()) {
    const next = [row[0]! + SURPLUS]
    for (let j = 1; j <= topic.length; j++) {
      const segment = topic[j - 1]!
      const free = isBeginning && index === typed.length - 1
      const best = Math.min(row[j - 1]! + difference(word, segment), row[j]! + SURPLUS, next[j - 1]! + (free ? 0 : missing(segment)))
      next.push(best)
    }
    row = next
  }
  return row[topic.length]!
}

/** A typed segment that the topic does not have. */
const SURPLUS = 0.8

/** A segment of the topic that was not typed: ids and the version often are not. */
function missing(segment: string): number {
  return segment === '{id}' || segment === 'v2' ? 0.05 : 0.2
}

/** 0 for the same word, up to 1. */
function difference(a: string, b: string): number {
  if (a === b) return 0
  if (a === '{id}' || b === '{id}') return 1
  return editDistance(a, b) / Math.max(a.length, b.length)
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1)
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
