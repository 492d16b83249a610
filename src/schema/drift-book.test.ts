import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Event } from '../event/event.ts'
import { eventOf } from '../testing/event-of.ts'
import { DriftBook, type DriftBookOptions, type DriftEntry } from './drift-book.ts'
import type { Finding } from './finding.ts'
import { Registry } from './registry.ts'

const TOPIC = 'v2.detail.events.conversation.{id}.attributes'
const NEW_FIELD: Finding = { class: 'new_field', path: 'extra', detail: null }
const registry = new Registry()
const OPTIONS: DriftBookOptions = { schemaOf: (topic) => registry.inForce(topic)?.strict ?? null }

/** A feeder that numbers its events and lets a millisecond pass between two. */
function feeder(book: DriftBook, topic = TOPIC): (body: unknown, findings?: readonly Finding[], rest?: Partial<Event>) => void {
  let n = 0
  return (body, findings = [], rest = {}) => {
    n++
    book.feed(eventOf({ topic, id: `e${n}`, receivedAtMs: n, ...rest }), findings, body)
  }
}
const gone = (book: DriftBook): DriftEntry[] => book.report().drift.filter((entry) => entry.class === 'field_gone')

test('a finding has a count, its first and last time, and the newest event as sample', () => {
  const book = new DriftBook(OPTIONS)
  const feed = feeder(book)
  feed({}, [NEW_FIELD])
  feed({})
  feed({}, [NEW_FIELD, { class: 'new_value', path: 'a', detail: 'X' }])
  feed({}, [NEW_FIELD], { duplicateOf: 'e1' })
  const report = book.report()
  assert.deepEqual(report.drift, [
    {
      topic: TOPIC,
      class: 'new_field',
      path: 'extra',
      detail: null,
      count: 2,
      firstSeenAtMs: 1,
      lastSeenAtMs: 3,
      sampleId: 'e3',
      back: false,
    },
    { topic: TOPIC, class: 'new_value', path: 'a', detail: 'X', count: 1, firstSeenAtMs: 3, lastSeenAtMs: 3, sampleId: 'e3', back: false },
  ])
  assert.deepEqual([report.events, [...report.topics]], [3, [[TOPIC, 3]]], 'a duplicate is not counted')
})

test('a topic with a schema is shown as it is, any other only as far as it looks like one', () => {
  const book = new DriftBook({ schemaOf: (topic) => (topic === 'acme.order.20261' ? {} : null) })
  for (const topic of ['acme.order.20261', 'acme.order.20262']) feeder(book, topic)({})
  assert.deepEqual([...book.report().topics.keys()], ['acme.order.20261', 'acme.order.{key}'])
})

test('a field is gone after 99 % of 100 events and 50 without it, and says so when it is back', () => {
  const book = new DriftBook(OPTIONS)
  const feed = feeder(book)
  const whole = { conversationId: 'c', participantId: 'p' }
  for (let i = 0; i < 100; i++) feed(i === 50 ? { conversationId: 'c' } : whole)
  for (let i = 0; i < 49; i++) feed({ conversationId: 'c', participantId: null })
  assert.deepEqual(gone(book), [], '49 are too few; null is absent')
  feed({ conversationId: 'c' })
  feed({ conversationId: 'c' }, [], { marks: ['backfill'] })
  const entry = { topic: TOPIC, class: 'field_gone', path: 'participantId', detail: null, firstSeenAtMs: 100 }
  assert.deepEqual(gone(book), [{ ...entry, count: 50, lastSeenAtMs: 151, sampleId: 'e150', back: false }])
  feed(whole)
  assert.deepEqual(gone(book), [{ ...entry, count: 50, lastSeenAtMs: 152, sampleId: 'e152', back: true }])
  for (let i = 0; i < 60; i++) feed({ conversationId: 'c' })
  assert.equal(gone(book)[0]?.back, true, 'one event after it came back is not nearly all')
})

test('a field that was rare, or in too few events, is not missed', () => {
  const book = new DriftBook(OPTIONS)
  const feed = feeder(book)
  for (let i = 0; i < 200; i++) feed(i % 50 === 0 ? { conversationId: 'c' } : { conversationId: 'c', participantId: 'p' })
  for (let i = 0; i < 99; i++) feed({ conversationId: 'c', eventTime: 1 })
  for (let i = 0; i < 300; i++) feed({ conversationId: 'c' })
  assert.deepEqual(gone(book), [], 'participantId was in 98 %, eventTime in 99 events')
})

