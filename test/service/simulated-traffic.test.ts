/** What the simulator says it made and what the service says it got, held against each other to the event. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from '../../src/cli/_test-io.ts'
import { decode } from '../../src/event/decode.ts'
import { Traffic } from '../../src/simulator/faults.ts'
import { writerOf } from '../../src/simulator/envelope.ts'
import { simulation } from '../../src/simulator/model/simulation.ts'
import { running, until } from './_service.ts'

test('an hour of a centre with duplicates, disorder and malformed lines: copies = accepted + quarantined, delivered = distinct', async (t) => {
  const service = await running(t)
  const centre = simulation({ seed: '7', durationMs: 3_600_000, snapshots: true })
  const write = writerOf('eventbridge', { seed: '7', source: centre.centre.source })
  const faults = { duplicates: 0.02, disorderMs: 30_000, drift: 0.01, oversize: 0.0005, malformed: 0.001 }
  const traffic = new Traffic({ simulation: centre, write, faults, seed: '7', limit: null })
  const lines: Buffer[] = []
  const made = new Set<string>()
  for (let copy = traffic.next(); copy !== null; copy = traffic.next()) {
    const record = Buffer.from(copy.record as string)
    lines.push(Buffer.concat([record, Buffer.from('\n')]))
    if (copy.kind === 'event') made.add(keyOf(record))
  }
  const { emitted } = traffic
  assert.ok(emitted.distinct > 10_000 && emitted.duplicates > 100 && emitted.malformed > 3)

  const sent = await run(['send', '-', '--json'], { env: { TRUNKLINE_URL: service.url }, stdin: lines })
  const { records, accepted, quarantined, refused } = JSON.parse(sent.out) as Record<string, number>
  assert.deepEqual(
    { records, accepted, quarantined, refused },
    { records: emitted.copies, accepted: emitted.distinct + emitted.duplicates, quarantined: emitted.malformed, refused: 0 },
  )
  await until('every event is at an end', async () => {
    const { routes } = await service.get('/v1/stats')
    return routes['out']?.lag === 0 && routes['out'].inFlight === 0
  })
  await service.stop()
  const delivered = service.delivered().map((line) => keyOf(Buffer.from(JSON.stringify(line))))
  assert.equal(delivered.length, emitted.distinct)
  assert.deepEqual(new Set(delivered), made)
})

function keyOf(record: Uint8Array): string {
  const [decoded] = decode(record, { maxBytes: 16 * 1024 * 1024 })
  assert.ok(decoded?.ok === true)
  return Buffer.from(decoded.event.key ?? []).toString('hex')
}
