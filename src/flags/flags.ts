/**
 * What can be changed while Trunkline runs: a route's pause, the schema version a topic is judged by, what happens to events
 * that drift. A flag goes before the configuration, survives a restart, and each change is recorded with who and when. Values
 * are held in memory, so that reading one in the middle of a batch costs a look into a map; the store is written first.
 */
import { TrunklineError } from '../errors.ts'
import { DRIFT_CLASSES, POLICY_ACTIONS } from '../schema/finding.ts'

/** A flag, by what it is about. */
export type FlagName =
  | { readonly flag: 'route.paused'; readonly route: string }
  | { readonly flag: 'schema.version'; readonly topic: string }
  /** `class` is a class of drift, or `*`. */
  | { readonly flag: 'schema.policy'; readonly topic: string; readonly class: string }

export const FLAG_KINDS = ['route.paused', 'schema.version', 'schema.policy'] as const

/** `true`/`false` for a pause, a version, an action; null takes the flag away: the configuration holds again. */
export type FlagValue = boolean | string | null

export type Flag = FlagName & { readonly value: boolean | string; readonly by: string; readonly atMs: number }

export type FlagChange = FlagName & { readonly from: FlagValue; readonly to: FlagValue; readonly by: string; readonly atMs: number }

/** Where flags are kept; each change is durable when `put` returns. */
export interface FlagStore {
  load(): readonly Flag[]
  put(change: FlagChange): void
  /** The last changes, newest first. */
  changes(limit: number): readonly FlagChange[]
}

/** What flags may name, checked when one is set. */
export type FlagSubjects = {
  readonly routes: readonly string[]
  versionsOf(topic: string): readonly string[]
  /** The known topics most like this one; empty when it is known itself. */
  nearestTopics(topic: string): readonly string[]
}

/** Flags at once; a policy for each class of each known topic is far below. */
const MAX_FLAGS = 5_000
const MAX_TEXT = 200

export class Flags {
  readonly #store: FlagStore
  readonly #values = new Map<string, Flag>()
  readonly #listeners = new Set<(change: FlagChange) => void>()

  constructor(store: FlagStore) {
    this.#store = store
    for (const flag of store.load()) this.#values.set(keyOf(flag), flag)
  }

  get(name: FlagName): boolean | string | null {
    return this.#values.get(keyOf(name))?.value ?? null
  }

  list(): readonly Flag[] {
    return [...this.#values.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  }

  changes(limit: number): readonly FlagChange[] {
    return this.#store.changes(limit)
  }

  /** Sets a flag, durably, and tells who listens; what has this value already is no change. The name must have been read by `readFlag`. */
  set(name: FlagName, value: FlagValue, by: string, atMs: number): FlagChange {
    const key = keyOf(name)
    const change: FlagChange = { ...name, from: this.get(name), to: value, by: by.slice(0, MAX_TEXT), atMs }
    if (change.from === value) return change
    if (value !== null && !this.#values.has(key) && this.#values.size >= MAX_FLAGS)
      throw new TrunklineError('flag.too_many', `${MAX_FLAGS} flags are set already`, 'Take some away, or put them into the configuration.')
    this.#store.put(change)
    if (value === null) this.#values.delete(key)
    else this.#values.set(key, { ...name, value, by: change.by, atMs })
    for (const listener of this.#listeners) listener(change)
    return change
  }

  onChange(listener: (change: FlagChange) => void): void {
    this.#listeners.add(listener)
  }
}

/** Reads a flag and its value as they come over the API; throws a coded error that says what would be right. */
export function readFlag(input: Readonly<Record<string, unknown>>, subjects: FlagSubjects): { name: FlagName; value: FlagValue } {
  const { flag, value = null } = input
  switch (flag) {
    case 'route.paused': {
      const route = textOf(input, 'route')
      if (!subjects.routes.includes(route))
        throw new TrunklineError(
          'route.unknown',
          `there is no route ${JSON.stringify(route)}`,
          `The routes are: ${subjects.routes.join(', ')}.`,
        )
      if (value !== null && typeof value !== 'boolean') throw badValue(value, 'true or false')
      return { name: { flag, route }, value }
    }
    case 'schema.version': {
      const topic = textOf(input, 'topic')
      const versions = subjects.versionsOf(topic)
      if (versions.length === 0) throw unknownTopic(topic, 'has no schema', subjects)
      if (value !== null && !versions.some((version) => version === value)) throw badValue(value, `one of ${versions.join(', ')}`)
      return { name: { flag, topic }, value: value as string | null }
    }
    case 'schema.policy': {
      const topic = textOf(input, 'topic')
      const nearest = subjects.nearestTopics(topic)
      if (nearest.length > 0 && !isWildcard(topic)) throw unknownTopic(topic, 'is no known topic', subjects)
      const name = textOf(input, 'class')
      const classes: readonly string[] = [...DRIFT_CLASSES.filter((known) => known !== 'field_gone'), '*']
      if (!classes.includes(name))
        throw new TrunklineError('flag.bad_class', `${JSON.stringify(name)} is no class of drift`, `Write one of ${classes.join(', ')}.`)
      if (value !== null && !POLICY_ACTIONS.some((action) => action === value)) throw badValue(value, `one of ${POLICY_ACTIONS.join(', ')}`)
      return { name: { flag, topic, class: name }, value: value as string | null }
    }
    default:
      throw new TrunklineError('flag.unknown', `there is no flag ${shown(flag)}`, `The flags are: ${FLAG_KINDS.join(', ')}.`)
  }
}

/** The flag as one word, for lists and stores: `route.paused crm`. */
export function keyOf(name: FlagName): string {
  switch (name.flag) {
    case 'route.paused':
      return `${name.flag} ${name.route}`
    case 'schema.version':
      return `${name.flag} ${name.topic}`
    case 'schema.policy':
      return `${name.flag} ${name.topic} ${name.class}`
  }
}

/** `*`, or a topic that ends in `*`. */
const isWildcard = (topic: string): boolean => topic.indexOf('*') === topic.length - 1

function textOf(input: Readonly<Record<string, unknown>>, key: string): string {
  const value = input[key]
  if (typeof value === 'string' && value !== '' && value.length <= MAX_TEXT && !/[\s\p{Cc}]/u.test(value)) return value
  throw new TrunklineError('flag.bad_name', `${key} must be a text without spaces, but is ${shown(value)}`, `Give "${key}".`)
}

function badValue(value: unknown, wanted: string): TrunklineError {
  return new TrunklineError(
    'flag.bad_value',
    `the value of this flag cannot be ${shown(value)}`,
    `Give ${wanted}; null (on the command line \`default\`) goes back to the configuration.`,
  )
}

function unknownTopic(topic: string, what: string, subjects: FlagSubjects): TrunklineError {
  const nearest = subjects.nearestTopics(topic)
  if (nearest.length === 0) return new TrunklineError('topic.unknown', `${JSON.stringify(topic)} ${what}`, 'See `trunkline schemas list`.')
  const [first = ''] = topic.split('.')
  const own = `A topic of your own is known once it has a schema or was seen; ${first}.* stands for all that begin so.`
  const hint = `Nearest known topics: ${nearest.join(', ')}.${/^v\d+$/.test(first) ? '' : ` ${own}`}`
  return new TrunklineError('topic.unknown', `${JSON.stringify(topic)} ${what}`, hint)
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  return value === undefined ? 'missing' : (JSON.stringify(value) ?? String(value)).slice(0, 100)
}
