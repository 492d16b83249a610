import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DRIFT_CLASSES, POLICY_ACTIONS, type DriftClass, type Finding } from './finding.ts'
import { policyOf, type PolicyConfig } from './policy.ts'

const TOPIC = 'v2.users.{id}.presence'
const finding = (drift: DriftClass): Finding => ({ class: drift, path: 'x', detail: null })

test('the most specific entry that says anything counts', () => {
  const config: PolicyConfig = {
    '*': 'tag',
    'v2.*': { new_value: 'quarantine' },
    'v2.users.*': { '*': 'accept', changed_type: 'quarantine' },
    [TOPIC]: { new_field: 'quarantine' },
  }
  const policy = policyOf(config)
  const of = (topic: string): string[] =>
    (['new_field', 'new_value', 'changed_type'] as const).map((drift) => policy.actionOf(topic, drift))
  assert.deepEqual(of(TOPIC), ['quarantine', 'accept', 'quarantine'])
  assert.deepEqual(of('v2.users.{id}.station'), ['accept', 'accept', 'quarantine'])
  assert.deepEqual(of('v2.routing.queues.{id}.users'), ['tag', 'quarantine', 'tag'])
  assert.deepEqual(of('acme.call'), ['tag', 'tag', 'tag'])
  assert.equal(policyOf({}).actionOf(TOPIC, 'new_field'), 'accept')
})

test('what was changed at run time goes before the configuration, however specific that is', () => {
  const policy = policyOf({ [TOPIC]: { new_field: 'quarantine', new_value: 'quarantine' } }, [
    { topic: 'v2.users.*', class: '*', action: 'tag' },
    { topic: TOPIC, class: 'new_value', action: 'accept' },
  ])
  assert.deepEqual(
    ['new_field', 'new_value', 'changed_type'].map((drift) => policy.actionOf(TOPIC, drift as DriftClass)),
    ['tag', 'accept', 'tag'],
  )
})

test('field_gone is only ever reported', () => {
  assert.equal(policyOf({ '*': 'quarantine' }, [{ topic: '*', class: '*', action: 'quarantine' }]).actionOf(TOPIC, 'field_gone'), 'accept')
})

test('property: a decision is the strictest action of its findings, with exactly those that ask for it', () => {
  const action = fc.constantFrom(...POLICY_ACTIONS)
  const classes = fc.dictionary(fc.constantFrom(...DRIFT_CLASSES, '*'), action)
  const config = fc.dictionary(fc.constantFrom('*', 'v2.*', 'v2.users.*', TOPIC), fc.oneof(action, classes))
  fc.assert(
    fc.property(config, fc.array(fc.constantFrom(...DRIFT_CLASSES)), (said, drifts) => {
      const policy = policyOf(said)
      const decision = policy.decide(TOPIC, drifts.map(finding))
      const actions = drifts.map((drift) => policy.actionOf(TOPIC, drift))
      const strictest = Math.max(0, ...actions.map((one) => POLICY_ACTIONS.indexOf(one)))
      assert.equal(decision.action, POLICY_ACTIONS[strictest])
      assert.deepEqual(
        decision.because.map((found) => found.class),
        strictest === 0 ? [] : drifts.filter((_, i) => actions[i] === decision.action),
      )
    }),
  )
})
