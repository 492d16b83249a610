/**
 * What the simulated contact centre shows to those that play it: the stream of what Genesys would publish, the names
 * behind the ids, what the REST API would answer, and the truth to compare with. Types only; the model is in `model/`.
 */
import type { ConversationDetail } from '../genesys/platform.ts'

export type CentreNamed = { readonly id: string; readonly name: string }

export type CentreQueue = CentreNamed & {
  readonly divisionId: string
  /** Service level: `percentage` (0..1) of interactions answered within `durationMs`. */
  readonly serviceTarget: { readonly percentage: number; readonly durationMs: number }
}

export type CentreUser = CentreNamed & { readonly email: string; readonly divisionId: string; readonly queueIds: readonly string[] }

/** The fixtures of the centre: the same for the same seed and sizes. */
export type Centre = {
  readonly organization: CentreNamed
  readonly divisions: readonly CentreNamed[]
  readonly queues: readonly CentreQueue[]
  readonly users: readonly CentreUser[]
  readonly wrapupCodes: readonly CentreNamed[]
  readonly flows: readonly (CentreNamed & { readonly type: string })[]
  /** Partner-bus `source` of the envelopes. */
  readonly source: string
}

/** One thing that Genesys publishes, before any fault is added to it. */
export type Emission = {
  /** Counts the emissions taken, from 0. */
  readonly number: number
  /** When it is published, epoch ms; never falls from one emission to the next. */
  readonly publishedAtMs: number
  /** Topic template. */
  readonly topic: string
  /** Topic with ids. */
  readonly topicName: string
  /** Parsed when first asked for. */
  readonly body: Readonly<Record<string, unknown>>
  /** The body as JSON. */
  readonly bodyText: string
  readonly correlationId: string
}

/** True state of one conversation, kept by the model itself and not folded from events. */
export type ConversationTruth = {
  readonly id: string
  readonly mediaType: string
  readonly startedAtMs: number
  /** Null while open. */
  readonly endedAtMs: number | null
  /** Ended, and no agent is at work on it. */
  readonly finished: boolean
  readonly queueVisits: readonly {
    readonly queueId: string
    readonly enteredAtMs: number
    readonly leftAtMs: number | null
    /** `ANSWERED`, `ABANDON`, `FLOW_OUT`; null while waiting. */
    readonly outcome: string | null
  }[]
  readonly agentLegs: readonly {
    readonly userId: string
    readonly queueId: string | null
    readonly startedAtMs: number
    readonly endedAtMs: number | null
    readonly talkMs: number
    readonly heldMs: number
    readonly acwMs: number
    readonly wrapupCode: string | null
  }[]
  readonly attributes: Readonly<Record<string, string>>
}

export type AgentTruth = {
  readonly userId: string
  readonly presence: string
  readonly presenceSinceMs: number
  readonly routingStatus: string
  readonly routingStatusSinceMs: number
  readonly conversationIds: readonly string[]
}

export type QueueTruth = {
  readonly queueId: string
  readonly waiting: number
  readonly longestWaitSinceMs: number | null
  readonly interacting: number
  readonly entered: number
  readonly answered: number
  readonly abandoned: number
  readonly flowOut: number
}

export type Truth = {
  readonly atMs: number
  readonly emitted: number
  readonly conversations: readonly ConversationTruth[]
  readonly agents: readonly AgentTruth[]
  readonly queues: readonly QueueTruth[]
}

/** What somebody was doing at an instant, as far as it had been told by then. */
export type UserNow = {
  readonly presence: string
  readonly presenceDefinitionId: string
  readonly presenceSinceMs: number
  readonly routingStatus: string
  readonly routingStatusSinceMs: number
}

/** A running simulation. Pure: the same options give the same emissions, answers and truth. */
export type Simulation = {
  readonly centre: Centre
  /** Time of the model: that of the last emission taken. */
  readonly nowMs: number
  /** The next emission in order, or null when the duration is over and everything under way has been told. */
  next(): Emission | null
  /** When the next emission is published, or null at the end; takes nothing. */
  peekAtMs(): number | null
  /** What the analytics details query would say of a conversation now; null when it is unknown or forgotten. */
  conversation(id: string): ConversationDetail | null
  /** Conversations whose time overlaps the range, as known now. */
  conversationsBetween(fromMs: number, toMs: number): readonly ConversationDetail[]
  /** What the API would say of a user now; null when there is none. */
  user(id: string): UserNow | null
  /** A participant's attributes are changed from outside (PATCH): Genesys publishes an attributes event. False when there is no such participant. */
  setAttributes(conversationId: string, participantId: string, attributes: Readonly<Record<string, string>>): boolean
  /** The true state now. */
  truth(): Truth
}
