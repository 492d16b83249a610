/** Options that several verbs share, and how their texts become values. A bad value is a usage error that says what is wanted. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { usageError } from './failure.ts'

/** Where the service is; for every verb that talks to one. */
export type ClientOptions = { readonly url?: string; readonly dataDir?: string }

export function withClient(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'address of the service (TRUNKLINE_URL; otherwise http://127.0.0.1:4680)'))
    .addOption(
      new Option('--data-dir <folder>', 'data directory of the service, to find its token (TRUNKLINE_DATA_DIR; otherwise .trunkline)'),
    )
}

export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON')
}

export type EventFilter = {
  readonly topic?: string
  readonly conversation?: string
  readonly queue?: string
  readonly agent?: string
  readonly route?: string
  readonly outcome?: string
}

export function withEventFilter(command: Command): Command {
  return command
    .option('--topic <topic>', 'only events of this topic, also as lists show it: conversation.acd.end')
    .option('--conversation <id>', 'only events of this conversation')
    .option('--queue <queue>', 'only events of this queue, by its name or id')
    .option('--agent <agent>', 'only events of this agent, by name or user id')
    .option('--route <name>', 'only events of this route')
    .option('--outcome <outcome>', 'only events with this outcome on a route, such as delivered or dead')
}

export function withPeriod(command: Command): Command {
  return command
    .addOption(new Option('--from <time>', `only since this time, ${TIMES}`))
    .addOption(new Option('--to <time>', 'only before this time'))
}

export const TIMES = 'such as 2026-08-14T09:30:00Z, 2026-08-14 or 15m (ago)'

/** Epoch ms of an ISO time, of epoch milliseconds, or of a span counted back from now. */
export function readTime(text: string, nowMs: number): number {
  const span = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(text)
  if (span !== null) return nowMs - Math.round(Number(span[1]) * (SPANS_MS.get(span[2] ?? '') ?? 0))
  if (/^\d{12,14}$/.test(text)) return Number(text)
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(atMs)) throw usageError(`"${text.slice(0, 60)}" is no time.`, `Write a time ${TIMES}.`)
  return atMs
}

/** Reads a span such as `30m` or `2h`, as milliseconds. */
export function span(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(text) ?? []
  const ms = Math.round(Number(number) * (SPANS_MS.get(unit ?? '') ?? NaN))
  if (!(ms >= 1_000 && ms <= MAX_SPAN_MS)) throw new InvalidArgumentError('Write a span such as 90s, 30m, 2h or 1d.')
  return ms
}

/** Reads an ISO time or epoch milliseconds. */
export function epochTime(text: string): number {
  const atMs = /^\d{12,14}$/.test(text) ? Number(text) : /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(atMs)) throw new InvalidArgumentError('Write a time such as 2026-08-14T18:00:00Z.')
  return atMs
}

/** Reads a whole number between two bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : NaN
    if (!(number >= min && number <= max))
      throw new InvalidArgumentError(
        `Write a whole number ${max === Number.MAX_SAFE_INTEGER ? `that is at least ${min}` : `from ${min} to ${max}`}.`,
      )
    return number
  }
}

/** Reads a number of seconds, fractions allowed, as milliseconds. */
export function seconds(text: string): number {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(number > 0 && number <= 86_400)) throw new InvalidArgumentError('Write a number of seconds, from above 0 to 86400.')
  return Math.ceil(number * 1000)
}

/** Examples at the end of a verb's help. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}\n`).join('')}`.trimEnd())
}

const MAX_SPAN_MS = 366 * 86_400_000
const SPANS_MS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])
