/**
 * The 193 dated changes that Genesys made to 24 topics, played back. From the schema of today each change is undone, newest
 * first; so the schema before it is known. Then events that use what it added go through decode, assess and the stage, judged by
 * the schema before: every addition must be classed rightly, every removal be shown by the diff, and no event be lost.
 *
 * What the history does not say, and what is done about it:
 * - It names fields of the topic's own class, so they are looked for at the top of the body.
 * - It names values, not the field that has them: a value is taken from every enum that has it, and each is tried. A value that was
 *   removed later is in no enum of today; it is put back into the largest of the topic (entityType of audits, metric of metrics).
 * - It does not say what type a field had that is gone: it is put back as a text.
 * - Of the 550 values 19 are only of fields that came with the same change, and so are seen as the new field; 51 (metrics, 2022-03-15)
 *   are the first list of a field that took any text before, and so are no drift: the diff shows them.
 * Every one of the changes can be placed in the schemas of today; one that could not would fail the test.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bytesOf, envelope } from '../../test/fixtures/genesys/samples.ts'
import { decode } from '../event/decode.ts'
import type { Event } from '../event/event.ts'
import { KEEP } from '../pipeline/outcome.ts'
import { validateStage } from '../pipeline/validate.ts'
import { bodyFor } from './_bodies.ts'
import { assessWith } from './assess.ts'
import { compiler } from './compile.ts'
import { diffSchemas, type SchemaChange } from './diff.ts'
import type { Finding } from './finding.ts'
import type { JsonSchema } from './json-schema.ts'
import { looksLikeName } from './naming.ts'
import { policyOf } from './policy.ts'
import { Registry } from './registry.ts'

type Change = {
  readonly date: string
  readonly topic: string
  readonly fieldsAdded: readonly string[]
  readonly fieldsRemoved: readonly string[]
  readonly enumAdded: readonly string[]
  readonly enumRemoved: readonly string[]
}

const ENTRIES = JSON.parse(readFileSync(new URL('../../test/fixtures/genesys/drift_history.json', import.meta.url), 'utf8')) as (Change & {
  firstSeen?: string
})[]
const CHANGES = ENTRIES.filter((entry) => entry.firstSeen === undefined)

test('every dated change, played back: additions are classed rightly, removals are in the diff, no event is lost', async () => {
  assert.deepEqual([CHANGES.length, ENTRIES.length - CHANGES.length], [193, 24], 'changes, and when each topic was first seen')
  const registry = new Registry()
  const compile = await compiler()
  const seen = {
    changes: 0,
    fieldsAdded: 0,
    fieldsRemoved: 0,
    valuesAdded: 0,
    valuesOfAFirstList: 0,
    valuesWithTheirField: 0,
    valuesRemoved: 0,
    events: 0,
  }
  for (const topic of new Set(CHANGES.map((change) => change.topic))) {
    let after = registry.find(topic).schema
    for (const change of CHANGES.filter((one) => one.topic === topic).toSorted(
      (a, b) => Number(a.date < b.date) - Number(a.date > b.date),
    )) {
      const at = `${topic} ${change.date}`
      const before = undone(after, change, at)
      const { validator } = compile(before)
      const assess = assessWith({ revision: 0, validatorOf: (name) => (name === topic ? validator : null) })
      const diff = diffSchemas(before, after)
      const body = bodyFor(before) as Record<string, unknown>
      const shows = async (added: Record<string, unknown>, expected: readonly Finding[], what: string): Promise<void> => {
        const event = eventOf(topic, { ...body, ...added }, `${at} ${what}`)
        assert.deepEqual(assess(event), expected, `${at} ${what}`)
        assert.deepEqual(await deliverable(event, assess), [KEEP])
        seen.events++
      }
      await shows({}, [], 'nothing new')
      for (const name of change.fieldsAdded) {
        await shows({ [name]: (bodyFor(after) as Record<string, unknown>)[name] }, [{ class: 'new_field', path: name, detail: null }], name)
        assert.ok(has(diff, 'field_added', name), `${at}: the diff shows ${name}`)
        seen.fieldsAdded++
      }
      for (const name of change.fieldsRemoved) {
        assert.ok(has(diff, 'field_removed', name), `${at}: the diff shows that ${name} went`)
        seen.fieldsRemoved++
      }
      for (const value of change.enumAdded) {
        const places = fieldsWith(after, value).filter((name) => !change.fieldsAdded.includes(name))
        const judged = places.filter((name) => before.properties?.[name]?.['x-known-values'] !== undefined)
        for (const name of places) {
          const finding: Finding = { class: 'new_value', path: name, detail: looksLikeName(value) ? value : null }
          await shows({ [name]: value }, judged.includes(name) ? [finding] : [], `${name} ${value}`)
          assert.ok(has(diff, 'value_added', name, value), `${at}: the diff shows ${value} of ${name}`)
        }
        if (judged.length > 0) seen.valuesAdded++
        else if (places.length > 0) seen.valuesOfAFirstList++
        else seen.valuesWithTheirField++
      }
      for (const value of change.enumRemoved) {
        assert.ok(has(diff, 'value_removed', null, value), `${at}: the diff shows that ${value} went`)
        seen.valuesRemoved++
      }
      seen.changes++
      after = before
    }
  }
  const total = (key: 'fieldsAdded' | 'fieldsRemoved' | 'enumAdded' | 'enumRemoved'): number =>
    CHANGES.reduce((sum, change) => sum + change[key].length, 0)
  assert.equal(seen.changes, 193)
  assert.deepEqual(
    [seen.fieldsAdded, seen.fieldsRemoved, seen.valuesAdded + seen.valuesOfAFirstList + seen.valuesWithTheirField, seen.valuesRemoved],
    [total('fieldsAdded'), total('fieldsRemoved'), total('enumAdded'), total('enumRemoved')],
    'nothing was skipped',
  )
  assert.ok(seen.valuesAdded >= 480, `most values are judged as such: ${JSON.stringify(seen)}`)
})

/** The schema before a change. What cannot be undone fails the test. */
function undone(after: JsonSchema, change: Change, at: string): JsonSchema {
  const schema = structuredClone(after) as { properties: Record<string, { -readonly [K in keyof JsonSchema]: JsonSchema[K] }> }
  for (const value of change.enumAdded) {
    const fields = fieldsWith(after, value)
    assert.ok(fields.length > 0, `${at}: ${value} is in an enum`)
    for (const name of fields) {
      const left = schema.properties[name]!['x-known-values']!.filter((known) => known !== value)
      // The first list of values a field gets: before, any text would do.
      if (left.length > 0) schema.properties[name]!['x-known-values'] = left
      else delete schema.properties[name]!['x-known-values']
    }
  }
  for (const name of change.fieldsAdded) {
    assert.ok(schema.properties[name], `${at}: ${name} is a field`)
    delete schema.properties[name]
  }
  for (const name of change.fieldsRemoved) {
    assert.equal(schema.properties[name], undefined, `${at}: ${name} is gone after it`)
    schema.properties[name] = { type: 'string' }
  }
  for (const value of change.enumRemoved) {
    assert.deepEqual(fieldsWith(after, value), [], `${at}: ${value} is gone after it`)
    const [largest] = Object.values(schema.properties).toSorted(
      (a, b) => (b['x-known-values']?.length ?? 0) - (a['x-known-values']?.length ?? 0),
    )
    largest!['x-known-values'] = [...largest!['x-known-values']!, value]
  }
  return schema
}

/** The fields at the top that have a value in their enum. */
function fieldsWith(schema: JsonSchema, value: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    field['x-known-values']?.includes(value) === true ? [name] : [],
  )
}

function has(diff: readonly SchemaChange[], kind: SchemaChange['kind'], path: string | null, detail?: string): boolean {
  return diff.some(
    (change) => change.kind === kind && (path === null || change.path === path) && (detail === undefined || change.detail === detail),
  )
}

function eventOf(topic: string, body: unknown, id: string): Event {
  const [decoded] = decode(bytesOf(envelope({ topic, topicName: topic.replaceAll('{id}', 'x'), body })), { maxBytes: 1_000_000 })
  assert.ok(decoded?.ok, id)
  return { ...decoded.event, id, receivedAtMs: 0, duplicateOf: null, redelivered: false }
}

async function deliverable(event: Event, assess: (event: Event) => readonly Finding[]): Promise<readonly unknown[]> {
  const policy = policyOf({})
  return validateStage({ assess, decide: (topic, findings) => policy.decide(topic, findings) }).run([event], new AbortController().signal)
}
