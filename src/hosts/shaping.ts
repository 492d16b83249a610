/**
 * The stages of a route before its sink, in the order of src/pipeline/pipeline.ts. The service and `trunkline test` both take them from
 * here, so that what a test says is what the route will do.
 */
import type { RouteConfig } from '../config/config.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { limitStage, type LimitOptions } from '../limit/limit.ts'
import { fixedTerms } from '../limit/rates.ts'
import { compile, type Matcher } from '../match/matcher.ts'
import { verdictDedupe } from '../pipeline/dedupe.ts'
import { matchStage } from '../pipeline/match.ts'
import type { Stage } from '../pipeline/outcome.ts'
import { compileTopics } from '../pipeline/topic-pattern.ts'
import type { Store } from '../stores/store.ts'

export type ShapingRooms = { readonly validation: Stage; readonly limits: LimitRooms; readonly matchers?: () => readonly Matcher[] }

/** What a limit needs beyond its configuration. */
export type LimitRooms = Pick<LimitOptions, 'clock' | 'leaseMs' | 'warn'> & {
  /** What the limit goes by; left out, what the configuration says. */
  readonly terms?: LimitOptions['terms']
  /** Where limits keep their tokens; asked for only where a route has a limit. */
  readonly store: () => Store
}

/**
 * The stages of one route. `validation` is shared by all routes; each is left out where a route does not ask for it. `matchers` are those of
 * the route as it stands, where nothing changes them.
 */
export function shapingOf(config: RouteConfig, { validation, limits, ...rooms }: ShapingRooms): readonly Stage[] {
  const { name, topics, patterns, backfill, changes, limit, validate, dedupe } = config
  const compiled = rooms.matchers === undefined ? patterns.map(compile) : []
  return [
    matchStage({
      topics: topics === null ? null : compileTopics(topics, KNOWN_TOPICS),
      matchers: rooms.matchers ?? (() => compiled),
      backfill,
      changes: changes !== null,
    }),
    ...(limit === null
      ? []
      : [
          limitStage({
            name,
            dedupe,
            topics: limit.topics === null ? null : compileTopics(limit.topics, KNOWN_TOPICS),
            ...limits,
            terms: limits.terms ?? fixedTerms(limit),
            store: limits.store(),
          }),
        ]),
    ...(validate ? [validation] : []),
    ...(dedupe ? [verdictDedupe] : []),
  ]
}
