/**
 * The types of the configuration: what users write (`TrunklineConfig`) and what the rest of Trunkline reads (`Config`,
 * complete and checked). Written by hand so that an editor shows them well; a test keeps keys, types and sentences
 * equal to the option table. No code beyond the identity function: a configuration file imports this.
 */
import type { GenesysConfig, GenesysInput } from './genesys-options.ts'

/** Types a configuration file: `export default defineConfig({ ... })`. Returns its argument unchanged. */
export function defineConfig(config: TrunklineConfig): TrunklineConfig {
  return config
}

/** What a configuration file exports. Every key is optional unless it says otherwise. */
export type TrunklineConfig = {
  readonly http?:
    | {
        /** Address the HTTP server listens on; anything but loopback needs a token. */
        readonly host?: string | undefined
        /** Port of the HTTP server; 0 takes a free one. */
        readonly port?: number | undefined
        /** Largest request body; a larger one is answered 413. */
        readonly maxBodyBytes?: number | undefined
        /** Connections open at once; further ones are refused. */
        readonly maxConnections?: number | undefined
        /** Time a client has to send its request headers. */
        readonly headersTimeoutMs?: number | undefined
        /** Time a client has to send its whole request. */
        readonly requestTimeoutMs?: number | undefined
        /** Host names accepted in Host and Origin headers besides loopback and `http.host`, for tunnels and proxies. */
        readonly allowHosts?: readonly string[] | undefined
      }
    | undefined
  /** Folder of everything Trunkline keeps; one process at a time may use it. */
  readonly dataDir?: string | undefined
  readonly log?:
    | {
        /** Size at which a segment file of the log is closed and the next one begun. */
        readonly segmentBytes?: number | undefined
        /** Size the whole log may reach; settled events are deleted first, unsettled ones never. */
        readonly maxBytes?: number | undefined
        /** Age after which settled events are deleted. */
        readonly maxAgeMs?: number | undefined
        /** Free disk space below which intake answers 503. */
        readonly minFreeBytes?: number | undefined
      }
    | undefined
  readonly quarantine?:
    | {
        /** Size the quarantine may reach; the oldest records leave first and are counted. */
        readonly maxBytes?: number | undefined
      }
    | undefined
  readonly dedupe?:
    | {
        /** How long a repetition is recognised; null means as long as the log keeps the first one. */
        readonly windowMs?: number | null | undefined
      }
    | undefined
  readonly genesys?: GenesysInput | undefined
  readonly schemas?:
    | {
        /** Folder with JSON Schemas of your own, or those of `trunkline schemas pull`; they go before the shipped ones. */
        readonly dir?: string | null | undefined
        /** What happens to events that drift: `accept`, `tag` or `quarantine` by topic (or `*`), and by class within it. */
        readonly policy?: PolicyInput | undefined
      }
    | undefined
  readonly state?:
    | {
        /** Whether the state of conversations, agents and queues is made of the events. */
        readonly enabled?: boolean | undefined
        /** How much older than the newest an event may be to change a conversation that is closed. */
        readonly horizonMs?: number | undefined
        /** How far ahead of its receipt an event may be dated to be part of the state. */
        readonly skewMs?: number | undefined
        /** How long nothing must have been heard of a finished conversation before routes with `changes` are given it. */
        readonly quietMs?: number | undefined
        /** An answer counts as in time, for the service level, when the wait was no longer; for queues of which neither `state.serviceLevels` nor Genesys Cloud says more. */
        readonly serviceTargetMs?: number | undefined
        /** Who gives up sooner than that does not count for the service level. */
        readonly shortAbandonMs?: number | undefined
        /** Target and short-abandon threshold of single queues, by id or name, such as `{ Sales: { targetMs: 30000, shortAbandonMs: 5000 } }`. */
        readonly serviceLevels?: Readonly<Record<string, ServiceLevelInput | undefined>> | undefined
      }
    | undefined
  /** The routes by name (`[a-z][a-z0-9-]{0,40}`); when absent, one route `out` writes every event to `<dataDir>/out`. */
  readonly routes?: Readonly<Record<string, RouteInput>> | undefined
}

