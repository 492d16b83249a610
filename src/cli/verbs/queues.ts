/** `trunkline queues`: the queues of the organization by name, as the running service knows them. */
import { Command } from 'commander'
import { clientOf } from '../client.ts'
import { note, print, printJson, type Context } from '../context.ts'
import { instant, table } from '../format.ts'
import { wholeNumber, withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { clip, safe } from '../text.ts'

type Options = ClientOptions & { readonly json?: true; readonly limit: number }

export function queuesCommand(context: Context): Command {
  const command = withJson(withClient(new Command('queues')))
    .description('list queues by name, as the running service knows them from Genesys Cloud')
    .argument('[text]', 'only queues with this in their name, or with this id')
    .option('--limit <n>', 'how many', wholeNumber(1, 10_000), 1_000)
    .action((text: string | undefined, options: Options) => listQueues(context, text, options))
  return withExamples(command, 'trunkline queues', 'trunkline queues sales --json')
}

async function listQueues(context: Context, text: string | undefined, options: Options): Promise<void> {
  const page = await clientOf(context.io, options).get('/v1/directory/queues', { q: text, limit: options.limit }, context.signal)
  if (options.json === true) return printJson(context, page)
  const names = listOf(page, 'names')
  const rows = names.map((one) => [
    clip(textOf(one, 'name') ?? '', MAX_NAME_CHARS),
    textOf(one, 'id'),
    fieldOf(one, 'stale') === true ? 'stale' : '',
  ])
  if (rows.length > 0) for (const line of table(['name', 'id', ''], rows)) print(context, line.trimEnd())
  const total = numberOf(page, 'total') ?? rows.length
  if (total > rows.length) note(context, `${rows.length} of ${total}; give a part of the name, or --limit`)
  sayHowFresh(context, page, rows.length)
}

/** An empty or stale list has a reason, which is more use than the list. */
function sayHowFresh(context: Context, page: unknown, shown: number): void {
  const loadedAtMs = numberOf(page, 'loadedAtMs')
  const error = fieldOf(page, 'lastError')
  if (loadedAtMs === null) note(context, 'the list has not been read from Genesys Cloud yet')
  else if (shown === 0) note(context, 'no queues')
  if (loadedAtMs !== null && fieldOf(page, 'stale') === true) note(context, `stale: last read ${instant(loadedAtMs)}`)
  if (textOf(error, 'code') !== null)
    note(
      context,
      safe`the last attempt failed ${instant(numberOf(error, 'atMs'))}: ${textOf(error, 'message') ?? ''} [${textOf(error, 'code') ?? ''}]`,
    )
}

const MAX_NAME_CHARS = 80
