/**
 * What can be changed while Trunkline runs: a route's pause and the rates of its limit, the schema version a topic is judged by, what
 * happens to events that drift. A flag goes before the configuration, survives a restart, and each change is recorded with who and when.
 * Values are held in memory, so that reading one in the middle of a batch costs a look into a map; the store is written first. A flag
 * that ends by itself has no effect from then on; whoever made it one takes it away soon after, so that its end is on record too.
 */
import { TrunklineError } from '../errors.ts'

/** A flag, by what it is about. */
export type FlagName =
  | { readonly flag: 'route.paused'; readonly route: string }
  /** `key` is null for the default of all keys that have no rate of their own. */
  | { readonly flag: 'route.limit'; readonly route: string; readonly key: string | null }
  | { readonly flag: 'schema.version'; readonly topic: string }
  /** `class` is a class of drift, or `*`. */
  | { readonly flag: 'schema.policy'; readonly topic: string; readonly class: string }

export const FLAG_KINDS = ['route.paused', 'route.limit', 'schema.version', 'schema.policy'] as const

/** The rate of a limit; without a burst a second's worth may come at once. */
export type FlagRate = { readonly perSecond: number; readonly burst: number | null }

/** `true`/`false` for a pause, a rate or `unlimited` for a limit, a version, an action. */
export type FlagSetting = boolean | string | FlagRate

/** null takes the flag away: the configuration holds again. */
export type FlagValue = FlagSetting | null

/** `untilMs` is when it ends by itself; null stays. */
export type Flag = FlagName & {
  readonly value: FlagSetting
  readonly untilMs: number | null
  readonly by: string
  readonly atMs: number
}

/** `untilMs` is that of the new value. */
export type FlagChange = FlagName & {
  readonly from: FlagValue
  readonly to: FlagValue
  readonly untilMs: number | null
  readonly by: string
  readonly atMs: number
}

/** Where flags are kept; each change is durable when `put` returns. */
export interface FlagStore {
  load(): readonly Flag[]
  put(change: FlagChange): void
  /** The last changes, newest first. */
  changes(limit: number): readonly FlagChange[]
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

  get(name: FlagName): FlagValue {
    return this.#values.get(keyOf(name))?.value ?? null
  }

  list(): readonly Flag[] {
    return [...this.#values.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  }

  changes(limit: number): readonly FlagChange[] {
    return this.#store.changes(limit)
  }

  /** Sets a flag, durably, and tells who listens; what has this value already is no change. The name must have been read by `readFlag`. */
  set(name: FlagName, value: FlagValue, by: string, atMs: number, untilMs: number | null = null): FlagChange {
    const key = keyOf(name)
    const before = this.#values.get(key)
    const change: FlagChange = { ...name, from: before?.value ?? null, to: value, untilMs, by: by.slice(0, MAX_TEXT), atMs }
    if (isSame(change.from, value) && (before?.untilMs ?? null) === untilMs) return change
    if (value !== null && !this.#values.has(key) && this.#values.size >= MAX_FLAGS)
      throw new TrunklineError('flag.too_many', `${MAX_FLAGS} flags are set already`, 'Take some away, or put them into the configuration.')
    this.#store.put(change)
    if (value === null) this.#values.delete(key)
    else this.#values.set(key, { ...name, value, untilMs, by: change.by, atMs })
    for (const listener of this.#listeners) listener(change)
    return change
  }

  onChange(listener: (change: FlagChange) => void): void {
    this.#listeners.add(listener)
  }
}

/** The flag as one word, for lists and stores: `route.paused crm`. */
export function keyOf(name: FlagName): string {
  switch (name.flag) {
    case 'route.paused':
      return `${name.flag} ${name.route}`
    case 'route.limit':
      return `${name.flag} ${name.route}${name.key === null ? '' : ` ${name.key}`}`
    case 'schema.version':
      return `${name.flag} ${name.topic}`
    case 'schema.policy':
      return `${name.flag} ${name.topic} ${name.class}`
  }
}

function isSame(a: FlagValue, b: FlagValue): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  return a.perSecond === b.perSecond && a.burst === b.burst
}
