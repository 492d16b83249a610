import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '../event/event.ts'
import type { Finding, PolicyAction } from '../schema/finding.ts'
import { policyOf } from '../schema/policy.ts'
import { eventsOf } from '../testing/event-of.ts'
import { KEEP, dead } from './outcome.ts'
import { runStages } from './pipeline.ts'
import { validateStage, type ValidateStage } from './validate.ts'

const FIELD: Finding = { class: 'new_field', path: 'a.newThing', detail: null }
const VALUE: Finding = { class: 'new_value', path: 'mediaType', detail: 'HOLOGRAM' }
const signal = (): AbortSignal => new AbortController().signal

test('quarantine ends an event as dead and names classes and paths; its neighbours go on', async () => {
  const events = eventsOf(4)
  const stage = stageFor(
    new Map([
      [events[1]!.id, [FIELD, VALUE]],
      [events[2]!.id, [FIELD]],
    ]),
    { '*': { new_value: 'quarantine' } },
  )
  const verdicts = await runStages([stage], events, signal())
  assert.deepEqual(
    verdicts.map(({ outcome }) => outcome),
    [KEEP, dead('validate.quarantined', 'new_value mediaType: HOLOGRAM'), KEEP, KEEP],
  )
})

test('tag keeps the event and marks what was found; accept marks nothing', async () => {
  const [event] = eventsOf(1)
  const findings = new Map([[event!.id, [FIELD, VALUE, { ...FIELD, path: 'b' }]]])
  const marks = (action: PolicyAction | Record<string, PolicyAction>): readonly string[] =>
    stageFor(findings, { '*': action }).marksOf(event!)
  assert.deepEqual(marks('tag'), ['drift.new_field', 'drift.new_value'])
  assert.deepEqual(marks({ new_value: 'tag' }), ['drift.new_value'])
  assert.deepEqual(marks('accept'), [])
  assert.deepEqual(stageFor(new Map(), { '*': 'tag' }).marksOf(event!), [])
  assert.deepEqual(await stageFor(findings, { '*': 'tag' }).run([event!], signal()), [KEEP])
})

test('a change of policy holds from the next batch', async () => {
  const events = eventsOf(1)
  let policy = policyOf({})
  const stage = validateStage({ assess: () => [FIELD], decide: (topic, findings) => policy.decide(topic, findings) })
  assert.deepEqual(await stage.run(events, signal()), [KEEP])
  policy = policyOf({}, [{ topic: events[0]!.topic, class: 'new_field', action: 'quarantine' }])
  assert.deepEqual(await stage.run(events, signal()), [dead('validate.quarantined', 'new_field a.newThing')])
})

test('the detail of a dead letter is bounded', async () => {
  const many = Array.from({ length: 32 }, (_, i) => ({ ...FIELD, path: `field${i}` }))
  const [event] = eventsOf(1)
  const [outcome] = await stageFor(new Map([[event!.id, many]]), { '*': 'quarantine' }).run([event!], signal())
  assert.equal(
    outcome?.type === 'dead' && outcome.detail,
    'new_field field0, new_field field1, new_field field2, new_field field3, new_field field4 and 27 more',
  )
})

function stageFor(findings: ReadonlyMap<string, readonly Finding[]>, config: Parameters<typeof policyOf>[0]): ValidateStage {
  const policy = policyOf(config)
  return validateStage({ assess: (event: Event) => findings.get(event.id) ?? [], decide: (topic, found) => policy.decide(topic, found) })
}
