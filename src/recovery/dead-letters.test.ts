import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Event } from '../event/event.ts'
import { frameRaw } from '../log/frame.ts'
import { KEEP, type Outcome, dead, retry } from '../pipeline/outcome.ts'
import { eventOf } from '../testing/event-of.ts'
import { turns } from '../testing/virtual-clock.ts'
import { Life, ScriptedSink, type World, someEvents, world } from '../testing/route-harness.ts'
import { type RedriveRequest, findDeadLetter, listDeadLetters, redrive } from './dead-letters.ts'

const count = (life: Life, state: string): number =>
  Number(life.ledger.get('SELECT count(*) AS n FROM dead_letters WHERE state = ?', state)?.['n'])
const ask = (at: World, life: Life, request: RedriveRequest): ReturnType<typeof redrive> =>
  redrive(life.ledger, life.routes, request, at.clock.nowMs(), 'anna')

/** A life in which every event of `events` is dead on each of `names`, and a switch that makes the sinks work. */
async function deadOn(
  at: World,
  events: readonly Event[],
  names: readonly string[] = ['crm'],
  answer: (event: Event) => Outcome = () => dead('http.400', 'bad'),
) {
  at.log.append(events)
  const life = new Life(at)
  const works = { now: false }
  const sinks = new Map<string, ScriptedSink>()
  for (const name of names) {
    const sink = new ScriptedSink({ maxBatch: 10, deliver: (given) => given.map((e) => (works.now ? KEEP : answer(e))) })
    sinks.set(name, sink)
    await life.route(sink, { name })
  }
  await at.clock.until('all are dead', () => count(life, 'dead') === events.length * names.length)
  return { life, works, sinks, sink: sinks.get(names[0]!)! }
}

test('a dead letter has the bytes of its event, equal to the last', async () => {
  const at = world()
  const event = eventOf({ raw: Buffer.from('{ "text" : "Grüße\\u0000 🎧",\n"n":1.50 }') })
  const { life } = await deadOn(at, [event, eventOf({}, 1)])
  const found = findDeadLetter(life.ledger, 'crm', (await at.log.event(1)).id)
  assert.ok(found !== null)
  assert.deepEqual(Buffer.from(frameRaw(found.frame, 0)), Buffer.from(event.raw))
  assert.deepEqual(
    [found.letter.reason, found.letter.detail, found.letter.attempts, found.letter.state, found.seq],
    ['http.400', 'bad', 1, 'dead', 1],
  )
  assert.equal(findDeadLetter(life.ledger, 'crm', 'k3v9qa7m-99999999'), null)
  assert.equal(findDeadLetter(life.ledger, 'other', found.letter.eventId), null)
  life.crash()
})

test('a list goes newest first, in pages, each letter once', async () => {
  const at = world()
  const { life } = await deadOn(at, someEvents(7))
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page = listDeadLetters(life.ledger, {}, { limit: 3, ...(cursor === null ? {} : { cursor: Number(cursor) }) })
    assert.equal(page.total, 7)
    seen.push(...page.deadLetters.map((d) => d.eventId.slice(-1)))
    cursor = page.cursor
  } while (cursor !== null)
  assert.deepEqual(seen, ['7', '6', '5', '4', '3', '2', '1'])
  life.crash()
})

