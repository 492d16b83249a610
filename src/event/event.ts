/**
 * The Event: one decoded Genesys event. Everything a stage may know about it is here, and nothing else:
 * no log position, no receipt handle, no HTTP request.
 *
 * `DecodedEvent` is what decode makes of bytes; `Event` is the same once the record has Trunkline's id and
 * its receipt time (given by the log on one machine, by the host in AWS).
 */

/** Which shape the record had. Said, never guessed silently: unrecognised shapes go to quarantine. */
export type EventFormat =
  /** Partner-bus envelope (`source: aws.partner/genesys.com...`, `detail.topicName`). */
  | 'eventbridge'
  /** The same envelope as a message of an EventBridge target DLQ (body + RULE_ARN, ERROR_CODE... attributes). */
  | 'eventbridge-dlq'
  /** Bare notification message of the WebSocket: `{topicName, eventBody, ...}`. */
  | 'notification'
  /** EventBridge-shaped envelope someone puts on a bus of their own (`source: "genesys.cloud"` and the like). */
  | 'custom-bus'
  /** Any other JSON object that names an event type and an entity id. */
  | 'webhook'
  /** A change of the state, put into the log by Trunkline itself (changes.ts). */
  | 'change'

/** What was peeled off round the event, outermost first. */
export type Layer = 'gzip' | 'base64' | 'sqs' | 'dlq'

/** What an event is about: used for per-entity order and for searches. */
export type Entity = { readonly kind: 'conversation' | 'user' | 'queue' | 'other'; readonly id: string }

/** What EventBridge said when it gave up on a target (attributes of the DLQ message). */
export type TargetFailure = {
  readonly ruleArn: string | null
  readonly targetArn: string | null
  readonly errorCode: string | null
  readonly errorMessage: string | null
  readonly exhaustedRetryCondition: string | null
  readonly retryAttempts: number | null
}

/** Facts that a consumer should see beside the event; never a reason to drop it. */
export type Mark =
  /** The envelope id was seen before with other content. */
  | 'id.reused'
  /** The topic is none of the known templates. */
  | 'topic.unknown'
  /** `topicName` does not align with the template in `detail-type`. */
  | 'topic.mismatch'
  /** Reconstructed from the REST API for a gap in the notifications: only fields that the API gives. */
  | 'backfill'
  /** Made of what the REST API says, because the state had missed it: only fields that the API gives. */
  | 'reconcile'
  /** Delivered after a later event of the same entity (redrive of a dead letter on an ordered route). */
  | 'order.late'
  /** Delivered again on request. */
  | 'redriven'
  /** Drift that the policy tags: the topic is unknown, or `topicName` does not fit it. */
  | 'drift.unknown_topic'
  | 'drift.topic_mismatch'
  /** Drift that the policy tags: the body has a field of another type, a new field, or a new value of an enum. */
  | 'drift.changed_type'
  | 'drift.new_field'
  | 'drift.new_value'

export type DecodedEvent = {
  readonly format: EventFormat
  readonly layers: readonly Layer[]
  /** Canonical envelope `source`. For shapes that have none: `genesys.notifications`, `webhook`. */
  readonly source: string
  readonly orgId: string | null
  /** The envelope's own `id`; null where the shape has none. */
  readonly envelopeId: string | null
  /** Topic template with literal `{id}` (canonical `detail-type`). */
  readonly topic: string
  /** Topic with real ids. */
  readonly topicName: string
  /** The values that stood for `{id}`, in order; empty when `topicName` does not fit the template. */
  readonly params: readonly string[]
  readonly entity: Entity | null
  readonly conversationId: string | null
  readonly queueId: string | null
  readonly userId: string | null
  /** Business time, epoch ms; null when the body has none. */
  readonly occurredAtMs: number | null
  /** Publish time (`detail.timestamp`, else envelope `time`), epoch ms. */
  readonly publishedAtMs: number | null
  readonly marks: readonly Mark[]
  /** Only for format `eventbridge-dlq`. */
  readonly failure: TargetFailure | null
  /**
   * 16 bytes that are equal for two records that are the same event; null when nothing in the record can tell
   * a repetition from a legitimate repeat. See identity.ts.
   */
  readonly key: Uint8Array | null
  readonly keyKind: 'semantic' | 'transport' | 'none'
  /** 16 bytes of hash over source + envelope id, for the mark `id.reused`; null without an envelope id. */
  readonly envelopeKey: Uint8Array | null
  /** The bytes of the event itself (layers removed, otherwise exactly as received). Always UTF-8 JSON text of an object. */
  readonly raw: Uint8Array
}

export type Event = DecodedEvent & {
  /** Trunkline's own id, unique for ever. */
  readonly id: string
  readonly receivedAtMs: number
  /** Id of the first receipt of the same event, when this record repeats it. */
  readonly duplicateOf: string | null
  /** True when an earlier attempt (ours or the queue's) has been made for this same record. */
  readonly redelivered: boolean
}

/** A record that is no event: why, and its exact bytes. */
export type DecodeFailure = {
  readonly code: `decode.${string}`
  readonly message: string
  readonly bytes: Uint8Array
}

export type Decoded = { readonly ok: true; readonly event: DecodedEvent } | ({ readonly ok: false } & DecodeFailure)
