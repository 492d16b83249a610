/** What happens once somebody is to be served: waiting and giving up, talking, holding, handing on, hanging up. */
import { findContact, writeSomething } from './attributes.ts'
import type { Chance } from './chance.ts'
import { addParticipant, endIfOver, endSession, lineOf, openSession } from './conversation.ts'
import { tellCustomerEnd, tellCustomerStart, tellVoicemailEnd, tellVoicemailStart } from './detail-events.ts'
import { endLeg, enterPhase, settleLeg, startLeg, workAfterCall } from './legs.ts'
import { enterQueue, freeColleague, leaveQueue, seekWork } from './queueing.ts'
import type { Conversation, DisconnectType, Leg, Line, Visit, WorkQueue } from './records.ts'
import { transcribe } from './transcription.ts'
import { after, type World } from './world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** The other party comes on the line. */
export function startCustomer(world: World, conversation: Conversation, line: Line): void {
  const known = conversation.participants.find((participant) => participant.purpose === 'customer')
  const participant = known ?? addParticipant(conversation, 'customer')
  conversation.customer = openSession(world, conversation, participant, { line, segment: 'interact' })
  tellCustomerStart(world, conversation, conversation.customer)
}

export function endCustomer(world: World, conversation: Conversation, why: DisconnectType): void {
  const session = conversation.customer
  if (session === null) return
  conversation.customer = null
  endSession(world, conversation, session, why)
  let talkMs = 0
  for (const leg of conversation.legs) talkMs += leg.spentMs.interact
  tellCustomerEnd(world, conversation, session, why, talkMs)
}

/** Waits in a queue until an agent answers, or until that takes too long. */
export function queueUp(world: World, conversation: Conversation, queue: WorkQueue, line: Line, predictive = false): void {
  const { chance } = conversation
  const visit = enterQueue(world, { conversation, queue, line, predictive, answered: (leg) => handle(world, leg) })
  if (line.media === 'VOICE' && chance.happens(0.2)) {
    after(world, chance.between(30_000, 120_000), () => leaveMessage(world, visit, chance.happens(0.5)))
  }
  after(world, patienceMs(conversation, line), () => {
    if (visit.outcome !== null) return
    const gone = line.media === 'EMAIL' || line.media === 'CALLBACK'
    leaveQueue(world, visit, gone ? 'FLOW_OUT' : 'ABANDON', gone ? 'SYSTEM' : 'ENDPOINT')
    endCustomer(world, conversation, gone ? 'SYSTEM' : 'ENDPOINT')
    endIfOver(world, conversation)
  })
}

/** Ends an agent's part; after-call work follows where there was a queue. */
export function finishLeg(world: World, leg: Leg, why: DisconnectType): void {
  const { agent, conversation, queue, connected } = leg
  endLeg(world, leg, why)
  if (!connected || queue === null) return seekWork(world, agent)
  const { chance } = conversation
  const workMs = conversation.media === 'VOICE' ? lasting(world, chance, 4_000, 25_000) : lasting(world, chance, 2_000, 12_000)
  workAfterCall(world, leg, workMs, () => seekWork(world, agent))
}

/** Talks, with a hold now and then, and comes to an end. */
export function talk(world: World, leg: Leg, leftMs: number): void {
  const { chance } = leg.conversation
  if (leftMs * world.options.brisk < 30_000 || !chance.happens(0.3)) return after(world, leftMs, () => conclude(world, leg))
  const pieceMs = Math.floor((leftMs * chance.between(30, 70)) / 100)
  after(world, pieceMs, () => {
    enterPhase(world, leg, 'hold')
    after(world, lasting(world, chance, 3_000, 25_000), () => {
      enterPhase(world, leg, 'interact')
      talk(world, leg, leftMs - pieceMs)
    })
  })
}

function handle(world: World, leg: Leg): void {
  const { conversation, session } = leg
  const { chance } = conversation
  if (chance.happens(0.35))
    duringLeg(world, leg, chance.between(2_000, 60_000), () => writeSomething(world, conversation, session.participant))
  if (chance.happens(0.12)) duringLeg(world, leg, chance.between(2_000, 40_000), () => findContact(world, conversation))
  switch (session.line.media) {
    case 'VOICE':
      if (conversation.transcribed) transcribe(world, leg)
      return talk(world, leg, lasting(world, chance, 10_000, 230_000))
    case 'CALLBACK':
      return after(world, lasting(world, chance, 3_000, 8_000), () => {
        enterPhase(world, leg, 'dial')
        after(world, chance.between(4_000, 15_000), () => {
          enterPhase(world, leg, 'interact')
          after(world, lasting(world, chance, 10_000, 180_000), () => hangUp(world, leg))
        })
      })
    case 'EMAIL':
      return write(world, leg, chance.happens(0.4) ? chance.between(1, 3) : 0)
    case 'CHAT':
    case 'MESSAGE':
      return after(world, lasting(world, chance, 20_000, 300_000), () => conclude(world, leg))
  }
}

