/**
 * Wildcards: `*` stands for any run of characters, none included; `\*` and `\\` for themselves. Matched part by part from
 * the left, each at its first place, which is never wrong and never goes back: no pattern makes it slower than a search per part.
 */

/** Why a wildcard text is none, in words; null when it is one. */
export function wildcardProblem(text: string): string | null {
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '*' && text[i + 1] === '*') return `has two "*" in a row, at character ${i + 1}`
    if (text[i] !== '\\') continue
    if (text[i + 1] !== '*' && text[i + 1] !== '\\') return `has a "\\" before something else than "*" or "\\", at character ${i + 1}`
    i++
  }
  return null
}

/** The text between the wildcards, escapes resolved: one part more than there are wildcards. */
export function wildcardParts(text: string): readonly string[] {
  const parts = ['']
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '*') parts.push('')
    else {
      if (text[i] === '\\') i++
      parts.push(`${parts.pop() ?? ''}${text[i] ?? ''}`)
    }
  }
  return parts
}

/** The test of a wildcard text that has no problem. */
export function wildcardOf(text: string): (value: string) => boolean {
  const parts = wildcardParts(text)
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  if (parts.length === 1) return (value) => value === first
  const between = parts.slice(1, -1)
  return (value) => {
    const end = value.length - last.length
    if (end < first.length || !value.startsWith(first) || !value.endsWith(last)) return false
    let at = first.length
    for (const part of between) {
      const found = value.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at <= end
  }
}
