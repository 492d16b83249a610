/**
 * `trunkline/events`: the types of Genesys events, for the code that takes them. Types only; nothing of this entry is
 * there at run time.
 *
 * @example
 * ```ts
 * import type { Deliver } from 'trunkline/events'
 *
 * export const deliver: Deliver<'v2.detail.events.conversation.{id}.acd.end'> = async (event, { signal, idempotencyKey }) => {
 *   if (event.body.acdOutcome === 'ABANDON') await report(event.body.queueId, { signal, idempotencyKey })
 * }
 * ```
 *
 * @module
 */
import type { EventFormat, Mark } from './event/event.ts'
import type { EventBodies, UntypedTopic } from './event-types/generated/bodies.ts'
import type { FinishedConversation } from './state/finished.ts'

export type { EventBodies, EventFormat, FinishedConversation, Mark, UntypedTopic }

/** A topic whose body has a type. `{id}` is literal: `v2.users.{id}.presence` stands for the presence of every user. */
export type Topic = keyof EventBodies

/** Every topic that Genesys documents. */
export type AnyTopic = Topic | UntypedTopic

/** The topic of what a route with `changes: 'conversation'` is given, and nobody else. */
export type FinishedTopic = 'trunkline.conversations.{id}.finished'

/** Every topic that a route can be given. */
export type DeliveredTopic = AnyTopic | FinishedTopic

/** The body of an event of topic `T`: what the schema says, or `unknown` where there is none. */
export type EventBody<T extends DeliveredTopic> = T extends FinishedTopic
  ? FinishedConversation
  : T extends Topic
    ? EventBodies[T]
    : unknown

/**
 * An event of one of the topics `T`. A union of topics gives a union of events that `topic` tells apart:
 * after `if (event.topic === 'v2.users.{id}.presence')` the body is that of a presence event.
 *
 * The body is what Genesys sent, unchecked: every field may be missing, and an enum may have a value that is new. A route with
 * `validate` decides what becomes of events that do not fit.
 */
export type TopicEvent<T extends DeliveredTopic = Topic> = T extends DeliveredTopic ? CustomEvent<T, EventBody<T>> : never

/**
 * An event of any documented topic. A route without `topics` also delivers what is not documented (yet, or because it is yours): keep a
 * branch for the rest.
 */
export type AnyEvent = TopicEvent<AnyTopic>

/** An event of a topic of your own, such as from a custom bus: `CustomEvent<'order.placed', Order>`. */
export type CustomEvent<T extends string, Body = unknown> = EventFacts & {
  /** Topic template, with the literal `{id}`. */
  readonly topic: T
  /** Genesys's `eventBody`; of shapes without one the whole `detail` (custom bus) or the whole object (webhook). */
  readonly body: Body
}

/** What code is told about this delivery, beside the event. */
export type DeliverContext = {
  /** True when this same record was attempted before: what that attempt did may be there already. */
  readonly redelivered: boolean
  /** The same for every attempt and every repetition of the event. Write with it, and twice is once. */
  readonly idempotencyKey: string
  /** Aborts when the time is up or the service stops. Hand it to `fetch`. */
  readonly signal: AbortSignal
}

/**
 * The function of a function sink. Returning (or resolving) means delivered. Throwing means: try again later; an error with
 * `permanent: true` means: never again, and the event becomes a dead letter.
 */
export type Deliver<T extends DeliveredTopic = AnyTopic> = (event: TopicEvent<T>, context: DeliverContext) => unknown

/** What every event says, whatever its topic. Instants are epoch milliseconds. */
export type EventFacts = {
  /** Trunkline's id; `trunkline explain` takes it. */
  readonly id: string
  /** The topic with its real ids. */
  readonly topicName: string
  /** What stands in `topicName` for each `{id}`, in order; empty when they do not fit. */
  readonly params: readonly string[]
  /** The shape the record came in. */
  readonly format: EventFormat
  /** The envelope's `source`. */
  readonly source: string
  readonly orgId: string | null
  /** The envelope's own id; null where the shape has none. */
  readonly envelopeId: string | null
  readonly conversationId: string | null
  readonly queueId: string | null
  readonly userId: string | null
  /** When it happened; null when the body has no time. */
  readonly occurredAtMs: number | null
  /** When Genesys published it; null when the record does not say. */
  readonly publishedAtMs: number | null
  /** When Trunkline received it. */
  readonly receivedAtMs: number
  readonly marks: readonly Mark[]
  /** Names of the ids in the body, on a route with `names`; otherwise null. */
  readonly names: Readonly<Record<string, unknown>> | null
  /** The record's own bytes, JSON in UTF-8: for archives and signatures, and for numbers beyond 2^53. */
  readonly raw: Uint8Array
}
