/**
 * `trunkline reconcile`: has the running service compare its state with the API of Genesys Cloud, waits until that is done, and
 * says what differed. The run is the service's: it goes on when nobody waits for it.
 */
import { Command, InvalidArgumentError } from 'commander'
import { TrunklineError } from '../../errors.ts'
import { clientOf } from '../client.ts'
import { note, paintFor, print, printJson, printProblem, type Context } from '../context.ts'
import { FAILED } from '../failure.ts'
import { count, instant, lasting, shortTopic, table } from '../format.ts'
import { withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { safe } from '../text.ts'

type Options = ClientOptions & {
  readonly json?: true
  readonly conversation: readonly string[]
  readonly agent: readonly string[]
  readonly olderThan?: number
  readonly dryRun?: true
  readonly last?: true
}

const LOOK_MS = 250
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export function reconcileCommand(context: Context): Command {
  const command = withJson(withClient(new Command('reconcile')))
    .description(
      'compare open conversations and agents that have been silent for long with the API of Genesys Cloud, and repair what differs',
    )
    .option('--conversation <id>', 'compare this conversation, however long it has been silent; may be repeated', listed, [])
    .option('--agent <id>', 'compare this agent; may be repeated', listed, [])
    .option('--older-than <span>', 'compare those silent for so long, such as 30m, 4h or 1d; otherwise genesys.reconcile.silentMs', span)
    .option('--dry-run', 'say what differs and repair nothing')
    .option('--last', 'show the last run, and begin none')
    .action((options: Options) => (options.last === true ? showLast(context, options) : run(context, options)))
  return withExamples(
    command,
    'trunkline reconcile',
    'trunkline reconcile --older-than 1h --dry-run',
    'trunkline reconcile --conversation 7c1d7a52-9d0e-4c38-8a53-0f5b1f7f5a10 --json',
  ).addHelpText('after', '\nExit codes: 0 compared, whatever was found; 1 not everybody could be asked for; 2 wrong usage.')
}

async function run(context: Context, options: Options): Promise<void> {
  const client = clientOf(context.io, options)
  const { conversation, agent, olderThan, dryRun } = options
  const begun = await client.post('/v1/reconcile', {
    conversations: conversation,
    agents: agent,
    dryRun: dryRun === true,
    ...(olderThan === undefined ? {} : { olderThanMs: olderThan }),
  })
  const number = numberOf(fieldOf(begun, 'run'), 'number')
  const { stderr, clock } = context.io
  for (;;) {
    const status = await client.get('/v1/reconcile', {}, context.signal)
    const running = fieldOf(status, 'running')
    if (numberOf(running, 'number') !== number) {
      if (stderr.isTTY) stderr.write('\r\u001b[K')
      const last = fieldOf(status, 'last')
      // A service that was started again knows nothing of it.
      if ((numberOf(last, 'number') ?? -1) < (number ?? 0)) throw gone()
      return show(context, last, options)
    }
    if (stderr.isTTY) stderr.write(`\r\u001b[K${progressOf(running)}`)
    await clock.wait(LOOK_MS, context.signal)
    if (context.signal.aborted) return
  }
}

async function showLast(context: Context, options: Options): Promise<void> {
  const status = await clientOf(context.io, options).get('/v1/reconcile', {}, context.signal)
  const last = fieldOf(status, 'last')
  if (options.json === true) return printJson(context, status)
  const nextAtMs = numberOf(fieldOf(status, 'schedule'), 'nextAtMs')
  if (nextAtMs !== null) note(context, `the next run begins at ${instant(nextAtMs)}`)
  if (last === null || last === undefined) return note(context, 'no run since the service started')
  show(context, last, options)
}

function show(context: Context, last: unknown, options: Options): void {
  const problems = listOf(last, 'problems')
  if (problems.length > 0) context.exitCode = FAILED
  if (options.json === true) return printJson(context, last)
  const findings = listOf(last, 'findings')
  const rows = findings.map((one) => [
    textOf(one, 'kind'),
    textOf(one, 'entity'),
    idOf(one),
    saidOf(fieldOf(one, 'here')),
    saidOf(fieldOf(one, 'there')),
    outcomeOf(one),
  ])
  if (rows.length > 0) for (const line of table(['found', 'of', 'id', 'here', 'at Genesys', 'outcome'], rows)) print(context, line)
  for (const id of findings.flatMap(eventsOf)) print(context, paintFor(context)('dim', safe`  repaired by ${id}`))
  const more = numberOf(last, 'notListed') ?? 0
  if (more > 0) note(context, `${count(more, 'finding')} more`)
  print(context, summaryOf(last))
  const left = (numberOf(fieldOf(last, 'conversations'), 'left') ?? 0) + (numberOf(fieldOf(last, 'agents'), 'left') ?? 0)
  if (left > 0) note(context, `${left} as silent are left for the next run (genesys.reconcile.maxPerRun)`)
  for (const problem of problems)
    printProblem(context, {
      code: textOf(problem, 'code') ?? '',
      message: textOf(problem, 'message') ?? '',
      hint: textOf(problem, 'hint') ?? '',
    })
}

function summaryOf(run: unknown): string {
  const compared = [
    count(numberOf(fieldOf(run, 'conversations'), 'asked') ?? 0, 'conversation'),
    count(numberOf(fieldOf(run, 'agents'), 'asked') ?? 0, 'agent'),
  ].join(' and ')
  const toAsk = ['conversations', 'agents'].reduce((sum, name) => sum + (numberOf(fieldOf(run, name), 'toAsk') ?? 0), 0)
  if (toAsk === 0 && listOf(run, 'problems').length === 0) {
    // A run on schedule leaves out those who were asked for not long ago.
    const due = textOf(run, 'by') === 'schedule' ? ' whose turn it was' : ''
    return `nobody${due} was silent for ${lasting(numberOf(run, 'olderThanMs') ?? 0).replace('.0 ', ' ')}: nothing to compare`
  }
  const found = (['gap', 'stuck', 'mismatch', 'unknown'] as const)
    .map((kind) => [kind, numberOf(fieldOf(run, 'found'), kind) ?? 0] as const)
    .filter(([, n]) => n > 0)
    .map(([kind, n]) => `${n} ${kind}`)
  const tookMs = (numberOf(run, 'endedAtMs') ?? 0) - (numberOf(run, 'startedAtMs') ?? 0)
  const repaired = fieldOf(run, 'dryRun') === true ? 'nothing repaired (--dry-run)' : `${numberOf(run, 'repaired') ?? 0} repaired`
  const what = found.length === 0 ? 'nothing differs' : `${found.join(', ')}; ${repaired}`
  return `compared ${compared} in ${lasting(Math.max(0, tookMs))}: ${what}`
}

function progressOf(run: unknown): string {
  const part = (name: string): string => {
    const of = fieldOf(run, name)
    return `${numberOf(of, 'asked') ?? 0} of ${numberOf(of, 'toAsk') ?? 0} ${name}`
  }
  return `compared ${part('conversations')}, ${part('agents')}, ${count(listOf(run, 'findings').length, 'finding')}`
}

function idOf(finding: unknown): string | null {
  const name = textOf(finding, 'name')
  return name === null ? textOf(finding, 'id') : `${name} (${textOf(finding, 'id') ?? '?'})`
}

function saidOf(said: unknown): string | null {
  const value = textOf(said, 'value')
  const sinceMs = numberOf(said, 'sinceMs')
  if (value === null || sinceMs === null) return value
  return `${value} ${value === 'ended' ? 'at' : 'since'} ${instant(sinceMs)}`
}

function outcomeOf(finding: unknown): string {
  const outcome = (textOf(finding, 'outcome') ?? '?').replaceAll('_', ' ')
  const obstacle = textOf(finding, 'obstacle')
  const topics = listOf(finding, 'repairs').map((repair) => shortTopic(textOf(repair, 'topic') ?? '?').replace(/^conversation\./, ''))
  const detail = obstacle !== null ? obstacle.replaceAll('_', ' ') : topics.join(', ')
  return detail === '' ? outcome : `${outcome}: ${detail}`
}

function eventsOf(finding: unknown): readonly string[] {
  return listOf(finding, 'repairs').flatMap((repair) => textOf(repair, 'event') ?? [])
}

function gone(): TrunklineError {
  return new TrunklineError(
    'reconcile.gone',
    'The service was started again before the run was over.',
    'Run it again; what was repaired stays so, and is not repaired twice.',
  )
}

function listed(id: string, before: readonly string[]): readonly string[] {
  if (!/^[\w-]{1,64}$/.test(id)) throw new InvalidArgumentError('Write an id as Genesys Cloud has it.')
  return [...before, id]
}

function span(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  if (unit === '') throw new InvalidArgumentError('Write a number with its unit (s, m, h, d), such as 30m, 4h or 1d.')
  return Number(number) * (UNIT_MS[unit] ?? 0)
}
