/**
 * Facts: what single events say, and nothing of what they add up to. A state is a projection of the SET of its facts, so a fact
 * must be the same however often and in whatever order it is told: its key is its whole content. All fields are text, a
 * number or null, listed in FIELDS; comparing, writing down and reading back go by that list.
 */

/** Whose part in a conversation a session is. */
export type Side = 'customer' | 'flow' | 'acd' | 'user' | 'voicemail'

type Of<K extends string> = {
  readonly kind: K
  /** Id of the conversation or of the user that it is a fact of. */
  readonly of: string
  readonly atMs: number
}

/** A session began. */
export type Started = Of<'started'> & {
  readonly side: Side
  readonly sessionId: string
  readonly participantId: string | null
  readonly mediaType: string | null
  readonly direction: string | null
  readonly provider: string | null
  readonly messageType: string | null
  readonly from: string | null
  readonly to: string | null
  readonly userId: string | null
  readonly queueId: string | null
  readonly flowId: string | null
  readonly flowType: string | null
}

/** A session ended, and how its time was spent, where the event says so. */
export type Ended = Of<'ended'> & {
  readonly side: Side
  readonly sessionId: string
  readonly participantId: string | null
  readonly mediaType: string | null
  readonly userId: string | null
  readonly queueId: string | null
  readonly flowId: string | null
  readonly disconnectType: string | null
  /** `acdOutcome` of a queue, `exitReason` of a flow. */
  readonly outcome: string | null
  readonly answeredUserId: string | null
  readonly connectedMs: number | null
  readonly alertMs: number | null
  /** Contacting, dialing and calling back. */
  readonly dialMs: number | null
  readonly talkMs: number | null
  readonly holdMs: number | null
}

/** An agent's session came into another state (ALERT, INTERACT, HOLD, WRAPUP...). */
export type Phase = Of<'phase'> & {
  readonly sessionId: string
  readonly userId: string | null
  readonly queueId: string | null
  readonly mediaType: string | null
  readonly state: string
  readonly sessionStartMs: number | null
}

/** After-call work is done (`acw`), or a wrap-up code was chosen (`wrapup`). */
export type Wrapped = Of<'acw' | 'wrapup'> & {
  readonly sessionId: string
  readonly participantId: string | null
  readonly userId: string | null
  readonly queueId: string | null
  readonly wrapupCode: string | null
  readonly durationMs: number | null
}

/** Who the other party is. */
export type Contact = Of<'contact'> & { readonly contactId: string | null; readonly organizationId: string | null }

/** A flow reached an outcome. */
export type FlowOutcome = Of<'outcome'> & {
  readonly sessionId: string
  readonly flowId: string | null
  readonly outcomeId: string | null
  readonly value: string | null
}

/** The conversation belongs to an outbound campaign. */
export type Campaign = Of<'campaign'> & {
  readonly campaignId: string | null
  readonly contactListId: string | null
  readonly contactId: string | null
}

/** An attribute of a participant has this value. */
export type Attribute = Of<'attribute'> & { readonly participantId: string | null; readonly name: string; readonly value: string }

/** A whole communication as a snapshot of the conversation showed it; `atMs` is when it was shown. */
export type Seen = Of<'seen'> & {
  readonly side: Side
  readonly sessionId: string
  readonly participantId: string | null
  readonly mediaType: string | null
  readonly direction: string | null
  readonly provider: string | null
  readonly from: string | null
  readonly userId: string | null
  readonly queueId: string | null
  readonly state: string | null
  readonly disconnectType: string | null
  readonly wrapupCode: string | null
  readonly startedAtMs: number | null
  readonly endedAtMs: number | null
}

export type ConversationFact = Started | Ended | Phase | Wrapped | Contact | FlowOutcome | Campaign | Attribute | Seen

/** Presence (`ON_QUEUE`, `MEAL`...) since `atMs`. */
export type Presence = Of<'presence'> & { readonly presence: string; readonly definitionId: string | null }
/** Routing status (`IDLE`, `INTERACTING`...) since `atMs`. */
export type Routing = Of<'routing'> & { readonly status: string }
/** Joined or left one queue. */
export type Membership = Of<'membership'> & { readonly queueId: string; readonly change: 'joined' | 'left' }
/** All queues the user is active in, with a blank between. */
export type ActiveQueues = Of<'queues'> & { readonly queueIds: string }
export type OutOfOffice = Of<'outOfOffice'> & { readonly active: 'yes' | 'no' }
/** What Genesys itself counts for the user: conversations, and after-call work, over all media. */
export type Summary = Of<'summary'> & { readonly active: number; readonly acw: number }

