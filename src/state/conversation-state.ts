/**
 * A conversation as it was at an instant, by all that is known of it now. Open while a customer is in it; who is still at work on it
 * then folds in later. Genesys has no event for the end of a conversation, so the end is worked out here.
 */
import type { Attribute, Fact, Side } from './fact.ts'
import { legOf, spentIn, stateOf, visitsOf, wrapupCodeOf, type Leg, type Visit } from './legs.ts'
import { isOpen, said, stretchesOf, type Stretch } from './timeline.ts'

/** Everything that a conversation's facts add up to. Instants are epoch ms; durations of what is under way are counted up to `asOfMs`. */
export type ConversationState = {
  readonly id: string
  readonly asOfMs: number
  readonly open: boolean
  readonly startedAtMs: number
  /** When the last session ended, once it is closed: an agent's `user.end` after the customer's still moves it. Null while open. */
  readonly endedAtMs: number | null
  /** What closed it: `customer.end`, or the end of what was left where there was no customer. */
  readonly closedBy: string | null
  /** Agents still in it or writing it up. */
  readonly agentsAtWork: number
  readonly mediaType: string | null
  readonly direction: string | null
  readonly from: string | null
  readonly to: string | null
  /** Once closed: `handled` by an agent, `abandoned` in a queue, or else `unhandled`. */
  readonly outcome: 'handled' | 'abandoned' | 'unhandled' | null
  /** The last one chosen. */
  readonly wrapupCode: string | null
  readonly externalContactId: string | null
  readonly externalOrganizationId: string | null
  readonly campaignId: string | null
  readonly participants: readonly ParticipantState[]
  readonly queueVisits: readonly VisitState[]
  readonly agentLegs: readonly LegState[]
  readonly flows: readonly FlowState[]
  /** The newest value of each name, over all participants. */
  readonly attributes: Readonly<Record<string, string>>
  /** Time of the newest fact. */
  readonly newestAtMs: number
  /** The conversation has more facts than are kept: what lies between its beginning and its newest facts is not whole. */
  readonly gaveUp: boolean
}

export type ParticipantState = {
  readonly id: string | null
  readonly purpose: 'customer' | 'ivr' | 'acd' | 'agent' | 'user' | 'voicemail'
  readonly userId: string | null
  readonly sessions: readonly {
    readonly id: string
    readonly mediaType: string | null
    readonly startedAtMs: number
    readonly endedAtMs: number | null
    readonly disconnectType: string | null
  }[]
  readonly attributes: Readonly<Record<string, string>>
}

export type VisitState = Visit & { readonly waitMs: number }

export type LegState = Leg & {
  readonly sessionId: string
  readonly participantId: string | null
  readonly mediaType: string | null
  /** `ALERT`, `INTERACT`, `HOLD`, `WRAPUP`, `TERMINATED`... */
  readonly state: string
  readonly alertMs: number
  readonly dialMs: number
  readonly talkMs: number
  readonly holdMs: number
  readonly acwMs: number
  readonly wrapupCode: string | null
  readonly disconnectType: string | null
}

export type FlowState = {
  readonly flowId: string | null
  readonly flowType: string | null
  readonly startedAtMs: number
  readonly endedAtMs: number | null
  readonly exitReason: string | null
  readonly outcomes: readonly { readonly outcomeId: string | null; readonly value: string | null }[]
}

/** The part of a timeline that queues and agents are worked out from. */
export type Figures = {
  readonly startedAtMs: number
  readonly closedAtMs: number | null
  /** How many sessions are known: of none nothing can end. */
  readonly sessions: number
  readonly visits: readonly Visit[]
  readonly legs: readonly Leg[]
}

/** What queues and agents need to know of a conversation. */
export function figuresOf(facts: readonly Fact[]): Figures {
  const stretches = stretchesOf(facts)
  const closing = closingOf(stretches, Infinity)
  const closedAtMs = closing?.endedAtMs ?? null
  const visits = visitsOf(stretches, closedAtMs)
  const legs = stretches.filter(({ side }) => side === 'user').map((stretch) => legOf(stretch, visits))
  return { startedAtMs: stretches[0]?.startedAtMs ?? facts[0]?.atMs ?? 0, closedAtMs, sessions: stretches.length, visits, legs }
}

