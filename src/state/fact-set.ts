/**
 * The facts of one entity: a sorted set, bounded. What is given up follows from the set alone, not from the order it came in
 * or from when it was given up: of facts that supersede each other the newest few of each, of all others the
 * newest many and the oldest few. For such bounds bounded(bounded(A) + B) = bounded(A + B), so giving up early or late is the same.
 */
import { compareFacts, type Fact } from './fact.ts'

/** Bounds of one entity. */
export type FactLimits = {
  /** Facts of sessions: so many of the newest. */
  readonly sessionFacts: number
  /** And of the oldest: the beginning of a conversation is never given up. */
  readonly oldestFacts: number
  /** States of agents in a conversation. */
  readonly phaseFacts: number
  readonly attributeFacts: number
  readonly snapshotFacts: number
  /** Presences of a user; routing statuses; and so on. */
  readonly registerFacts: number
}

export const DEFAULT_FACT_LIMITS: FactLimits = {
  sessionFacts: 500,
  oldestFacts: 16,
  phaseFacts: 400,
  attributeFacts: 600,
  snapshotFacts: 200,
  registerFacts: 64,
}

/** Values of one attribute, and snapshots of one communication: a few, so that a state of moments ago can still be seen. */
const VERSIONS_KEPT = 3

/** Adds a fact to the sorted list; false when it is there already. */
export function addFact(facts: Fact[], fact: Fact): boolean {
  let low = 0
  let high = facts.length
  // Facts mostly come in order: look at the end first.
  const last = facts[high - 1]
  if (last === undefined || last.atMs < fact.atMs) {
    facts.push(fact)
    return true
  }
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = compareFacts(facts[middle]!, fact)
    if (order === 0) return false
    if (order < 0) low = middle + 1
    else high = middle
  }
  facts.splice(low, 0, fact)
  return true
}

export type Bounded = {
  readonly facts: Fact[]
  /** Something was given up that belongs to the state, not only to its history. */
  readonly gaveUp: boolean
}

/** What of the facts is kept; the same list when that is all. */
export function bounded(facts: Fact[], limits: FactLimits): Bounded {
  const smallest = Math.min(VERSIONS_KEPT, limits.sessionFacts, limits.phaseFacts, limits.attributeFacts, limits.registerFacts)
  if (facts.length <= smallest) return { facts, gaveUp: false }
  const left: Record<Group, number> = {
    session: limits.sessionFacts,
    phase: limits.phaseFacts,
    attribute: limits.attributeFacts,
    seen: limits.snapshotFacts,
    presence: limits.registerFacts,
    routing: limits.registerFacts,
    other: 8 * limits.registerFacts,
  }
  let versions: Map<string, number> | null = null
  let drop: Set<number> | null = null
  let gaveUp = false
  // From the newest to the oldest.
  for (let i = facts.length - 1; i >= 0; i--) {
    const fact = facts[i]!
    const group = GROUP_OF[fact.kind]
    const slot = slotOf(fact)
    if (slot !== null) {
      versions ??= new Map()
      const known = versions.get(slot) ?? 0
      if (known === VERSIONS_KEPT) {
        drop ??= new Set()
        drop.add(i)
        continue
      }
      versions.set(slot, known + 1)
    }
    if (left[group] > 0) left[group]--
    else {
      drop ??= new Set()
      drop.add(i)
      if (group !== 'session') gaveUp ||= group === 'phase' || group === 'attribute'
    }
  }
  if (drop === null) return { facts, gaveUp: false }
  const spared = spare(facts, drop, limits.oldestFacts)
  if (spared < 0) gaveUp = true
  return drop.size === 0 ? { facts, gaveUp } : { facts: facts.filter((_, index) => !drop.has(index)), gaveUp }
}

type Group = 'session' | 'phase' | 'attribute' | 'seen' | 'presence' | 'routing' | 'other'

const GROUP_OF: Readonly<Record<Fact['kind'], Group>> = {
  started: 'session',
  ended: 'session',
  acw: 'session',
  wrapup: 'session',
  contact: 'session',
  outcome: 'session',
  campaign: 'session',
  phase: 'phase',
  attribute: 'attribute',
  seen: 'seen',
  presence: 'presence',
  routing: 'routing',
  membership: 'other',
  queues: 'other',
  outOfOffice: 'other',
  summary: 'other',
}

/** Facts of one slot supersede each other; null for facts that all count. */
function slotOf(fact: Fact): string | null {
  switch (fact.kind) {
    case 'attribute':
      return `a${fact.participantId ?? ''} ${fact.name}`
    case 'seen':
      return `s${fact.sessionId}`
    case 'membership':
      return `m${fact.queueId}`
    case 'queues':
    case 'outOfOffice':
    case 'summary':
      return fact.kind
    default:
      return null
  }
}

/** Takes the oldest facts of sessions out of what is to be dropped; negative when some stay in it. */
function spare(facts: readonly Fact[], drop: Set<number>, oldest: number): number {
  let spared = 0
  for (const index of [...drop].reverse()) {
    if (GROUP_OF[facts[index]!.kind] !== 'session') continue
    if (spared === oldest) return -1
    drop.delete(index)
    spared++
  }
  return spared
}
