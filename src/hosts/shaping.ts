/**
 * The stages of a route before its sink, in the order of src/pipeline/pipeline.ts. The service and `trunkline test` both take them from
 * here, so that what a test says is what the route will do.
 */
import type { RouteConfig } from '../config/config.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { compile } from '../match/matcher.ts'
import { verdictDedupe } from '../pipeline/dedupe.ts'
import { matchStage } from '../pipeline/match.ts'
import type { Stage } from '../pipeline/outcome.ts'
import { compileTopics } from '../pipeline/topic-pattern.ts'

/** The stages of one route. `validate` is shared by all routes, and left out where a route does not ask for it. */
export function shapingOf({ topics, patterns, backfill, validate, dedupe }: RouteConfig, validation: Stage): readonly Stage[] {
  return [
    matchStage({ topics: topics === null ? null : compileTopics(topics, KNOWN_TOPICS), matchers: patterns.map(compile), backfill }),
    ...(validate ? [validation] : []),
    ...(dedupe ? [verdictDedupe] : []),
  ]
}
