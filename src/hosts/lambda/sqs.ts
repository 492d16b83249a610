/**
 * The host for an SQS event source mapping: one function, one route. An invocation's messages go through the same
 * stages as on one machine, and the answer names exactly the messages that must come again. It never answers for what
 * it could not judge: a defect or a wrong configuration rejects, and the whole batch stays in the queue.
 *
 * Per environment: the configuration and the sink. Per invocation: everything else, because an environment may run
 * several invocations at once.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RouteConfig } from '../../config/config.ts'
import { formatConfigErrors } from '../../config/errors.ts'
import { DEFAULT_MAX_BYTES, type DecodeOptions } from '../../event/decode.ts'
import { toDocument } from '../../event/document.ts'
import { KNOWN_TOPICS } from '../../event/known-topics.ts'
import type { Clock } from '../../pipeline/clock.ts'
import { deliverStage } from '../../pipeline/deliver.ts'
import { compile } from '../../match/matcher.ts'
import { matchStage } from '../../pipeline/match.ts'
import { type Stage, hold } from '../../pipeline/outcome.ts'
import { runStages } from '../../pipeline/pipeline.ts'
import { compileTopics } from '../../pipeline/topic-pattern.ts'
import { systemClock } from '../clock.ts'
import { createHttpSink } from '../http-sink.ts'
import { VERSION } from '../version.ts'
import { claimsOf } from './claims.ts'
import type { LambdaContext, SqsBatchResponse, SqsEvent, SqsOptions } from './options.ts'
import { readBatch } from './records.ts'
import { servedRoute } from './route.ts'
import { settle } from './settle.ts'
import { lambdaValidation } from './validation.ts'

const DEFAULT_MARGIN_MS = 1000
const DEFAULT_LEASE_MS = 60_000

/** A Lambda handler that delivers the messages of an SQS queue along one route. */
export function sqs(options: SqsOptions): (event: SqsEvent, context?: LambdaContext) => Promise<SqsBatchResponse> {
  const { clock = systemClock, warn = warnOnStderr, randomId = randomUUID } = options
  const marginMs = options.marginMs ?? DEFAULT_MARGIN_MS
  let environment: Promise<Environment> | null = null

  return async (event, context) => {
    // A failed start is tried again: the next invocation may find the secret or the sink in place.
    environment ??= start(options, clock, warn).catch((error: unknown) => {
      environment = null
      throw error
    })
    const { route, decode, windowMs, shaping, deliver } = await environment
    const nowMs = clock.nowMs()
    const batch = readBatch(event, decode, nowMs)
    const remainingMs = context?.getRemainingTimeInMillis?.() ?? null
    // Past its own end an invocation cannot work any more, so neither needs its lease to last.
    const leaseMs = remainingMs ?? options.leaseMs ?? DEFAULT_LEASE_MS
    const claims = claimsOf({ store: options.store, clock, owner: randomId(), leaseMs, windowMs })
    const events = batch.items.map((item) => item.event)
    const stages = route.paused ? [pausedStage(clock)] : route.dedupe ? [...shaping, claims.stage, deliver] : [...shaping, deliver]

    const over = new AbortController()
    const deadline = deadlineSignal(clock, remainingMs === null ? null : remainingMs - marginMs, over.signal)
    const ran = await runStages(stages, events, deadline).finally(() => over.abort())
    const verdicts = route.dedupe ? claims.withTwins(events, ran) : ran
    if (route.dedupe) for (const problem of await claims.settle(events, verdicts)) warn('lambda.claims_unsettled', problem)
    return settle(batch, verdicts, { ...options, maxAttempts: route.retry.maxAttempts, warn })
  }
}

/** What one environment sets up once. */
type Environment = {
  readonly route: RouteConfig
  readonly decode: DecodeOptions
  readonly windowMs: number
  /** What comes before the claim. */
  readonly shaping: readonly Stage[]
  readonly deliver: Stage
}

async function start(options: SqsOptions, clock: Clock, warn: (code: string, message: string) => void): Promise<Environment> {
  const { route, config, warnings } = servedRoute({
    config: options.config,
    route: options.route,
    env: options.env ?? process.env,
    cwd: process.cwd(),
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  if (warnings.length > 0) warn('lambda.config', formatConfigErrors(warnings))
  const { orgId } = config.genesys
  const topics = route.topics === null ? null : compileTopics(route.topics, KNOWN_TOPICS)
  const validate = lambdaValidation(route, config, options, warn)
  const document: typeof toDocument = validate === null ? toDocument : (event) => toDocument(event, { marks: validate.marksOf(event) })
  const sink = createHttpSink(route.sink, { clock, document, version: VERSION })
  await sink.open(null)
  const matchers = route.patterns.map(compile)
  return {
    route,
    decode: { maxBytes: DEFAULT_MAX_BYTES, ...(orgId === null ? {} : { orgId }) },
    windowMs: config.dedupe.windowMs ?? config.log.maxAgeMs,
    shaping: [
      matchStage({ topics, matchers: () => matchers, backfill: route.backfill, changes: false }),
      ...(validate === null ? [] : [validate]),
    ],
    deliver: deliverStage(sink),
  }
}

/** Aborts when no delivery may begin any more; never, where nobody says when that is. */
function deadlineSignal(clock: Clock, inMs: number | null, over: AbortSignal): AbortSignal {
  const deadline = new AbortController()
  if (inMs === null) return deadline.signal
  if (inMs <= 0) deadline.abort()
  else void clock.wait(inMs, over).then(() => deadline.abort())
  return deadline.signal
}

/** Holds everything. Stopping the event source mapping is the better way: holding uses up receives. */
function pausedStage(clock: Clock): Stage {
  return { name: 'route', run: (events) => events.map(() => hold('route.paused', clock.nowMs())) }
}

function warnOnStderr(code: string, message: string): void {
  process.stderr.write(`${JSON.stringify({ level: 'warn', code, message })}\n`)
}
