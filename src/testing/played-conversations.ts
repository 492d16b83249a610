/** For tests: conversations of the simulated centre, as its events tell them and as its API has them, and the state made of some events. */
import assert from 'node:assert/strict'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import type { Event } from '../event/event.ts'
import type { ConversationDetail } from '../genesys/platform.ts'
import { simulation } from '../simulator/model/simulation.ts'
import type { ConversationTruth } from '../simulator/simulation.ts'
import type { ConversationState } from '../state/conversation-state.ts'
import type { Fact } from '../state/fact.ts'
import { factsOf } from '../state/facts-of.ts'
import { createState } from '../state/folded-state.ts'
import { receiver } from './simulated-state.ts'
import { compareConversation } from '../reconcile/conversation.ts'
import { recordOf, type Comparison } from '../reconcile/finding.ts'

export const HOUR_MS = 3_600_000
const START_MS = Date.UTC(2026, 7, 14, 8)
/** When the API is asked. */
export const LATER_MS: number = START_MS + 3 * HOUR_MS

/** One event, as facts. */
export type Told = { readonly kind: string; readonly facts: readonly Fact[] }
export type Played = { readonly truth: ConversationTruth; readonly detail: ConversationDetail; readonly told: readonly Told[] }

/** Kinds that the API could tell as well. */
export const TELLABLE: RegExp = /^(?:(?:customer|flow|acd|user|voicemail)\.(?:start|end)|acw|wrapup)$/

/** All that ended, as told and as the API has it. */
export function played(): readonly Played[] {
  const centre = simulation({
    seed: 'reconcile',
    startAtMs: START_MS,
    durationMs: HOUR_MS,
    agents: 12,
    queues: 3,
    conversationsPerHour: 90,
    flat: true,
    transcribedShare: 0,
    keepEndedMs: Infinity,
    keepEndedMax: Infinity,
  })
  const receive = receiver(centre.centre.source)
  const told = new Map<string, Told[]>()
  for (let emission = centre.next(); emission !== null; emission = centre.next()) {
    const event = receive(emission)
    const facts = factsOf(event, emission.body)
    const of = facts[0]?.of
    if (of === undefined || event.conversationId !== of) continue
    const list = told.get(of) ?? []
    list.push({ kind: emission.topic.replace('v2.detail.events.conversation.{id}.', ''), facts })
    told.set(of, list)
  }
  return centre.truth().conversations.flatMap((truth) => {
    const detail = centre.conversation(truth.id)
    return truth.endedAtMs === null || detail === null ? [] : [{ truth, detail, told: told.get(truth.id) ?? [] }]
  })
}

export function compare(one: Played, told: readonly Told[]): Comparison | null {
  return compareConversation({
    here: stateOf(one, told),
    there: one.detail,
    askedAtMs: LATER_MS,
    live: [],
    frozenBeforeMs: START_MS - HOUR_MS,
  })
}

export function stateOf({ truth }: Played, told: readonly Told[]): ConversationState | null {
  const state = createState()
  for (const { facts } of told) state.apply(facts, LATER_MS)
  return state.conversation(truth.id, LATER_MS)
}

/** What the repairs tell, through the record, decoding and folding. */
export function repairsOf(found: Comparison | null): readonly Told[] {
  return (found?.repairs ?? []).map((repair) => {
    const [decoded] = decode(Buffer.from(recordOf(repair, found!.finding.kind)), { maxBytes: DEFAULT_MAX_BYTES })
    assert.ok(decoded?.ok)
    const event: Event = { ...decoded.event, id: 'r', receivedAtMs: LATER_MS, duplicateOf: null, redelivered: false }
    return { kind: event.topic.replace('v2.detail.events.conversation.{id}.', ''), facts: factsOf(event, repair.body) }
  })
}
