/** An agent's part in a conversation: phase after phase, each with its segment, its time and its agent state; then after-call work. */
import { addParticipant, addSegment, endIfOver, endSegment, endSession, openSession } from './conversation.ts'
import { setRouting, summaryLater } from './agents.ts'
import { STATE_OF, tellAcw, tellAgentState, tellUserEnd, tellUserStart, tellWrapup } from './detail-events.ts'
import type { Agent, Conversation, DisconnectType, Leg, Line, Participant, Phase, WorkQueue } from './records.ts'
import { moveLive } from './observations.ts'
import { snapshotLater } from './snapshots.ts'
import { after, type World } from './world.ts'

export type LegStart = {
  readonly conversation: Conversation
  readonly agent: Agent
  readonly queue: WorkQueue | null
  readonly line: Line
  readonly phase: Phase
  /** Somebody who is in the conversation already (another action on an e-mail). */
  readonly participant?: Participant
}

export function startLeg(world: World, start: LegStart): Leg {
  const { conversation, agent, queue, line, phase } = start
  const queueId = queue?.fixture.id
  const participant =
    start.participant ??
    addParticipant(conversation, queue === null ? 'user' : 'agent', {
      userId: agent.user.id,
      ...(queueId === undefined ? {} : { queueId }),
    })
  const session = openSession(world, conversation, participant, {
    line,
    segment: SEGMENT_OF[phase],
    ...(queueId === undefined ? {} : { queueId }),
    label: queue?.label ?? null,
  })
  const leg: Leg = {
    conversation,
    agent,
    queue,
    session,
    startMs: world.nowMs,
    phase,
    phaseSinceMs: world.nowMs,
    spentMs: { alert: 0, dial: 0, callback: 0, interact: 0, hold: 0, wrapup: 0 },
    connected: false,
    endMs: null,
    settled: false,
    wrapupCode: null,
  }
  conversation.legs.push(leg)
  conversation.unsettled++
  conversation.divisionIds.add(agent.user.divisionId)
  agent.legs.add(leg)
  tellUserStart(world, leg)
  tellAgentState(world, leg, STATE_OF[phase])
  if (phase !== 'alert') connect(world, leg)
  summaryLater(world, agent)
  return leg
}

/** The next phase; its segment begins where the last one ends. */
export function enterPhase(world: World, leg: Leg, phase: Phase): void {
  const { session, queue } = leg
  leavePhase(world, leg)
  endSegment(world, session)
  addSegment(world, session, SEGMENT_OF[phase], queue?.fixture.id)
  leg.phase = phase
  tellAgentState(world, leg, STATE_OF[phase])
  if (phase !== 'wrapup' && !leg.connected) connect(world, leg)
  snapshotLater(world, leg.conversation)
}

/** The agent is out of the conversation. Without after-call work the leg is settled with it. */
export function endLeg(world: World, leg: Leg, why: DisconnectType): void {
  const { conversation, session, queue, agent } = leg
  leavePhase(world, leg)
  endSession(world, conversation, session, why)
  leg.endMs = world.nowMs
  if (leg.connected && queue !== null) moveLive(world, queue, session.line.media, 0, -1)
  tellUserEnd(world, leg, why)
  if (!(leg.connected && queue !== null)) settleLeg(world, leg)
  summaryLater(world, agent)
}

/** Writes up the conversation just ended; `done` comes when the agent has time again. */
export function workAfterCall(world: World, leg: Leg, workMs: number, done: () => void): void {
  const { session, queue, conversation } = leg
  const { chance } = conversation
  leg.phase = 'wrapup'
  leg.phaseSinceMs = world.nowMs
  const segment = addSegment(world, session, 'wrapup', queue?.fixture.id)
  tellAgentState(world, leg, 'WRAPUP')
  after(world, workMs, () => {
    const code = chance.pick(world.fixtures.wrapupCodes)
    const notes = chance.happens(0.2) ? chance.pick(NOTES) : ''
    tellWrapup(world, leg, code.id, notes)
    tellAcw(world, leg, code.id, notes)
    leavePhase(world, leg)
    segment.endMs = world.nowMs
    segment.wrapupCode = code.id
    if (notes !== '') segment.wrapupNotes = notes
    leg.wrapupCode = code.id
    settleLeg(world, leg)
    summaryLater(world, leg.agent)
    endIfOver(world, conversation)
    done()
  })
}

/** Brings the routing status into line with what the agent has to do. */
export function settleRouting(world: World, agent: Agent): void {
  if (agent.presence !== 'ON_QUEUE' || agent.routing === 'NOT_RESPONDING') return
  let status: 'IDLE' | 'INTERACTING' | 'COMMUNICATING' = 'IDLE'
  for (const leg of agent.legs) {
    if (!leg.connected) continue
    if (leg.queue !== null) status = 'INTERACTING'
    else if (status === 'IDLE') status = 'COMMUNICATING'
  }
  setRouting(world, agent, status)
}

function connect(world: World, leg: Leg): void {
  leg.connected = true
  if (leg.queue !== null) moveLive(world, leg.queue, leg.session.line.media, 0, 1)
  settleRouting(world, leg.agent)
}

function leavePhase(world: World, leg: Leg): void {
  leg.spentMs[leg.phase] += world.nowMs - leg.phaseSinceMs
  leg.phaseSinceMs = world.nowMs
}

/** The agent is done with it; only for who does no after-call work. */
export function settleLeg(world: World, leg: Leg): void {
  leg.settled = true
  leg.conversation.unsettled--
  leg.agent.legs.delete(leg)
  tellAgentState(world, leg, 'TERMINATED')
  settleRouting(world, leg.agent)
}

const SEGMENT_OF: Readonly<Record<Phase, string>> = {
  alert: 'alert',
  dial: 'dialing',
  callback: 'callback',
  interact: 'interact',
  hold: 'hold',
  wrapup: 'wrapup',
}

const NOTES = ['Customer will call back', 'Sent the form again', 'Ärger mit der Rechnung', 'See "case 17"', 'Promised an answer by Friday']
