/** The texts of `v2.detail.events.*`: fields and types as in the schemas, times as epoch milliseconds. */
import type { Agent, Conversation, DisconnectType, Leg, Phase, Session, Visit } from './records.ts'
import {
  ACD_END,
  ACD_START,
  ACW,
  AGENT_STATE,
  ATTRIBUTES,
  CONTACT,
  CUSTOMER_END,
  CUSTOMER_START,
  FLOW_END,
  FLOW_OUTCOME,
  FLOW_START,
  OUTBOUND,
  USER_END,
  USER_START,
  VOICEMAIL_END,
  VOICEMAIL_START,
  WRAPUP,
  type Topic,
} from './topics.ts'
import type { World } from './world.ts'

export function tellCustomerStart(world: World, conversation: Conversation, session: Session): void {
  const journey =
    session.line.media === 'MESSAGE' && session.line.messageType === 'WEBMESSAGING'
      ? `,"journeyContext":{"sessionId":"${conversation.chance.uuid()}","sessionIdType":"web"}`
      : ''
  tell(world, CUSTOMER_START, conversation, session, contactOf(conversation) + divisionOf(world) + journey)
}

export function tellCustomerEnd(world: World, conversation: Conversation, session: Session, why: DisconnectType, talkMs: number): void {
  const extra = `,"disconnectType":"${why}","interactingDurationMs":${talkMs}`
  tell(world, CUSTOMER_END, conversation, session, contactOf(conversation) + divisionOf(world) + extra)
}

export function tellFlowStart(world: World, conversation: Conversation, session: Session): void {
  tell(world, FLOW_START, conversation, session, flowOf(session))
}

export function tellFlowEnd(world: World, conversation: Conversation, session: Session, why: DisconnectType): void {
  const exit = session.flowExit
  const transfer = exit === null || exit.transferType === null ? '' : `,"transferType":"${exit.transferType}"`
  const reason = exit === null ? '' : `,"exitReason":"${exit.exitReason}"`
  const extra = `,"disconnectType":"${why}","connectedDurationMs":${world.nowMs - session.startMs}${reason}${transfer}`
  tell(world, FLOW_END, conversation, session, flowOf(session) + extra)
}

/** Told well after the flow: `eventTime` is the time of telling. */
export function tellFlowOutcome(world: World, conversation: Conversation, session: Session, succeeded: boolean): void {
  const { flowOutcomes, milestones } = world.fixtures
  const endMs = session.endMs ?? world.nowMs
  const { chance } = conversation
  const milestone = `{"milestoneId":"${chance.pick(milestones)}","milestoneTime":${chance.between(session.startMs, endMs)}}`
  const extra =
    `,"flowOutcomeId":"${chance.pick(flowOutcomes)}","flowOutcomeStartTime":${session.startMs},"flowOutcomeEndTime":${endMs}` +
    `,"flowOutcomeValue":"${succeeded ? 'SUCCESS' : 'FAILURE'}","flowMilestones":[${chance.happens(0.7) ? milestone : ''}]`
  tell(world, FLOW_OUTCOME, conversation, session, flowOf(session) + extra)
}

export function tellAcdStart(world: World, visit: Visit): void {
  const skills = visit.skillId === null ? '' : `,"requestedRoutingSkillIds":["${visit.skillId}"],"skillExpressionApplied":false`
  tell(world, ACD_START, visit.conversation, visit.session, `${queueOf(visit)},"routingPriority":${visit.priority}${skills}`)
}

export function tellAcdEnd(world: World, visit: Visit, why: DisconnectType, answeredBy: Agent | null): void {
  const routing = visit.predictive ? 'PREDICTIVE' : 'STANDARD'
  const answered = answeredBy === null ? '' : `,"answeredUserId":"${answeredBy.user.id}","usedRouting":"${routing}"`
  const skills = visit.skillId === null ? '' : `,"requestedRoutingSkillIds":["${visit.skillId}"]`
  const flowType = visit.session.line.media === 'VOICE' ? ',"flowType":"inqueuecall"' : ''
  const extra =
    `,"disconnectType":"${why}","acdOutcome":"${visit.outcome ?? 'UNKNOWN'}"${answered},"requestedRoutings":["${routing}"]` +
    `,"routingPriority":${visit.priority},"connectedDurationMs":${world.nowMs - visit.enteredMs}${skills}${flowType}`
  tell(world, ACD_END, visit.conversation, visit.session, queueOf(visit) + extra)
}

export function tellUserStart(world: World, leg: Leg): void {
  tell(world, USER_START, leg.conversation, leg.session, userOf(leg))
}

export function tellUserEnd(world: World, leg: Leg, why: DisconnectType): void {
  const { alert, dial, callback, interact, hold } = leg.spentMs
  const extra =
    `,"disconnectType":"${why}","interactingDurationMs":${interact},"heldDurationMs":${hold}` +
    `,"alertingDurationMs":${alert},"contactingDurationMs":0,"dialingDurationMs":${dial},"callbackDurationMs":${callback}`
  tell(world, USER_END, leg.conversation, leg.session, userOf(leg) + extra)
}

export function tellWrapup(world: World, leg: Leg, code: string, notes: string): void {
  tell(world, WRAPUP, leg.conversation, leg.session, wrapupOf(world, leg, code, notes))
}

