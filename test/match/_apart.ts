/**
 * A pattern taken apart: one pattern for each choice of one entry of each array and one branch of each `$or`. An event matches the whole
 * exactly when it matches a part. The official library does not always hold to that (docs/reference/patterns.md lists where); what its parts say is right.
 */

type Json = Readonly<Record<string, unknown>>
type Part = ReadonlyMap<string, unknown>

/** The parts, or null when there are more than `most`. */
export function apart(pattern: string, most: number): readonly string[] | null {
  let parts: readonly Part[] = [new Map()]
  const walk = (object: Json, path: readonly string[]): boolean => {
    for (const [key, value] of Object.entries(object)) {
      if (key === '$or') {
        const before = parts
        const after: Part[] = []
        for (const branch of value as readonly Json[]) {
          parts = before
          if (!walk(branch, path)) return false
          after.push(...parts)
        }
        parts = after
      } else if (Array.isArray(value)) {
        const name = [...path, key].join('.')
        // The later of two clauses on one field counts.
        parts = parts.map((part) => new Map(part).set(name, value))
      } else if (!walk(value as Json, [...path, key])) return false
      if (parts.length > most) return false
    }
    return true
  }
  if (!walk(JSON.parse(pattern) as Json, [])) return null
  const single = parts.flatMap((part) => product([...part]))
  return single.length > most ? null : single.map((part) => JSON.stringify(Object.fromEntries(part)))
}

function product(clauses: readonly (readonly [string, unknown])[]): readonly (readonly (readonly [string, unknown])[])[] {
  let all: readonly (readonly (readonly [string, unknown])[])[] = [[]]
  for (const [name, rules] of clauses) {
    const choices = rules as readonly unknown[]
    if (all.length * choices.length > 10_000) return Array.from({ length: 10_001 }, () => [])
    all = all.flatMap((part) => choices.map((rule) => [...part, [name, [rule]] as const]))
  }
  return all
}
