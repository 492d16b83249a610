/**
 * The dead-letter queue of an EventBridge target: the message body is the original event, and why it could not be delivered is in
 * the message attributes.
 */
import type { TargetFailure } from '../event.ts'

/** What the attributes say, or null when the message is not from a target's dead-letter queue. */
export function targetFailureOf(attributes: ReadonlyMap<string, string>): TargetFailure | null {
  if (!attributes.has('RULE_ARN') && !attributes.has('TARGET_ARN') && !attributes.has('ERROR_CODE')) return null
  const retries = attributes.get('RETRY_ATTEMPTS')
  return {
    ruleArn: attributes.get('RULE_ARN') ?? null,
    targetArn: attributes.get('TARGET_ARN') ?? null,
    errorCode: attributes.get('ERROR_CODE') ?? null,
    errorMessage: attributes.get('ERROR_MESSAGE') ?? null,
    exhaustedRetryCondition: attributes.get('EXHAUSTED_RETRY_CONDITION') ?? null,
    retryAttempts: retries !== undefined && /^\d{1,9}$/.test(retries) ? Number(retries) : null,
  }
}
