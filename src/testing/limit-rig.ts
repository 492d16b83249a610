/** Limiters for tests: stages on one clock and one store, and the times at which they admit. */
import type { LimitConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import type { Outcome, Resumed, Stage } from '../pipeline/outcome.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { eventOf } from './event-of.ts'
import { type LimitOptions, limitStage } from '../limit/limit.ts'
import { fixedTerms } from '../limit/rates.ts'

export const T = 1_774_000_000_000
export const PRESENCE = 'v2.users.{id}.presence'

export function limitConfig(more: Partial<LimitConfig> = {}): LimitConfig {
  return {
    topics: null,
    per: 'queue',
    perSecond: 5,
    burst: 3,
    overflow: 'drop',
    sampleOneIn: 4,
    limits: {},
    priority: null,
    ...more,
  }
}

export type Rig = {
  readonly clock: { nowMs: number }
  readonly store: Store
  readonly warnings: string[]
  readonly stage: Stage
  /** Outcomes of events, by the words of the test. */
  run(...events: readonly Event[]): Promise<string[]>
  resume(...held: readonly Held[]): Promise<string[]>
  outcomes(events: readonly Event[]): Promise<readonly Outcome[]>
}

export type Held = { readonly event: Event; readonly outcome: Outcome }

export function rig(limit: Partial<LimitConfig> = {}, more: Partial<LimitOptions> & { at?: { nowMs: number } } = {}): Rig {
  const clock = more.at ?? { nowMs: T }
  const store = more.store ?? memoryStore()
  const warnings: string[] = []
  const stage = limitStage({
    terms: fixedTerms(limitConfig(limit)),
    topics: null,
    name: 'crm',
    store,
    clock: { nowMs: () => clock.nowMs },
    leaseMs: 0,
    warn: (code) => warnings.push(code),
    ...more,
  })
  const signal = new AbortController().signal
  const words = (outcomes: readonly Outcome[]): string[] => outcomes.map((outcome) => wordOf(outcome, clock.nowMs))
  const outcomes = async (events: readonly Event[]): Promise<readonly Outcome[]> => stage.run(events, signal)
  return {
    clock,
    store,
    warnings,
    stage,
    outcomes,
    run: async (...events) => words(await outcomes(events)),
    resume: async (...held) => words(await stage.resume!(held.map(resumedOf), signal)),
  }
}

export function resumedOf({ event, outcome }: Held): Resumed {
  if (outcome.type !== 'hold') throw new Error(`not held: ${outcome.type}`)
  return { event, reason: outcome.reason, dueAtMs: outcome.untilMs, key: outcome.key ?? null, slot: outcome.slot ?? null }
}

export const inQueue = (queueId: string | null, index = 0, more: Partial<Event> = {}): Event => eventOf({ queueId, ...more }, index)

function wordOf(outcome: Outcome, nowMs: number): string {
  if (outcome.type === 'keep') return outcome.note === undefined ? 'keep' : `keep ${outcome.note.reason} ${outcome.note.key}`
  if (outcome.type === 'drop') return `drop ${outcome.reason} ${outcome.key}`
  if (outcome.type === 'hold') return `${outcome.reason} ${outcome.key} +${outcome.untilMs - nowMs}`
  return `${outcome.type} ${outcome.reason}`
}
