/**
 * When a thing happened, by topic. Genesys writes times as epoch ms or as ISO text, under other names in other topics, and some
 * bodies have none: then the answer is null, never a guess. Garbage and absurd values are null too, never NaN.
 */
import { isObject } from './json.ts'
import type { JsonObject } from './json.ts'

/** How the topics of one family tell time. */
export type TimeRule = {
  /** Body fields that hold the business time: the first readable one, or with `newest` the latest of all. */
  readonly fields: readonly (readonly string[])[]
  readonly newest: boolean
  /** The body says how things are, not what happened, so an equal body may come again legitimately. Matters for identity. */
  readonly snapshot: boolean
}

/** The rule for a topic template. */
export function timeRuleOf(topic: string): TimeRule {
  return EXACT.get(topic) ?? PREFIXES.find(({ prefix }) => topic.startsWith(prefix))?.rule ?? DEFAULT_RULE
}

/** The business time in a body, epoch ms, or null. */
export function occurredAtMs(rule: TimeRule, body: unknown): number | null {
  if (!isObject(body)) return null
  let newest: number | null = null
  for (const path of rule.fields) {
    const atMs = readInstant(valueAt(body, path))
    if (atMs === null) continue
    if (!rule.newest) return atMs
    if (newest === null || atMs > newest) newest = atMs
  }
  return newest
}

/** Epoch ms from an epoch-ms number or an ISO 8601 instant; null for everything else. */
export function readInstant(value: unknown): number | null {
  if (typeof value === 'number') return value >= 0 && value <= LAST_MS ? Math.floor(value) : null
  return typeof value === 'string' ? readIso(value) : null
}

/** Like readInstant, for bodies people make by hand: a number must be large enough to be milliseconds (seconds are not guessed at). */
export function readLooseInstant(value: unknown): number | null {
  return typeof value === 'number' && value <= 1e11 ? null : readInstant(value)
}

const at = (...fields: string[]): TimeRule => ({ fields: fields.map((field) => field.split('.')), newest: false, snapshot: false })
const NO_TIME: TimeRule = { fields: [], newest: false, snapshot: true }
const DEFAULT_RULE: TimeRule = at('eventTime', 'modifiedDate', 'routingStatus.startTime', 'timestamp')

/** One row per family; a `*` at the end stands for any rest; the first row that fits counts. */
const RULES: readonly (readonly [topics: string, rule: TimeRule])[] = [
  ['v2.detail.events.agent.{id}.state', at('currentStateStart')],
  ['v2.detail.events.*', at('eventTime')],
  ['v2.conversations.{id}.transcription', at('eventTime')],
  ['v2.audits.*', at('eventTime')],
  ['v2.operations.events.{id}', at('timestamp')],
  ['v2.users.{id}.presence', at('modifiedDate')],
  ['v2.users.{id}.routingStatus', at('routingStatus.startTime')],
  ['v2.users.{id}.outofoffice', at('modifiedDate')],
  [
    'v2.users.{id}.activity',
    {
      ...at('routingStatus.startTime', 'presence.modifiedDate', 'outOfOffice.modifiedDate', 'dateActiveQueuesChanged'),
      newest: true,
      snapshot: true,
    },
  ],
  ['v2.users.{id}.station', NO_TIME],
  ['v2.users.{id}.conversationsummary', NO_TIME],
  ['v2.users.{id}.conversations', NO_TIME],
  ['v2.users.{id}.conversations.callbacks', NO_TIME],
  ['v2.users.{id}.conversations.calls', NO_TIME],
  ['v2.users.{id}.conversations.chats', NO_TIME],
  ['v2.users.{id}.conversations.cobrowseSessions', NO_TIME],
  ['v2.users.{id}.conversations.emails', NO_TIME],
  ['v2.users.{id}.conversations.messages', NO_TIME],
  ['v2.users.{id}.conversations.screenshares', NO_TIME],
  ['v2.users.{id}.conversations.socialexpressions', NO_TIME],
  ['v2.users.{id}.conversations.videos', NO_TIME],
  ['v2.routing.queues.{id}.users', NO_TIME],
  ['v2.routing.queues.{id}.conversations*', NO_TIME],
  ['v2.analytics.conversation.{id}.metrics', at('metricDate')],
  ['v2.analytics.flow.{id}.metrics', at('metricDate')],
  ['v2.analytics.queues.{id}.*', NO_TIME],
  ['v2.analytics.users.{id}.aggregates', NO_TIME],
  ['v2.analytics.flow.{id}.aggregates', NO_TIME],
  ['v2.analytics.flowoutcome.{id}.aggregates', NO_TIME],
  ['v2.analytics.wrapup.{id}.aggregates', NO_TIME],
  ['v2.outbound.campaigns.{id}.stats', NO_TIME],
  ['v2.outbound.campaigns.{id}.skillstats', NO_TIME],
]

