/** The true state, copied out of what the model holds. Times that run on are counted up to now. */
import type { AgentTruth, ConversationTruth, QueueTruth, Truth } from '../simulation.ts'
import type { Agent, Conversation, Leg, WorkQueue } from './records.ts'
import type { World } from './world.ts'

export function truthOf(world: World): Truth {
  return {
    atMs: world.nowMs,
    emitted: world.outlet.taken,
    conversations: [...world.conversations.values()].map((conversation) => conversationTruth(conversation, world.nowMs)),
    agents: world.agents.map(agentTruth),
    queues: world.queues.map(queueTruth),
  }
}

function conversationTruth(conversation: Conversation, nowMs: number): ConversationTruth {
  return {
    id: conversation.id,
    mediaType: conversation.media,
    startedAtMs: conversation.startMs,
    endedAtMs: conversation.endMs,
    finished: conversation.endMs !== null && conversation.unsettled === 0,
    queueVisits: conversation.visits.map((visit) => ({
      queueId: visit.queue.fixture.id,
      enteredAtMs: visit.enteredMs,
      leftAtMs: visit.leftMs,
      outcome: visit.outcome,
    })),
    agentLegs: conversation.legs.map((leg) => ({
      userId: leg.agent.user.id,
      queueId: leg.queue?.fixture.id ?? null,
      startedAtMs: leg.startMs,
      endedAtMs: leg.endMs,
      talkMs: spentMs(leg, 'interact', nowMs),
      heldMs: spentMs(leg, 'hold', nowMs),
      acwMs: spentMs(leg, 'wrapup', nowMs),
      wrapupCode: leg.wrapupCode,
    })),
    attributes: { ...conversation.attributes },
  }
}

function spentMs(leg: Leg, phase: 'interact' | 'hold' | 'wrapup', nowMs: number): number {
  const running = leg.phase === phase && !leg.settled && (leg.endMs === null || phase === 'wrapup')
  return leg.spentMs[phase] + (running ? nowMs - leg.phaseSinceMs : 0)
}

function agentTruth(agent: Agent): AgentTruth {
  const conversationIds = [...agent.legs].filter((leg) => leg.endMs === null).map((leg) => leg.conversation.id)
  return {
    userId: agent.user.id,
    presence: agent.presence,
    presenceSinceMs: agent.presenceSinceMs,
    routingStatus: agent.routing,
    routingStatusSinceMs: agent.routingSinceMs,
    conversationIds: [...new Set(conversationIds)],
  }
}

function queueTruth(queue: WorkQueue): QueueTruth {
  let longestMs: number | null = null
  for (const visit of queue.waiting) if (longestMs === null || visit.enteredMs < longestMs) longestMs = visit.enteredMs
  const { interacting, entered, answered, abandoned, flowOut } = queue
  return {
    queueId: queue.fixture.id,
    waiting: queue.waiting.size,
    longestWaitSinceMs: longestMs,
    interacting,
    entered,
    answered,
    abandoned,
    flowOut,
  }
}
