/**
 * An entity as text: its facts, each a row of numbers over a table of the words in them, for ids repeat from fact to fact. Bounded
 * as the facts are. Reading takes nothing on trust: what is no chunk is null.
 */
import { FIELDS, KINDS, aboutOf, valueOf, type EntityKind, type Fact, type FactKind } from './fact.ts'

/** What is kept of an entity. */
export type Kept = {
  readonly kind: EntityKind
  readonly id: string
  readonly facts: readonly Fact[]
  readonly gaveUp: boolean
  /** Closed for longer than the horizon: changes no more. */
  readonly frozen: boolean
}

/** The entity as one line of JSON. */
export function toChunk({ kind, id, facts, gaveUp, frozen }: Kept): string {
  const words = new Map<string, number>()
  const firstMs = facts[0]?.atMs ?? 0
  const rows = facts.map((fact) => {
    const row: (number | null)[] = [CODE[fact.kind] ?? -1, fact.atMs - firstMs]
    const { text, numbers } = FIELDS[fact.kind]
    for (const field of text) {
      const value = valueOf(fact, field)
      if (typeof value !== 'string') {
        row.push(-1)
        continue
      }
      let index = words.get(value)
      if (index === undefined) {
        index = words.size
        words.set(value, index)
      }
      row.push(index)
    }
    for (const field of numbers) row.push(valueOf(fact, field) as number | null)
    return row
  })
  return JSON.stringify({
    v: 1,
    kind,
    id,
    ...(gaveUp ? { gaveUp } : {}),
    ...(frozen ? { frozen } : {}),
    firstMs,
    words: [...words.keys()],
    facts: rows,
  })
}

/** The entity of a chunk; null when the text is none of this version. */
export function fromChunk(text: string): Kept | null {
  let chunk: Partial<Record<string, unknown>>
  try {
    chunk = JSON.parse(text) as Partial<Record<string, unknown>>
  } catch {
    return null
  }
  if (typeof chunk !== 'object' || chunk === null || chunk['v'] !== 1) return null
  const { kind, id, words, facts: rows, firstMs } = chunk
  if ((kind !== 'conversation' && kind !== 'agent') || typeof id !== 'string' || typeof firstMs !== 'number') return null
  if (!Array.isArray(words) || !Array.isArray(rows) || !words.every((word) => typeof word === 'string')) return null
  const facts: Fact[] = []
  for (const row of rows as unknown[]) {
    const fact = Array.isArray(row) ? factIn(row as unknown[], kind, id, words, firstMs) : null
    if (fact === null) return null
    facts.push(fact)
  }
  return { kind, id, facts, gaveUp: chunk['gaveUp'] === true, frozen: chunk['frozen'] === true }
}

const CODE: Readonly<Record<string, number>> = Object.fromEntries(KINDS.map((kind, code) => [kind, code]))

function factIn(row: readonly unknown[], about: EntityKind, of: string, words: readonly string[], firstMs: number): Fact | null {
  const kind: FactKind | undefined = KINDS[row[0] as number]
  if (kind === undefined || aboutOf(kind) !== about || typeof row[1] !== 'number') return null
  const { text, numbers } = FIELDS[kind]
  if (row.length !== 2 + text.length + numbers.length) return null
  const fact: Record<string, string | number | null> = { kind, of, atMs: firstMs + row[1] }
  let at = 2
  for (const field of text) {
    const index = row[at++]
    if (typeof index !== 'number' || index >= words.length) return null
    fact[field] = index < 0 ? null : (words[index] ?? null)
  }
  for (const field of numbers) {
    const value = row[at++]
    if (value !== null && typeof value !== 'number') return null
    fact[field] = value
  }
  return fact as unknown as Fact
}
