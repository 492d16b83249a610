import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import type { DecodedEvent } from '../event/event.ts'
import { splitBody } from '../event/split.ts'
import { writerOf } from './envelope.ts'
import { NO_FAULTS, Traffic, type Copy, type Faults } from './faults.ts'
import type { SimulationOptions } from './model/options.ts'
import { simulation } from './model/simulation.ts'

const OPTIONS: Partial<SimulationOptions> = { agents: 60, queues: 4, conversationsPerHour: 400, durationMs: 3_600_000 }
const MANY: Faults = { duplicates: 0.1, disorderMs: 30_000, drift: 0.05, oversize: 0.002, malformed: 0.05 }

function traffic(faults: Partial<Faults>, limit: number | null = null, format: 'eventbridge' | 'notification' = 'eventbridge'): Traffic {
  const centre = simulation(OPTIONS)
  const write = writerOf(format, { seed: '1', source: centre.centre.source })
  return new Traffic({ simulation: centre, write, faults: { ...NO_FAULTS, ...faults }, seed: '1', limit })
}

function copiesOf(source: Traffic): Copy[] {
  const copies: Copy[] = []
  for (let atMs = source.peekAtMs(), copy = source.next(); copy !== null; atMs = source.peekAtMs(), copy = source.next()) {
    assert.equal(copy.atMs >= (atMs ?? 0), true, 'a copy never comes before it was announced')
    copies.push(copy)
  }
  assert.equal(source.peekAtMs(), null)
  return copies
}

const bytesOf = (record: string | Uint8Array): Uint8Array => (typeof record === 'string' ? Buffer.from(record) : record)

function eventIn(record: string | Uint8Array): DecodedEvent {
  const [decoded] = decode(bytesOf(record), { maxBytes: DEFAULT_MAX_BYTES })
  assert.ok(decoded?.ok === true, String(record).slice(0, 200))
  return decoded.event
}

const keyOf = (event: DecodedEvent): string => Buffer.from(event.key ?? []).toString('hex')

test('the counts are exact: copies = distinct + duplicates + malformed, and a duplicate is known for what it is', () => {
  const source = traffic(MANY)
  const copies = copiesOf(source)
  const { emitted } = source
  const of = (kind: Copy['kind']): Copy[] => copies.filter((copy) => copy.kind === kind)
  assert.equal(emitted.copies, copies.length)
  assert.equal(emitted.copies, emitted.distinct + emitted.duplicates + emitted.malformed)
  assert.deepEqual(
    [emitted.distinct, emitted.duplicates, emitted.malformed],
    [of('event'), of('duplicate'), of('malformed')].map((list) => list.length),
  )
  assert.ok(emitted.distinct > 10_000)
  for (const [count, share] of [
    [emitted.duplicates, MANY.duplicates],
    [emitted.malformed, MANY.malformed],
    [emitted.oversize, MANY.oversize],
    [emitted.drifted.field + emitted.drifted.value + emitted.drifted.type, MANY.drift],
  ] as const)
    assert.ok(Math.abs(count / emitted.distinct - share) < share / 2, `${count} of ${emitted.distinct} is not about ${share}`)
  const events = of('event').map(({ record }) => eventIn(record))
  const keys = new Map(events.map((event) => [keyOf(event), event.envelopeId]))
  assert.equal(keys.size, emitted.distinct, 'no two events are alike, drifted or grown as they may be')
  let republished = 0
  for (const { record } of of('duplicate')) {
    const event = eventIn(record)
    assert.ok(keys.has(keyOf(event)))
    if (keys.get(keyOf(event)) !== event.envelopeId) republished++
  }
  assert.ok(republished > emitted.duplicates / 3 && republished < (emitted.duplicates * 2) / 3)
  const byTopic = new Map<string, number>()
  for (const { topic } of events) byTopic.set(topic, (byTopic.get(topic) ?? 0) + 1)
  assert.deepEqual(emitted.byTopic, byTopic)
})

