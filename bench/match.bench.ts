/**
 * What matching costs: `node bench/match.bench.ts [rounds]`. CPU time, so that other work on the machine matters little: ours is that of the
 * whole process (the collector and the compiler of V8 included), theirs that of the one thread that matches (the JVM's others not counted).
 *
 * Parsed: events a second on envelopes already parsed, exact and prefix patterns, one pattern.
 * From text: microseconds an event from its JSON text to the numbers of the rules that match, with 1, 20 and 300 rules; ours is
 * JSON.parse and `compileAll`, theirs is the official library on the same texts and rules in a JVM of its own, warmed by as many
 * rounds as are counted. Both must find the same number of matches. Every figure is the median of the rounds.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KNOWN_TOPICS } from '../src/event/known-topics.ts'
import type { Event } from '../src/event/event.ts'
import { parseEnvelope } from '../src/match/exact-numbers.ts'
import { compile, compileAll } from '../src/match/matcher.ts'
import { eventOf } from '../src/testing/event-of.ts'
import { openOracle } from '../test/match/oracle/oracle.ts'

const EVENTS = 10_000
const rounds = Number(process.argv[2] ?? 21)
const topics = KNOWN_TOPICS.filter((topic) => topic.startsWith('v2.detail.events.') || topic.startsWith('v2.users.{id}.'))
const events = Array.from({ length: EVENTS }, (_, index) => eventOf({ topic: topics[(index * 7) % topics.length]! }, index))
const texts = events.map((event) => new TextDecoder().decode(event.raw))
const envelopes = texts.map((text) => JSON.parse(text) as { readonly detail: { readonly eventBody: { readonly queueId: string } } })
const queues = [...new Set(envelopes.map(({ detail }) => detail.eventBody.queueId))]

function line(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(64)} ${figure}\n`)
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1]!
}

/** Microseconds an event, median of the rounds after as many to warm up. */
function measured(round: () => number): { readonly us: number; readonly matches: number } {
  const samples: number[] = []
  let matches = 0
  for (let index = 0; index < rounds * 2; index++) {
    const before = process.cpuUsage()
    matches = round()
    const { user, system } = process.cpuUsage(before)
    samples.push((user + system) / EVENTS)
  }
  return { us: median(samples.slice(rounds)), matches }
}

line(`${EVENTS} events of ${texts[0]!.length} characters, ${topics.length} topics, median of ${rounds} rounds`, '')
for (const [what, pattern] of [
  ['exact topic', { 'detail-type': [topics[0]] }],
  ['prefix of the topic', { 'detail-type': [{ prefix: 'v2.detail.events.' }] }],
  ['exact text in the body', { detail: { eventBody: { queueId: [queues[0]] } } }],
  ['prefix in the body', { detail: { eventBody: { ani: [{ prefix: 'tel:+1555' }] } } }],
  [
    'topic prefix, exact queue and prefix in the body',
    { 'detail-type': [{ prefix: 'v2.' }], detail: { eventBody: { queueId: queues.slice(0, 3), ani: [{ prefix: 'tel:' }] } } },
  ],
] as const) {
  const matcher = compile(pattern)
  const { us, matches } = measured(() => envelopes.reduce((count, envelope) => count + (matcher.matches(envelope) ? 1 : 0), 0))
  line(`parsed, ${what} (${matches} match)`, `${(1 / us).toFixed(2)} million events/s`)
}

/** Rules as people write them: by topic, mostly with a clause or two on the body. */
function rules(count: number): readonly unknown[] {
  const body = (index: number): unknown =>
    [
      { queueId: [queues[index % queues.length]] },
      { queueId: [`other-${index}`, queues[index % queues.length]], mediaType: ['VOICE'] },
      { ani: [{ prefix: index % 2 === 0 ? 'tel:+1555' : `sip:${index}` }], direction: ['INBOUND'] },
      { connectedDurationMs: [{ numeric: ['>', 39_674 + index * 10] }], divisionId: [{ exists: true }] },
      { provider: [{ 'anything-but': ['Edge', `Provider ${index}`] }], queueId: [queues[0]] },
    ][index % 5]
  return Array.from({ length: count }, (_, index) => {
    const topic = topics[(index * 3) % topics.length]
    const types = index % 10 === 9 ? [{ prefix: 'v2.detail.events.conversation.{id}.user' }] : [topic]
    return index % 6 === 5
      ? { 'detail-type': types }
      : { source: [{ prefix: 'aws.partner/genesys.com' }], 'detail-type': types, detail: { eventBody: body(index) } }
  })
}

const oracle = openOracle()
const folder = mkdtempSync(join(tmpdir(), 'trunkline-match-'))
try {
  const eventsFile = join(folder, 'events')
  writeFileSync(eventsFile, `${texts.join('\n')}\n`)
  line(
    'from text: JSON.parse alone',
    `${measured(() => texts.reduce((sum, text) => sum + (JSON.parse(text) === null ? 1 : 0), 0)).us.toFixed(2)} us/event`,
  )
  for (const count of [1, 20, 300]) {
    const patterns = rules(count)
    const set = compileAll(patterns)
    const ours = measured(() => texts.reduce((sum, text) => sum + set.matching(parseEnvelope(text, set.comparesNumbers)).length, 0))
    line(`from text, ${count} rules: ours (${ours.matches} matches)`, `${ours.us.toFixed(2)} us/event`)
    if (typeof oracle !== 'string') {
      const rulesFile = join(folder, `rules-${count}`)
      writeFileSync(rulesFile, `${patterns.map((pattern) => JSON.stringify(pattern)).join('\n')}\n`)
      const theirs = oracle.bench(rulesFile, eventsFile, rounds)
      if (theirs.matches !== ours.matches) throw new Error(`the library finds ${theirs.matches} matches, we ${ours.matches}`)
      const us = median(theirs.microseconds)
      line(
        `from text, ${count} rules: event-ruler (${theirs.matches} matches)`,
        `${us.toFixed(2)} us/event, ${(us / ours.us).toFixed(1)} x ours`,
      )
    }
    const asEvents = measured(() => events.reduce((sum, event: Event) => sum + set.matchingEvent(event).length, 0))
    line(`from an event of the log (parsed when needed), ${count} rules: ours`, `${asEvents.us.toFixed(2)} us/event`)
  }
  if (typeof oracle === 'string') line(`without event-ruler: ${oracle}`, '')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
