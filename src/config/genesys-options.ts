/** The part of the configuration that is about Genesys Cloud: as it is written, and as it is used. */

export type GenesysInput = {
  /** Id of the Genesys Cloud organization, for records that do not name one. */
  readonly orgId?: string | null | undefined
  /** Region of the Genesys Cloud organization, such as `us-east-1` or `mypurecloud.de`, for everything that calls its API. */
  readonly region?: string | null | undefined
  /** Address that stands for login and API of the region, such as the simulated platform or a proxy. */
  readonly baseUrl?: string | null | undefined
  /** Id of an OAuth client with the grant "client credentials"; may be `env:NAME` or `file:PATH`. */
  readonly clientId?: string | null | undefined
  /** Secret of that OAuth client; may be `env:NAME` or `file:PATH`. */
  readonly clientSecret?: string | null | undefined
  /** How often the names of queues, users, divisions, wrap-up codes and flows are read anew. */
  readonly namesRefreshMs?: number | undefined
  /** Receives events over the notification WebSocket of Genesys Cloud; null does not. */
  readonly notifications?:
    | {
        /** Topic templates to subscribe to; `{id}` stands for each user, queue or conversation. */
        readonly topics: readonly string[]
        /** Ids of the users that topics of users are about; `*` means all. */
        readonly users?: readonly string[] | undefined
        /** Ids of the queues that topics of queues are about; `*` means all. */
        readonly queues?: readonly string[] | undefined
      }
    | null
    | undefined
  readonly reconcile?:
    | {
        /** How often open conversations and agents that have been silent for long are compared with the API, where an OAuth client is configured; null does it only on demand. */
        readonly everyMs?: number | null | undefined
        /** Who has been silent for so long is compared. */
        readonly silentMs?: number | undefined
        /** Conversations that one run asks for at most, a call each; of agents fifty count as one. */
        readonly maxPerRun?: number | undefined
        /** Whether presence and routing status of agents are compared too. */
        readonly agents?: boolean | undefined
      }
    | undefined
}

/** Complete and checked. */
export type GenesysConfig = {
  readonly orgId: string | null
  readonly region: string | null
  readonly baseUrl: string | null
  /** A secret. */
  readonly clientId: string | null
  /** A secret. */
  readonly clientSecret: string | null
  readonly namesRefreshMs: number
  readonly notifications: {
    readonly topics: readonly string[]
    readonly users: readonly string[]
    readonly queues: readonly string[]
  } | null
  readonly reconcile: {
    /** null: only on demand. */
    readonly everyMs: number | null
    readonly silentMs: number
    readonly maxPerRun: number
    readonly agents: boolean
  }
}
