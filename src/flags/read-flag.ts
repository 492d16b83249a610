/** Reads what somebody wants to change, as it comes over the API. Nothing is changed by a wish that makes no sense: each refusal says what would. */
import { TrunklineError } from '../errors.ts'
import { DRIFT_CLASSES, POLICY_ACTIONS } from '../schema/finding.ts'
import { FLAG_KINDS, type FlagName, type FlagRate, type FlagValue } from './flags.ts'

/** What flags may name, checked when one is set. */
export type FlagSubjects = {
  readonly routes: readonly string[]
  /** What the limit of a route counts by (`per`); null when it has no limit. */
  limitedBy(route: string): string | null
  /** What a key of the route's limit means, where the limit counts by ids of things that have names. */
  keyNamed(route: string, key: string): KeyNamed
  versionsOf(topic: string): readonly string[]
  /** The known topics most like this one; empty when it is known itself. */
  nearestTopics(topic: string): readonly string[]
}

export type KeyNamed = {
  /** Ids of what has that name. */
  readonly ids: readonly string[]
  /** Names it may have been meant to be, where it is sure that nothing has it; null otherwise. */
  readonly nearest: readonly string[] | null
}

const MAX_TEXT = 200
/** As keys of events are cut to. */
const MAX_KEY = 200
const MIN_PER_SECOND = 0.001
const MAX_RATE = 1_000_000
/** A hundred years: a time beyond was meant in other units. */
const MAX_AHEAD_MS = 100 * 366 * 86_400_000

/** What somebody wants a flag to be. */
export type FlagWish = { readonly name: FlagName; readonly value: FlagValue; readonly untilMs: number | null }

/** Reads a flag and its value as they come over the API; throws a coded error that says what would be right. */
export function readFlag(input: Readonly<Record<string, unknown>>, subjects: FlagSubjects, nowMs: number): FlagWish {
  const { flag, value = null } = input
  const untilMs = endOf(input, nowMs)
  switch (flag) {
    case 'route.paused': {
      const route = routeOf(input, subjects)
      if (value !== null && typeof value !== 'boolean') throw badValue(value, 'true or false')
      return { name: { flag, route }, value, untilMs: null }
    }
    case 'route.limit': {
      const route = routeOf(input, subjects)
      const key = limitedKey(input, route, subjects)
      return { name: { flag, route, key }, value: value === null ? null : rateOf(value), untilMs }
    }
    case 'schema.version': {
      const topic = textOf(input, 'topic')
      const versions = subjects.versionsOf(topic)
      if (versions.length === 0) throw unknownTopic(topic, 'has no schema', subjects)
      if (value !== null && !versions.some((version) => version === value)) throw badValue(value, `one of ${versions.join(', ')}`)
      return { name: { flag, topic }, value: value as string | null, untilMs: null }
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
      return { name: { flag, topic, class: name }, value: value as string | null, untilMs: null }
    }
    default:
      throw new TrunklineError('flag.unknown', `there is no flag ${shown(flag)}`, `The flags are: ${FLAG_KINDS.join(', ')}.`)
  }
}

function routeOf(input: Readonly<Record<string, unknown>>, subjects: FlagSubjects): string {
  const route = textOf(input, 'route')
  if (subjects.routes.includes(route)) return route
  throw new TrunklineError('route.unknown', `there is no route ${JSON.stringify(route)}`, `The routes are: ${subjects.routes.join(', ')}.`)
}

function limitedKey({ key = null, value = null }: Readonly<Record<string, unknown>>, route: string, subjects: FlagSubjects): string | null {
  const per = subjects.limitedBy(route)
  if (per === null)
    throw new TrunklineError(
      'flag.no_limit',
      `route ${route} has no limit that could be changed`,
      'Give it one in the configuration (`limit`): how high it is may change while it runs, not whether it is there.',
    )
  if (key === null) return null
  if (per === 'conversation')
    throw new TrunklineError(
      'flag.bad_key',
      `the limit of route ${route} counts conversations, and has no rates of single keys`,
      'Leave the key out: the rate is one for all.',
    )
  if (typeof key === 'string' && key !== '' && key.length <= MAX_KEY && !/\p{Cc}/u.test(key)) {
    const { ids, nearest } = subjects.keyNamed(route, key)
    // What was set once can be taken away, whatever it is called by now.
    if (ids.length === 0 && nearest !== null && value !== null) throw unknownKey(key, nearest)
    if (ids.length <= 1) return ids[0] ?? key
    throw new TrunklineError(
      'flag.bad_key',
      `${ids.length} have the name ${shown(key)}`,
      `Give the id of the one you mean: ${ids.slice(0, 10).join(', ')}.`,
    )
  }
  throw new TrunklineError(
    'flag.bad_key',
    `${shown(key)} is no key of a limit`,
    'Give the id or text that the limit counts by, or none for the default.',
  )
}

function unknownKey(key: string, nearest: readonly string[]): TrunklineError {
  const meant = nearest.length === 0 ? '' : `The nearest are ${nearest.map((name) => JSON.stringify(name)).join(', ')}. `
  return new TrunklineError(
    'flag.bad_key',
    `Genesys Cloud has nothing of the name ${shown(key)} that this limit counts by`,
    `${meant}What was made there just now is known by its id already.`,
  )
}

function rateOf(value: unknown): FlagRate | 'unlimited' {
  if (value === 'unlimited') return value
  const wanted = `{ "perSecond": a number from ${MIN_PER_SECOND} to ${MAX_RATE}, "burst": a whole number from 1 to ${MAX_RATE} or left out }, or "unlimited"`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badValue(value, wanted)
  const { perSecond, burst = null, ...others } = value as Readonly<Record<string, unknown>>
  const within = (number: unknown, min: number): number is number => typeof number === 'number' && number >= min && number <= MAX_RATE
  if (Object.keys(others).length > 0) throw badValue(value, wanted)
  if (!within(perSecond, MIN_PER_SECOND)) throw badValue(perSecond, wanted)
  if (burst !== null && !(within(burst, 1) && Number.isInteger(burst))) throw badValue(burst, wanted)
  return { perSecond, burst }
}

function endOf({ flag, value = null, untilMs = null }: Readonly<Record<string, unknown>>, nowMs: number): number | null {
  if (untilMs === null) return null
  const refuse = (what: string, hint: string): TrunklineError => new TrunklineError('flag.bad_time', what, hint)
  if (flag !== 'route.limit' || value === null)
    throw refuse('only the change of a limit can end by itself', 'Leave untilMs out, and take it back when its time has come.')
  const hint = 'Give the epoch milliseconds at which the configuration holds again.'
  if (typeof untilMs !== 'number' || !Number.isSafeInteger(untilMs)) throw refuse(`untilMs cannot be ${shown(untilMs)}`, hint)
  if (untilMs <= nowMs) throw refuse(`untilMs is ${untilMs}, which is over: it is ${nowMs} now`, hint)
  if (untilMs > nowMs + MAX_AHEAD_MS) throw refuse(`untilMs is ${untilMs}, more than a hundred years ahead`, hint)
  return untilMs
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
    `Give ${wanted}; null (on the command line \`default\`, or \`trunkline config unset\`) goes back to the configuration.`,
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