/** The conversation at an instant; null before its first fact. */
export function conversationState(id: string, facts: readonly Fact[], gaveUp: boolean, asOfMs: number): ConversationState | null {
  const stretches = stretchesOf(facts)
  const visible = stretches.filter(({ startedAtMs }) => startedAtMs <= asOfMs)
  const startedAtMs = visible[0]?.startedAtMs ?? facts[0]?.atMs
  if (startedAtMs === undefined || startedAtMs > asOfMs) return null
  const closing = closingOf(visible, asOfMs)
  const visits = visitsOf(stretches, closingOf(stretches, Infinity)?.endedAtMs ?? null)
  const agentLegs = visible.filter(({ side }) => side === 'user').map((stretch) => legState(stretch, visits, asOfMs))
  const known = facts.filter(({ atMs }) => atMs <= asOfMs)
  const customer = visible.find(({ side }) => side === 'customer') ?? visible[0]
  const queueVisits = visits.filter(({ enteredAtMs }) => enteredAtMs <= asOfMs).map((visit) => visitState(visit, asOfMs))
  const contact = newest(known, 'contact', ({ contactId }) => contactId)
  const organization = newest(known, 'contact', ({ organizationId }) => organizationId)
  return {
    id,
    asOfMs,
    open: closing === null,
    startedAtMs,
    endedAtMs: closing === null ? null : closing.endedAtMs,
    closedBy: closing === null ? null : closing.by,
    agentsAtWork: agentLegs.filter(({ endedAtMs, state }) => endedAtMs === null || state === 'WRAPUP').length,
    mediaType: customer === undefined ? null : said(customer, 'mediaType'),
    direction: customer === undefined ? null : said(customer, 'direction'),
    from: customer === undefined ? null : said(customer, 'from'),
    to: customer?.start?.to ?? null,
    outcome: closing === null ? null : outcomeOf(agentLegs, queueVisits),
    wrapupCode: lastWrapupCode(visible, asOfMs),
    externalContactId: contact,
    externalOrganizationId: organization,
    campaignId: newest(known, 'campaign', ({ campaignId }) => campaignId),
    participants: participantsOf(visible, known, asOfMs),
    queueVisits,
    agentLegs,
    flows: visible.filter(({ side }) => side === 'flow').map((stretch) => flowState(stretch, known, asOfMs)),
    attributes: attributesIn(known),
    newestAtMs: known.at(-1)?.atMs ?? startedAtMs,
    gaveUp,
  }
}

export type Closing = { readonly endedAtMs: number; readonly by: string }

/**
 * How the conversation was closed by an instant; null while it is open, and when nothing of it is known that could end. It is open while a customer's session
 * is; without any customer, while any session is. Waiting for a callback or an e-mail to be worked on goes on without the customer.
 */
export function closingOf(stretches: readonly Stretch[], asOfMs: number): Closing | null {
  const begun = stretches.filter(({ startedAtMs }) => startedAtMs <= asOfMs)
  if (begun.length === 0) return null
  const hasCustomer = begun.some(({ side }) => side === 'customer')
  let endedAtMs = -Infinity
  let closer: Stretch | null = null
  for (const stretch of begun) {
    const decides = keepsOpen(stretch.side === 'customer', said(stretch, 'mediaType'), hasCustomer)
    if (isOpen(stretch, asOfMs)) {
      if (decides) return null
      continue
    }
    const endMs = stretch.endedAtMs ?? stretch.startedAtMs
    endedAtMs = Math.max(endedAtMs, endMs)
    if (decides && (closer === null || isLater(stretch, endMs, closer))) closer = stretch
  }
  return closer === null ? null : { endedAtMs, by: `${closer.side}.end` }
}

/** Whether a session that is under way keeps its conversation open. */
export function keepsOpen(isCustomer: boolean, mediaType: string | null, hasCustomer: boolean): boolean {
  return !hasCustomer || isCustomer || WITHOUT_CUSTOMER.has(mediaType ?? '')
}

const WITHOUT_CUSTOMER: ReadonlySet<string> = new Set(['CALLBACK', 'EMAIL'])

const PURPOSE_OF: Readonly<Record<Side, ParticipantState['purpose']>> = {
  customer: 'customer',
  flow: 'ivr',
  acd: 'acd',
  user: 'agent',
  voicemail: 'voicemail',
}

/** Of those that end together the customer closes it. */
function isLater(stretch: Stretch, endMs: number, than: Stretch): boolean {
  const thanMs = than.endedAtMs ?? than.startedAtMs
  return endMs > thanMs || (endMs === thanMs && stretch.side === 'customer' && than.side !== 'customer')
}

function endBy(stretch: Stretch, asOfMs: number): number | null {
  return stretch.endedAtMs !== null && stretch.endedAtMs <= asOfMs ? stretch.endedAtMs : null
}

function visitState(visit: Visit, asOfMs: number): VisitState {
  const { leftAtMs, enteredAtMs } = visit
  if (leftAtMs !== null && leftAtMs <= asOfMs) return { ...visit, waitMs: leftAtMs - enteredAtMs }
  return { ...visit, leftAtMs: null, outcome: null, answeredUserId: null, waitMs: asOfMs - enteredAtMs }
}

