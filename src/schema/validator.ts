/**
 * The two passes of validation: a compiled function says whether a body fits, which is all that the normal event pays for;
 * only when it does not, the differences are listed. Never throws: a body that nests so deep that judging it fails is a
 * finding like another.
 */
import { differences } from './differences.ts'
import type { Finding, Validator } from './finding.ts'
import type { JsonSchema } from './json-schema.ts'

export type Judge = {
  /** The strict form of the schema. */
  readonly strict: JsonSchema
  readonly fits: (body: unknown) => boolean
  /** What a body that does not fit has, when no difference of a kind that `differences` knows is in it. */
  readonly otherwise?: (body: unknown) => Finding
}

/** The validator of one schema. */
export function validatorOf(judge: Judge): Validator {
  const { strict, fits, otherwise } = judge
  return (body) => {
    try {
      if (fits(body)) return FITS
      const found = differences(strict, body)
      return found.length > 0 || otherwise === undefined ? found : [otherwise(body)]
    } catch {
      return TOO_DEEP
    }
  }
}

/** No finding; one list for all, so that it costs nothing. */
export const FITS: readonly Finding[] = []
const TOO_DEEP: readonly Finding[] = [{ class: 'changed_type', path: '', detail: 'nests too deep' }]
