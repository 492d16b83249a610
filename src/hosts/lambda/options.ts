/**
 * What the Lambda handlers take and answer. The AWS shapes are written down here with only the fields that are read,
 * so that no types package is needed; those of `@types/aws-lambda` fit.
 */
import type { Config, TrunklineConfig } from '../../config/config.ts'
import type { Event } from '../../event/event.ts'
import type { Clock } from '../../pipeline/clock.ts'
import type { Validators } from '../../schema/assess.ts'
import type { Finding } from '../../schema/finding.ts'
import type { Store } from '../../stores/store.ts'

/** What an SQS event source mapping hands to a function. */
export type SqsEvent = { readonly Records: readonly SqsRecord[] }

export type SqsRecord = {
  readonly messageId: string
  readonly body: string
  readonly attributes?: { readonly ApproximateReceiveCount?: string | undefined; readonly SentTimestamp?: string | undefined } | undefined
}

/** The part of the invocation context that is read. */
export type LambdaContext = { getRemainingTimeInMillis?(): number }

/** Partial batch response: exactly the messages that stay in the queue. The mapping needs `ReportBatchItemFailures`. */
export type SqsBatchResponse = { batchItemFailures: { itemIdentifier: string }[] }

/** An event the route gave up on: where, why, and after how many receipts. */
export type DeadVerdict = { readonly stage: string; readonly reason: string; readonly detail: string | null; readonly attempts: number }

/** Bytes that are no event: why, and in which message. */
export type QuarantineReason = { readonly code: string; readonly message: string; readonly messageId: string }

/**
 * How one event of a message ended. `returned` is no end: its message stays in the queue and comes again. The other
 * words are those of every host.
 */
export type Ending = 'delivered' | 'duplicate' | 'not_matched' | 'dropped' | 'dead' | 'quarantined' | 'returned'

/** One event, or one piece of a message that is no event, and what became of it. */
export type Settled = {
  readonly messageId: string
  /** Null for what did not decode. */
  readonly event: Event | null
  readonly ending: Ending
  readonly stage: string
  /** Code of why, such as `sink.http_status`; null when delivered. */
  readonly reason: string | null
  readonly detail: string | null
}

export type SqsOptions = {
  /** The configuration, as a file has it or resolved. Of its routes only the one that is served is read. */
  readonly config: TrunklineConfig | Config
  /** Name of the route this function serves; may be left out when there is only one. */
  readonly route?: string | undefined
  /** Where the keys of delivered events are remembered. */
  readonly store: Store
  /**
   * What events are judged by, such as `shippedSchemas()` of `trunkline/schemas`. When absent nothing is validated, which is
   * refused where `schemas.policy` asks for more than `accept`.
   */
  readonly schemas?: Validators | undefined
  /** Told of every event with drift and what was found in it, for metrics. What it throws is reported and changes nothing. */
  readonly onDrift?: ((event: Event, findings: readonly Finding[]) => void) | undefined
  /**
   * Takes an event the route gave up on. Until it resolves the message stays in the queue, so the same event may be
   * given more than once (with the same id). When absent, the message fails, and the queue's redrive policy keeps it.
   */
  readonly deadLetter?: ((event: Event, verdict: DeadVerdict) => Promise<void>) | undefined
  /** The same for bytes that are no event. */
  readonly quarantine?: ((bytes: Uint8Array, reason: QuarantineReason) => Promise<void>) | undefined
  /** Told of every event and how it ended, for metrics. What it throws is reported and changes nothing. */
  readonly onSettled?: ((settled: Settled) => void) | undefined
  /** No delivery begins later than this before the end of the invocation; what is left settles the batch. Default 1,000. */
  readonly marginMs?: number | undefined
  /** How long a claim is ours where the context does not say when the invocation ends. Default 60,000. */
  readonly leaseMs?: number | undefined
  /** Environment variables for `env:NAME` and TRUNKLINE_*. Default: those of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Default: the machine's clock. */
  readonly clock?: Clock | undefined
  /** A text that never repeats; names the claims of one invocation. Default: a random UUID. */
  readonly randomId?: (() => string) | undefined
  /** Told what an operator should see, with a code. Default: one line of JSON on standard error. */
  readonly warn?: ((code: string, message: string) => void) | undefined
}
