/** `trunkline events`: a list of events, newest first, with what became of each on every route. */
import { Command } from 'commander'
import { clientOf } from '../client.ts'
import { note, print, printJson, type Context } from '../context.ts'
import { filterAsked } from '../filter.ts'
import { instant, shortTopic, table } from '../format.ts'
import {
  readTime,
  wholeNumber,
  withClient,
  withEventFilter,
  withExamples,
  withJson,
  withPeriod,
  type ClientOptions,
  type EventFilter,
} from '../options.ts'
import { listOf, numberOf, textOf } from '../read.ts'
import { safe } from '../text.ts'
import { entityOf, outcomesOf } from '../summary.ts'

type Options = ClientOptions &
  EventFilter & { readonly json?: true; readonly limit: number; readonly cursor?: string; readonly from?: string; readonly to?: string }

export function eventsCommand(context: Context): Command {
  const command = new Command('events')
    .description('list accepted events, newest first')
    .option('--limit <n>', 'how many', wholeNumber(1, 1000), 50)
    .option('--cursor <cursor>', 'go on where another list ended')
    .action((options: Options) => events(context, options))
  const full = withJson(withPeriod(withEventFilter(withClient(command))))
  return withExamples(
    full,
    'trunkline events --conversation 2f7bf00a-0fc2-4d6a-9b56-92238191433e',
    'trunkline events --route crm --outcome dead --from 1h --json',
  )
}

async function events(context: Context, options: Options): Promise<void> {
  const nowMs = context.io.clock.nowMs()
  const from = options.from === undefined ? undefined : readTime(options.from, nowMs)
  const to = options.to === undefined ? undefined : readTime(options.to, nowMs)
  const client = clientOf(context.io, options)
  const { query, unknown } = await filterAsked(client, options, context.signal)
  const page = await client.get('/v1/events', { ...query, from, to, limit: options.limit, cursor: options.cursor }, context.signal)
  if (unknown !== null && listOf(page, 'events').length === 0) throw unknown
  if (options.json === true) return printJson(context, page)
  const rows = listOf(page, 'events').map((event) => [
    instant(numberOf(event, 'receivedAtMs')),
    textOf(event, 'id'),
    shortTopic(textOf(event, 'topic') ?? ''),
    entityOf(event),
    [outcomesOf(event), ...listOf(event, 'marks').map(String)].join(', '),
  ])
  if (rows.length === 0) note(context, 'no events')
  else for (const line of table(['received', 'id', 'topic', 'about', 'routes'], rows)) print(context, line)
  const lagMs = numberOf(page, 'indexLagMs') ?? 0
  if (lagMs > 0) note(context, `the list is ${lagMs} ms behind intake`)
  const cursor = textOf(page, 'cursor')
  if (cursor !== null) note(context, safe`more: --cursor ${cursor}`)
}
