/** How conversations begin, by medium and direction, up to the queue. */
import { writeSomething } from './attributes.ts'
import { drawQueue, type CentreFlow, type FlowType } from './centre.ts'
import type { Chance } from './chance.ts'
import { addParticipant, endIfOver, endSession, lineOf, newConversation, nextChance, openSession } from './conversation.ts'
import { tellFlowEnd, tellFlowOutcome, tellFlowStart, tellOutbound } from './detail-events.ts'
import { endCustomer, finishLeg, queueUp, startCustomer, talk } from './handling.ts'
import { enterPhase, startLeg } from './legs.ts'
import { freeColleague } from './queueing.ts'
import type { Conversation, Line, LineFacts, WorkQueue } from './records.ts'
import { after, type World } from './world.ts'

type Kind = 'voice' | 'message' | 'chat' | 'email' | 'campaign' | 'own'

/** Of a hundred conversations. */
const KINDS: readonly (readonly [kind: Kind, share: number])[] = [
  ['voice', 62],
  ['message', 13],
  ['email', 9],
  ['chat', 4],
  ['campaign', 9],
  ['own', 3],
]

/** One more conversation begins. */
export function beginConversation(world: World): void {
  // The very first one is a call, whatever the seed: whoever starts the centre wants to see one.
  const isFirst = world.born === 0
  const chance = nextChance(world)
  const kind = isFirst ? 'voice' : kindOf(chance.below(100))
  if (kind === 'own') return callOut(world, chance)
  const queue = world.queues[drawQueue(world.options, chance)]!
  const line = lineOf(drawLine(kind, chance))
  const conversation = newConversation(world, line, chance)
  startCustomer(world, conversation, line)
  if (kind !== 'campaign') {
    after(world, chance.between(60, 300), () => runFlow(world, conversation, queue, line, FLOW_OF[kind]))
    return
  }
  after(world, chance.between(20, 80), () => {
    if (conversation.customer !== null) tellOutbound(world, conversation, conversation.customer)
  })
  after(world, chance.between(5_000, 20_000), () => {
    if (!chance.happens(0.35)) return runFlow(world, conversation, queue, line, 'OUTBOUNDCALL')
    endCustomer(world, conversation, chance.happens(0.7) ? 'TIMEOUT' : 'UNCALLABLE')
    endIfOver(world, conversation)
  })
}

/** A line of its own to dial on behalf of nobody: agents call people, too. */
function callOut(world: World, chance: Chance): void {
  const agent = freeColleague(world, null)
  if (agent === null) return
  const line = lineOf(drawLine('own', chance))
  const conversation = newConversation(world, line, chance)
  const leg = startLeg(world, { conversation, agent, queue: null, line, phase: 'dial' })
  after(world, chance.between(4_000, 20_000), () => {
    if (chance.happens(0.7)) {
      startCustomer(world, conversation, line)
      enterPhase(world, leg, 'interact')
      return talk(world, leg, 10_000 + chance.span(150_000))
    }
    finishLeg(world, leg, 'CLIENT')
    endIfOver(world, conversation)
  })
}

/** The menu, the greeting, the sorting: most go on to the queue. */
function runFlow(world: World, conversation: Conversation, queue: WorkQueue, line: Line, type: FlowType): void {
  const { chance } = conversation
  const flow = chance.pick(world.fixtures.flows.filter((candidate: CentreFlow) => candidate.type === type))
  const participant = addParticipant(conversation, 'ivr')
  const session = openSession(world, conversation, participant, { line, segment: 'ivr', flow })
  tellFlowStart(world, conversation, session)
  const isVoice = line.media === 'VOICE' && line.direction === 'INBOUND'
  const lengthMs = isVoice ? 2_500 + chance.span(18_000) : chance.between(300, 2_500)
  if (chance.happens(0.4)) {
    after(world, Math.floor(lengthMs / 2), () => {
      const customer = conversation.participants[0]
      if (customer !== undefined) writeSomething(world, conversation, customer)
    })
  }
  after(world, lengthMs, () => {
    const end = isVoice ? chance.below(100) : 99
    const exit = end < 5 ? 'DISCONNECT' : end < 12 ? 'FLOW_DISCONNECT' : 'TRANSFER'
    session.flowExit = { exitReason: exit, transferType: exit === 'TRANSFER' ? 'ACD' : null }
    const why = exit === 'TRANSFER' ? 'TRANSFER' : exit === 'DISCONNECT' ? 'PEER' : 'SYSTEM'
    tellFlowEnd(world, conversation, session, why)
    endSession(world, conversation, session, why)
    if (chance.happens(0.5)) {
      after(world, chance.between(20_000, 90_000), () => tellFlowOutcome(world, conversation, session, exit !== 'DISCONNECT'))
    }
    if (exit === 'TRANSFER')
      return after(world, chance.between(10, 90), () => queueUp(world, conversation, queue, line, type === 'OUTBOUNDCALL'))
    endCustomer(world, conversation, exit === 'DISCONNECT' ? 'ENDPOINT' : 'PEER')
    endIfOver(world, conversation)
  })
}

function kindOf(hundredth: number): Kind {
  let from = 0
  for (const [kind, share] of KINDS) {
    from += share
    if (hundredth < from) return kind
  }
  return 'voice'
}

function drawLine(kind: Kind, chance: Chance): LineFacts {
  const caller = `+1555${String(chance.below(10_000_000)).padStart(7, '0')}`
  switch (kind) {
    case 'voice':
      return { media: 'VOICE', provider: 'Edge', direction: 'INBOUND', ani: `tel:${caller}`, dnis: `tel:+1555555000${chance.below(3)}` }
    case 'campaign':
    case 'own':
      return { media: 'VOICE', provider: 'Edge', direction: 'OUTBOUND', ani: 'tel:+15555550009', dnis: `tel:${caller}` }
    case 'chat':
      return { media: 'CHAT', provider: 'PureCloud Webchat v2', direction: 'INBOUND' }
    case 'email':
      return {
        media: 'EMAIL',
        provider: 'PureCloud Email',
        direction: 'INBOUND',
        addressFrom: `customer.${chance.below(100_000)}@example.com`,
        addressTo: 'service@example.com',
        subject: chance.pick(SUBJECTS),
      }
    case 'message': {
      const messageType = chance.pick(['WEBMESSAGING', 'WHATSAPP', 'SMS', 'OPEN'])
      const from = messageType === 'SMS' || messageType === 'WHATSAPP' ? caller : chance.uuid()
      return {
        media: 'MESSAGE',
        provider: 'PureCloud Messaging',
        direction: 'INBOUND',
        addressFrom: from,
        addressTo: 'service-example',
        messageType,
      }
    }
  }
}

const FLOW_OF: Readonly<Record<Exclude<Kind, 'campaign' | 'own'>, FlowType>> = {
  voice: 'INBOUNDCALL',
  message: 'INBOUNDSHORTMESSAGE',
  chat: 'INBOUNDCHAT',
  email: 'INBOUNDEMAIL',
}

const SUBJECTS: readonly string[] = [
  'My last bill',
  'Re: Your order',
  'Question about "Premium"',
  'Kündigung',
  'Wrong delivery',
  'Thank you!',
]
