/** Reads `state.serviceLevels`: by queue, its target and short-abandon threshold. Of the two each may be left out, but not both. */
import { nearestName } from './nearest.ts'
import type { Option } from './option.ts'
import { type Accepted, describe, element, join, report, wrongType, type Place, type Reading } from './reading.ts'

const KEYS = ['targetMs', 'shortAbandonMs'] as const
const MAX_MS = 30 * 24 * 3_600_000

export function readServiceLevels(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (!isRecord(value)) return wrongType('an object of service levels by queue', EXAMPLE, option, place, reading)
  const before = reading.errors.length
  const levels = new Map<string, object>()
  for (const [queue, entry] of Object.entries(value)) {
    if (entry === undefined) continue
    const at = element(place, suffixOf(queue), entry)
    if (isRecord(entry)) levels.set(queue, readLevel(entry, at, reading))
    else wrongType('an object', EXAMPLE, option, at, reading)
  }
  return reading.errors.length === before ? { value: Object.fromEntries(levels) } : null
}

function readLevel(value: Readonly<Record<string, unknown>>, place: Place, reading: Reading): Readonly<Record<string, number | null>> {
  for (const key of Object.keys(value)) {
    if ((KEYS as readonly string[]).includes(key) || value[key] === undefined) continue
    const nearest = nearestName(key, KEYS)
    const hint = nearest?.close === true ? `Did you mean "${nearest.name}"?` : `Known keys: ${KEYS.join(', ')}.`
    report(reading, element(place, suffixOf(key), value[key]), 'config.unknown_key', 'is no known key.', hint)
  }
  for (const key of KEYS) {
    const ms = value[key]
    if (ms === undefined || (typeof ms === 'number' && Number.isInteger(ms) && ms >= 0 && ms <= MAX_MS)) continue
    const message = `must be a whole number from 0 to ${MAX_MS}, but is ${describe(ms, false)}.`
    report(reading, element(place, suffixOf(key), ms), 'config.bad_value', message, 'Write milliseconds, or leave it out.')
  }
  if (KEYS.every((key) => value[key] === undefined)) report(reading, place, 'config.missing_value', 'says nothing.', EXAMPLE)
  return Object.fromEntries(KEYS.map((key) => [key, typeof value[key] === 'number' ? value[key] : null]))
}

const EXAMPLE = "Write it as { 'QUEUE-ID': { targetMs: 30000 } }."
const suffixOf = (key: string): string => join('', key).replace(/^(?!\[)/, '.')

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
