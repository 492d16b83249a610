/** Topics by a pattern in which `*` stands for anything. The time it takes grows with the text, however many stars there are. */
export function fitsPattern(pattern: string, topic: string): boolean {
  const [start = '', ...parts] = pattern.split('*')
  const end = parts.pop()
  if (end === undefined) return topic === pattern
  if (!topic.startsWith(start) || !topic.endsWith(end) || topic.length < start.length + end.length) return false
  const middle = topic.slice(start.length, topic.length - end.length)
  let from = 0
  for (const part of parts) {
    // The first place is as good as any: what follows has the most room.
    const at = middle.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return true
}