export function tellAcw(world: World, leg: Leg, code: string, notes: string): void {
  tell(world, ACW, leg.conversation, leg.session, `,"userId":"${leg.agent.user.id}"${wrapupOf(world, leg, code, notes)}`)
}

export function tellContact(world: World, conversation: Conversation, session: Session): void {
  tell(world, CONTACT, conversation, session, contactOf(conversation) + divisionOf(world))
}

export function tellOutbound(world: World, conversation: Conversation, session: Session): void {
  const { campaignId, contactListId } = world.fixtures
  const ids = `,"outboundCampaignId":"${campaignId}","outboundContactListId":"${contactListId}","outboundContactId":"${conversation.chance.uuid()}"`
  tell(world, OUTBOUND, conversation, session, ids + divisionOf(world))
}

export function tellVoicemailStart(world: World, conversation: Conversation, session: Session, queueId: string): void {
  tell(world, VOICEMAIL_START, conversation, session, `,"queueId":"${queueId}"${divisionOf(world)}`)
}

export function tellVoicemailEnd(world: World, conversation: Conversation, session: Session, queueId: string): void {
  const extra = `,"disconnectType":"ENDPOINT","voicemailDurationMs":${world.nowMs - session.startMs}`
  tell(world, VOICEMAIL_END, conversation, session, `,"queueId":"${queueId}"${divisionOf(world)}${extra}`)
}

/** All attributes of a participant, after a change. */
export function tellAttributes(world: World, conversation: Conversation, participant: Session['participant'], atMs: number): void {
  if (!world.outlet.wants(ATTRIBUTES)) return
  const communications = participant.sessions.map((session) => `{"id":"${session.id}","mediaType":"${session.line.media}"}`).join(',')
  const text =
    `{"eventTime":${atMs},"conversationId":"${conversation.id}","participantId":"${participant.id}"` +
    `,"attributes":${JSON.stringify(participant.attributes)},"communications":[${communications}]${conversation.contactFields}}`
  world.outlet.publish(ATTRIBUTES, conversation.id, atMs, text, conversation.chance)
}

/** A new state of an agent in a conversation. */
export function tellAgentState(world: World, leg: Leg, state: AgentState): void {
  if (!world.outlet.wants(AGENT_STATE)) return
  const { conversation, agent, session, queue } = leg
  const text =
    `{"conversationId":"${conversation.id}","sessionId":"${session.id}","sessionStart":${session.startMs}` +
    `,"currentStateStart":${world.nowMs},"currentState":"${state}","userId":"${agent.user.id}"` +
    `,"originatingDirection":"${conversation.direction}","mediaType":"${session.line.media}"${queue === null ? '' : `,"queueId":"${queue.fixture.id}"`}}`
  world.outlet.publish(AGENT_STATE, agent.user.id, world.nowMs, text, conversation.chance)
}

export type AgentState = 'ALERT' | 'DIALING' | 'CALLBACK' | 'INTERACT' | 'HOLD' | 'WRAPUP' | 'TERMINATED'

export const STATE_OF: Readonly<Record<Phase, AgentState>> = {
  alert: 'ALERT',
  dial: 'DIALING',
  callback: 'CALLBACK',
  interact: 'INTERACT',
  hold: 'HOLD',
  wrapup: 'WRAPUP',
}

function tell(world: World, topic: Topic, conversation: Conversation, session: Session, extra: string): void {
  if (!world.outlet.wants(topic)) return
  const text =
    `{"eventTime":${world.nowMs},"conversationId":"${conversation.id}","participantId":"${session.participant.id}"` +
    `,"sessionId":"${session.id}"${session.fields}${conversation.contactFields}${extra}}`
  world.outlet.publish(topic, conversation.id, world.nowMs, text, conversation.chance)
}

function contactOf(conversation: Conversation): string {
  const { externalContactId, externalOrganizationId } = conversation
  const contact = externalContactId === null ? '' : `,"externalContactId":"${externalContactId}"`
  return externalOrganizationId === null ? contact : `${contact},"externalOrganizationId":"${externalOrganizationId}"`
}

function divisionOf(world: World): string {
  return `,"divisionId":"${world.fixtures.divisions[0]!.id}"`
}

function flowOf(session: Session): string {
  const { flow } = session
  if (flow === null) return ''
  return `,"flowType":"${flow.type}","flowId":"${flow.id}","divisionId":"${flow.divisionId}","flowVersion":"${flow.version}"`
}

function queueOf(visit: Visit): string {
  const { id, divisionId } = visit.queue.fixture
  return `,"queueId":"${id}","divisionId":"${divisionId}"`
}

function userOf(leg: Leg): string {
  const { user } = leg.agent
  return `,"userId":"${user.id}","divisionId":"${user.divisionId}"${leg.queue === null ? '' : `,"queueId":"${leg.queue.fixture.id}"`}`
}

function wrapupOf(world: World, leg: Leg, code: string, notes: string): string {
  const queue = leg.queue === null ? '' : `,"queueId":"${leg.queue.fixture.id}"`
  const text = notes === '' ? '' : `,"wrapupNotes":${JSON.stringify(notes)}`
  return `${queue},"wrapupCode":"${code}"${text},"wrapupDurationMs":${world.nowMs - leg.phaseSinceMs}`
}