/** Service level of one queue; what is left out is as for the others. */
export type ServiceLevelInput = { readonly targetMs?: number | undefined; readonly shortAbandonMs?: number | undefined }

/** One route as users write it. */
export type RouteInput = {
  /** Topic templates taken literally, `*` for the rest of a segment or, at the end, the rest; null means all topics. */
  readonly topics?: readonly string[] | null | undefined
  /** Event pattern of EventBridge, over `source`, `detail-type` and `detail`; null takes every event of the topics. */
  readonly match?: EventPattern | null | undefined
  /** Queues whose events are taken, by id or by name; null takes those of all. */
  readonly queues?: readonly string[] | null | undefined
  /** Media types whose events are taken, in any case; null takes those of all. */
  readonly mediaTypes?: readonly string[] | null | undefined
  /** Divisions whose events are taken, by id or by name; null takes those of all. */
  readonly divisions?: readonly string[] | null | undefined
  /** What becomes of topics that carry no queue, media type or division where one is asked for. */
  readonly otherTopics?: 'pass' | 'drop' | null | undefined
  /** Takes changes of the state in place of events: with `conversation` each conversation once it has finished; null takes events. */
  readonly changes?: 'conversation' | null | undefined
  /** Where a new route begins: with events that arrive from now on, or with the oldest in the log. */
  readonly from?: 'latest' | 'earliest' | undefined
  /** Whether repetitions of an event are left out. */
  readonly dedupe?: boolean | undefined
  /** Whether `schemas.policy` applies to the events of the route. */
  readonly validate?: boolean | undefined
  /** Whether the route gets events that were made of what the API says: for a gap in the notifications, or to repair the state. */
  readonly backfill?: boolean | undefined
  /** Whether the names behind ids are delivered beside the event. */
  readonly names?: boolean | undefined
  /** Lets events through at a rate, each key by itself; null lets all through. */
  readonly limit?:
    | {
        /** Topics the limit is for, as in `topics`; null means all of the route. */
        readonly topics?: readonly string[] | null | undefined
        /** What has a rate of its own: each `queue`, `user` or `topic`, each value at a path of the envelope such as `detail.eventBody.mediaType`; with `conversation` conversations are counted, and kept or dropped whole. */
        readonly per: string
        /** Events of one key that are let through in a second, on average. */
        readonly perSecond: number
        /** Events of one key that may come at once; null means as many as a second gives. */
        readonly burst?: number | null | undefined
        /** What happens to events above the rate: `delay`, `drop`, `sample` (some pass beside it), or `latest` (the newest of each entity and topic waits). */
        readonly overflow?: OverflowPolicy | undefined
        /** With `sample`, one in so many of the events above the rate passes. */
        readonly sampleOneIn?: number | undefined
        /** Rates of single keys, such as `{ Sales: { perSecond: 20 } }`, queues and divisions by id or name; null never limits the key, but a `priority` below `dropBelow` goes before it. */
        readonly limits?: Readonly<Record<string, LimitRate | null>> | undefined
        /** Lets some keys pass and drops others, by numbers that you give them; null treats all alike. */
        readonly priority?:
          | {
              /** Numbers by key, queue or division (id or name); what has none is limited as the rest. */
              readonly of?: Readonly<Record<string, number>> | undefined
              /** Numbers for the queues of the directory by their names and divisions, such as `[{ queue: 'VIP*', priority: 9 }]`; the first that fits, after `of`. */
              readonly rules?: readonly PriorityRuleInput[] | undefined
              /** Events of a lower priority are dropped, whatever `limits` says of their key; null drops none. */
              readonly dropBelow?: number | null | undefined
              /** Events of this or a higher priority are not limited; null limits all. */
              readonly unlimitedFrom?: number | null | undefined
            }
          | null
          | undefined
      }
    | null
    | undefined
  /** Keeps the order of events within an entity; null delivers in any order. */
  readonly order?:
    | {
        /** The entity whose events keep their order. */
        readonly by: OrderBy
        /** How long an event may wait for older ones, so that they are delivered in the order of business time; null keeps the order of arrival. */
        readonly windowMs?: number | null | undefined
        /** What happens to an event that is older than what its entity has been delivered: `deliver` (marked), `drop` or `deadletter`. */
        readonly late?: LatePolicy | undefined
      }
    | null
    | undefined
  readonly sink: HttpSinkInput | FileSinkInput | FunctionSinkInput
  readonly retry?:
    | {
        /** Attempts before an event becomes a dead letter. */
        readonly maxAttempts?: number | undefined
        /** Longest wait before the second attempt; it doubles with each further one. */
        readonly baseMs?: number | undefined
        /** Longest wait between two attempts. */
        readonly maxMs?: number | undefined
      }
    | undefined
  /** How far the route may fall behind before its oldest events are dropped and counted; null never drops. */
  readonly backlog?:
    | {
        /** Age at which waiting events of the route are dropped. */
        readonly maxAgeMs: number
      }
    | {
        /** Size of the backlog at which the oldest waiting events of the route are dropped. */
        readonly maxBytes: number
      }
    | null
    | undefined
  /** Holds the route: its events wait and no attempt is made. */
  readonly paused?: boolean | undefined
}

