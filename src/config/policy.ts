/**
 * Reads `schemas.policy`: by topic template (or a topic ending in `*`, or `*` alone) an action, or actions by class of drift. What
 * is decided over many events (`field_gone`) can only be reported, so another action for it is an error rather than a wish unheard.
 */
import { DRIFT_CLASSES, POLICY_ACTIONS } from '../schema/finding.ts'
import type { PolicyAction } from './config.ts'
import { nearestName } from './nearest.ts'
import type { Option } from './option.ts'
import { type Accepted, describe, element, join, report, wrongType, type Place, type Reading } from './reading.ts'

const ANY = '*'
const CLASSES: readonly string[] = [...DRIFT_CLASSES, ANY]
const ACTIONS: readonly string[] = POLICY_ACTIONS

export function readPolicy(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (!isRecord(value)) return wrongType('an object of actions by topic', "Write it as { '*': 'accept' }.", option, place, reading)
  const before = reading.errors.length
  const policy = new Map<string, PolicyAction | Readonly<Record<string, PolicyAction>>>()
  for (const [topic, entry] of Object.entries(value)) {
    if (entry === undefined) continue
    const at = element(place, join('', topic).replace(/^(?!\[)/, '.'), entry)
    checkTopic(topic, at, reading)
    if (isRecord(entry)) policy.set(topic, readClasses(entry, at, option, reading))
    else if (isAction(entry)) policy.set(topic, entry)
    else badAction(entry, at, option, reading)
  }
  return reading.errors.length === before ? { value: Object.fromEntries(policy) } : null
}

function readClasses(
  value: Readonly<Record<string, unknown>>,
  place: Place,
  option: Option,
  reading: Reading,
): Record<string, PolicyAction> {
  const classes = new Map<string, PolicyAction>()
  for (const [name, action] of Object.entries(value)) {
    if (action === undefined) continue
    const at = element(place, join('', name).replace(/^(?!\[)/, '.'), action)
    if (!CLASSES.includes(name)) {
      const nearest = nearestName(name, CLASSES)
      const hint = `${nearest?.close === true ? `Did you mean "${nearest.name}"? ` : ''}Classes: ${CLASSES.join(', ')}.`
      report(reading, at, 'config.unknown_key', 'is no class of drift.', hint)
    } else if (!isAction(action)) badAction(action, at, option, reading)
    else if (name === 'field_gone' && action !== 'accept') {
      const hint = 'Leave it out: a field that stopped coming is reported, and no single event is at fault.'
      report(reading, at, 'config.bad_value', 'must be "accept".', hint)
    } else classes.set(name, action)
  }
  return Object.fromEntries(classes)
}

function checkTopic(topic: string, place: Place, reading: Reading): void {
  const star = topic.indexOf(ANY)
  if (topic === '' || (star >= 0 && star < topic.length - 1)) {
    const hint = 'Write a topic template, one that ends in "*", or "*" alone.'
    report(reading, place, 'config.bad_topic', 'is no topic: "*" may only stand at its end.', hint)
    return
  }
  const prefix = star < 0 ? null : topic.slice(0, -1)
  const fits = reading.context.knownTopics.some((known) => (prefix === null ? known === topic : known.startsWith(prefix)))
  if (fits) return
  const nearest = reading.context.nearestTopics(topic, 3)
  reading.warnings.push({
    code: 'config.topic_unknown',
    file: reading.context.file,
    path: place.path,
    message: `${place.path} is about a topic that Genesys does not list.`,
    hint: nearest.length === 0 ? 'See `trunkline topics` for the known ones.' : `Nearest known topics: ${nearest.join(', ')}.`,
  })
}

function badAction(value: unknown, place: Place, option: Option, reading: Reading): void {
  const words = ACTIONS.map((action) => `"${action}"`).join(', ')
  if (typeof value !== 'string') wrongType(`${words}, or an object of them by class`, `Write one of ${words}.`, option, place, reading)
  else report(reading, place, 'config.bad_value', `must be one of ${words}, but is ${describe(value, false)}.`, `Write one of ${words}.`)
}

function isAction(value: unknown): value is PolicyAction {
  return typeof value === 'string' && ACTIONS.includes(value)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
