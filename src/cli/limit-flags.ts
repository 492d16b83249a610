/** `trunkline config limit`, and how the rate of a limit reads: changes the limit of a route of the running service, for good or for a time. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { clientOf } from './client.ts'
import { note, print, printJson, type Context } from './context.ts'
import { usageError } from './failure.ts'
import { after, instant } from './format.ts'
import { epochTime, span, wholeNumber, withClient, withExamples, withJson, type ClientOptions } from './options.ts'
import { fieldOf, listOf, numberOf, textOf } from './read.ts'
import { escapeText, safe } from './text.ts'
import { whoIs, withSigned, type Signed } from './who.ts'

export type LimitOptions = ClientOptions &
  Signed & {
    readonly json?: true
    readonly key?: string
    readonly perSecond?: number
    readonly burst?: number
    readonly unlimited?: true
    readonly for?: number
    readonly until?: number
  }

const KEY = 'the queue, user or whatever the limit counts by; left out, the default of all that have no rate of their own'

export const keyOption = (): Option => new Option('--key <key>', KEY)

export function limitCommand(context: Context): Command {
  const command = withSigned(withJson(withClient(new Command('limit'))))
    .description('change the limit of a route of the running service: what waits because of it is planned anew; holds over a restart')
    .argument('<route>', 'name of the route')
    .addOption(keyOption())
    .addOption(new Option('--per-second <n>', 'events let through in a second, on average').argParser(rate).conflicts('unlimited'))
    .addOption(new Option('--burst <n>', 'events that may come at once; otherwise what a second gives').argParser(wholeNumber(1, MAX_RATE)))
    .addOption(new Option('--unlimited', 'no limit'))
    .addOption(
      new Option('--for <span>', 'for so long, such as 30m or 2h; then the configuration holds again').argParser(span).conflicts('until'),
    )
    .addOption(new Option('--until <time>', 'until this time, such as 2026-08-14T18:00:00Z').argParser(epochTime))
    .action((route: string, options: LimitOptions) => changeLimit(context, route, options))
  return withExamples(
    command,
    'trunkline config limit crm --key 7c1d7a52-9d0e-4c38-8a53-6a1ba3ecd8f1 --per-second 50 --for 30m',
    'trunkline config limit crm --unlimited',
    'trunkline config unset crm --limit',
  )
}

async function changeLimit(context: Context, route: string, options: LimitOptions): Promise<void> {
  const { key = null, perSecond, burst, unlimited } = options
  if (perSecond === undefined && unlimited !== true)
    throw usageError(
      'Neither --per-second nor --unlimited is given.',
      `trunkline config unset ${route} --limit goes back to the configuration.`,
    )
  if (burst !== undefined && perSecond === undefined) throw usageError('--burst goes with --per-second.', 'Give both.')
  const value = unlimited === true ? 'unlimited' : { perSecond, ...(burst === undefined ? {} : { burst }) }
  const untilMs = options.for === undefined ? (options.until ?? null) : context.io.clock.nowMs() + options.for
  const change = await setLimit(context, { route, key, value, untilMs }, options)
  if (options.json === true) return printJson(context, change)
  const end = numberOf(change, 'untilMs')
  const until = end === null ? '' : `, until ${instant(end)}`
  print(context, `${limitName(route, change)} is ${rateText(fieldOf(change, 'to'))} now${until}`)
  sayNote(context, change)
}

/** Takes back what was said of a limit. */
export async function unsetLimit(context: Context, route: string, options: LimitOptions): Promise<void> {
  const change = await setLimit(context, { route, key: options.key ?? null, value: null, untilMs: null }, options)
  if (options.json === true) return printJson(context, change)
  print(context, `${limitName(route, change)} is as configured`)
  await sayWhatStays(context, route, options)
}

/** What else of a route is not as configured, after something was taken back, and how to take it back. */
export async function sayWhatStays(context: Context, route: string, options: LimitOptions): Promise<void> {
  const all = listOf(await clientOf(context.io, options).get('/v1/flags', {}, context.signal), 'flags')
  const stays = all.filter((flag) => textOf(flag, 'route') === route && fieldOf(flag, 'value') !== null)
  for (const flag of stays.slice(0, MOST_SAID)) {
    const key = textOf(flag, 'key')
    if (textOf(flag, 'flag') === 'route.paused')
      note(context, `but it is still ${fieldOf(flag, 'value') === true ? 'paused' : 'resumed'}: ${safe`trunkline config unset ${route}`}`)
    else
      note(
        context,
        `but ${limitName(route, flag)} is still ${rateText(fieldOf(flag, 'value'))}: ${safe`trunkline config unset ${route}`} --limit${key === null ? '' : safe` --key ${JSON.stringify(key)}`}`,
      )
  }
  if (stays.length > MOST_SAID) note(context, `and ${stays.length - MOST_SAID} more: trunkline config flags`)
}

const MOST_SAID = 5

type Wish = { readonly route: string; readonly key: string | null; readonly value: unknown; readonly untilMs: number | null }

function setLimit(context: Context, wish: Wish, options: LimitOptions): Promise<unknown> {
  return clientOf(context.io, options).put('/v1/flags', { flag: 'route.limit', ...wish, by: whoIs(context.io, options) })
}

/** Bounds as the service has them. */
const MIN_PER_SECOND = 0.001
const MAX_RATE = 1_000_000

function rate(text: string): number {
  const number = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(number >= MIN_PER_SECOND && number <= MAX_RATE))
    throw new InvalidArgumentError(`Write a number from ${MIN_PER_SECOND} to ${MAX_RATE}; config pause lets nothing through.`)
  return number
}

function limitName(route: string, flag: unknown): string {
  const key = keyText(flag)
  return `the limit of ${safe`${route}`}${key === null ? '' : safe` for ${key}`}`
}

/** What a flag's limit is for: the name with its id where it has one; null for the default. */
export function keyText(flag: unknown): string | null {
  const [key, name] = [textOf(flag, 'key'), textOf(flag, 'keyName')]
  return key === null || name === null ? key : `${name} (${key})`
}

/** What the service is not sure of. */
function sayNote(context: Context, change: unknown): void {
  const text = textOf(change, 'note')
  if (text !== null) note(context, escapeText(text))
}

/** `50/s, burst 100`, or the text itself. */
export function rateText(value: unknown): string {
  const perSecond = numberOf(value, 'perSecond')
  if (perSecond === null) return escapeText(typeof value === 'string' ? value : '?')
  const burst = numberOf(value, 'burst')
  return `${perSecond}/s${burst === null ? '' : `, burst ${burst}`}`
}

/** When a flag ends by itself, and how far away that is; null when it stays. */
export function endText(flag: unknown, nowMs: number): string | null {
  const untilMs = numberOf(flag, 'untilMs')
  if (untilMs === null) return null
  return untilMs <= nowMs ? 'over' : `${instant(untilMs)} (${after(untilMs - nowMs).replace('+', 'in ')})`
}
