/**
 * `trunkline/schemas`: the compiled schemas of the Genesys topics, for a Lambda handler that validates. An entry of its own, as they
 * are half a megabyte that a handler without validation need not carry. Nothing is compiled at run time.
 *
 * @example
 * ```ts
 * import { defineConfig, memoryStore, sqs } from 'trunkline/lambda'
 * import { shippedSchemas } from 'trunkline/schemas'
 *
 * const config = defineConfig({
 *   schemas: { policy: { '*': { changed_type: 'quarantine' } } },
 *   routes: { crm: { sink: { type: 'http', url: 'env:CRM_URL' } } },
 * })
 * export const handler = sqs({ config, store: memoryStore(), schemas: shippedSchemas() })
 * ```
 *
 * @module
 */
import type { Validators } from './schema/assess.ts'
import { Registry } from './schema/registry.ts'

export type { Validators } from './schema/assess.ts'
export type { DriftClass, Finding, PolicyAction, Validator } from './schema/finding.ts'

/** The schemas that come with Trunkline. */
export function shippedSchemas(): Validators {
  return new Registry()
}
