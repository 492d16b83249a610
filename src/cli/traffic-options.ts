/** The options of `trunkline simulate` that say what traffic is made, and how their texts become values. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { nearestTopics } from '../event/topics.ts'
import type { Format } from '../simulator/envelope.ts'
import { DEFAULT_START_MS, usualRate, type SimulationOptions } from '../simulator/model/options.ts'
import { SIMULATED_TOPICS } from '../simulator/model/topics.ts'
import type { Faults } from '../simulator/faults.ts'
import { usageError } from './failure.ts'
import { readTime, TIMES, wholeNumber } from './options.ts'
import { topicMeant } from './topic.ts'
import { fitsPattern } from './topic-pattern.ts'

export type TrafficFlags = {
  readonly seed: string
  readonly duration?: number
  readonly start?: string
  /** Infinity: as fast as can be. */
  readonly speed: number
  readonly rate?: number
  readonly agents: number
  readonly queues: number
  readonly flat?: true
  readonly evenQueues?: true
  readonly noisyQueue: number
  readonly transcripts: number
  readonly snapshots?: true
  readonly topics?: string
  readonly duplicates: number
  readonly disorder: number
  readonly drift: number
  readonly oversize: number
  readonly malformed: number
  readonly format: Format
  readonly limit?: number
}

export function addTrafficOptions(command: Command): Command {
  const add = (flags: string, text: string, parse: (text: string) => unknown, value?: unknown, shown?: string): void => {
    const option = new Option(flags, text).argParser(parse)
    command.addOption(value === undefined ? option : option.default(value, shown))
  }
  command.option('--seed <text>', 'the same seed and options give the same bytes', '1')
  add('--duration <span>', `how long the centre runs, in its own time, ${SPANS}; otherwise without end`, span)
  command.option(
    '--start <time>',
    `time in the centre when it opens, ${TIMES}; otherwise ${new Date(DEFAULT_START_MS).toISOString()}, or now at speed 1`,
  )
  add('--speed <factor>', 'how many times as fast as the clock, or max', speed, 1, '1')
  add('--agents <number>', 'people who work there', wholeNumber(1, 100_000), 50, '50')
  add('--queues <number>', 'queues', wholeNumber(1, 10_000), 6, '6')
  add('--rate <number>', 'new conversations an hour, the mean of a day; otherwise 4.5 an agent, 8 with --flat', wholeNumber(0, 10_000_000))
  command.option('--flat', 'the same load at every hour, everybody at work (otherwise a day with two humps and shifts, UTC)')
  command.option('--even-queues', 'the same share of conversations for every queue (otherwise the first ones are the busy ones)')
  add('--noisy-queue <rate>', 'one more queue that gets so many events a second, such as 200/s', perSecond, 0, 'none')
  add('--transcripts <percent>', 'share of calls with transcription', percent, 0.02, '2%')
  command.option('--snapshots', 'also the large snapshots v2.users.{id}.conversations and v2.routing.queues.{id}.conversations')
  command.option('--topics <list>', 'only these topics, with commas between; * stands for anything')
  add('--duplicates <percent>', 'events that arrive twice, within 10 s', percent, 0, '0%')
  add('--disorder <span>', 'delay every copy by a random time up to this', span, 0, '0s')
  add('--drift <percent>', 'events with a field, value or type that is not in the schema', percent, 0, '0%')
  add(
    '--oversize <percent>',
    'events of 300 KiB to 1 MiB; only v2.detail.events.conversation.* can grow, and not all of them',
    percent,
    0,
    '0%',
  )
  add('--malformed <percent>', 'records that are no events, beside the events', percent, 0, '0%')
  command.addOption(new Option('--format <format>', 'shape of a record').choices(['eventbridge', 'notification']).default('eventbridge'))
  add('--limit <number>', 'end after so many events', wholeNumber(1, Number.MAX_SAFE_INTEGER))
  return command
}

/** The options of the model. */
export function simulationOptions(flags: TrafficFlags, nowMs: number): Partial<SimulationOptions> {
  const usualStartMs = flags.speed === 1 ? nowMs : DEFAULT_START_MS
  return {
    seed: flags.seed,
    startAtMs: flags.start === undefined ? usualStartMs : readTime(flags.start, nowMs),
    durationMs: flags.duration ?? null,
    agents: flags.agents,
    queues: flags.queues,
    conversationsPerHour: flags.rate ?? usualRate(flags.agents, flags.flat === true),
    flat: flags.flat === true,
    evenQueues: flags.evenQueues === true,
    noisyQueuePerSecond: flags.noisyQueue,
    transcribedShare: flags.transcripts,
    snapshots: flags.snapshots === true,
    wants: flags.topics === undefined ? null : topicsOf(flags.topics, flags.snapshots === true),
  }
}

export function faultsOf({ duplicates, disorder, drift, oversize, malformed }: TrafficFlags): Faults {
  return { duplicates, disorderMs: disorder, drift, oversize, malformed }
}

const SPANS = 'such as 90s, 30m, 1h or 1d'
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])
const MAX_SPAN_MS = 3660 * 86_400_000

function span(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = Math.round(Number(number) * (UNIT_MS.get(unit) ?? NaN))
  if (!(ms >= 0 && ms <= MAX_SPAN_MS)) throw new InvalidArgumentError(`Write a number with its unit (ms, s, m, h, d), ${SPANS}.`)
  return ms
}

function percent(text: string): number {
  const [, number = ''] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? []
  const share = number === '' ? NaN : Number(number) / 100
  if (!(share >= 0 && share <= 1)) throw new InvalidArgumentError('Write a percentage from 0% to 100%, with its sign, such as 2% or 0.1%.')
  return share
}

function speed(text: string): number {
  if (text === 'max') return Infinity
  const factor = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(factor > 0 && factor <= 1_000_000))
    throw new InvalidArgumentError('Write max, or how many times as fast as the clock, such as 1 or 144.')
  return factor
}

function perSecond(text: string): number {
  const [, number = ''] = /^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text) ?? []
  const rate = number === '' ? NaN : Number(number)
  if (!(rate >= 0 && rate <= 1_000_000)) throw new InvalidArgumentError('Write a number of events a second, such as 200/s.')
  return rate
}

/** Whether a topic is in the list. An entry no topic fits is a mistake that is told. */
function topicsOf(list: string, snapshots: boolean): (topic: string) => boolean {
  const taken = new Set<string>()
  const templates = SIMULATED_TOPICS.map((topic) => topic.template)
  for (const entry of list.split(',').map((text) => text.trim())) {
    const wanted = entry.includes('*') ? entry : (topicMeant(entry) ?? entry)
    const found = templates.filter((template) => fitsPattern(wanted, template))
    if (found.length === 0) {
      const nearest = nearestTopics(entry, 3, templates).join(', ')
      throw usageError(
        `No simulated topic fits "${entry.slice(0, 100)}".`,
        `The nearest are ${nearest}. v2.detail.events.* stands for all that begin so.`,
      )
    }
    for (const template of found) taken.add(template)
  }
  const onlySnapshots = [...taken].every((topic) => /^v2\.(?:users|routing\.queues)\.\{id\}\.conversations$/.test(topic))
  if (onlySnapshots && !snapshots) throw usageError('These topics are snapshots, which are off.', 'Add --snapshots.')
  return (topic) => taken.has(topic)
}
