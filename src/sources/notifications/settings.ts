/** What the notification source can be told, with what holds where nothing is said. All times are milliseconds of the handed-in clock. */

export type NotificationSettings = {
  /** Topic templates (`v2.users.{id}.presence`, `v2.detail.events.conversation.{id}.*`) or topics with real ids. */
  readonly topics: readonly string[]
  /** Whose user topics. */
  readonly users: 'all' | readonly string[]
  /** Which queues' topics. */
  readonly queues: 'all' | readonly string[]
  /** Ask for the topics of one conversation in one text. It saves room, but that Genesys takes it for detail events is not established. */
  readonly combineConversationTopics: boolean
  /** Channels for topics of single conversations, each with room for `topicsPerChannel`. */
  readonly conversationChannels: number
  /** Channels Genesys allows for this user and application; half of them carry topics, the other half is for renewing. */
  readonly maxChannels: number
  readonly topicsPerChannel: number
  readonly maxFrameBytes: number
  /** What may wait for the log before the sockets are no longer read. */
  readonly bufferBytes: number
  readonly bufferRecords: number
  /** Conversations a single gap is filled for at most. */
  readonly fillConversations: number
  readonly timing: NotificationTiming
}

export type NotificationTiming = {
  readonly connectTimeoutMs: number
  /** How often a ping asks the other side to prove that nothing is missing. */
  readonly pingEveryMs: number
  /** No frame for so long: suspicious (Genesys sends a heartbeat every 30 s). */
  readonly heartbeatTimeoutMs: number
  readonly pongTimeoutMs: number
  /** How long two channels run side by side when one takes over from the other. */
  readonly overlapMs: number
  /** A channel that lived this long was good: the next failure starts again with a short wait. */
  readonly stableMs: number
  readonly backoffBaseMs: number
  readonly backoffMaxMs: number
  /** How often users and queues are read again. */
  readonly refreshMs: number
  /** How long a conversation is followed after its end: after-call work and wrap-ups come late. */
  readonly lingerMs: number
  /** A conversation of which nothing was heard for so long is followed no more. */
  readonly forgottenMs: number
  readonly rememberEveryMs: number
  /** Taken off the last proof of wholeness: what Genesys published just before may not have reached the channel. */
  readonly proofMarginMs: number
  /** Wait after a gap before the API is asked: it answers for the past with a delay. */
  readonly fillDelayMs: number
  /** Conversations that ended so long before a gap are asked for too: after-call work may end in it. */
  readonly fillBeforeMs: number
  /** Live and reconstructed event are the same when their times differ by no more. */
  readonly toleranceMs: number
  readonly fillBackoffMs: number
  /** After so long without an answer a gap is reported as it is, unfilled. */
  readonly fillGiveUpMs: number
  /** How long `stop` waits for what is in the buffer. */
  readonly stopMs: number
}

export const DEFAULT_SETTINGS: Omit<NotificationSettings, 'topics'> = {
  users: 'all',
  queues: 'all',
  combineConversationTopics: false,
  conversationChannels: 4,
  maxChannels: 20,
  topicsPerChannel: 1_000,
  maxFrameBytes: 4 * 1024 * 1024,
  bufferBytes: 16 * 1024 * 1024,
  bufferRecords: 10_000,
  fillConversations: 20_000,
  timing: {
    connectTimeoutMs: 30_000,
    pingEveryMs: 15_000,
    heartbeatTimeoutMs: 35_000,
    pongTimeoutMs: 10_000,
    overlapMs: 60_000,
    stableMs: 60_000,
    backoffBaseMs: 1_000,
    backoffMaxMs: 30_000,
    refreshMs: 10 * 60_000,
    lingerMs: 5 * 60_000,
    forgottenMs: 12 * 3_600_000,
    rememberEveryMs: 5_000,
    proofMarginMs: 2_000,
    fillDelayMs: 30_000,
    fillBeforeMs: 15 * 60_000,
    toleranceMs: 2_000,
    fillBackoffMs: 10_000,
    fillGiveUpMs: 30 * 60_000,
    stopMs: 10_000,
  },
}
