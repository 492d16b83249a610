import type { Origin } from './config.ts'
import type { ConfigError, ConfigErrorCode } from './errors.ts'
import type { Option } from './option.ts'
import { OPTIONS } from './options.ts'

/**
 * What resolving a configuration needs from outside, and what it collects on its way. Errors are collected rather
 * than thrown, so that one look shows all of them.
 */

/** Values given on the command line; undefined means not given. */
export type ConfigFlags = {
  readonly port?: string | number | undefined
  readonly host?: string | undefined
  readonly dataDir?: string | undefined
  readonly config?: string | undefined
  readonly allowHost?: readonly string[] | undefined
}

export type ConfigContext = {
  /** Absolute path of the configuration file; null when there is none. */
  readonly file: string | null
  /** Folder the process works in, absolute: the base of relative paths that no file gave. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file by absolute path; throws when it cannot. */
  readFile(path: string): string
  /** Whether there is such a file. Left out where a file that is missing may still come. */
  fileExists?(path: string): boolean
  readonly flags?: ConfigFlags
  readonly knownTopics: readonly string[]
  /** The `n` known topics most like `name`, nearest first. */
  nearestTopics(name: string, n: number): readonly string[]
  /** What is wrong with where Genesys Cloud is; null when nothing is. Left out where nothing calls its API. */
  placeProblem?(
    place: { readonly region: string } | { readonly baseUrl: string },
  ): { readonly message: string; readonly hint: string } | null
  /** The template of a topic with real ids; the topic itself when it has none. */
  topicTemplateOf(name: string): string
}

/** Something given for one option, and where it was given. */
export type Given = {
  readonly value: unknown
  readonly origin: Origin
  /** How messages name it: `http.port`, `TRUNKLINE_PORT` or `--port`. */
  readonly label: string
}

export type Reading = {
  readonly context: ConfigContext
  /** Base of relative paths in the file. */
  readonly folder: string
  readonly errors: ConfigError[]
  readonly warnings: ConfigError[]
  /** Accepted values by path, without secrets. */
  readonly values: Map<string, unknown>
  readonly origins: Map<string, Origin>
  /** Sink addresses as they may be shown, by path. */
  readonly shownUrls: Map<string, string>
}

/** Where a problem is: the option's path and how the value was given. */
export type Place = { readonly path: string; readonly given: Given }

export function report(reading: Reading, place: Place, code: ConfigErrorCode, message: string, hint: string): void {
  const fromFile = place.given.origin === 'file'
  const text = `${place.given.label} ${message}`
  reading.errors.push({ code, file: fromFile ? reading.context.file : null, path: place.path, message: text, hint })
}

export function warn(reading: Reading, path: string, code: ConfigErrorCode, message: string, hint: string): void {
  reading.warnings.push({ code, file: reading.context.file, path, message, hint })
}

/** The place of a value that stands in the configuration file. */
export function inFile(path: string, value: unknown): Place {
  return { path, given: { value, origin: 'file', label: path === '' ? 'The configuration' : path } }
}

/** The path of a key; one that is no plain word is quoted, so that messages stay readable and harmless. */
export function join(path: string, key: string): string {
  if (!/^[\w-]+$/.test(key)) return `${path}[${JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}...` : key)}]`
  return path === '' ? key : `${path}.${key}`
}

/** What the command line or the environment gives for an option, flag first; null when neither does. */
export function overrideOf(path: string, context: ConfigContext): Given | null {
  const option = OPTIONS.find((candidate) => candidate.path === path)
  const flag = option?.flag === undefined ? undefined : flagValue(option.flag, context.flags ?? {})
  if (flag !== undefined && option?.flag !== undefined) return { value: flag, origin: 'flag', label: option.flag }
  const variable = option?.env === undefined ? undefined : context.env[option.env]
  if (option?.env === undefined || variable === undefined || variable === '') return null
  return { value: variable, origin: 'env', label: option.env }
}

/** `--data-dir` is the property `dataDir`. */
function flagValue(flag: string, flags: ConfigFlags): unknown {
  const property = flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return new Map<string, unknown>(Object.entries(flags)).get(property)
}

/** Answers nothing (and has reported why) when the value is not acceptable. */
export type Accepted = { readonly value: unknown }

/** Says what a value is. The value itself is shown only when its option is no secret. */
export function describe(value: unknown, secret: boolean): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Promise) return 'a promise'
  switch (typeof value) {
    case 'string':
      return secret ? 'a text' : `the text ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)}`
    case 'number':
      return secret ? 'a number' : `the number ${value}`
    case 'object':
      return 'an object'
    case 'undefined':
      return 'missing'
    default:
      return `a ${typeof value}`
  }
}

export function wrongType(wanted: string, hint: string, option: Option, place: Place, reading: Reading): null {
  report(reading, place, 'config.wrong_type', `must be ${wanted}, but is ${describe(place.given.value, option.secret === true)}.`, hint)
  return null
}

export function element(place: Place, suffix: string, value: unknown): Place {
  return { path: place.path + suffix, given: { ...place.given, value, label: place.given.label + suffix } }
}
