/** `trunkline state`: what the running service has put together from the events: conversations, agents, queues; and making it again from the log. And its routes. */
import { Command } from 'commander'
import { clientOf, type Client } from '../client.ts'
import { note, print, printJson, type Context } from '../context.ts'
import { usageError } from '../failure.ts'
import { idAsked } from '../filter.ts'
import { count, instant, table } from '../format.ts'
import { readTime, TIMES, wholeNumber, withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { entriesOf, fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { clip, safe } from '../text.ts'
import { routesVerb } from './state-routes.ts'

type Options = ClientOptions & { readonly json?: true; readonly asOf?: string }
type ConversationOptions = Options & { readonly open?: true; readonly limit: number }
type QueueOptions = Options & { readonly interval?: string }

/** A rebuild reads the whole log. */
const REBUILD_TIMEOUT_MS = 3_600_000
const MAX_NAME_CHARS = 40

export function stateCommand(context: Context): Command {
  const command = new Command('state').description(
    'show conversations, agents and queues as the events tell, and routes; or make that state again',
  )
  for (const make of [conversationsVerb, agentsVerb, queuesVerb, routesVerb, rebuildVerb]) command.addCommand(make(context))
  return withExamples(command, 'trunkline state conversations --open', 'trunkline state queues --interval 30m')
}

function conversationsVerb(context: Context): Command {
  const command = withAsOf(new Command('conversations'))
    .description('list conversations, the newest first, or show one')
    .argument('[id]', 'id of a conversation')
    .option('--open', 'only those that are open')
    .option('--limit <n>', 'how many', wholeNumber(1, 1000), 50)
    .action((id: string | undefined, options: ConversationOptions) =>
      id === undefined ? listConversations(context, options) : showConversation(context, id, options),
    )
  return withExamples(
    command,
    'trunkline state conversations --open',
    'trunkline state conversations 7c1d7a52-9d0e-4c38-8a53-0f5b1f7f5a10 --json',
  )
}

function agentsVerb(context: Context): Command {
  const command = withAsOf(new Command('agents'))
    .description('list agents: presence, routing status and since when, conversations; or show one')
    .argument('[agent]', 'name or user id of an agent')
    .action((agent: string | undefined, options: Options) =>
      agent === undefined ? listAgents(context, options) : showAgent(context, agent, options),
    )
  return withExamples(command, 'trunkline state agents', 'trunkline state agents "Ada Byron"', 'trunkline state agents --json')
}

function queuesVerb(context: Context): Command {
  const command = withAsOf(new Command('queues'))
    .description('list queues: who waits, and the counts of an interval')
    .option('--interval <length>', 'the last so much, such as 30m or 8h; otherwise the current half hour')
    .action((options: QueueOptions) => listQueues(context, options))
  return withExamples(command, 'trunkline state queues', 'trunkline state queues --interval 8h')
}

function rebuildVerb(context: Context): Command {
  const command = withJson(withClient(new Command('rebuild')))
    .description('make the state again from the log, beside the one that answers, and compare; where they differ the new one answers')
    .action((options: Options) => rebuild(context, options))
  return withExamples(command, 'trunkline state rebuild', 'trunkline state rebuild --json')
}

async function listConversations(context: Context, options: ConversationOptions): Promise<void> {
  const query = { open: options.open === true ? 'true' : undefined, limit: options.limit }
  const page = await get(context, '/v1/conversations', query, options)
  if (options.json === true) return printJson(context, page)
  const rows = listOf(page, 'conversations').map((one) => [
    textOf(one, 'id'),
    textOf(one, 'mediaType'),
    instant(numberOf(one, 'startedAtMs')),
    fieldOf(one, 'open') === true ? 'open' : (textOf(one, 'outcome') ?? 'closed'),
    String(listOf(one, 'queueVisits').length),
    String(listOf(one, 'agentLegs').length),
    lengthOf(one),
  ])
  printTable(context, ['id', 'media', 'started', 'state', 'queues', 'agents', 'length'], rows, 'no conversations')
  if (fieldOf(page, 'more') === true) note(context, 'there are more: --limit, or --json and GET /v1/conversations')
  sayLag(context, page)
}

async function showConversation(context: Context, id: string, options: Options): Promise<void> {
  const page = await get(context, `/v1/conversations/${encodeURIComponent(id)}`, {}, options)
  if (options.json === true) return printJson(context, page)
  const one = fieldOf(page, 'conversation')
  const field = (name: string, value: string | null): void => {
    if (value !== null && value !== '-') print(context, `${name.padEnd(10)}${safe`${value}`}`)
  }
  const state =
    fieldOf(one, 'open') === true ? 'open' : `${textOf(one, 'outcome') ?? 'closed'}, closed by ${textOf(one, 'closedBy') ?? '?'}`
  field('id', textOf(one, 'id'))
  field('state', state)
  field('media', textOf(one, 'mediaType'))
  field('direction', textOf(one, 'direction'))
  field('started', instant(numberOf(one, 'startedAtMs')))
  field('ended', instant(numberOf(one, 'endedAtMs')))
  const wrapupCode = textOf(one, 'wrapupCode')
  field('wrap-up', wrapupCode === null ? null : named(one, wrapupCode))
  for (const visit of listOf(one, 'queueVisits')) {
    const outcome = textOf(visit, 'outcome')
    const left = numberOf(visit, 'leftAtMs') === null ? 'waiting for' : `${outcome ?? 'left'} after`
    field('queue', `${named(one, textOf(visit, 'queueId'))}  ${left} ${duration(numberOf(visit, 'waitMs'))}`)
  }
  for (const leg of listOf(one, 'agentLegs')) {
    const times = (['talk', 'hold', 'acw'] as const).map((what) => `${what} ${duration(numberOf(leg, `${what}Ms`))}`).join(', ')
    field('agent', `${named(one, textOf(leg, 'userId'))}  ${textOf(leg, 'state') ?? ''}: ${times}`)
  }
  for (const [name] of entriesOf(one, 'attributes'))
    field('attribute', `${name} = ${clip(textOf(fieldOf(one, 'attributes'), name) ?? '', 100)}`)
  if (fieldOf(one, 'gaveUp') === true) note(context, 'it has more facts than are kept: what lies between beginning and end is not whole')
  sayLag(context, page)
}

async function listAgents(context: Context, options: Options): Promise<void> {
  const page = await get(context, '/v1/agents', {}, options)
  if (options.json === true) return printJson(context, page)
  printAgents(context, listOf(page, 'agents'))
  sayLag(context, page)
}

async function showAgent(context: Context, agent: string, options: Options): Promise<void> {
  const { id = agent, unknown } = await idAsked(clientOf(context.io, options), 'users', agent, context.signal)
  const page = await get(context, `/v1/agents/${encodeURIComponent(id)}`, {}, options).catch((error: unknown) => {
    throw unknown ?? error
  })
  if (options.json === true) return printJson(context, page)
  const one = fieldOf(page, 'agent')
  printAgents(context, [one])
  print(context, safe`id ${textOf(one, 'userId') ?? id}`)
  for (const conversation of listOf(one, 'conversationIds').map(String)) print(context, safe`conversation ${conversation}`)
  sayLag(context, page)
}

function printAgents(context: Context, agents: readonly unknown[]): void {
  const rows = agents.map((one) => [
    clip(textOf(one, 'name') ?? textOf(one, 'userId') ?? '', MAX_NAME_CHARS),
    textOf(one, 'presence'),
    duration(numberOf(one, 'presenceMs')),
    textOf(one, 'routingStatus'),
    duration(numberOf(one, 'routingMs')),
    String(listOf(one, 'conversationIds').length),
  ])
  printTable(context, ['agent', 'presence', 'for', 'routing', 'for', 'conversations'], rows, 'no agents')
}

async function listQueues(context: Context, options: QueueOptions): Promise<void> {
  const nowMs = asOfOf(context, options) ?? context.io.clock.nowMs()
  const query = options.interval === undefined ? {} : { from: nowMs - lengthIn(options.interval), to: nowMs + 1 }
  const page = await get(context, '/v1/queues', query, options)
  if (options.json === true) return printJson(context, page)
  const rows = listOf(page, 'queues').map((one) => {
    const interval = fieldOf(one, 'interval')
    const level = numberOf(interval, 'serviceLevel')
    return [
      clip(textOf(one, 'name') ?? textOf(one, 'queueId') ?? '', MAX_NAME_CHARS),
      textOf(one, 'waiting'),
      duration(numberOf(one, 'longestWaitMs')),
      textOf(one, 'interacting'),
      ...['entered', 'answered', 'abandoned'].map((name) => textOf(interval, name)),
      level === null ? '-' : `${Math.round(level * 100)} %`,
      targetsOf(fieldOf(one, 'goals')),
    ]
  })
  const heading = ['queue', 'waiting', 'longest', 'interacting', 'entered', 'answered', 'abandoned', 'service level', 'within']
  printTable(context, heading, rows, 'no queues')
  printDrops(context, page)
  const [fromMs, completeSinceMs] = [numberOf(page, 'fromMs'), numberOf(page, 'completeSinceMs')]
  if (fromMs !== null && completeSinceMs !== null && fromMs < completeSinceMs)
    note(context, `the counts are whole only from ${instant(completeSinceMs)} on`)
  sayLag(context, page)
}

async function rebuild(context: Context, options: Options): Promise<void> {
  const client = clientOf(context.io, options)
  const answer = await client.post('/v1/state/rebuild', {}, REBUILD_TIMEOUT_MS)
  const equal = fieldOf(answer, 'equal') === true
  if (!equal) context.exitCode = 1
  if (options.json === true) return printJson(context, answer)
  const compared = [
    count(numberOf(answer, 'conversations') ?? 0, 'conversation'),
    count(numberOf(answer, 'agents') ?? 0, 'agent'),
    count(numberOf(answer, 'queues') ?? 0, 'queue'),
  ].join(', ')
  const took = `${count(numberOf(answer, 'events') ?? 0, 'event')} in ${duration(numberOf(answer, 'tookMs'))}`
  print(context, `${equal ? 'equal' : 'different, the new state answers now'}: ${compared}, from ${took}`)
  for (const one of listOf(answer, 'differences')) {
    const fields = listOf(one, 'fields').map(String).join(', ')
    print(context, safe`  ${textOf(one, 'kind') ?? ''} ${textOf(one, 'id') ?? ''}: ${fields}`)
  }
}

function withAsOf(command: Command): Command {
  return withJson(withClient(command)).option('--as-of <time>', `as it was then, by all that is known now; ${TIMES}`)
}

function asOfOf({ io }: Context, options: Options): number | undefined {
  return options.asOf === undefined ? undefined : readTime(options.asOf, io.clock.nowMs())
}

function get(context: Context, path: string, query: Parameters<Client['get']>[1] & object, options: Options): Promise<unknown> {
  return clientOf(context.io, options).get(path, { ...query, asOf: asOfOf(context, options) }, context.signal)
}

function printTable(context: Context, heading: readonly string[], rows: readonly (readonly (string | null)[])[], none: string): void {
  if (rows.length === 0) return note(context, none)
  for (const line of table(heading, rows)) print(context, line.trimEnd())
}

/** What the service has not looked at yet is missing from its answer. */
function sayLag(context: Context, page: unknown): void {
  const lag = numberOf(page, 'lagEvents') ?? 0
  if (lag > 0) note(context, `${count(lag, 'event')} of the log not in it yet`)
}

/** The name of an id with the id, where a name is known. */
function named(thing: unknown, id: string | null): string {
  const name = id === null ? null : textOf(fieldOf(fieldOf(thing, 'names'), id), 'name')
  return name === null ? (id ?? '?') : `${clip(name, MAX_NAME_CHARS)} (${id})`
}

/** The targets of a queue, the shortest first: different ones are for different media. */
function targetsOf(goals: unknown): string {
  const targets = new Set(listOf(goals, 'targets').map((target) => numberOf(target, 'targetMs') ?? 0))
  const seconds = [...targets].sort((a, b) => a - b).map((ms) => ms / 1000)
  return seconds.length === 0 ? '-' : `${seconds.join('/')} s`
}

/** What limits dropped, since the routes began: it is no part of the state, and of no interval. */
function printDrops(context: Context, page: unknown): void {
  const rows = listOf(page, 'limiterDrops').map((one) => [
    clip(textOf(one, 'name') ?? textOf(one, 'queueId') ?? '(not by queue)', MAX_NAME_CHARS),
    textOf(one, 'route'),
    textOf(one, 'reason'),
    String(numberOf(one, 'events') ?? 0),
  ])
  if (rows.length === 0) return
  print(context, '')
  printTable(context, ['dropped by limits', 'route', 'reason', 'events'], rows, '')
}

function lengthOf(conversation: unknown): string {
  const startedAtMs = numberOf(conversation, 'startedAtMs')
  const endMs = numberOf(conversation, 'endedAtMs') ?? numberOf(conversation, 'asOfMs')
  return startedAtMs === null || endMs === null ? '-' : duration(endMs - startedAtMs)
}

/** `4.2 s`, `3:05`, `1:02:03`. */
function duration(ms: number | null): string {
  if (ms === null) return '-'
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.floor(ms / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h === 0 ? `${m}:${two(s)}` : `${h}:${two(m)}:${two(s)}`
}

const two = (number: number): string => String(number).padStart(2, '0')

/** A length of time back from now, as `readTime` understands spans. */
function lengthIn(text: string): number {
  if (!/^\d+(?:\.\d+)?[smhd]$/.test(text)) throw usageError(`"${text.slice(0, 60)}" is no length of time.`, 'Write it as 30m, 8h or 1d.')
  return -readTime(text, 0)
}
