/**
 * The one option table. Validation, unknown-key errors, defaults, the printed configuration and the reference page
 * all come from it; an option that is not here does not exist.
 *
 * `*` in a path stands for a route name. Quantities are plain numbers, with the unit in the name.
 */

/** `folder` is a path made absolute; `headers` a record of texts; `group` an object that may be null; `routes` the record of routes. */
export type OptionType = 'text' | 'integer' | 'boolean' | 'choice' | 'list' | 'url' | 'headers' | 'folder' | 'group' | 'routes'

export type Option = {
  /** Place in the configuration file; null for what only the environment or a flag can set. */
  readonly path: string | null
  readonly type: OptionType
  readonly unit?: 'ms' | 'bytes'
  /** Value when nothing sets it. Absent: required, or (in `backlog`) simply left out. */
  readonly default?: string | number | boolean | null | readonly string[] | Readonly<Record<string, string>>
  readonly required?: true
  readonly nullable?: true
  /** Integers are never below `min` (0 when not given) nor above `max`. */
  readonly min?: number
  readonly max?: number
  readonly choices?: readonly string[]
  /** A text, or each entry of a list, must match; `form` says in words what it then is. */
  readonly pattern?: RegExp
  readonly form?: string
  /** Only a sink of this type has the option. */
  readonly sink?: 'http' | 'file'
  /** May be `env:NAME` or `file:PATH`, and is never printed. */
  readonly secret?: true
  readonly env?: string
  readonly flag?: string
  /** One sentence. */
  readonly description: string
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const DAY_MS = 24 * 60 * 60 * 1000
/** Longest delay a timer of Node can have. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** A host name, an IPv4 or an IPv6 address; no scheme, no port. */
const HOST = /^(?:[A-Za-z0-9][A-Za-z0-9._-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/

export const OPTIONS: readonly Option[] = [
  {
    path: 'http.host',
    type: 'text',
    default: '127.0.0.1',
    pattern: HOST,
    form: 'a host name or address without scheme and port',
    env: 'TRUNKLINE_HOST',
    flag: '--host',
    description: 'Address the HTTP server listens on; anything but loopback needs a token.',
  },
  {
    path: 'http.port',
    type: 'integer',
    default: 4680,
    max: 65_535,
    env: 'TRUNKLINE_PORT',
    flag: '--port',
    description: 'Port of the HTTP server; 0 takes a free one.',
  },
  {
    path: 'http.maxBodyBytes',
    type: 'integer',
    unit: 'bytes',
    default: 16 * MIB,
    min: KIB,
    max: GIB,
    description: 'Largest request body; a larger one is answered 413.',
  },
  {
    path: 'http.maxConnections',
    type: 'integer',
    default: 1024,
    min: 1,
    max: 65_535,
    description: 'Connections open at once; further ones are refused.',
  },
  {
    path: 'http.headersTimeoutMs',
    type: 'integer',
    unit: 'ms',
    default: 10_000,
    min: 1,
    max: MAX_TIMER_MS,
    description: 'Time a client has to send its request headers.',
  },
  {
    path: 'http.requestTimeoutMs',
    type: 'integer',
    unit: 'ms',
    default: 30_000,
    min: 1,
    max: MAX_TIMER_MS,
    description: 'Time a client has to send its whole request.',
  },
  {
    path: 'http.allowHosts',
    type: 'list',
    default: [],
    pattern: HOST,
    form: 'a host name without scheme and port',
    flag: '--allow-host',
    description: 'Host names accepted in Host and Origin headers besides loopback and `http.host`, for tunnels and proxies.',
  },
  {
    path: 'dataDir',
    type: 'folder',
    default: '.trunkline',
    env: 'TRUNKLINE_DATA_DIR',
    flag: '--data-dir',
    description: 'Folder of everything Trunkline keeps; one process at a time may use it.',
  },
  {
    path: 'log.segmentBytes',
    type: 'integer',
    unit: 'bytes',
    default: 64 * MIB,
    min: 4 * KIB,
    max: GIB,
    description: 'Size at which a segment file of the log is closed and the next one begun.',
  },
  {
    path: 'log.maxBytes',
    type: 'integer',
    unit: 'bytes',
    default: 10 * GIB,
    min: 64 * KIB,
    description: 'Size the whole log may reach; settled events are deleted first, unsettled ones never.',
  },
  {
    path: 'log.maxAgeMs',
    type: 'integer',
    unit: 'ms',
    default: 7 * DAY_MS,
    min: 1000,
    description: 'Age after which settled events are deleted.',
  },
  {
    path: 'log.minFreeBytes',
    type: 'integer',
    unit: 'bytes',
    default: 256 * MIB,
    description: 'Free disk space below which intake answers 503.',
  },
  {
    path: 'quarantine.maxBytes',
    type: 'integer',
    unit: 'bytes',
    default: 256 * MIB,
    min: 64 * KIB,
    description: 'Size the quarantine may reach; the oldest records leave first and are counted.',
  },
  {
    path: 'dedupe.windowMs',
    type: 'integer',
    unit: 'ms',
    default: null,
    nullable: true,
    min: 1000,
    description: 'How long a repetition is recognised; null means as long as the log keeps the first one.',
  },
  {
    path: 'genesys.orgId',
    type: 'text',
    default: null,
    nullable: true,
    pattern: /^[A-Za-z0-9-]{1,64}$/,
    form: 'an organization id (letters, digits, hyphens)',
    description: 'Id of the Genesys Cloud organization, for records that do not name one.',
  },
  {
    path: 'routes',
    type: 'routes',
    description: 'The routes by name (`[a-z][a-z0-9-]{0,40}`); when absent, one route `out` writes every event to `<dataDir>/out`.',
  },
  {
    path: 'routes.*.topics',
    type: 'list',
    default: null,
    nullable: true,
    description: 'Topic templates taken literally, `*` for the rest of a segment or, at the end, the rest; null means all topics.',
  },
  {
    path: 'routes.*.from',
    type: 'choice',
    choices: ['latest', 'earliest'],
    default: 'latest',
    description: 'Where a new route begins: with events that arrive from now on, or with the oldest in the log.',
  },
  {
    path: 'routes.*.dedupe',
    type: 'boolean',
    default: true,
    description: 'Whether repetitions of an event are left out.',
  },
  {
    path: 'routes.*.order',
    type: 'group',
    default: null,
    nullable: true,
    description: 'Keeps arrival order within an entity; null delivers in any order.',
  },
  {
    path: 'routes.*.order.by',
    type: 'choice',
    choices: ['conversation', 'user', 'queue', 'entity'],
    required: true,
    description: 'The entity whose events keep their order.',
  },
  {
    path: 'routes.*.sink.type',
    type: 'choice',
    choices: ['http', 'file'],
    required: true,
    description: 'Where the events of the route go.',
  },
  {
    path: 'routes.*.sink.url',
    sink: 'http',
    type: 'url',
    required: true,
    secret: true,
    description: 'Address that events are posted to, http or https, without credentials; may be `env:NAME` or `file:PATH`.',
  },
  {
    path: 'routes.*.sink.headers',
    sink: 'http',
    type: 'headers',
    default: {},
    secret: true,
    description: 'Headers sent with every request; each value may be `env:NAME` or `file:PATH`.',
  },
  {
    path: 'routes.*.sink.timeoutMs',
    sink: 'http',
    type: 'integer',
    unit: 'ms',
    default: 10_000,
    min: 1,
    max: MAX_TIMER_MS,
    description: 'Time the receiver has to answer.',
  },
  {
    path: 'routes.*.sink.concurrency',
    sink: 'http',
    type: 'integer',
    default: 16,
    min: 1,
    max: 1024,
    description: 'Requests under way at once.',
  },
  {
    path: 'routes.*.sink.dir',
    sink: 'file',
    type: 'folder',
    required: true,
    description: 'Folder the NDJSON files are written to.',
  },
  {
    path: 'routes.*.sink.maxFileBytes',
    sink: 'file',
    type: 'integer',
    unit: 'bytes',
    default: 64 * MIB,
    min: KIB,
    description: 'Size at which a file is closed and the next one begun.',
  },
  {
    path: 'routes.*.retry.maxAttempts',
    type: 'integer',
    default: 16,
    min: 1,
    max: 1000,
    description: 'Attempts before an event becomes a dead letter.',
  },
  {
    path: 'routes.*.retry.baseMs',
    type: 'integer',
    unit: 'ms',
    default: 500,
    min: 1,
    max: MAX_TIMER_MS,
    description: 'Longest wait before the second attempt; it doubles with each further one.',
  },
  {
    path: 'routes.*.retry.maxMs',
    type: 'integer',
    unit: 'ms',
    default: 300_000,
    min: 1,
    max: MAX_TIMER_MS,
    description: 'Longest wait between two attempts.',
  },
  {
    path: 'routes.*.backlog',
    type: 'group',
    default: null,
    nullable: true,
    description: 'How far the route may fall behind before its oldest events are dropped and counted; null never drops.',
  },
  {
    path: 'routes.*.backlog.maxAgeMs',
    type: 'integer',
    unit: 'ms',
    min: 1000,
    description: 'Age at which waiting events of the route are dropped.',
  },
  {
    path: 'routes.*.backlog.maxBytes',
    type: 'integer',
    unit: 'bytes',
    min: KIB,
    description: 'Size of the backlog at which the oldest waiting events of the route are dropped.',
  },
  {
    path: 'routes.*.paused',
    type: 'boolean',
    default: false,
    description: 'Holds the route: its events wait and no attempt is made.',
  },
  {
    path: null,
    type: 'text',
    env: 'TRUNKLINE_CONFIG',
    flag: '--config',
    description: 'The configuration file, when it is not `trunkline.config.*` in the current folder.',
  },
  {
    path: null,
    type: 'text',
    env: 'TRUNKLINE_TOKEN',
    secret: true,
    description: 'The token that the service asks for and that client commands send; without it `start` makes one and stores it.',
  },
  {
    path: null,
    type: 'url',
    env: 'TRUNKLINE_URL',
    description: 'Address of the service that client commands talk to.',
  },
]
