/** `trunkline deadletters`: what routes gave up on; listed, shown with every attempt, and given back to the route. */
import { Command, Option } from 'commander'
import { clientOf, type Query } from '../client.ts'
import { note, paintFor, print, printJson, type Context } from '../context.ts'
import { usageError } from '../failure.ts'
import { count, instant, shortTopic, table } from '../format.ts'
import { readTime, wholeNumber, withClient, withExamples, withJson, withPeriod, type ClientOptions } from '../options.ts'
import { fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { escapeText, safe } from '../text.ts'
import { topicAsked } from '../topic.ts'

type Filter = ClientOptions & {
  readonly json?: true
  readonly route?: string
  readonly reason?: string
  readonly topic?: string
  readonly conversation?: string
  readonly from?: string
  readonly to?: string
}
type ListOptions = Filter & { readonly state?: string; readonly limit: number; readonly cursor?: string }
type RedriveOptions = Filter & { readonly all?: true; readonly dryRun?: true; readonly perSecond?: number }

export function deadlettersCommand(context: Context): Command {
  const list = withFilter(new Command('list'))
    .description('list dead letters, newest first (the default)')
    .addOption(
      new Option('--state <state>', 'dead (default), redriving, redriven or all').choices(['dead', 'redriving', 'redriven', 'all']),
    )
    .option('--limit <n>', 'how many', wholeNumber(1, 1000), 50)
    .option('--cursor <cursor>', 'go on where another list ended')
    .action((options: ListOptions) => listLetters(context, options))
  const show = withJson(withClient(new Command('show')))
    .description('show one dead letter: every attempt, and the event')
    .argument('<route>', 'name of the route')
    .argument('<event-id>', "Trunkline's id of the event")
    .action((route: string, id: string, options: Filter) => showLetter(context, route, id, options))
  const redrive = withFilter(new Command('redrive'))
    .description('give dead letters back to their route, whose attempts begin again')
    .argument('[event-ids...]', 'only these events')
    .option('--all', 'without any filter: really all of them')
    .option('--dry-run', 'only say how many there are')
    .option('--per-second <n>', 'at most so many a second and route', wholeNumber(1, 1_000_000))
    .action((ids: readonly string[], options: RedriveOptions) => redriveLetters(context, ids, options))
  withExamples(list, 'trunkline deadletters list --route crm --reason sink.http_status')
  withExamples(show, 'trunkline deadletters show crm k3v9qa7m-0000002s')
  withExamples(redrive, 'trunkline deadletters redrive --route crm --dry-run', 'trunkline deadletters redrive --route crm --per-second 50')
  const command = new Command('deadletters')
    .description('list, show and redrive what routes gave up on')
    .addCommand(list, { isDefault: true })
    .addCommand(show)
    .addCommand(redrive)
  return withExamples(command, 'trunkline deadletters --route crm', 'trunkline deadletters redrive --route crm --dry-run')
}

async function listLetters(context: Context, options: ListOptions): Promise<void> {
  const client = clientOf(context.io, options)
  const { topic, unknown } = await topicAsked(client, options.topic, context.signal)
  const query = { ...queryOf(context, options), topic, state: options.state, limit: options.limit, cursor: options.cursor }
  const page = await client.get('/v1/deadletters', query, context.signal)
  if (unknown !== null && listOf(page, 'deadLetters').length === 0) throw unknown
  if (options.json === true) return printJson(context, page)
  const rows = listOf(page, 'deadLetters').map((letter) => [
    instant(numberOf(letter, 'diedAtMs')),
    textOf(letter, 'route'),
    textOf(letter, 'eventId'),
    shortTopic(textOf(letter, 'topic') ?? '-'),
    textOf(letter, 'state'),
    textOf(letter, 'attempts'),
    [textOf(letter, 'reason'), textOf(letter, 'detail')].filter((part) => part !== null).join(': '),
  ])
  if (rows.length === 0) return note(context, 'no dead letters')
  for (const line of table(['died', 'route', 'event', 'topic', 'state', 'attempts', 'reason'], rows)) print(context, line)
  const total = numberOf(page, 'total')
  const cursor = textOf(page, 'cursor')
  if (cursor !== null) note(context, `${total === null ? '' : `${rows.length} of ${total}; `}${safe`more: --cursor ${cursor}`}`)
}

async function showLetter(context: Context, route: string, id: string, options: Filter): Promise<void> {
  const letter = await clientOf(context.io, options).get(
    `/v1/deadletters/${encodeURIComponent(route)}/${encodeURIComponent(id)}`,
    {},
    context.signal,
  )
  if (options.json === true) return printJson(context, letter)
  const paint = paintFor(context)
  print(context, paint('bold', safe`dead letter of route ${textOf(letter, 'route') ?? route}: event ${textOf(letter, 'eventId') ?? id}`))
  for (const key of ['topic', 'conversationId', 'state', 'stage', 'reason', 'detail', 'attempts']) {
    const value = textOf(letter, key)
    if (value !== null) print(context, `  ${paint('dim', key.padEnd(15))} ${escapeText(value)}`)
  }
  for (const key of ['receivedAtMs', 'diedAtMs'])
    print(context, `  ${paint('dim', key.replace('AtMs', '').padEnd(15))} ${instant(numberOf(letter, key))}`)
  for (const happening of listOf(letter, 'history')) {
    const attempt = numberOf(happening, 'attempt') ?? 0
    const parts = [
      instant(numberOf(happening, 'atMs')),
      textOf(happening, 'what')?.replaceAll('_', ' '),
      attempt > 0 ? `attempt ${attempt}` : null,
      textOf(happening, 'reason'),
      textOf(happening, 'detail'),
    ]
    print(context, `  ${parts.flatMap((part) => (part === null || part === undefined ? [] : [escapeText(part)])).join('  ')}`)
  }
  const raw = textOf(letter, 'raw')
  if (raw !== null) for (const line of raw.split(/\r?\n/)) print(context, escapeText(line))
}

async function redriveLetters(context: Context, ids: readonly string[], options: RedriveOptions): Promise<void> {
  const filter = queryOf(context, options)
  const filtered = ids.length > 0 || Object.values(filter).some((value) => value !== undefined)
  if (!filtered && options.all !== true && options.dryRun !== true) {
    throw usageError(
      'This would redrive every dead letter of every route.',
      'Name events or a filter such as --route, look first with --dry-run, or say --all.',
    )
  }
  if (filtered && options.all === true)
    throw usageError('--all goes with no filter and no event ids.', 'Leave out --all to redrive what the filter names.')
  const client = clientOf(context.io, options)
  const { topic, unknown } = await topicAsked(client, options.topic, context.signal)
  const request = {
    ...filter,
    topic,
    ...(ids.length > 0 ? { eventIds: ids } : {}),
    dryRun: options.dryRun === true,
    perSecond: options.perSecond,
  }
  const answer = await client.post('/v1/deadletters/redrive', request)
  const matched = numberOf(answer, 'matched') ?? 0
  if (unknown !== null && matched === 0) throw unknown
  if (options.json === true) return printJson(context, answer)
  if (fieldOf(answer, 'dryRun') === true) return print(context, `${count(matched, 'dead letter')} would be redriven; nothing was changed`)
  const id = textOf(answer, 'redriveId')
  print(
    context,
    `redriven ${numberOf(answer, 'redriven') ?? 0} of ${count(matched, 'dead letter')}${id === null ? '' : safe` (redrive ${id})`}`,
  )
}

function withFilter(command: Command): Command {
  return withJson(withPeriod(withClient(command)))
    .option('--route <name>', 'only dead letters of this route')
    .option('--reason <code>', 'only with this reason')
    .option('--topic <topic>', 'only of this topic, also as lists show it: conversation.acd.end')
    .option('--conversation <id>', 'only of this conversation')
}

function queryOf(context: Context, options: Filter): Query {
  const nowMs = context.io.clock.nowMs()
  const { route, reason, topic, conversation, from, to } = options
  return {
    route,
    reason,
    topic,
    conversation,
    from: from === undefined ? undefined : readTime(from, nowMs),
    to: to === undefined ? undefined : readTime(to, nowMs),
  }
}
