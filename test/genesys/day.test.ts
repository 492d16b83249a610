/**
 * The notification source against the fake platform for a stretch of a contact centre's life, with everything that can go
 * wrong: every event the platform surely put through is given exactly once, what was missed lies in a named gap, gaps lie
 * in planted faults, and what is reconstructed is something that happened and did not come.
 *
 * Seven hours in two minutes; with TRUNKLINE_DAY=1 a whole day in ten.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RECONSTRUCTED_KINDS } from '../../src/sources/notifications/reconstruct.ts'
import { DEFAULT_SETTINGS } from '../../src/sources/notifications/settings.ts'
import { drawFaults, readFaults, type Fault } from '../../src/simulator/platform/fault-plan.ts'
import { seededRandom } from '../../src/testing/virtual-clock.ts'
import { DETAIL, playDay, START_MS, type Day, type DayOptions, type Given } from './_day.ts'

const HOUR_MS = 3_600_000
const WHOLE_DAY = process.env['TRUNKLINE_DAY'] === '1'

/** Every kind at least once, alone, together with another, and one during a rotation; two quiet spells, one at the end. */
const SEVEN_HOURS = [
  'throttle@15m, eviction@25m, closing@40m, termination@55m, silence@70m',
  'unavailable@84m, termination@85m, mute@100m+4m, unsubscription@115m, slow@129m, closing@130m',
  'outage@145m+10m, html@169m, eviction@170m, streaming@185m+5m, truncated@199m, termination@200m, revocation@210m',
  'redirect@219m, silence@220m, unsubscription@235m, throttle@249m, eviction@250m, closing@265m, mute@280m+2m',
  'outage@300m+20m, silence@340m, termination@355m, eviction@370m, unavailable@380m, streaming@381m+3m',
].join(', ')

const OPTIONS: DayOptions = {
  hours: WHOLE_DAY ? 24 : 7,
  speed: WHOLE_DAY ? 144 : 200,
  agents: 30,
  // In the short stretch a channel is renewed every two hours.
  channelLifeMs: WHOLE_DAY ? 24 * HOUR_MS : 2 * HOUR_MS,
  plan: ({ fromMs, toMs }) => (WHOLE_DAY ? drawFaults('many', { fromMs, toMs: toMs - HOUR_MS }, seededRandom(4)) : listed(SEVEN_HOURS)),
  say: (line) => console.log(line),
}

