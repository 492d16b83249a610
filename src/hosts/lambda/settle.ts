/**
 * The one place of this host where outcomes become an answer to SQS. A message leaves the queue only when every event
 * in it has an end that is kept somewhere: delivered, dropped for a reason, or taken by `deadLetter` or `quarantine`.
 * Everything else, what throws included, is named in the response, once, and comes again.
 */
import { dead } from '../../pipeline/outcome.ts'
import type { Verdict } from '../../pipeline/pipeline.ts'
import { turns } from '../../pipeline/turns.ts'
import type { Ending, Settled, SqsBatchResponse, SqsOptions } from './options.ts'
import type { Batch, Item, Poison } from './records.ts'

export type SettleOptions = Pick<SqsOptions, 'deadLetter' | 'quarantine' | 'onSettled'> & {
  readonly maxAttempts: number
  readonly warn: (code: string, message: string) => void
}

/** Dead letters and quarantined pieces handed over at once. */
const HANDED_OVER_AT_ONCE = 16

/** `verdicts` are aligned with the items of the batch. */
export async function settle(batch: Batch, verdicts: readonly (Verdict | undefined)[], options: SettleOptions): Promise<SqsBatchResponse> {
  const handOver = turns(HANDED_OVER_AT_ONCE)
  const settled = await Promise.all([
    ...batch.items.map((item, i) => handOver.run(() => settleItem(item, limited(verdicts[i], item, options.maxAttempts), options))),
    ...batch.poison.map((poison) => handOver.run(() => settlePoison(poison, options))),
  ])
  for (const one of settled) observe(one, options)
  const returned = settled.filter(({ ending }) => ending === 'returned')
  if (returned.length > 0) options.warn('lambda.returned', summary(returned))
  const failed = new Set(returned.map(({ messageId }) => messageId))
  const inOrder = new Set(batch.messageIds.filter((messageId) => failed.has(messageId)))
  return { batchItemFailures: [...inOrder].map((itemIdentifier) => ({ itemIdentifier })) }
}

/**
 * A failed attempt past the limit is the last one. Only the sink's answers are attempts: neither a store that fails nor
 * our own stop may end an event. The receive count also counts holds, so an event may get fewer attempts than allowed.
 */
export function limited(verdict: Verdict | undefined, item: Item, maxAttempts: number): Verdict | undefined {
  if (verdict?.stage !== 'deliver' || verdict.outcome.type !== 'retry') return verdict
  const { reason, detail } = verdict.outcome
  return reason === 'sink.stopped' || item.receiveCount < maxAttempts ? verdict : { stage: 'deliver', outcome: dead(reason, detail) }
}

async function settleItem(item: Item, verdict: Verdict | undefined, options: SettleOptions): Promise<Settled> {
  const { messageId, event } = item
  const end = (ending: Ending, stage: string, reason: string | null, detail: string | null = null): Settled => ({
    messageId,
    event,
    ending,
    stage,
    reason,
    detail,
  })
  if (verdict === undefined) return end('returned', 'none', 'pipeline.no_outcome')
  const { stage, outcome } = verdict
  switch (outcome.type) {
    case 'keep':
      return end('delivered', stage, null)
    case 'drop':
      return end(
        outcome.reason === 'duplicate' ? 'duplicate' : outcome.reason.startsWith('match.') ? 'not_matched' : 'dropped',
        stage,
        outcome.reason,
        outcome.key,
      )
    case 'hold':
      return end('returned', stage, outcome.reason)
    case 'retry':
      return end('returned', stage, outcome.reason, outcome.detail)
    case 'dead': {
      const { reason, detail } = outcome
      if (options.deadLetter === undefined) return end('returned', stage, reason, detail)
      const problem = await problemOf(() => options.deadLetter?.(event, { stage, reason, detail, attempts: item.receiveCount }))
      if (problem === null) return end('dead', stage, reason, detail)
      options.warn('lambda.dead_letter_failed', `event ${event.id} stays in the queue: ${problem}`)
      return end('returned', stage, reason, detail)
    }
  }
}

async function settlePoison({ messageId, failure }: Poison, options: SettleOptions): Promise<Settled> {
  const { code, message, bytes } = failure
  const end = (ending: Ending): Settled => ({ messageId, event: null, ending, stage: 'decode', reason: code, detail: message })
  if (options.quarantine === undefined) return end('returned')
  const problem = await problemOf(() => options.quarantine?.(bytes, { code, message, messageId }))
  if (problem === null) return end('quarantined')
  options.warn('lambda.quarantine_failed', `message ${messageId} stays in the queue: ${problem}`)
  return end('returned')
}

async function problemOf(task: () => Promise<void> | undefined): Promise<string | null> {
  try {
    await task()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function observe(settled: Settled, options: SettleOptions): void {
  try {
    options.onSettled?.(settled)
  } catch (error) {
    options.warn('lambda.observer_threw', error instanceof Error ? error.message : String(error))
  }
}

/** Counted by reason, because one line per message would cost more than the messages. */
function summary(returned: readonly Settled[]): string {
  const counts = new Map<string, number>()
  for (const { reason } of returned) counts.set(reason ?? 'unknown', (counts.get(reason ?? 'unknown') ?? 0) + 1)
  return `back to the queue: ${[...counts].map(([reason, count]) => `${reason} x${count}`).join(', ')}`
}
