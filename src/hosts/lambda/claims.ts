/**
 * The dedupe stage of one invocation. Beyond `claimDedupe`: events without a key need no store and do not fail with
 * it, and an event that comes twice in one batch is a duplicate as soon as its first copy is delivered.
 */
import { claimDedupe, type ClaimOptions } from '../../pipeline/dedupe.ts'
import { KEEP, drop, retry, type Outcome, type Stage } from '../../pipeline/outcome.ts'
import type { Verdict } from '../../pipeline/pipeline.ts'
import type { Event } from '../../event/event.ts'
import { hex } from './records.ts'

export type Claims = {
  readonly stage: Stage
  /** The verdicts with those on second copies settled by what became of the first. */
  withTwins(events: readonly Event[], verdicts: readonly Verdict[]): readonly Verdict[]
  /** Keeps the claims of delivered events and gives back those of the rest. Answers why it could not, if so. */
  settle(events: readonly Event[], verdicts: readonly Verdict[]): Promise<readonly string[]>
}

export function claimsOf(options: ClaimOptions): Claims {
  const dedupe = claimDedupe(options)
  return {
    stage: {
      name: 'dedupe',
      async run(events, signal) {
        const keyed = events.filter((event) => event.key !== null)
        let claimed: readonly Outcome[]
        try {
          claimed = await dedupe.run(keyed, signal)
        } catch (error) {
          claimed = keyed.map(() => retry('dedupe.store_failed', messageOf(error)))
        }
        let next = 0
        return events.map((event) =>
          event.key === null ? KEEP : (claimed[next++] ?? retry('dedupe.store_failed', 'the store answered too few claims')),
        )
      },
    },
    withTwins(events, verdicts) {
      const delivered = new Map<string, string>()
      return events.map((event, i) => {
        const verdict = verdicts[i] ?? { stage: 'none', outcome: retry('pipeline.no_outcome') }
        if (event.key === null) return verdict
        const key = hex(event.key)
        if (verdict.outcome.type === 'keep') delivered.set(key, event.id)
        const first = delivered.get(key)
        const waits = verdict.stage === 'dedupe' && verdict.outcome.type === 'hold'
        return waits && first !== undefined ? { stage: 'dedupe', outcome: drop('duplicate', first) } : verdict
      })
    },
    async settle(events, verdicts) {
      const chosen = (wanted: (verdict: Verdict) => boolean): Event[] =>
        events.filter((_, i) => verdicts[i] !== undefined && wanted(verdicts[i]))
      const results = await Promise.allSettled([
        dedupe.complete(chosen(({ outcome }) => outcome.type === 'keep')),
        dedupe.release(chosen(isGivenBack)),
      ])
      return results.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []))
    },
  }
}

/**
 * Ours, and not delivered. A claim that failed may have been made all the same; giving back is conditional on the
 * owner. A dead event gives its claim back too, or its redrive would pass for a duplicate.
 */
function isGivenBack({ stage, outcome }: Verdict): boolean {
  if (outcome.type === 'retry') return stage === 'dedupe' || stage === 'deliver'
  return stage === 'deliver' && (outcome.type === 'hold' || outcome.type === 'dead')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
