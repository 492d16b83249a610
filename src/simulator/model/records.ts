/** What the model remembers of conversations, people and queues while they live. Only the model writes here; readers get copies. */
import type { CentreQueue, CentreUser } from '../simulation.ts'
import type { CentreFlow, Presence } from './centre.ts'
import type { Chance } from './chance.ts'

export type Media = 'VOICE' | 'CALLBACK' | 'CHAT' | 'EMAIL' | 'MESSAGE'
export const MEDIA: readonly Media[] = ['VOICE', 'CALLBACK', 'CHAT', 'EMAIL', 'MESSAGE']

export type DisconnectType =
  | 'ENDPOINT'
  | 'CLIENT'
  | 'SYSTEM'
  | 'TRANSFER'
  | 'PEER'
  | 'TIMEOUT'
  | 'NO_ANSWER_TRANSFER'
  | 'CONSULT_TRANSFER'
  | 'UNCALLABLE'
  | 'INACTIVITY'

/** How a conversation is carried: what all its sessions of one medium have in common. */
export type LineFacts = {
  readonly media: Media
  readonly provider: string
  readonly direction: 'INBOUND' | 'OUTBOUND'
  readonly ani?: string
  readonly dnis?: string
  readonly addressFrom?: string
  readonly addressTo?: string
  readonly subject?: string
  readonly messageType?: string
  readonly callbackUserName?: string
  readonly callbackNumbers?: readonly string[]
  readonly callbackScheduledTime?: number
}

/** A line with the JSON of its fields, as events have them. */
export type Line = LineFacts & { readonly fields: string }

export type Segment = {
  readonly type: string
  readonly startMs: number
  endMs: number | null
  disconnectType?: DisconnectType
  queueId?: string
  wrapupCode?: string
  wrapupNotes?: string
}

export type Session = {
  readonly id: string
  readonly participant: Participant
  readonly line: Line
  /** JSON of the fields that every event of the session has. */
  readonly fields: string
  readonly flow: CentreFlow | null
  readonly startMs: number
  endMs: number | null
  flowExit: { readonly exitReason: string; readonly transferType: string | null } | null
  readonly segments: Segment[]
}

export type Participant = {
  readonly id: string
  readonly purpose: 'customer' | 'ivr' | 'acd' | 'agent' | 'user' | 'voicemail'
  readonly userId: string | null
  readonly queueId: string | null
  readonly attributes: Record<string, string>
  readonly sessions: Session[]
}

export type Conversation = {
  readonly id: string
  readonly media: Media
  readonly direction: 'INBOUND' | 'OUTBOUND'
  readonly startMs: number
  readonly chance: Chance
  readonly divisionIds: Set<string>
  readonly participants: Participant[]
  readonly visits: Visit[]
  readonly legs: Leg[]
  readonly attributes: Record<string, string>
  readonly transcribed: boolean
  /** The other party, while on the line. */
  customer: Session | null
  externalContactId: string | null
  externalOrganizationId: string | null
  /** JSON of the fields that say whose conversation it is. */
  contactFields: string
  endMs: number | null
  /** Sessions that have not ended. */
  open: number
  /** Legs whose after-call work is not done. */
  unsettled: number
  isSettled: boolean
  attributesAtMs: number
  snapshotDue: boolean
}

/** One stay in a queue. */
export type Visit = {
  readonly conversation: Conversation
  readonly session: Session
  readonly queue: WorkQueue
  readonly skillId: string | null
  readonly priority: number
  readonly predictive: boolean
  readonly enteredMs: number
  leftMs: number | null
  outcome: 'ANSWERED' | 'ABANDON' | 'FLOW_OUT' | null
  /** Rings at this agent. */
  ringing: Leg | null
  /** An agent has it. */
  answered(leg: Leg): void
}

export type Phase = 'alert' | 'dial' | 'callback' | 'interact' | 'hold' | 'wrapup'

/** One agent's part in a conversation. */
export type Leg = {
  readonly conversation: Conversation
  readonly agent: Agent
  /** Null when the agent came into it beside the queues (consult, call of their own). */
  readonly queue: WorkQueue | null
  readonly session: Session
  readonly startMs: number
  phase: Phase
  phaseSinceMs: number
  readonly spentMs: Record<Phase, number>
  connected: boolean
  endMs: number | null
  settled: boolean
  wrapupCode: string | null
}

export type RoutingStatus = 'OFF_QUEUE' | 'IDLE' | 'INTERACTING' | 'NOT_RESPONDING' | 'COMMUNICATING'

export type AgentBefore = Pick<Agent, 'presence' | 'presenceSinceMs' | 'routing' | 'routingSinceMs'>

export type Agent = {
  readonly user: CentreUser
  readonly queues: WorkQueue[]
  readonly skillIds: ReadonlySet<string>
  readonly chance: Chance
  presence: Presence
  presenceSinceMs: number
  routing: RoutingStatus
  routingSinceMs: number
  /** What they were before, the newest first: the model is ahead of what has been published. */
  before: readonly AgentBefore[]
  queuesSinceMs: number
  /** Until after-call work is done. */
  readonly legs: Set<Leg>
  ringing: boolean
  /** What to do as soon as the last leg is settled. */
  nextPresence: (() => void) | null
  activityDue: boolean
  summaryDue: boolean
}

export type WorkQueue = {
  readonly fixture: CentreQueue
  readonly members: Agent[]
  readonly waiting: Set<Visit>
  readonly label: string | null
  interacting: number
  entered: number
  answered: number
  abandoned: number
  flowOut: number
  readonly live: Readonly<Record<Media, { waiting: number; interacting: number; changed: boolean }>>
  observationDue: boolean
}
