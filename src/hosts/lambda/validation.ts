/** The stage `validate` of a function: its schemas are handed in by the handler's file, its policy is the configuration's. */
import type { Config, RouteConfig } from '../../config/config.ts'
import { TrunklineError } from '../../errors.ts'
import { validateStage, type ValidateStage } from '../../pipeline/validate.ts'
import { assessWith } from '../../schema/assess.ts'
import { policyOf } from '../../schema/policy.ts'
import type { SqsOptions } from './options.ts'

/** The stage of a route; null when it does not validate. */
export function lambdaValidation(
  route: RouteConfig,
  config: Config,
  options: Pick<SqsOptions, 'schemas' | 'onDrift'>,
  warn: (code: string, message: string) => void,
): ValidateStage | null {
  if (!route.validate) return null
  const { schemas, onDrift } = options
  if (schemas === undefined) {
    if (asksForMore(config)) throw noSchemas(route.name)
    return null
  }
  const assess = assessWith(schemas)
  const policy = policyOf(config.schemas.policy)
  const stage = validateStage({ assess, decide: (topic, findings) => policy.decide(topic, findings) })
  return {
    ...stage,
    run(events, signal) {
      for (const event of onDrift === undefined ? [] : events) {
        const findings = assess(event)
        if (findings.length === 0) continue
        try {
          onDrift?.(event, findings)
        } catch (error) {
          warn('lambda.observer_threw', error instanceof Error ? error.name : 'not an error')
        }
      }
      return stage.run(events, signal)
    },
  }
}

function asksForMore(config: Config): boolean {
  return Object.values(config.schemas.policy).some((entry) =>
    typeof entry === 'string' ? entry !== 'accept' : Object.values(entry).some((action) => action !== 'accept'),
  )
}

function noSchemas(name: string): TrunklineError {
  return new TrunklineError(
    'lambda.schemas_needed',
    `schemas.policy asks to tag or quarantine, and route ${name} has no schemas to judge by`,
    "give them: import { shippedSchemas } from 'trunkline/schemas', and schemas: shippedSchemas() beside store; or set validate: false for the route",
  )
}
