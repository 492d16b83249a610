/** A user of the contact centre as of an instant: what they said of themselves, and the conversations they are in. */
import type { AgentFact, Fact } from './fact.ts'

export type AgentState = {
  readonly userId: string
  readonly asOfMs: number
  /** `AVAILABLE`, `ON_QUEUE`, `MEAL`...; null while nobody has told. */
  readonly presence: string | null
  readonly presenceSinceMs: number | null
  readonly presenceMs: number | null
  readonly presenceDefinitionId: string | null
  /** `OFF_QUEUE`, `IDLE`, `INTERACTING`, `NOT_RESPONDING`, `COMMUNICATING`... */
  readonly routingStatus: string | null
  readonly routingSinceMs: number | null
  readonly routingMs: number | null
  /** Conversations the user has a leg in that has not ended, ringing ones too. */
  readonly conversationIds: readonly string[]
  readonly outOfOffice: boolean | null
  /** Queues the user is active in. */
  readonly queueIds: readonly string[]
  /** What Genesys itself counted last, to compare with. */
  readonly summary: { readonly active: number; readonly acw: number; readonly atMs: number } | null
}

/** The agent at an instant. */
export function agentState(userId: string, facts: readonly Fact[], conversationIds: readonly string[], asOfMs: number): AgentState {
  const presence = newest(facts, 'presence', asOfMs)
  const routing = newest(facts, 'routing', asOfMs)
  const office = newest(facts, 'outOfOffice', asOfMs)
  const summary = newest(facts, 'summary', asOfMs)
  return {
    userId,
    asOfMs,
    presence: presence?.presence ?? null,
    presenceSinceMs: presence?.atMs ?? null,
    presenceMs: presence === null ? null : asOfMs - presence.atMs,
    presenceDefinitionId: presence?.definitionId ?? null,
    routingStatus: routing?.status ?? null,
    routingSinceMs: routing?.atMs ?? null,
    routingMs: routing === null ? null : asOfMs - routing.atMs,
    conversationIds,
    outOfOffice: office === null ? null : office.active === 'yes',
    queueIds: queuesOf(facts, asOfMs),
    summary: summary === null ? null : { active: summary.active, acw: summary.acw, atMs: summary.atMs },
  }
}

/** The queues an agent is active in: the last whole list, and what changed since. */
export function queuesOf(facts: readonly Fact[], asOfMs: number): readonly string[] {
  let ids = new Set<string>()
  for (const fact of facts) {
    if (fact.atMs > asOfMs) break
    if (fact.kind === 'queues') ids = new Set(fact.queueIds === '' ? [] : fact.queueIds.split(' '))
    else if (fact.kind !== 'membership') continue
    else if (fact.change === 'joined') ids.add(fact.queueId)
    else ids.delete(fact.queueId)
  }
  return [...ids].sort()
}

function newest<K extends AgentFact['kind']>(facts: readonly Fact[], kind: K, asOfMs: number): Extract<AgentFact, { kind: K }> | null {
  for (let i = facts.length - 1; i >= 0; i--) {
    const fact = facts[i]!
    if (fact.kind === kind && fact.atMs <= asOfMs) return fact as Extract<AgentFact, { kind: K }>
  }
  return null
}
