/**
 * The calls of the Genesys Cloud Platform API that Trunkline needs, as a port: the client of this folder implements it,
 * sources and directories use it. Every call keeps the rate budget, renews the token and repeats what is transient, and
 * rejects with a coded TrunklineError (`genesys.*`) that says what to do. Shapes: only the fields that are read.
 */

export type Named = { readonly id: string; readonly name: string }

export type Organization = Named & { readonly domain: string | null }

export type Queue = Named & { readonly divisionId: string | null; readonly serviceGoals: readonly ServiceGoal[] }

/** Of a queue, for one medium: such a share (0..1) of interactions is to be answered within `targetMs`. */
export type ServiceGoal = { readonly mediaType: GoalMedium; readonly targetMs: number; readonly share: number | null }

/** Media that have goals, as events write them. */
export type GoalMedium = 'VOICE' | 'CALLBACK' | 'CHAT' | 'EMAIL' | 'MESSAGE'

export type User = Named & { readonly email: string | null; readonly divisionId: string | null; readonly state: string | null }

/** A notification channel: one WebSocket at `connectUri`, until `expiresAtMs`. */
export type Channel = { readonly id: string; readonly connectUri: string; readonly expiresAtMs: number }

/** Answer to a subscription, one a topic. */
export type TopicState = {
  readonly topic: string
  readonly permitted: boolean
  readonly reason: string | null
  readonly missingPermissions: readonly string[]
}

/** A conversation as the analytics details query gives it. Times are ISO texts; everything may be absent. */
export type ConversationDetail = {
  readonly conversationId: string
  readonly conversationStart?: string
  readonly conversationEnd?: string
  readonly originatingDirection?: string
  readonly divisionIds?: readonly string[]
  readonly participants?: readonly ParticipantDetail[]
}

export type ParticipantDetail = {
  readonly participantId?: string
  /** `customer`, `external`, `acd`, `ivr`, `agent`, `user`, `voicemail`, ... */
  readonly purpose?: string
  readonly userId?: string
  readonly externalContactId?: string
  readonly externalOrganizationId?: string
  readonly sessions?: readonly SessionDetail[]
}

export type SessionDetail = {
  readonly sessionId?: string
  readonly mediaType?: string
  readonly provider?: string
  readonly direction?: string
  readonly ani?: string
  readonly dnis?: string
  readonly addressFrom?: string
  readonly addressTo?: string
  readonly messageType?: string
  readonly flow?: {
    readonly flowId?: string
    readonly flowType?: string
    readonly flowVersion?: string
    readonly exitReason?: string
    readonly transferType?: string
  }
  readonly segments?: readonly SegmentDetail[]
}

export type SegmentDetail = {
  readonly segmentStart?: string
  readonly segmentEnd?: string
  /** `ivr`, `delay`, `alert`, `interact`, `hold`, `wrapup`, `dialing`, `contacting`, `voicemail`, `system`, ... */
  readonly segmentType?: string
  readonly queueId?: string
  readonly disconnectType?: string
  readonly wrapUpCode?: string
  readonly wrapUpNote?: string
}

/** What a user is doing, as `GET /api/v2/users` with `expand` tells it. A part that the answer leaves out is null: expanding is best effort. */
export type UserStatus = {
  readonly id: string
  readonly presence: {
    /** `On Queue`, `AVAILABLE`, ...: the API and events do not write it alike. */
    readonly systemPresence: string
    readonly definitionId: string | null
    /** ISO text. */
    readonly modifiedDate: string | null
  } | null
  readonly routingStatus: { readonly status: string; readonly startTime: string | null } | null
}

export interface Platform {
  organization(signal?: AbortSignal): Promise<Organization>
  /** Every queue, all pages. */
  queues(signal?: AbortSignal): Promise<readonly Queue[]>
  /** Every active user, all pages. */
  users(signal?: AbortSignal): Promise<readonly User[]>
  divisions(signal?: AbortSignal): Promise<readonly Named[]>
  wrapupCodes(signal?: AbortSignal): Promise<readonly Named[]>
  flows(signal?: AbortSignal): Promise<readonly Named[]>
  /** GET /api/v2/conversations/{id}; null when there is none. The answer is passed on as it is. */
  conversation(id: string, signal?: AbortSignal): Promise<Readonly<Record<string, unknown>> | null>
  /** One conversation as analytics has it (GET /api/v2/analytics/conversations/{id}/details), also when it is over; null when there is none. */
  conversationDetail(id: string, signal?: AbortSignal): Promise<ConversationDetail | null>
  /** What these users are doing now, some dozens a call. Those that the answer leaves out are unknown, or not to be seen by this client. */
  userStatuses(ids: readonly string[], signal?: AbortSignal): Promise<readonly UserStatus[]>
  /** Conversations active between two instants (analytics details query), page by page. */
  conversationDetails(range: { readonly fromMs: number; readonly toMs: number }, signal?: AbortSignal): AsyncIterable<ConversationDetail>
  /** PATCH participant attributes; values are texts. */
  patchAttributes(
    conversationId: string,
    participantId: string,
    attributes: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<void>
  /** Topics with schemas as the live API lists them (availabletopics?expand=schema,...); passed on as they are. */
  availableTopics(signal?: AbortSignal): Promise<readonly Readonly<Record<string, unknown>>[]>

  createChannel(signal?: AbortSignal): Promise<Channel>
  /** HEAD channels/{id}: whether the channel is still there. */
  channelExists(id: string, signal?: AbortSignal): Promise<boolean>
  /** POST channels/{id}/subscriptions with ignoreErrors: adds topics (which also extends the channel's life). */
  addTopics(channelId: string, topics: readonly string[], signal?: AbortSignal): Promise<readonly TopicState[]>
  /** PUT channels/{id}/subscriptions: replaces all topics. */
  replaceTopics(channelId: string, topics: readonly string[], signal?: AbortSignal): Promise<readonly TopicState[]>
}