describe('a redrive', () => {
  test('delivers the event, marked, with a first attempt again, and appends to its history', async () => {
    const at = world()
    const { life, works, sink } = await deadOn(at, someEvents(1), ['crm'], () => retry('http.500'))
    const before = life.ledger.history('crm', 1)
    works.now = true
    assert.deepEqual(ask(at, life, {}), { matched: 1, redriven: 1, dryRun: false, redriveId: 1 })
    await at.clock.until('delivered', () => count(life, 'redriven') === 1)
    const given = sink.given.at(-1)!.event
    assert.deepEqual([given.marks, given.redelivered, given.id], [['redriven'], true, (await at.log.event(1)).id])
    const history = life.ledger.history('crm', 1)
    assert.deepEqual(history.slice(0, before.length), before)
    assert.deepEqual(
      history.slice(before.length).map(({ what, attempt, origin, reason }) => [what, attempt, origin, reason]),
      [
        ['redrive_requested', 0, 'redrive', 'redrive 1 by anna'],
        ['delivered', 1, 'redrive', 'redrive'],
      ],
    )
    assert.deepEqual(
      { ...life.ledger.get('SELECT requested_by, filter, events FROM redrives') },
      { requested_by: 'anna', filter: '{}', events: 1 },
    )
    life.crash()
  })

  test('of what is being redriven, or was, matches nothing', async () => {
    const at = world()
    const { life, works } = await deadOn(at, someEvents(2))
    works.now = true
    assert.equal(ask(at, life, {}).redriven, 2)
    assert.deepEqual(ask(at, life, {}), { matched: 0, redriven: 0, dryRun: false, redriveId: null })
    await at.clock.until('delivered', () => count(life, 'redriven') === 2)
    assert.equal(ask(at, life, {}).matched, 0)
    life.crash()
  })

  test('that fails makes a dead letter again, with all attempts, which can be redriven again', async () => {
    const at = world()
    const { life, works } = await deadOn(at, someEvents(1), ['crm'], () => retry('http.500'))
    ask(at, life, {})
    await at.clock.until('dead again', () => count(life, 'dead') === 1)
    assert.equal(listDeadLetters(life.ledger, {}, { limit: 1 }).deadLetters[0]?.attempts, 6)
    assert.deepEqual(
      life.ledger.history('crm', 1).map(({ what, attempt }) => `${what} ${attempt}`),
      [
        'attempt_failed 1',
        'attempt_failed 2',
        'attempt_failed 3',
        'dead 3',
        'redrive_requested 0',
        'attempt_failed 1',
        'attempt_failed 2',
        'attempt_failed 3',
        'dead 3',
      ],
    )
    assert.equal(life.ledger.route('crm')?.counts['dead'], 1, 'one event is dead, not two')
    works.now = true
    assert.equal(ask(at, life, {}).redriven, 1)
    await at.clock.until('delivered', () => count(life, 'redriven') === 1)
    life.crash()
  })

  test('asked for as a dry run changes nothing', async () => {
    const at = world()
    const { life, sink } = await deadOn(at, someEvents(3))
    const given = sink.given.length
    assert.deepEqual(ask(at, life, { dryRun: true }), { matched: 3, redriven: 0, dryRun: true, redriveId: null })
    await at.clock.advance(10_000)
    assert.deepEqual([count(life, 'dead'), sink.given.length, life.ledger.all('SELECT * FROM redrives').length], [3, given, 0])
    life.crash()
  })

  test('takes what each part of the filter says, and no more', async () => {
    const at = world()
    const events = [
      eventOf({ conversationId: 'a', queueId: 'q1', topic: 'v2.users.{id}.presence' }),
      eventOf({ conversationId: 'b', queueId: 'q2' }, 1),
      eventOf({ conversationId: 'a', queueId: 'q2' }, 2),
    ]
    const { life } = await deadOn(at, events, ['crm', 'archive'], (e) => dead(e.conversationId === 'a' ? 'http.400' : 'http.422'))
    const ids = await Promise.all([1, 2, 3].map(async (seq) => (await at.log.event(seq)).id))
    const diedMs = at.clock.nowMs()
    const matched = (request: RedriveRequest): number => ask(at, life, { ...request, dryRun: true }).matched
    assert.deepEqual(
      [
        {},
        { route: 'crm' },
        { reason: 'http.422' },
        { topic: 'v2.users.{id}.presence' },
        { conversation: 'a' },
        { queue: 'q2' },
        { eventIds: [ids[0]!, ids[1]!] },
        { eventIds: [] },
      ].map(matched),
      [6, 3, 2, 2, 4, 4, 4, 0],
    )
    assert.deepEqual(
      [{ fromMs: diedMs + 1 }, { toMs: diedMs }, { toMs: diedMs - 60_000 }, { fromMs: diedMs - 60_000, toMs: diedMs }].map(matched),
      [0, 6, 0, 6],
    )
    assert.equal(matched({ route: 'crm', conversation: 'a', queue: 'q2' }), 1)
    assert.equal(matched({ state: 'redriven' }), 6, 'only what is dead is redriven, whatever the filter says')
    assert.equal(ask(at, life, { route: 'crm', conversation: 'a', queue: 'q2' }).redriven, 1)
    assert.deepEqual(
      life.ledger.all(`SELECT route, seq FROM dead_letters WHERE state <> 'dead'`).map((r) => ({ ...r })),
      [{ route: 'crm', seq: 3 }],
    )
    life.crash()
  })

  test('with a rate spreads the events of each route over time', async () => {
    const at = world()
    const { life, works, sinks } = await deadOn(at, someEvents(4), ['crm', 'archive'])
    works.now = true
    const beganMs = at.clock.nowMs()
    const times = new Map<string, number[]>()
    for (const [name, sink] of sinks) {
      times.set(name, [])
      const deliver = sink.deliverNow
      sink.deliverNow = (given, signal) => {
        for (const _ of given) times.get(name)!.push(at.clock.nowMs() - beganMs)
        return deliver(given, signal)
      }
    }
    ask(at, life, { perSecond: 2 })
    await at.clock.until('delivered', () => count(life, 'redriven') === 8)
    assert.deepEqual(
      [...times.values()],
      [
        [0, 500, 1_000, 1_500],
        [0, 500, 1_000, 1_500],
      ],
    )
    life.crash()
  })

  test('of very many, slowly, does not keep new events from their sink', async () => {
    const at = world()
    const bare = { ...eventOf(), raw: new TextEncoder().encode('{}') }
    at.log.append(Array.from({ length: 10_001 }, () => bare))
    const works = { now: false }
    const sink = new ScriptedSink({ maxBatch: 5_000, deliver: (given) => given.map(() => (works.now ? KEEP : dead('http.400'))) })
    const life = new Life(at)
    const route = await life.route(sink)
    await at.clock.until('all are dead', () => count(life, 'dead') === 10_001)
    works.now = true
    assert.equal(ask(at, life, { perSecond: 0.01 }).redriven, 10_001)
    at.log.append(someEvents(5))
    route.wake()
    await at.clock.until(
      'the new ones are delivered',
      () => route.status().counts['delivered'] === 5 && route.status().counts['redelivered'] === 1,
      5_000,
    )
    assert.deepEqual(
      [route.status().counts['delivered'], route.status().counts['redelivered']],
      [5, 1],
      'five new ones, and the first of the redrive',
    )
    life.crash()
  })

  test('that names a route which is not configured does nothing at all', async () => {
    const at = world()
    const { life } = await deadOn(at, someEvents(2), ['crm', 'gone'])
    life.routes.delete('gone')
    assert.throws(() => ask(at, life, {}), { code: 'redrive.unknown_route' })
    assert.deepEqual([count(life, 'dead'), life.ledger.all('SELECT * FROM pending').length], [4, 0])
    assert.equal(ask(at, life, { route: 'crm' }).redriven, 2)
    life.crash()
  })

  test('that cannot be stored gives nothing to the route', async () => {
    const at = world()
    const { life, works, sink } = await deadOn(at, someEvents(2))
    works.now = true
    const given = sink.given.length
    life.ledger.db.exec(
      `CREATE TRIGGER no BEFORE INSERT ON history WHEN NEW.what = 'redrive_requested' AND NEW.seq = 2 BEGIN SELECT RAISE(FAIL, 'disk is full'); END`,
    )
    assert.throws(() => ask(at, life, {}), /disk is full/)
    await at.clock.advance(60_000)
    assert.deepEqual(
      [
        count(life, 'dead'),
        life.ledger.all('SELECT * FROM pending').length,
        life.ledger.all('SELECT * FROM redrives').length,
        sink.given.length,
      ],
      [2, 0, 0, given],
    )
    life.crash()
  })

  test('survives a crash right after it was answered', async () => {
    const at = world()
    const { life, works, sink } = await deadOn(at, someEvents(3))
    ask(at, life, {})
    life.crash()
    works.now = true
    const second = new Life(at)
    await second.route(sink)
    await at.clock.until('delivered', () => count(second, 'redriven') === 3)
    second.crash()
  })

  test('works when the log has dropped the record', async () => {
    const at = world()
    const { life, works, sink } = await deadOn(at, someEvents(3))
    const event = await at.log.event(2)
    life.crash()
    works.now = true
    const second = new Life(at)
    await second.route(sink, {}, { reader: at.log.beginningAt(4) })
    await turns(10)
    assert.equal(redrive(second.ledger, second.routes, { eventIds: [event.id] }, at.clock.nowMs(), 'anna').redriven, 1)
    await at.clock.until('delivered', () => count(second, 'redriven') === 1)
    const given = sink.given.at(-1)!.event
    assert.deepEqual(Buffer.from(given.raw), Buffer.from(event.raw))
    assert.deepEqual(
      { ...given, raw: null, key: null, envelopeKey: null },
      { ...event, marks: ['redriven'], redelivered: true, raw: null, key: null, envelopeKey: null },
    )
    second.crash()
  })
})
