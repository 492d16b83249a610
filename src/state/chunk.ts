/** An entity as text, and the facts of several entities as text. Bounded as the facts are; what is no such text is null. */
import { aboutOf, type EntityKind, type Fact } from './fact.ts'
import { factsIn, FactWriter } from './fact-text.ts'

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
  const writer = new FactWriter()
  for (const fact of facts) writer.add(fact)
  const text = JSON.stringify({ v: VERSION, kind, id, ...(gaveUp ? { gaveUp } : {}), ...writer.written() })
  return frozen ? asFrozen(text) : text
}

/** The same entity, frozen. */
export function asFrozen(chunk: string): string {
  return FROZEN + chunk.slice(1)
}

/** The entity of a chunk; null when the text is none of this version. */
export function fromChunk(text: string): Kept | null {
  const chunk = objectIn(text)
  if (chunk === null) return null
  const { kind, id } = chunk
  if ((kind !== 'conversation' && kind !== 'agent') || typeof id !== 'string') return null
  const facts = factsIn(chunk)
  if (facts === null || !facts.every((fact) => fact.of === id && aboutOf(fact.kind) === kind)) return null
  return { kind, id, facts, gaveUp: chunk['gaveUp'] === true, frozen: chunk['frozen'] === true }
}

/** Facts of whatever entities as one line of JSON. */
export function toText(facts: FactWriter): string {
  return JSON.stringify({ v: VERSION, ...facts.written() })
}

/** The facts of a text; null when it is none of this version. */
export function fromText(text: string): readonly Fact[] | null {
  const object = objectIn(text)
  return object === null ? null : factsIn(object)
}

const VERSION = 2
const FROZEN = '{"frozen":true,'

function objectIn(text: string): Readonly<Partial<Record<string, unknown>>> | null {
  let object: unknown
  try {
    object = JSON.parse(text)
  } catch {
    return null
  }
  const isOne = typeof object === 'object' && object !== null && (object as { readonly v?: unknown }).v === VERSION
  return isOne ? (object as Readonly<Partial<Record<string, unknown>>>) : null
}
