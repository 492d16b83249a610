import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { sample, sampleNames } from '../fixtures/genesys/samples.ts'
import { type Json, type Running, running, until } from './_service.ts'

/** Frames of the protocol carry no event. */
const FRAMES: ReadonlySet<string> = new Set([
  'channel_gone',
  'channel_metadata_heartbeat',
  'channel_metadata_pong',
  'client_ping',
  'client_subscribe',
  'subscribe_ok',
  'system_socket_closing',
])

describe('Show 2', () => {
  it('every sample is accepted, delivered and explained; again it is a duplicate, also under a new envelope id', async (t) => {
    const service = await running(t)
    const names = [
      ...sampleNames('eventbridge').map((n) => ['eventbridge', n] as const),
      ...sampleNames('websocket')
        .filter((n) => !FRAMES.has(n))
        .map((n) => ['websocket', n] as const),
    ]
    assert.ok(names.length >= 12)
    const firsts = new Map<string, string>()
    const envelopes = new Map<string, string[]>()
    for (const [folder, name] of names) {
      const { status, json } = await service.send(sample(folder, name))
      assert.equal(status, 202, name)
      assert.deepEqual([json['accepted'], json['quarantined'], json['errors']], [1, 0, []])
      firsts.set(name, json['ids'][0] ?? assert.fail('no id'))
    }
    for (const [folder, name] of names) {
      const id = firsts.get(name) ?? ''
      const history = await ended(service, id)
      assert.equal(history['verdict'], 'first', name)
      assert.deepEqual(
        history['routes'].map((r: Json) => [r['route'], r['outcome']]),
        [['out', 'delivered']],
        name,
      )
      assert.equal(history['raw'], sample(folder, name).toString('utf8').trim())
      const envelopeId: string | null = history['envelopeId']
      if (envelopeId !== null) envelopes.set(envelopeId, [...(envelopes.get(envelopeId) ?? []), id])
    }
    const shared = [...envelopes].filter(([, ids]) => ids.length > 1)
    assert.ok(shared.length > 0, 'several samples share one envelope id')
    for (const [envelopeId, ids] of shared) {
      const answer = await service.get(`/v1/events/${envelopeId}`)
      assert.deepEqual(
        answer['events'].map((e: Json) => e['id']),
        ids,
      )
    }
    assert.equal(service.delivered().length, names.length)

    for (const [folder, name] of names) {
      const again = (await service.send(sample(folder, name))).json['ids'][0] ?? assert.fail('no id')
      const history = await ended(service, again)
      assert.deepEqual([history['verdict'], history['duplicateOf']], ['duplicate', firsts.get(name)], name)
      assert.deepEqual(
        [history['routes'][0]?.['outcome'], history['routes'][0]?.['reason']],
        ['duplicate', `duplicate of ${firsts.get(name)}`],
      )
      const first = await service.get(`/v1/events/${firsts.get(name)}`)
      assert.deepEqual(
        first['receipts'].map((r: Json) => [r['id'], r['verdict']]),
        [
          [firsts.get(name), 'first'],
          [again, 'duplicate'],
        ],
      )
    }
    for (const [folder, name] of names.filter(([folder]) => folder === 'eventbridge')) {
      const envelope = { ...(JSON.parse(sample(folder, name).toString()) as object), id: randomUUID() }
      const { json } = await service.send(JSON.stringify(envelope))
      const history = await ended(service, json['ids'][0] ?? assert.fail('no id'))
      assert.deepEqual([history['duplicateOf'], history['keyKind']], [firsts.get(name), 'semantic'], name)
    }
    assert.equal(service.delivered().length, names.length, 'no duplicate reached the sink')
  })
})

describe('Show 3', () => {
  it('three good lines and one broken: the error names index and code, the quarantine has the exact bytes', async (t) => {
    const service = await running(t)
    const line = (name: string): string => JSON.stringify(JSON.parse(sample('eventbridge', name).toString()))
    const broken = `${line('flow_end').slice(0, 200)} \u00fc\t`
    const body = [line('acd_end'), line('customer_end'), broken, line('attributes')].join('\n')
    const { status, json } = await service.send(body, { 'content-type': 'application/x-ndjson' })
    assert.equal(status, 202)
    assert.deepEqual([json['accepted'], json['quarantined']], [3, 1])
    assert.deepEqual(
      json['ids'].map((id: string | null) => id === null),
      [false, false, true, false],
    )
    assert.deepEqual(
      json['errors'].map((e: Json) => [e['index'], e['code']]),
      [[2, 'decode.not_json']],
    )
    const { records } = await service.get('/v1/quarantine')
    assert.deepEqual(
      records?.map((r: Json) => [r['index'], r['code'], r['via'], r['sizeBytes']]),
      [[2, 'decode.not_json', 'http', Buffer.byteLength(broken)]],
    )
    assert.equal(Buffer.from(records?.[0]?.['bytesBase64'] ?? '', 'base64').toString(), broken)
    const one = await service.get(`/v1/quarantine/${json['errors'][0]?.['quarantineId']}`)
    assert.equal(one['bytesBase64'], records?.[0]?.['bytesBase64'])
    await until('three lines', () => service.delivered().length === 3)
  })
})

async function ended(service: Running, id: string): Promise<Json> {
  return until(`the end of ${id}`, async () => {
    const history = await service.get(`/v1/events/${id}`)
    return history['routes'].every((r: Json) => r['outcome'] !== 'waiting') ? history : null
  })
}
