/**
 * Stage `validate`: an event with drift that the policy does not accept ends as `validate.quarantined`, a dead letter that
 * somebody may redrive, and that is not judged again then. Everything else goes on; what the policy tags carries marks when it
 * is delivered. Assessing and deciding are handed in and asked anew each time, so a change at run time holds from the next batch.
 */
import type { Event, Mark } from '../event/event.ts'
import type { DriftClass, Finding, PolicyAction } from '../schema/finding.ts'
import { KEEP, type Stage, dead } from './outcome.ts'

export type ValidateOptions = {
  /** All findings of one event; must not throw. Asked more than once about the same event. */
  assess(event: Event): readonly Finding[]
  decide(topic: string, findings: readonly Finding[]): { readonly action: PolicyAction; readonly because: readonly Finding[] }
}

export type ValidateStage = Stage & {
  /** What to mark a delivered event with: the classes of drift that the policy tags. */
  marksOf(event: Event): readonly Mark[]
}

export function validateStage(options: ValidateOptions): ValidateStage {
  return {
    name: 'validate',
    run: (events) =>
      events.map((event) => {
        const findings = options.assess(event)
        if (findings.length === 0) return KEEP
        const { action, because } = options.decide(event.topic, findings)
        return action === 'quarantine' ? dead('validate.quarantined', describeFindings(because)) : KEEP
      }),
    marksOf(event) {
      const findings = options.assess(event)
      if (findings.length === 0) return NO_MARKS
      // An event that waited while the policy changed may be past the stage: it is delivered, and marked for what was found.
      const { action, because } = options.decide(event.topic, findings)
      return action === 'accept' ? NO_MARKS : [...new Set(because.flatMap(({ class: drift }) => MARKS[drift] ?? []))]
    },
  }
}

const NO_MARKS: readonly Mark[] = []

const MARKS: Readonly<Record<DriftClass, Mark | null>> = {
  unknown_topic: 'drift.unknown_topic',
  topic_mismatch: 'drift.topic_mismatch',
  changed_type: 'drift.changed_type',
  new_field: 'drift.new_field',
  new_value: 'drift.new_value',
  field_gone: null,
}

const MAX_NAMED = 5

/** `new_field newThing, new_value mediaType: HOLOGRAM`: names only, as findings have nothing else. Null for none. */
export function describeFindings(findings: readonly Finding[]): string | null {
  if (findings.length === 0) return null
  const named = findings.slice(0, MAX_NAMED).map(({ class: drift, path, detail }) => {
    const at = path === '' ? drift : `${drift} ${path}`
    return detail === null ? at : `${at}: ${detail}`
  })
  const more = findings.length - named.length
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
