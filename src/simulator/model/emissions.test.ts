import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { decode, DEFAULT_MAX_BYTES } from '../../event/decode.ts'
import { writerOf } from '../envelope.ts'
import type { Emission } from '../simulation.ts'
import type { SimulationOptions } from './options.ts'
import { simulation } from './simulation.ts'
import { SIMULATED_TOPICS } from './topics.ts'

const HOUR_MS = 3_600_000
const BUSY: Partial<SimulationOptions> = { agents: 60, queues: 5, conversationsPerHour: 300, transcribedShare: 0.1, snapshots: true }

function* emissionsOf(options: Partial<SimulationOptions>, most = Infinity): Generator<Emission> {
  const centre = simulation(options)
  for (let n = 0; n < most; n++) {
    const emission = centre.next()
    if (emission === null) return
    yield emission
  }
}

test('every topic comes, and every body fits its schema with no field and no enum value that is not in it', () => {
  const validators = strictValidators()
  const seen = new Set<string>()
  for (const { topic, body } of emissionsOf({ ...BUSY, durationMs: 4 * HOUR_MS, noisyQueuePerSecond: 0.1 })) {
    seen.add(topic)
    const validate = validators.get(topic)
    assert.ok(validate !== undefined, topic)
    assert.ok(validate(body), `${topic} ${JSON.stringify(validate.errors?.slice(0, 3))} ${JSON.stringify(body).slice(0, 2_000)}`)
  }
  assert.deepEqual(
    SIMULATED_TOPICS.map((topic) => topic.template).filter((template) => !seen.has(template)),
    [],
  )
})

type Node = { [key: string]: unknown }

test('the same seed and options give the same bytes; another seed gives other events', () => {
  const fingerprint = (seed: string): string => {
    const hash = createHash('sha256')
    const write = writerOf('eventbridge', { seed, source: 'aws.partner/genesys.com/cloud/org/x' })
    for (const emission of emissionsOf({ ...BUSY, seed, durationMs: HOUR_MS })) hash.update(write(emission, emission.bodyText, false))
    return hash.digest('hex')
  }
  const once = fingerprint('7')
  assert.equal(fingerprint('7'), once)
  assert.notEqual(fingerprint('8'), once)
})

test('more agents or queues-worth of noise leave the conversations that come as they were', () => {
  const first = (options: Partial<SimulationOptions>): string[] =>
    [...emissionsOf({ ...BUSY, ...options, wants: (topic) => topic.endsWith('.customer.start') }, 50)].flatMap(({ body }) =>
      body['dnis'] === 'tel:+15555550666' || body['mediaType'] === 'CALLBACK' ? [] : [String(body['conversationId'])],
    )
  const plain = first({}).slice(0, 20)
  assert.deepEqual(first({ agents: 90 }).slice(0, 20), plain)
  assert.deepEqual(first({ noisyQueuePerSecond: 1 }).slice(0, 20), plain)
})

test('of 200,000 events no two have the same identity, every one is decoded, known and on time', () => {
  const centre = simulation({
    agents: 400,
    queues: 12,
    conversationsPerHour: 2_500,
    transcribedShare: 0.05,
    snapshots: true,
    noisyQueuePerSecond: 5,
  })
  const write = writerOf('eventbridge', { seed: '1', source: centre.centre.source })
  const keys = new Set<string>()
  const envelopes = new Set<string>()
  let lastAtMs = 0
  for (let n = 0; n < 200_000; n++) {
    const emission = centre.next()
    assert.ok(emission !== null && emission.number === n)
    assert.ok(emission.publishedAtMs >= lastAtMs, 'published in order')
    lastAtMs = emission.publishedAtMs
    const [decoded] = decode(Buffer.from(write(emission, emission.bodyText, false)), { maxBytes: DEFAULT_MAX_BYTES })
    assert.ok(decoded?.ok === true, emission.topic)
    const { event } = decoded
    assert.deepEqual(
      [event.format, event.marks, event.keyKind, event.orgId],
      ['eventbridge', [], 'semantic', centre.centre.organization.id],
    )
    assert.deepEqual([event.topic, event.topicName, event.publishedAtMs], [emission.topic, emission.topicName, emission.publishedAtMs])
    if (event.occurredAtMs !== null) {
      const lagMs = emission.publishedAtMs - event.occurredAtMs
      assert.ok(lagMs >= 0, `${emission.topic} is published before it happens`)
      if (event.topic.startsWith('v2.detail.events.conversation')) assert.ok(lagMs >= 250 && lagMs <= 400, `${emission.topic}: ${lagMs} ms`)
    }
    keys.add(Buffer.from(event.key ?? []).toString('latin1'))
    envelopes.add(event.envelopeId ?? '')
  }
  assert.equal(keys.size, 200_000)
  assert.equal(envelopes.size, 200_000)
})