export type HttpSinkInput = {
  /** Where the events of the route go. */
  readonly type: 'http'
  /** Address that events are posted to, http or https, without credentials; may be `env:NAME` or `file:PATH`. */
  readonly url: string
  /** Headers sent with every request; each value may be `env:NAME` or `file:PATH`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Time the receiver has to answer, or the function to return. */
  readonly timeoutMs?: number | undefined
  /** Requests under way at once. */
  readonly concurrency?: number | undefined
}

export type FileSinkInput = {
  /** Where the events of the route go. */
  readonly type: 'file'
  /** Folder the NDJSON files are written to. */
  readonly dir: string
  /** Size at which a file is closed and the next one begun. */
  readonly maxFileBytes?: number | undefined
}

export type FunctionSinkInput = {
  /** Where the events of the route go. */
  readonly type: 'function'
  /** Module that exports the function; it runs in a process of its own. */
  readonly module: string
  /** Name of the exported function. */
  readonly export?: string | undefined
  /** Time the receiver has to answer, or the function to return. */
  readonly timeoutMs?: number | undefined
  /** Calls of the function under way at once. */
  readonly calls?: number | undefined
  /** JavaScript heap that the process of the function may use. */
  readonly maxMemoryBytes?: number | undefined
}

/** An event pattern as EventBridge has it: fields, and for each a list of what it may be. */
export type EventPattern = Readonly<Record<string, unknown>>

export type OrderBy = 'conversation' | 'user' | 'queue' | 'entity'

export type OverflowPolicy = 'delay' | 'drop' | 'sample' | 'latest'

/** `burst`: how many may come at once; left out, as many as a second gives. */
export type LimitRate = { readonly perSecond: number; readonly burst?: number | null | undefined }

/** A number for queues whose name, or whose division's name or id, fits; `*` stands for any text. */
export type PriorityRuleInput = {
  readonly queue?: string | null | undefined
  readonly division?: string | null | undefined
  readonly priority: number
}

export type LatePolicy = 'deliver' | 'drop' | 'deadletter'

/** What to do with an event that drifted: deliver it, deliver it with a mark, or keep it as a dead letter. */
export type PolicyAction = 'accept' | 'tag' | 'quarantine'

/** By topic template, topic with `*` at its end, or `*`: an action, or actions by class of drift (`*` for the others). */
export type PolicyInput = Readonly<Record<string, PolicyAction | Readonly<Record<string, PolicyAction>>>>

/** Where the value of an option came from. */
export type Origin = 'default' | 'file' | 'env' | 'flag'

