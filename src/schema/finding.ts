/**
 * What validation finds in one event's body, and the ways a topic can drift from its schema. Nothing of the event's own
 * content is in a finding but names of fields and values of open enums that look like names: the report holds no
 * personal data.
 */

/** The ways traffic can differ from what the schemas say, worst first. */
export const DRIFT_CLASSES = [
  /** The topic is none of the known templates. */
  'unknown_topic',
  /** `topicName` does not fit the template in `detail-type`. */
  'topic_mismatch',
  /** A field has another JSON type than the schema says. */
  'changed_type',
  /** A field that the schema does not have. */
  'new_field',
  /** A value that is none of an open enum's known ones (`x-known-values`). */
  'new_value',
  /** A field that was in nearly all events of a topic and stopped coming. Found over many events, never in one. */
  'field_gone',
] as const

export type DriftClass = (typeof DRIFT_CLASSES)[number]

/** What to do with an event that has a finding: deliver it, deliver it with a mark, or keep it as a dead letter. */
export const POLICY_ACTIONS = ['accept', 'tag', 'quarantine'] as const

export type PolicyAction = (typeof POLICY_ACTIONS)[number]

export type Finding = {
  readonly class: DriftClass
  /** Where, as `queueId`, `participants[].sessions[].state` or `attributes.*`; empty when the whole topic is meant. */
  readonly path: string
  /** The new value, or `string -> number`; null when there is nothing to add, or nothing that may be shown. */
  readonly detail: string | null
}

/** Judges the body of one event; an empty list means that it fits. Never throws. */
export type Validator = (body: unknown) => readonly Finding[]
