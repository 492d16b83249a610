/**
 * Compiles a user's own schema at load, in the same strict form as the shipped ones. ajv is loaded only when there is such
 * a schema: nothing of it is in a process, or a Lambda function, that uses what is shipped.
 *
 * `format` is checked where it is one of `FORMATS` and the schema is the user's own; what `schemas pull` wrote says of formats
 * what the live API says, which is not a promise. Other formats are notes for people: the regular expressions behind some of
 * them are not certain to end soon.
 */
import type { ErrorObject, ValidateFunction } from 'ajv'
import type { Finding, Validator } from './finding.ts'
import type { JsonSchema } from './json-schema.ts'
import { joinPath, shownField } from './naming.ts'
import { strictOf } from './strict.ts'
import { validatorOf } from './validator.ts'

/** `x-source` of schemas that `schemas pull` wrote. */
export const PULLED = 'availabletopics'

/** Those whose check takes a time in proportion to the text. */
const FORMATS = ['date-time', 'date', 'time', 'uuid'] as const

export type Compiled = { readonly strict: JsonSchema; readonly validator: Validator }

/** Compiles a schema that guard.ts has let through; throws what ajv throws. */
export type Compile = (schema: JsonSchema) => Compiled

/** Loads ajv. */
export async function compiler(): Promise<Compile> {
  const [{ Ajv }, formats] = await Promise.all([import('ajv'), import('ajv-formats')])
  // ajv-formats is CommonJS: its types and its module disagree on where the default is.
  const addFormats = formats.default as unknown as typeof formats.default.default
  return (schema) => {
    const strict = strictOf(schema, { formats: schema['x-source'] === PULLED ? 'drop' : 'keep' })
    // One a schema: ajv keeps what it compiles for as long as it lives.
    const ajv = new Ajv({ strict: false, allowUnionTypes: true, ownProperties: true, messages: false, logger: false, inlineRefs: false })
    addFormats(ajv, [...FORMATS])
    const fits = ajv.compile(strict)
    return { strict, validator: validatorOf({ strict, fits, otherwise: (body) => otherDifference(fits, body) }) }
  }
}

/** What ajv itself says of a body that has nothing `differences` knows: the last error, which is the outermost. */
function otherDifference(fits: ValidateFunction, body: unknown): Finding {
  fits(body)
  const error = fits.errors?.at(-1)
  if (error === undefined || error === null) return { class: 'changed_type', path: '', detail: null }
  const path = pathOf(error, body)
  const params = error.params as Readonly<Record<string, unknown>>
  if (error.keyword === 'required')
    return { class: 'changed_type', path: joinPath(path, shownField(String(params['missingProperty']))), detail: 'required -> absent' }
  if (error.keyword === 'format') return { class: 'changed_type', path, detail: `${String(params['format'])} -> string` }
  return { class: 'new_value', path, detail: `not ${error.keyword}` }
}

/** A JSON pointer as a path of ours. Keys of free maps cannot be told from fields here, so only what looks like a name is shown. */
function pathOf(error: ErrorObject, body: unknown): string {
  let path = ''
  let value: unknown = body
  for (const part of error.instancePath.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    path = joinPath(path, Array.isArray(value) ? '[]' : shownField(name))
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
  }
  return path
}
