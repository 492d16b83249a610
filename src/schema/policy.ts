/**
 * What happens to an event that drifts: by topic and class of drift an action, the most specific one that says anything. What
 * was changed at run time goes before the configuration; within either an exact topic goes before a prefix (`v2.users.*`), a
 * longer prefix before a shorter, and a class before `*`, which stands for all classes. Where nothing is said, drift is accepted.
 *
 * `field_gone` is found over many events and no single one is at fault, so its action is always `accept`: it is reported.
 */
import { DRIFT_CLASSES, POLICY_ACTIONS, type DriftClass, type Finding, type PolicyAction } from './finding.ts'

/** `{ 'v2.users.*': 'tag', '*': { new_field: 'accept', '*': 'quarantine' } }` */
export type PolicyConfig = Readonly<Record<string, PolicyAction | Readonly<Record<string, PolicyAction>>>>

/** One change made at run time; `class` is a class of drift, or `*`. */
export type PolicyOverride = { readonly topic: string; readonly class: string; readonly action: PolicyAction }

/** What to do with one event, and the findings that ask for it. */
export type Decision = { readonly action: PolicyAction; readonly because: readonly Finding[] }

export interface Policy {
  actionOf(topic: string, drift: DriftClass): PolicyAction
  /** The strictest action that a finding of an event of this topic asks for. */
  decide(topic: string, findings: readonly Finding[]): Decision
  /** Whether any finding could make more of an event of this topic than accept it. */
  mayAct(topic: string): boolean
}

/** Puts a configuration and what was changed since together. */
export function policyOf(config: PolicyConfig, overrides: readonly PolicyOverride[] = []): Policy {
  const changed = rulesOf(overrides)
  const configured = rulesOf(
    Object.entries(config).flatMap(([topic, entry]) => entriesOf(entry).map(([name, action]) => ({ topic, class: name, action }))),
  )
  const actionOf = (topic: string, drift: DriftClass): PolicyAction => {
    if (drift === 'field_gone') return 'accept'
    return lookUp(changed, topic, drift) ?? lookUp(configured, topic, drift) ?? 'accept'
  }
  const acts = new Map<string, boolean>()
  return {
    actionOf,
    mayAct(topic) {
      const known = acts.get(topic)
      if (known !== undefined) return known
      const answer = DRIFT_CLASSES.some((drift) => actionOf(topic, drift) !== 'accept')
      // Topics come from outside.
      if (acts.size >= MAX_REMEMBERED) acts.clear()
      acts.set(topic, answer)
      return answer
    },
    decide(topic, findings) {
      if (findings.length === 0) return ACCEPTED
      const actions = findings.map((finding) => actionOf(topic, finding.class))
      const action = STRICTEST_FIRST.find((one) => actions.includes(one)) ?? 'accept'
      return action === 'accept' ? ACCEPTED : { action, because: findings.filter((_, i) => actions[i] === action) }
    },
  }
}

/** Action by class (or `*`), for a topic or a prefix of topics. */
type Rule = { readonly prefix: boolean; readonly topic: string; readonly actions: Map<string, PolicyAction> }

const ANY = '*'
const MAX_REMEMBERED = 1_000
const STRICTEST_FIRST: readonly PolicyAction[] = POLICY_ACTIONS.toReversed()
const ACCEPTED: Decision = { action: 'accept', because: [] }

function entriesOf(entry: PolicyAction | Readonly<Record<string, PolicyAction>>): readonly (readonly [string, PolicyAction])[] {
  return typeof entry === 'string' ? [[ANY, entry]] : Object.entries(entry)
}

/** The rules, the most specific first. */
function rulesOf(said: readonly PolicyOverride[]): readonly Rule[] {
  const rules = new Map<string, Rule>()
  for (const { topic: pattern, class: name, action } of said) {
    const prefix = pattern.endsWith(ANY)
    const rule = rules.get(pattern) ?? { prefix, topic: prefix ? pattern.slice(0, -1) : pattern, actions: new Map<string, PolicyAction>() }
    rules.set(pattern, rule)
    rule.actions.set(name, action)
  }
  return [...rules.values()].toSorted((a, b) => Number(a.prefix) - Number(b.prefix) || b.topic.length - a.topic.length)
}

function lookUp(rules: readonly Rule[], topic: string, drift: DriftClass): PolicyAction | null {
  for (const rule of rules) {
    if (rule.prefix ? !topic.startsWith(rule.topic) : topic !== rule.topic) continue
    const action = rule.actions.get(drift) ?? rule.actions.get(ANY)
    if (action !== undefined) return action
  }
  return null
}