test('nested: counted against what holds it, list items as one, never the keys of a free map', () => {
  const book = new DriftBook(OPTIONS)
  const feed = feeder(book)
  const item = { id: 'i', mediaType: 'VOICE' }
  for (let i = 0; i < 120; i++) feed({ communications: [item, {}], attributes: { 'Case Number': '1', tier: 'gold' } })
  for (let i = 0; i < 60; i++) feed({ communications: [], attributes: {} })
  assert.deepEqual(gone(book), [], 'empty lists say nothing of what is in their items')
  for (let i = 0; i < 60; i++) feed({ communications: [{ id: 'i' }, {}], attributes: {} })
  assert.deepEqual(
    gone(book).map(({ path, count }) => [path, count]),
    [['communications[].mediaType', 60]],
  )
  for (let i = 0; i < 60; i++) feed({ attributes: {} })
  assert.deepEqual(
    gone(book).map(({ path }) => path),
    ['communications'],
    'the whole, not its parts',
  )
})

test('without a schema: names are followed, very many keys are a free map, data is never shown', () => {
  const book = new DriftBook(OPTIONS)
  const feed = feeder(book, 'v2.users.{id}.geolocation')
  const map = (i: number): object =>
    Object.fromEntries(Array.from({ length: 100 }, (_, k) => [`k_${String.fromCharCode(97 + (k % 26))}${k}`, i]))
  for (let i = 0; i < 120; i++) feed({ country: 'x', place: { city: 'y', 'Jane Doe': 1 }, map: map(i) })
  for (let i = 0; i < 60; i++) feed({ place: {}, map: {} })
  assert.deepEqual(
    gone(book).map(({ path }) => path),
    ['country', 'place.city'],
  )
  assert.doesNotMatch(JSON.stringify(book), /Jane|k_a/)
})

test('bounds: topics and entries that have no line are counted, and names of topics show no data', () => {
  const book = new DriftBook({ ...OPTIONS, maxTopics: 3, maxEntriesPerTopic: 2 })
  for (const [i, topic] of ['v2.a.Jane Doe.x', 'v2.a.5551234567.x', 'v2.b', 'v2.c', 'v2.d'].entries())
    book.feed(eventOf({ topic, id: `e${i}` }), [NEW_FIELD], {})
  for (const path of ['p', 'q', 'r', 's']) book.feed(eventOf({ topic: 'v2.c' }), [{ ...NEW_FIELD, path }], {})
  const report = book.report()
  assert.deepEqual(
    [...report.topics],
    [
      ['v2.a.{key}.x', 2],
      ['v2.b', 1],
      ['v2.c', 5],
    ],
  )
  assert.deepEqual([report.events, report.notListed], [9, { events: 1, findings: 4 }])
})

test('property: a book that was written and read in between says the same', () => {
  const body = fc.record(
    {
      conversationId: fc.constant('c'),
      participantId: fc.constant('p'),
      communications: fc.array(fc.record({ id: fc.constant('i') }, { requiredKeys: [] })),
    },
    { requiredKeys: [] },
  )
  const run = fc.record({ body, times: fc.integer({ min: 1, max: 130 }), finds: fc.boolean() })
  fc.assert(
    fc.property(fc.array(run, { maxLength: 6 }), fc.nat(5), (runs, cut) => {
      let books = [new DriftBook(OPTIONS), new DriftBook(OPTIONS)]
      let n = 0
      for (const [i, { body: value, times, finds }] of runs.entries()) {
        if (i === cut) books = [books[0]!, DriftBook.from(JSON.parse(JSON.stringify(books[1])), OPTIONS)]
        for (let k = 0; k < times; k++, n++)
          for (const book of books) book.feed(eventOf({ topic: TOPIC, id: `e${n}`, receivedAtMs: n }), finds ? [NEW_FIELD] : [], value)
      }
      assert.deepEqual(books[1]!.report(), books[0]!.report())
      assert.deepEqual(books[1]!.toJSON(), books[0]!.toJSON())
    }),
    { numRuns: 50 },
  )
})

test('a book of another version is begun anew', () => {
  const good = JSON.parse(JSON.stringify(new DriftBook(OPTIONS))) as Record<string, unknown>
  assert.equal(DriftBook.from(good, OPTIONS).report().events, 0)
  const entry = { class: 'new_field', path: 'a', detail: null, count: 1, firstSeenAtMs: 1, lastSeenAtMs: 1, sampleId: 'x', back: false }
  const topic = (more: object): object => ({
    topics: [{ topic: 't', events: 1, lastAtMs: 1, presence: null, entries: [{ ...entry, ...more }] }],
  })
  assert.equal(DriftBook.from({ ...good, ...topic({}) }, OPTIONS).report().drift.length, 1)
  const bad = [
    { version: 99 },
    { events: 'many' },
    { notListed: null },
    { topics: {} },
    topic({ path: {} }),
    topic({ count: 'NaN' }),
    topic({ class: 'x' }),
  ]
  for (const json of [null, {}, 'text', ...bad.map((more) => ({ ...good, ...more }))])
    assert.throws(() => DriftBook.from(json, OPTIONS), JSON.stringify(json))
})
