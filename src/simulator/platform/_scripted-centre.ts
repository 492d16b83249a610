/** A centre that emits what a test tells it to, when it tells it to. */
import type { ConversationDetail } from '../../genesys/platform.ts'
import { templateOf } from '../../event/topics.ts'
import type { Centre, Emission, Simulation, UserNow } from '../simulation.ts'

export type ScriptedCentre = Simulation & {
  /** Adds an emission; those not yet due stay in order of time. */
  say(topicName: string, atMs: number, body?: Readonly<Record<string, unknown>>): void
  /** Says what REST answers for a conversation. */
  know(detail: ConversationDetail): void
  /** Says what REST answers for a user. */
  knowUser(id: string, now: UserNow): void
}

export function userId(number: number): string {
  return `00000000-0000-4000-8000-0000000a${String(number).padStart(4, '0')}`
}

export function queueId(number: number): string {
  return `00000000-0000-4000-8000-0000000b${String(number).padStart(4, '0')}`
}

export function scriptedCentre(options: { readonly users?: number; readonly queues?: number } = {}): ScriptedCentre {
  const due: Emission[] = []
  const details = new Map<string, ConversationDetail>()
  const users = new Map<string, UserNow>()
  let nowMs = 0
  let said = 0
  const say: ScriptedCentre['say'] = (topicName, atMs, body = {}) => {
    const emission = {
      number: said++,
      publishedAtMs: atMs,
      topic: templateOf(topicName).topic,
      topicName,
      body,
      bodyText: JSON.stringify(body),
      correlationId: 'the-same-for-all',
    }
    const later = due.findIndex(({ publishedAtMs }) => publishedAtMs > atMs)
    due.splice(later < 0 ? due.length : later, 0, emission)
  }
  return {
    centre: centreOf(options.users ?? 3, options.queues ?? 3),
    get nowMs() {
      return nowMs
    },
    next() {
      const emission = due.shift() ?? null
      nowMs = emission?.publishedAtMs ?? nowMs
      return emission
    },
    // Never over: a test may say more.
    peekAtMs: () => due[0]?.publishedAtMs ?? Number.MAX_SAFE_INTEGER,
    conversation: (id) => details.get(id) ?? null,
    conversationsBetween: (fromMs, toMs) =>
      [...details.values()].filter(
        ({ conversationStart, conversationEnd }) =>
          Date.parse(conversationStart ?? '') < toMs && (conversationEnd === undefined || Date.parse(conversationEnd) >= fromMs),
      ),
    user: (id) => users.get(id) ?? null,
    setAttributes(conversationId, participantId, attributes) {
      const detail = details.get(conversationId)
      if (detail?.participants?.some((participant) => participant.participantId === participantId) !== true) return false
      say(`v2.detail.events.conversation.${conversationId}.attributes`, nowMs, { conversationId, participantId, attributes })
      return true
    },
    truth: () => ({ atMs: nowMs, emitted: 0, conversations: [], agents: [], queues: [] }),
    say,
    know: (detail) => void details.set(detail.conversationId, detail),
    knowUser: (id, now) => void users.set(id, now),
  }
}

function centreOf(users: number, queues: number): Centre {
  const divisions = [
    { id: 'd1', name: 'Home' },
    { id: 'd2', name: 'North' },
  ]
  return {
    organization: { id: 'o1', name: 'Simulated Centre' },
    divisions,
    queues: Array.from({ length: queues }, (_, i) => ({
      id: queueId(i),
      name: `Queue ${i}`,
      divisionId: i % 2 === 0 ? 'd1' : 'd2',
      serviceTarget: { percentage: 0.8, durationMs: 20_000 },
    })),
    users: Array.from({ length: users }, (_, i) => ({
      id: userId(i),
      name: `Agent ${i}`,
      email: `agent${i}@example.com`,
      divisionId: 'd1',
      queueIds: [queueId(0)],
    })),
    wrapupCodes: [{ id: 'w1', name: 'Solved' }],
    flows: [{ id: 'f1', name: 'Main menu', type: 'INBOUNDCALL' }],
    source: 'aws.partner/genesys.com/cloud/o1/simulated',
  }
}
