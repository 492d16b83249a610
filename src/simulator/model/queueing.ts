/**
 * Waiting and being served. Who waits longest is served first, by the agent who has been idle longest; agents have one voice
 * call or two written conversations. In every queue, at every moment: entered = answered + abandoned + flowOut + waiting.
 */
import { setRouting } from './agents.ts'
import { addParticipant, endSession, openSession } from './conversation.ts'
import { tellAcdEnd, tellAcdStart } from './detail-events.ts'
import { endLeg, enterPhase, settleRouting, startLeg } from './legs.ts'
import { moveLive } from './observations.ts'
import type { Agent, Conversation, DisconnectType, Leg, Line, Visit, WorkQueue } from './records.ts'
import { after, type World } from './world.ts'

export type Entry = {
  readonly conversation: Conversation
  readonly queue: WorkQueue
  readonly line: Line
  readonly predictive?: boolean
  /** An agent has it; `visit` is over. */
  answered(leg: Leg): void
}

/** Looks no further for somebody with the right skills. */
const LOOK_AT_MOST = 50
const RING_MS = 15_000
const LEAVE_DESK_MS = 150
const NO_ANSWER = 0.03
const SECOND_CHAT_AFTER = 2

export function enterQueue(world: World, entry: Entry): Visit {
  const { conversation, queue, line } = entry
  const { chance } = conversation
  const queueId = queue.fixture.id
  const participant = addParticipant(conversation, 'acd', { queueId })
  const session = openSession(world, conversation, participant, { line, segment: 'interact', queueId, label: queue.label })
  const visit: Visit = {
    conversation,
    session,
    queue,
    skillId: chance.happens(0.25) ? chance.pick(world.fixtures.skills).id : null,
    priority: chance.happens(0.1) ? 50 : 0,
    predictive: entry.predictive ?? false,
    enteredMs: world.nowMs,
    leftMs: null,
    outcome: null,
    ringing: null,
    answered: entry.answered,
  }
  conversation.visits.push(visit)
  conversation.divisionIds.add(queue.fixture.divisionId)
  queue.waiting.add(visit)
  queue.entered++
  moveLive(world, queue, line.media, 1, 0)
  tellAcdStart(world, visit)
  const agent = agentFor(visit)
  if (agent !== null) ring(world, visit, agent)
  return visit
}

/** Leaves without an answer; whoever it rings at is let go. */
export function leaveQueue(world: World, visit: Visit, outcome: 'ABANDON' | 'FLOW_OUT', why: DisconnectType): void {
  const leg = visit.ringing
  stopWaiting(world, visit, outcome)
  tellAcdEnd(world, visit, why, null)
  if (leg === null) return
  endLeg(world, leg, 'PEER')
  leg.agent.ringing = false
  seekWork(world, leg.agent)
}

/** An agent with nothing to do takes the next one, if there is any; who wanted to go, goes. */
export function seekWork(world: World, agent: Agent): void {
  if (agent.nextPresence !== null) {
    const go = agent.nextPresence
    after(world, LEAVE_DESK_MS, () => {
      if (agent.nextPresence !== go || agent.legs.size > 0) return
      agent.nextPresence = null
      go()
    })
    return
  }
  let next: Visit | null = null
  for (const queue of agent.queues) {
    const first = firstFor(agent, queue)
    if (first !== null && (next === null || first.enteredMs < next.enteredMs)) next = first
  }
  if (next !== null) ring(world, next, agent)
}

/** Somebody who is free for a call beside the queues; null when nobody is. */
export function freeColleague(world: World, but: Agent | null): Agent | null {
  const { agents, chance } = world
  for (let tries = 0; tries < 8; tries++) {
    const agent = chance.pick(agents)
    if (agent !== but && canTake(agent, 'VOICE') && agent.routing === 'IDLE') return agent
  }
  return null
}

function ring(world: World, visit: Visit, agent: Agent): void {
  const { conversation, queue, session } = visit
  const { chance } = conversation
  agent.ringing = true
  const leg = startLeg(world, { conversation, agent, queue, line: session.line, phase: 'alert' })
  visit.ringing = leg
  const answers = !chance.happens(NO_ANSWER)
  after(world, answers ? 1_000 + chance.span(2_500) : RING_MS, () => {
    if (visit.ringing !== leg) return
    agent.ringing = false
    if (answers) return answer(world, visit, leg)
    visit.ringing = null
    endLeg(world, leg, 'NO_ANSWER_TRANSFER')
    setRouting(world, agent, 'NOT_RESPONDING')
    after(world, chance.between(15_000, 60_000), () => {
      if (agent.routing !== 'NOT_RESPONDING') return
      setRouting(world, agent, 'IDLE')
      settleRouting(world, agent)
      seekWork(world, agent)
    })
    const other = agentFor(visit)
    if (other !== null) ring(world, visit, other)
  })
}

function answer(world: World, visit: Visit, leg: Leg): void {
  stopWaiting(world, visit, 'ANSWERED')
  tellAcdEnd(world, visit, 'TRANSFER', leg.agent)
  enterPhase(world, leg, leg.session.line.media === 'CALLBACK' ? 'callback' : 'interact')
  visit.answered(leg)
  if (leg.session.line.media !== 'VOICE') seekWork(world, leg.agent)
}

function stopWaiting(world: World, visit: Visit, outcome: 'ANSWERED' | 'ABANDON' | 'FLOW_OUT'): void {
  const { queue, session, conversation } = visit
  visit.outcome = outcome
  visit.leftMs = world.nowMs
  visit.ringing = null
  queue.waiting.delete(visit)
  if (outcome === 'ANSWERED') queue.answered++
  else if (outcome === 'ABANDON') queue.abandoned++
  else queue.flowOut++
  moveLive(world, queue, session.line.media, -1, 0)
  endSession(world, conversation, session, outcome === 'ABANDON' ? 'PEER' : 'TRANSFER')
}

function agentFor(visit: Visit): Agent | null {
  let best: Agent | null = null
  for (const agent of visit.queue.members) {
    if (!isSuited(agent, visit)) continue
    if (best === null || agent.routingSinceMs < best.routingSinceMs) best = agent
  }
  return best
}

function firstFor(agent: Agent, queue: WorkQueue): Visit | null {
  let looked = 0
  for (const visit of queue.waiting) {
    if (visit.ringing === null && isSuited(agent, visit)) return visit
    if (++looked === LOOK_AT_MOST) break
  }
  return null
}

function isSuited(agent: Agent, visit: Visit): boolean {
  return canTake(agent, visit.session.line.media) && (visit.skillId === null || agent.skillIds.has(visit.skillId))
}

function canTake(agent: Agent, media: Line['media']): boolean {
  if (agent.presence !== 'ON_QUEUE' || agent.ringing || agent.nextPresence !== null || agent.routing === 'NOT_RESPONDING') return false
  if (agent.legs.size === 0) return true
  if (media === 'VOICE' || media === 'CALLBACK' || agent.legs.size >= SECOND_CHAT_AFTER) return false
  for (const leg of agent.legs) if (leg.session.line.media === 'VOICE' || leg.session.line.media === 'CALLBACK') return false
  return true
}