function legState(stretch: Stretch, visits: readonly Visit[], asOfMs: number): LegState {
  const leg = legOf(stretch, visits)
  const { connectedAtMs } = leg
  const endedAtMs = endBy(stretch, asOfMs)
  return {
    ...leg,
    connectedAtMs: connectedAtMs !== null && connectedAtMs <= asOfMs ? connectedAtMs : null,
    endedAtMs,
    sessionId: stretch.sessionId,
    participantId: said(stretch, 'participantId'),
    mediaType: said(stretch, 'mediaType'),
    state: stateOf(stretch, leg, asOfMs),
    ...spentIn(stretch, connectedAtMs, asOfMs),
    wrapupCode: wrapupCodeOf(stretch, asOfMs),
    disconnectType: endedAtMs === null ? null : (stretch.end?.disconnectType ?? stretch.seen?.disconnectType ?? null),
  }
}

function flowState(stretch: Stretch, facts: readonly Fact[], asOfMs: number): FlowState {
  const endedAtMs = endBy(stretch, asOfMs)
  const outcomes: { outcomeId: string | null; value: string | null }[] = []
  for (const fact of facts)
    if (fact.kind === 'outcome' && fact.sessionId === stretch.sessionId) outcomes.push({ outcomeId: fact.outcomeId, value: fact.value })
  return {
    flowId: said(stretch, 'flowId'),
    flowType: stretch.start?.flowType ?? null,
    startedAtMs: stretch.startedAtMs,
    endedAtMs,
    exitReason: endedAtMs === null ? null : (stretch.end?.outcome ?? null),
    outcomes,
  }
}

function outcomeOf(legs: readonly LegState[], visits: readonly VisitState[]): 'handled' | 'abandoned' | 'unhandled' {
  if (legs.some(({ connectedAtMs }) => connectedAtMs !== null) || visits.some(({ outcome }) => outcome === 'ANSWERED')) return 'handled'
  return visits.at(-1)?.outcome === 'ABANDON' ? 'abandoned' : 'unhandled'
}

function lastWrapupCode(stretches: readonly Stretch[], asOfMs: number): string | null {
  let code: string | null = null
  let atMs = -Infinity
  for (const { wraps } of stretches) {
    for (const wrap of wraps) {
      if (wrap.wrapupCode === null || wrap.atMs > asOfMs || wrap.atMs < atMs) continue
      code = wrap.wrapupCode
      atMs = wrap.atMs
    }
  }
  return code
}

function participantsOf(stretches: readonly Stretch[], facts: readonly Fact[], asOfMs: number): readonly ParticipantState[] {
  const groups = new Map<string, Stretch[]>()
  for (const stretch of stretches) {
    const key = said(stretch, 'participantId') ?? `${stretch.side} ${stretch.sessionId}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [stretch])
    else group.push(stretch)
  }
  const attributes = new Map<string | null, Attribute[]>()
  for (const fact of facts) {
    if (fact.kind !== 'attribute') continue
    const list = attributes.get(fact.participantId)
    if (list === undefined) attributes.set(fact.participantId, [fact])
    else list.push(fact)
  }
  return [...groups.values()].map((group) => {
    const first = group[0]!
    const id = said(first, 'participantId')
    const inQueue = group.some((stretch) => said(stretch, 'queueId') !== null)
    return {
      id,
      purpose: first.side === 'user' && !inQueue ? 'user' : PURPOSE_OF[first.side],
      userId: said(first, 'userId'),
      sessions: group.map((stretch) => ({
        id: stretch.sessionId,
        mediaType: said(stretch, 'mediaType'),
        startedAtMs: stretch.startedAtMs,
        endedAtMs: endBy(stretch, asOfMs),
        disconnectType: endBy(stretch, asOfMs) === null ? null : (stretch.end?.disconnectType ?? stretch.seen?.disconnectType ?? null),
      })),
      attributes: id === null ? {} : attributesIn(attributes.get(id) ?? []),
    }
  })
}

/** Facts are in order, so the newest value of a name is its last. Own entries, also for a name such as `__proto__`. */
function attributesIn(facts: readonly Fact[]): Readonly<Record<string, string>> {
  const values = new Map<string, string>()
  for (const fact of facts) if (fact.kind === 'attribute') values.set(fact.name, fact.value)
  return Object.fromEntries([...values].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The newest value that is one. */
function newest<K extends Fact['kind']>(
  facts: readonly Fact[],
  kind: K,
  valueOf: (fact: Extract<Fact, { kind: K }>) => string | null,
): string | null {
  for (let i = facts.length - 1; i >= 0; i--) {
    const fact = facts[i]!
    const value = fact.kind === kind ? valueOf(fact as Extract<Fact, { kind: K }>) : null
    if (value !== null) return value
  }
  return null
}