/** An e-mail worked on in several actions: Genesys ends and starts the agent's session for each. */
function write(world: World, leg: Leg, moreActions: number): void {
  const { conversation, agent, queue, session } = leg
  const { chance } = conversation
  after(world, lasting(world, chance, 15_000, 120_000), () => {
    if (moreActions === 0) return hangUp(world, leg)
    endLeg(world, leg, 'CLIENT')
    settleLeg(world, leg)
    agent.ringing = true
    after(world, chance.between(20, 900), () => {
      agent.ringing = false
      const next = startLeg(world, { conversation, agent, queue, line: session.line, phase: 'interact', participant: session.participant })
      write(world, next, moreActions - 1)
    })
  })
}

function conclude(world: World, leg: Leg): void {
  const { conversation, queue } = leg
  const { chance } = conversation
  if (queue !== null && chance.happens(0.08)) return transfer(world, leg, queue)
  if (conversation.media === 'VOICE' && queue !== null && chance.happens(0.06)) return consult(world, leg)
  hangUp(world, leg)
}

function hangUp(world: World, leg: Leg): void {
  const { conversation } = leg
  if (conversation.chance.happens(0.6)) {
    endCustomer(world, conversation, conversation.media === 'MESSAGE' ? 'INACTIVITY' : 'ENDPOINT')
    finishLeg(world, leg, 'PEER')
  } else {
    finishLeg(world, leg, 'CLIENT')
    endCustomer(world, conversation, 'PEER')
  }
  endIfOver(world, conversation)
}

/** To another queue, without a word. */
function transfer(world: World, leg: Leg, from: WorkQueue): void {
  const { conversation } = leg
  const others = world.queues.filter((queue) => queue !== from && queue.fixture !== world.fixtures.noisyQueue)
  if (others.length === 0) return hangUp(world, leg)
  finishLeg(world, leg, 'TRANSFER')
  queueUp(world, conversation, conversation.chance.pick(others), leg.session.line)
}

/** Asks a colleague while the customer holds; half of the time the colleague takes over. */
function consult(world: World, leg: Leg): void {
  const { conversation, session } = leg
  const { chance } = conversation
  const colleague = freeColleague(world, leg.agent)
  if (colleague === null) return hangUp(world, leg)
  enterPhase(world, leg, 'hold')
  colleague.ringing = true
  const asked = startLeg(world, { conversation, agent: colleague, queue: null, line: session.line, phase: 'alert' })
  after(world, lasting(world, chance, 1_000, 3_000), () => {
    colleague.ringing = false
    enterPhase(world, asked, 'interact')
    after(world, lasting(world, chance, 8_000, 40_000), () => {
      if (chance.happens(0.5)) {
        finishLeg(world, leg, 'CONSULT_TRANSFER')
        talk(world, asked, lasting(world, chance, 10_000, 120_000))
        return
      }
      finishLeg(world, asked, 'CLIENT')
      enterPhase(world, leg, 'interact')
      after(world, lasting(world, chance, 5_000, 60_000), () => hangUp(world, leg))
    })
  })
}

/** Is tired of waiting: asks to be called back, or speaks to a machine. */
function leaveMessage(world: World, visit: Visit, callBack: boolean): void {
  const { conversation, queue, session } = visit
  if (visit.outcome !== null || visit.ringing !== null || conversation.customer === null) return
  leaveQueue(world, visit, 'FLOW_OUT', 'TRANSFER')
  if (callBack) return waitForCall(world, conversation, queue, session.line)
  const { chance } = conversation
  const queueId = queue.fixture.id
  const participant = addParticipant(conversation, 'voicemail', { queueId })
  const message = openSession(world, conversation, participant, { line: session.line, segment: 'voicemail', queueId })
  tellVoicemailStart(world, conversation, message, queueId)
  after(world, lasting(world, chance, 4_000, 20_000), () => {
    tellVoicemailEnd(world, conversation, message, queueId)
    endSession(world, conversation, message, 'ENDPOINT')
    endCustomer(world, conversation, 'ENDPOINT')
    endIfOver(world, conversation)
  })
}

function waitForCall(world: World, conversation: Conversation, queue: WorkQueue, voice: Line): void {
  endCustomer(world, conversation, 'CLIENT')
  const line = lineOf({
    media: 'CALLBACK',
    provider: 'PureCloud Callback',
    direction: voice.direction,
    callbackUserName: 'Caller Example',
    callbackNumbers: [(voice.ani ?? 'tel:+15550000000').slice(4)],
    callbackScheduledTime: world.nowMs,
  })
  startCustomer(world, conversation, line)
  queueUp(world, conversation, queue, line)
}

/** How long people are at something, by their own pace. */
function lasting(world: World, chance: Chance, leastMs: number, meanMs: number): number {
  return Math.ceil((leastMs + chance.span(meanMs)) / world.options.brisk)
}

function duringLeg(world: World, leg: Leg, afterMs: number, action: () => void): void {
  after(world, afterMs, () => {
    if (leg.endMs === null) action()
  })
}

function patienceMs({ chance }: Conversation, { media }: Line): number {
  switch (media) {
    case 'VOICE':
      return 10_000 + chance.exponential(4 * MINUTE_MS)
    case 'CHAT':
    case 'MESSAGE':
      return MINUTE_MS + chance.exponential(12 * MINUTE_MS)
    case 'EMAIL':
    case 'CALLBACK':
      return 4 * HOUR_MS
  }
}