/** The effective configuration: complete, checked, secrets resolved, every folder an absolute path. */
export type Config = {
  /** The configuration file; null when there is none. */
  readonly file: string | null
  readonly http: {
    readonly host: string
    readonly port: number
    readonly maxBodyBytes: number
    readonly maxConnections: number
    readonly headersTimeoutMs: number
    readonly requestTimeoutMs: number
    readonly allowHosts: readonly string[]
  }
  readonly dataDir: string
  readonly log: {
    readonly segmentBytes: number
    readonly maxBytes: number
    readonly maxAgeMs: number
    readonly minFreeBytes: number
  }
  readonly quarantine: { readonly maxBytes: number }
  readonly dedupe: { readonly windowMs: number | null }
  readonly genesys: GenesysConfig
  readonly schemas: { readonly dir: string | null; readonly policy: PolicyInput }
  readonly state: {
    readonly enabled: boolean
    readonly horizonMs: number
    readonly skewMs: number
    readonly quietMs: number
    readonly serviceTargetMs: number
    readonly shortAbandonMs: number
    /** By id or name of a queue. */
    readonly serviceLevels: Readonly<Record<string, { readonly targetMs: number | null; readonly shortAbandonMs: number | null }>>
  }
  /** In the order of the file. */
  readonly routes: readonly RouteConfig[]
  /** Origin of each option by its path, such as `routes.crm.sink.url`. */
  readonly origins: Readonly<Record<string, Origin>>
}

export type RouteConfig = {
  readonly name: string
  /** null means all topics. */
  readonly topics: readonly string[] | null
  readonly match: EventPattern | null
  readonly queues: readonly string[] | null
  readonly mediaTypes: readonly string[] | null
  readonly divisions: readonly string[] | null
  readonly otherTopics: 'pass' | 'drop' | null
  /** What an event must match, all of them: `match`, and what queues, media types and divisions come to. */
  readonly patterns: readonly EventPattern[]
  readonly changes: 'conversation' | null
  readonly from: 'latest' | 'earliest'
  readonly dedupe: boolean
  readonly validate: boolean
  readonly backfill: boolean
  readonly names: boolean
  readonly limit: LimitConfig | null
  readonly order: OrderConfig | null
  readonly sink: HttpSinkConfig | FileSinkConfig | FunctionSinkConfig
  readonly retry: { readonly maxAttempts: number; readonly baseMs: number; readonly maxMs: number }
  readonly backlog: { readonly maxAgeMs: number } | { readonly maxBytes: number } | null
  readonly paused: boolean
}

export type LimitConfig = {
  readonly topics: readonly string[] | null
  readonly per: string
  readonly perSecond: number
  readonly burst: number | null
  readonly overflow: OverflowPolicy
  readonly sampleOneIn: number
  readonly limits: Readonly<Record<string, LimitRate | null>>
  readonly priority: {
    readonly of: Readonly<Record<string, number>>
    readonly rules: readonly PriorityRule[]
    readonly dropBelow: number | null
    readonly unlimitedFrom: number | null
  } | null
}

export type PriorityRule = { readonly queue: string | null; readonly division: string | null; readonly priority: number }

export type OrderConfig = {
  readonly by: OrderBy
  /** null keeps the order of arrival. */
  readonly windowMs: number | null
  readonly late: LatePolicy
}

export type HttpSinkConfig = {
  readonly type: 'http'
  readonly url: string
  /** The address as it may be shown: query string masked, all of it masked when it came from `env:` or `file:`. */
  readonly shownUrl: string
  /** Names in lower case; values are secrets. */
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly concurrency: number
}

export type FileSinkConfig = { readonly type: 'file'; readonly dir: string; readonly maxFileBytes: number }

export type FunctionSinkConfig = {
  readonly type: 'function'
  /** Absolute path. */
  readonly module: string
  readonly export: string
  readonly timeoutMs: number
  readonly calls: number
  readonly maxMemoryBytes: number
}
