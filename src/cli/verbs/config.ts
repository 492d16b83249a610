/**
 * `trunkline config`: the effective configuration with secrets masked and the origin of each value, or every error in it; and
 * the flags of a running service, which go before the configuration.
 */
import { Command, Option } from 'commander'
import type { Config } from '../../config/config.ts'
import { note, print, printJson, type Context } from '../context.ts'
import { USAGE } from '../failure.ts'
import { clientOf } from '../client.ts'
import { count, instant, table } from '../format.ts'
import { configOf } from '../loading.ts'
import { wholeNumber, withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { escapeLines, safe } from '../text.ts'
import { whoIs } from '../who.ts'

type FlagOptions = ClientOptions & { readonly json?: true }
type ListOptions = FlagOptions & { readonly changes?: true; readonly limit: number }
type Options = { readonly json?: true; readonly config?: string; readonly dataDir?: string }

export function configCommand(context: Context): Command {
  const show = withOptions(new Command('show'))
    .description('show the effective configuration (the default)')
    .action((options: Options) => showConfig(context, options))
  const check = withOptions(new Command('check'))
    .description('check the configuration and say everything that is wrong with it; exit code 2 when something is')
    .action((options: Options) => checkConfig(context, options))
  withExamples(show, 'trunkline config show --json')
  withExamples(check, 'trunkline config check', 'trunkline config check --config deploy/trunkline.config.ts')
  const flags = withJson(withClient(new Command('flags')))
    .description('list what was changed in the running service: pauses, schema versions, policies')
    .option('--changes', 'list the changes instead, newest first, with who made them')
    .option('--limit <n>', 'how many changes', wholeNumber(1, 1000), 50)
    .action((options: ListOptions) => listFlags(context, options))
  const pause = withJson(withClient(new Command('pause')))
    .description('pause a route of the running service: its events wait, and no attempt is made; holds over a restart')
    .argument('<route>', 'name of the route')
    .action((route: string, options: FlagOptions) => setPaused(context, route, true, options))
  const resume = withJson(withClient(new Command('resume')))
    .description('let a paused route go on')
    .argument('<route>', 'name of the route')
    .action((route: string, options: FlagOptions) => setPaused(context, route, false, options))
  withExamples(flags, 'trunkline config flags', 'trunkline config flags --changes --limit 10')
  withExamples(pause, 'trunkline config pause crm')
  withExamples(resume, 'trunkline config resume crm')
  const command = new Command('config')
    .description('show or check the configuration (this runs the configuration file, which is code), or the flags of a running service')
    .addCommand(show, { isDefault: true })
    .addCommand(check)
    .addCommand(flags)
    .addCommand(pause)
    .addCommand(resume)
  return withExamples(command, 'trunkline config', 'trunkline config check')
}

async function showConfig(context: Context, options: Options): Promise<void> {
  const config = await configOf(context, options)
  if (config === null) return
  const { formatConfig, printConfig } = await import('../../config/print.ts')
  if (options.json === true) printJson(context, printConfig(config))
  else print(context, escapeLines(formatConfig(config).trimEnd()))
}

async function checkConfig(context: Context, options: Options): Promise<void> {
  if (options.json === true) {
    const { loadConfig } = await import('../../config/load.ts')
    const result = await loadConfig({ cwd: context.io.cwd, env: context.io.env, flags: options })
    const errors = 'errors' in result ? result.errors : []
    context.exitCode = errors.length === 0 ? context.exitCode : USAGE
    return printJson(context, { ok: errors.length === 0, errors, warnings: result.warnings })
  }
  const config = await configOf(context, options)
  if (config !== null) print(context, saysOk(config))
}

async function listFlags(context: Context, options: ListOptions): Promise<void> {
  const client = clientOf(context.io, options)
  if (options.changes === true) {
    const answer = await client.get('/v1/flags/changes', { limit: options.limit }, context.signal)
    if (options.json === true) return printJson(context, answer)
    const rows = listOf(answer, 'changes').map((change) => [
      instant(numberOf(change, 'atMs')),
      subjectOf(change),
      valueOf(change, 'from'),
      valueOf(change, 'to'),
      textOf(change, 'by'),
    ])
    if (rows.length === 0) note(context, 'no flag was ever changed')
    else for (const line of table(['at', 'flag', 'from', 'to', 'by'], rows)) print(context, line)
    return
  }
  const answer = await client.get('/v1/flags', {}, context.signal)
  if (options.json === true) return printJson(context, answer)
  const rows = listOf(answer, 'flags').map((flag) => [
    subjectOf(flag),
    valueOf(flag, 'value'),
    textOf(flag, 'by'),
    instant(numberOf(flag, 'atMs')),
  ])
  if (rows.length === 0) note(context, 'no flag is set; the configuration holds')
  else for (const line of table(['flag', 'value', 'by', 'since'], rows)) print(context, line)
}

async function setPaused(context: Context, route: string, paused: boolean, options: FlagOptions): Promise<void> {
  const body = { flag: 'route.paused', route, value: paused, by: whoIs(context.io) }
  const change = await clientOf(context.io, options).put('/v1/flags', body)
  if (options.json === true) return printJson(context, change)
  print(context, paused ? safe`route ${route} is paused; its events wait` : safe`route ${route} goes on`)
}

function subjectOf(flag: unknown): string {
  return ['flag', 'route', 'topic', 'class'].flatMap((key) => textOf(flag, key) ?? []).join(' ')
}

/** A value, or `as configured` where no flag is set. */
function valueOf(flag: unknown, key: string): string {
  return fieldOf(flag, key) === null ? 'as configured' : (textOf(flag, key) ?? '?')
}

function saysOk(config: Config): string {
  const names = config.routes.map((route) => route.name).join(', ')
  return safe`${config.file ?? 'no configuration file; the defaults'}: ok, ${count(config.routes.length, 'route')}${names === '' ? '' : ` (${names})`}`
}

function withOptions(command: Command): Command {
  return withJson(command)
    .addOption(new Option('--config <file>', 'the configuration file (TRUNKLINE_CONFIG; otherwise trunkline.config.* here)'))
    .addOption(new Option('--data-dir <folder>', 'as if the service were started with it'))
}
