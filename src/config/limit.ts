/** Reads what only `limit` has: rates by key and numbers by key; and checks what the options of a limit say together. */
import { compileTopics } from '../pipeline/topic-pattern.ts'
import { takesChanges } from './changes.ts'
import { DETAIL_KEYS, ENVELOPE_KEYS } from '../match/envelope.ts'
import { wildcardProblem } from '../match/wildcard.ts'
import type { LimitRate, PriorityRule } from './config.ts'
import { nearestName } from './nearest.ts'
import type { Option } from './option.ts'
import { type Accepted, describe, element, inFile, join, report, warn, wrongType, type Place, type Reading } from './reading.ts'

const RATE_KEYS: readonly string[] = ['perSecond', 'burst']
const MAX = 1_000_000
const MAX_NAME = 200
const MIN_PER_SECOND = 0.001

export function readRates(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (!isRecord(value))
    return wrongType('an object of rates by key', "Write it as { 'QUEUE-ID': { perSecond: 20 } }.", option, place, reading)
  const before = reading.errors.length
  const rates = new Map<string, LimitRate | null>()
  for (const [key, entry] of Object.entries(value)) {
    if (entry === undefined) continue
    const at = element(place, suffixOf(key), entry)
    if (entry === null) rates.set(key, null)
    else if (isRecord(entry)) rates.set(key, readRate(entry, at, reading))
    else wrongType('a rate or null', 'Write { perSecond: 20 }, or null for no limit.', option, at, reading)
  }
  return reading.errors.length === before ? { value: Object.fromEntries(rates) } : null
}

function readRate(value: Readonly<Record<string, unknown>>, place: Place, reading: Reading): LimitRate {
  for (const key of Object.keys(value)) {
    if (RATE_KEYS.includes(key) || value[key] === undefined) continue
    const nearest = nearestName(key, RATE_KEYS)
    const hint = nearest?.close === true ? `Did you mean "${nearest.name}"?` : `Known keys: ${RATE_KEYS.join(', ')}.`
    report(reading, element(place, suffixOf(key), value[key]), 'config.unknown_key', 'is no known key.', hint)
  }
  const perSecond = value['perSecond']
  const burst = value['burst'] ?? null
  const at = element(place, '.perSecond', perSecond)
  if (perSecond === undefined)
    report(reading, at, 'config.missing_value', 'is missing.', 'Give it: events of the key in a second, on average.')
  else if (!within(perSecond, MIN_PER_SECOND))
    report(
      reading,
      at,
      'config.bad_value',
      `must be a number from ${MIN_PER_SECOND} to ${MAX}, but is ${describe(perSecond, false)}.`,
      'Write a number.',
    )
  if (burst !== null && !(within(burst, 1) && Number.isInteger(burst))) {
    const message = `must be a whole number from 1 to ${MAX}, but is ${describe(burst, false)}.`
    report(reading, element(place, '.burst', burst), 'config.bad_value', message, 'Write a whole number, or leave it out.')
  }
  return { perSecond: Number(perSecond), burst: burst === null ? null : Number(burst) }
}

export function readNumbers(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (!isRecord(value)) return wrongType('an object of numbers by key', "Write it as { 'QUEUE-ID': 5 }.", option, place, reading)
  const before = reading.errors.length
  const numbers = new Map<string, number>()
  for (const [key, entry] of Object.entries(value)) {
    if (entry === undefined) continue
    if (within(entry, -MAX)) numbers.set(key, entry)
    else wrongType('a number', 'Write a plain number.', option, element(place, suffixOf(key), entry), reading)
  }
  return reading.errors.length === before ? { value: Object.fromEntries(numbers) } : null
}

const RULE_KEYS: readonly string[] = ['queue', 'division', 'priority']
const RULE_HINT = "Write { queue: 'VIP*', priority: 9 }, with the division as well or instead; * stands for any text."

export function readPriorityRules(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (!Array.isArray(value)) return wrongType('a list of rules', `Write it as [...]. ${RULE_HINT}`, option, place, reading)
  const before = reading.errors.length
  const rules = (value as readonly unknown[]).map((entry, index) => readRule(option, element(place, `[${index}]`, entry), reading))
  return reading.errors.length === before ? { value: rules } : null
}

function readRule(option: Option, place: Place, reading: Reading): PriorityRule | null {
  const { value } = place.given
  if (!isRecord(value)) return wrongType('a rule', RULE_HINT, option, place, reading)
  for (const key of Object.keys(value))
    if (!RULE_KEYS.includes(key) && value[key] !== undefined)
      report(
        reading,
        element(place, suffixOf(key), value[key]),
        'config.unknown_key',
        'is no known key.',
        `Known keys: ${RULE_KEYS.join(', ')}.`,
      )
  const { queue = null, division = null, priority } = value
  const bad = (key: string, what: string): void =>
    report(reading, element(place, `.${key}`, value[key]), 'config.bad_value', `${what}, but is ${describe(value[key], false)}.`, RULE_HINT)
  if (priority === undefined) report(reading, element(place, '.priority', priority), 'config.missing_value', 'is missing.', RULE_HINT)
  else if (!within(priority, -MAX)) bad('priority', 'must be a number')
  for (const [key, text] of [
    ['queue', queue],
    ['division', division],
  ] as const) {
    if (text === null) continue
    if (typeof text !== 'string' || text === '' || text.length > MAX_NAME) bad(key, `must be a text of at most ${MAX_NAME} characters`)
    else if (wildcardProblem(text) !== null) bad(key, `${wildcardProblem(text)}`)
  }
  if (queue === null && division === null) report(reading, place, 'config.bad_value', 'names neither a queue nor a division.', RULE_HINT)
  return { queue: queue as string | null, division: division as string | null, priority: priority as number }
}

