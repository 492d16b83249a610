/** A queue that makes noise: calls that bounce between a flow and the queue and never reach anybody, a fixed number of events a second. */
import { endIfOver, lineOf, newConversation } from './conversation.ts'
import { endCustomer, startCustomer } from './handling.ts'
import { enterQueue, leaveQueue } from './queueing.ts'
import type { Conversation, Line, WorkQueue } from './records.ts'
import { after, type World } from './world.ts'

const VISITS = 10
const EVENTS_A_CALL: number = 2 * VISITS
const STAY_MS = 400
const AWAY_MS = 100

/** `acd.start` and `acd.end` of the noisy queue come to the number of the options; customer events are besides. */
export function makeNoise(world: World): void {
  const { noisyQueuePerSecond, startAtMs } = world.options
  const queue = world.queues.find((candidate) => candidate.fixture === world.fixtures.noisyQueue)
  if (queue === undefined) return
  const everyUs = (EVENTS_A_CALL * 1_000_000) / noisyQueuePerSecond
  const streams = world.seed.branch('noise')
  const come = (n: number): void => {
    world.actions.add(startAtMs + Math.floor((n * everyUs) / 1000), () => {
      const chance = streams.stream(n)
      const line = lineOf({
        media: 'VOICE',
        provider: 'Edge',
        direction: 'INBOUND',
        ani: `tel:+1555666${chance.between(1000, 9999)}`,
        dnis: 'tel:+15555550666',
      })
      const conversation = newConversation(world, line, chance)
      startCustomer(world, conversation, line)
      bounce(world, conversation, queue, line, VISITS)
      come(n + 1)
    })
  }
  come(0)
}

function bounce(world: World, conversation: Conversation, queue: WorkQueue, line: Line, visits: number): void {
  if (visits === 0) {
    endCustomer(world, conversation, 'SYSTEM')
    return endIfOver(world, conversation)
  }
  const visit = enterQueue(world, { conversation, queue, line, answered: () => undefined })
  after(world, STAY_MS, () => {
    leaveQueue(world, visit, 'FLOW_OUT', 'TRANSFER')
    after(world, AWAY_MS, () => bounce(world, conversation, queue, line, visits - 1))
  })
}