test('a noisy queue gets its number of events a second, and nobody else has to do with it', () => {
  const perSecond = 300
  const startAtMs = 1_772_442_000_000
  const centre = simulation({ ...BUSY, startAtMs, noisyQueuePerSecond: perSecond, durationMs: 60_000 })
  const noisy = centre.centre.queues.at(-1)
  assert.equal(noisy?.name, 'Noisy')
  const seconds = new Map<number, number>()
  for (let emission = centre.next(); emission !== null; emission = centre.next()) {
    const { topic, body } = emission
    if (!topic.startsWith('v2.detail.events.') || body['queueId'] !== noisy.id) continue
    assert.match(topic, /\.acd\.(?:start|end)$/)
    const second = Math.floor((Number(body['eventTime']) - startAtMs) / 1000)
    seconds.set(second, (seconds.get(second) ?? 0) + 1)
  }
  // Each call bounces for five seconds: from then on the rate is what was asked for.
  for (let second = 6; second < 59; second++)
    assert.ok(Math.abs((seconds.get(second) ?? 0) - perSecond) <= perSecond / 20, `${seconds.get(second)} in second ${second}`)
  assert.ok(centre.centre.users.every(({ queueIds }) => !queueIds.includes(noisy.id)))
})

test('a snapshot and a topic nobody wants is not published, and a centre that never publishes comes to an end', () => {
  const topics = new Set([...emissionsOf({ ...BUSY, snapshots: false, durationMs: HOUR_MS })].map(({ topic }) => topic))
  assert.ok(!topics.has('v2.users.{id}.conversations') && topics.has('v2.users.{id}.presence'))
  assert.equal(simulation({ agents: 3, queues: 2, conversationsPerHour: 5, wants: () => false }).next(), null)
  assert.equal(simulation({ agents: 1, queues: 1, conversationsPerHour: 0, durationMs: 0 }).peekAtMs(), null)
})

test('names, numbers and addresses are plainly made up', () => {
  for (const { bodyText } of emissionsOf(BUSY, 20_000)) {
    for (const [number] of bodyText.matchAll(/\+\d{6,}/g)) assert.match(number, /^\+1555/)
    for (const [address] of bodyText.matchAll(/[\w.]+@[\w.]+/g)) assert.match(address, /@example\.com$/)
    for (const [ip] of bodyText.matchAll(/\b\d+\.\d+\.\d+\.\d+\b/g)) assert.match(ip, /^192\.0\.2\./)
  }
  for (const { name, email } of simulation(BUSY).centre.users) assert.match(`${name} ${email}`, /Example.* agent\.\d+@example\.com$/)
})

/** Validators by topic template, as strict as can be: no unknown field, no unknown enum value. */
function strictValidators(): ReadonlyMap<string, ValidateFunction> {
  const ajv = new Ajv({ allErrors: true, strict: false })
  addFormats.default(ajv)
  const folder = new URL('../../schema/genesys/', import.meta.url)
  const validators = new Map<string, ValidateFunction>()
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.schema.json'))) {
    const schema = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Node
    validators.set(String(schema['x-genesys-topic']), ajv.compile(closed(schema) as Node))
  }
  return validators
}

/** The schema with closed objects and closed enums. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const node: Node = Object.fromEntries<unknown>(Object.entries(value).map(([key, child]) => [key, closed(child)]))
  if (node['properties'] !== undefined && node['type'] === 'object') node['additionalProperties'] ??= false
  if (Array.isArray(node['x-known-values'])) node['enum'] = node['x-known-values']
  return node
}
