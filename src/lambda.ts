/**
 * `trunkline/lambda`: handlers for AWS Lambda, and what a handler file needs beside them. Nothing of the service, the
 * command line or SQLite is behind this entry.
 *
 * @example
 * ```ts
 * import { defineConfig, memoryStore, sqs } from 'trunkline/lambda'
 *
 * const config = defineConfig({ routes: { crm: { sink: { type: 'http', url: 'env:CRM_URL' } } } })
 * export const handler = sqs({ config, store: memoryStore() })
 * ```
 *
 * @module
 */
export { defineConfig } from './config/config.ts'
export type { Config, RouteInput, TrunklineConfig } from './config/config.ts'
export type { Event } from './event/event.ts'
export { sqs } from './hosts/lambda/sqs.ts'
export type {
  DeadVerdict,
  Ending,
  LambdaContext,
  QuarantineReason,
  Settled,
  SqsBatchResponse,
  SqsEvent,
  SqsOptions,
  SqsRecord,
} from './hosts/lambda/options.ts'
export { memoryStore } from './stores/memory.ts'
export type { MemoryStoreOptions } from './stores/memory.ts'
export type { Claim, ClaimRequest, Store } from './stores/store.ts'
