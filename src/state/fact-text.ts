/**
 * Facts as text: each a row of numbers over a table of the words in them, for ids repeat from fact to fact. Reading takes nothing
 * on trust: what is no such text is null.
 */
import { FIELDS, KINDS, valueOf, type Fact } from './fact.ts'

/** Facts, ready to become JSON. */
export type Written = {
  /** The instants of the rows count from here. */
  readonly firstMs: number
  readonly words: readonly string[]
  /** `[kind, atMs - firstMs, of, ...text, ...numbers]`, words by their number, -1 for null. */
  readonly facts: readonly (readonly (number | null)[])[]
}

/** Facts being written. Adding one while it is at hand costs half of what it costs later. */
export class FactWriter {
  #words = new Map<string, number>()
  #rows: (readonly (number | null)[])[] = []
  #firstMs = 0

  get size(): number {
    return this.#rows.length
  }

  add(fact: Fact): void {
    if (this.#rows.length === 0) this.#firstMs = fact.atMs
    const row: (number | null)[] = [CODE[fact.kind] ?? -1, fact.atMs - this.#firstMs, this.#wordOf(fact.of)]
    const { text, numbers } = FIELDS[fact.kind]
    for (const field of text) row.push(this.#wordOf(valueOf(fact, field)))
    for (const field of numbers) row.push(valueOf(fact, field) as number | null)
    this.#rows.push(row)
  }

  written(): Written {
    return { firstMs: this.#firstMs, words: [...this.#words.keys()], facts: this.#rows }
  }

  #wordOf(word: unknown): number {
    if (typeof word !== 'string') return -1
    const known = this.#words.get(word)
    if (known !== undefined) return known
    this.#words.set(word, this.#words.size)
    return this.#words.size - 1
  }
}

/** The facts of what was read from JSON; null when it is none. */
export function factsIn({ firstMs, words, facts: rows }: Readonly<Partial<Record<keyof Written, unknown>>>): readonly Fact[] | null {
  if (typeof firstMs !== 'number' || !Array.isArray(words) || !Array.isArray(rows)) return null
  if (!words.every((word) => typeof word === 'string')) return null
  const facts: Fact[] = []
  for (const row of rows as unknown[]) {
    const fact = Array.isArray(row) ? factIn(row as unknown[], words, firstMs) : null
    if (fact === null) return null
    facts.push(fact)
  }
  return facts
}

const CODE: Readonly<Record<string, number>> = Object.fromEntries(KINDS.map((kind, code) => [kind, code]))

function factIn(row: readonly unknown[], words: readonly string[], firstMs: number): Fact | null {
  const kind = KINDS[row[0] as number]
  const of = words[row[2] as number]
  if (kind === undefined || of === undefined || typeof row[1] !== 'number') return null
  const { text, numbers } = FIELDS[kind]
  if (row.length !== 3 + text.length + numbers.length) return null
  const fact: Record<string, string | number | null> = { kind, of, atMs: firstMs + row[1] }
  let at = 3
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
