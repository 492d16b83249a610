/** What a pattern is once it is read: alternatives (from `$or`), each a list of clauses that all have to hold. */
import type { Rule } from './rule.ts'

/** A clause: the field, and what one of its values has to be. */
export type Clause = {
  /** The field's path as text, `detail.eventBody.queueId`. Keys of events with dots in them are looked for too. */
  readonly name: string
  /** At least one. */
  readonly rules: readonly Rule[]
}

/** Sorted by name, each name once. */
export type Alternative = readonly Clause[]

/** Something that is wrong with a pattern. */
export type PatternProblem = {
  /** Where in the pattern: `detail.queueId[0].prefix`; empty for the whole. */
  readonly path: string
  readonly what: string
  readonly hint: string
  /** `invalid`: it has no meaning, here or on AWS. `limit`: AWS has a limit that it breaks; it can be matched here. */
  readonly kind: 'invalid' | 'limit'
}

/** Where problems go while a pattern is read. */
export type Report = (path: string, what: string, hint: string) => void
