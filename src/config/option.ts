/** What an option is: the row of the option table. */

/**
 * `folder` and `file` are paths made absolute; `secret` a text that may stand elsewhere; `headers` a record of texts; `pattern` an
 * event pattern; `policy` the record of what to do about drift; `rates` a record of rates by key, `numbers` one of numbers,
 * `priorityRules` a list of rules,
 * `serviceLevels` one of service levels by queue; `group` an object that may be null; `routes` the record of routes.
 */
export type OptionType =
  | 'text'
  | 'secret'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'choice'
  | 'list'
  | 'url'
  | 'headers'
  | 'pattern'
  | 'policy'
  | 'rates'
  | 'numbers'
  | 'priorityRules'
  | 'serviceLevels'
  | 'folder'
  | 'file'
  | 'group'
  | 'routes'

export type SinkType = 'http' | 'file' | 'function'

export type Option = {
  /** Place in the configuration file; null for what only the environment or a flag can set. */
  readonly path: string | null
  readonly type: OptionType
  readonly unit?: 'ms' | 'bytes'
  /** Value when nothing sets it. Absent: required, or (in `backlog`) simply left out. */
  readonly default?: string | number | boolean | null | readonly string[] | Readonly<Record<string, string>>
  readonly required?: true
  readonly nullable?: true
  /** Integers and numbers are never below `min` (0 when not given) nor above `max`. */
  readonly min?: number
  readonly max?: number
  readonly choices?: readonly string[]
  /** A text, or each entry of a list, must match; `form` says in words what it then is. */
  readonly pattern?: RegExp
  readonly form?: string
  /** Only sinks of these types have the option. */
  readonly sinks?: readonly SinkType[]
  /** May be `env:NAME` or `file:PATH`, and is never printed. */
  readonly secret?: true
  readonly env?: string
  readonly flag?: string
  /** One sentence. */
  readonly description: string
}

export const KIB: number = 1024
export const MIB: number = 1024 * KIB
export const GIB: number = 1024 * MIB
export const DAY_MS: number = 24 * 60 * 60 * 1000
/** Longest delay a timer of Node can have. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1
