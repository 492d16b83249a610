/** The numbers of Genesys Cloud that shape what a client must do; each can be changed for a test. */

export type Limits = {
  /** Life of an access token (300 s to 48 h on the real platform). */
  readonly tokenLifeMs: number
  /** Calls a minute and token. */
  readonly requestsPerMinute: number
  /** Whether a 429 says how long to wait; `sometimes` leaves it to chance. */
  readonly retryAfter: 'always' | 'sometimes' | 'never'
  /** Life of a channel, counted from its last subscription. */
  readonly channelLifeMs: number
  /** Channels of one client; one more evicts the least recently used, unconnected first. */
  readonly channelsPerClient: number
  readonly topicsPerChannel: number
  readonly heartbeatMs: number
  /** How long a socket lives after `v2.system.socket_closing`. */
  readonly closingNoticeMs: number
  readonly maxBodyBytes: number
  /** What may wait for a client that reads too slowly, before its socket is closed. */
  readonly maxBufferedBytes: number
  /** Largest page of a directory call. */
  readonly maxPageSize: number
  /** Topic templates the client has no permission for, each with the permission it lacks. */
  readonly forbiddenTopics: Readonly<Record<string, string>>
  /** Most deliveries kept for `truth()`; beyond it only the counts go on. */
  readonly maxDeliveries: number
}

export const GENESYS_LIMITS: Limits = {
  tokenLifeMs: 86_400_000,
  requestsPerMinute: 300,
  retryAfter: 'sometimes',
  channelLifeMs: 86_400_000,
  channelsPerClient: 20,
  topicsPerChannel: 1000,
  heartbeatMs: 30_000,
  closingNoticeMs: 60_000,
  maxBodyBytes: 1_048_576,
  maxBufferedBytes: 4 * 1_048_576,
  maxPageSize: 500,
  forbiddenTopics: {},
  maxDeliveries: 2_000_000,
}