const EXACT: ReadonlyMap<string, TimeRule> = new Map(RULES.filter(([topics]) => !topics.endsWith('*')))
const PREFIXES: readonly { readonly prefix: string; readonly rule: TimeRule }[] = RULES.filter(([topics]) => topics.endsWith('*')).map(
  ([topics, rule]) => ({ prefix: topics.slice(0, -1), rule }),
)

/** 9999-12-31T23:59:59.999Z */
const LAST_MS = 253_402_300_799_999
const DAYS: readonly number[] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * `YYYY-MM-DDTHH:MM:SS`, a fraction if any, and a zone, which must be there: a time without one is no instant. Every part in its
 * range. Read by character codes: 0.8 us less per instant than a regular expression with groups.
 */
function readIso(text: string): number | null {
  if (text.length < 20 || text.length > 40) return null
  for (let i = 0; i < SEPARATORS.length; i += 2) if (text.charCodeAt(SEPARATORS[i]!) !== SEPARATORS[i + 1]) return null
  const year = digits(text, 0, 4)
  const month = digits(text, 5, 7)
  const day = digits(text, 8, 10)
  const hour = digits(text, 11, 13)
  const minute = digits(text, 14, 16)
  const second = digits(text, 17, 19)
  // A part that is no number is NaN, and fails every comparison.
  if (!(year >= 1970 && month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 59)) return null
  if (!(day <= DAYS[month - 1]!) || (month === 2 && day === 29 && !isLeap(year))) return null
  let at = 19
  let ms = 0
  if (text.charCodeAt(at) === 0x2e) {
    const start = ++at
    while (isDigit(text.charCodeAt(at))) at++
    if (at === start || at - start > 9) return null
    for (let i = 0; i < 3; i++) ms = ms * 10 + (start + i < at ? text.charCodeAt(start + i) - 0x30 : 0)
  }
  const zoneMs = zoneOffsetMs(text, at)
  const atMs = zoneMs === null ? -1 : Date.UTC(year, month - 1, day, hour, minute, second, ms) - zoneMs
  return atMs >= 0 && atMs <= LAST_MS ? atMs : null
}

/** Position and character code of what stands between the parts of an ISO instant. */
const SEPARATORS: readonly number[] = [4, 0x2d, 7, 0x2d, 10, 0x54, 13, 0x3a, 16, 0x3a]

/** The rest of the text: `Z`, `+hh:mm` or `+hhmm`. */
function zoneOffsetMs(text: string, at: number): number | null {
  if (text.charCodeAt(at) === 0x5a) return text.length === at + 1 ? 0 : null
  const zone = /^([+-])(\d\d):?(\d\d)$/.exec(text.slice(at))
  if (!zone) return null
  const hours = Number(zone[2])
  const minutes = Number(zone[3])
  if (hours > 18 || minutes > 59) return null
  return (hours * 60 + minutes) * (zone[1] === '-' ? -60_000 : 60_000)
}

function digits(text: string, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at)
    if (!isDigit(code)) return NaN
    value = value * 10 + code - 0x30
  }
  return value
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
}

function valueAt(body: JsonObject, path: readonly string[]): unknown {
  let value: unknown = body
  for (const name of path) {
    if (!isObject(value)) return undefined
    value = value[name]
  }
  return value
}
