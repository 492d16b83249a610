/**
 * `trunkline tail`: events as they arrive. Asks again and again rather than holding a connection, so it outlives a
 * restart of the service; every event is printed once.
 */
import { Command, Option } from 'commander'
import { clientOf, type Client, type Query } from '../client.ts'
import { note, paintFor, print, printJson, printProblem, type Context, type Paint } from '../context.ts'
import { problemOf } from '../failure.ts'
import { filterAsked } from '../filter.ts'
import { shortTopic, timeOfDay } from '../format.ts'
import {
  readTime,
  TIMES,
  wholeNumber,
  withClient,
  withEventFilter,
  withExamples,
  withJson,
  type ClientOptions,
  type EventFilter,
} from '../options.ts'
import { entriesOf, fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { entityOf } from '../summary.ts'
import { escapeText } from '../text.ts'

type Options = ClientOptions &
  EventFilter & { readonly json?: true; readonly intervalMs: number; readonly since?: string; readonly lines: number }

/** Events asked for at once. */
const PAGE = 500
const LONGEST_WAIT_MS = 5000
/** A time no event has: only the cursor of the end of the log comes back for it. */
const NEVER_MS = Date.UTC(9999, 11, 31)

export function tailCommand(context: Context): Command {
  const command = new Command('tail')
    .description('show events as they arrive, until interrupted')
    .option('-n, --lines <n>', 'begin with so many of the last events', wholeNumber(0, 1000), 10)
    .addOption(new Option('--since <time>', `begin with all events since this time, ${TIMES}`))
    .option('--interval-ms <ms>', 'how often to ask', wholeNumber(20, 3_600_000), 500)
    .action((options: Options) => tail(context, options))
  return withExamples(
    withJson(withEventFilter(withClient(command))),
    'trunkline tail',
    'trunkline tail --route crm --since 15m',
    'trunkline tail -n 0 --json | jq .topicName',
  )
}

async function tail(context: Context, options: Options): Promise<void> {
  const { io } = context
  const interrupted = new AbortController()
  const removeHandler = io.onInterrupt(() => interrupted.abort())
  const signal = AbortSignal.any([context.signal, interrupted.signal])
  const client = clientOf(io, options)
  const paint = paintFor(context)
  const show = (events: readonly unknown[]): void => {
    for (const event of events) options.json === true ? printJson(context, event, { line: true }) : print(context, lineOf(event, paint))
  }
  try {
    const { query, unknown } = await filterAsked(client, options, signal)
    // It may yet come.
    if (unknown !== null) printProblem(context, unknown)
    const follower = new Follower(client, query, signal)
    show(await (options.since === undefined ? follower.last(options.lines) : follower.since(readTime(options.since, io.clock.nowMs()))))
    await follow(follower)
  } catch (error) {
    // An aborted request is how an interrupted tail ends.
    if (!signal.aborted) throw error
  } finally {
    removeHandler()
  }

  async function follow(follower: Follower): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        const { events, more } = await follower.next()
        show(events)
        if (failures > 0) note(context, 'trunkline: the service answers again')
        failures = 0
        if (!more) await io.clock.wait(options.intervalMs, signal)
      } catch (error) {
        const problem = problemOf(error)
        if (signal.aborted || (problem.code !== 'client.unreachable' && problem.code !== 'client.odd_answer')) throw error
        if (failures++ === 0) printProblem(context, { ...problem, hint: 'Waiting for it; Ctrl-C ends this.' })
        await io.clock.wait(Math.min(LONGEST_WAIT_MS, options.intervalMs * 2 ** Math.min(failures, 10)), signal)
      }
    }
  }
}

/** Where a tail has got to. */
class Follower {
  readonly #client: Client
  readonly #filter: Query
  readonly #signal: AbortSignal
  #position: Query = {}
  /** Shown by `last` and perhaps above the position as well; needed for the first page after it only. */
  readonly #shown = new Set<string>()

  constructor(client: Client, filter: Query, signal: AbortSignal) {
    this.#client = client
    this.#filter = filter
    this.#signal = signal
  }

  /** The last events, oldest first; the position is then the end of the log. */
  async last(lines: number): Promise<readonly unknown[]> {
    // The end first: what arrives between the two questions is in both answers, rather than in none.
    this.#moveTo(await this.#ask({ order: 'asc', from: NEVER_MS, limit: 1 }))
    if (lines === 0) return []
    const events = listOf(await this.#ask({ order: 'desc', limit: lines }), 'events').toReversed()
    for (const event of events) this.#shown.add(textOf(event, 'id') ?? '')
    return events
  }

  /** Sets the position to a time; what came since is the first page. */
  async since(fromMs: number): Promise<readonly unknown[]> {
    this.#position = { from: fromMs }
    return (await this.next()).events
  }

  async next(): Promise<{ readonly events: readonly unknown[]; readonly more: boolean }> {
    const page = await this.#ask({ order: 'asc', limit: PAGE, ...this.#position })
    const events = listOf(page, 'events')
    this.#moveTo(page)
    return { events: events.filter((event) => !this.#shown.delete(textOf(event, 'id') ?? '')), more: events.length >= PAGE }
  }

  #ask(query: Query): Promise<unknown> {
    return this.#client.get('/v1/events', { ...this.#filter, ...query }, this.#signal)
  }

  #moveTo(page: unknown): void {
    const cursor = textOf(page, 'cursor')
    if (cursor !== null) this.#position = { cursor }
  }
}

function lineOf(event: unknown, paint: Paint): string {
  const routes = entriesOf(event, 'routes').map(([route, outcome]) => `${escapeText(route)} ${paintOutcome(String(outcome), paint)}`)
  const marks = listOf(event, 'marks').map((mark) => paint('yellow', escapeText(String(mark))))
  const duplicate =
    fieldOf(event, 'duplicateOf') === null ? [] : [paint('yellow', escapeText(`repeats ${textOf(event, 'duplicateOf') ?? '?'}`))]
  const parts = [
    paint('dim', timeOfDay(numberOf(event, 'receivedAtMs'))),
    escapeText(textOf(event, 'id') ?? '-'),
    paint('bold', shortTopic(textOf(event, 'topic') ?? '-')),
    escapeText(entityOf(event)),
    [...routes, ...duplicate, ...marks].join(', '),
  ]
  return parts.join('  ').trimEnd()
}

/** An outcome in the colour of what it means. */
function paintOutcome(outcome: string, paint: Paint): string {
  const text = escapeText(outcome)
  if (outcome === 'delivered') return paint('green', text)
  if (outcome === 'dead' || outcome === 'dropped') return paint('red', text)
  return paint(outcome === 'retrying' || outcome === 'held' ? 'yellow' : 'dim', text)
}
