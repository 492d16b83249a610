import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
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
