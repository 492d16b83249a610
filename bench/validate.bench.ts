/**
 * What judging an event costs: `node bench/validate.bench.ts [topic ...]` (default acd.end, activity, user conversations),
 * alone on the machine. Microseconds an event, the median of the rounds; every event is another object, as in traffic.
 *
 * Validation alone is what the target of 3 us is about; the other lines say what stands round it.
 */
import { bodyFor } from '../src/schema/_bodies.ts'
import { assessWith, bodyOf } from '../src/schema/assess.ts'
import { DriftBook } from '../src/schema/drift-book.ts'
import { Registry } from '../src/schema/registry.ts'
import type { Event } from '../src/event/event.ts'
import { eventOf } from '../src/testing/event-of.ts'

const ROUNDS = 31
const EVENTS = 4_000

const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'
const asked = process.argv.slice(2)
const topics = asked.length > 0 ? asked : [ACD_END, 'v2.users.{id}.activity', 'v2.users.{id}.conversations']
const registry = new Registry()

for (const topic of topics) {
  const { schema, validator } = registry.find(topic)
  const events = Array.from({ length: EVENTS }, (_, i) => eventFor(topic, schema, i))
  const bodies = events.map(bodyOf)
  const odd = bodies.map((body) => ({ ...(body as object), brandNew: 1 }))
  const book = new DriftBook({ schemaOf: (name) => registry.inForce(name)?.strict ?? null })
  let assess = assessWith(registry)
  const lines: [string, number][] = [
    ['validation alone', median(() => bodies.forEach((body) => expect(validator(body).length === 0)))],
    ['validation of a body with a new field', median(() => odd.forEach((body) => expect(validator(body).length === 1)))],
    ['parsing the record and finding the body', median(() => events.forEach((event) => expect(bodyOf(event) !== undefined)))],
    [
      'assess (parse, validate, remember)',
      median(() => {
        assess = assessWith(registry)
        events.forEach((event) => expect(assess(event).length === 0))
      }),
    ],
    ['assess again (remembered)', median(() => events.forEach((event) => expect(assess(event).length === 0)))],
    ['drift book, one event without findings', median(() => events.forEach((event, i) => book.feed(event, [], bodies[i])))],
  ]
  process.stdout.write(`${topic}: ${events[0]!.raw.length} bytes, ${Object.keys(schema.properties ?? {}).length} fields\n`)
  for (const [what, us] of lines) process.stdout.write(`  ${what.padEnd(42)} ${us.toFixed(2)} us/event\n`)
}

function median(round: () => void): number {
  const samples: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const startMs = performance.now()
    round()
    samples.push(((performance.now() - startMs) * 1000) / EVENTS)
  }
  return samples.toSorted((a, b) => a - b)[ROUNDS >> 1]!
}

function expect(holds: boolean): void {
  if (!holds) throw new Error('a body was judged wrongly')
}

/** For acd.end the captured-looking event of the tests, else a body with every field. */
function eventFor(topic: string, schema: Parameters<typeof bodyFor>[0], i: number): Event {
  if (topic === ACD_END) return eventOf({ topic }, i)
  const record = { topicName: topic, version: '2', eventBody: bodyFor(schema, i) }
  return eventOf({ topic, format: 'notification', raw: new TextEncoder().encode(JSON.stringify(record)) }, i)
}
