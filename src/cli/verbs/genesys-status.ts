/** `trunkline genesys status`: whether the running service is connected to Genesys Cloud, and what it receives, as the service says. */
import { Command } from 'commander'
import { clientOf } from '../client.ts'
import { note, paintFor, print, printJson, type Context } from '../context.ts'
import { FAILED } from '../failure.ts'
import { count, lasting, timeOfDay } from '../format.ts'
import { withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { entriesOf, fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { safe } from '../text.ts'

type Options = ClientOptions & { readonly json?: true }
type Row = (name: string, text: string) => void

export function statusCommand(context: Context): Command {
  const command = withJson(withClient(new Command('status')))
    .description('show the notification connection of the running service: exit code 1 when it is not connected')
    .action((options: Options) => showStatus(context, options))
  return withExamples(command, 'trunkline genesys status', 'trunkline genesys status --json')
}

async function showStatus(context: Context, options: Options): Promise<void> {
  const client = clientOf(context.io, options)
  const stats = await client.get('/v1/stats', {}, context.signal)
  const open = listOf(await client.get('/v1/gaps', { limit: 1 }, context.signal), 'gaps').filter((gap) => fieldOf(gap, 'id') === null)
  const directory = await client.get('/v1/directory', {}, context.signal)
  const sources = entriesOf(stats, 'sources').flatMap(([, source]) => (fieldOf(source, 'connected') === undefined ? [] : [source]))
  const budget = fieldOf(fieldOf(stats, 'sources'), 'genesys.budget') ?? null
  if (sources.some((source) => fieldOf(source, 'connected') !== true)) context.exitCode = FAILED
  if (options.json === true) return printJson(context, { sources, openGaps: open, gaps: fieldOf(stats, 'gaps'), budget, directory })

  const paint = paintFor(context)
  const nowMs = context.io.clock.nowMs()
  const row: Row = (name, text) => print(context, `${paint('dim', name.padEnd(14))} ${text}`)
  if (sources.length === 0) note(context, 'no notifications are configured (genesys.notifications)')
  for (const source of sources) {
    const since = numberOf(source, 'notConnectedSinceMs')
    row(
      'connected',
      fieldOf(source, 'connected') === true
        ? paint('green', 'yes')
        : paint('red', `NO${since === null ? '' : `, for ${lasting(nowMs - since)}`}`),
    )
    const problem = fieldOf(source, 'lastProblem')
    if (textOf(problem, 'code') !== null)
      row(
        'last problem',
        safe`${ago(numberOf(problem, 'atMs'), nowMs)}: ${textOf(problem, 'message') ?? ''} [${textOf(problem, 'code') ?? ''}]`,
      )
    showChannels(source, nowMs, row)
  }
  for (const gap of open) row(...gapRow(gap, nowMs))
  const records = numberOf(fieldOf(stats, 'gaps'), 'records') ?? 0
  if (sources.length > 0)
    row(
      'on record',
      `${count(records, 'gap')}, ${lasting(numberOf(fieldOf(stats, 'gaps'), 'lostMs') ?? 0)} together (trunkline genesys gaps)`,
    )
  if (budget !== null) row('requests', budgetText(budget))
  for (const kind of listOf(directory, 'kinds')) {
    const error = textOf(fieldOf(kind, 'lastError'), 'message')
    const read = `${textOf(kind, 'names') ?? 0}, read ${ago(numberOf(kind, 'loadedAtMs'), nowMs)}`
    row('names', safe`${textOf(kind, 'kind') ?? ''} ${read}${error === null ? '' : `; the last attempt failed: ${error}`}`)
  }
  if (fieldOf(directory, 'configured') !== true)
    note(context, 'no OAuth client is configured (genesys.clientId): nothing calls Genesys Cloud')
}

/** The sets of topics, each with its channel; those that have no topics are not worth a line. */
function showChannels(source: unknown, nowMs: number, row: Row): void {
  const shards = listOf(source, 'shards').filter((shard) => (numberOf(shard, 'topics') ?? 0) > 0)
  const topics = shards.reduce((sum: number, shard) => sum + (numberOf(shard, 'topics') ?? 0), 0)
  row('topics', `${topics} for ${count(numberOf(source, 'users') ?? 0, 'user')} and ${count(numberOf(source, 'queues') ?? 0, 'queue')}`)
  for (const shard of shards) {
    const last = numberOf(shard, 'lastEventAtMs')
    const refused = listOf(shard, 'refused').length
    const parts = [
      `${textOf(shard, 'key') ?? ''}: ${count(numberOf(shard, 'topics') ?? 0, 'topic')}`,
      fieldOf(shard, 'working') === true ? 'working' : `not working (${textOf(shard, 'reason') ?? 'no channel yet'})`,
      `last event ${last === null ? 'none since start' : ago(last, nowMs)}`,
      `${textOf(shard, 'events') ?? 0} events since start`,
      ...(refused === 0 ? [] : [`${count(refused, 'topic')} refused`]),
    ]
    row('channel', safe`${parts.join(', ')}`)
  }
  const conversations = fieldOf(source, 'conversations')
  const missed = numberOf(conversations, 'notFollowed') ?? 0
  if ((numberOf(conversations, 'learned') ?? 0) > 0)
    row(
      'conversations',
      `${numberOf(conversations, 'followed') ?? 0} followed${missed === 0 ? '' : `, ${missed} not followed for want of room`}`,
    )
}

function gapRow(gap: unknown, nowMs: number): [string, string] {
  const fromMs = numberOf(gap, 'fromMs')
  const toMs = numberOf(gap, 'toMs')
  const long = fromMs === null ? '?' : lasting((toMs ?? nowMs) - fromMs)
  const what = toMs === null ? `still missing events, for ${long}` : `over after ${long}, being filled`
  return ['open gap', safe`${what} (${textOf(gap, 'reason') ?? '?'})`]
}

function budgetText(budget: unknown): string {
  const allowed = numberOf(budget, 'allowed')
  const endsAtMs = numberOf(budget, 'endsAtMs')
  const used = numberOf(budget, 'used') ?? 0
  const until = endsAtMs === null ? '' : ` until ${timeOfDay(endsAtMs)}`
  const waiting = numberOf(budget, 'waiting') ?? 0
  return `${used}${allowed === null ? '' : ` of ${allowed}`} used${until}${waiting === 0 ? '' : `, ${waiting} waiting`}`
}

function ago(atMs: number | null, nowMs: number): string {
  return atMs === null ? 'never' : `${lasting(Math.max(0, nowMs - atMs))} ago`
}
