/** `trunkline state routes`: how each route of the running service stands, and why one does not go on. */
import { Command } from 'commander'
import { clientOf } from '../client.ts'
import { note, print, printJson, type Context } from '../context.ts'
import { instant, table } from '../format.ts'
import { withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { entriesOf, fieldOf, numberOf, textOf } from '../read.ts'
import { safe } from '../text.ts'

type Options = ClientOptions & { readonly json?: true }

export function routesVerb(context: Context): Command {
  const command = withJson(withClient(new Command('routes')))
    .description('list routes: what each has to go, what waits, what became of the rest, and why one holds')
    .action((options: Options) => listRoutes(context, options))
  return withExamples(command, 'trunkline state routes', 'trunkline state routes --json')
}

async function listRoutes(context: Context, options: Options): Promise<void> {
  const stats = await clientOf(context.io, options).get('/v1/stats', {}, context.signal)
  if (options.json === true) return printJson(context, { routes: fieldOf(stats, 'routes') ?? {} })
  const routes = entriesOf(stats, 'routes')
  const rows = routes.map(([name, route]) => [
    name,
    standOf(route),
    ...['position', 'lag', 'held', 'retrying'].map((key) => textOf(route, key)),
    String(counted(route, 'delivered') + counted(route, 'redelivered')),
    String(counted(route, 'dropped')),
    textOf(route, 'deadLetters'),
    instant(numberOf(route, 'lastDeliveredAtMs')),
  ])
  if (rows.length === 0) return note(context, 'no routes')
  const heading = ['route', 'state', 'position', 'lag', 'held', 'retrying', 'delivered', 'dropped', 'dead letters', 'last delivered']
  for (const line of table(heading, rows)) print(context, line)
  for (const [name, route] of routes) {
    const blocked = fieldOf(route, 'blocked')
    const code = textOf(blocked, 'code')
    if (code !== null) note(context, safe`${textOf(blocked, 'message') ?? name} [${code}]`)
    const error = textOf(route, 'sinkError')
    if (error !== null) note(context, safe`route ${name}: the sink fails: ${error}`)
  }
}

/** In a word or two, what hinders most first. */
function standOf(route: unknown): string {
  if (fieldOf(route, 'paused') === true) return 'paused'
  if (textOf(fieldOf(route, 'blocked'), 'code') !== null) return 'blocked'
  const breaker = textOf(route, 'breaker') ?? 'closed'
  return breaker === 'closed' ? 'runs' : `breaker ${breaker}`
}

/** The sum of what is counted under a name, whatever the reason and the key. */
function counted(route: unknown, name: string): number {
  const counts = fieldOf(route, 'counts')
  return entriesOf(route, 'counts').reduce((sum, [key]) => (key.split('|')[0] === name ? sum + (numberOf(counts, key) ?? 0) : sum), 0)
}