export type AgentFact = Presence | Routing | Membership | ActiveQueues | OutOfOffice | Summary

export type Fact = ConversationFact | AgentFact
export type FactKind = Fact['kind']
/** What a fact is about. */
export type EntityKind = 'conversation' | 'agent'

type Fields = { readonly text: readonly string[]; readonly numbers: readonly string[] }

/** Every kind with its fields, in the order in which facts of one instant are sorted. Kinds are only ever added at the end: chunks name them by number. */
export const FIELDS: Readonly<Record<FactKind, Fields>> = {
  started: {
    text: [
      'side',
      'sessionId',
      'participantId',
      'mediaType',
      'direction',
      'provider',
      'messageType',
      'from',
      'to',
      'userId',
      'queueId',
      'flowId',
      'flowType',
    ],
    numbers: [],
  },
  ended: {
    text: ['side', 'sessionId', 'participantId', 'mediaType', 'userId', 'queueId', 'flowId', 'disconnectType', 'outcome', 'answeredUserId'],
    numbers: ['connectedMs', 'alertMs', 'dialMs', 'talkMs', 'holdMs'],
  },
  phase: { text: ['sessionId', 'userId', 'queueId', 'mediaType', 'state'], numbers: ['sessionStartMs'] },
  acw: { text: ['sessionId', 'participantId', 'userId', 'queueId', 'wrapupCode'], numbers: ['durationMs'] },
  wrapup: { text: ['sessionId', 'participantId', 'userId', 'queueId', 'wrapupCode'], numbers: ['durationMs'] },
  contact: { text: ['contactId', 'organizationId'], numbers: [] },
  outcome: { text: ['sessionId', 'flowId', 'outcomeId', 'value'], numbers: [] },
  campaign: { text: ['campaignId', 'contactListId', 'contactId'], numbers: [] },
  attribute: { text: ['participantId', 'name', 'value'], numbers: [] },
  presence: { text: ['presence', 'definitionId'], numbers: [] },
  routing: { text: ['status'], numbers: [] },
  membership: { text: ['queueId', 'change'], numbers: [] },
  queues: { text: ['queueIds'], numbers: [] },
  outOfOffice: { text: ['active'], numbers: [] },
  summary: { text: [], numbers: ['active', 'acw'] },
  seen: {
    text: [
      'side',
      'sessionId',
      'participantId',
      'mediaType',
      'direction',
      'provider',
      'from',
      'userId',
      'queueId',
      'state',
      'disconnectType',
      'wrapupCode',
    ],
    numbers: ['startedAtMs', 'endedAtMs'],
  },
}

export const KINDS: readonly FactKind[] = Object.keys(FIELDS) as FactKind[]

/** The kind of entity that facts of this kind are about. */
export function aboutOf(kind: FactKind): EntityKind {
  return AGENT_KINDS.has(kind) ? 'agent' : 'conversation'
}

/** The order of facts of one entity: by time, then by content. 0 means the same fact told again. */
export function compareFacts(a: Fact, b: Fact): number {
  if (a.atMs !== b.atMs) return a.atMs - b.atMs
  if (a.kind !== b.kind) return (RANK.get(a.kind) ?? 0) - (RANK.get(b.kind) ?? 0)
  const { text, numbers } = FIELDS[a.kind]
  for (const field of text) {
    const order = compareText(valueOf(a, field) as string | null, valueOf(b, field) as string | null)
    if (order !== 0) return order
  }
  for (const field of numbers) {
    const order = ((valueOf(a, field) as number | null) ?? -1) - ((valueOf(b, field) as number | null) ?? -1)
    if (order !== 0) return order
  }
  return 0
}

/** A field by its name in FIELDS. */
export function valueOf(fact: Fact, field: string): unknown {
  return (fact as unknown as Readonly<Record<string, unknown>>)[field]
}

const AGENT_KINDS: ReadonlySet<FactKind> = new Set(['presence', 'routing', 'membership', 'queues', 'outOfOffice', 'summary'])
const RANK: ReadonlyMap<FactKind, number> = new Map(KINDS.map((kind, index) => [kind, index]))

function compareText(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return a < b ? -1 : 1
}