test(`${OPTIONS.hours} hours of notifications with planted faults: every owed event exactly once, every miss in a named gap`, async (t) => {
  const day = await playDay(OPTIONS)
  const { truth, given, gaps } = day
  const { counts, http, outages } = truth
  const back = given.filter(({ reconstructed }) => reconstructed)
  const missedDetails = missed(day).filter(({ topicName }) => RECONSTRUCTED_KINDS.some((kind) => topicName.endsWith(`.${kind}`)))
  console.log(
    `${counts.emitted} published, ${counts.owed} owed, ${counts.missed} missed, ${counts.unsure} unsure; ${gaps.length} gaps; ` +
      `${back.length} reconstructed, for ${missedDetails.length} missed that can be; ${http.requests} calls, ${http.throttled} over the rate; ` +
      `${Math.round(day.wallMs / 1000)} s, of which ${Math.round(day.lostMs)} ms stood still`,
  )
  for (const warning of new Set(day.warnings.map((text) => text.split(' ')[1]))) console.log(`warned: ${warning}`)

  await t.test('every kind of fault was played', () => {
    const planned = new Set(OPTIONS.plan({ fromMs: day.startAtMs, toMs: day.endAtMs }).map(({ kind }) => kind))
    const played = new Set(outages.map(({ kind }) => kind))
    assert.deepEqual(
      [...planned].filter((kind) => !played.has(kind)),
      [],
    )
    assert.ok(counts.owed > 1000 * OPTIONS.hours && counts.missed > 20 * OPTIONS.hours, JSON.stringify(counts))
    assert.equal(counts.unconnected, 0, 'the source never waits for events without a socket')
    assert.equal(http.throttled, 0, 'the client never calls more often than it may')
  })

  await t.test('every owed event was given exactly once, none twice', () => {
    const times = new Map<string, number>()
    for (const { correlationId } of given) if (correlationId !== null) times.set(correlationId, (times.get(correlationId) ?? 0) + 1)
    const lost = truth.deliveries.filter(({ outcome, correlationId }) => outcome === 'owed' && !times.has(correlationId))
    assert.deepEqual(lost.slice(0, 5), [], `${lost.length} lost`)
    const doubled = [...times].filter(([, n]) => n > 1)
    assert.deepEqual(doubled.slice(0, 5), [], `${doubled.length} given more than once`)
  })

  await t.test('every missed event lies in a gap that names its topic', () => {
    const unnamed = missed(day).filter(
      ({ topicName, publishedAtMs }) =>
        !gaps.some((gap) => gap.fromMs <= publishedAtMs && publishedAtMs <= gap.toMs && topicsOf(gap).has(templateOf(topicName))),
    )
    assert.deepEqual(unnamed.slice(0, 5).map(shown), [], `${unnamed.length} missed outside of all gaps`)
  })

  await t.test('gaps lie inside the planted faults and what it takes to notice and mend them, and nowhere else', () => {
    const windows = merged(outages.map(({ fromMs, toMs }) => [fromMs - BEFORE_MS, (toMs ?? day.endAtMs) + AFTER_MS]))
    const outside = gaps.filter((gap) => !windows.some(([fromMs, toMs]) => fromMs <= gap.fromMs && gap.toMs <= toMs))
    assert.deepEqual(
      outside.map(({ fromMs, toMs, reason }) => [reason, minutes(fromMs), minutes(toMs)]),
      [],
    )
    assert.ok(gaps.length > 0)
  })

  await t.test('what was reconstructed happened, did not come, and is given once', () => {
    const live = new Map<string, number[]>()
    for (const one of given)
      if (!one.reconstructed && one.topic.startsWith(DETAIL)) push(live, structureOf(one), Number(one.body['eventTime']))
    const happened = new Map<string, number[]>()
    for (const { topicName, body } of day.details) push(happened, structureOf({ topicName, body }), Number(body['eventTime']))
    const toleranceMs = DEFAULT_SETTINGS.timing.toleranceMs
    const near = (times: readonly number[] | undefined, one: Pick<Given, 'body'>): number =>
      (times ?? []).filter((atMs) => Math.abs(atMs - Number(one.body['eventTime'])) <= toleranceMs).length
    const invented = back.filter((one) => near(happened.get(structureOf(one)), one) === 0)
    assert.deepEqual(invented.slice(0, 5), [], `${invented.length} never happened`)
    const again = new Map<string, number[]>()
    for (const one of back) push(again, structureOf(one), Number(one.body['eventTime']))
    const tooMany = back.filter(
      (one) => near(live.get(structureOf(one)), one) + near(again.get(structureOf(one)), one) > near(happened.get(structureOf(one)), one),
    )
    assert.deepEqual(tooMany.slice(0, 5), [], `${tooMany.length} were there already`)
    assert.ok(
      back.every(({ correlationId }) => correlationId === null),
      'they are no copies of live events',
    )
    const absent = missedDetails.filter((delivery) => {
      // The delivery has no body; the centre meant to publish it just before.
      const meant = day.details.findLast(
        ({ topicName, publishedAtMs }) =>
          topicName === delivery.topicName && publishedAtMs <= delivery.publishedAtMs && delivery.publishedAtMs - publishedAtMs < 10_000,
      )
      return meant === undefined || near(again.get(structureOf(meant)), meant) === 0
    })
    console.log(
      `${missedDetails.length - absent.length} of ${missedDetails.length} missed detail events of reconstructible kinds came back`,
    )
    assert.ok(absent.length <= 0.01 * missedDetails.length, JSON.stringify(absent.map(shown)))
    for (const one of absent) console.log(`did not come back: ${shown(one).join(' ')}`)
  })
})

/** A gap begins with the last proof before it: a ping every 15 s, its answer, a margin. */
const BEFORE_MS = 30_000
/** Noticing takes a missed heartbeat and an unanswered ping, coming back a wait of up to a minute and a channel with its topics. */
const AFTER_MS = 120_000

function listed(text: string): readonly Fault[] {
  const faults = readFaults(text, START_MS)
  assert.ok(typeof faults !== 'string', String(faults))
  return faults
}

function missed(day: Day): Day['truth']['deliveries'] {
  return day.truth.deliveries.filter(({ outcome }) => outcome === 'missed')
}

function topicsOf(gap: Day['gaps'][number]): ReadonlySet<string> {
  return new Set([...gap.lost, ...gap.filled.map(({ topic }) => topic)])
}

function templateOf(topicName: string): string {
  return topicName.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '{id}')
}

function structureOf({ topicName, body }: Pick<Given, 'topicName' | 'body'>): string {
  return `${topicName} ${String(body['participantId'])} ${String(body['sessionId'])}`
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

function merged(spans: readonly (readonly [number, number])[]): readonly (readonly [number, number])[] {
  const out: [number, number][] = []
  for (const [fromMs, toMs] of spans.toSorted((a, b) => a[0] - b[0])) {
    const last = out.at(-1)
    if (last !== undefined && fromMs <= last[1]) last[1] = Math.max(last[1], toMs)
    else out.push([fromMs, toMs])
  }
  return out
}

function minutes(atMs: number): number {
  return Math.round((atMs - START_MS) / 600) / 100
}

function shown({ topicName, publishedAtMs, fault }: Day['truth']['deliveries'][number]): readonly unknown[] {
  return [topicName, minutes(publishedAtMs), fault]
}