/** Checks the limit of a route whose options were acceptable one by one. */
export function checkLimit(route: Readonly<Record<string, unknown>>, path: string, reading: Reading): void {
  const limit = route['limit']
  if (!isRecord(limit)) return
  const { per, overflow, priority } = limit
  const bad = (at: string, message: string, hint: string): void =>
    report(reading, inFile(`${path}.${at}`, null), 'config.bad_value', message, hint)
  const perHint = typeof per === 'string' ? misspeltKey(per) : null
  if (perHint !== null) bad('per', `is ${describe(per, false)}, by which nothing can be counted.`, perHint)
  // A finished conversation is whole.
  const pairs = takesChanges(route) ? [] : pairedTopics(limit['topics'] ?? route['topics'], reading)
  if (overflow === 'latest' && pairs.length > 0)
    bad(
      'overflow',
      `is "latest", but the limit is for ${pairs[0]}: of things that begin and end every event counts.`,
      `Name other topics in ${path}.topics, or let it delay.`,
    )
  if (per === 'conversation') {
    if (overflow === 'latest')
      bad('overflow', 'is "latest", which folds events, but per: "conversation" keeps or drops conversations whole.', 'Choose another.')
    if (isRecord(limit['limits']) && Object.keys(limit['limits']).length > 0)
      bad('limits', 'has rates of single conversations, but per: "conversation" counts conversations.', 'Remove it.')
  } else if ((overflow === 'drop' || overflow === 'sample') && pairs.length > 0)
    warn(
      reading,
      `${path}.overflow`,
      'config.limit_cuts_pairs',
      `${path} drops single events of ${pairs.length === 1 ? pairs[0] : `${pairs[0]} and others`}: a beginning may come without its end.`,
      `Use per: 'conversation', which keeps or drops conversations whole, delay instead, or name topics that have no pair in ${path}.topics.`,
    )
  if (!isRecord(priority)) return
  const { dropBelow, unlimitedFrom, of, rules } = priority
  if (isRecord(of) && Object.keys(of).length === 0 && Array.isArray(rules) && rules.length === 0)
    bad('priority', 'gives no number to anything.', 'Give numbers in "of" or "rules", or null for no priority.')
  if (typeof dropBelow === 'number' && typeof unlimitedFrom === 'number' && dropBelow > unlimitedFrom)
    bad('priority.dropBelow', `is ${dropBelow}, above unlimitedFrom, which is ${unlimitedFrom}.`, 'Lower it, or raise unlimitedFrom.')
  if (dropBelow === null && unlimitedFrom === null)
    bad(
      'priority',
      'has neither dropBelow nor unlimitedFrom, so its numbers mean nothing.',
      'Give one of the two, or null for no priority.',
    )
}

/** What a key was likely meant to be; null where it is one of the words, or begins as a path of the envelope does. */
function misspeltKey(per: string): string | null {
  const [first = '', ...rest] = per.split('.')
  if (rest.length === 0 ? WORDS.includes(per) || PLAIN_KEYS.includes(per) : first === 'detail') return null
  const isOfDetail = DETAIL_KEYS.some((key) => key.toLowerCase() === first.toLowerCase())
  const near = rest.length === 0 ? nearestName(per, WORDS) : nearestName(first, ENVELOPE_KEYS)
  const meant = isOfDetail ? `detail.${per}` : near?.close === true ? [near.name, ...rest].join('.') : null
  const known = `Known are ${WORDS.join(', ')}, and paths of the envelope such as detail.eventBody.mediaType.`
  return meant === null ? known : `Did you mean "${meant}"? ${known}`
}

const WORDS: readonly string[] = ['queue', 'user', 'topic', 'conversation']
/** Keys that have a value rather than more keys. */
const PLAIN_KEYS: readonly string[] = ENVELOPE_KEYS.filter((key) => key !== 'detail' && key !== 'resources')

/** The known topics of a list that tell of a beginning or an end. */
function pairedTopics(topics: unknown, reading: Reading): string[] {
  const list = Array.isArray(topics) ? topics.filter((topic) => typeof topic === 'string') : ['*']
  const { matches } = compileTopics(list, reading.context.knownTopics)
  return reading.context.knownTopics.filter((topic) => /\.(?:start|end)$/.test(topic) && matches(topic))
}

const within = (value: unknown, min: number): value is number => typeof value === 'number' && value >= min && value <= MAX
const suffixOf = (key: string): string => join('', key).replace(/^(?!\[)/, '.')

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
