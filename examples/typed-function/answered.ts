import type { Deliver } from 'trunkline/events'

type Tally = { answered: number; abandoned: number }

/** As long as the process of the function lives. What must outlive it belongs into a database, under `context.idempotencyKey`. */
const tallies = new Map<string, Tally>()

/** Tallies, queue by queue, which calls were answered and which gave up waiting. */
export const deliver: Deliver<'v2.detail.events.conversation.{id}.acd.end'> = ({ body }) => {
  // `body.queueID` would not compile.
  const { queueId, acdOutcome } = body
  if (queueId === undefined) throw permanent('the event names no queue')
  const tally = tallies.get(queueId) ?? { answered: 0, abandoned: 0 }
  if (acdOutcome === 'ANSWERED') tally.answered++
  if (acdOutcome === 'ABANDON') tally.abandoned++
  tallies.set(queueId, tally)
  process.stdout.write(`queue ${queueId}: ${tally.answered} answered, ${tally.abandoned} abandoned\n`)
}

/** Any other error means: try again later. This one makes the event a dead letter at once. */
function permanent(message: string): Error {
  return Object.assign(new Error(message), { permanent: true })
}
