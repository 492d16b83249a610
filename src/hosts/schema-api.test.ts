import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hono } from 'hono'
import { TrunklineError } from '../errors.ts'
import { DriftBook } from '../schema/drift-book.ts'
import { policyOf } from '../schema/policy.ts'
import { Registry } from '../schema/registry.ts'
import { eventOf } from '../testing/event-of.ts'
import { schemaApi } from './schema-api.ts'

const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'

/** The API with one book of drift; errors are answered as the service does. */
function asking(): (path: string) => Promise<{ status: number; body: Record<string, unknown> }> {
  const registry = new Registry()
  const book = new DriftBook({ schemaOf: () => null })
  book.feed(eventOf({ id: 'e1', receivedAtMs: 7 }), [{ class: 'new_field', path: 'mood', detail: null }], {})
  book.feed(eventOf({ id: 'e2', receivedAtMs: 9, topic: 'v2.new.thing' }), [{ class: 'unknown_topic', path: '', detail: null }], {})
  const policy = policyOf({ [ACD_END]: { new_field: 'quarantine' } })
  const app = new Hono()
  app.onError((error, c) => c.json({ code: error instanceof TrunklineError ? error.code : error.message }, 400))
  schemaApi(app, { registry, problems: [], drift: () => book.report(), lagEvents: () => 3, actionOf: policy.actionOf })
  return async (path) => {
    const answer = await app.request(path)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
}

test('GET /v1/schemas/drift: entries with the action of now, filtered; counts by topic', async () => {
  const ask = asking()
  const entry = {
    topic: ACD_END,
    class: 'new_field',
    path: 'mood',
    detail: null,
    count: 1,
    firstSeenAtMs: 7,
    lastSeenAtMs: 7,
    sampleId: 'e1',
    back: false,
    action: 'quarantine',
  }
  const unknown = {
    ...entry,
    topic: 'v2.new.thing',
    class: 'unknown_topic',
    path: '',
    firstSeenAtMs: 9,
    lastSeenAtMs: 9,
    sampleId: 'e2',
    action: 'accept',
  }
  const rest = { events: 2, notListed: { events: 0, findings: 0 }, lagEvents: 3 }
  const both = { [ACD_END]: 1, 'v2.new.thing': 1 }
  assert.deepEqual((await ask('/v1/schemas/drift')).body, { drift: [entry, unknown], topics: both, ...rest })
  assert.deepEqual((await ask('/v1/schemas/drift?class=unknown_topic')).body, { drift: [unknown], topics: both, ...rest })
  const filtered = await ask(`/v1/schemas/drift?topic=${encodeURIComponent(ACD_END)}`)
  assert.deepEqual(filtered.body, { drift: [entry], topics: { [ACD_END]: 1 }, ...rest })
  assert.deepEqual(await ask('/v1/schemas/drift?class=odd'), { status: 400, body: { code: 'http.bad_request' } })
})

test('GET /v1/schemas lists versions; GET /v1/schemas/{topic} shows one', async () => {
  const ask = asking()
  const { schemas } = (await ask('/v1/schemas')).body as { schemas: { topic: string; versions: object[] }[] }
  assert.equal(schemas.length, 37)
  const version = {
    topic: ACD_END,
    version: '257.1.0',
    origin: 'shipped',
    file: 'v2_detail_events_conversation_id_acd_end.schema.json',
    inForce: true,
  }
  assert.deepEqual(
    schemas.find(({ topic }) => topic === ACD_END),
    { topic: ACD_END, chosen: null, versions: [version] },
  )
  const { schema, ...shown } = (await ask(`/v1/schemas/${ACD_END}`)).body as { schema: { properties: object } }
  assert.deepEqual(shown, version)
  assert.ok('queueId' in schema.properties)
  assert.deepEqual((await ask(`/v1/schemas/${ACD_END}?version=1`)).body, { code: 'schema_version.unknown' })
  assert.deepEqual((await ask('/v1/schemas/v2.nothing')).body, { code: 'schema.unknown' })
})
