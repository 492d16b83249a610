/** For tests: what the simulated centre publishes, as events that went through decode, and its truth in the words of state. */
import assert from 'node:assert/strict'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import type { Event } from '../event/event.ts'
import { writerOf } from '../simulator/envelope.ts'
import { simulation } from '../simulator/model/simulation.ts'
import type { SimulationOptions } from '../simulator/model/options.ts'
import type { Emission, Truth } from '../simulator/simulation.ts'
import type { Fact } from '../state/fact.ts'
import { factsOf } from '../state/facts-of.ts'
import type { ConversationState } from '../state/conversation-state.ts'
import type { State } from '../state/state.ts'

/** The facts of one emission, and when it was published. */
export type Told = { readonly publishedAtMs: number; readonly topic: string; readonly facts: readonly Fact[] }

export type Played = {
  readonly told: readonly Told[]
  /** The truth at some instants, and at the end. */
  readonly truths: readonly Truth[]
}

/** Plays a centre to its end; takes the truth after every so many emissions. */
export function play(options: Partial<SimulationOptions>, truthEvery: number): Played {
  const centre = simulation({ ...options, keepEndedMs: Infinity, keepEndedMax: Infinity })
  const receive = receiver(centre.centre.source)
  const told: Told[] = []
  const truths: Truth[] = []
  for (let emission = centre.next(); emission !== null; emission = centre.next()) {
    told.push({ publishedAtMs: emission.publishedAtMs, topic: emission.topic, facts: factsOf(receive(emission), emission.body) })
    if (told.length % truthEvery === 0) truths.push(centre.truth())
  }
  truths.push(centre.truth())
  return { told, truths }
}

/** Makes of emissions of the partner bus the events that a service makes of them. */
export function receiver(source: string): (emission: Emission) => Event {
  const write = writerOf('eventbridge', { seed: '1', source })
  return (emission) => {
    const [decoded] = decode(Buffer.from(write(emission, emission.bodyText, false)), { maxBytes: DEFAULT_MAX_BYTES })
    assert.ok(decoded?.ok, `decodes: ${emission.topicName}`)
    return {
      ...decoded.event,
      id: `s-${emission.number}`,
      receivedAtMs: emission.publishedAtMs + 400,
      duplicateOf: null,
      redelivered: false,
    }
  }
}

/** The truth, and the state as of the same instant, in the same words: to be compared whole. */
export function sideBySide(
  state: Pick<State, 'conversation' | 'agents' | 'queues'>,
  truth: Truth,
): { readonly state: object; readonly truth: object } {
  const { atMs } = truth
  const agents = new Map(state.agents(atMs).map((agent) => [agent.userId, agent]))
  const queues = new Map(state.queues(atMs, { fromMs: 0, toMs: Infinity }).map((queue) => [queue.queueId, queue]))
  return {
    truth: {
      conversations: truth.conversations
        .filter(({ startedAtMs }) => startedAtMs <= atMs)
        .map((conversation) => ({
          ...conversation,
          queueVisits: conversation.queueVisits.map((visit) => ({ ...visit })),
          attributes: Object.fromEntries(Object.entries(conversation.attributes).sort(([a], [b]) => (a < b ? -1 : 1))),
        })),
      agents: truth.agents,
      queues: truth.queues,
    },
    state: {
      conversations: truth.conversations
        .filter(({ startedAtMs }) => startedAtMs <= atMs)
        .map(({ id }) => ofConversation(state.conversation(id, atMs))),
      agents: truth.agents.map(({ userId, presenceSinceMs, routingStatusSinceMs }) => {
        const agent = agents.get(userId)
        // Nobody tells of those who have not come yet.
        return {
          userId,
          presence: agent?.presence ?? 'OFFLINE',
          presenceSinceMs: agent?.presenceSinceMs ?? presenceSinceMs,
          routingStatus: agent?.routingStatus ?? 'OFF_QUEUE',
          routingStatusSinceMs: agent?.routingSinceMs ?? routingStatusSinceMs,
          conversationIds: inOrderOf(
            truth.agents.find((other) => other.userId === userId)?.conversationIds ?? [],
            agent?.conversationIds ?? [],
          ),
        }
      }),
      queues: truth.queues.map(({ queueId }) => {
        const queue = queues.get(queueId)
        return {
          queueId,
          waiting: queue?.waiting ?? 0,
          longestWaitSinceMs: queue?.longestWaitSinceMs ?? null,
          interacting: queue?.interacting ?? 0,
          entered: queue?.interval.entered ?? 0,
          answered: queue?.interval.answered ?? 0,
          abandoned: queue?.interval.abandoned ?? 0,
          flowOut: queue?.interval.flowedOut ?? 0,
        }
      }),
    },
  }
}

function ofConversation(state: ConversationState | null): object | null {
  if (state === null) return null
  return {
    id: state.id,
    mediaType: state.mediaType,
    startedAtMs: state.startedAtMs,
    endedAtMs: state.endedAtMs,
    finished: !state.open && state.agentsAtWork === 0,
    queueVisits: state.queueVisits.map(({ queueId, enteredAtMs, leftAtMs, outcome }) => ({ queueId, enteredAtMs, leftAtMs, outcome })),
    agentLegs: state.agentLegs.map((leg) => ({
      userId: leg.userId,
      queueId: leg.queueId,
      startedAtMs: leg.startedAtMs,
      endedAtMs: leg.endedAtMs,
      talkMs: leg.talkMs,
      heldMs: leg.holdMs,
      acwMs: leg.acwMs,
      wrapupCode: leg.wrapupCode,
    })),
    attributes: { ...state.attributes },
  }
}

/** The same ids in the truth's own order, which is that of the legs. */
function inOrderOf(order: readonly string[], ids: readonly string[]): readonly string[] {
  return ids.length === order.length && order.every((id) => ids.includes(id)) ? order : ids
}