test('what is malformed is one record however it is cut, is never an event, and never comes first', () => {
  for (const format of ['eventbridge', 'notification'] as const) {
    const copies = copiesOf(traffic({ malformed: 1, disorderMs: 60_000 }, 4_000, format))
    assert.equal(copies[0]?.kind, 'event')
    const wrong = copies.filter(({ kind }) => kind === 'malformed')
    assert.equal(wrong.length, 4_000)
    const codes = new Set<string>()
    for (const { record } of wrong) {
      const bytes = bytesOf(record)
      assert.ok(!bytes.includes(0x0a) && !bytes.includes(0x0d) && bytes.length > 0)
      const results = decode(bytes, { maxBytes: DEFAULT_MAX_BYTES })
      assert.equal(results.length, 1)
      assert.ok(results[0]?.ok === false, `decodes: ${String(record).slice(0, 300)}`)
      codes.add(results[0].code)
    }
    assert.deepEqual(
      ['decode.not_json', 'decode.not_utf8', 'decode.not_object', 'decode.unrecognised', 'decode.control_frame'].filter(
        (code) => !codes.has(code),
      ),
      [],
    )
    const body = Buffer.concat(copies.flatMap(({ record }) => [bytesOf(record), Buffer.from('\n')]))
    for (const kind of ['ndjson', 'auto'] as const) assert.equal(splitBody(body, kind).length, copies.length)
  }
})

test('disorder delays each copy by its window at most; without it events keep their order', () => {
  const inOrder = copiesOf(traffic({ duplicates: 0.5 })).filter(({ kind }) => kind === 'event')
  const publishedMs = (copies: readonly Copy[]): number[] => copies.map(({ record }) => eventIn(record).publishedAtMs ?? 0)
  const ordered = publishedMs(inOrder)
  assert.ok(ordered.every((atMs, n) => n === 0 || atMs >= ordered[n - 1]!))
  const mixed = copiesOf(traffic({ disorderMs: 5_000 }))
  const shuffled = publishedMs(mixed)
  assert.ok(shuffled.some((atMs, n) => n > 0 && atMs < shuffled[n - 1]! - 1_000))
  let newestMs = 0
  shuffled.forEach((atMs, n) => {
    newestMs = Math.max(newestMs, atMs)
    assert.ok(atMs >= newestMs - 5_000 && mixed[n]!.atMs - atMs <= 5_000)
  })
  assert.deepEqual(
    shuffled.toSorted((a, b) => a - b),
    ordered,
  )
})

test('one fault does not move another: the same events drift whatever else is on', () => {
  const driftedOnes = (faults: Partial<Faults>): string[] =>
    copiesOf(traffic({ drift: 0.02, ...faults }))
      .filter(({ kind, record }) => kind === 'event' && /simulatedField|SIMULATED|"provider":\{/.test(String(record)))
      .map(({ record }) => eventIn(record).envelopeId ?? '')
      .toSorted()
  const alone = driftedOnes({})
  assert.ok(alone.length > 50)
  assert.deepEqual(driftedOnes({ duplicates: 0.3, malformed: 0.2, disorderMs: 1_000 }), alone)
})

test('what is oversize is legal, larger than EventBridge lets through, and no larger than a megabyte', () => {
  const source = traffic({ oversize: 0.01 }, 2_000)
  const large = copiesOf(source).filter(({ record }) => record.length > 250_000)
  assert.equal(large.length, source.emitted.oversize)
  assert.ok(large.length > 5)
  for (const { record, topic } of large) {
    assert.ok(record.length > 300 * 1024 && record.length < 1024 * 1024)
    assert.equal(eventIn(record).topic, topic)
  }
})

test('a limit counts events; their copies come after it', () => {
  const source = traffic({ duplicates: 1, disorderMs: 20_000 }, 10)
  copiesOf(source)
  assert.deepEqual([source.emitted.distinct, source.emitted.duplicates], [10, 10])
})
