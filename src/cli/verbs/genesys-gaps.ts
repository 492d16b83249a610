/** `trunkline genesys gaps`: the times in which notifications were missed, with what was lost and what could be filled. */
import { Command } from 'commander'
import { clientOf } from '../client.ts'
import { note, print, printJson, type Context } from '../context.ts'
import { instant, lasting, shortTopic, table } from '../format.ts'
import { wholeNumber, withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { safe } from '../text.ts'

type Options = ClientOptions & { readonly json?: true; readonly limit: number; readonly cursor?: string }

export function gapsCommand(context: Context): Command {
  const command = withJson(withClient(new Command('gaps')))
    .description('list the times in which notifications were missed: what still lasts first, then newest first')
    .option('--limit <n>', 'how many of those on record', wholeNumber(1, 1_000), 20)
    .option('--cursor <cursor>', 'go on where another list ended')
    .action((options: Options) => listGaps(context, options))
  return withExamples(command, 'trunkline genesys gaps', 'trunkline genesys gaps --limit 100 --json')
}

async function listGaps(context: Context, options: Options): Promise<void> {
  const query = { limit: options.limit, cursor: options.cursor }
  const page = await clientOf(context.io, options).get('/v1/gaps', query, context.signal)
  if (options.json === true) return printJson(context, page)
  const gaps = listOf(page, 'gaps')
  if (gaps.length === 0) return note(context, 'no gaps')
  const nowMs = context.io.clock.nowMs()
  const lines = table(
    ['from', 'to', 'length', 'reason', 'lost', 'filled'],
    gaps.map((gap) => cellsOf(gap, nowMs)),
  )
  for (const line of lines) print(context, line)
  const cursor = textOf(page, 'cursor')
  if (cursor !== null) note(context, safe`more: --cursor ${cursor}`)
}

function cellsOf(gap: unknown, nowMs: number): readonly (string | null)[] {
  const fromMs = numberOf(gap, 'fromMs')
  const toMs = numberOf(gap, 'toMs')
  const onRecord = fieldOf(gap, 'id') !== null
  return [
    instant(fromMs),
    toMs === null ? 'still lasts' : instant(toMs),
    fromMs === null ? null : lasting((toMs ?? nowMs) - fromMs),
    textOf(gap, 'reason'),
    topicsOf(listOf(gap, onRecord ? 'lost' : 'topics')),
    onRecord ? filledOf(gap) : 'not known yet',
  ]
}

function topicsOf(list: readonly unknown[]): string | null {
  const topics = list.filter((topic) => typeof topic === 'string')
  const shown = topics.slice(0, MAX_TOPICS).map(shortTopic)
  if (topics.length > MAX_TOPICS) shown.push(`${topics.length - MAX_TOPICS} more`)
  return shown.length === 0 ? null : shown.join(', ')
}

/** How many events were had again; kinds of which none was missing say nothing. */
function filledOf(gap: unknown): string | null {
  const filled = listOf(gap, 'filled').filter((entry) => (numberOf(entry, 'events') ?? 0) > 0)
  if (filled.length === 0) return listOf(gap, 'filled').length === 0 ? null : 'nothing missing'
  const sum = filled.reduce((total: number, entry) => total + (numberOf(entry, 'events') ?? 0), 0)
  return `${sum}: ${filled.map((entry) => `${shortTopic(textOf(entry, 'topic') ?? '?')} ${numberOf(entry, 'events')}`).join(', ')}`
}

const MAX_TOPICS = 3
