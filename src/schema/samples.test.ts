/** Every shipped sample goes the way of a real event, decode and assess, and only the two odd ones drift. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sample, sampleNames, type SampleFolder } from '../../test/fixtures/genesys/samples.ts'
import { decode } from '../event/decode.ts'
import type { Event } from '../event/event.ts'
import { assessWith } from './assess.ts'
import type { Finding } from './finding.ts'
import { Registry } from './registry.ts'

const DRIFT: Readonly<Record<string, readonly Finding[]>> = {
  'eventbridge/attributes': [
    { class: 'topic_mismatch', path: '', detail: null },
    { class: 'new_field', path: 'organizationId', detail: null },
  ],
  'websocket/chat_member': [{ class: 'unknown_topic', path: '', detail: null }],
}
/** Samples of topics that no shipped schema describes; all other events are really judged by one. */
const WITHOUT_SCHEMA = ['websocket/chat_member']
const FRAMES = 6

test('show 1: the samples have exactly the drift that is known of them', () => {
  const registry = new Registry()
  const assess = assessWith(registry)
  let events = 0
  let frames = 0
  for (const folder of ['eventbridge', 'websocket'] as const) {
    for (const name of sampleNames(folder)) {
      const event = decodeSample(folder, name)
      if (event === null) {
        frames++
        continue
      }
      events++
      const at = `${folder}/${name}`
      assert.deepEqual(assess(event), DRIFT[at] ?? [], at)
      if (!WITHOUT_SCHEMA.includes(at)) assert.ok(registry.validatorOf(event.topic), `${at} is judged by a schema (${event.topic})`)
    }
  }
  assert.deepEqual({ events, frames }, { events: 13, frames: FRAMES })
})

function decodeSample(folder: SampleFolder, name: string): Event | null {
  const [decoded] = decode(sample(folder, name), { maxBytes: 1_000_000 })
  assert.ok(decoded)
  if (!decoded.ok) {
    assert.equal(decoded.code, 'decode.control_frame', `${folder}/${name}: ${decoded.message}`)
    return null
  }
  return { ...decoded.event, id: `${folder}/${name}`, receivedAtMs: 0, duplicateOf: null, redelivered: false }
}
