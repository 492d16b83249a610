/**
 * Everything one event has that the schemas do not: of its topic (decode has marked that) and of its body. Several routes
 * and the drift watcher ask about the same event, so the answers for the last events are kept; bounded.
 */
import type { Event } from '../event/event.ts'
import { isKnownTopic } from '../event/topics.ts'
import type { Finding, Validator } from './finding.ts'
import { isRecord } from './json-schema.ts'
import { FITS } from './validator.ts'

/** What judges bodies; see registry.ts. */
export interface Validators {
  readonly revision: number
  validatorOf(topic: string): Validator | null
}

/** The findings of one event, whose body may be handed in by who has it; the same list as long as the same schemas are in force. Never throws. */
export type Assess = (event: Event, body?: unknown) => readonly Finding[]

export type AssessOptions = {
  /** How many events are remembered. */
  readonly remembered: number
}

/** Makes `assess` for one set of schemas. */
export function assessWith(validators: Validators, options: AssessOptions = { remembered: 4096 }): Assess {
  let known = new Map<string, readonly Finding[]>()
  let older = new Map<string, readonly Finding[]>()
  let revision = validators.revision
  return (event, body) => {
    if (validators.revision !== revision) {
      revision = validators.revision
      known = new Map()
      older = new Map()
    }
    const remembered = known.get(event.id) ?? older.get(event.id)
    if (remembered !== undefined) return remembered
    const findings = findingsOf(validators, event, body)
    // Two halves, the older one dropped whole: cheaper than dropping one by one.
    if (known.size * 2 >= options.remembered) {
      older = known
      known = new Map()
    }
    known.set(event.id, findings)
    return findings
  }
}

/**
 * The body of an event as the schemas describe it: `eventBody`, in the shapes of Genesys. What people build by hand for a topic
 * of their own is its own body. Undefined where there is none.
 */
export function bodyOf(event: Event): unknown {
  let record: unknown
  try {
    record = JSON.parse(Buffer.from(event.raw.buffer, event.raw.byteOffset, event.raw.length).toString())
  } catch {
    return undefined
  }
  if (!isRecord(record)) return undefined
  const { detail } = record
  const message = isRecord(detail) ? detail : record
  if (Object.hasOwn(message, 'eventBody')) return message['eventBody']
  if (event.format === 'custom-bus') return detail
  return event.format === 'webhook' && !isKnownTopic(event.topic) ? record : undefined
}

function findingsOf(validators: Validators, event: Event, given: unknown): readonly Finding[] {
  const validator = validators.validatorOf(event.topic)
  const ofTopic: Finding[] = []
  // Who has written a schema of it knows the topic, whatever Genesys lists.
  if (validator === null && event.marks.includes('topic.unknown')) ofTopic.push({ class: 'unknown_topic', path: '', detail: null })
  if (event.marks.includes('topic.mismatch')) ofTopic.push({ class: 'topic_mismatch', path: '', detail: null })
  if (validator === null) return ofTopic.length === 0 ? FITS : ofTopic
  const body = given ?? bodyOf(event)
  const ofBody = body === undefined ? (hasNoBody(event) ? NO_BODY : FITS) : validator(body)
  return ofTopic.length === 0 ? ofBody : [...ofTopic, ...ofBody]
}

/** Only a shape of Genesys's own must have a body. */
function hasNoBody(event: Event): boolean {
  return event.format === 'eventbridge' || event.format === 'notification'
}

const NO_BODY: readonly Finding[] = [{ class: 'changed_type', path: '', detail: 'object -> absent' }]
